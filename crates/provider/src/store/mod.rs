//! Sealed cells on a disk: whole or not at all, within a quota, across restarts.
//!
//! ```text
//! folder/lock                      one process at a time
//! folder/tmp/<cell>.cell|.hashes   being written; emptied at start
//! folder/cells/ab/<cell>.hashes    chunk hashes; without its cell it is removed at start
//! folder/cells/ab/<cell>.cell      sealed bytes; its presence says that the cell is held
//! ```
//!
//! A put writes both files into `tmp`, syncs them, renames the hashes and then the cell, and syncs the folder. Whatever
//! a crash interrupts, the next start finds a cell whole or finds nothing. Accounting is exact: a cell costs its bytes
//! and its hashes, and costs them from the moment it is announced, so that puts at the same time cannot overfill.
//!
//! Everything here blocks on the disk: call it from a blocking task. The lock in memory is held for map look-ups only.

mod incoming;
mod index;
mod stored;

pub use incoming::{Incoming, PutError};
pub use index::Usage;
pub use stored::{ReadError, StoredCell};

use chainflix_cell::ChunkHashes;
use chainflix_overlay::control::HeldCell;
use chainflix_primitives::{CELL_BYTES_MAX, CellId};
use index::Index;
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast;
use tracing::{error, info, warn};

/// Changes that a slow listener may fall behind; past that it has to read the whole list again.
const CHANGES_MAX: usize = 1024;

/// A cell came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreChange {
    /// It is durable.
    Gained(HeldCell),
    /// It is gone.
    Lost(CellId),
}

/// Why a folder cannot be a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreOpenError {
    /// Another process has it.
    #[error("{folder} is in use by another process")]
    InUse { folder: PathBuf },
    /// The disk says no.
    #[error("cannot use {path}")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The cells of one provider.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    index: Mutex<Index>,
    changes: broadcast::Sender<StoreChange>,
    /// Held for as long as the store lives.
    _lock: File,
}

/// What came of asking to put a cell.
#[derive(Debug)]
pub enum Put {
    /// It is held already.
    Held,
    /// Write its bytes.
    Write(Incoming),
}

impl Store {
    /// Opens or makes the store in `folder`, with room for `quota_bytes`.
    ///
    /// A quota below what is held keeps everything and takes nothing.
    pub fn open(folder: &Path, quota_bytes: u64) -> Result<Arc<Self>, StoreOpenError> {
        let disk = |path: &Path| {
            let path = path.to_path_buf();
            move |source| StoreOpenError::Disk { path, source }
        };
        let tmp = folder.join("tmp");
        fs::create_dir_all(folder).map_err(disk(folder))?;
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).map_err(disk(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreOpenError::InUse { folder: folder.to_path_buf() }),
            Err(TryLockError::Error(source)) => return Err(StoreOpenError::Disk { path: lock_path, source }),
        }
        match fs::remove_dir_all(&tmp) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(disk(&tmp)(error)),
            _ => fs::create_dir_all(&tmp).map_err(disk(&tmp))?,
        }
        let cells = folder.join("cells");
        fs::create_dir_all(&cells).map_err(disk(&cells))?;
        let mut index = Index::new(quota_bytes);
        scan(&cells, &mut index).map_err(disk(&cells))?;
        let usage = index.usage();
        info!(cells = usage.cells, used_bytes = usage.used_bytes, quota_bytes, "store opened");
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        Ok(Arc::new(Self { folder: folder.to_path_buf(), index: Mutex::new(index), changes, _lock: lock }))
    }

    /// Makes room for a cell and begins to write it.
    pub fn put(self: &Arc<Self>, cell: CellId, size: u64) -> Result<Put, PutError> {
        if size == 0 || size > CELL_BYTES_MAX {
            return Err(PutError::Size { size });
        }
        if self.index().size(&cell).is_some() {
            return Ok(Put::Held);
        }
        self.index().reserve(cell, size)?;
        Incoming::begin(self.clone(), cell, size).map(Put::Write)
    }

    /// Opens a cell for reading; `None` where it is not held. A cell that turns out damaged is dropped.
    pub fn read(&self, cell: &CellId) -> Result<Option<StoredCell>, ReadError> {
        let Some(size) = self.index().size(cell) else { return Ok(None) };
        let opened = StoredCell::open(&self.cell_path(cell), &self.hashes_path(cell), *cell, size);
        if let Err(error) = &opened {
            self.judge(cell, error);
        }
        opened.map(Some)
    }

    /// Drops the cell if `error` says that its bytes are not its own any more.
    pub fn judge(&self, cell: &CellId, error: &ReadError) {
        if error.is_damage() {
            error!(%cell, %error, "a held cell is damaged and dropped");
            if let Err(error) = self.delete(cell) {
                error!(%cell, %error, "a damaged cell cannot be removed");
            }
        }
    }

    /// Forgets a cell. Says whether it was held.
    pub fn delete(&self, cell: &CellId) -> io::Result<bool> {
        // Out of the index first: from here on nobody is told that we have it.
        if !self.index().leave(cell) {
            return Ok(false);
        }
        // Nobody may be listening.
        let _ = self.changes.send(StoreChange::Lost(*cell));
        let removed = [self.cell_path(cell), self.hashes_path(cell)].iter().try_for_each(|path| {
            fs::remove_file(path)
                .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
        });
        self.index().left(cell);
        removed.map(|()| true)
    }

    /// Everything held, in the order of names.
    pub fn cells(&self) -> Vec<HeldCell> {
        self.index().cells()
    }

    /// Room and use.
    pub fn usage(&self) -> Usage {
        self.index().usage()
    }

    /// Hears of changes from now on. A listener that falls behind is told that it did, and asks for [`Self::cells`].
    pub fn changes(&self) -> broadcast::Receiver<StoreChange> {
        self.changes.subscribe()
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Every step leaves the index whole, so a panic elsewhere does not spoil it.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tmp_path(&self, cell: &CellId, kind: &str) -> PathBuf {
        self.folder.join("tmp").join(format!("{}.{kind}", hex::encode(cell.0)))
    }

    fn cell_folder(&self, cell: &CellId) -> PathBuf {
        self.folder.join("cells").join(hex::encode(&cell.0[..1]))
    }

    fn cell_path(&self, cell: &CellId) -> PathBuf {
        self.cell_folder(cell).join(format!("{}.cell", hex::encode(cell.0)))
    }

    fn hashes_path(&self, cell: &CellId) -> PathBuf {
        self.cell_folder(cell).join(format!("{}.hashes", hex::encode(cell.0)))
    }

    /// A cell is on disk and in place.
    fn gained(&self, cell: CellId, size: u64) {
        self.index().commit(cell, size);
        // Nobody may be listening.
        let _ = self.changes.send(StoreChange::Gained(HeldCell { cell, size }));
    }

    /// A cell did not come after all.
    fn given_up(&self, cell: &CellId, size: u64) {
        self.index().release(cell, size);
    }
}

/// Finds whole cells and removes halves. Contents are checked when they are read, not here: a start must be quick.
fn scan(cells: &Path, index: &mut Index) -> io::Result<()> {
    for folder in fs::read_dir(cells)? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            match held_at(&path)? {
                Some(HeldCell { cell, size }) => index.commit(cell, size),
                None if path.extension().is_some_and(|kind| kind == "hashes")
                    && path.with_extension("cell").exists() => {}
                None => {
                    warn!(path = %path.display(), "removed: not a whole cell");
                    fs::remove_file(&path)?;
                }
            }
        }
    }
    Ok(())
}

fn held_at(path: &Path) -> io::Result<Option<HeldCell>> {
    if path.extension().is_none_or(|kind| kind != "cell") {
        return Ok(None);
    }
    let name = path.file_stem().and_then(|stem| stem.to_str());
    let Some(cell) = name.and_then(|name| name.parse::<CellId>().ok()) else { return Ok(None) };
    let size = fs::metadata(path)?.len();
    let hashes = match fs::metadata(path.with_extension("hashes")) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let whole = size > 0 && size <= CELL_BYTES_MAX && hashes == ChunkHashes::encoded_len(size) as u64;
    Ok(whole.then_some(HeldCell { cell, size }))
}

#[cfg(test)]
mod tests;
