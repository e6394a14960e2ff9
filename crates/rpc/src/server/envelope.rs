//! Requests as JSON-RPC 2.0 writes them: one object, or a batch of them.

use crate::error::{INVALID_REQUEST, LIMIT, PARSE, WireError};
use serde_json::Value;

/// Longest method name, in bytes.
const METHOD_BYTES_MAX: usize = 64;
/// Longest id that is text, in bytes: it comes back with each answer.
const ID_BYTES_MAX: usize = 256;

/// What a body holds.
#[derive(Debug)]
pub(super) enum Envelope {
    One(Request),
    /// What is not a request in a batch is answered beside those that are.
    Batch(Vec<Result<Request, WireError>>),
}

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    pub method: String,
    pub params: Value,
    /// `None` for a notification.
    pub id: Option<Value>,
}

impl Envelope {
    pub fn parse(body: &[u8], batch_max: usize) -> Result<Self, WireError> {
        match serde_json::from_slice(body) {
            Ok(Value::Array(requests)) if requests.is_empty() => Err(WireError::new(INVALID_REQUEST, "an empty batch")),
            Ok(Value::Array(requests)) if requests.len() > batch_max => {
                Err(WireError::new(LIMIT, format!("a batch has at most {batch_max} requests")))
            }
            Ok(Value::Array(requests)) => Ok(Self::Batch(requests.into_iter().map(Request::of).collect())),
            Ok(request) => Request::of(request).map(Self::One),
            Err(error) => Err(WireError::new(PARSE, format!("not JSON: {error}"))),
        }
    }
}

impl Request {
    fn of(request: Value) -> Result<Self, WireError> {
        let invalid = |what: &str| Err(WireError::new(INVALID_REQUEST, what));
        let Value::Object(mut fields) = request else { return invalid("a request is an object") };
        // Some old clients leave the version out; nobody who speaks another one is understood.
        if fields.get("jsonrpc").is_some_and(|version| version != "2.0") {
            return invalid("the version is 2.0");
        }
        let id = fields.remove("id");
        match &id {
            None | Some(Value::Null | Value::Number(_)) => {}
            Some(Value::String(text)) if text.len() <= ID_BYTES_MAX => {}
            Some(_) => return invalid("an id is a short text, a number or null"),
        }
        match fields.remove("method") {
            Some(Value::String(method)) if method.len() <= METHOD_BYTES_MAX => {
                Ok(Self { method, params: fields.remove("params").unwrap_or_default(), id })
            }
            _ => invalid("a request needs a method"),
        }
    }
}
