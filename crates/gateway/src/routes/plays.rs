//! What a viewer asks for and hands in while it watches.

use super::words::{CHUNKS_BYTES_MAX, Named, Words};
use crate::{error::GatewayError, server::Gateway};
use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode},
};
use chainflix_primitives::{
    Evidence, Grant, GrantRequest, Opening, PlayAnswer, PlayData, PlayId, PlayRequest, Receipt, Signed,
};
use chainflix_rpc::types::{DisputeReport, PlayReport};
use std::{net::SocketAddr, sync::Arc};

type Shared = State<Arc<Gateway>>;
type Peer = ConnectInfo<SocketAddr>;

/// `POST /api/grants`
pub(super) async fn grant(
    State(gateway): Shared,
    Words(request): Words<Signed<GrantRequest>>,
) -> Result<Json<Signed<Grant>>, GatewayError> {
    Ok(Json(gateway.network.grant(request).await?))
}

/// `POST /api/plays`
pub(super) async fn play(
    State(gateway): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Words(request): Words<Signed<PlayRequest>>,
) -> Result<Json<PlayAnswer>, GatewayError> {
    Ok(Json(gateway.validators_for(peer, &headers).request_play(&request).await?))
}

/// `GET /api/plays/{playId}`
pub(super) async fn status(
    State(gateway): Shared,
    Named(play): Named<PlayId>,
) -> Result<Json<PlayReport>, GatewayError> {
    Ok(Json(gateway.validators().play(play).await?))
}

/// `POST /api/receipts`: for the validators, and, once they took it, for the provider that waits for the same words.
pub(super) async fn receipt(
    State(gateway): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Words(receipt): Words<Signed<Receipt>>,
) -> Result<StatusCode, GatewayError> {
    gateway.validators_for(peer, &headers).submit_receipt(&receipt).await?;
    gateway.deliveries.settle(&receipt.body).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/proofs`
pub(super) async fn proof(
    State(gateway): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Words(proof): Words<Signed<PlayData>>,
) -> Result<StatusCode, GatewayError> {
    gateway.validators_for(peer, &headers).submit_proof(&proof).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/openings`
pub(super) async fn opening(
    State(gateway): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Words(opening): Words<Signed<Opening>, CHUNKS_BYTES_MAX>,
) -> Result<StatusCode, GatewayError> {
    gateway.validators_for(peer, &headers).submit_opening(&opening).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/evidence`
pub(super) async fn evidence(
    State(gateway): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Words(evidence): Words<Signed<Evidence>, CHUNKS_BYTES_MAX>,
) -> Result<Json<DisputeReport>, GatewayError> {
    Ok(Json(gateway.validators_for(peer, &headers).submit_evidence(&evidence).await?))
}
