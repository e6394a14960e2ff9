//! A cell on its way to the disk: hashed while it is written, kept only if it is what it is called.

use super::{Store, draft::Draft, index::Place};
use chainflix_cell::ChunkHasher;
use chainflix_primitives::CellId;
use std::{io, sync::Arc};

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
    draft: Option<Draft>,
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
        let hasher = ChunkHasherState(ChunkHasher::new());
        // From here on dropping `incoming` gives the room back.
        let mut incoming = Self { store, cell, place, written: 0, draft: None, hasher };
        let begun = incoming.store.media[place.folder].begin(&cell, place.size);
        incoming.draft = Some(begun.map_err(incoming.disk())?);
        Ok(incoming)
    }

    /// Takes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PutError> {
        self.written += bytes.len() as u64;
        if self.written > self.place.size {
            return Err(self.length());
        }
        let disk = self.disk();
        if let Some(draft) = &mut self.draft {
            draft.write(bytes).map_err(disk)?;
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
        let actual = hashes.root();
        if actual != self.cell {
            return Err(PutError::OtherCell { expected: self.cell, actual });
        }
        let disk = self.disk();
        if let Some(draft) = &mut self.draft {
            draft.settle(&hashes.encode()).map_err(disk)?;
        }
        self.store.gained(self.cell, self.place.folder, self.place.size);
        Ok(())
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
        // After a commit there is nothing left to give up.
        let stuck_bytes = self.draft.as_mut().map_or(0, Draft::abandon);
        self.store.given_up(&self.cell, stuck_bytes);
    }
}
