//! `POST /`: JSON-RPC 2.0 over HTTP. `GET /health`: whether this validator can tell its head.
//!
//! ```text
//! body ──▶ small? ──▶ envelope: one, a batch, or not a request
//!   │                    └─▶ each: cfx_* ──▶ dispatch ──▶ CfxApi        others ──▶ EthereumApi
//!   └─▶ large: cfx_submitManifest alone, a few at a time
//! ```
//!
//! Errors are answers, with status 200, as Ethereum's clients expect. Pages of any origin may ask (CORS): nothing here
//! is decided by cookies or by where the asking page comes from. A request without an id is done and not answered.

mod body;
mod dispatch;
mod envelope;
#[cfg(test)]
mod tests;

use crate::{
    api::{CfxApi, EthereumApi},
    error::{BAD_PARAMS, LIMIT, PARSE, TIMEOUT, WireError},
    http::{self, Limits},
    origin::{FORWARDED_FOR, client_address, is_trusted},
    types::HexBytes,
};
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use body::{BodyError, Read};
use chainflix_primitives::manifest::MANIFEST_BYTES_MAX;
use dispatch::{Asker, Caller};
use envelope::{Envelope, Request};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};
use tracing::{debug, warn};

/// Longest body of `cfx_submitManifest`: the manifest in hex, and the envelope around it.
const LARGE_BODY_BYTES_MAX: usize = 2 * MANIFEST_BYTES_MAX + 1024;
/// Requests of one batch that run at a time.
const BATCH_WIDTH: usize = 4;

/// What one server takes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Gateways whose `x-forwarded-for` is believed.
    pub trusted_gateways: Vec<IpAddr>,
    /// Controllers: nobody else may ask for a grant, who could name its own providers as the holders. Only requests that
    /// come straight from there count, not forwarded ones.
    pub controllers: Vec<IpAddr>,
    /// Longest body, in bytes; `cfx_submitManifest` has a limit of its own, the manifest's.
    pub body_bytes_max: usize,
    /// Most bodies above [`Self::body_bytes_max`] at a time.
    pub large_bodies_max: usize,
    /// Most requests of one batch.
    pub batch_max: usize,
    /// Most bytes the answers to one batch have together; what comes after them is answered with an error.
    pub batch_answer_bytes_max: usize,
    /// Longest time one request takes, and a body takes to arrive.
    pub patience: Duration,
    /// Connections.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trusted_gateways: Vec::new(),
            controllers: Vec::new(),
            body_bytes_max: 2 << 20,
            large_bodies_max: 4,
            batch_max: 100,
            batch_answer_bytes_max: 16 << 20,
            patience: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }
}

struct Server {
    ethereum: Arc<dyn EthereumApi>,
    cfx: Arc<dyn CfxApi>,
    large_bodies: Arc<Semaphore>,
    options: Options,
}

/// Answers requests on `listener` until `shutdown` completes; returns when the last answer is out or out of time.
pub async fn serve(
    listener: TcpListener,
    ethereum: Arc<dyn EthereumApi>,
    cfx: Arc<dyn CfxApi>,
    options: Options,
    shutdown: impl Future<Output = ()>,
) {
    let mut limits = options.limits.clone();
    limits.shared.extend(options.trusted_gateways.iter().chain(&options.controllers));
    let large_bodies = Arc::new(Semaphore::new(options.large_bodies_max));
    let server = Arc::new(Server { ethereum, cfx, large_bodies, options });
    let router =
        Router::new().route("/", post(requests).options(preflight)).route("/health", get(health)).with_state(server);
    http::serve(listener, router, limits, shutdown).await;
}

/// CORS for wallets and pages (Fetch standard, "CORS-preflight request").
async fn preflight() -> impl IntoResponse {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, allowed)
}

async fn health(State(server): State<Arc<Server>>) -> Response {
    match timeout(server.options.patience, server.cfx.head()).await {
        Ok(Ok(head)) => axum::Json(json!({"status": "ok", "head": head})).into_response(),
        Ok(Err(error)) => {
            warn!(%error, "not healthy");
            (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({"status": "failing"}))).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({"status": "slow"}))).into_response(),
    }
}

async fn requests(
    State(server): State<Arc<Server>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let options = &server.options;
    let asker = Asker {
        address: client_address(peer, &headers, &options.trusted_gateways),
        is_controller: !headers.contains_key(FORWARDED_FOR) && is_trusted(&options.controllers, peer.ip()),
    };
    let limits = body::Limits {
        small_bytes_max: options.body_bytes_max,
        large_bytes_max: LARGE_BODY_BYTES_MAX.max(options.body_bytes_max),
        large: &server.large_bodies,
    };
    match timeout(options.patience, body::read(body, &limits)).await {
        Ok(Ok(Read::Small(bytes))) => server.answer(&bytes, asker).await,
        Ok(Ok(Read::Large(bytes, _permit))) => server.answer_large(&bytes, asker).await,
        Ok(Err(error)) => {
            debug!(%error, "body refused");
            let code = if matches!(error, BodyError::Broken(_)) { PARSE } else { LIMIT };
            reply(error.status(), &failure(Value::Null, WireError::new(code, error.to_string())))
        }
        Err(_) => reply(StatusCode::REQUEST_TIMEOUT, &failure(Value::Null, WireError::new(TIMEOUT, "too slow"))),
    }
}

impl Server {
    async fn answer(&self, body: &[u8], asker: Asker) -> Response {
        match Envelope::parse(body, self.options.batch_max) {
            Ok(Envelope::One(request)) => match self.one(request, asker).await {
                Some(answer) => reply(StatusCode::OK, &answer),
                None => allow_any_origin(StatusCode::NO_CONTENT.into_response()),
            },
            Ok(Envelope::Batch(requests)) => self.batch(requests, asker).await,
            Err(error) => reply(StatusCode::OK, &failure(Value::Null, error)),
        }
    }

    /// The only method that needs a large body has it read as what it must be: no tree of values is built from
    /// megabytes of a stranger's brackets.
    async fn answer_large(&self, body: &[u8], asker: Asker) -> Response {
        #[derive(serde::Deserialize)]
        struct SubmitManifest {
            method: String,
            params: (HexBytes,),
            #[serde(default)]
            id: Value,
        }
        let answer = match serde_json::from_slice::<SubmitManifest>(body) {
            Ok(SubmitManifest { method, params: (manifest,), id }) if method == "cfx_submitManifest" => {
                let caller = Caller { cfx: self.cfx.as_ref(), asker };
                self.in_time(id, caller.submit_manifest(manifest)).await
            }
            Ok(_) => failure(Value::Null, WireError::new(LIMIT, "the request is too large for its method")),
            Err(_) => failure(Value::Null, WireError::new(BAD_PARAMS, "only cfx_submitManifest may be this large")),
        };
        reply(StatusCode::OK, &answer)
    }

    async fn batch(&self, requests: Vec<Result<Request, WireError>>, asker: Asker) -> Response {
        let answers = stream::iter(requests).map(|request| async move {
            match request {
                Ok(request) => self.one(request, asker).await,
                Err(error) => Some(failure(Value::Null, error)),
            }
        });
        let mut answers = std::pin::pin!(answers.buffered(BATCH_WIDTH));
        let mut body = String::from("[");
        while let Some(answer) = answers.next().await {
            let Some(answer) = answer else { continue };
            let mut text = answer.to_string();
            if body.len() + text.len() > self.options.batch_answer_bytes_max {
                let error = WireError::new(LIMIT, "the answers to this batch are too large together");
                text = failure(answer.get("id").cloned().unwrap_or_default(), error).to_string();
            }
            if body.len() > 1 {
                body.push(',');
            }
            body.push_str(&text);
        }
        body.push(']');
        match body.len() {
            // Nothing but notifications.
            2 => allow_any_origin(StatusCode::NO_CONTENT.into_response()),
            _ => json_reply(StatusCode::OK, body),
        }
    }

    /// Does one request; `None` when it does not want to know.
    async fn one(&self, request: Request, asker: Asker) -> Option<Value> {
        let Request { method, params, id } = request;
        let wanted = id.is_some();
        let id = id.unwrap_or_default();
        let answer = if method.starts_with("cfx_") {
            let caller = Caller { cfx: self.cfx.as_ref(), asker };
            self.in_time(id, caller.call(&method, params)).await
        } else {
            let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            match timeout(self.options.patience, self.ethereum.call(request)).await {
                Ok(answer) => answer,
                Err(_) => failure(id, WireError::new(TIMEOUT, "the request took too long")),
            }
        };
        wanted.then_some(answer)
    }

    async fn in_time(&self, id: Value, call: impl Future<Output = Result<Value, crate::ApiError>>) -> Value {
        match timeout(self.options.patience, call).await {
            Ok(Ok(result)) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Ok(Err(error)) => {
                if let crate::ApiError::Internal(source) = &error {
                    warn!(%source, "a cfx_ method failed");
                }
                failure(id, error.to_wire())
            }
            Err(_) => failure(id, WireError::new(TIMEOUT, "the request took too long")),
        }
    }
}

fn failure(id: Value, error: WireError) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}

fn reply(status: StatusCode, answer: &Value) -> Response {
    json_reply(status, answer.to_string())
}

fn json_reply(status: StatusCode, body: String) -> Response {
    const JSON: (HeaderName, &str) = (header::CONTENT_TYPE, "application/json");
    allow_any_origin((status, [JSON], body).into_response())
}

fn allow_any_origin(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
