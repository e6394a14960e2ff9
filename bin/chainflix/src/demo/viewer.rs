//! The viewer of `--headless`: `chainflix watch` in a process of its own, over and over.
//!
//! Each round is watched by a new account, because one account earns for a cell once in a period; the accounts' keys
//! stay in `DIR/viewers/`, so that what they earn is not lost.

use super::{
    crew::{command, end},
    folder::Folder,
};
use anyhow::{Context as _, Result};
use chainflix_node::{Shutdown, ShutdownTrigger, keys};
use chainflix_primitives::{AccountAddress, Magnet};
use serde::Deserialize;
use std::{fmt, fs::OpenOptions, io::Write as _, path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout},
    sync::{mpsc, watch},
    task::JoinHandle,
    time::sleep,
};

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(1);
/// Sights that wait to be told; the viewer then waits with its next.
const SIGHTS_MAX: usize = 64;

/// What the viewer sees, as far as the demo cares.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Sight {
    Started {
        account: AccountAddress,
        title: String,
    },
    ProviderChanged {
        index: u32,
        reason: String,
    },
    Stalled {
        index: u32,
        ms: u64,
    },
    Accepted {
        index: u32,
        view_block: u64,
    },
    Refused {
        index: u32,
        message: String,
    },
    Ended {
        played: u32,
        accepted: u32,
        stalled_ms: u64,
    },
    /// The process ended before the film.
    #[serde(skip)]
    Broke {
        how: String,
    },
    /// Anything else.
    #[serde(other)]
    Other,
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { account, title } => write!(f, "watching \"{title}\" as {account}"),
            Self::ProviderChanged { index, reason } => write!(f, "cell {index}: another provider ({reason})"),
            Self::Stalled { index, ms } => write!(f, "cell {index}: stood still for {ms} ms"),
            Self::Accepted { index, view_block } => write!(f, "cell {index}: mined in view block {view_block}"),
            Self::Refused { index, message } => write!(f, "cell {index}: refused, {message}"),
            Self::Ended { played, accepted, stalled_ms } => {
                write!(f, "watched {played} cells, {accepted} mined, stood still for {stalled_ms} ms")
            }
            Self::Broke { how } => write!(f, "ended before the film ({how})"),
            Self::Other => f.write_str("something else"),
        }
    }
}

/// What the viewers saw so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub accepted: u32,
    pub refused: u32,
    pub broke: u32,
    pub stalled_ms: u64,
}

impl Tally {
    fn count(&mut self, sight: &Sight) {
        match sight {
            Sight::Accepted { .. } => self.accepted += 1,
            Sight::Refused { .. } => self.refused += 1,
            Sight::Broke { .. } => self.broke += 1,
            Sight::Stalled { ms, .. } => self.stalled_ms += ms,
            _ => {}
        }
    }
}

/// A viewer without a screen.
pub struct Viewer {
    sights: mpsc::Receiver<Sight>,
    tally: Tally,
    account: Option<AccountAddress>,
    pid: watch::Receiver<Option<u32>>,
    stop: ShutdownTrigger,
    task: JoinHandle<()>,
}

/// What a round needs.
struct Rounds {
    magnet: Magnet,
    network: PathBuf,
    viewers: PathBuf,
    log: PathBuf,
    sights: mpsc::Sender<Sight>,
    pid: watch::Sender<Option<u32>>,
}

impl Viewer {
    /// Watches `magnet` until it is stopped.
    pub fn start(magnet: Magnet, folder: &Folder) -> Result<Self> {
        let (sender, sights) = mpsc::channel(SIGHTS_MAX);
        let (pid_sender, pid) = watch::channel(None);
        let (stop, stopped) = Shutdown::by_hand();
        let rounds = Rounds {
            magnet,
            network: folder.network_path(),
            viewers: folder.viewers(),
            log: folder.log("viewer")?,
            sights: sender,
            pid: pid_sender,
        };
        let task = tokio::spawn(rounds.run(stopped));
        Ok(Self { sights, tally: Tally::default(), account: None, pid, stop, task })
    }

    /// What is seen next.
    pub async fn next(&mut self) -> Sight {
        // The rounds end only when told to.
        let Some(sight) = self.sights.recv().await else { return std::future::pending().await };
        self.tally.count(&sight);
        if let Sight::Started { account, .. } = &sight {
            self.account = Some(*account);
        }
        sight
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Whose round it is.
    pub fn account(&self) -> Option<AccountAddress> {
        self.account
    }

    /// The process that watches now.
    pub fn pid(&self) -> Option<u32> {
        *self.pid.borrow()
    }

    /// Stops watching.
    pub async fn stop(mut self) {
        self.sights.close();
        self.stop.request();
        // It ended by itself, or by a bug that its panic told.
        let _ended = self.task.await;
    }
}

impl Rounds {
    async fn run(self, mut stop: Shutdown) {
        loop {
            let broke = match self.begin() {
                Err(error) => Some(crate::output::one_line(&error)),
                Ok(mut child) => {
                    self.pid.send_replace(child.id());
                    let lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
                    tokio::select! {
                        ended = self.follow(lines) => broken(&mut child, ended).await,
                        () = stop.requested() => return end(child).await,
                    }
                }
            };
            self.pid.send_replace(None);
            if let Some(how) = broke {
                let _demo_is_stopping = self.sights.send(Sight::Broke { how }).await;
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = stop.requested() => return,
            }
        }
    }

    fn begin(&self) -> Result<Child> {
        let secret: zeroize::Zeroizing<[u8; 32]> = zeroize::Zeroizing::new(rand::random());
        let key = self.viewers.join(format!("{}.key", self.round()?));
        keys::write(&key, &secret)?;
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = command()?;
        command.arg("watch").arg(self.magnet.to_string()).arg("--network").arg(&self.network).arg("--key").arg(&key);
        command.args(["--json", "--until-stdin-closes"]).stdout(Stdio::piped()).stderr(log);
        command.spawn().context("it cannot be started")
    }

    /// The number of the next round, counted over all starts.
    fn round(&self) -> Result<usize> {
        let keys =
            std::fs::read_dir(&self.viewers).with_context(|| format!("cannot read {}", self.viewers.display()))?;
        Ok(keys.count() + 1)
    }

    /// Passes on what the process says; whether it came to the end of the film.
    async fn follow(&self, lines: Option<Lines<BufReader<ChildStdout>>>) -> bool {
        let Some(mut lines) = lines else { return false };
        while let Ok(Some(line)) = lines.next_line().await {
            self.keep(&line);
            let sight = serde_json::from_str(&line).unwrap_or(Sight::Other);
            let ended = matches!(sight, Sight::Ended { .. });
            if sight != Sight::Other {
                let _demo_is_stopping = self.sights.send(sight).await;
            }
            if ended {
                return true;
            }
        }
        false
    }

    /// Every line is in the log as well; a log that cannot be written is no reason to stop watching.
    fn keep(&self, line: &str) {
        if let Ok(mut log) = OpenOptions::new().create(true).append(true).open(&self.log) {
            let _disk_is_full = writeln!(log, "{line}");
        }
    }
}

/// How the process ended, unless it came to the end of the film.
async fn broken(child: &mut Child, ended: bool) -> Option<String> {
    let status = child.wait().await;
    match status {
        Ok(status) if ended && status.success() => None,
        Ok(status) => Some(status.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn what_watch_says_is_understood() {
        let account = AccountAddress([7; 20]);
        let started = json!({"event": "started", "title": "A film", "cells": 3, "account": account});
        assert_eq!(from_value::<Sight>(started).unwrap(), Sight::Started { account, title: "A film".into() });
        let accepted = json!({"event": "accepted", "index": 2, "viewBlock": 9});
        assert_eq!(from_value::<Sight>(accepted).unwrap(), Sight::Accepted { index: 2, view_block: 9 });
        assert_eq!(from_value::<Sight>(json!({"event": "proved", "index": 2})).unwrap(), Sight::Other);
        let ended = json!({"event": "ended", "played": 3, "accepted": 2, "stalledMs": 5, "bytes": 1});
        assert_eq!(from_value::<Sight>(ended).unwrap(), Sight::Ended { played: 3, accepted: 2, stalled_ms: 5 });
    }

    #[test]
    fn what_counts_is_counted() {
        let mut tally = Tally::default();
        for sight in [
            Sight::Accepted { index: 0, view_block: 1 },
            Sight::Stalled { index: 1, ms: 30 },
            Sight::Refused { index: 1, message: "too late".into() },
            Sight::Other,
        ] {
            tally.count(&sight);
        }
        assert_eq!(tally, Tally { accepted: 1, refused: 1, broke: 0, stalled_ms: 30 });
    }
}
