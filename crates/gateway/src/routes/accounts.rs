//! `GET /api/accounts/{address}`: what an account has, will have, and watched.

use super::words::Named;
use crate::{error::GatewayError, server::Gateway};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chainflix_primitives::AccountAddress;
use chainflix_rpc::types::PlayQuery;
use serde_json::json;
use std::sync::Arc;

/// Newest plays that are shown.
const PLAYS: u32 = 50;

pub(super) async fn account(
    State(gateway): State<Arc<Gateway>>,
    Named(account): Named<AccountAddress>,
) -> Result<Response, GatewayError> {
    let validators = gateway.validators();
    let (balance, pending_gwei, plays) = tokio::try_join!(
        validators.balance(account),
        validators.pending_gwei(account),
        validators.plays(PlayQuery { account, count: PLAYS }),
    )?;
    // Decimal text: a browser's numbers end at 2^53.
    let words = json!({
        "balanceWei": balance.to_string(),
        "pendingGwei": pending_gwei.to_string(),
        "plays": plays,
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(words)).into_response())
}
