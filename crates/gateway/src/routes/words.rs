//! Reading what a request says: a JSON body with a limit, a name in the path.

use crate::error::GatewayError;
use axum::{
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::request::Parts,
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use std::{fmt::Display, str::FromStr};

/// Longest JSON body, in bytes: a signed grant has about two thousand.
const WORDS_BYTES_MAX: usize = 64 << 10;
/// Longest JSON body that shows chunks of a cell: sixteen of 16 KiB in hex, with their paths.
pub(super) const CHUNKS_BYTES_MAX: usize = 1 << 20;

/// A body of JSON, of at most so many bytes.
pub(super) struct Words<T, const BYTES_MAX: usize = WORDS_BYTES_MAX>(pub T);

/// A name in the path.
pub(super) struct Named<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync, const BYTES_MAX: usize> FromRequest<S> for Words<T, BYTES_MAX> {
    type Rejection = GatewayError;

    async fn from_request(request: Request, _: &S) -> Result<Self, GatewayError> {
        let body = read(request, BYTES_MAX).await?;
        serde_json::from_slice(&body).map(Self).map_err(malformed)
    }
}

impl<T: FromStr<Err: Display>, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = GatewayError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, GatewayError> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await.map_err(malformed)?;
        name.parse().map(Self).map_err(malformed)
    }
}

/// A whole body of at most `most` bytes.
pub(super) async fn read(request: Request, most: usize) -> Result<Bytes, GatewayError> {
    let mut stream = request.into_body().into_data_stream();
    let mut body = BytesMut::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(malformed)?;
        if body.len() + part.len() > most {
            return Err(GatewayError::TooLarge { most });
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

fn malformed(reason: impl Display) -> GatewayError {
    // Quotes of what was sent can be long.
    GatewayError::Malformed { reason: reason.to_string().chars().take(200).collect() }
}
