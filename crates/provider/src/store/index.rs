//! What is held, where, and how much room is left: numbers only, no disk.

use super::PutError;
use chainflix_cell::ChunkHashes;
use chainflix_overlay::control::HeldCell;
use chainflix_primitives::CellId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Room and use of a store, all its folders together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Bytes given, as far as the disks behind them have them.
    pub quota_bytes: u64,
    /// Bytes that the folders take on their disks (what `du` counts), and what is promised to cells that are being written.
    pub used_bytes: u64,
    /// Cells held.
    pub cells: u64,
}

/// Where a cell is, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of its folder, or of its object store.
    pub folder: usize,
    /// Its own bytes.
    pub size: u64,
    /// Bytes on the disk, with its hashes.
    pub disk_bytes: u64,
}

/// The numbers of one folder, or of one object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Bytes given.
    pub quota_bytes: u64,
    /// Bytes that cells take, or will when they are written.
    pub cells_bytes: u64,
    /// Of those, what is promised and not yet written.
    pub promised_bytes: u64,
    /// Bytes that the folder takes beside cells and shelves: itself, its lock, what cannot be removed.
    pub frame_bytes: u64,
    /// Bytes that each shelf takes as a folder. They grow with their lists of files, and do not shrink.
    pub shelves: BTreeMap<u8, u64>,
    /// What the disk has left, whoever uses it.
    pub disk_free_bytes: u64,
    /// The disk's unit of allocation; 0 where bytes are counted as they are.
    pub block_bytes: u64,
    /// Whether the folder is there.
    pub present: bool,
    /// It is there and does not answer for now: what it holds is held, and cannot be read.
    pub silent: bool,
    /// Whether its cells are read again for rotten bits.
    pub scrubbed: bool,
}

impl Room {
    /// A folder that is not there.
    pub fn absent() -> Self {
        Self {
            quota_bytes: 0,
            cells_bytes: 0,
            promised_bytes: 0,
            frame_bytes: 0,
            shelves: BTreeMap::new(),
            disk_free_bytes: 0,
            block_bytes: 0,
            present: false,
            silent: false,
            scrubbed: false,
        }
    }

    fn used_bytes(&self) -> u64 {
        self.cells_bytes + self.frame_bytes + self.shelves.values().sum::<u64>()
    }

    /// What can still be promised: within the quota, and on the disk.
    fn free_bytes(&self) -> u64 {
        let on_disk = self.disk_free_bytes.saturating_sub(self.promised_bytes);
        if self.present && !self.silent { self.quota_bytes.saturating_sub(self.used_bytes()).min(on_disk) } else { 0 }
    }

    /// What a cell of `size` bytes can take at most: itself and its hashes in whole blocks, and a block each for the shelf
    /// and for `tmp`, which may have to grow. It is known exactly when it is there.
    fn footprint_bytes(&self, size: u64) -> u64 {
        let block = self.block_bytes.max(1);
        let hashes = ChunkHashes::encoded_len(size) as u64;
        size.next_multiple_of(block) + hashes.next_multiple_of(block) + 2 * self.block_bytes
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    rooms: Vec<Room>,
    cells: BTreeMap<CellId, Place>,
    incoming: HashMap<CellId, Place>,
    /// Not held any more, and their files not gone yet: they cost until they are.
    leaving: HashMap<CellId, Place>,
}

impl Index {
    pub fn add_room(&mut self, room: Room) {
        self.rooms.push(room);
    }

    pub fn room(&mut self, folder: usize) -> &mut Room {
        // Folders are numbered by `add_room`, which the store calls for each before anything else.
        &mut self.rooms[folder]
    }

    pub fn get(&self, cell: &CellId) -> Option<Place> {
        self.cells.get(cell).copied()
    }

    /// Promises room in the folder that has most of it.
    pub fn reserve(&mut self, cell: CellId, size: u64) -> Result<Place, PutError> {
        if self.cells.contains_key(&cell) || self.leaving.contains_key(&cell) || self.incoming.contains_key(&cell) {
            return Err(PutError::Busy { cell });
        }
        let emptiest = self.rooms.iter_mut().enumerate().max_by_key(|(_, room)| room.free_bytes());
        let Some((folder, room)) = emptiest else { return Err(PutError::NoRoom { needed_bytes: size, free_bytes: 0 }) };
        let (needed_bytes, free_bytes) = (room.footprint_bytes(size), room.free_bytes());
        if needed_bytes > free_bytes {
            return Err(PutError::NoRoom { needed_bytes, free_bytes });
        }
        room.cells_bytes += needed_bytes;
        room.promised_bytes += needed_bytes;
        let place = Place { folder, size, disk_bytes: needed_bytes };
        self.incoming.insert(cell, place);
        Ok(place)
    }

    /// A reserved cell did not come, but for `stuck_bytes` that will not go: those cost until the next start.
    pub fn release(&mut self, cell: &CellId, stuck_bytes: u64) {
        if let Some(place) = self.incoming.remove(cell) {
            let room = self.room(place.folder);
            room.cells_bytes -= place.disk_bytes;
            room.promised_bytes -= place.disk_bytes;
            room.frame_bytes += stuck_bytes;
        }
    }

    /// The cell is in `place`: reserved before, or found there.
    pub fn commit(&mut self, cell: CellId, place: Place) {
        self.release(&cell, 0);
        self.room(place.folder).cells_bytes += place.disk_bytes;
        self.cells.insert(cell, place);
    }

    /// Takes a held cell off the list; until [`Self::left`] it cannot come again.
    pub fn leave(&mut self, cell: &CellId) -> Option<Place> {
        let place = self.cells.remove(cell)?;
        self.leaving.insert(*cell, place);
        Some(place)
    }

    /// Its files are gone, but for `stuck_bytes` that will not go: those cost until the next start.
    pub fn left(&mut self, cell: &CellId, stuck_bytes: u64) {
        if let Some(place) = self.leaving.remove(cell) {
            let room = self.room(place.folder);
            room.cells_bytes -= place.disk_bytes;
            room.frame_bytes += stuck_bytes;
        }
    }

    /// A folder is not there any more; answers what was in it.
    pub fn vanish(&mut self, folder: usize) -> Vec<CellId> {
        let room = self.room(folder);
        room.silent = false;
        (room.present, room.cells_bytes, room.promised_bytes, room.frame_bytes) = (false, 0, 0, 0);
        room.shelves.clear();
        let gone: Vec<_> =
            self.cells.iter().filter(|(_, place)| place.folder == folder).map(|(cell, _)| *cell).collect();
        gone.iter().for_each(|cell| _ = self.cells.remove(cell));
        // Whoever writes or removes there hears it from the disk; nothing is left to give back.
        self.incoming.retain(|_, place| place.folder != folder);
        self.leaving.retain(|_, place| place.folder != folder);
        gone
    }

    pub fn cells(&self) -> Vec<HeldCell> {
        self.cells.iter().map(|(cell, place)| HeldCell { cell: *cell, size: place.size }).collect()
    }

    /// The first cell after `after` that is to be read again, in the order of names.
    pub fn next_after(&self, after: Option<CellId>) -> Option<CellId> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let is_read = |place: &Place| self.rooms[place.folder].scrubbed && !self.rooms[place.folder].silent;
        self.cells.range((from, Unbounded)).find(|(_, place)| is_read(place)).map(|(cell, _)| *cell)
    }

    /// Cells in one folder or object store.
    pub fn cells_in(&self, folder: usize) -> u64 {
        self.cells.values().filter(|place| place.folder == folder).count() as u64
    }

    /// Whether something is held, and nothing of it can be read for now.
    pub fn serves_nothing(&self) -> bool {
        !self.cells.is_empty() && self.cells.values().all(|place| self.rooms[place.folder].silent)
    }

    pub fn usage(&self) -> Usage {
        let present = || self.rooms.iter().filter(|room| room.present);
        Usage {
            // What a full disk cannot take is not promised to anybody.
            quota_bytes: present().map(|room| room.used_bytes() + room.free_bytes()).sum(),
            used_bytes: present().map(Room::used_bytes).sum(),
            cells: self.cells.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn room(quota_bytes: u64) -> Room {
        Room {
            quota_bytes,
            frame_bytes: 4_096,
            disk_free_bytes: 1 << 40,
            block_bytes: 4_096,
            present: true,
            scrubbed: true,
            ..Room::absent()
        }
    }

    fn cell(number: u8) -> CellId {
        CellId([number; 32])
    }

    #[test]
    fn cells_go_where_most_room_is_and_never_beyond_the_disk() {
        let mut index = Index::default();
        index.add_room(room(100_000));
        index.add_room(room(200_000));
        assert_eq!(index.reserve(cell(1), 140_000).unwrap().folder, 1);
        assert_eq!(index.reserve(cell(2), 50_000).unwrap().folder, 0);
        (index.room(0).disk_free_bytes, index.room(1).disk_free_bytes) = (90_000, 160_000);
        let full = index.reserve(cell(3), 20_000).unwrap_err();
        assert!(
            matches!(full, PutError::NoRoom { free_bytes: 24_464, .. }),
            "what is on its way needs the disk: {full}"
        );
        assert!(matches!(index.reserve(cell(1), 1), Err(PutError::Busy { .. })));
    }

    #[test]
    fn a_folder_that_vanishes_takes_its_cells_and_its_quota_along() {
        let mut index = Index::default();
        index.add_room(room(100_000));
        index.add_room(room(200_000));
        let place = index.reserve(cell(1), 10_000).unwrap();
        index.commit(cell(1), place);
        index.reserve(cell(2), 10_000).unwrap();
        assert_eq!(index.vanish(1), [cell(1)]);
        index.release(&cell(2), 0);
        assert_eq!(index.usage(), Usage { quota_bytes: 100_000, used_bytes: 4_096, cells: 0 });
        assert_eq!(index.next_after(None), None);
    }

    #[test]
    fn bytes_of_an_object_store_are_counted_as_they_are() {
        let mut index = Index::default();
        index.add_room(Room { block_bytes: 0, frame_bytes: 0, ..room(20_000 + 64) });
        assert!(matches!(index.reserve(cell(1), 20_001), Err(PutError::NoRoom { needed_bytes: 20_065, .. })));
        let place = index.reserve(cell(1), 20_000).unwrap();
        index.commit(cell(1), place);
        assert_eq!(index.usage(), Usage { quota_bytes: 20_064, used_bytes: 20_064, cells: 1 });
    }

    #[test]
    fn what_does_not_answer_is_held_and_takes_nothing() {
        let mut index = Index::default();
        index.add_room(room(100_000));
        let place = index.reserve(cell(1), 10_000).unwrap();
        index.commit(cell(1), place);
        let answering = index.usage();
        assert_eq!((index.next_after(None), index.serves_nothing()), (Some(cell(1)), false));
        index.room(0).silent = true;
        assert!(matches!(index.reserve(cell(2), 1), Err(PutError::NoRoom { free_bytes: 0, .. })));
        assert_eq!((index.next_after(None), index.serves_nothing(), index.cells_in(0)), (None, true, 1));
        assert_eq!(index.usage(), Usage { quota_bytes: answering.used_bytes, ..answering });
    }

    proptest! {
        #[test]
        fn every_byte_that_is_taken_comes_back(steps in prop::collection::vec((0..4u8, 0..6u8, 1..60_000u64), 1..60)) {
            let mut index = Index::default();
            index.add_room(room(150_000));
            index.add_room(room(100_000));
            for (step, name, size) in steps {
                let cell = cell(name);
                match step {
                    0 => _ = index.reserve(cell, size),
                    1 => index.release(&cell, 0),
                    2 => if let Some(place) = index.incoming.get(&cell).copied() { index.commit(cell, place) },
                    _ => if index.leave(&cell).is_some() { index.left(&cell, 0) },
                }
                for room in &index.rooms {
                    prop_assert!(room.used_bytes() <= room.quota_bytes);
                }
            }
            let names: Vec<_> = (0..6).map(cell).collect();
            for cell in &names {
                index.release(cell, 0);
                if index.leave(cell).is_some() {
                    index.left(cell, 0);
                }
            }
            prop_assert_eq!(index.usage().used_bytes, 2 * 4_096);
            prop_assert!(index.rooms.iter().all(|room| room.promised_bytes == 0));
        }
    }
}
