//! The peers behind the gateway, as it needs them: who grants, and who delivers.
//!
//! `chainflix-node` implements this over the overlay and the controller's client; a test does it in memory.

use bytes::Bytes;
use chainflix_primitives::{Digest, Grant, GrantRequest, Signed};
use futures::future::BoxFuture;
use std::error::Error;

/// The controller and the providers.
pub trait Network: Send + Sync + 'static {
    /// Asks the controller for a grant.
    fn grant(&self, request: Signed<GrantRequest>) -> BoxFuture<'_, Result<Signed<Grant>, NetworkError>>;

    /// Asks the provider of a grant for its cell, from the grant's first byte on.
    fn deliver(&self, grant: Signed<Grant>) -> BoxFuture<'_, Result<Box<dyn Delivery>, NetworkError>>;
}

/// A delivery under way. Dropping it stops the provider.
pub trait Delivery: Send {
    /// Bytes of the stream that are still to come: chunk hashes and encrypted cell.
    fn bytes_left(&self) -> u64;

    /// The next bytes, as the provider sent them; `None` at the end. What is not asked for is not fetched. Dropping the
    /// answer must not lose bytes.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, NetworkError>>;

    /// Tells the provider how far the viewer got, so that it signs its receipt: the end of the range in bytes of the
    /// cell, and the hash of the delivered bytes.
    fn finish(self: Box<Self>, end: u64, delivered_hash: Digest) -> BoxFuture<'static, Result<(), NetworkError>>;
}

/// Why a peer did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A validator or the controller says no.
    #[error("{message}")]
    Refused {
        /// A code of [`Refusal`](chainflix_proof_of_view::Refusal), or the controller's own.
        code: String,
        /// Words for people.
        message: String,
        /// When the same may be asked again, in milliseconds; `None` for never.
        retry_ms: Option<u64>,
    },
    /// This provider does not deliver (any more); another one may.
    #[error("the provider does not deliver")]
    Provider(#[source] Box<dyn Error + Send + Sync>),
    /// The controller cannot be reached.
    #[error("the controller does not answer")]
    Controller(#[source] Box<dyn Error + Send + Sync>),
}
