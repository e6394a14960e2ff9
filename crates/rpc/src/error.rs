//! Errors of the API, and how they look on the wire.
//!
//! | code | meaning |
//! |---|---|
//! | -32700, -32600, -32602 | JSON-RPC 2.0: not JSON, not a request, wrong parameters |
//! | -32601 | JSON-RPC 2.0: no such method, or not for this caller |
//! | -32603 | this validator failed; another one may not |
//! | -32010 | a [`Refusal`]; `data` has its code and what to do next |
//! | -32005 | a limit of this server (EIP-1474) |
//! | -32002 | the answer took too long |

use chainflix_proof_of_view::{Advice, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::error::Error;

/// JSON-RPC 2.0: not JSON.
pub const PARSE: i64 = -32700;
/// JSON-RPC 2.0: not a request object.
pub const INVALID_REQUEST: i64 = -32600;
/// JSON-RPC 2.0: no such method.
pub const UNKNOWN_METHOD: i64 = -32601;
/// JSON-RPC 2.0: wrong parameters.
pub const BAD_PARAMS: i64 = -32602;
/// JSON-RPC 2.0: the server failed.
pub const INTERNAL: i64 = -32603;
/// The protocol refuses.
pub const REFUSED: i64 = -32010;
/// EIP-1474: a limit of the server.
pub const LIMIT: i64 = -32005;
/// The answer took too long.
pub const TIMEOUT: i64 = -32002;

/// Longest message that quotes what a caller sent, in characters.
const MESSAGE_CHARS_MAX: usize = 200;

/// Why a method does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The protocol says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No method has this name.
    #[error("there is no method {method}")]
    UnknownMethod { method: String },
    /// Who draws a provider from holders it names itself draws its own.
    #[error("this method is for the network's controllers")]
    ControllersOnly,
    /// The parameters do not fit the method.
    #[error("wrong parameters: {reason}")]
    BadParams { reason: String },
    /// The validator failed. Its caller is not told how; the log is.
    #[error("the validator failed")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

impl ApiError {
    /// Hides an inner failure from the caller and keeps it for the log.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// The error object of a response.
    pub fn to_wire(&self) -> WireError {
        let (code, data) = match self {
            Self::Refused(refusal) => (REFUSED, Some(refusal_data(refusal))),
            Self::UnknownMethod { .. } | Self::ControllersOnly => (UNKNOWN_METHOD, None),
            Self::BadParams { .. } => (BAD_PARAMS, None),
            Self::Internal(_) => (INTERNAL, None),
        };
        WireError { code, message: self.to_string().chars().take(MESSAGE_CHARS_MAX).collect(), data }
    }
}

fn refusal_data(refusal: &Refusal) -> Value {
    match refusal.advice() {
        Advice::TryAgain { after_ms } => json!({"code": refusal.code(), "advice": "try-again", "retryMs": after_ms}),
        Advice::TryAnother => json!({"code": refusal.code(), "advice": "try-another"}),
        Advice::GiveUp => json!({"code": refusal.code(), "advice": "give-up"}),
    }
}

/// The error object of JSON-RPC 2.0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct WireError {
    /// What kind of error.
    pub code: i64,
    /// Words for people.
    #[serde(default)]
    pub message: String,
    /// More of it, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl WireError {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_next() {
        let wire = |refusal: Refusal| ApiError::from(refusal).to_wire();
        let busy = wire(Refusal::Busy { retry_ms: 40 });
        assert_eq!(busy.code, REFUSED);
        assert_eq!(busy.data, Some(json!({"code": "busy", "advice": "try-again", "retryMs": 40})));
        let stopped = wire(Refusal::TakenDown);
        assert_eq!(stopped.data, Some(json!({"code": "taken-down", "advice": "give-up"})));
        assert_eq!(stopped.message, "a supervisor stopped this video");
    }

    #[test]
    fn inner_failures_stay_inside_and_quotes_are_short() {
        assert_eq!(ApiError::internal("disk /dev/x is full").to_wire().message, "the validator failed");
        let long = ApiError::BadParams { reason: "x".repeat(10_000) };
        assert_eq!(long.to_wire().message.chars().count(), MESSAGE_CHARS_MAX);
    }
}
