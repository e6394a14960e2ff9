//! The server: its state, its limits, and what every request goes through.
//!
//! ```text
//! request ─▶ id, clock, log ─▶ security headers ─▶ patience ─▶ routes
//! ```

use crate::{
    catalogue::Catalogue,
    deliveries::{Deliveries, Patience},
    error::GatewayError,
    network::Network,
    pulse::{self, Listening},
    routes,
    web_app::WebApp,
};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use chainflix_rpc::{
    Client,
    http::{self, Limits},
    origin::client_address,
};
use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{Instant, timeout},
};
use tracing::{Instrument as _, debug, debug_span};

/// What one gateway takes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Reverse proxies before this gateway, whose `x-forwarded-for` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Most deliveries that pass at a time.
    pub deliveries_max: usize,
    /// Most listeners to events at a time.
    pub listeners_max: usize,
    /// Most bytes of manifests kept in memory.
    pub manifest_bytes_max: usize,
    /// How old the list of films may be.
    pub films_age: Duration,
    /// Longest time until a request's answer begins.
    pub patience: Duration,
    /// How long a finished delivery waits for its receipt.
    pub receipt_patience: Patience,
    /// Connections.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            deliveries_max: 512,
            listeners_max: 2048,
            manifest_bytes_max: 64 << 20,
            films_age: Duration::from_secs(2),
            patience: Duration::from_secs(30),
            receipt_patience: Patience::default(),
            limits: Limits::default(),
        }
    }
}

/// What all routes share.
pub(crate) struct Gateway {
    client: Client,
    pub network: Arc<dyn Network>,
    pub catalogue: Arc<Catalogue>,
    pub deliveries: Arc<Deliveries>,
    pub listening: Listening,
    pub listeners: Arc<Semaphore>,
    pub web_app: WebApp,
    patience: Duration,
    trusted_proxies: Vec<IpAddr>,
}

impl Gateway {
    /// The validators, for what the gateway itself wants to know.
    pub fn validators(&self) -> &Client {
        &self.client
    }

    /// The validators, for what a viewer does.
    pub fn validators_for(&self, peer: SocketAddr, headers: &HeaderMap) -> Client {
        self.client.on_behalf_of(client_address(peer, headers, &self.trusted_proxies))
    }
}

/// Serves browsers on `listener` until `shutdown` completes; returns when nothing of it runs any more.
///
/// Starts whether or not a validator answers yet.
pub async fn serve(
    listener: TcpListener,
    client: Client,
    network: Arc<dyn Network>,
    options: Options,
    shutdown: impl Future<Output = ()>,
) {
    serve_app(listener, client, network, WebApp::embedded(), options, shutdown).await;
}

pub(crate) async fn serve_app(
    listener: TcpListener,
    client: Client,
    network: Arc<dyn Network>,
    web_app: WebApp,
    options: Options,
    shutdown: impl Future<Output = ()>,
) {
    let catalogue = Arc::new(Catalogue::new(client.clone(), options.films_age, options.manifest_bytes_max));
    let deliveries = Deliveries::new(options.deliveries_max, options.receipt_patience);
    let (listening, pulse) = pulse::start(client.clone(), catalogue.clone(), deliveries.clone());
    let gateway = Arc::new(Gateway {
        client,
        network,
        catalogue,
        deliveries,
        listening,
        listeners: Arc::new(Semaphore::new(options.listeners_max)),
        web_app,
        patience: options.patience,
        trusted_proxies: options.trusted_proxies.clone(),
    });
    let mut limits = options.limits;
    limits.shared.extend(options.trusted_proxies);
    let ended = async move {
        shutdown.await;
        // Listeners never end by themselves; without this they would use up the time to drain.
        drop(pulse);
    };
    http::serve(listener, router(gateway), limits, ended).await;
}

fn router(gateway: Arc<Gateway>) -> Router {
    routes::router()
        .layer(from_fn_with_state(gateway.clone(), patience))
        .layer(axum::middleware::map_response(secure))
        .layer(from_fn(log))
        .with_state(gateway)
}

async fn patience(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    match timeout(gateway.patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => GatewayError::Timeout.into_response(),
    }
}

/// Numbers requests, so that a log line and an answer in a browser's console can be matched.
async fn log(request: Request, next: Next) -> Response {
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let id = REQUESTS.fetch_add(1, Ordering::Relaxed);
    // The path names a film or an account; nobody's address is logged.
    let span = debug_span!("request", id, method = %request.method(), path = request.uri().path());
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    response.headers_mut().insert(REQUEST_ID, HeaderValue::from(id));
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| debug!(status = response.status().as_u16(), elapsed_ms, "answered"));
    response
}

/// What a page may do (Content Security Policy 3) and what others may do with it.
async fn secure(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
        media-src 'self' blob:; connect-src 'self'; img-src 'self' data: blob:; worker-src 'self'; object-src 'none'; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
