//! Address lookup that our controllers answer, over iroh itself.
//!
//! ```text
//! iroh ── our addresses changed ──▶ ┌──────┐ ── PutAddress, signed, numbered ──▶ every controller
//! iroh ── where is node X? ───────▶ │ task │ ── GetAddress ────────────────────▶ one after the other
//!      ◀── ways to X ────────────── └──────┘ ◀── record, its signature checked
//! ```
//!
//! There is no hen and egg: where the controllers are is configuration. iroh's hooks must not block and are called
//! again on every change, so they only leave a note: of several new address sets the newest is published, and a query
//! that finds the queue full is answered "not known". The task belongs to the [`Overlay`](crate::Overlay).

use crate::{
    address::AddressRecord,
    clock::Clock,
    control,
    dial::Dialer,
    node::{NodeIdError, NodeKey, endpoint_id, node_id},
};
use chainflix_primitives::NodeId;
use futures::{FutureExt, stream};
use iroh::{
    EndpointAddr, EndpointId, TransportAddr,
    address_lookup::{AddressLookup, EndpointData, EndpointInfo, Error, Item},
};
use n0_future::boxed::BoxStream;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::Instant,
};
use tracing::{debug, warn};

/// Name of this service in iroh's logs.
const PROVENANCE: &str = "chainflix-controller";
/// Queries that wait or run; more are answered "not known".
const QUERIES_MAX: usize = 64;
/// Addresses are published again this often, because a controller forgets them when it restarts. Providers notice that
/// sooner and ask for it.
const REPUBLISH: Duration = Duration::from_secs(60);
/// Pause after a publication that no controller took; doubled each time up to [`REPUBLISH`].
const RETRY: Duration = Duration::from_millis(500);

/// Where a controller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerInfo {
    /// Its name.
    pub node: NodeId,
    /// Its addresses.
    pub direct: Vec<SocketAddr>,
    /// The relay it waits at.
    pub relay: Option<String>,
}

impl ControllerInfo {
    pub(crate) fn endpoint_addr(&self) -> Result<EndpointAddr, NodeIdError> {
        let relay = self.relay.as_ref().and_then(|url| url.parse().ok()).map(TransportAddr::Relay);
        let direct = self.direct.iter().copied().map(TransportAddr::Ip);
        Ok(EndpointAddr::from_parts(endpoint_id(&self.node)?, relay.into_iter().chain(direct)))
    }
}

#[derive(Debug)]
struct Query {
    node: EndpointId,
    answer: oneshot::Sender<Result<AddressRecord, io::Error>>,
}

/// What iroh holds: two ends of channels, no connection and no task.
#[derive(Clone, Debug)]
pub(crate) struct ControllerLookup {
    controllers: Vec<EndpointId>,
    ours: watch::Sender<Option<EndpointData>>,
    queries: mpsc::Sender<Query>,
}

/// What the task holds.
pub(crate) struct LookupTask {
    controllers: Vec<NodeId>,
    ours: watch::Receiver<Option<EndpointData>>,
    queries: mpsc::Receiver<Query>,
}

pub(crate) fn lookup(controllers: &[ControllerInfo]) -> Result<(ControllerLookup, LookupTask), NodeIdError> {
    let (ours, ours_seen) = watch::channel(None);
    let (queries, queries_seen) = mpsc::channel(QUERIES_MAX);
    let nodes: Vec<NodeId> = controllers.iter().map(|controller| controller.node).collect();
    let ids = nodes.iter().map(endpoint_id).collect::<Result<_, _>>()?;
    let hooks = ControllerLookup { controllers: ids, ours, queries };
    Ok((hooks, LookupTask { controllers: nodes, ours: ours_seen, queries: queries_seen }))
}

impl AddressLookup for ControllerLookup {
    fn publish(&self, data: &EndpointData) {
        self.ours.send_replace(Some(data.clone()));
    }

    fn resolve(&self, node: EndpointId) -> Option<BoxStream<Result<Item, Error>>> {
        // Asking a controller where the controllers are would wait for itself.
        if self.controllers.contains(&node) {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        self.queries.try_send(Query { node, answer }).ok()?;
        let found = answered.map(|answer| {
            let record = answer.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
            let ways = record.and_then(|record| record.endpoint_addr().map_err(io::Error::other));
            match ways {
                Ok(ways) => Ok(Item::new(EndpointInfo::from(ways), PROVENANCE, None)),
                Err(error) => Err(Error::from_err(PROVENANCE, error)),
            }
        });
        Some(Box::pin(stream::once(found)))
    }
}

impl LookupTask {
    /// Publishes and answers until iroh lets go of its end.
    pub(crate) async fn run(mut self, dialer: Dialer, key: NodeKey, clock: Clock) {
        let mut running = JoinSet::new();
        let mut sequence = 0;
        let mut retry = RETRY;
        let mut publish_at = Instant::now();
        loop {
            tokio::select! {
                changed = self.ours.changed() => match changed {
                    Ok(()) => publish_at = Instant::now(),
                    Err(_) => return,
                },
                () = dialer.forgotten() => publish_at = Instant::now(),
                () = tokio::time::sleep_until(publish_at), if self.ours.borrow().is_some() => {
                    sequence = clock.now_ms().max(sequence + 1);
                    let taken = self.publish(&dialer, &key, sequence).await;
                    retry = if taken { RETRY } else { (retry * 2).min(REPUBLISH) };
                    publish_at = Instant::now() + if taken { REPUBLISH } else { retry };
                }
                Some(query) = self.queries.recv(), if running.len() < QUERIES_MAX => {
                    running.spawn(answer(query, self.controllers.clone(), dialer.clone()));
                }
                Some(_) = running.join_next() => {}
            }
        }
    }

    /// Whether any controller took our addresses.
    async fn publish(&mut self, dialer: &Dialer, key: &NodeKey, sequence: u64) -> bool {
        let Some(ours) = self.ours.borrow_and_update().clone() else { return false };
        let record = AddressRecord::of(ours.addrs(), sequence, key);
        let mut taken = false;
        for controller in &self.controllers {
            match control::put_address(dialer, *controller, record.clone()).await {
                Ok(()) => taken = true,
                Err(error) => debug!(%controller, %error, "our addresses were not taken"),
            }
        }
        taken
    }
}

async fn answer(query: Query, controllers: Vec<NodeId>, dialer: Dialer) {
    let node = node_id(&query.node);
    let mut found = Err(io::ErrorKind::NotFound.into());
    for controller in controllers {
        match control::get_address(&dialer, controller, node).await {
            Ok(Some(record)) if record.body.node != node => {
                warn!(%controller, %node, "a controller answered with another node's addresses");
            }
            Ok(Some(record)) => match record.verify() {
                Ok(()) => {
                    found = Ok(record);
                    break;
                }
                Err(error) => warn!(%controller, %error, "a controller answered with a bad address record"),
            },
            Ok(None) => {}
            Err(error) => debug!(%controller, %error, "a controller did not answer"),
        }
    }
    // Nobody waits any more when the dial ended meanwhile.
    let _ = query.answer.send(found);
}
