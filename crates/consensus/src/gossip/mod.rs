//! Tells all other validators what is not a block: messages of our own validators, and Ethereum transactions.
//!
//! ```text
//!  GossipSender ──queue──┐                                             ┌──queue──▶ GossipReceiver
//!                        ├─▶ one packet each 20 ms ═▶ channel 5 ═▶ split┤
//!  users' transactions ──┘                                             └──queue──▶ transaction pool
//! ```
//!
//! Best effort: a validator that is not connected misses what is said, and nothing is said again. Whoever needs
//! certainty says it again itself; what is in a block needs no gossip. Small messages travel together, because the
//! network counts messages and not bytes.
//!
//! **Limits.** Each queue holds at most 4,096 messages and 32 MiB. An outgoing message that finds its queue full is
//! refused, so that its author knows; an incoming one is dropped, because its author is gone: the newest loses in both
//! directions. Every loss is counted ([`GossipCounts`]).

mod carrier;
mod packet;

use bytes::Bytes;
use commonware_utils::NZU32;
use packet::FRAME_BYTES;
use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Largest message, in bytes: a full slot proposal.
pub const MESSAGE_BYTES_MAX: usize = 6 << 20;

/// Messages a queue holds.
const QUEUE_MESSAGES: usize = 4_096;
/// Bytes a queue holds. Counted in KiB, because a semaphore's count is small on 32-bit machines.
const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Largest packet, in bytes: one largest message.
pub(crate) const PACKET_BYTES_MAX: usize = MESSAGE_BYTES_MAX + FRAME_BYTES;
/// Time between two packets, which bounds them to 50 a second.
const PACKET_INTERVAL: Duration = Duration::from_millis(20);
/// Packets a second that a receiver takes from one validator: some more than are sent, or bursts would be lost.
pub(crate) const PACKETS_PER_SECOND: NonZeroU32 = NZU32!(64);
/// Packets that may come at once.
pub(crate) const PACKETS_AT_ONCE: NonZeroU32 = NZU32!(8);

const _: () = assert!(QUEUE_BYTES_MAX >= MESSAGE_BYTES_MAX);
const _: () = assert!(1_000 / PACKET_INTERVAL.as_millis() < PACKETS_PER_SECOND.get() as u128);

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GossipError {
    /// It can never be sent.
    #[error("a message of {bytes} bytes is longer than {MESSAGE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Too much is waiting already: say it later, or not at all.
    #[error("the gossip queue is full")]
    Full,
    /// Consensus has ended.
    #[error("consensus has ended")]
    Ended,
}

/// What was lost since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GossipCounts {
    /// Messages refused to their author here, because the queue was full.
    pub refused: u64,
    /// Messages of others that nobody here took in time.
    pub dropped: u64,
    /// Transactions, of our users or of other validators, that waited too long.
    pub transactions: u64,
    /// Packets that were not packets. Anything but 0 means a faulty validator.
    pub malformed: u64,
}

#[derive(Default)]
struct Losses {
    refused: AtomicU64,
    dropped: AtomicU64,
    transactions: AtomicU64,
    malformed: AtomicU64,
}

/// A message of another validator. Its bytes count against the queue until it is dropped.
#[derive(Debug)]
pub struct GossipMessage {
    /// Number in the genesis of the validator that sent it.
    pub validator: usize,
    /// What it said.
    pub bytes: Bytes,
    _space: OwnedSemaphorePermit,
}

/// Messages of the other validators, in the order in which each sent its own.
pub type GossipReceiver = mpsc::Receiver<GossipMessage>;

/// Says things to all other validators. Cheap to clone.
#[derive(Clone)]
pub struct GossipSender {
    queue: mpsc::Sender<(Bytes, OwnedSemaphorePermit)>,
    space: Space,
    losses: Arc<Losses>,
}

impl GossipSender {
    /// Sends `message` to every validator that is connected.
    ///
    /// # Errors
    /// [`GossipError`]; the message is not sent then.
    pub fn send(&self, message: Bytes) -> Result<(), GossipError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(GossipError::TooLong { bytes: message.len() });
        }
        let full = || {
            self.losses.refused.fetch_add(1, Relaxed);
            GossipError::Full
        };
        let space = self.space.take(message.len()).ok_or_else(full)?;
        self.queue.try_send((message, space)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => full(),
            mpsc::error::TrySendError::Closed(_) => GossipError::Ended,
        })
    }

    /// What was lost so far.
    pub fn counts(&self) -> GossipCounts {
        let Losses { refused, dropped, transactions, malformed } = &*self.losses;
        GossipCounts {
            refused: refused.load(Relaxed),
            dropped: dropped.load(Relaxed),
            transactions: transactions.load(Relaxed),
            malformed: malformed.load(Relaxed),
        }
    }
}

/// Bytes that a queue has left.
#[derive(Clone)]
struct Space(Arc<Semaphore>);

impl Space {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(QUEUE_BYTES_MAX >> 10)))
    }

    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        // A message is far below 4 TiB. Even an empty one takes a KiB, as its place in the queue does.
        let kibibytes = u32::try_from(bytes.div_ceil(1 << 10).max(1)).ok()?;
        self.0.clone().try_acquire_many_owned(kibibytes).ok()
    }
}

/// The engine's half of the queues.
pub(crate) struct Gossip {
    outgoing: mpsc::Receiver<(Bytes, OwnedSemaphorePermit)>,
    inbox: mpsc::Sender<GossipMessage>,
    space: Space,
    losses: Arc<Losses>,
}

/// Makes both queues.
pub(crate) fn queues() -> (GossipSender, GossipReceiver, Gossip) {
    let (queue, outgoing) = mpsc::channel(QUEUE_MESSAGES);
    let (inbox, incoming) = mpsc::channel(QUEUE_MESSAGES);
    let losses = Arc::<Losses>::default();
    let sender = GossipSender { queue, space: Space::new(), losses: losses.clone() };
    (sender, incoming, Gossip { outgoing, inbox, space: Space::new(), losses })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_loses_when_a_queue_is_full() {
        let (sender, _incoming, mut engine) = queues();
        let large = Bytes::from(vec![0; MESSAGE_BYTES_MAX]);
        let fitting = QUEUE_BYTES_MAX / MESSAGE_BYTES_MAX;
        assert_eq!((0..fitting).map(|_| sender.send(large.clone())).filter(Result::is_ok).count(), fitting);
        assert_eq!(sender.send(large.clone()), Err(GossipError::Full));
        assert_eq!(sender.counts(), GossipCounts { refused: 1, ..GossipCounts::default() });
        drop(engine.outgoing.try_recv().unwrap());
        assert_eq!(sender.send(large), Ok(()));
        let bytes = MESSAGE_BYTES_MAX + 1;
        assert_eq!(sender.send(Bytes::from(vec![0; bytes])), Err(GossipError::TooLong { bytes }));
        drop(engine);
        assert_eq!(sender.send(Bytes::from_static(b"late")), Err(GossipError::Ended));
    }
}
