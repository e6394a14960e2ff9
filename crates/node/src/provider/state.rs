//! What a provider remembers beside its cells: a small folder of its own, outside of what the quota counts.
//!
//! ```text
//! state/leaving     is there from the moment its owner wished to leave, until a change of mind
//! state/days.json   what it did by day (`book`)
//! ```
//!
//! What is written is durable before anybody acts on it: a wish that a restart forgot would send viewers to a disk whose
//! owner believes that it is leaving.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Why the state cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}", path.display())]
pub(super) struct StateError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// Takes the folder into use, and makes it where it is not.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(path).map_err(failed(path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Whether its owner wished to leave.
    pub fn is_leaving(&self) -> Result<bool, StateError> {
        let mark = self.mark();
        mark.try_exists().map_err(failed(&mark))
    }

    /// Remembers that its owner wishes to leave, or to stay after all.
    pub fn set_leaving(&self, leaving: bool) -> Result<(), StateError> {
        let mark = self.mark();
        let done = if leaving { File::create(&mark).map(drop) } else { remove(&mark) };
        done.and_then(|()| File::open(&self.path)?.sync_all()).map_err(failed(&mark))
    }

    /// The book of days as it was written down; `None` where there is none yet.
    pub fn days(&self) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.book();
        match fs::read(&path) {
            Ok(json) => Ok(Some(json)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path)(error)),
        }
    }

    /// Writes the book of days down, in one piece or not at all.
    pub fn write_days(&self, json: &[u8]) -> Result<(), StateError> {
        let (path, fresh) = (self.book(), self.path.join("days.json.new"));
        let write = || {
            let mut file = File::create(&fresh)?;
            file.write_all(json)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().map_err(failed(&path))
    }

    fn book(&self) -> PathBuf {
        self.path.join("days.json")
    }

    fn mark(&self) -> PathBuf {
        self.path.join("leaving")
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> StateError + use<> {
    let path = path.to_owned();
    move |source| StateError { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_leave_outlives_the_process_until_it_is_taken_back() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("disk/state");
        let open = || StateFolder::open(&path).unwrap();
        assert!(!open().is_leaving().unwrap());
        for _ in 0..2 {
            open().set_leaving(true).unwrap();
            assert!(open().is_leaving().unwrap());
        }
        for _ in 0..2 {
            open().set_leaving(false).unwrap();
            assert!(!open().is_leaving().unwrap());
        }
        fs::remove_dir(&path).unwrap();
        assert!(open().set_leaving(true).is_ok(), "a folder that was cleared away is made again");
        fs::remove_dir_all(&path).unwrap();
        fs::write(&path, []).unwrap();
        assert!(StateFolder::open(&path).is_err());
    }
}
