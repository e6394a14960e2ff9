//! Sealed cells on disks: whole or not at all, within a quota, across restarts and across disks that come and go.
//!
//! ```text
//! folder/lock                      one process at a time; tells the folder from the place where its disk was mounted
//! folder/folders                   in the first folder: the others that were ever used, a path a line
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
//! Everything here blocks on the disk: call it from a blocking task. The lock in memory is held for map look-ups only.

mod folder;
mod incoming;
mod index;
mod stored;

pub use folder::StoreFolder;
pub use incoming::{Incoming, PutError};
pub use index::Usage;
pub use stored::{ReadError, StoredCell};

use chainflix_overlay::control::HeldCell;
use chainflix_primitives::{CELL_BYTES_MAX, CellId};
use folder::{Folder, Found};
use index::{Index, Room};
use std::{
    fs, io,
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
    folders: Vec<Mutex<Folder>>,
    index: Mutex<Index>,
    changes: broadcast::Sender<StoreChange>,
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
    /// Opens or makes a store of one folder, with room for `quota_bytes`.
    ///
    /// A quota below what is held keeps everything and takes nothing.
    pub fn open(folder: &Path, quota_bytes: u64) -> Result<Arc<Self>, StoreOpenError> {
        Self::open_all(&[StoreFolder { path: folder.to_path_buf(), quota_bytes }])
    }

    /// Opens or makes a store of several folders. One that was used before and is not there waits for its disk; any
    /// other trouble is an error, since whoever starts a store is there to read it.
    pub fn open_all(folders: &[StoreFolder]) -> Result<Arc<Self>, StoreOpenError> {
        let mut index = Index::default();
        let mut opened = Vec::new();
        let used_before = folder::remember(folders)?;
        for (number, folder) in folders.iter().enumerate() {
            let mut folder = Folder::new(folder);
            if used_before.contains(&folder.path) && !folder.was_made() {
                error!(folder = %folder.path.display(), "a folder that was used before is not there");
                index.add_room(Room::absent());
            } else {
                let Found { room, cells } = folder.open()?;
                index.add_room(room);
                for (cell, size) in cells {
                    enter(&mut index, &folder, number, cell, size);
                }
            }
            opened.push(Mutex::new(folder));
        }
        let usage = index.usage();
        info!(cells = usage.cells, used_bytes = usage.used_bytes, quota_bytes = usage.quota_bytes, "store opened");
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        Ok(Arc::new(Self { folders: opened, index: Mutex::new(index), changes }))
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
        Incoming::begin(self.clone(), cell, place).map(Put::Write)
    }

    /// Opens a cell for reading; `None` where it is not held. A cell that turns out damaged is dropped.
    pub fn read(&self, cell: &CellId) -> Result<Option<StoredCell>, ReadError> {
        let Some(place) = self.index().get(cell) else { return Ok(None) };
        let folder = self.folder(place.folder);
        let paths = (folder.cell_path(cell), folder.hashes_path(cell));
        drop(folder);
        let opened = StoredCell::open(&paths.0, &paths.1, *cell, place.size);
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
        let folder = self.folder(place.folder);
        let removed = [folder.cell_path(cell), folder.hashes_path(cell)].iter().try_for_each(|path| {
            fs::remove_file(path)
                .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
        });
        let stuck_bytes = folder.cell_disk_bytes(cell);
        drop(folder);
        self.index().left(cell, stuck_bytes);
        removed.map(|()| true)
    }

    /// The first held cell after `after`, in the order of names.
    pub fn next_after(&self, after: Option<CellId>) -> Option<CellId> {
        self.index().next_after(after)
    }

    /// Looks at every folder: takes those that vanished off the list with all they held, takes those that came back into
    /// use, and asks the disks for their room. To be called every few seconds.
    pub fn look(&self) {
        for (number, folder) in self.folders.iter().enumerate() {
            let mut folder = folder.lock().unwrap_or_else(PoisonError::into_inner);
            let was_there = self.index().room(number).present;
            match (was_there, folder.is_there()) {
                (true, false) => self.vanished(number, &mut folder),
                // An empty place is not the folder that was here: without its disk nothing is written there.
                (false, _) if folder.was_made() => self.came_back(number, &mut folder),
                _ => {}
            }
        }
        self.measure();
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
        let missing = (0..self.folders.len()).filter(|number| !self.index().room(*number).present);
        missing.map(|number| self.folder(number).path.clone()).collect()
    }

    /// Hears of changes from now on. A listener that falls behind is told that it did, and asks for [`Self::cells`].
    pub fn changes(&self) -> broadcast::Receiver<StoreChange> {
        self.changes.subscribe()
    }

    fn vanished(&self, number: usize, folder: &mut Folder) {
        folder.lock = None;
        let gone = self.index().vanish(number);
        error!(folder = %folder.path.display(), cells = gone.len(), "a folder is not there any more");
        gone.into_iter().for_each(|cell| self.tell(StoreChange::Lost(cell)));
    }

    fn came_back(&self, number: usize, folder: &mut Folder) {
        match folder.open() {
            Ok(Found { room, cells }) => {
                info!(folder = %folder.path.display(), cells = cells.len(), "a folder is back");
                *self.index().room(number) = room;
                for (cell, size) in cells {
                    if enter(&mut self.index(), folder, number, cell, size) {
                        self.tell(StoreChange::Gained(HeldCell { cell, size }));
                    }
                }
            }
            Err(error) => warn!(folder = %folder.path.display(), %error, "a folder that came back cannot be used"),
        }
    }

    /// Asks the disks what they have left.
    fn measure(&self) {
        for number in 0..self.folders.len() {
            // A disk that does not say has nothing.
            let free_bytes = self.folder(number).disk_free_bytes().unwrap_or(0);
            self.index().room(number).disk_free_bytes = free_bytes;
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Every step leaves the index whole, so a panic elsewhere does not spoil it.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, number: usize) -> MutexGuard<'_, Folder> {
        // Numbers come from the index, which numbers the folders of this list.
        self.folders[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: StoreChange) {
        // Nobody may be listening.
        let _ = self.changes.send(change);
    }

    /// A cell is on disk and in place.
    fn gained(&self, cell: CellId, number: usize, size: u64) {
        let folder = self.folder(number);
        let place = folder.place(number, &cell, size);
        let shelf_bytes = folder.shelf_disk_bytes(&cell);
        drop(folder);
        let mut index = self.index();
        // A folder that vanished in this moment holds nothing.
        if index.room(number).present {
            index.room(number).shelves.insert(cell.0[0], shelf_bytes);
            index.commit(cell, place);
            drop(index);
            self.tell(StoreChange::Gained(HeldCell { cell, size }));
        }
    }

    /// A cell did not come after all.
    fn given_up(&self, cell: &CellId) {
        self.index().release(cell);
    }
}

/// Enters a cell that was found. The same cell in two folders is held once: the second copy costs and is not used.
fn enter(index: &mut Index, folder: &Folder, number: usize, cell: CellId, size: u64) -> bool {
    let place = folder.place(number, &cell, size);
    if index.get(&cell).is_some() {
        warn!(%cell, folder = %folder.path.display(), "held in two folders; one is enough");
        index.room(number).frame_bytes += place.disk_bytes;
        return false;
    }
    index.commit(cell, place);
    true
}

#[cfg(test)]
mod tests;
