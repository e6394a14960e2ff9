//! Whether a payload may stand in a block, and which plays its votes carry.
//!
//! A listed play that is not carried is not thereby refused: its slot's proposer may have described it wrongly. It may be
//! listed again until it is [`CARRY_SLOTS_MAX`](super::CARRY_SLOTS_MAX) slots old. Final is what holds whoever lists it:
//! what was mined in a period is not mined again in it, and what is too old stays too old.

use super::{CARRY_SLOTS_MAX, LedgerState, MinedCell, PENDING_MAX};
use chainflix_primitives::{
    AccountAddress, Digest, NetworkGenesis, PlayRecord, Signable as _, Signature, SignatureError, SlotPayload,
    SlotVote, ViewPayload, VoteEntry,
    message::{LAYERS_MAX, PROVIDER_SHARES_MAX},
    slot::OPERATION_MAX,
};

/// Longest play that is paid: twice the longest full cell that a genesis allows.
const PLAY_MS_MAX: u64 = 1_200_000;

/// Why a payload cannot stand in a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// A list is empty, too long, or out of order.
    #[error("the view payload's {what} are empty, too many, or out of order")]
    Shape { what: &'static str },
    /// One reward per slot, in order.
    #[error("slot {slot} is not after the last settled slot {last:?}")]
    SlotNotNew { slot: u64, last: Option<u64> },
    /// A slot settles only after it ended.
    #[error("slot {slot} ends at {end_ms} ms, the block is of {block_ms} ms")]
    SlotNotOver { slot: u64, end_ms: u64, block_ms: u64 },
    /// Too many view blocks wait for their audit ([`LedgerState::is_full`]).
    #[error("{pending} view blocks wait for their audit; slot {slot} has to wait")]
    Full { slot: u64, pending: usize },
    /// Not signed by the proposer of that slot and attempt.
    #[error("the proposal of slot {slot} is not signed by its proposer")]
    Proposer {
        slot: u64,
        #[source]
        source: SignatureError,
    },
    /// Not the validator's vote on this proposal.
    #[error("the vote of validator {validator} is not its own")]
    Vote {
        validator: u16,
        #[source]
        source: SignatureError,
    },
    /// No play was carried: such a payload says nothing and is left out of the block.
    #[error("no play of slot {slot} was accepted")]
    NothingAccepted { slot: u64 },
    /// No audit of this view block is open.
    #[error("view block {view_block} is not under audit")]
    NotAudited { view_block: u64 },
    /// Not the validator's vote on the drawn plays of this view block.
    #[error("the vote of validator {validator} on the audit of view block {view_block} is not its own")]
    AuditVote {
        view_block: u64,
        validator: u16,
        #[source]
        source: SignatureError,
    },
}

/// For each listed play, which validators held it true: bit `v` is validator `v`. Votes of unknown validators do not count.
pub(super) fn carriers(slot: &SlotPayload) -> Vec<u128> {
    let mut carriers = vec![0u128; slot.proposal.plays.len()];
    for vote in &slot.votes {
        let bit = 1u128.checked_shl(vote.validator.into()).unwrap_or(0);
        for (byte, plays) in vote.held_true.iter().zip(carriers.chunks_mut(8)) {
            for (position, carriers) in plays.iter_mut().enumerate() {
                if byte >> position & 1 == 1 {
                    *carriers |= bit;
                }
            }
        }
    }
    carriers
}

/// Number of the validator whose turn it is to list the plays of `slot`; `attempt` counts those that missed theirs.
pub(crate) fn proposer(genesis: &NetworkGenesis, slot: u64, attempt: u32) -> usize {
    // The remainder is below the number of validators.
    (slot.wrapping_add(u64::from(attempt)) % genesis.validators.len() as u64) as usize
}

/// The counted votes of one slot.
pub(super) struct Tally<'a> {
    genesis: &'a NetworkGenesis,
    slot: u64,
    carriers: Vec<u128>,
    cast: u32,
    needed: u32,
}

impl<'a> Tally<'a> {
    /// Checks a slot's payload, all but its audits, and counts.
    pub fn new(
        genesis: &'a NetworkGenesis,
        state: &LedgerState,
        payload: &SlotPayload,
        block_ms: u64,
    ) -> Result<Self, SettleError> {
        check_slot(genesis, state, payload.proposal.slot, block_ms)?;
        check_shape(genesis, payload)?;
        check_signatures(genesis, payload)?;
        Ok(Self {
            genesis,
            slot: payload.proposal.slot,
            carriers: carriers(payload),
            // A genesis has at most 128 validators, each with at most one vote.
            cast: payload.votes.len() as u32,
            needed: genesis.params.votes_needed(genesis.validators.len()) as u32,
        })
    }

    /// Which validators held play `index` true.
    pub fn carriers(&self, index: usize) -> u128 {
        self.carriers[index]
    }

    /// What a play mines, if it is carried: enough votes, in time, not mined before, and described as the protocol wants it.
    /// The answer is the [`MinedCell::name`].
    pub fn carries(&self, state: &LedgerState, index: usize, record: &PlayRecord) -> Option<[u8; 16]> {
        let ended = record.data.body.slot;
        let in_time = self.slot.checked_sub(ended).is_some_and(|waited| waited <= CARRY_SLOTS_MAX);
        let is_held = self.carriers[index].count_ones() >= self.needed;
        if !is_held || !in_time || state.is_closed(ended) || !is_well_formed(self.genesis, record) {
            return None;
        }
        let mined = MinedCell::of(record).name();
        (!state.mined.contains(&mined)).then_some(mined)
    }

    /// Whether the issuer held true what the majority held false.
    pub fn contradicts_issuer(&self, index: usize, record: &PlayRecord) -> bool {
        let carriers = self.carriers[index];
        let issuer = 1u128.checked_shl(record.issuer.into()).unwrap_or(0);
        carriers & issuer != 0 && self.cast - carriers.count_ones() >= self.needed
    }
}

/// What an honest validator holds true is always so. Where it is not, the play is left out rather than the whole slot.
fn is_well_formed(genesis: &NetworkGenesis, record: &PlayRecord) -> bool {
    let code = &record.code.body;
    let served = || record.providers.iter().map(|share| u128::from(share.bytes)).sum::<u128>();
    let params = &genesis.params;
    record.data.body.play == code.id
        && code.play_ms <= PLAY_MS_MAX
        && usize::from(record.issuer) < genesis.validators.len()
        && record.providers.len() <= PROVIDER_SHARES_MAX
        && served() <= u128::from(code.size)
        && code.activators.len() <= LAYERS_MAX
        && is_ordered(&code.activators)
        && (code.split == params.split || params.split_bounds.check(&code.split).is_ok())
        && record.factors.standing_permille <= 1000
        && record.factors.network_permille <= 1000
}

fn is_ordered(accounts: &[AccountAddress]) -> bool {
    accounts.is_sorted_by(|a, b| a < b)
}

fn check_slot(genesis: &NetworkGenesis, state: &LedgerState, slot: u64, block_ms: u64) -> Result<(), SettleError> {
    if state.is_settled(slot) {
        return Err(SettleError::SlotNotNew { slot, last: state.head.last_slot });
    }
    let end_ms = genesis.params.slot_end_ms(genesis.genesis_time_ms, slot);
    if block_ms < end_ms {
        return Err(SettleError::SlotNotOver { slot, end_ms, block_ms });
    }
    if state.is_full() {
        return Err(SettleError::Full { slot, pending: state.pending.len() });
    }
    Ok(())
}

fn check_shape(genesis: &NetworkGenesis, payload: &SlotPayload) -> Result<(), SettleError> {
    let plays = &payload.proposal.plays;
    let most = genesis.params.plays_per_slot_max as usize;
    let ordered = plays.is_sorted_by(|a, b| a.code.body.id < b.code.body.id);
    if plays.is_empty() || plays.len() > most || !ordered {
        return Err(SettleError::Shape { what: "plays" });
    }
    let operation = &payload.proposal.operation;
    if operation.len() > OPERATION_MAX || !is_ordered(operation) {
        return Err(SettleError::Shape { what: "operation participants" });
    }
    check_votes(genesis, &payload.votes, plays.len())
}

/// Checks that votes are of known validators, each once, in order, and about `items` items.
pub(super) fn check_votes(genesis: &NetworkGenesis, votes: &[VoteEntry], items: usize) -> Result<(), SettleError> {
    let bytes = items.div_ceil(8);
    let known = votes.iter().all(|vote| usize::from(vote.validator) < genesis.validators.len());
    let ordered = votes.is_sorted_by(|a, b| a.validator < b.validator);
    if !known || !ordered || votes.iter().any(|vote| vote.held_true.len() != bytes) {
        return Err(SettleError::Shape { what: "votes" });
    }
    Ok(())
}

/// Checks that a payload says something, and about audits in order.
pub(super) fn check_parts(payload: &ViewPayload) -> Result<(), SettleError> {
    let ordered = payload.audits.is_sorted_by(|a, b| a.view_block < b.view_block);
    if payload.audits.len() > PENDING_MAX || !ordered || payload.audits.iter().any(|audit| audit.votes.is_empty()) {
        return Err(SettleError::Shape { what: "audits" });
    }
    match payload.slot.is_none() && payload.audits.is_empty() {
        true => Err(SettleError::Shape { what: "parts" }),
        false => Ok(()),
    }
}

fn check_signatures(genesis: &NetworkGenesis, payload: &SlotPayload) -> Result<(), SettleError> {
    let proposal = &payload.proposal;
    let (digest, slot) = (proposal.digest(), proposal.slot);
    check_signer(genesis, proposer(genesis, slot, proposal.attempt), &payload.proposer_signature, &digest)
        .map_err(|source| SettleError::Proposer { slot, source })?;
    for vote in &payload.votes {
        let said = SlotVote { slot, proposal: Digest(digest), held_true: vote.held_true.clone() };
        check_signer(genesis, vote.validator.into(), &vote.signature, &said.digest())
            .map_err(|source| SettleError::Vote { validator: vote.validator, source })?;
    }
    Ok(())
}

/// Checks that validator `number`, which must be known, signed `digest`.
pub(super) fn check_signer(
    genesis: &NetworkGenesis,
    number: usize,
    signature: &Signature,
    digest: &[u8; 32],
) -> Result<(), SignatureError> {
    let expected = genesis.validators[number].account;
    match signature.recover(digest)? {
        signer if signer == expected => Ok(()),
        signer => Err(SignatureError::OtherSigner { expected, signer }),
    }
}
