//! A provider's own page: what it gives, what it did, whether others reach it and what to do if not.
//!
//! ```text
//! GET  /             the page, in Korean or English        GET /status.json     the same for programs
//!                                                          GET /reasons.json    words of why something was not paid
//! POST /leave        begins to leave                       POST /stay          stays after all
//! ```
//!
//! For the operator alone: it listens on this machine. A page of somebody else's in the operator's browser can neither
//! read it (it answers to its own name only, which stops rebinding of names) nor send (that needs the header x-chainflix,
//! which no foreign page can set).

use super::{
    days::REASON_WORDS,
    report::{ProviderReport, Reporter},
    state::StateError,
};
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use std::{net::IpAddr, sync::Arc};

/// What no foreign page can send without being asked first.
pub const OWN_HEADER: &str = "x-chainflix";
/// Polls `/status.json`; has all words in both languages.
const PAGE: &str = include_str!("page.html");

/// The page's routes.
pub(super) fn router(reporter: Arc<Reporter>) -> Router {
    Router::new()
        .route("/", get(async || ([(header::CACHE_CONTROL, "no-store")], Html(PAGE))))
        .route("/status.json", get(status))
        .route("/reasons.json", get(async || ([(header::CONTENT_TYPE, "application/json")], REASON_WORDS)))
        .route("/leave", post(async |State(reporter), headers| decide(reporter, &headers, Reporter::leave).await))
        .route("/stay", post(async |State(reporter), headers| decide(reporter, &headers, Reporter::stay).await))
        .layer(from_fn(own_name))
        .with_state(reporter)
}

async fn status(State(reporter): State<Arc<Reporter>>) -> Json<ProviderReport> {
    Json(reporter.report().await)
}

/// Does what the operator wishes, and answers how the provider stands then.
async fn decide(
    reporter: Arc<Reporter>,
    headers: &HeaderMap,
    wish: impl Fn(&Reporter) -> Result<(), StateError> + Send,
) -> Response {
    if !headers.contains_key(OWN_HEADER) {
        return (StatusCode::FORBIDDEN, "this page alone may ask for that\n").into_response();
    }
    if let Err(error) = wish(&reporter) {
        tracing::error!(%error, "the owner's wish cannot be remembered, so nothing is done");
        return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response();
    }
    Json(reporter.report().await).into_response()
}

/// Refuses requests for another host's name: a name that was bound to this address anew.
async fn own_name(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    if name == "localhost" || name.parse::<IpAddr>().is_ok() {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "this page answers to its address alone\n").into_response()
    }
}
