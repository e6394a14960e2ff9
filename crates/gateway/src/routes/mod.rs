//! The paths of the gateway, in groups.

mod accounts;
mod deliveries;
mod events;
mod films;
mod plays;
mod proxy;
mod words;

use crate::{error::GatewayError, server::Gateway};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use std::sync::Arc;
use tower_http::compression::CompressionLayer;

pub(crate) fn router() -> Router<Arc<Gateway>> {
    let compressed = Router::new()
        .route("/health", get(films::health))
        .route("/api/network", get(films::network))
        .route("/api/films", get(films::films))
        .route("/api/films/{magnet}/manifest", get(films::manifest))
        .route("/api/grants", post(plays::grant))
        .route("/api/plays", post(plays::play))
        .route("/api/plays/{play}", get(plays::status))
        .route("/api/receipts", post(plays::receipt))
        .route("/api/proofs", post(plays::proof))
        .route("/api/openings", post(plays::opening))
        .route("/api/evidence", post(plays::evidence))
        .route("/api/accounts/{address}", get(accounts::account))
        .route("/rpc", post(proxy::forward))
        .fallback(elsewhere)
        .method_not_allowed_fallback(async || GatewayError::Method)
        .layer(CompressionLayer::new());
    // Not these: encrypted bytes do not shrink, and events must not wait in a compressor.
    Router::new()
        .route("/api/deliveries", post(deliveries::deliver))
        .route("/api/events", get(events::events))
        .method_not_allowed_fallback(async || GatewayError::Method)
        .merge(compressed)
}

/// The web app, except where a program asked.
async fn elsewhere(State(gateway): State<Arc<Gateway>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if uri.path().starts_with("/api/") || uri.path() == "/api" {
        return GatewayError::NotFound { what: "path" }.into_response();
    }
    match method {
        Method::GET | Method::HEAD => gateway.web_app.get(uri.path(), &headers),
        _ => GatewayError::Method.into_response(),
    }
}
