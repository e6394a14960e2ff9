//! Slots: how validators agree on which plays were real.
//!
//! ```text
//! slot closes ─ grace ─▶ proposer lists plays ─▶ each validator votes a bitmap ─▶ a block carries both
//!    the next block's hash draws plays for audit ─▶ viewers open them ─▶ each validator votes ─▶ a block carries that
//! ```
//!
//! The list and the votes are in the block, so anybody can count again.

use crate::{AccountAddress, PlayRecord, Signable, Signature};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Most operation participants that share in the plays of one slot.
pub const OPERATION_MAX: usize = 256;

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
    /// Operation participants as of the proposer's newest final block, in order of accounts, each once: they share in
    /// each play. At most [`OPERATION_MAX`].
    pub operation: Vec<AccountAddress>,
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

/// One slot's plays and the votes on them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlotPayload {
    /// The list that was voted on.
    pub proposal: SlotProposal,
    /// The proposer's signature over it.
    pub proposer_signature: Signature,
    /// The votes, ordered by validator, each at most once.
    pub votes: Vec<VoteEntry>,
}

/// One validator's judgement of the drawn plays of one view block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditVote {
    /// Which view block.
    pub view_block: u64,
    /// Digest of the drawn plays' identities, in their order: what is voted on.
    pub drawn: crate::Digest,
    /// Bit `i` (least significant first) says whether drawn play `i` opened its chunks.
    #[serde(with = "crate::hex_text::bytes")]
    pub passed: Vec<u8>,
}

/// Votes on the drawn plays of one view block. They add up over blocks, until there is a verdict on each play.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditPayload {
    /// Which view block.
    pub view_block: u64,
    /// Votes over the [`AuditVote`] (their bits say "passed"), ordered by validator, each at most once; not empty.
    pub votes: Vec<VoteEntry>,
}

/// What a block says about views; at least one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ViewPayload {
    /// A slot that was voted on.
    pub slot: Option<SlotPayload>,
    /// Audits that were voted on, in order of view blocks, each at most once.
    pub audits: Vec<AuditPayload>,
}

impl Signable for SlotProposal {
    const CONTEXT: &'static str = "chainflix 2026 SlotProposal v1";
}
impl Signable for SlotVote {
    const CONTEXT: &'static str = "chainflix 2026 SlotVote v1";
}
impl Signable for AuditVote {
    const CONTEXT: &'static str = "chainflix 2026 AuditVote v1";
}

impl SlotVote {
    /// A vote with the given judgements.
    pub fn new(slot: u64, proposal: crate::Digest, judgements: &[bool]) -> Self {
        Self { slot, proposal, held_true: bitmap(judgements) }
    }
}

impl AuditVote {
    /// A vote with the given judgements of the plays drawn in `view_block`.
    pub fn new(view_block: u64, drawn: crate::Digest, judgements: &[bool]) -> Self {
        Self { view_block, drawn, passed: bitmap(judgements) }
    }
}

fn bitmap(judgements: &[bool]) -> Vec<u8> {
    let mut bits = vec![0u8; judgements.len().div_ceil(8)];
    for (index, _) in judgements.iter().enumerate().filter(|(_, held)| **held) {
        bits[index / 8] |= 1 << (index % 8);
    }
    bits
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
