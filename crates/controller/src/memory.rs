//! What a controller remembers over a restart: how far it trusts whom and which films are quiet, in one file of a folder of its own.
//!
//! ```text
//! folder/memory           mark · Remembered in Borsh · BLAKE3 of all before it       replaced in one piece
//! folder/memory.damaged   the last one that could not be read, for who wants to know why
//!
//! start ─▶ read ─▶ census: records wait for their providers        every few minutes, and at the end ─▶ write
//! ```
//!
//! Left out is everything that providers, viewers and the chain tell again. A process that is killed loses what it learnt in the
//! minutes since it last wrote. The file is for one controller: others neither read it nor believe it.

use crate::registry::Registry;
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_placement::{cold::Quiet, reputation::Reputation};
use chainflix_primitives::{AccountAddress, Magnet, NodeId};
use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval_at};
use tracing::{info, warn};

/// The first bytes of the file; another encoding has another last one.
const MARK: &[u8; 17] = b"chainflix memory\x01";
/// Longest file that is read: a hundred thousand providers with 600 bytes each, as many accounts that are out, and a
/// million films with 50 bytes each.
const FILE_BYTES_MAX: u64 = 128 << 20;
/// BLAKE3 at the end.
const DIGEST_BYTES: usize = 32;

/// A provider's record, to be kept.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KnownProvider {
    /// Which.
    pub node: NodeId,
    /// Whose it is.
    pub account: AccountAddress,
    /// How it did.
    pub reputation: Reputation,
}

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Remembered {
    /// Providers that are in.
    pub providers: Vec<KnownProvider>,
    /// Accounts of disqualified providers, and until when they wait, in milliseconds since the Unix epoch.
    pub out: Vec<(AccountAddress, u64)>,
    /// Films that have parity, and since when they are watched by few.
    pub films: Vec<(Magnet, Quiet)>,
    /// When this was written, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// Why a file says nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RememberedError {
    /// More bytes than a controller can know.
    #[error("it has {bytes} bytes; the most is {FILE_BYTES_MAX}")]
    TooLarge { bytes: u64 },
    /// Not such a file, or one of another version.
    #[error("it does not begin as a memory of this version does")]
    Foreign,
    /// Cut off, or changed.
    #[error("its bytes are not those that were written")]
    Damaged,
    /// The right bytes, but not the encoding.
    #[error("it cannot be decoded")]
    Encoding(#[source] io::Error),
}

/// Why nothing can be remembered.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}", path.display())]
pub struct MemoryError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Remembered {
    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MARK.to_vec();
        // Writing into a vector cannot fail.
        self.serialize(&mut bytes).expect("encoding into memory does not fail");
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads the bytes of a file. They say what was written, or nothing.
    pub fn decode(bytes: &[u8]) -> Result<Self, RememberedError> {
        let body = bytes.strip_prefix(MARK).ok_or(RememberedError::Foreign)?;
        let body_bytes = body.len().checked_sub(DIGEST_BYTES).ok_or(RememberedError::Damaged)?;
        let (said, digest) = bytes.split_at(MARK.len() + body_bytes);
        if blake3::hash(said).as_bytes() != digest {
            return Err(RememberedError::Damaged);
        }
        borsh::from_slice(&body[..body_bytes]).map_err(RememberedError::Encoding)
    }
}

/// A controller's folder, and what was in it at the start. Clones share the folder.
#[derive(Clone, Debug)]
pub struct Memory {
    folder: PathBuf,
    remembered: Remembered,
    /// Held by who writes: one at a time.
    pen: Arc<Mutex<()>>,
}

impl Memory {
    /// Takes a folder into use, makes it where it is not, and reads what is in it. A file that says nothing is set aside with
    /// a warning, and everybody is a newcomer.
    ///
    /// # Errors
    /// When the folder cannot be made or the file cannot be read or set aside: whoever may not read it shall not overwrite it.
    pub fn open(folder: &Path) -> Result<Self, MemoryError> {
        let mut memory = Self { folder: folder.to_owned(), remembered: Remembered::default(), pen: Arc::default() };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        match memory.read()? {
            None => {}
            Some(Ok(remembered)) => {
                let (providers, films) = (remembered.providers.len(), remembered.films.len());
                info!(providers, films, "providers are trusted as before, and films as quiet");
                memory.remembered = remembered;
            }
            Some(Err(error)) => {
                let aside = folder.join("memory.damaged");
                fs::rename(memory.file(), &aside).map_err(failed(&aside))?;
                let file = aside.display();
                warn!(%error, %file, "what was known cannot be read; all providers are newcomers now, and no film is quiet");
            }
        }
        Ok(memory)
    }

    /// What was in it at the start; nothing when asked again.
    pub(crate) fn take(&mut self) -> Remembered {
        std::mem::take(&mut self.remembered)
    }

    /// Writes down what the registry knows, in this rhythm, until it is aborted.
    pub(crate) async fn keep(self, registry: Registry, every: Duration) {
        let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.write(&registry).await;
        }
    }

    /// Writes down what the registry knows now. What goes wrong is said in the log: no memory is worth a controller that stops.
    pub(crate) async fn write(&self, registry: &Registry) {
        let Ok(remembered) = registry.step(|state, now_ms| state.census.remember(now_ms)).await else { return };
        let memory = self.clone();
        let written = tokio::task::spawn_blocking(move || memory.replace(&remembered.encode())).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, source = %error.source, "what this controller knows is not written down"),
            Err(error) => warn!(%error, "what this controller knows is not written down"),
        }
    }

    fn read(&self) -> Result<Option<Result<Remembered, RememberedError>>, MemoryError> {
        let path = self.file();
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed(&path))?,
        };
        let bytes = file.metadata().map_err(failed(&path))?.len();
        if bytes > FILE_BYTES_MAX {
            return Ok(Some(Err(RememberedError::TooLarge { bytes })));
        }
        let mut read = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut read).map_err(failed(&path))?;
        Ok(Some(Remembered::decode(&read)))
    }

    /// Replaces the file, in one piece or not at all.
    fn replace(&self, bytes: &[u8]) -> Result<(), MemoryError> {
        let _pen = self.pen.lock().unwrap_or_else(PoisonError::into_inner);
        let (path, fresh) = (self.file(), self.folder.join("memory.new"));
        let write = || {
            let mut file = File::create(&fresh)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(failed(&path))
    }

    fn file(&self) -> PathBuf {
        self.folder.join("memory")
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> MemoryError + use<> {
    let path = path.to_owned();
    move |source| MemoryError { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_placement::reputation::{ReputationRules, audit::Outcome};

    fn remembered() -> Remembered {
        let rules = ReputationRules::default();
        let mut reputation = Reputation::new(1_000, &rules);
        (0..25).for_each(|_| _ = reputation.audited(2_000, Outcome::Wrong, &rules));
        let known = KnownProvider { node: NodeId([1; 32]), account: AccountAddress([2; 20]), reputation };
        let films = vec![(Magnet([4; 32]), Quiet { since_ms: 5, coded: true, warmed: false })];
        Remembered { providers: vec![known], out: vec![(AccountAddress([3; 20]), 9_000)], films, at_ms: 9_000 }
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        let bytes = remembered().encode();
        assert_eq!(Remembered::decode(&bytes).unwrap(), remembered());
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert!(Remembered::decode(&wrong).is_err(), "byte {at}");
            assert!(Remembered::decode(&bytes[..at]).is_err(), "{at} bytes");
        }
        assert!(matches!(Remembered::decode(b""), Err(RememberedError::Foreign)));
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_everybody_is_new() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("controller/state");
        let open = || Memory::open(&folder).unwrap();
        assert_eq!(open().take(), Remembered::default());
        open().replace(&remembered().encode()).unwrap();
        assert_eq!(open().take(), remembered());
        fs::write(folder.join("memory"), "rubbish").unwrap();
        assert_eq!(open().take(), Remembered::default());
        assert_eq!(fs::read(folder.join("memory.damaged")).unwrap(), b"rubbish");
        assert!(!folder.join("memory").exists());
        // What begins anew is written again.
        open().replace(&remembered().encode()).unwrap();
        assert_eq!(open().take(), remembered());
        let long = File::create(folder.join("memory")).unwrap();
        long.set_len(FILE_BYTES_MAX + 1).unwrap();
        assert_eq!(open().take(), Remembered::default());
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, []).unwrap();
        assert!(Memory::open(&folder).is_err(), "a file is no folder");
    }
}
