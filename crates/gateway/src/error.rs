//! What a browser is told when something does not work: a status, and `{ code, message, retryMs? }`.

use crate::network::NetworkError;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chainflix_proof_of_view::Advice;
use chainflix_rpc::{ClientError, Refused, error::BAD_PARAMS};
use serde::Serialize;
use tracing::{debug, warn};

/// How long a browser waits before it asks again for what is only down at the moment.
const RETRY_MS: u64 = 1_000;

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum GatewayError {
    /// The protocol says no. Passes through with its code.
    #[error("{message}")]
    Refused { code: String, message: String, retry_ms: Option<u64> },
    /// The request is not one.
    #[error("the request cannot be read: {reason}")]
    Malformed { reason: String },
    /// The request is longer than any sound one.
    #[error("the request is longer than {most} bytes")]
    TooLarge { most: usize },
    /// Nothing has this name.
    #[error("there is no such {what}")]
    NotFound { what: &'static str },
    /// The path does not know the method.
    #[error("the method is not allowed here")]
    Method,
    /// A limit of this gateway is reached.
    #[error("the gateway is full; try again in a moment")]
    Busy,
    /// It took too long.
    #[error("the network took too long to answer")]
    Timeout,
    /// One provider fails.
    #[error("the provider does not deliver; another one may")]
    TryAnother(#[source] NetworkError),
    /// Nobody answers.
    #[error("the network cannot be reached at the moment")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A validator's answer makes no sense.
    #[error("a validator failed to answer")]
    Validator(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Words<'a> {
    code: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_ms: Option<u64>,
}

impl GatewayError {
    fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "too-large",
            Self::NotFound { .. } => "not-found",
            Self::Method => "method-not-allowed",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::TryAnother(_) => "try-another",
            Self::Unreachable(_) => "unreachable",
            Self::Validator(_) => "validator-failed",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Refused { code, .. } => status_of(code),
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Busy | Self::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::TryAnother(_) | Self::Validator(_) => StatusCode::BAD_GATEWAY,
        }
    }

    fn retry_ms(&self) -> Option<u64> {
        match self {
            Self::Refused { retry_ms, .. } => *retry_ms,
            Self::Busy | Self::Timeout | Self::Unreachable(_) => Some(RETRY_MS),
            _ => None,
        }
    }
}

/// The nearest HTTP has for a refusal. Programs go by the code.
fn status_of(code: &str) -> StatusCode {
    match code {
        "unknown-video" | "unknown-cell" | "unknown-grant" | "unknown-play" => StatusCode::NOT_FOUND,
        "taken-down" => StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
        "bad-signature" => StatusCode::FORBIDDEN,
        "malformed" => StatusCode::BAD_REQUEST,
        "too-many-plays" => StatusCode::TOO_MANY_REQUESTS,
        "busy" | "keys-pending" | "no-source" | "validator-silent" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    }
}

impl From<ClientError> for GatewayError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(Refused { code, message, advice }) => {
                let retry_ms = match advice {
                    Advice::TryAgain { after_ms } => Some(after_ms),
                    Advice::TryAnother => Some(0),
                    Advice::GiveUp => None,
                };
                Self::Refused { code, message, retry_ms }
            }
            ClientError::Rpc { error, .. } if error.code == BAD_PARAMS => Self::Malformed { reason: error.message },
            error @ (ClientError::Rpc { .. } | ClientError::Answer { .. }) => Self::Validator(error.into()),
            error => Self::Unreachable(error.into()),
        }
    }
}

impl From<NetworkError> for GatewayError {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Refused { code, message, retry_ms } => Self::Refused { code, message, retry_ms },
            error @ NetworkError::Provider(_) => Self::TryAnother(error),
            error @ NetworkError::Controller(_) => Self::Unreachable(error.into()),
        }
    }
}

impl IntoResponse for GatewayError {
    fn into_response(self) -> Response {
        let status = self.status();
        match std::error::Error::source(&self) {
            Some(source) if status.is_server_error() => warn!(error = %self, %source, "not served"),
            _ => debug!(error = %self, "not served"),
        }
        let retry_ms = self.retry_ms();
        let words = Words { code: self.code(), message: self.to_string(), retry_ms };
        let mut response = (status, Json(words)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(retry_ms) = retry_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_ms.div_ceil(1_000)));
        }
        response
    }
}
