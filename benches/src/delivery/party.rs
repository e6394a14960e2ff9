//! A program at a place that is told when to begin, and tells what came of it.
//!
//! ```text
//! we                     it
//! │ ◀──── a line: ready ─│
//! │ a line: go ─────────▶│  serves until its input ends, or watches
//! │ ◀──── a line of JSON │  whoever watches, at the end
//! ```
//!
//! Ours and other people's programs alike, so that everybody begins at the same moment with the same knowledge.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// Longest time until a program is ready: hundreds start at once.
const START: Duration = Duration::from_secs(120);

/// A running program. Dropping it ends it.
pub struct Party {
    child: Child,
    lines: Receiver<String>,
    name: String,
}

impl Party {
    /// Starts it. `name` is for messages.
    pub fn start(name: String, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{name} does not start"))?;
        let output = child.stdout.take().with_context(|| format!("{name} has no output"))?;
        let (sender, lines) = mpsc::channel();
        // Ends with the program's output, or when nobody listens any more.
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Ok(Self { child, lines, name })
    }

    /// Waits until it can begin.
    pub fn ready(&self) -> Result<()> {
        let until = Instant::now() + START;
        while self.line(until)? != "ready" {}
        Ok(())
    }

    /// Lets it begin.
    pub fn go(&mut self) -> Result<()> {
        let input = self.child.stdin.as_mut().with_context(|| format!("{} has no input", self.name))?;
        input.write_all(b"go\n").and_then(|()| input.flush()).with_context(|| format!("{} is gone", self.name))
    }

    /// What it tells at the end.
    pub fn outcome(&self, until: Instant) -> Result<Value> {
        loop {
            let line = self.line(until)?;
            if line.starts_with('{') {
                return serde_json::from_str(&line).with_context(|| format!("{} does not tell JSON", self.name));
            }
        }
    }

    fn line(&self, until: Instant) -> Result<String> {
        let left = until.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).with_context(|| format!("{} fell silent", self.name))
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _nobody_to_tell = self.child.wait();
    }
}

/// Lets the servers begin, then all viewers at once; what each viewer tells.
pub fn perform(servers: &mut [Party], viewers: &mut [Party], longest: Duration) -> Result<Vec<Result<Value>>> {
    servers.iter().chain(viewers.iter()).try_for_each(Party::ready)?;
    servers.iter_mut().try_for_each(Party::go)?;
    let until = Instant::now() + longest;
    viewers.iter_mut().try_for_each(Party::go)?;
    let outcomes: Vec<_> = viewers.iter().map(|viewer| viewer.outcome(until)).collect();
    ensure!(outcomes.iter().any(Result::is_ok), "nobody saw the film: {:?}", outcomes.first());
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Party {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Party::start("a shell".into(), command).unwrap()
    }

    #[test]
    fn everybody_waits_for_everybody() {
        let server = shell("echo ready; read go; cat");
        let viewer = shell("echo noise; echo ready; read go; echo \"{\\\"said\\\": \\\"$go\\\"}\"");
        let told = perform(&mut [server], &mut [viewer], Duration::from_secs(60)).unwrap();
        assert_eq!(told[0].as_ref().unwrap()["said"], "go");
    }

    #[test]
    fn who_fails_is_named() {
        let error = perform(&mut [], &mut [shell("echo ready; read go")], Duration::from_secs(60)).unwrap_err();
        assert!(error.to_string().contains("a shell"), "{error}");
    }
}
