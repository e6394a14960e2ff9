//! What must be right before anything starts: ports, disk, programs. Each failure is one line that says what to do.

use crate::output::note;
use anyhow::{Context as _, Result, bail};
use chainflix_node::{RoleConfig, network::Layout, network::Ports};
use std::{
    env,
    ffi::OsStr,
    fmt,
    net::{SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Free disk that a demo wants: chain, three providers, a film while it is cut.
const DISK_BYTES_MIN: u64 = 1_000_000_000;
/// Pause between two looks at ports that should become free.
const RETRY: Duration = Duration::from_millis(250);
/// Where free ports are looked for: below those that Linux gives to outgoing connections.
const FREE_BASES: std::ops::Range<u16> = 10_000..32_000;

/// An address that a process listens at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub transport: Transport,
    pub address: SocketAddr,
    /// What is served there.
    pub what: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Tcp,
    Udp,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.transport, self.what) {
            (Transport::Tcp, "web app" | "JSON-RPC") => write!(f, "http://{}", self.address),
            (Transport::Tcp, _) => write!(f, "{}", self.address),
            (Transport::Udp, _) => write!(f, "{} (UDP)", self.address),
        }
    }
}

/// Where a process will listen; what people may open comes first.
pub fn listens(config: &RoleConfig) -> Vec<Listen> {
    let tcp = |address, what| Listen { transport: Transport::Tcp, address, what };
    let udp = |address| Listen { transport: Transport::Udp, address, what: "overlay" };
    match config {
        RoleConfig::Validator(validator) => {
            vec![tcp(validator.rpc_listen, "JSON-RPC"), tcp(validator.listen, "consensus")]
        }
        RoleConfig::Relay(relay) => vec![
            tcp(relay.listen, "relay"),
            Listen { transport: Transport::Udp, address: relay.listen, what: "address discovery" },
        ],
        RoleConfig::Controller(controller) => vec![udp(controller.overlay.listen)],
        RoleConfig::Provider(provider) => vec![udp(provider.overlay.listen)],
        RoleConfig::Gateway(gateway) => vec![tcp(gateway.http_listen, "web app"), udp(gateway.overlay.listen)],
    }
}

/// Refuses ports that are in use now.
pub fn ports_now(layout: &Layout) -> Result<()> {
    for (name, config) in &layout.processes {
        for listen in listens(&RoleConfig::read(config)?) {
            if let Err(error) = bind(listen.transport, listen.address) {
                bail!(
                    "port {} is taken ({error}), and {name} needs it ({}); stop what uses it, or choose others with --port-base N and a new --data DIR",
                    listen.address.port(),
                    listen.what,
                );
            }
        }
    }
    Ok(())
}

/// Refuses ports that stay in use for `patience`.
pub async fn ports(layout: &Layout, patience: Duration) -> Result<()> {
    let began = Instant::now();
    loop {
        match ports_now(layout) {
            Err(_) if began.elapsed() < patience => tokio::time::sleep(RETRY).await,
            outcome => return outcome,
        }
    }
}

fn bind(transport: Transport, address: SocketAddr) -> std::io::Result<()> {
    match transport {
        Transport::Tcp => TcpListener::bind(address).map(drop),
        Transport::Udp => UdpSocket::bind(address).map(drop),
    }
}

/// Ports that nothing uses now.
pub fn free_ports() -> Result<Ports> {
    // Wherever: two demos that start at once should not look at the same ports.
    let first = usize::from(rand::random_range(FREE_BASES));
    let bases = FREE_BASES.cycle().skip(first - usize::from(FREE_BASES.start)).step_by(300).take(100);
    for base in bases {
        let ports = Ports { web: base, rpc: base + 100, inner: base + 200 };
        let wanted = [(ports.web, 1), (ports.rpc, 10), (ports.inner, 50)];
        let mut wanted = wanted.into_iter().flat_map(|(first, count)| first..first + count);
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        if wanted.all(|port| [Transport::Tcp, Transport::Udp].into_iter().all(|kind| bind(kind, local(port)).is_ok())) {
            return Ok(ports);
        }
    }
    bail!("no free ports were found; choose some with --port-base N")
}

/// Refuses a disk that is nearly full.
pub fn disk(folder: &Path) -> Result<()> {
    let found = rustix::fs::statvfs(folder).with_context(|| format!("cannot use {}", folder.display()))?;
    enough(folder, found.f_bavail.saturating_mul(found.f_frsize))
}

fn enough(folder: &Path, free_bytes: u64) -> Result<()> {
    if free_bytes < DISK_BYTES_MIN {
        let megabytes = |bytes| bytes / 1_000_000;
        bail!(
            "only {} MB are free in {}, and the demo needs {} MB; free some, or name another folder with --data",
            megabytes(free_bytes),
            folder.display(),
            megabytes(DISK_BYTES_MIN)
        );
    }
    Ok(())
}

/// Makes sure that ffmpeg is there: installs Debian's when this is root, else says how.
pub fn ffmpeg() -> Result<()> {
    let missing = || ["ffmpeg", "ffprobe"].iter().any(|program| !on_path(program));
    if !missing() {
        return Ok(());
    }
    if rustix::process::geteuid().is_root() && on_path("apt-get") {
        note("installing ffmpeg");
        install("ffmpeg");
    }
    if missing() {
        bail!("ffmpeg is missing; run: sudo apt-get install -y ffmpeg");
    }
    Ok(())
}

/// Failing shows in the program that is still missing.
fn install(package: &str) {
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends", package]] {
        let mut apt = Command::new("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        let _status = apt.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| finds(&path, program))
}

fn finds(path: &OsStr, program: &str) -> bool {
    env::split_paths(path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_node::network::{KeyMode, Plan};
    use chainflix_primitives::ProtocolParams;

    fn laid_out(ports: Ports, dir: &Path) -> Layout {
        let (params, keys) = (ProtocolParams::default(), KeyMode::Shared);
        Plan { validators: 4, controllers: 2, providers: 3, params, ports, quota_bytes: 1 << 30, keys }
            .write(dir, 0)
            .unwrap()
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_process_that_wants_it() {
        let dir = tempfile::tempdir().unwrap();
        let ports = free_ports().unwrap();
        let layout = laid_out(ports, dir.path());
        let taken = TcpListener::bind(("127.0.0.1", ports.rpc + 2)).unwrap();
        let error = super::ports(&layout, Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.contains(&format!("port {}", ports.rpc + 2)) && error.contains("validator-2"), "{error}");
        let freed = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            drop(taken);
        });
        super::ports(&layout, Duration::from_secs(30)).await.unwrap();
        freed.join().unwrap();
    }

    #[test]
    fn every_port_of_a_network_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let layout = laid_out(Ports::default(), dir.path());
        let configs = layout.processes.iter().map(|(_, config)| RoleConfig::read(config).unwrap());
        let mut ports: Vec<_> =
            configs.flat_map(|config| listens(&config)).map(|listen| listen.address.port()).collect();
        ports.sort_unstable();
        // The relay has one number for TCP and UDP.
        ports.dedup();
        let inner = 28_000..28_000 + 4 + 4 + 3;
        assert_eq!(ports, [8080].into_iter().chain(8545..8549).chain(inner).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_disk_is_said_in_megabytes() {
        let error = enough(Path::new("/demo"), 12_345_678).unwrap_err().to_string();
        assert!(error.contains("only 12 MB") && error.contains("1000 MB"), "{error}");
        assert!(enough(Path::new("/demo"), DISK_BYTES_MIN).is_ok());
    }

    #[test]
    fn programs_are_looked_for_on_the_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ffmpeg"), "").unwrap();
        assert!(finds(dir.path().as_os_str(), "ffmpeg"));
        assert!(!finds(dir.path().as_os_str(), "ffprobe"));
        assert!(!finds(OsStr::new(""), "ffmpeg"));
    }
}
