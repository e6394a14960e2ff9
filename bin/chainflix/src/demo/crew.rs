//! The processes of the demo: each is started, started again when it ends, and stopped with all the others.
//!
//! ```text
//!                 ┌── keeper (a task) ── child process ── its log
//! Crew ── stop ──▶┼── keeper …                │
//!      ◀─ events ─┴── keeper …                └ stops when its standard input ends
//! ```
//!
//! A child sits in a process group of its own, so that Ctrl-C reaches this process alone, which then stops the children
//! in order. Its standard input is a pipe from here: closing it asks for the stop, and a kill of this process closes it
//! too. Who does not stop within [`STOP_PATIENCE`] is killed. Events: 64 at most wait; a keeper then waits with its next.

use super::{
    folder::Folder,
    preflight::{Listen, listens},
};
use crate::output::note;
use anyhow::{Context as _, Result, bail};
use chainflix_node::{RoleConfig, Shutdown, ShutdownTrigger, network::Layout};
use std::{
    env, fmt, fs,
    fs::OpenOptions,
    future::Future,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    pin::pin,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// How long a process may take to stop in order: more than it gives itself.
const STOP_PATIENCE: Duration = Duration::from_secs(12);
const EVENTS_MAX: usize = 64;
/// Pause before a process is started again; doubles while it keeps ending.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A process that ends so often before the demo is ready will not start: once or twice may be a lock that the process of
/// a killed demo still holds.
const FALSE_STARTS_MAX: u32 = 3;
/// A process that ran this long has proved that it can.
const STEADY: Duration = Duration::from_secs(60);
/// End of a log that is read for its last line, in bytes.
const TAIL_BYTES: u64 = 4096;

/// A process of the demo, as `demo.json` and the table show it.
#[derive(Clone, Debug)]
pub struct Process {
    pub name: String,
    pub role: &'static str,
    pub listens: Vec<Listen>,
    pub log: PathBuf,
    /// `None` while it does not run.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
}

/// Something happened to a process.
#[derive(Clone, Debug)]
pub enum Event {
    Started { index: usize, pid: u32 },
    Ended { index: usize, name: String, how: String, pause: Duration },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { index, pid } => write!(f, "process {index} runs as {pid}"),
            Self::Ended { name, how, pause, .. } => {
                write!(f, "{name} ended ({how}); starting it again in {} ms", pause.as_millis())
            }
        }
    }
}

/// All processes of a demo.
pub struct Crew {
    processes: Vec<Process>,
    events: mpsc::Receiver<Event>,
    stop: ShutdownTrigger,
    keepers: JoinSet<()>,
}

/// How to start one process.
struct Recipe {
    index: usize,
    name: String,
    role: &'static str,
    config: PathBuf,
    log: PathBuf,
}

impl Crew {
    /// Starts every process of a network.
    pub fn start(layout: &Layout, folder: &Folder) -> Result<Self> {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let (stop, stopped) = Shutdown::by_hand();
        let mut crew = Self { processes: Vec::new(), events, stop, keepers: JoinSet::new() };
        for (index, (name, path)) in layout.processes.iter().enumerate() {
            let config = RoleConfig::read(path)?;
            let (role, listens, log) = (config.name(), listens(&config), folder.log(name)?);
            let recipe = Recipe { index, name: name.clone(), role, config: path.clone(), log: log.clone() };
            crew.keepers.spawn(keep(recipe, sender.clone(), stopped.clone()));
            crew.processes.push(Process { name: name.clone(), role, listens, log, pid: None, restarts: 0 });
        }
        Ok(crew)
    }

    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// What happens next.
    pub async fn next(&mut self) -> Event {
        // A keeper ends only when told to, so there is always one that can send.
        let Some(event) = self.events.recv().await else { return std::future::pending().await };
        match &event {
            Event::Started { index, pid } => self.processes[*index].pid = Some(*pid),
            Event::Ended { index, .. } => {
                self.processes[*index].pid = None;
                self.processes[*index].restarts += 1;
            }
        }
        event
    }

    /// Waits for `work`, which is in vain when a process does not start.
    pub async fn guard<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                event = self.next() => self.bear(&event)?,
            }
        }
    }

    /// Gives up on a process that does not start.
    fn bear(&self, event: &Event) -> Result<()> {
        let Event::Ended { index, name, how, .. } = event else { return Ok(()) };
        let process = &self.processes[*index];
        if process.restarts < FALSE_STARTS_MAX {
            note(event);
            return Ok(());
        }
        bail!("{name} does not start ({how}); its log is {}", process.log.display())
    }

    /// Stops every process.
    pub async fn stop(&mut self) {
        self.events.close();
        self.stop.request();
        while self.keepers.join_next().await.is_some() {}
    }
}

/// Keeps one process running until the stop.
async fn keep(recipe: Recipe, events: mpsc::Sender<Event>, mut stop: Shutdown) {
    let mut pause = PAUSE_MIN;
    loop {
        let began = Instant::now();
        let how = match recipe.spawn() {
            Err(error) => error.to_string(),
            Ok(mut child) => {
                if let Some(pid) = child.id() {
                    let _crew_is_stopping = events.send(Event::Started { index: recipe.index, pid }).await;
                }
                // Held here, because waiting closes what the child still has of it, and that would stop the process.
                let stdin = child.stdin.take();
                tokio::select! {
                    status = child.wait() => recipe.how(status),
                    () = stop.requested() => {
                        child.stdin = stdin;
                        return end(child).await;
                    }
                }
            }
        };
        if began.elapsed() >= STEADY {
            pause = PAUSE_MIN;
        }
        let ended = Event::Ended { index: recipe.index, name: recipe.name.clone(), how, pause };
        let _crew_is_stopping = events.send(ended).await;
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            () = stop.requested() => return,
        }
    }
}

/// Asks a process to stop, and kills it when it does not.
pub async fn end(mut child: Child) {
    drop(child.stdin.take());
    if timeout(STOP_PATIENCE, child.wait()).await.is_err() {
        // It ended in between, then.
        let _already_gone = child.kill().await;
    }
}

/// What runs here, also after its file was replaced by a new build: the processes of one demo are of one version.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// A command of this same binary whose process cannot outlive this one.
pub fn command() -> Result<Command> {
    let program = env::current_exe().context("this program does not find itself")?;
    let mut command = Command::new(if program.is_file() { program } else { THIS_PROGRAM.into() });
    command.stdin(Stdio::piped()).kill_on_drop(true).process_group(0);
    Ok(command)
}

impl Recipe {
    fn spawn(&self) -> Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = command()?;
        command.args(["run", self.role, "--until-stdin-closes", "--config"]).arg(&self.config);
        command.stdout(log.try_clone()?).stderr(log);
        command.spawn().context("it cannot be started")
    }

    fn how(&self, status: io::Result<ExitStatus>) -> String {
        let how = match status {
            Err(error) => return error.to_string(),
            Ok(status) => match (status.signal(), status.code()) {
                (Some(signal), _) => return format!("killed by signal {signal}"),
                (None, code) => format!("exit code {}", code.unwrap_or_default()),
            },
        };
        match last_line(&self.log) {
            Some(line) => format!("{how}, {line}"),
            None => how,
        }
    }
}

/// The last words in a log.
fn last_line(log: &Path) -> Option<String> {
    let mut file = fs::File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    let tail = String::from_utf8_lossy(&tail).into_owned();
    tail.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_log_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert_eq!(last_line(&log), None);
        fs::write(&log, format!("{}\nerror: the disk is full\n\n", "x".repeat(9_000))).unwrap();
        assert_eq!(last_line(&log).unwrap(), "error: the disk is full");
        fs::write(&log, "\n").unwrap();
        assert_eq!(last_line(&log), None);
    }

    #[tokio::test]
    async fn a_process_that_reads_its_input_stops_in_order_and_leaves_nothing() {
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true).process_group(0);
        let child = cat.spawn().unwrap();
        let began = Instant::now();
        end(child).await;
        assert!(began.elapsed() < STOP_PATIENCE);
    }
}
