//! `POST /api/deliveries`: a provider's bytes, untouched, as fast as the browser takes them.

use super::words::Words;
use crate::{error::GatewayError, server::Gateway};
use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chainflix_primitives::{Grant, Signed};
use std::sync::Arc;

pub(super) async fn deliver(
    State(gateway): State<Arc<Gateway>>,
    Words(grant): Words<Signed<Grant>>,
) -> Result<Response, GatewayError> {
    let place = gateway.deliveries.place().ok_or(GatewayError::Busy)?;
    let id = grant.body.id;
    let delivery = gateway.network.deliver(grant).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        // Said beforehand, so that a browser tells a broken delivery from a whole one.
        (header::CONTENT_LENGTH, delivery.bytes_left().to_string()),
    ];
    let passing = gateway.deliveries.pass(id, delivery, place);
    Ok((headers, Body::from_stream(passing)).into_response())
}
