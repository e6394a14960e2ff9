//! What validators tell each other about views, apart from blocks.

use crate::{KeyMessage, OriginTag};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{
    AuditVote, Evidence, Grant, Opening, PlayCode, PlayData, PlayRequest, Receipt, Signed, SlotProposal, SlotVote,
};

/// Largest encoded message, in bytes: a full slot proposal.
pub const MESSAGE_BYTES_MAX: usize = 6 << 20;

/// A message between validators. What counts is signed by whom it comes from originally; the messenger adds nothing,
/// except where it is said.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ValidatorMessage {
    /// A grant was issued.
    Grant(Box<Signed<Grant>>),
    /// A PlayCode was issued: stamp it with your own clock.
    Play {
        /// What was issued.
        code: Box<Signed<PlayCode>>,
        /// The viewer's own words: no validator can start a play that nobody asked for.
        request: Box<Signed<PlayRequest>>,
        /// Where it comes from. Only the issuer saw the address, so this is taken from the issuer alone.
        origin: OriginTag,
    },
    /// A viewer or provider signed a receipt.
    Receipt(Signed<Receipt>),
    /// A viewer proved a play.
    Proof(Signed<PlayData>),
    /// The proposer of a slot listed its plays.
    Proposal(Signed<SlotProposal>),
    /// A validator judged a proposal.
    Vote(Signed<SlotVote>),
    /// A viewer opened the chunks of an audited play.
    Opening(Box<Signed<Opening>>),
    /// A validator judged the audited plays of a view block.
    AuditVote(Signed<AuditVote>),
    /// A side of a disputed delivery proved its receipt.
    Evidence(Box<Signed<Evidence>>),
    /// For the key service. Not signed: what it says is proved inside, or by who sent it.
    Key(KeyMessage),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_largest_size_is_read_and_none_beyond() {
        let of = |bytes: usize| {
            let overhead = ValidatorMessage::Key(KeyMessage(vec![])).encode().len();
            ValidatorMessage::Key(KeyMessage(vec![7; bytes - overhead]))
        };
        let largest = of(MESSAGE_BYTES_MAX);
        assert_eq!(largest.encode().len(), 6 << 20);
        assert_eq!(ValidatorMessage::decode(&largest.encode()), Some(largest));
        assert_eq!(ValidatorMessage::decode(&of(MESSAGE_BYTES_MAX + 1).encode()), None);
    }
}
