//! A small network on the public segment, a provider that moves from home to home, and viewers.

use crate::lab::{Home, Lab, Place, SERVERS};
use chainflix_node::keys;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take here: a busy machine starts processes slowly.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Cells of the film, of three seconds each.
pub const CELLS: usize = 3;
/// The first validator's JSON-RPC, as `chainflix init` chooses it.
const RPC_PORT: u16 = 8545;

const CHAINFLIX: &str = env!("CARGO_BIN_EXE_chainflix");

/// A process in a namespace. Dropping it asks it to stop by closing its input, and waits.
pub struct Process(Child);

impl Process {
    fn start(mut command: Command, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _already_waited_for = self.0.wait();
    }
}

/// A network with one film on one provider.
pub struct Network {
    // Fields are dropped in this order: first the processes, then their namespaces, then their folder.
    provider: Option<Process>,
    servers: Vec<Process>,
    pub lab: Lab,
    folder: tempfile::TempDir,
    magnet: String,
    viewers: u8,
}

impl Network {
    /// Starts the servers, and publishes the film on a provider at `home`.
    pub fn start(mut lab: Lab, home: impl FnOnce(&mut Lab) -> Home) -> (Self, Home) {
        let folder = tempfile::tempdir().unwrap();
        lay_out(&folder.path().join("network"));
        let home = home(&mut lab);
        let magnet = String::new();
        let mut network = Self { provider: None, servers: Vec::new(), lab, folder, magnet, viewers: 0 };
        // The relay first: the others need the certificate that it makes.
        network.serve("relay");
        let certificate = network.dir().join("relay/data/relay-certificate.der");
        until("the relay's certificate", || certificate.is_file().then_some(()));
        network.serve("validator-0");
        network.serve("controller-0");
        network.endow();
        network.move_provider(&home, false);
        network.publish();
        (network, home)
    }

    /// Stops the provider, and starts it again at another home with the same keys and cells.
    pub fn move_provider(&mut self, home: &Home, map_port: bool) {
        self.stop_provider();
        let path = self.dir().join("provider-0/config.toml");
        let config = fs::read_to_string(&path).unwrap();
        let (no, yes) = ("map-port = false", "map-port = true");
        fs::write(&path, if map_port { config.replace(no, yes) } else { config.replace(yes, no) }).unwrap();
        self.provider = Some(self.role("provider-0", &home.place));
        self.await_log("provider-0", "announced");
    }

    /// Stops the provider in order.
    pub fn stop_provider(&mut self) {
        self.provider = None;
    }

    /// Waits until a process said `words`.
    pub fn await_log(&self, name: &str, words: &str) {
        let log = self.log(name);
        until(&format!("{name} to say {words:?}, in {}", log.display()), || {
            fs::read_to_string(&log).unwrap_or_default().contains(words).then_some(())
        });
    }

    /// A new viewer that watches the film at `home`.
    pub fn watch(&mut self, home: &Home) -> Viewer {
        self.viewers += 1;
        let key = self.folder.path().join(format!("viewer-{}.key", self.viewers));
        keys::write(&key, &[self.viewers; 32]).unwrap();
        let mut command = home.place.command(CHAINFLIX);
        command.args(["watch", &self.magnet, "--json", "--until-stdin-closes"]);
        command.arg("--network").arg(self.dir()).arg("--key").arg(key);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, events) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Viewer { _process: Process(child), events, seen: Vec::new() }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("network")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    fn serve(&mut self, name: &str) {
        let process = self.role(name, &self.lab.servers);
        self.servers.push(process);
    }

    fn role(&self, name: &str, place: &Place) -> Process {
        let mut command = place.command(CHAINFLIX);
        command.args(["run", name.split('-').next().unwrap(), "--until-stdin-closes", "--config"]);
        command.arg(self.dir().join(name).join("config.toml"));
        Process::start(command, &self.log(name))
    }

    /// Runs `chainflix` among the servers until it succeeds.
    fn chainflix(&self, words: &[&str], paths: &[(&str, &str)]) -> String {
        until(&format!("chainflix {}", words.join(" ")), || {
            let mut command = self.lab.servers.command(CHAINFLIX);
            command.args(words);
            for (flag, path) in paths {
                command.arg(flag).arg(self.dir().join(path));
            }
            let output = command.output().unwrap();
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        })
    }

    /// Coins for fees, and an admitted creator.
    fn endow(&self) {
        let account = |path: &str| keys::read_account(&self.dir().join(path)).unwrap().address().to_string();
        let rpc = format!("http://{SERVERS}:{RPC_PORT}");
        let creator = account("keys/creator.key");
        for to in [account("keys/supervisor.key"), creator.clone(), account("provider-0/account.key")] {
            self.chainflix(&["wallet", "send", "--rpc", &rpc, &to, "10"], &[("--wallet", "keys/treasury.key")]);
        }
        self.chainflix(&["supervise", "admit", &creator], &[("--network", "")]);
    }

    fn publish(&mut self) {
        let film = film(self.folder.path());
        let words = ["publish", film.to_str().unwrap(), "--json"];
        let published: Value = serde_json::from_str(&self.chainflix(&words, &[("--network", "")])).unwrap();
        assert_eq!(published["cells"], CELLS);
        self.magnet = published["uri"].as_str().unwrap().to_owned();
    }
}

/// A network's folder, changed as an operator would who spreads it over machines.
fn lay_out(dir: &Path) {
    let fixed = ["--validators", "1", "--controllers", "1", "--providers", "2", "--fast", "20"];
    let output = Command::new(CHAINFLIX).arg("init").arg(dir).args(fixed).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["validator-0", "relay", "controller-0", "provider-0", "gateway"] {
        let path = dir.join(name).join("config.toml");
        let config = fs::read_to_string(&path).unwrap().replace("127.0.0.1", SERVERS);
        let config = match name {
            "controller-0" => config.replace("copies = 2", "copies = 1"),
            "provider-0" => config.replace(&format!("listen = \"{SERVERS}:"), "listen = \"0.0.0.0:"),
            _ => config,
        };
        fs::write(&path, config).unwrap();
    }
    // It is for the loopback address; the relay makes another.
    fs::remove_dir_all(dir.join("relay/data")).unwrap();
}

/// Someone who watches. Dropping it ends that.
pub struct Viewer {
    _process: Process,
    events: Receiver<String>,
    seen: Vec<Value>,
}

impl Viewer {
    /// Waits for the next event of this name.
    pub fn await_event(&mut self, name: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let line = self.events.recv_timeout(until.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("no {name:?} after {:?}", self.seen));
            let event: Value = serde_json::from_str(&line).unwrap();
            self.seen.push(event.clone());
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Waits for the end of the film; all events.
    pub fn finish(mut self) -> Vec<Value> {
        self.await_event("ended");
        self.seen
    }
}

/// The events of this name.
pub fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

/// Whether each cell's last bytes came directly.
pub fn direct(events: &[Value]) -> Vec<bool> {
    named(events, "cell-fetched").iter().map(|cell| cell["direct"].as_bool().unwrap()).collect()
}

/// Looks again and again until there is something.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Pictures and a tone: about 100 kB a second.
fn film(folder: &Path) -> PathBuf {
    let film = folder.join("film.mp4");
    let seconds = 3 * CELLS;
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
