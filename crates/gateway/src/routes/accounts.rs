//! `GET /api/accounts/{address}`: what an account has, will have, and watched.

use super::words::Named;
use crate::{error::GatewayError, server::Gateway};
use axum::{
    Json,
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use chainflix_primitives::AccountAddress;
use chainflix_rpc::types::{AccountQuery, PlayCursor};
use serde::Deserialize;
use std::sync::Arc;

/// Plays of one page.
const PLAYS: u32 = 50;

#[derive(Deserialize)]
pub(super) struct Page {
    /// Where it begins; with the newest play when absent.
    from: Option<PlayCursor>,
}

pub(super) async fn account(
    State(gateway): State<Arc<Gateway>>,
    Named(account): Named<AccountAddress>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, GatewayError> {
    let Query(Page { from }) = page.map_err(|error| GatewayError::Malformed { reason: error.body_text() })?;
    let report = gateway.validators().account(AccountQuery { account, count: PLAYS, from }).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(report)).into_response())
}
