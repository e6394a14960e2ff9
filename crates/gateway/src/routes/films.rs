//! What there is to see, and on which network.

use super::words::Named;
use crate::{error::GatewayError, server::Gateway};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chainflix_primitives::{BlockHash, Magnet};
use serde::Serialize;
use serde_json::json;
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeadWords {
    number: u64,
    hash: BlockHash,
}

/// `GET /api/network`
pub(super) async fn network(State(gateway): State<Arc<Gateway>>) -> Result<Response, GatewayError> {
    let genesis = gateway.catalogue.genesis().await?;
    let head = match gateway.listening.head() {
        Some(head) => head,
        None => gateway.validators().head().await?,
    };
    let schedule = gateway.validators().schedule().await?;
    // Before 1970 a clock is wrong anyway.
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let words = json!({
        "genesis": *genesis,
        "head": HeadWords { number: head.number, hash: head.hash },
        "viewBlocks": schedule.view_blocks,
        "nowMs": u64::try_from(now_ms).unwrap_or(u64::MAX),
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(words)).into_response())
}

/// `GET /api/films`
pub(super) async fn films(State(gateway): State<Arc<Gateway>>) -> Result<Response, GatewayError> {
    let films = gateway.catalogue.films().await?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(&*films)).into_response())
}

/// `GET /api/films/{magnet}/manifest`: named by its own hash, so it can be kept for ever.
pub(super) async fn manifest(
    State(gateway): State<Arc<Gateway>>,
    Named(magnet): Named<Magnet>,
) -> Result<Response, GatewayError> {
    let bytes = gateway.catalogue.manifest(magnet).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, bytes).into_response())
}

/// `GET /health`: 200 once the head of the chain was seen.
pub(super) async fn health(State(gateway): State<Arc<Gateway>>) -> Response {
    match gateway.listening.head() {
        Some(head) => Json(json!({"status": "ok", "head": head})).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "waiting for a validator"}))).into_response(),
    }
}
