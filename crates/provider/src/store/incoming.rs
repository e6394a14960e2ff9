//! A cell on its way to the disk: hashed while it is written, kept only if it is what it is called.

use super::{Store, index::Place};
use chainflix_cell::{ChunkHasher, ChunkHashes};
use chainflix_primitives::CellId;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    sync::Arc,
};
use tracing::warn;

/// Why a cell is not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// Nothing, or more than a cell may have.
    #[error("a cell cannot have {size} bytes")]
    Size { size: u64 },
    /// The quota is used up.
    #[error("{needed_bytes} bytes are needed and {free_bytes} are free")]
    NoRoom { needed_bytes: u64, free_bytes: u64 },
    /// The same cell is being written or removed right now.
    #[error("cell {cell} is being written or removed")]
    Busy { cell: CellId },
    /// More or fewer bytes than announced.
    #[error("cell {cell} has {expected} bytes; {actual} came")]
    Length { cell: CellId, expected: u64, actual: u64 },
    /// Bytes of another name.
    #[error("the bytes that came as cell {expected} are {actual}")]
    OtherCell { expected: CellId, actual: CellId },
    /// The disk says no; it may be full.
    #[error("cell {cell} cannot be written")]
    Disk {
        cell: CellId,
        #[source]
        source: io::Error,
    },
}

/// The writing end of one put. Dropped before [`Incoming::commit`], nothing of it stays.
#[derive(Debug)]
pub struct Incoming {
    store: Arc<Store>,
    cell: CellId,
    place: Place,
    written: u64,
    file: Option<File>,
    hasher: ChunkHasherState,
}

/// The hasher has no `Debug`, and its insides tell nothing.
struct ChunkHasherState(ChunkHasher);

impl std::fmt::Debug for ChunkHasherState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChunkHasher")
    }
}

impl Incoming {
    /// The index has the room reserved.
    pub(super) fn begin(store: Arc<Store>, cell: CellId, place: Place) -> Result<Self, PutError> {
        let path = store.folder(place.folder).tmp_path(&cell, "cell");
        let hasher = ChunkHasherState(ChunkHasher::new());
        // From here on dropping `incoming` gives the room back.
        let mut incoming = Self { store, cell, place, written: 0, file: None, hasher };
        incoming.file = Some(File::create(path).map_err(incoming.disk())?);
        Ok(incoming)
    }

    /// Takes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PutError> {
        self.written += bytes.len() as u64;
        if self.written > self.place.size {
            return Err(self.length());
        }
        let disk = self.disk();
        if let Some(file) = &mut self.file {
            file.write_all(bytes).map_err(disk)?;
        }
        self.hasher.0.update(bytes);
        Ok(())
    }

    /// Checks the name and makes the cell durable.
    pub fn commit(mut self) -> Result<(), PutError> {
        if self.written != self.place.size {
            return Err(self.length());
        }
        let hashes = std::mem::replace(&mut self.hasher.0, ChunkHasher::new()).finish();
        match hashes.root() {
            actual if actual != self.cell => return Err(PutError::OtherCell { expected: self.cell, actual }),
            _ => self.settle(&hashes).map_err(self.disk())?,
        }
        self.store.gained(self.cell, self.place.folder, self.place.size);
        Ok(())
    }

    /// The order makes the cell's own name the last to appear.
    fn settle(&mut self, hashes: &ChunkHashes) -> io::Result<()> {
        let folder = self.store.folder(self.place.folder);
        let [cell_tmp, hashes_tmp] = ["cell", "hashes"].map(|kind| folder.tmp_path(&self.cell, kind));
        let (shelf, cell_path) = (folder.shelf(&self.cell), folder.cell_path(&self.cell));
        let hashes_path = folder.hashes_path(&self.cell);
        drop(folder);
        let mut file = File::create(&hashes_tmp)?;
        file.write_all(&hashes.encode())?;
        file.sync_all()?;
        if let Some(cell) = self.file.take() {
            cell.sync_all()?;
        }
        // Not with its parents: where a disk was unmounted, nothing is to be made on the one below.
        match fs::create_dir(&shelf) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        fs::rename(hashes_tmp, hashes_path)?;
        fs::rename(cell_tmp, cell_path)?;
        File::open(&shelf)?.sync_all()?;
        // The shelf may be new itself.
        File::open(shelf.parent().unwrap_or(Path::new(".")))?.sync_all()
    }

    fn length(&self) -> PutError {
        PutError::Length { cell: self.cell, expected: self.place.size, actual: self.written }
    }

    fn disk(&self) -> impl Fn(io::Error) -> PutError + use<> {
        let cell = self.cell;
        move |source| PutError::Disk { cell, source }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // After a commit there is nothing left of either.
        self.store.given_up(&self.cell);
        let paths = ["cell", "hashes"].map(|kind| self.store.folder(self.place.folder).tmp_path(&self.cell, kind));
        for path in paths {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    warn!(cell = %self.cell, %error, "an unfinished cell stays until the next start");
                }
                _ => {}
            }
        }
    }
}
