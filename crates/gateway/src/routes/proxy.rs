//! `POST /rpc`: JSON-RPC as it is, to a validator and back, so that a page needs no other origin.

use super::words::read;
use crate::{error::GatewayError, server::Gateway};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chainflix_rpc::{ClientError, error::INTERNAL};
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc};
use tracing::warn;

/// Longest body, in bytes; as long as a validator takes without more ado.
const BODY_BYTES_MAX: usize = 2 << 20;

pub(super) async fn forward(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Response, GatewayError> {
    let validators = gateway.validators_for(peer, request.headers());
    let body = read(request, BODY_BYTES_MAX).await?;
    Ok(match validators.forward(body).await {
        // Nothing but notifications.
        Ok(answer) if answer.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Ok(answer) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        Err(error) => unanswered(&error),
    })
}

/// Wallets read JSON-RPC and nothing else.
fn unanswered(error: &ClientError) -> Response {
    warn!(%error, "nothing to forward to");
    let words = json!({"code": INTERNAL, "message": "no validator answers at the moment"});
    let answer = json!({"jsonrpc": "2.0", "id": Value::Null, "error": words});
    (StatusCode::SERVICE_UNAVAILABLE, axum::Json(answer)).into_response()
}
