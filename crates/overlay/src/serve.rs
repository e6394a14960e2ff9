//! Being reached: what a role implements, and the bounded accept loop in front of it.
//!
//! ```text
//! connection ──▶ slot free? ──no──▶ closed as busy
//!                   │yes
//!                   ▼
//!               streams, each a task of this connection; at most `streams_max` at a time, the rest waits
//! ```
//!
//! QUIC keeps a peer from opening more streams than that, so waiting is the exception. When the connection ends its
//! tasks run to their end: they fail at their next read or write, and what they had finished is not thrown away.

use crate::{node::node_id, stream::PeerStream};
use futures::future::BoxFuture;
use iroh::{
    endpoint::{Connection, VarInt},
    protocol::{AcceptError, ProtocolHandler},
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
};
use tracing::{debug, error};

/// The connection was closed because there are too many.
pub(crate) const CLOSED_BUSY: VarInt = VarInt::from_u32(1);

/// One of our protocols, by its ALPN (RFC 7301). The number at the end is its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpn {
    /// Fetch a cell under a grant.
    Cell,
    /// Put, get and delete sealed cells.
    Store,
    /// Everything that is said to a controller.
    Control,
}

impl Alpn {
    /// The name on the wire.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Cell => b"chainflix/cell/1",
            Self::Store => b"chainflix/store/1",
            Self::Control => b"chainflix/control/1",
        }
    }
}

/// How much one protocol serves at a time.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections; further ones are closed as busy.
    pub connections_max: usize,
    /// Streams of one connection.
    pub streams_max: usize,
    /// Longest silence inside a request.
    pub stall: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self { connections_max: 1024, streams_max: 64, stall: Duration::from_secs(15) }
    }
}

/// What a role implements to be reached by peers.
pub trait Protocol: Send + Sync + 'static {
    /// Under which name.
    fn alpn(&self) -> Alpn;

    /// Serves one request to its end. Called once per stream, many at a time.
    fn serve(self: Arc<Self>, stream: PeerStream) -> BoxFuture<'static, ()>;
}

pub(crate) struct Accept {
    protocol: Arc<dyn Protocol>,
    connections: Arc<Semaphore>,
    limits: ServeLimits,
}

impl Accept {
    pub(crate) fn new(protocol: Arc<dyn Protocol>, limits: ServeLimits) -> Self {
        Self { protocol, connections: Arc::new(Semaphore::new(limits.connections_max)), limits }
    }

    async fn streams(&self, connection: &Connection) {
        let peer = node_id(&connection.remote_id());
        let mut streams = JoinSet::new();
        loop {
            if streams.len() >= self.limits.streams_max {
                streams.join_next().await.into_iter().for_each(|ended| report(ended, self.protocol.alpn()));
                continue;
            }
            tokio::select! {
                opened = connection.accept_bi() => match opened {
                    Ok(opened) => {
                        let stream = PeerStream::new(peer, connection.clone(), opened, self.limits.stall);
                        streams.spawn(self.protocol.clone().serve(stream));
                    }
                    Err(reason) => {
                        debug!(%peer, %reason, "connection ended");
                        break;
                    }
                },
                Some(ended) = streams.join_next() => report(ended, self.protocol.alpn()),
            }
        }
        while let Some(ended) = streams.join_next().await {
            report(ended, self.protocol.alpn());
        }
    }
}

/// A panic in one request is a bug in it and no reason to stop serving the others.
fn report(ended: Result<(), JoinError>, alpn: Alpn) {
    if let Err(panic) = ended {
        error!(?alpn, %panic, "a request handler failed");
    }
}

impl ProtocolHandler for Accept {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        match self.connections.clone().try_acquire_owned() {
            Ok(_slot) => self.streams(&connection).await,
            Err(_) => connection.close(CLOSED_BUSY, b"busy"),
        }
        Ok(())
    }
}

impl fmt::Debug for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept").field("alpn", &self.protocol.alpn()).field("limits", &self.limits).finish()
    }
}
