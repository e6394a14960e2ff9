//! Reads a body without ever holding more of it than is allowed.

use axum::{body::Body, http::StatusCode};
use futures::StreamExt as _;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) struct Limits<'a> {
    pub small_bytes_max: usize,
    pub large_bytes_max: usize,
    /// Who may hold a large body.
    pub large: &'a Arc<Semaphore>,
}

/// A whole body.
pub(super) enum Read {
    Small(Vec<u8>),
    /// Holds one of the few places for large bodies.
    Large(Vec<u8>, OwnedSemaphorePermit),
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the request is longer than {most} bytes")]
    TooLarge { most: usize },
    #[error("too many large requests at a time; try again later")]
    Crowded,
    #[error("the request ended too early")]
    Broken(#[source] axum::Error),
}

impl BodyError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Collects `body`. A body that grows past the small limit needs a place before it grows further.
pub(super) async fn read(body: Body, limits: &Limits<'_>) -> Result<Read, BodyError> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut permit = None;
    while let Some(part) = stream.next().await {
        let part = part.map_err(BodyError::Broken)?;
        let grown = bytes.len() + part.len();
        if grown > limits.large_bytes_max {
            return Err(BodyError::TooLarge { most: limits.large_bytes_max });
        }
        if grown > limits.small_bytes_max && permit.is_none() {
            permit = Some(limits.large.clone().try_acquire_owned().map_err(|_| BodyError::Crowded)?);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(match permit {
        Some(permit) => Read::Large(bytes, permit),
        None => Read::Small(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_parts(parts: usize, large: &Arc<Semaphore>) -> Result<Read, BodyError> {
        let parts = futures::stream::iter((0..parts).map(|_| Ok::<_, std::io::Error>("0123456789")));
        read(Body::from_stream(parts), &Limits { small_bytes_max: 20, large_bytes_max: 50, large }).await
    }

    #[tokio::test]
    async fn large_bodies_are_few_and_no_body_is_huge() {
        let places = Arc::new(Semaphore::new(1));
        assert!(matches!(read_parts(2, &places).await, Ok(Read::Small(bytes)) if bytes.len() == 20));
        let held = read_parts(5, &places).await;
        assert!(matches!(&held, Ok(Read::Large(bytes, _)) if bytes.len() == 50));
        assert!(matches!(read_parts(3, &places).await, Err(BodyError::Crowded)));
        drop(held);
        assert!(matches!(read_parts(6, &places).await, Err(BodyError::TooLarge { most: 50 })));
        assert_eq!(places.available_permits(), 1);
    }
}
