//! A running demo, and patience with it.

use chainflix_primitives::AccountAddress;
use chainflix_rpc::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take here: a busy machine starts a dozen processes slowly.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// `chainflix`, as a shell would start it.
pub fn chainflix(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chainflix"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs `chainflix` to its end.
pub fn run(arguments: &[&str]) -> Output {
    chainflix(arguments).output().unwrap()
}

/// A demo in the background. Stopped when dropped.
pub struct Demo {
    child: Child,
    data: PathBuf,
    lines: Receiver<String>,
}

impl Demo {
    /// Starts a demo in `data` and waits until it is ready.
    pub fn start(data: &Path, more: &[&str]) -> Self {
        let mut command = chainflix(&["demo", "--until-stdin-closes", "--data"]);
        command.arg(data).args(more).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let demo = Self { child, data: data.to_owned(), lines };
        demo.await_line("ready ");
        demo
    }

    /// Starts the first demo of a test, with a film of its own.
    pub fn first(data: &Path, film: &Path, more: &[&str]) -> Self {
        let fixed = ["--fast", "20", "--port-base", "0", "--film", film.to_str().unwrap()];
        Self::start(data, &[&fixed[..], more].concat())
    }

    fn await_line(&self, start: &str) {
        let until = Instant::now() + 2 * PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("the demo never said {start:?}"));
            if line.starts_with(start) {
                return;
            }
        }
    }

    /// What `demo.json` says now.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.data.join("demo.json")).unwrap()).unwrap()
    }

    /// A client of all validators.
    pub fn client(&self) -> Client {
        let rpcs: Vec<String> = serde_json::from_value(self.json()["rpcs"].clone()).unwrap();
        Client::new(rpcs).unwrap()
    }

    /// A client of one validator.
    pub fn validator(&self, number: usize) -> Client {
        Client::new([self.json()["rpcs"][number].as_str().unwrap()]).unwrap()
    }

    /// The one film.
    pub fn magnet(&self) -> String {
        self.json()["films"][0]["magnet"].as_str().unwrap().to_owned()
    }

    /// Accounts of the network: all that can earn beside viewers.
    pub fn accounts(&self) -> Vec<AccountAddress> {
        let Value::Object(accounts) = self.json()["accounts"].clone() else { panic!("no accounts") };
        let flat = accounts.into_iter().flat_map(|(_, found)| match found {
            Value::Array(several) => several,
            one => vec![one],
        });
        flat.map(|account| serde_json::from_value(account).unwrap()).collect()
    }

    fn process(&self, name: &str) -> Value {
        let json = self.json();
        let found = json["processes"].as_array().unwrap().iter().find(|process| process["name"] == name);
        found.unwrap_or_else(|| panic!("no process {name}")).clone()
    }

    /// Every process that runs, the demo's own included.
    pub fn pids(&self) -> Vec<u32> {
        let json = self.json();
        let children = json["processes"].as_array().unwrap().iter().filter_map(|process| process["pid"].as_u64());
        // Process ids have 32 bits.
        children.map(|pid| pid as u32).chain([self.child.id()]).collect()
    }

    /// Ends a process without a word, and waits until it runs anew.
    pub async fn kill_and_await(&self, name: &str) {
        let before = self.process(name);
        kill(before["pid"].as_u64().unwrap() as u32);
        until(&format!("{name} to run anew"), async || {
            let now = self.process(name);
            now["restarts"].as_u64() > before["restarts"].as_u64() && now["pid"].is_u64()
        })
        .await;
    }

    /// Asks the demo to stop, and waits for it.
    pub fn stop(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().unwrap()
    }

    /// Waits for a demo that ends by itself.
    pub fn wait(mut self) -> ExitStatus {
        // Waiting closes what the child still has of it, and that would stop the demo.
        let stdin = self.child.stdin.take();
        let status = self.child.wait().unwrap();
        drop(stdin);
        status
    }

    /// Ends the demo without a word.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _already_waited_for = self.child.wait();
    }
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

/// Whether a process runs.
pub fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name in brackets comes the state; a zombie is waited for by whoever adopted it.
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z') && !rest.is_empty())
}

/// Looks again and again until `holds`.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A film of `seconds` with pictures and a tone.
pub fn film(folder: &Path, seconds: u32) -> PathBuf {
    let film = folder.join("film.mp4");
    let pictures = format!("testsrc2=size=320x240:rate=25:duration={seconds}");
    let tone = format!("sine=frequency=440:sample_rate=48000:duration={seconds}");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-f", "lavfi", "-i", &pictures, "-f", "lavfi", "-i", &tone]);
    ffmpeg
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac"])
        .arg(&film);
    assert!(ffmpeg.stdin(Stdio::null()).status().unwrap().success());
    film
}
