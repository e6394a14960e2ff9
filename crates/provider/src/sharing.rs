//! A viewer's node that serves the cells it watched.
//!
//! ```text
//! watched cell ─▶ keep ─▶ room? ─ no: the oldest goes ─▶ store ─▶ told to the controllers, again every minute
//!                                                          └────▶ cell/1: grant ─▶ delivery ─▶ receipt
//! ```
//!
//! To viewers and validators it is a provider: drawn like one, paid like one. To controllers it is not: its cells are no
//! copies that they count on, nothing is stored here for others, and who closes the lid has left. It keeps what a provider
//! keeps, the sealed bytes; each viewer gets them under its own DownloadKey. It says so when it goes. Left out: telling that
//! a cell is gone before the next telling; whoever is sent here for it meanwhile is told, and goes to another.

use crate::{
    delivery::DeliveryProtocol,
    duty::Duty,
    provider::ProviderConfig,
    store::{Put, PutError, Store},
};
use chainflix_overlay::{
    Dialer, Protocol,
    control::{self, PAGE_CELLS_MAX, ProviderCard, SHARE_MS, Share},
};
use chainflix_primitives::{CellId, NodeId, Receipt, Signed};
use futures::future::join_all;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::timeout,
};
use tracing::{debug, info};

/// Time between tellings when nothing changes.
const TELL_AGAIN: Duration = Duration::from_millis(SHARE_MS / 2);
/// First pause after a controller did not hear it; doubled each time up to [`TELL_AGAIN`].
const PAUSE: Duration = Duration::from_secs(1);

/// How long a controller may take to hear that this viewer is going.
const FAREWELL: Duration = Duration::from_secs(1);

/// A viewer that shares. Dropping it stops telling; serving ends with the overlay's `Serving`.
pub struct Sharing {
    delivery: Arc<DeliveryProtocol>,
    shelf: Arc<Shelf>,
    card: Signed<ProviderCard>,
    controllers: Vec<NodeId>,
    dialer: Dialer,
    tasks: Mutex<JoinSet<()>>,
}

/// What is kept, in the order in which it goes.
#[derive(Debug)]
struct Shelf {
    store: Arc<Store>,
    /// The oldest first; what an earlier run kept comes before that, in the order of names.
    order: Mutex<VecDeque<CellId>>,
}

impl Sharing {
    /// Starts to serve what `store` holds and what is [kept](Self::keep) from now on.
    ///
    /// Of `config` the account, the box key, the region, the limits of deliveries and uplink, and the controllers count.
    /// Receipts go to `receipts`, as a provider's do.
    pub fn start(
        config: ProviderConfig,
        store: Arc<Store>,
        dialer: Dialer,
        receipts: mpsc::Sender<Signed<Receipt>>,
    ) -> Self {
        let card = config.card(dialer.node_id());
        // A machine of people serves few at a time: past 65,535 it says that many.
        let slots = u16::try_from(config.deliveries_max).unwrap_or(u16::MAX);
        let order = store.cells().into_iter().map(|held| held.cell).collect();
        let shelf = Arc::new(Shelf { store: store.clone(), order: Mutex::new(order) });
        let mut tasks = JoinSet::new();
        for controller in config.controllers.iter().copied() {
            // Each has a listener of its own, from before the first telling on.
            let news = Arc::new(Notify::new());
            tasks.spawn(watch_store(store.clone(), news.clone()));
            let teller =
                Teller { controller, card: card.clone(), slots, shelf: shelf.clone(), dialer: dialer.clone(), news };
            tasks.spawn(teller.run());
        }
        let duty = Arc::new(Duty::new(None, Vec::new(), false, config.clock.clone()));
        let controllers = config.controllers.clone();
        let delivery = Arc::new(config.delivery(store, dialer.node_id(), duty, receipts));
        Self { delivery, shelf, card, controllers, dialer, tasks: Mutex::new(tasks) }
    }

    /// Tells the controllers that this viewer is going, so that they send nobody here any more. For whom does not hear it,
    /// what was said last holds for a while.
    pub async fn leave(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        let tell = |controller| {
            let nothing = Share { card: self.card.clone(), slots: 0, cells: Vec::new() };
            timeout(FAREWELL, control::share(&self.dialer, controller, nothing))
        };
        for told in join_all(self.controllers.iter().copied().map(tell)).await {
            // Late or refused: what was said last holds for a while.
            if !matches!(told, Ok(Ok(()))) {
                debug!(?told, "a controller does not hear that this viewer is going");
            }
        }
    }

    /// What the overlay has to serve.
    pub fn protocols(&self) -> Vec<Arc<dyn Protocol>> {
        vec![self.delivery.clone()]
    }

    /// Keeps a sealed cell that was watched, in place of the oldest where there is no room. Blocks on the disk.
    ///
    /// # Errors
    /// [`PutError::NoRoom`] where the cell alone is more than the quota.
    pub fn keep(&self, cell: CellId, sealed: &[u8]) -> Result<(), PutError> {
        self.shelf.keep(cell, sealed)
    }

    /// Bytes delivered to others since the start.
    pub fn delivered_bytes(&self) -> u64 {
        self.delivery.delivered_bytes.load(Ordering::Relaxed)
    }
}

impl Shelf {
    fn keep(&self, cell: CellId, sealed: &[u8]) -> Result<(), PutError> {
        let mut incoming = loop {
            match self.store.put(cell, sealed.len() as u64) {
                Ok(Put::Write(incoming)) => break incoming,
                Ok(Put::Held) => {
                    self.watched(cell);
                    return Ok(());
                }
                Err(full @ PutError::NoRoom { .. }) => match self.order().pop_front() {
                    Some(oldest) => self.drop_cell(&oldest)?,
                    None => return Err(full),
                },
                Err(error) => return Err(error),
            }
        };
        incoming.write(sealed)?;
        incoming.commit()?;
        self.watched(cell);
        Ok(())
    }

    /// The newest goes last.
    fn watched(&self, cell: CellId) {
        let mut order = self.order();
        order.retain(|kept| *kept != cell);
        order.push_back(cell);
    }

    fn drop_cell(&self, cell: &CellId) -> Result<(), PutError> {
        match self.store.delete(cell) {
            Ok(_) => Ok(()),
            Err(source) => Err(PutError::Disk { cell: *cell, source }),
        }
    }

    /// The newest cells, as many as one telling carries.
    fn newest(&self) -> Vec<CellId> {
        self.order().iter().rev().take(PAGE_CELLS_MAX).copied().collect()
    }

    fn order(&self) -> MutexGuard<'_, VecDeque<CellId>> {
        // Every change is one step, so what another thread left behind is whole.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes on that something came or went.
async fn watch_store(store: Arc<Store>, news: Arc<Notify>) {
    let mut changes = store.changes();
    // Falling behind is news too; the end of the store is the end of this.
    while !matches!(changes.recv().await, Err(tokio::sync::broadcast::error::RecvError::Closed)) {
        news.notify_one();
    }
}

/// Keeps one controller informed.
struct Teller {
    controller: NodeId,
    card: Signed<ProviderCard>,
    slots: u16,
    shelf: Arc<Shelf>,
    dialer: Dialer,
    news: Arc<Notify>,
}

impl Teller {
    /// Runs until it is aborted.
    async fn run(self) {
        let mut pause = PAUSE;
        let mut heard = false;
        loop {
            let share = Share { card: self.card.clone(), slots: self.slots, cells: self.shelf.newest() };
            let cells = share.cells.len();
            match control::share(&self.dialer, self.controller, share).await {
                Ok(()) => {
                    if !std::mem::replace(&mut heard, true) {
                        info!(controller = %self.controller, cells, "sharing");
                        // Who did not know us does not know where we are either.
                        self.dialer.publish_again();
                    }
                    pause = PAUSE;
                    // Nothing new is no error.
                    let _news = timeout(TELL_AGAIN, self.news.notified()).await;
                }
                Err(error) => {
                    debug!(controller = %self.controller, %error, "a controller does not hear what is shared");
                    heard = false;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(TELL_AGAIN);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_cell::ChunkHashes;

    fn shelf(folder: &std::path::Path, quota_bytes: u64) -> Shelf {
        let store = Store::open(folder, quota_bytes).unwrap();
        let order = store.cells().into_iter().map(|held| held.cell).collect();
        Shelf { store, order: Mutex::new(order) }
    }

    fn cell(number: u8) -> (CellId, Vec<u8>) {
        let bytes = vec![number; 300_000];
        (ChunkHashes::of(&bytes).root(), bytes)
    }

    #[test]
    fn the_oldest_makes_room_for_what_was_watched_now() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path(), 1 << 20);
        let cells: Vec<_> = (0..5).map(cell).collect();
        for (id, bytes) in &cells[..3] {
            shelf.keep(*id, bytes).unwrap();
        }
        // Watched again: it is not the oldest any more.
        shelf.keep(cells[0].0, &cells[0].1).unwrap();
        shelf.keep(cells[3].0, &cells[3].1).unwrap();
        assert_eq!(shelf.newest(), [cells[3].0, cells[0].0, cells[2].0]);
        let usage = shelf.store.usage();
        assert!(usage.used_bytes <= usage.quota_bytes, "{usage:?}");
        assert!(shelf.store.read(&cells[1].0).unwrap().is_none());
    }

    #[test]
    fn what_is_larger_than_the_quota_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path(), 100_000);
        let (id, bytes) = cell(1);
        assert!(matches!(shelf.keep(id, &bytes), Err(PutError::NoRoom { .. })));
        assert!(shelf.newest().is_empty());
    }

    #[test]
    fn a_restart_finds_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (id, bytes) = cell(1);
        shelf(folder.path(), 1 << 20).keep(id, &bytes).unwrap();
        assert_eq!(shelf(folder.path(), 1 << 20).newest(), [id]);
    }
}
