//! The same bytes as files, from nginx to curl over TLS: what a CDN's server and a browser's engine would do.

use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longest time nginx takes to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running nginx. Dropping it ends it.
pub struct Nginx {
    server: Child,
    port: u16,
    files: usize,
}

impl Nginx {
    /// Serves `cells` from `folder`, which is made.
    pub fn start(folder: &Path, cells: &[Vec<u8>]) -> Result<Self> {
        for name in ["nginx", "curl"] {
            let mut ask = Command::new(name);
            let found = ask.arg(if name == "nginx" { "-v" } else { "-V" }).stdout(Stdio::null()).stderr(Stdio::null());
            ensure!(found.status().is_ok_and(|status| status.success()), "{name} is not installed");
        }
        fs::create_dir_all(folder.join("www"))?;
        for (number, cell) in cells.iter().enumerate() {
            fs::write(folder.join("www").join(number.to_string()), cell)?;
        }
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        fs::write(folder.join("cert.pem"), certificate.cert.pem())?;
        fs::write(folder.join("key.pem"), certificate.signing_key.serialize_pem())?;
        // Free now; whoever takes it meanwhile makes nginx say so.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        fs::write(folder.join("nginx.conf"), configuration(folder, port))?;
        let server = Command::new("nginx")
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(folder.join("nginx.conf"))
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .spawn()
            .context("nginx does not start")?;
        let nginx = Self { server, port, files: cells.len() };
        nginx.wait()?;
        Ok(nginx)
    }

    fn wait(&self) -> Result<()> {
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            ensure!(began.elapsed() < PATIENCE, "nginx does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Fetches every cell and throws it away, over one connection; the bytes.
    pub fn pass(&self) -> Result<u64> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--insecure", "--http1.1"]);
        curl.args(["--output", "/dev/null", "--write-out", "%{size_download}\n"]);
        curl.arg(format!("https://127.0.0.1:{}/[0-{}]", self.port, self.files - 1));
        let output = curl.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("curl does not start")?;
        ensure!(output.status.success(), "curl failed: {}", output.status);
        // A line for each cell.
        let sizes = String::from_utf8(output.stdout).context("curl does not say how much came")?;
        sizes.lines().map(|size| Ok(size.parse::<u64>()?)).sum()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ended_already = self.server.kill();
        let _nobody_to_tell = self.server.wait();
    }
}

/// One process that serves files; nothing is logged, and nothing is written outside of `folder`.
fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let places: String = kinds.iter().map(|kind| format!("    {kind}_temp_path {folder}/{kind};\n")).collect();
    format!(
        "daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
{places}    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.3;
        root {folder}/www;
    }}
}}
"
    )
}
