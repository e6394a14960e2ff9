//! Why a call has no answer.

use crate::error::{REFUSED, WireError};
use chainflix_proof_of_view::Advice;
use serde_json::Value;
use std::{error::Error as _, io, iter};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A validator's address is no `http` URL, or there is none at all.
    #[error("a validator is reached at an http URL, not at {url:?}")]
    Endpoint { url: String },
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot start")]
    Setup(#[source] reqwest::Error),
    /// The protocol says no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The validator says no for another reason.
    #[error("{method}: {error}")]
    Rpc { method: String, error: WireError },
    /// None of the validators answers.
    #[error("no validator answers to {method}")]
    Unreachable {
        method: String,
        #[source]
        source: TransportError,
    },
    /// An answer that is none.
    #[error("the answer to {method} cannot be read")]
    Answer {
        method: String,
        #[source]
        source: serde_json::Error,
    },
}

/// Why one validator did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Not reachable, silent, or gone in between.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// Something answers, and it is not a validator.
    #[error("HTTP status {status}")]
    Status { status: u16 },
    /// More than any honest answer.
    #[error("the answer is longer than {most} bytes")]
    TooLarge { most: usize },
}

impl TransportError {
    /// Whether the connection stood, and the other machine acknowledged nothing: the system's own timeout, not ours.
    pub(super) fn is_unacknowledged(&self) -> bool {
        let Self::Http(error) = self else { return false };
        let mut causes = iter::successors(error.source(), |cause| (*cause).source());
        let timed_out = |cause: &io::Error| cause.kind() == io::ErrorKind::TimedOut;
        !error.is_connect() && causes.any(|cause| cause.downcast_ref::<io::Error>().is_some_and(timed_out))
    }
}

/// A refusal of the protocol, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// As [`Refusal::code`](chainflix_proof_of_view::Refusal::code).
    pub code: String,
    /// Words for people.
    pub message: String,
    /// What to do next.
    pub advice: Advice,
}

impl Refused {
    /// The refusal in a JSON-RPC error; `None` in any other error.
    pub(super) fn read(error: &WireError) -> Option<Self> {
        let data = error.data.as_ref().filter(|_| error.code == REFUSED)?;
        let advice = match data.get("advice").and_then(Value::as_str) {
            Some("try-again") => {
                Advice::TryAgain { after_ms: data.get("retryMs").and_then(Value::as_u64).unwrap_or(1_000) }
            }
            Some("try-another") => Advice::TryAnother,
            _ => Advice::GiveUp,
        };
        Some(Self { code: data.get("code")?.as_str()?.to_owned(), message: error.message.clone(), advice })
    }
}

impl ClientError {
    /// The protocol's refusal, if that is what it is.
    pub fn refusal(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }
}
