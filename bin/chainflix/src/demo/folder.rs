//! The demo's folder, and the lock that keeps a second demo out of it.
//!
//! ```text
//! DIR/demo.lock     held while a demo runs here; freed by the kernel, whatever ends it
//! DIR/demo.json     for scripts: what runs where
//! DIR/network/      as `chainflix init` lays it out
//! DIR/logs/         one file per process
//! DIR/sample/       the sample film
//! DIR/scratch/      while a film is published
//! DIR/viewers/      accounts of the viewers of --headless
//! ```

use crate::network::{self, DEMO_NETWORK};
use anyhow::{Context as _, Result, bail};
use chainflix_node::network::Layout;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

/// A log that is longer at the start is set aside, in bytes.
const LOG_BYTES_MAX: u64 = 16 << 20;
/// How long the processes of a demo that was killed may take to notice, at most.
const ORPHANS_PATIENCE: Duration = Duration::from_secs(15);

/// The folder of a demo, which nobody else uses while this lives.
pub struct Folder {
    path: PathBuf,
    /// Whether a demo was killed here: its processes may take a moment to stop.
    was_killed: bool,
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is new, and takes it.
    pub fn take(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot use {}; name another folder with --data", path.display());
        fs::create_dir_all(path).with_context(cannot)?;
        // Absolute, because child processes are told where to look.
        let path = path.canonicalize().with_context(cannot)?;
        let lock = path.join("demo.lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(lock).with_context(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("a demo is already running in {}; stop it, or name another folder with --data", path.display())
            }
            Err(TryLockError::Error(source)) => return Err(source).with_context(cannot),
        }
        let was_killed = super::report::was_running(&path.join("demo.json"));
        let folder = Self { path, was_killed, _lock: lock };
        for made in [folder.logs(), folder.scratch(), folder.viewers(), folder.sample()] {
            fs::create_dir_all(&made).with_context(cannot)?;
        }
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn report(&self) -> PathBuf {
        self.path.join("demo.json")
    }

    pub fn network_path(&self) -> PathBuf {
        self.path.join(DEMO_NETWORK)
    }

    /// The network laid out here; `None` before the first start.
    pub fn network(&self) -> Result<Option<Layout>> {
        let path = self.network_path();
        path.join("genesis.json").is_file().then(|| network::open(&path)).transpose()
    }

    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    pub fn scratch(&self) -> PathBuf {
        self.path.join("scratch")
    }

    pub fn sample(&self) -> PathBuf {
        self.path.join("sample")
    }

    pub fn viewers(&self) -> PathBuf {
        self.path.join("viewers")
    }

    /// How long to wait for ports that a killed demo's processes may still hold.
    pub fn patience(&self) -> Duration {
        if self.was_killed { ORPHANS_PATIENCE } else { Duration::ZERO }
    }

    /// The log of a process, ready to be added to.
    pub fn log(&self, name: &str) -> Result<PathBuf> {
        let log = self.logs().join(format!("{name}.log"));
        if fs::metadata(&log).is_ok_and(|found| found.len() > LOG_BYTES_MAX) {
            fs::rename(&log, log.with_extension("log.1")).with_context(|| format!("cannot use {}", log.display()))?;
        }
        Ok(log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::take(dir.path()).unwrap();
        let error = Folder::take(dir.path()).err().unwrap();
        assert!(error.to_string().contains("already running"), "{error}");
        assert_eq!(folder.patience(), Duration::ZERO);
        assert!(folder.network().unwrap().is_none());
        drop(folder);
        Folder::take(dir.path()).unwrap();
    }

    #[test]
    fn a_file_is_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Folder::take(&file).is_err());
    }
}
