//! What is held and how much room is left: numbers only, no disk.

use super::PutError;
use chainflix_cell::ChunkHashes;
use chainflix_overlay::control::HeldCell;
use chainflix_primitives::CellId;
use std::collections::{BTreeMap, HashSet};

/// Room and use of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes given.
    pub quota_bytes: u64,
    /// Bytes in use or promised to cells that are being written.
    pub used_bytes: u64,
    /// Cells held.
    pub cells: u64,
}

#[derive(Debug)]
pub(super) struct Index {
    cells: BTreeMap<CellId, u64>,
    incoming: HashSet<CellId>,
    /// Not held any more, and their files not gone yet.
    leaving: HashSet<CellId>,
    quota_bytes: u64,
    used_bytes: u64,
}

impl Index {
    pub(super) fn new(quota_bytes: u64) -> Self {
        Self { cells: BTreeMap::new(), incoming: HashSet::new(), leaving: HashSet::new(), quota_bytes, used_bytes: 0 }
    }

    pub(super) fn size(&self, cell: &CellId) -> Option<u64> {
        self.cells.get(cell).copied()
    }

    pub(super) fn reserve(&mut self, cell: CellId, size: u64) -> Result<(), PutError> {
        let free_bytes = self.quota_bytes.saturating_sub(self.used_bytes);
        let needed_bytes = footprint(size);
        if needed_bytes > free_bytes {
            return Err(PutError::NoRoom { needed_bytes, free_bytes });
        }
        if self.cells.contains_key(&cell) || self.leaving.contains(&cell) || !self.incoming.insert(cell) {
            return Err(PutError::Busy { cell });
        }
        self.used_bytes += needed_bytes;
        Ok(())
    }

    pub(super) fn release(&mut self, cell: &CellId, size: u64) {
        if self.incoming.remove(cell) {
            self.used_bytes -= footprint(size);
        }
    }

    /// The cell is in place: reserved before, or found at start.
    pub(super) fn commit(&mut self, cell: CellId, size: u64) {
        if !self.incoming.remove(&cell) {
            self.used_bytes += footprint(size);
        }
        self.cells.insert(cell, size);
    }

    /// Takes a held cell off the list; until [`Self::left`] it cannot come again. Says whether it was held.
    pub(super) fn leave(&mut self, cell: &CellId) -> bool {
        let Some(size) = self.cells.remove(cell) else { return false };
        self.used_bytes -= footprint(size);
        self.leaving.insert(*cell)
    }

    /// Its files are gone, or will not go.
    pub(super) fn left(&mut self, cell: &CellId) {
        self.leaving.remove(cell);
    }

    pub(super) fn cells(&self) -> Vec<HeldCell> {
        self.cells.iter().map(|(cell, size)| HeldCell { cell: *cell, size: *size }).collect()
    }

    pub(super) fn usage(&self) -> Usage {
        Usage { quota_bytes: self.quota_bytes, used_bytes: self.used_bytes, cells: self.cells.len() as u64 }
    }
}

/// What a cell of `size` bytes costs: itself and its hashes.
fn footprint(size: u64) -> u64 {
    size + ChunkHashes::encoded_len(size) as u64
}
