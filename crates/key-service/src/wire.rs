//! What key services say to each other.

use crate::{curve::SIGNATURE_BYTES, label::Label};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::BoxPublicKey;
use chainflix_proof_of_view::{KeyMessage, KeyWarrant};

/// Largest message, in bytes: a request with the longest words a viewer can sign takes about 800.
const MESSAGE_BYTES_MAX: usize = 2_048;
/// A partial signature in its box.
pub(crate) const SEALED_BYTES: usize = SIGNATURE_BYTES + 48;

/// A message. Who speaks is known from the transport.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum Message {
    /// "Sign this."
    Request(Box<Request>),
    /// "Signed."
    Answer(Answer),
}

/// Asks all validators to sign a label.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Request {
    /// What to sign.
    pub label: Label,
    /// What to seal the answer to.
    pub reply_to: BoxPublicKey,
    /// Why: a viewer's own words.
    pub warrant: KeyWarrant,
}

/// A partial signature for one validator, which the others cannot read.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Answer {
    /// Number of the validator that asked.
    pub to: u16,
    /// What is signed.
    pub label: Label,
    /// The signature, sealed.
    pub sealed: [u8; SEALED_BYTES],
}

impl Message {
    pub fn encode(&self) -> KeyMessage {
        // Writing into a vector cannot fail.
        KeyMessage(borsh::to_vec(self).expect("encoding into memory does not fail"))
    }

    /// `None` for what is too long, or no message.
    pub fn decode(message: &KeyMessage) -> Option<Self> {
        if message.0.len() > MESSAGE_BYTES_MAX {
            return None;
        }
        borsh::from_slice(&message.0).ok()
    }
}
