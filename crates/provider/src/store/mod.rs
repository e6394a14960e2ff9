//! Sealed cells on disks: whole or not at all, within a quota, across restarts and across disks that come and go.
//!
//! ```text
//! folder/lock                      one process at a time; tells the folder from the place where its disk was mounted
//! folder/folders                   in the first folder: what is used beside it, folders and object stores, one a line
//! folder/tmp/<cell>.cell|.hashes   being written; emptied at start
//! folder/cells/ab/<cell>.hashes    chunk hashes; without its cell it is removed at start
//! folder/cells/ab/<cell>.cell      sealed bytes; its presence says that the cell is held
//! ```
//!
//! A put writes both files into `tmp`, syncs them, renames the hashes and then the cell, and syncs the folder. Whatever
//! a crash interrupts, the next start finds a cell whole or finds nothing.
//!
//! A store has one folder or several, each with a quota of its own; a cell goes where most room is. Accounting is what
//! `du` says: whole blocks, subfolders and what is not removed yet included. Room is taken from the moment a cell is
//! announced, so that puts at the same time cannot overfill. A folder that vanishes takes its cells off the list, and
//! brings them back when it comes back; [`Store::look`] notices both.
//!
//! Beside its folders a store may have object stores ([`bucket`](StoreBucket)), which hold cells under the same names.
//!
//! Everything here blocks on the disk, or on the answer of an object store: call it from a blocking task. The lock in memory
//! is held for map look-ups only.

mod bucket;
mod draft;
mod folder;
mod incoming;
mod index;
mod look;
mod medium;
mod stored;

pub use bucket::StoreBucket;
pub use folder::StoreFolder;
pub use incoming::{Incoming, PutError};
pub use index::Usage;
pub use stored::{ReadError, StoredCell};

use chainflix_overlay::control::HeldCell;
use chainflix_primitives::{CELL_BYTES_MAX, CellId};
use folder::Folder;
use index::Index;
use medium::Medium;
use serde::{Deserialize, Serialize};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast;
use tracing::{error, info};

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
    /// Another provider keeps cells there.
    #[error("{name} belongs to provider {owner}; give this one a prefix of its own")]
    Taken { name: String, owner: String },
    /// The disk says no, or the object store.
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
    /// Folders, and then object stores.
    media: Vec<Medium>,
    index: Mutex<Index>,
    changes: broadcast::Sender<StoreChange>,
}

/// An object store that cannot be used for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentBucket {
    /// What its operator calls it.
    pub name: String,
    /// Cells of it that are held and cannot be read; 0 where it was silent for so long that others copy them.
    pub cells: u64,
}

/// What came of asking to put a cell.
#[derive(Debug)]
pub enum Put {
    /// It is held already.
    Held,
    /// Write its bytes.
    Write(Box<Incoming>),
}

impl Store {
    /// Opens or makes a store of one folder, with room for `quota_bytes`.
    ///
    /// A quota below what is held keeps everything and takes nothing.
    pub fn open(folder: &Path, quota_bytes: u64) -> Result<Arc<Self>, StoreOpenError> {
        Self::open_all(&[StoreFolder { path: folder.to_path_buf(), quota_bytes }])
    }

    /// Opens or makes a store of several folders. One that was used before and is not there waits for its disk; any
    /// other trouble is an error, since whoever starts a store is there to read it.
    pub fn open_all(folders: &[StoreFolder]) -> Result<Arc<Self>, StoreOpenError> {
        Self::open_mixed(folders, &[])
    }

    /// As [`Self::open_all`], with object stores beside the folders. One that was used before and does not answer is waited
    /// for, too.
    pub fn open_mixed(folders: &[StoreFolder], buckets: &[StoreBucket]) -> Result<Arc<Self>, StoreOpenError> {
        let names = folders.iter().skip(1).map(|folder| folder.path.clone());
        let others: Vec<_> = names.chain(buckets.iter().map(|bucket| bucket.name.clone().into())).collect();
        let first = folders.first().filter(|_| !others.is_empty()).map(|folder| folder.path.as_path());
        let used_before = first.map_or(Ok(Vec::new()), folder::known)?;
        // Before anything is written down: what never answered was not used.
        let greeted = buckets.iter().map(|bucket| look::greet(bucket, &used_before)).collect::<Result<Vec<_>, _>>()?;
        first.map_or(Ok(()), |first| folder::remember(first, &others))?;
        let mut store = Self { media: Vec::new(), index: Mutex::default(), changes: broadcast::channel(CHANGES_MAX).0 };
        for folder in folders {
            let mut folder = Folder::new(folder);
            let found =
                if used_before.contains(&folder.path) && !folder.was_made() { None } else { Some(folder.open()?) };
            store.add(Medium::Folder(Mutex::new(folder)), found);
        }
        // After the folders: whoever removes halves has the lock of the first.
        for (bucket, answers) in greeted {
            let found = if answers { Some(bucket.look_through()?) } else { None };
            store.add(Medium::Bucket(bucket), found);
        }
        let usage = store.usage();
        info!(cells = usage.cells, used_bytes = usage.used_bytes, quota_bytes = usage.quota_bytes, "store opened");
        Ok(Arc::new(store))
    }

    /// Makes room for a cell and begins to write it.
    pub fn put(self: &Arc<Self>, cell: CellId, size: u64) -> Result<Put, PutError> {
        if size == 0 || size > CELL_BYTES_MAX {
            return Err(PutError::Size { size });
        }
        if self.index().get(&cell).is_some() {
            return Ok(Put::Held);
        }
        self.measure();
        let place = self.index().reserve(cell, size)?;
        Incoming::begin(self.clone(), cell, place).map(|incoming| Put::Write(Box::new(incoming)))
    }

    /// Opens a cell for reading; `None` where it is not held. A cell that turns out damaged is dropped.
    pub fn read(&self, cell: &CellId) -> Result<Option<StoredCell>, ReadError> {
        let mut index = self.index();
        let Some(place) = index.get(cell) else { return Ok(None) };
        if index.room(place.folder).silent {
            return Err(ReadError::Unavailable { cell: *cell });
        }
        drop(index);
        let opened = self.media[place.folder].open(cell, place.size);
        let opened = opened.map_err(|source| ReadError::Disk { cell: *cell, source });
        let opened = opened.and_then(|(bytes, hashes)| StoredCell::new(*cell, place.size, bytes, &hashes));
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
        let Some(place) = self.index().leave(cell) else { return Ok(false) };
        self.tell(StoreChange::Lost(*cell));
        let (removed, stuck_bytes) = self.media[place.folder].remove(cell, place.size);
        self.index().left(cell, stuck_bytes);
        removed.map(|()| true)
    }

    /// The first cell after `after` that is to be read again, in the order of names.
    pub fn next_after(&self, after: Option<CellId>) -> Option<CellId> {
        self.index().next_after(after)
    }

    /// Everything held, in the order of names.
    pub fn cells(&self) -> Vec<HeldCell> {
        self.index().cells()
    }

    /// Room and use.
    pub fn usage(&self) -> Usage {
        self.index().usage()
    }

    /// Folders that are not there now.
    pub fn missing(&self) -> Vec<PathBuf> {
        let is_missing = |(number, medium): &(usize, &Medium)| {
            matches!(medium, Medium::Folder(_)) && !self.index().room(*number).present
        };
        self.media.iter().enumerate().filter(is_missing).map(|(_, medium)| medium.name()).collect()
    }

    /// Object stores that do not answer now.
    pub fn silent(&self) -> Vec<SilentBucket> {
        let mut silent = Vec::new();
        for (number, medium) in self.media.iter().enumerate() {
            let Medium::Bucket(bucket) = medium else { continue };
            let mut index = self.index();
            let room = index.room(number);
            if !room.present || room.silent {
                silent.push(SilentBucket { name: bucket.name().to_owned(), cells: index.cells_in(number) });
            }
        }
        silent
    }

    /// Whether something is held, and nothing of it can be read for now.
    pub fn serves_nothing(&self) -> bool {
        self.index().serves_nothing()
    }

    /// Hears of changes from now on. A listener that falls behind is told that it did, and asks for [`Self::cells`].
    pub fn changes(&self) -> broadcast::Receiver<StoreChange> {
        self.changes.subscribe()
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Every step leaves the index whole, so a panic elsewhere does not spoil it.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: StoreChange) {
        // Nobody may be listening.
        let _ = self.changes.send(change);
    }

    /// A cell is on disk and in place.
    fn gained(&self, cell: CellId, number: usize, size: u64) {
        let (place, shelf_bytes) = self.media[number].place(number, &cell, size);
        let mut index = self.index();
        // A folder that vanished in this moment holds nothing.
        if index.room(number).present {
            if let Some(shelf_bytes) = shelf_bytes {
                index.room(number).shelves.insert(cell.0[0], shelf_bytes);
            }
            index.commit(cell, place);
            drop(index);
            self.tell(StoreChange::Gained(HeldCell { cell, size }));
        }
    }

    /// A cell did not come after all, but for bytes of it that will not go.
    fn given_up(&self, cell: &CellId, stuck_bytes: u64) {
        self.index().release(cell, stuck_bytes);
    }
}

#[cfg(test)]
mod tests;
