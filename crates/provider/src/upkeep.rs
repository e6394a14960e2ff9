//! Looks after the store: folders that come and go, bits that rot.
//!
//! ```text
//! every few seconds ─▶ Store::look      which folders and object stores are there, what their disks have left
//! all the time      ─▶ next cell ─▶ read a MiB, check, pause ─▶ … ─▶ whole, or dropped ─▶ the controllers have it copied
//! ```
//!
//! Scrubbing reads slowly, so that viewers do not notice: a store of 200 GB is looked through in a little more than a day. After a
//! restart it begins at a random cell, or a provider that restarts often would only ever see its first ones.

use crate::{
    duty::Duty,
    store::{ReadError, Store},
};
use chainflix_primitives::CellId;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{debug, warn};

/// Chunks read at a time: a MiB.
const STEP_CHUNKS: u64 = 64;
/// Pause when there is nothing to read, or the disk says no.
const IDLE: Duration = Duration::from_secs(30);

/// Calls [`Store::look`] until it is aborted, and lets nobody be sent here while nothing can be read.
pub(crate) async fn watch_folders(store: Arc<Store>, duty: Arc<Duty>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let looked = store.clone();
        if spawn_blocking(move || looked.look()).await.is_err() {
            warn!("looking at the folders failed");
        }
        duty.set_unable(store.serves_nothing());
    }
}

/// What scrubbing found since the start.
#[derive(Debug, Default)]
pub(crate) struct ScrubCounts {
    /// Cells read from first to last byte.
    pub cells: AtomicU64,
    /// Cells that were not what they are called, and were dropped.
    pub damaged: AtomicU64,
}

/// Reads everything that is held, again and again.
pub(crate) struct Scrubber {
    pub store: Arc<Store>,
    /// At most so many bytes a second.
    pub bytes_per_s: u64,
    pub counts: Arc<ScrubCounts>,
}

impl Scrubber {
    /// Runs until it is aborted. `start` is where in the order of names.
    pub async fn run(self, start: CellId) {
        let mut after = Some(start);
        loop {
            after = self.store.next_after(after).or_else(|| self.store.next_after(None));
            match after {
                Some(cell) => match self.cell(cell).await {
                    Ok(()) => {}
                    Err(error) => {
                        debug!(%cell, %error, "cannot be read now");
                        sleep(IDLE).await;
                    }
                },
                None => sleep(IDLE).await,
            }
        }
    }

    /// Reads one cell, and drops it if a bit has changed.
    async fn cell(&self, cell: CellId) -> Result<(), ReadError> {
        let mut offset = 0;
        loop {
            let store = self.store.clone();
            // Opened for each step: the file of a cell that is deleted meanwhile is not held.
            let step = spawn_blocking(move || {
                let Some(stored) = store.read(&cell)? else { return Ok((0, true)) };
                let read = stored.chunks(offset, STEP_CHUNKS);
                if let Err(error) = &read {
                    store.judge(&cell, error);
                }
                read.map(|bytes| (bytes.len() as u64, offset + bytes.len() as u64 >= stored.size()))
            });
            let Ok(step) = step.await else { return Ok(()) };
            let (bytes, done) = match step {
                Ok(step) => step,
                Err(error) if error.is_damage() => {
                    self.counts.damaged.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            offset += bytes;
            sleep(Duration::from_micros(bytes.saturating_mul(1_000_000) / self.bytes_per_s.max(1))).await;
            if done {
                self.counts.cells.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Put, StoreBucket, StoreFolder};
    use object_store::{ObjectStoreExt as _, memory::InMemory};
    use std::os::unix::fs::FileExt as _;

    fn put(store: &Arc<Store>, bytes: &[u8]) -> CellId {
        let cell = chainflix_cell::ChunkHashes::of(bytes).root();
        let Put::Write(mut incoming) = store.put(cell, bytes.len() as u64).unwrap() else { panic!("held") };
        incoming.write(bytes).unwrap();
        incoming.commit().unwrap();
        cell
    }

    fn scrubber(store: &Arc<Store>) -> Scrubber {
        Scrubber { store: store.clone(), bytes_per_s: u64::MAX, counts: Arc::default() }
    }

    fn found(scrubber: &Scrubber) -> (u64, u64) {
        (scrubber.counts.cells.load(Ordering::Relaxed), scrubber.counts.damaged.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_flipped_bit_that_nobody_asked_for_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), 16 << 20).unwrap();
        let (sound, rotten) = (put(&store, &vec![1; 3_000_000]), put(&store, &vec![2; 200_000]));
        let name = hex::encode(rotten.0);
        let path = folder.path().join("cells").join(&name[..2]).join(format!("{name}.cell"));
        std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(&[3], 199_999).unwrap();
        let scrubber = scrubber(&store);
        for cell in [sound, rotten] {
            scrubber.cell(cell).await.unwrap();
        }
        assert_eq!(found(&scrubber), (1, 1));
        assert_eq!(store.cells().iter().map(|held| held.cell).collect::<Vec<_>>(), [sound], "the other can come again");
    }

    #[tokio::test]
    async fn an_object_store_is_read_again_where_its_owner_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Arc::new(InMemory::new());
        let open = |scrub| {
            let bucket = StoreBucket {
                name: "s3://films".into(),
                objects: objects.clone(),
                prefix: String::new(),
                quota_bytes: 16 << 20,
                owner: "provider 7".into(),
                scrub,
                patience: Duration::from_secs(10),
            };
            let home = StoreFolder { path: folder.path().into(), quota_bytes: 0 };
            Store::open_mixed(&[home], &[bucket]).unwrap()
        };
        let store = open(false);
        let (sound, rotten) = (put(&store, &vec![1; 3_000_000]), put(&store, &vec![2; 200_000]));
        assert_eq!(store.next_after(None), None, "reading may cost");
        drop(store);
        let name = hex::encode(rotten.0);
        let key = object_store::path::Path::from(format!("cells/{}/{name}.cell", &name[..2]));
        objects.put(&key, vec![3; 200_000].into()).await.unwrap();
        let store = open(true);
        let scrubber = scrubber(&store);
        for cell in [store.next_after(None), store.next_after(Some(sound.min(rotten)))] {
            scrubber.cell(cell.expect("two are held")).await.unwrap();
        }
        assert_eq!(found(&scrubber), (1, 1));
        assert_eq!(store.cells().iter().map(|held| held.cell).collect::<Vec<_>>(), [sound]);
    }
}
