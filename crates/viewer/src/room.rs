//! Memory that goes from one cell of a film to the next.
//!
//! A cell is tens of megabytes. To give that back to the system after each one and to get it anew costs a fault and a cleared
//! page for every 4 KiB, which is more than deciphering them. One cell's worth is kept, for as long as its film is.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What the last cell left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room(Arc<Mutex<Vec<u8>>>);

impl Room {
    /// Empty, with as much room as the last cell took; without any where another cell has it.
    pub fn take(&self) -> Vec<u8> {
        mem::take(&mut *self.look())
    }

    /// Keeps the larger one of what is here and this.
    pub fn give(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        let mut kept = self.look();
        if bytes.capacity() > kept.capacity() {
            *kept = bytes;
        }
    }

    fn look(&self) -> MutexGuard<'_, Vec<u8>> {
        // Any list that is in it is good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_list_is_kept_and_given_once() {
        let room = Room::default();
        assert_eq!(room.take().capacity(), 0);
        for bytes in [30, 50, 20] {
            room.give(vec![7; bytes]);
        }
        let taken = room.clone().take();
        assert!(taken.is_empty() && taken.capacity() >= 50);
        assert_eq!(room.take().capacity(), 0);
    }
}
