//! Takes connections for the relay: TLS, HTTP, the proof of a node's name, then a seat, or a refusal.
//!
//! ```text
//! node ── TCP, TLS, GET /relay ──▶ WebSocket ── challenge, signature ──▶ Ledger::admit ──▶ iroh's relay, metered
//!      ── GET /ping ─────────────▶ 200           "how far is this relay?"
//! ```
//!
//! iroh's relay has a server of its own, which counts nothing by node; what is here is the way its crate offers to those
//! who bring another (`RelayedStream::new`). At most [`CONNECTIONS_MAX`] connections: another one is closed at once. Who has
//! not proved its name within [`ESTABLISH_TIMEOUT`] is closed too.

use super::{SharedLedger, ledger::SeatId, lock, metered};
use crate::{
    clock::Clock,
    node::{endpoint_id, node_id},
};
use axum::{
    Extension, Router,
    extract::{FromRequestParts as _, Request, State, WebSocketUpgrade, ws::WebSocket},
    http::{StatusCode, header::ACCESS_CONTROL_ALLOW_ORIGIN, request::Parts},
    response::Response,
    routing::get,
};
use hyper::{body::Incoming, server::conn::http1, service::Service as _};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use iroh::EndpointId;
use iroh_relay::{
    KeyCache,
    http::{CLIENT_AUTH_HEADER, ProtocolVersion, RELAY_PATH, RELAY_PROBE_PATH},
    protos::handshake,
    server::{
        Access, AccessControl, ClientRequest, ConnectionId, DynAccessControl, Metrics, client::Config,
        clients::Clients, streams::RelayedStream,
    },
};
use std::{
    error::Error,
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

/// Most connections at a time.
const CONNECTIONS_MAX: usize = 1 << 14;
/// Patience with TLS and HTTP, and again with the proof of a name.
const ESTABLISH_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause when no connection can be taken: without file descriptors it would be tried again at once, for ever.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest WebSocket message: iroh's limit of a frame.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Public keys that are not decompressed again for each packet.
const KEYS_MAX: usize = 1 << 14;
/// What we speak; iroh has it since 0.98.
const VERSION: ProtocolVersion = ProtocolVersion::V2;

/// What all connections share.
pub(super) struct Front {
    ledger: SharedLedger,
    clock: Clock,
    clients: Clients,
    metrics: Arc<Metrics>,
    keys: KeyCache,
}

/// The connections of a relay: ends them when it is dropped. Each connection's task keeps all that it shares with the
/// others alive, so that without a word they would go on among themselves.
pub(super) struct Connections(pub(super) Arc<Front>);

impl Drop for Connections {
    fn drop(&mut self) {
        let nodes = lock(&self.0.ledger).nodes();
        for node in nodes.iter().filter_map(|node| endpoint_id(node).ok()) {
            self.0.clients.disconnect(node, None);
        }
    }
}

/// Who is at the other end, as far as TCP knows, and its place among the connections.
#[derive(Clone)]
struct Caller {
    address: IpAddr,
    place: Arc<OwnedSemaphorePermit>,
}

impl Front {
    pub(super) fn new(ledger: SharedLedger, clock: Clock) -> Arc<Self> {
        let (clients, metrics) = (Clients::default(), Arc::new(Metrics::default()));
        Arc::new(Self { ledger, clock, clients, metrics, keys: KeyCache::new(KEYS_MAX) })
    }

    /// Bytes of packets that were passed on.
    pub(super) fn relayed_bytes(&self) -> u64 {
        self.metrics.bytes_sent.get()
    }

    /// Ends all connections.
    pub(super) async fn stop(&self) {
        self.clients.shutdown().await;
    }

    /// Takes connections until it is dropped.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, tls: TlsAcceptor) {
        let router = Router::new()
            .route(RELAY_PATH, get(relay))
            .route(RELAY_PROBE_PATH, get(async || [(ACCESS_CONTROL_ALLOW_ORIGIN, "*")]))
            .with_state(self);
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut opening = JoinSet::new();
        loop {
            tokio::select! {
                Some(ended) = opening.join_next() => if let Err(panic) = ended {
                    tracing::error!(%panic, "a relay's connection failed");
                },
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        // Dropped, and so closed, where there is no place.
                        let Ok(place) = places.clone().try_acquire_owned() else { continue };
                        let caller = Caller { address: peer.ip(), place: Arc::new(place) };
                        opening.spawn(open(stream, caller, tls.clone(), router.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the relay cannot take a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

/// Brings a connection to its WebSocket, or to its end.
async fn open(stream: TcpStream, caller: Caller, tls: TlsAcceptor, router: Router) {
    let speak = async {
        // Small packets must not wait for the acknowledgement of earlier ones; without it they only come later.
        let _ = stream.set_nodelay(true);
        let stream = tls.accept(stream).await?;
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(caller.clone());
            TowerToHyperService::new(router.clone()).call(request)
        });
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?;
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    match timeout(ESTABLISH_TIMEOUT, speak).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a relay's connection ended before it was one"),
        Err(_) => tracing::debug!("a relay's connection took too long to open"),
    }
}

async fn relay(
    State(front): State<Arc<Front>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, StatusCode> {
    let (mut parts, _body) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await.map_err(|_| StatusCode::BAD_REQUEST)?;
    let upgrade = upgrade.protocols([VERSION.to_str()]);
    if upgrade.selected_protocol().is_none() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(async move |socket| {
        match timeout(ESTABLISH_TIMEOUT, front.seat(socket, caller, parts)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a node is not served"),
            Err(_) => tracing::debug!("a node took too long to prove its name"),
        }
    }))
}

impl Front {
    /// Has the node prove its name, and hands it to iroh's relay.
    async fn seat(&self, socket: WebSocket, caller: Caller, parts: Parts) -> Result<(), handshake::Error> {
        let mut frames = metered::Frames::new(socket);
        let proof = parts.headers.get(CLIENT_AUTH_HEADER).cloned();
        let proved = handshake::serverside(&mut frames, proof).await?;
        let request = ClientRequest::new(proved.client_key, VERSION, parts);
        let door = Arc::new(Door {
            ledger: self.ledger.clone(),
            clock: self.clock.clone(),
            address: caller.address,
            seat: OnceLock::new(),
            _place: caller.place,
        });
        let access: Arc<dyn DynAccessControl> = door.clone();
        let guard = proved.authorize_with(&request, &access, &mut frames).await?;
        // Who is let in has a seat.
        if let Some(seat) = door.seat.get() {
            let metered = metered::Metered::new(frames, self.ledger.clone(), self.clock.clone(), *seat);
            let stream = RelayedStream::new(metered, self.keys.clone());
            self.clients.register(Config::new(guard, stream, VERSION), self.metrics.clone());
        }
        Ok(())
    }
}

/// Asks the ledger for one connection's seat, and gives it back when the connection is gone.
struct Door {
    ledger: SharedLedger,
    clock: Clock,
    address: IpAddr,
    seat: OnceLock<SeatId>,
    /// Held as long as the connection.
    _place: Arc<OwnedSemaphorePermit>,
}

impl fmt::Debug for Door {
    /// Without the address: what is logged names no viewer's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("seat", &self.seat).finish_non_exhaustive()
    }
}

impl AccessControl for Door {
    async fn on_connect(&self, request: &ClientRequest) -> Access {
        let node = node_id(&request.endpoint_id());
        match lock(&self.ledger).admit(node, self.address, self.clock.now_ms()) {
            Ok(seat) => {
                // Asked once for each connection.
                let _ = self.seat.set(seat);
                Access::Allow
            }
            Err(refusal) => Access::Deny { reason: Some(refusal.to_string()) },
        }
    }

    fn on_disconnect(&self, _: EndpointId, _: ConnectionId) {
        if let Some(seat) = self.seat.get() {
            lock(&self.ledger).leave(*seat);
        }
    }
}
