//! Which drawn plays passed their audit.
//!
//! ```text
//! needed = 51 % of all validators
//! passed ≥ needed                       ─▶ paid
//! failed so often that it never can     ─▶ void, and a strike against the account
//! open at the deadline, needed votes in ─▶ void, without a strike
//! ```
//!
//! Votes add up over blocks: a proposer that leaves some out delays the verdict and does not change it. Who votes twice is
//! heard once.

use super::{
    Audit, OpenAudit, PendingBlock, SettleError,
    tally::{check_signer, check_votes},
};
use chainflix_primitives::{AuditPayload, AuditVote, NetworkGenesis, Signable as _, slot::holds_true};

/// An audit waits for missing votes this many times as long as a viewer has to answer.
const PATIENCE: u64 = 2;

/// A drawn play that did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Void {
    /// Its place in the payload.
    pub index: u32,
    /// Whether it was voted down, rather than left without enough votes.
    pub voted_down: bool,
}

/// Checks the votes of one payload and adds those that are new.
pub(super) fn add_votes(
    genesis: &NetworkGenesis,
    block: &PendingBlock,
    payload: &AuditPayload,
) -> Result<PendingBlock, SettleError> {
    let view_block = payload.view_block;
    let Some(audit) = block.audit() else { return Err(SettleError::NotAudited { view_block }) };
    check_votes(genesis, &payload.votes, audit.drawn.len())?;
    let mut audit = audit.clone();
    let drawn = block.drawn_digest();
    for vote in payload.votes.iter().filter(|vote| !block.has_vote(vote.validator)) {
        let said = AuditVote { view_block, drawn, passed: vote.held_true.clone() };
        check_signer(genesis, vote.validator.into(), &vote.signature, &said.digest())
            .map_err(|source| SettleError::AuditVote { view_block, validator: vote.validator, source })?;
        audit.votes.insert(vote.validator, vote.held_true.clone());
    }
    Ok(block.with_audit(Audit::Open(audit)))
}

/// The drawn plays that did not pass, ascending; `None` while votes that may still come could change it.
pub(super) fn verdict(genesis: &NetworkGenesis, audit: &OpenAudit, block_ms: u64) -> Option<Vec<Void>> {
    let validators = genesis.validators.len();
    let needed = genesis.params.votes_needed(validators);
    let deadline_ms = audit.opened_ms.saturating_add(PATIENCE.saturating_mul(genesis.params.audit.answer_ms));
    let is_over = block_ms >= deadline_ms && audit.votes.len() >= needed;
    let mut void = Vec::new();
    for (bit, index) in audit.drawn.iter().enumerate() {
        let passed = audit.votes.values().filter(|votes| holds_true(votes, bit)).count();
        if passed >= needed {
            continue;
        }
        let missing = validators - audit.votes.len();
        let voted_down = passed + missing < needed;
        if !voted_down && !is_over {
            return None;
        }
        void.push(Void { index: *index, voted_down });
    }
    Some(void)
}
