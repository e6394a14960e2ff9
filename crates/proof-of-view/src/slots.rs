//! Ballots: proposals of slots and the votes on them, until a block carries them.
//!
//! ```text
//! slot ends ──grace──▶ attempt 0 ──slot_attempt──▶ attempt 1 (next validator) ──▶ …   until one has its votes
//! ```
//!
//! A ballot is ready when every validator voted, or when enough did and the others had the grace time. Which ready
//! ballot of a slot a block carries does not matter: the ledger settles each slot once.

use crate::ledger::{CARRY_SLOTS_MAX, LedgerState, proposer};
use chainflix_primitives::{
    Digest, NetworkGenesis, Signable as _, Signed, SlotProposal, SlotVote, ViewPayload, VoteEntry, slot::holds_true,
};
use std::collections::BTreeMap;

/// One proposal and its votes.
#[derive(Debug)]
pub struct Ballot {
    /// What is voted on.
    pub proposal: Signed<SlotProposal>,
    /// Its digest.
    pub digest: Digest,
    /// When it was first seen here, in milliseconds.
    pub seen_ms: u64,
    votes: BTreeMap<u16, VoteEntry>,
}

/// The ballots of slots that are not settled yet, by slot and attempt.
#[derive(Debug, Default)]
pub struct Slots {
    ballots: BTreeMap<(u64, u32), Ballot>,
    /// Votes that came before their proposal; as many as validators can have out for a slot.
    early: BTreeMap<(u64, Digest, u16), VoteEntry>,
}

impl Slots {
    /// The slot and attempt this validator must propose now, if it is its turn.
    pub fn turn(&self, genesis: &NetworkGenesis, ledger: &LedgerState, me: usize, now_ms: u64) -> Option<(u64, u32)> {
        let params = &genesis.params;
        let waited_ms = now_ms.checked_sub(params.slot_grace_ms)?;
        let slot = params.slot_at(genesis.genesis_time_ms, waited_ms).checked_sub(1)?;
        if ledger.is_settled(slot) || self.has_majority(genesis, slot) {
            return None;
        }
        let open_ms = waited_ms.saturating_sub(params.slot_end_ms(genesis.genesis_time_ms, slot));
        // A slot is a few attempts long.
        let attempt = (open_ms / params.slot_attempt_ms.max(1)) as u32;
        let mine = proposer(genesis, slot, attempt) == me && !self.ballots.contains_key(&(slot, attempt));
        mine.then_some((slot, attempt))
    }

    fn has_majority(&self, genesis: &NetworkGenesis, slot: u64) -> bool {
        let needed = genesis.params.votes_needed(genesis.validators.len());
        self.ballots.range((slot, 0)..=(slot, u32::MAX)).any(|(_, ballot)| ballot.votes.len() >= needed)
    }

    /// Opens a ballot. `false` when it is not its proposer's, or there already.
    pub fn open(
        &mut self,
        genesis: &NetworkGenesis,
        ledger: &LedgerState,
        proposal: Signed<SlotProposal>,
        now_ms: u64,
    ) -> bool {
        let SlotProposal { slot, attempt, .. } = proposal.body;
        let newest = genesis.params.slot_at(genesis.genesis_time_ms, now_ms);
        let wanted = !ledger.is_settled(slot) && slot <= newest && slot + CARRY_SLOTS_MAX >= newest;
        // There are never more turns in a slot than validators.
        let possible = (attempt as usize) < genesis.validators.len();
        let expected = genesis.validators[proposer(genesis, slot, attempt)].account;
        if !wanted || !possible || self.ballots.contains_key(&(slot, attempt)) || proposal.verify(&expected).is_err() {
            return false;
        }
        let digest = Digest(proposal.body.digest());
        let mut votes = BTreeMap::new();
        for validator in 0..genesis.validators.len() as u16 {
            if let Some(vote) = self.early.remove(&(slot, digest, validator)) {
                votes.insert(validator, vote);
            }
        }
        self.ballots.insert((slot, attempt), Ballot { proposal, digest, seen_ms: now_ms, votes });
        true
    }

    /// Counts a vote, the first of each validator on each ballot.
    pub fn vote(&mut self, genesis: &NetworkGenesis, ledger: &LedgerState, vote: &Signed<SlotVote>, now_ms: u64) {
        let Ok(signer) = vote.signer() else { return };
        let Some(validator) = genesis.validator_index(&signer) else { return };
        let newest = genesis.params.slot_at(genesis.genesis_time_ms, now_ms);
        if ledger.is_settled(vote.body.slot) || vote.body.slot > newest {
            return;
        }
        // At most 128 validators.
        let validator = validator as u16;
        let entry = VoteEntry { validator, held_true: vote.body.held_true.clone(), signature: vote.signature };
        let slot = vote.body.slot;
        let ballot = self.ballots.range_mut((slot, 0)..=(slot, u32::MAX)).map(|(_, ballot)| ballot);
        match ballot.into_iter().find(|ballot| ballot.digest == vote.body.proposal) {
            Some(ballot) => {
                if entry.held_true.len() == ballot.proposal.body.plays.len().div_ceil(8) {
                    ballot.votes.entry(validator).or_insert(entry);
                }
            }
            None => {
                let held = self.early.keys().filter(|(_, _, by)| *by == validator).count();
                if held < genesis.validators.len() * CARRY_SLOTS_MAX as usize {
                    self.early.insert((slot, vote.body.proposal, validator), entry);
                }
            }
        }
    }

    /// Ballots of slots that are over, on which `me` has not voted.
    pub fn unvoted(&self, genesis: &NetworkGenesis, me: usize, now_ms: u64) -> Vec<(u64, u32)> {
        let over = |slot| genesis.params.slot_end_ms(genesis.genesis_time_ms, slot) <= now_ms;
        let mine = |ballot: &Ballot| ballot.votes.contains_key(&(me as u16));
        let open = self.ballots.iter().filter(|((slot, _), ballot)| over(*slot) && !mine(ballot));
        open.map(|(key, _)| *key).collect()
    }

    /// A ballot.
    pub fn get(&self, key: (u64, u32)) -> Option<&Ballot> {
        self.ballots.get(&key)
    }

    /// The payload of the oldest unsettled slot that is ready for a block.
    pub fn payload(&self, genesis: &NetworkGenesis, ledger: &LedgerState, now_ms: u64) -> Option<ViewPayload> {
        let needed = genesis.params.votes_needed(genesis.validators.len());
        let ready = |ballot: &Ballot| {
            let waited = now_ms >= ballot.seen_ms + genesis.params.slot_grace_ms;
            let carried = (0..ballot.proposal.body.plays.len())
                .any(|index| ballot.votes.values().filter(|vote| holds_true(&vote.held_true, index)).count() >= needed);
            carried && (ballot.votes.len() == genesis.validators.len() || (ballot.votes.len() >= needed && waited))
        };
        let open = self.ballots.iter().filter(|((slot, _), _)| !ledger.is_settled(*slot));
        let ballot = open.map(|(_, ballot)| ballot).find(|ballot| ready(ballot))?;
        Some(ViewPayload {
            proposal: ballot.proposal.body.clone(),
            proposer_signature: ballot.proposal.signature,
            votes: ballot.votes.values().cloned().collect(),
        })
    }

    /// Forgets what is settled or too old to be carried.
    pub fn expire(&mut self, genesis: &NetworkGenesis, ledger: &LedgerState, now_ms: u64) {
        let newest = genesis.params.slot_at(genesis.genesis_time_ms, now_ms);
        let keep = |slot: u64| !ledger.is_settled(slot) && slot + CARRY_SLOTS_MAX >= newest;
        self.ballots.retain(|(slot, _), _| keep(*slot));
        self.early.retain(|(slot, _, _), _| keep(*slot));
    }
}
