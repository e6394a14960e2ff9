//! What validators tell each other about views, apart from blocks.

use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{Grant, PlayCode, PlayData, Receipt, Signed, SlotProposal, SlotVote};

/// Largest encoded message, in bytes: a full slot proposal.
pub const MESSAGE_BYTES_MAX: usize = 6 << 20;

/// A message between validators. Everything in it is signed by whom it comes from originally; the messenger adds nothing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ValidatorMessage {
    /// A grant was issued.
    Grant(Signed<Grant>),
    /// A PlayCode was issued: stamp it with your own clock.
    Play {
        /// What was issued.
        code: Signed<PlayCode>,
        /// A play its viewer gave up for this one.
        supersedes: Option<chainflix_primitives::PlayId>,
    },
    /// A viewer or provider signed a receipt.
    Receipt(Signed<Receipt>),
    /// A viewer proved a play.
    Proof(Signed<PlayData>),
    /// The proposer of a slot listed its plays.
    Proposal(Signed<SlotProposal>),
    /// A validator judged a proposal.
    Vote(Signed<SlotVote>),
}

impl ValidatorMessage {
    /// The message as it travels.
    pub fn encode(&self) -> Vec<u8> {
        // Writing into a vector cannot fail.
        borsh::to_vec(self).expect("encoding into memory does not fail")
    }

    /// Reads a message; `None` for anything else, and for anything larger than a message may be.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return None;
        }
        borsh::from_slice(bytes).ok()
    }
}
