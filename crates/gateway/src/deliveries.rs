//! Deliveries that pass through, and those that wait for their viewer's last word.
//!
//! ```text
//! provider ══ bytes ══▶ Passing ══▶ browser            receipt arrives ──▶ claim ──▶ Delivery::finish ──▶ provider
//!                          │ all passed, or the browser left                 ▲
//!                          ▼                                                 │
//!                        parked, for a while ────────────────────────────────┘
//! ```
//!
//! A provider signs its receipt only after the viewer said how far it got, on the same stream. A viewer says it to a
//! validator, here, so the stream is kept until then: [`Patience::whole`] after a whole cell, [`Patience::part`] after a
//! part, where the browser changed provider or went away for good. Then the stream is dropped, which stops the provider.
//! While parked nothing is read, so a provider sends no more than the stream's window. Bytes are taken from the provider
//! as the browser takes them: nothing is buffered here.

use crate::network::{Delivery, NetworkError};
use bytes::Bytes;
use chainflix_primitives::{GrantId, Receipt};
use futures::{Stream, stream};
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, timeout},
};
use tracing::debug;

/// Most parked deliveries; the one that would go first makes room.
const PARKED_MAX: usize = 4096;
/// How long a receipt waits for a delivery whose browser has only just stopped reading.
const CLAIM_PATIENCE: Duration = Duration::from_secs(2);
/// How long telling the provider may take.
const FINISH_PATIENCE: Duration = Duration::from_secs(5);

/// How long a delivery is kept for its receipt.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// After a whole cell.
    pub whole: Duration,
    /// After a part of one. Below a provider's own patience with a viewer that does not read (15 s).
    pub part: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { whole: Duration::from_secs(120), part: Duration::from_secs(10) }
    }
}

/// All deliveries of this gateway.
pub(crate) struct Deliveries {
    places: Arc<Semaphore>,
    open: Mutex<HashMap<GrantId, Open>>,
    serial: AtomicU64,
    patience: Patience,
}

/// A delivery by its grant. The serial number tells a repeated delivery of one grant from the first.
struct Open {
    serial: u64,
    state: State,
}

enum State {
    /// Bytes pass; whoever brings the receipt may wait for their end.
    Passing(Option<oneshot::Sender<Box<dyn Delivery>>>),
    Parked {
        delivery: Box<dyn Delivery>,
        until: Instant,
    },
}

impl Deliveries {
    pub fn new(places: usize, patience: Patience) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(places));
        Arc::new(Self { places, open: Mutex::default(), serial: AtomicU64::new(0), patience })
    }

    /// A place for one more delivery; `None` when all are taken.
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// The bytes of a delivery, taken as they are asked for.
    pub fn pass(
        self: &Arc<Self>,
        grant: GrantId,
        delivery: Box<dyn Delivery>,
        place: OwnedSemaphorePermit,
    ) -> impl Stream<Item = Result<Bytes, NetworkError>> + use<> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        self.open().insert(grant, Open { serial, state: State::Passing(None) });
        let passing = Passing { all: self.clone(), grant, serial, running: Some((delivery, place)) };
        stream::unfold(passing, Passing::next)
    }

    /// Tells the provider what the viewer signed. Its failure is no concern of the viewer.
    pub async fn settle(&self, receipt: &Receipt) {
        let grant = receipt.grant;
        let Some(delivery) = self.claim(&grant).await else {
            debug!(%grant, "no delivery waits for this receipt");
            return;
        };
        match timeout(FINISH_PATIENCE, delivery.finish(receipt.end, receipt.delivered_hash)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%grant, %error, "the provider was not told of the receipt"),
            Err(_) => debug!(%grant, "the provider does not listen any more"),
        }
    }

    /// Stops what nobody claimed in time.
    pub fn expire(&self, now: Instant) {
        self.open().retain(|_, open| !matches!(open.state, State::Parked { until, .. } if until <= now));
    }

    async fn claim(&self, grant: &GrantId) -> Option<Box<dyn Delivery>> {
        let waiting = {
            let mut open = self.open();
            match &mut open.get_mut(grant)?.state {
                State::Passing(waiter) => {
                    let (here, there) = oneshot::channel();
                    *waiter = Some(here);
                    there
                }
                State::Parked { .. } => {
                    return match open.remove(grant)?.state {
                        State::Parked { delivery, .. } => Some(delivery),
                        State::Passing(_) => None,
                    };
                }
            }
        };
        timeout(CLAIM_PATIENCE, waiting).await.ok()?.ok()
    }

    fn release(&self, grant: GrantId, serial: u64, ended: Option<Box<dyn Delivery>>) {
        let mut open = self.open();
        // Released before, or a later delivery of the same grant has taken the place in the table.
        let ours = |open: &Open| open.serial == serial && matches!(open.state, State::Passing(_));
        if !open.get(&grant).is_some_and(ours) {
            return;
        }
        let waiter = match open.remove(&grant) {
            Some(Open { state: State::Passing(waiter), .. }) => waiter,
            _ => None,
        };
        let Some(delivery) = ended else { return };
        let unclaimed = match waiter {
            Some(waiter) => waiter.send(delivery).err(),
            None => Some(delivery),
        };
        if let Some(delivery) = unclaimed {
            self.park(&mut open, grant, serial, delivery);
        }
    }

    fn park(&self, open: &mut HashMap<GrantId, Open>, grant: GrantId, serial: u64, delivery: Box<dyn Delivery>) {
        let patience = if delivery.bytes_left() == 0 { self.patience.whole } else { self.patience.part };
        let until = Instant::now() + patience;
        if open.len() >= PARKED_MAX {
            let parked = open.iter().filter_map(|(grant, open)| match open.state {
                State::Parked { until, .. } => Some((until, *grant)),
                State::Passing(_) => None,
            });
            parked.min().and_then(|(_, first)| open.remove(&first));
        }
        open.insert(grant, Open { serial, state: State::Parked { delivery, until } });
    }

    fn open(&self) -> MutexGuard<'_, HashMap<GrantId, Open>> {
        // The map is whole after every step, so a panic elsewhere does not spoil it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One delivery on its way to a browser.
struct Passing {
    all: Arc<Deliveries>,
    grant: GrantId,
    serial: u64,
    /// `None` once it ended or broke.
    running: Option<(Box<dyn Delivery>, OwnedSemaphorePermit)>,
}

impl Passing {
    async fn next(mut self) -> Option<(Result<Bytes, NetworkError>, Self)> {
        let (delivery, _place) = self.running.as_mut()?;
        let announced = delivery.bytes_left();
        let passed = match delivery.next().await {
            Ok(Some(bytes)) if bytes.len() as u64 > announced => Err(more_than_announced()),
            Ok(Some(bytes)) => {
                if delivery.bytes_left() == 0 {
                    // Before the browser sees the last byte, so that its receipt finds the delivery parked.
                    self.release();
                }
                Ok(bytes)
            }
            Ok(None) => return None,
            Err(error) => Err(error),
        };
        if let Err(error) = &passed {
            debug!(grant = %self.grant, %error, "delivery broke");
            self.running = None;
        }
        Some((passed, self))
    }

    fn release(&mut self) {
        let ended = self.running.take().map(|(delivery, _place)| delivery);
        self.all.release(self.grant, self.serial, ended);
    }
}

impl Drop for Passing {
    /// The end, or the browser went away: both come here.
    fn drop(&mut self) {
        self.release();
    }
}

fn more_than_announced() -> NetworkError {
    NetworkError::Provider(io::Error::from(io::ErrorKind::InvalidData).into())
}
