//! Ballots: proposals of slots and the votes on them, until a block carries them.
//!
//! ```text
//! slot ends ──grace──▶ attempt 0 ──slot_attempt──▶ attempt 1 (next validator) ──▶ …   until one has its votes
//! ```
//!
//! A ballot is ready when every validator voted, or when enough did and the others had the grace time. Which ready
//! ballot of a slot a block carries does not matter: the ledger settles each slot once.

use crate::ledger::{CARRY_SLOTS_MAX, LedgerState, MinedCell, proposer};
use chainflix_primitives::{
    Digest, NetworkGenesis, PlayRecord, Signable as _, Signed, SlotPayload, SlotProposal, SlotVote, VoteEntry,
    slot::{OPERATION_MAX, holds_true},
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
    /// How many hold each play true; at most 128. Counted when a vote comes: a list may be long, and is looked at often.
    counts: Vec<u8>,
    /// Whether the votes carry any of the plays.
    is_carried: bool,
}

impl Ballot {
    fn new(proposal: Signed<SlotProposal>, digest: Digest, seen_ms: u64) -> Self {
        let counts = vec![0; proposal.body.plays.len()];
        Self { proposal, digest, seen_ms, votes: BTreeMap::new(), counts, is_carried: false }
    }

    /// Counts a vote of the right length, the first of each validator. Answers whether it is new.
    fn add(&mut self, vote: VoteEntry, needed: usize) -> bool {
        let fits = vote.held_true.len() == self.counts.len().div_ceil(8);
        if !fits || self.votes.contains_key(&vote.validator) {
            return false;
        }
        for (index, count) in self.counts.iter_mut().enumerate() {
            *count += u8::from(holds_true(&vote.held_true, index));
            self.is_carried |= usize::from(*count) >= needed;
        }
        self.votes.insert(vote.validator, vote);
        true
    }

    /// Whether the ledger still takes any of the plays that the votes carry. Two slots may have listed the same ones.
    fn is_wanted(&self, needed: usize, ledger: &LedgerState) -> bool {
        let is_open =
            |record: &PlayRecord| !ledger.is_closed(record.data.body.slot) && !ledger.is_mined(&MinedCell::of(record));
        let mut counted = self.counts.iter().zip(&self.proposal.body.plays);
        counted.any(|(count, record)| usize::from(*count) >= needed && is_open(record))
    }
}

/// Whether a block could carry a proposal: what could not is not worth a vote.
fn is_possible(genesis: &NetworkGenesis, proposal: &SlotProposal) -> bool {
    let plays = &proposal.plays;
    !plays.is_empty()
        && plays.len() <= genesis.params.plays_per_slot_max as usize
        && plays.is_sorted_by(|a, b| a.code.body.id < b.code.body.id)
        && proposal.operation.len() <= OPERATION_MAX
        && proposal.operation.is_sorted_by(|a, b| a < b)
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
        if ledger.is_settled(slot) || ledger.is_full() || self.is_carried(slot) {
            return None;
        }
        let open_ms = waited_ms.saturating_sub(params.slot_end_ms(genesis.genesis_time_ms, slot));
        // A slot is a few attempts long.
        let attempt = (open_ms / params.slot_attempt_ms.max(1)) as u32;
        let mine = proposer(genesis, slot, attempt) == me && !self.ballots.contains_key(&(slot, attempt));
        mine.then_some((slot, attempt))
    }

    /// Whether some proposal of the slot makes a view block: no other is needed. One that is voted down does not stop the
    /// next validator.
    fn is_carried(&self, slot: u64) -> bool {
        self.ballots.range((slot, 0)..=(slot, u32::MAX)).any(|(_, ballot)| ballot.is_carried)
    }

    /// Opens a ballot. `false` when it is not its proposer's, not in a form that a block can carry, or there already.
    pub fn open(
        &mut self,
        genesis: &NetworkGenesis,
        ledger: &LedgerState,
        proposal: Signed<SlotProposal>,
        now_ms: u64,
    ) -> bool {
        let SlotProposal { slot, attempt, .. } = proposal.body;
        if !is_possible(genesis, &proposal.body) {
            return false;
        }
        let newest = genesis.params.slot_at(genesis.genesis_time_ms, now_ms);
        let wanted = !ledger.is_settled(slot) && slot <= newest && slot + CARRY_SLOTS_MAX >= newest;
        // There are never more turns in a slot than validators.
        let possible = (attempt as usize) < genesis.validators.len();
        let expected = genesis.validators[proposer(genesis, slot, attempt)].account;
        if !wanted || !possible || self.ballots.contains_key(&(slot, attempt)) || proposal.verify(&expected).is_err() {
            return false;
        }
        let digest = Digest(proposal.body.digest());
        let needed = genesis.params.votes_needed(genesis.validators.len());
        let mut ballot = Ballot::new(proposal, digest, now_ms);
        for validator in 0..genesis.validators.len() as u16 {
            if let Some(vote) = self.early.remove(&(slot, digest, validator)) {
                ballot.add(vote, needed);
            }
        }
        self.ballots.insert((slot, attempt), ballot);
        true
    }

    /// Counts a vote, the first of each validator on each ballot. Answers whether it is news.
    pub fn vote(
        &mut self,
        genesis: &NetworkGenesis,
        ledger: &LedgerState,
        vote: &Signed<SlotVote>,
        now_ms: u64,
    ) -> bool {
        let Ok(signer) = vote.signer() else { return false };
        let Some(validator) = genesis.validator_index(&signer) else { return false };
        let newest = genesis.params.slot_at(genesis.genesis_time_ms, now_ms);
        if ledger.is_settled(vote.body.slot) || vote.body.slot > newest {
            return false;
        }
        // At most 128 validators.
        let validator = validator as u16;
        let entry = VoteEntry { validator, held_true: vote.body.held_true.clone(), signature: vote.signature };
        let slot = vote.body.slot;
        let ballot = self.ballots.range_mut((slot, 0)..=(slot, u32::MAX)).map(|(_, ballot)| ballot);
        match ballot.into_iter().find(|ballot| ballot.digest == vote.body.proposal) {
            Some(ballot) => ballot.add(entry, genesis.params.votes_needed(genesis.validators.len())),
            None => {
                let held = self.early.keys().filter(|(_, _, by)| *by == validator).count();
                let has_room = held < genesis.validators.len() * CARRY_SLOTS_MAX as usize;
                has_room && self.early.insert((slot, vote.body.proposal, validator), entry).is_none()
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

    /// The oldest unsettled slot that is ready for a block: its place, and how many votes it has.
    pub fn ready(&self, genesis: &NetworkGenesis, ledger: &LedgerState, now_ms: u64) -> Option<((u64, u32), usize)> {
        let needed = genesis.params.votes_needed(genesis.validators.len());
        let is_ready = |ballot: &Ballot| {
            let waited = now_ms >= ballot.seen_ms + genesis.params.slot_grace_ms;
            let enough = ballot.votes.len() == genesis.validators.len() || (ballot.votes.len() >= needed && waited);
            enough && ballot.is_carried && ballot.is_wanted(needed, ledger)
        };
        let mut open = self.ballots.iter().filter(|((slot, _), _)| !ledger.is_settled(*slot));
        open.find(|(_, ballot)| is_ready(ballot)).map(|(key, ballot)| (*key, ballot.votes.len()))
    }

    /// What a block carries of a ballot.
    pub fn payload(&self, key: (u64, u32)) -> Option<SlotPayload> {
        let ballot = self.ballots.get(&key)?;
        Some(SlotPayload {
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

#[cfg(test)]
mod tests;
