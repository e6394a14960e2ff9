//! Streams to peers over connections that are kept.
//!
//! One connection per peer and protocol serves everybody in this process. Who asks while a connection is being made
//! waits for that one, and shares its failure. At most [`CONNECTIONS_MAX`] are kept; beyond that the one that was used
//! longest ago is let go (streams on it live on until they end). So is one whose peer confirms no request any more: it ended
//! without a goodbye, and whoever runs under its name since knows nothing of the connection.

use crate::{
    address::AddressRecord,
    control::{ProviderWords, Telling, Told},
    lookup::ControllerInfo,
    node::{NodeIdError, NodeKey, endpoint_id, node_id},
    serve::Alpn,
    stream::PeerStream,
};
use chainflix_primitives::NodeId;
use iroh::{Endpoint, EndpointAddr, address_lookup::MemoryLookup, endpoint::Connection};
use std::{
    collections::HashMap,
    error::Error,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Notify, time::timeout};

/// Most connections kept for reuse.
pub const CONNECTIONS_MAX: usize = 256;

/// How long to wait for peers.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until a connection stands, hole punching included.
    pub connect: Duration,
    /// Longest silence inside a request.
    pub stall: Duration,
    /// Until a request is confirmed, however long its answer takes; shorter than `stall`. QUIC probes several times in it.
    pub confirm: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(8), stall: Duration::from_secs(5), confirm: Duration::from_secs(3) }
    }
}

/// Why a peer cannot be asked anything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// No peer can have this name.
    #[error(transparent)]
    NotANode(#[from] NodeIdError),
    /// There is no way to it, or it refused the connection.
    #[error("node {node} cannot be reached")]
    Unreachable {
        node: NodeId,
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
    /// It did not answer in time.
    #[error("node {node} did not answer within {after_ms} ms")]
    Timeout { node: NodeId, after_ms: u64 },
}

/// Which way the bytes of a connection go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathKind {
    /// From network to network.
    Direct,
    /// Through a relay.
    Relayed,
    /// Not known (yet, or any more).
    Unknown,
}

impl PathKind {
    pub(crate) fn of(connection: &Connection) -> Self {
        match connection.paths().iter().find(|path| path.is_selected()) {
            Some(path) if path.is_ip() => Self::Direct,
            Some(path) if path.is_relay() => Self::Relayed,
            _ => Self::Unknown,
        }
    }
}

type Key = (NodeId, Alpn);

#[derive(Default)]
struct Slot {
    state: tokio::sync::Mutex<SlotState>,
    /// When this slot was asked for last, in streams opened by this process.
    used: AtomicU64,
}

#[derive(Default)]
enum SlotState {
    #[default]
    Idle,
    Connected(Kept),
    Failed {
        at: Instant,
        source: Arc<dyn Error + Send + Sync>,
    },
}

/// A connection, and whether its peer was found to be gone.
#[derive(Clone)]
struct Kept {
    connection: Connection,
    gone: Arc<AtomicBool>,
}

impl Kept {
    fn stands(&self) -> bool {
        self.connection.close_reason().is_none() && !self.gone.load(Ordering::Relaxed)
    }
}

struct Inner {
    endpoint: Endpoint,
    known: MemoryLookup,
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
    turns: AtomicU64,
    timeouts: Timeouts,
    /// Somebody found out that a controller may have forgotten our addresses.
    forgotten: Notify,
}

/// Opens streams to peers. Cheap to clone.
#[derive(Clone)]
pub struct Dialer(Arc<Inner>);

impl Dialer {
    /// Where this node is, as far as it knows: its addresses, found public ones among them, and its relay.
    pub fn ways(&self) -> ControllerInfo {
        let ways = self.0.endpoint.addr();
        ControllerInfo {
            node: self.node_id(),
            direct: ways.ip_addrs().copied().collect(),
            relay: ways.relay_urls().next().map(ToString::to_string),
        }
    }

    pub(crate) fn new(endpoint: Endpoint, known: MemoryLookup, timeouts: Timeouts) -> Self {
        let (slots, turns, forgotten) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Self(Arc::new(Inner { endpoint, known, slots, turns, timeouts, forgotten }))
    }

    /// Opens a stream to `node`, over the connection that stands or a new one.
    pub async fn open(&self, node: NodeId, alpn: Alpn) -> Result<PeerStream, DialError> {
        let mut last = None;
        // A kept connection may have died unnoticed, so a stream that does not open is worth one new connection.
        for _ in 0..2 {
            let Kept { connection, gone } = self.connection(node, alpn).await?;
            let Timeouts { connect, stall, confirm } = self.0.timeouts;
            match timeout(connect, connection.open_bi()).await {
                Ok(Ok(streams)) => {
                    return Ok(PeerStream::new(node, connection, streams, stall).confirmed_within(confirm, gone));
                }
                Ok(Err(error)) => last = Some(Arc::new(error) as Arc<dyn Error + Send + Sync>),
                Err(_) => return Err(self.timed_out(node)),
            }
        }
        match last {
            Some(source) => Err(DialError::Unreachable { node, source }),
            None => Err(self.timed_out(node)),
        }
    }

    /// Remembers where a peer says it is, beside what the address lookup answers.
    ///
    /// The record's signature must have been checked.
    pub fn learn(&self, record: &AddressRecord) -> Result<(), NodeIdError> {
        self.0.known.add_endpoint_info(record.endpoint_addr()?);
        Ok(())
    }

    /// Signs words of this node, a provider's.
    pub fn sign(&self, number: u64, at_ms: u64, words: ProviderWords) -> Telling {
        Telling::new(Told { node: self.node_id(), number, at_ms, words }, &NodeKey::of(&self.0.endpoint))
    }

    /// Publishes our addresses again, soon: for who learns that a controller started anew.
    pub fn publish_again(&self) {
        self.0.forgotten.notify_one();
    }

    pub(crate) async fn forgotten(&self) {
        self.0.forgotten.notified().await;
    }

    /// The connections that stand, and which way their bytes go.
    pub fn paths(&self) -> Vec<(NodeId, Alpn, PathKind)> {
        let slots: Vec<_> = self.slots().iter().map(|(key, slot)| (*key, slot.clone())).collect();
        let standing = |(key, slot): (Key, Arc<Slot>)| {
            let state = slot.state.try_lock().ok()?;
            match &*state {
                SlotState::Connected(kept) if kept.stands() => Some((key.0, key.1, PathKind::of(&kept.connection))),
                _ => None,
            }
        };
        slots.into_iter().filter_map(standing).collect()
    }

    /// Our own name.
    pub fn node_id(&self) -> NodeId {
        node_id(&self.0.endpoint.id())
    }

    /// Longest silence inside a request.
    pub fn timeouts(&self) -> Timeouts {
        self.0.timeouts
    }

    async fn connection(&self, node: NodeId, alpn: Alpn) -> Result<Kept, DialError> {
        let remote = EndpointAddr::new(endpoint_id(&node)?);
        let asked = Instant::now();
        let slot = self.slot((node, alpn));
        let mut state = slot.state.lock().await;
        match &*state {
            SlotState::Connected(kept) if kept.stands() => return Ok(kept.clone()),
            SlotState::Failed { at, source } if *at >= asked => {
                return Err(DialError::Unreachable { node, source: source.clone() });
            }
            _ => {}
        }
        let connecting = self.0.endpoint.connect(remote, alpn.bytes());
        match timeout(self.0.timeouts.connect, connecting).await {
            Ok(Ok(connection)) => {
                let kept = Kept { connection, gone: Arc::default() };
                *state = SlotState::Connected(kept.clone());
                Ok(kept)
            }
            Ok(Err(error)) => {
                let source: Arc<dyn Error + Send + Sync> = Arc::new(error);
                *state = SlotState::Failed { at: Instant::now(), source: source.clone() };
                Err(DialError::Unreachable { node, source })
            }
            Err(elapsed) => {
                *state = SlotState::Failed { at: Instant::now(), source: Arc::new(elapsed) };
                Err(self.timed_out(node))
            }
        }
    }

    fn slot(&self, key: Key) -> Arc<Slot> {
        let mut slots = self.slots();
        if !slots.contains_key(&key) && slots.len() >= CONNECTIONS_MAX {
            // Nobody waits on a slot that only this map knows.
            let idle = slots.iter().filter(|(_, slot)| Arc::strong_count(slot) == 1);
            let oldest = idle.min_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed)).map(|(key, _)| *key);
            oldest.and_then(|key| slots.remove(&key));
        }
        let slot = slots.entry(key).or_default().clone();
        slot.used.store(self.0.turns.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        slot
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Key, Arc<Slot>>> {
        // The map is whole after every step, so a panic elsewhere does not spoil it.
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn timed_out(&self, node: NodeId) -> DialError {
        let after_ms = u64::try_from(self.0.timeouts.connect.as_millis()).unwrap_or(u64::MAX);
        DialError::Timeout { node, after_ms }
    }
}
