//! What becomes of folders and object stores: they are opened, looked at, vanish, fall silent and come back.
//!
//! ```text
//! folder:        there ◀──────────────▶ gone: its cells are off the list, and are listed again when it is back
//! object store:  answers ◀──▶ silent, its cells stay on the list ──▶ gone, after a while
//!                   ▲──────────────────────────────────────────────────┘ listed again
//! ```

use super::{
    Medium, Store, StoreChange, StoreOpenError,
    bucket::{Bucket, Look, StoreBucket},
    folder::{Folder, Found},
    index::Room,
};
use chainflix_overlay::control::HeldCell;
use chainflix_primitives::CellId;
use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};
use tracing::{error, info, warn};

impl Store {
    /// Looks at every folder: takes those that vanished off the list with all they held, takes those that came back into
    /// use, and asks the disks for their room. The same with object stores, which may be silent for a while before that. To
    /// be called every few seconds.
    pub fn look(&self) {
        for (number, medium) in self.media.iter().enumerate() {
            match medium {
                Medium::Folder(folder) => self.look_at_folder(number, folder),
                Medium::Bucket(bucket) => self.look_at_bucket(number, bucket),
            }
        }
        self.measure();
    }

    fn look_at_folder(&self, number: usize, folder: &Mutex<Folder>) {
        let mut folder = Medium::folder(folder);
        let was_there = self.index().room(number).present;
        match (was_there, folder.is_there()) {
            (true, false) => {
                folder.lock = None;
                self.vanished(number, &folder.path);
            }
            // An empty place is not the folder that was here: without its disk nothing is written there.
            (false, _) if folder.was_made() => {
                let found = folder.open();
                // Released: entering cells asks the folder for their places.
                drop(folder);
                self.came_back(number, found);
            }
            _ => {}
        }
    }

    fn look_at_bucket(&self, number: usize, bucket: &Bucket) {
        let (present, was_silent) = {
            let mut index = self.index();
            let room = index.room(number);
            (room.present, room.silent)
        };
        if !present {
            if let Some(found) = bucket.reopen() {
                self.came_back(number, found);
            }
            return;
        }
        match bucket.look(was_silent) {
            Look::Answers if was_silent => {
                info!(store = bucket.name(), "an object store answers again");
                self.index().room(number).silent = false;
            }
            Look::Silent if !was_silent => {
                let cells = self.index().cells_in(number);
                error!(store = bucket.name(), cells, "an object store does not answer; its cells are unavailable");
                self.index().room(number).silent = true;
            }
            Look::Gone => self.vanished(number, Path::new(bucket.name())),
            Look::NotNow | Look::Answers | Look::Silent => {}
        }
    }

    /// Adds a folder or an object store as it was found; `None` where it is not there.
    pub(super) fn add(&mut self, medium: Medium, found: Option<Found>) {
        let number = self.media.len();
        let name = medium.name();
        self.media.push(medium);
        match found {
            Some(Found { room, cells }) => {
                self.index().add_room(room);
                for (cell, size) in cells {
                    self.enter(number, &name, cell, size);
                }
            }
            None => {
                error!(place = %name.display(), "what was used before is not there");
                self.index().add_room(Room::absent());
            }
        }
    }

    fn vanished(&self, number: usize, name: &Path) {
        let gone = self.index().vanish(number);
        error!(place = %name.display(), cells = gone.len(), "what held cells is not there any more");
        gone.into_iter().for_each(|cell| self.tell(StoreChange::Lost(cell)));
    }

    fn came_back(&self, number: usize, found: Result<Found, StoreOpenError>) {
        let name = self.media[number].name();
        match found {
            Ok(Found { room, cells }) => {
                info!(place = %name.display(), cells = cells.len(), "what held cells is back");
                *self.index().room(number) = room;
                for (cell, size) in cells {
                    if self.enter(number, &name, cell, size) {
                        self.tell(StoreChange::Gained(HeldCell { cell, size }));
                    }
                }
            }
            Err(error) => warn!(place = %name.display(), %error, "what came back cannot be used"),
        }
    }

    /// Enters a cell that was found. The same cell in two places is held once: the second copy costs and is not used.
    fn enter(&self, number: usize, name: &Path, cell: CellId, size: u64) -> bool {
        let (place, _) = self.media[number].place(number, &cell, size);
        let mut index = self.index();
        if index.get(&cell).is_some() {
            warn!(%cell, place = %name.display(), "held in two places; one is enough");
            index.room(number).frame_bytes += place.disk_bytes;
            return false;
        }
        index.commit(cell, place);
        true
    }

    /// Asks the disks what they have left.
    pub(super) fn measure(&self) {
        for (number, medium) in self.media.iter().enumerate() {
            let free_bytes = medium.free_bytes();
            self.index().room(number).disk_free_bytes = free_bytes;
        }
    }
}

/// Begins to use an object store; says whether it answers. One that was used before and does not is waited for.
pub(super) fn greet(bucket: &StoreBucket, used_before: &[PathBuf]) -> Result<(Bucket, bool), StoreOpenError> {
    let bucket = Bucket::new(bucket)?;
    match bucket.greet() {
        Ok(()) => Ok((bucket, true)),
        Err(error @ StoreOpenError::Disk { .. }) if used_before.iter().any(|name| name == Path::new(bucket.name())) => {
            warn!(store = bucket.name(), %error, "an object store does not answer");
            Ok((bucket, false))
        }
        Err(error) => Err(error),
    }
}
