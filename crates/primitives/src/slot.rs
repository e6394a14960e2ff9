//! Slots: how validators agree on which plays were real.
//!
//! ```text
//! slot closes ─ grace ─▶ proposer lists plays ─▶ each validator votes a bitmap ─▶ the next block carries both
//! ```
//!
//! The list and the votes are in the block, so anybody can count again.

use crate::{PlayRecord, Signable, Signature};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Most plays of one slot a proposal lists; the rest waits for the next slot. Bounds a block to about 4 MB of plays.
pub const PLAYS_PER_SLOT_MAX: usize = 8_192;

/// The plays that ended in one slot, as its proposer saw them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlotProposal {
    /// Which slot.
    pub slot: u64,
    /// 0 for the slot's own proposer, 1 for the validator that stands in for it, and so on.
    pub attempt: u32,
    /// The plays, ordered by PlayId, each once.
    pub plays: Vec<PlayRecord>,
}

/// One validator's judgement of one proposal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlotVote {
    /// Which slot.
    pub slot: u64,
    /// [`SlotProposal::digest`] of what is voted on.
    pub proposal: crate::Digest,
    /// Bit `i` (least significant first) says whether play `i` is held true.
    #[serde(with = "crate::hex_text::bytes")]
    pub held_true: Vec<u8>,
}

/// A vote as a block carries it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VoteEntry {
    /// Number of the validator in the genesis.
    pub validator: u16,
    /// As in [`SlotVote::held_true`].
    #[serde(with = "crate::hex_text::bytes")]
    pub held_true: Vec<u8>,
    /// Over the [`SlotVote`].
    pub signature: Signature,
}

/// What a block says about views: one slot's plays and the votes on them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ViewPayload {
    /// The list that was voted on.
    pub proposal: SlotProposal,
    /// The proposer's signature over it.
    pub proposer_signature: Signature,
    /// The votes, ordered by validator, each at most once.
    pub votes: Vec<VoteEntry>,
}

impl Signable for SlotProposal {
    const CONTEXT: &'static str = "chainflix 2026 SlotProposal v1";
}
impl Signable for SlotVote {
    const CONTEXT: &'static str = "chainflix 2026 SlotVote v1";
}

impl SlotVote {
    /// A vote with the given judgements.
    pub fn new(slot: u64, proposal: crate::Digest, judgements: &[bool]) -> Self {
        let mut held_true = vec![0u8; judgements.len().div_ceil(8)];
        for (index, _) in judgements.iter().enumerate().filter(|(_, held)| **held) {
            held_true[index / 8] |= 1 << (index % 8);
        }
        Self { slot, proposal, held_true }
    }
}

/// Whether bit `index` of a vote is set; bits past the end are not.
pub fn holds_true(held_true: &[u8], index: usize) -> bool {
    held_true.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back() {
        let judgements = [true, false, true, true, false, false, false, false, true];
        let vote = SlotVote::new(3, crate::Digest([0; 32]), &judgements);
        assert_eq!(vote.held_true.len(), 2);
        for (index, held) in judgements.iter().enumerate() {
            assert_eq!(holds_true(&vote.held_true, index), *held);
        }
        assert!(!holds_true(&vote.held_true, 99));
    }
}
