//! Says why a call was refused: a stable code for programs, a sentence for people.

use serde::Serialize;
use std::error::Error;

/// What a caller reads after [`REPLY_REFUSED`](crate::REPLY_REFUSED).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Stable, lower case with hyphens: what TypeScript switches on.
    pub code: &'static str,
    /// The error and its causes, for a log or a page.
    pub message: String,
}

impl Refusal {
    /// Refuses with the error of another crate, under a code of this operation's choice.
    pub fn new(code: &'static str, error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self { code, message }
    }

    /// Appends `{"code": …, "message": …}` to `out`.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        // Two strings, written to memory: neither can fail.
        serde_json::to_writer(out, self).expect("a refusal is plain text");
    }
}

/// What is wrong with a call itself, whatever the operation means.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No operation has this number: the caller is of another version.
    #[error("operation {op:#06x} does not exist")]
    UnknownOperation { op: u32 },
    /// The address was never handed out, or was freed.
    #[error("no buffer starts at {address:#x}")]
    UnknownBuffer { address: usize },
    /// More bytes are named than the buffer holds.
    #[error("{len} bytes named at {address:#x}, where a buffer of {held} starts")]
    BeyondBuffer { address: usize, len: usize, held: usize },
    /// The object was closed, or never existed.
    #[error("handle {handle} names nothing")]
    UnknownHandle { handle: u32 },
    /// The object is not of the kind that the operation works on.
    #[error("handle {handle} does not name a {wanted}")]
    OtherKind { handle: u32, wanted: &'static str },
    /// The table of objects, or the supply of handles, is used up.
    #[error("too many objects are open")]
    TooManyObjects,
    /// The input is not the JSON that the operation takes.
    #[error("input is not what the operation takes")]
    Json(#[from] serde_json::Error),
    /// A number is outside its range.
    #[error("{field} is {value}, the most is {max}")]
    AboveMax { field: &'static str, value: u64, max: u64 },
    /// Fewer bytes than every input of the operation has.
    #[error("{len} bytes were given, the operation takes at least {least}")]
    TooShort { len: usize, least: usize },
}

impl CallError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownOperation { .. } => "unknown-operation",
            Self::UnknownBuffer { .. } => "unknown-buffer",
            Self::BeyondBuffer { .. } => "beyond-buffer",
            Self::UnknownHandle { .. } => "unknown-handle",
            Self::OtherKind { .. } => "other-kind",
            Self::TooManyObjects => "too-many-objects",
            Self::Json(_) => "malformed-input",
            Self::AboveMax { .. } => "above-max",
            Self::TooShort { .. } => "too-short",
        }
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Self::new(error.code(), &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_cause() {
        let cause = serde_json::from_str::<u8>("[]").unwrap_err();
        let refusal = Refusal::from(CallError::from(cause));
        assert_eq!(refusal.code, "malformed-input");
        assert!(refusal.message.starts_with("input is not what the operation takes: invalid type"));
    }
}
