//! The view ledger: which plays were accepted, who was paid, and the root that proves it.
//!
//! A ledger state is a value. A block that carries a [`ViewPayload`] turns one state into the next, and the credits of
//! that step become the block's withdrawals; proposer and verifiers compute both from the same two arguments. States
//! share structure, so a candidate block's state costs its own plays only.
//!
//! What settles here is what the votes say. Whether a play was watched is judged before, by each validator's
//! [`Desk`](crate::Desk); here it counts once per period, once per slot, and never for more than the schedule's reward.

use crate::weight::weight;
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{
    AccountAddress, Digest, Magnet, NetworkGenesis, PlayId, PlayRecord, Signable as _, SignatureError, SlotVote,
    ViewPayload,
    message::PROVIDER_SHARES_MAX,
    slot::{PLAYS_PER_SLOT_MAX, holds_true},
};
use chainflix_token::{Credit, PlayShares, WeightedPlay, pay, reward_gwei};
use sha3::{Digest as _, Keccak256};
use std::sync::Arc;

/// How many slots a proved play may wait for its vote.
pub const CARRY_SLOTS_MAX: u64 = 8;

/// One cell mined by one account: allowed once per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct MinedCell {
    /// Who watched.
    pub account: AccountAddress,
    /// Which video.
    pub magnet: Magnet,
    /// Which minute.
    pub cell_index: u32,
}

impl MinedCell {
    /// The cell a record mines.
    pub fn of(record: &PlayRecord) -> Self {
        let code = &record.code.body;
        Self { account: code.account, magnet: code.magnet, cell_index: code.cell_index }
    }
}

/// A play that the vote carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedPlay {
    /// Its place in the proposal.
    pub index: usize,
    /// Its name.
    pub play: PlayId,
}

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
}

/// What one payload does to the ledger.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The state after it.
    pub next: LedgerState,
    /// Number of the view block it makes.
    pub view_block: u64,
    /// What the schedule pays for it, in gwei.
    pub reward_gwei: u64,
    /// The plays that were carried.
    pub accepted: Vec<AcceptedPlay>,
    /// What it awards, pending until vested; adds up to the reward.
    pub awarded: Arc<Vec<Credit>>,
    /// What becomes spendable with this block: vested awards, in order of accounts.
    pub credits: Vec<Credit>,
}

/// The numbers of a ledger state: small, and enough with its sets to restore it.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LedgerHead {
    /// The last slot that was settled.
    pub last_slot: Option<u64>,
    /// View blocks made so far.
    pub view_blocks: u64,
    /// Root over everything settled so far.
    pub root: Digest,
    /// Withdrawals made so far: the index of the next one.
    pub withdrawals: u64,
    /// Awarded so far, in gwei.
    pub issued_gwei: u128,
}

/// The ledger between two blocks.
#[derive(Clone, Debug, Default)]
pub struct LedgerState {
    head: LedgerHead,
    mined: imbl::HashSet<MinedCell>,
    vesting: imbl::OrdMap<u64, Arc<Vec<Credit>>>,
}

impl LedgerState {
    /// Puts a state together again from what a store kept.
    pub fn restore(
        head: LedgerHead,
        mined: impl IntoIterator<Item = MinedCell>,
        vesting: impl IntoIterator<Item = (u64, Vec<Credit>)>,
    ) -> Self {
        let vesting = vesting.into_iter().map(|(view_block, credits)| (view_block, Arc::new(credits))).collect();
        Self { head, mined: mined.into_iter().collect(), vesting }
    }

    /// The state's numbers.
    pub fn head(&self) -> &LedgerHead {
        &self.head
    }

    /// Whether the account was paid for the cell in the running period.
    pub fn is_mined(&self, cell: &MinedCell) -> bool {
        self.mined.contains(cell)
    }

    /// Whether a slot is behind the last settled one.
    pub fn is_settled(&self, slot: u64) -> bool {
        self.head.last_slot.is_some_and(|last| slot <= last)
    }

    /// Awards that are not spendable yet, by the view block that made them.
    pub fn vesting(&self) -> impl Iterator<Item = (u64, &[Credit])> {
        self.vesting.iter().map(|(view_block, credits)| (*view_block, credits.as_slice()))
    }

    /// Checks a payload and computes what it does. `block_time_ms` is the time of the block that carries it.
    pub fn settle(
        &self,
        genesis: &NetworkGenesis,
        payload: &ViewPayload,
        block_time_ms: u64,
    ) -> Result<Settlement, SettleError> {
        self.check_slot(genesis, payload, block_time_ms)?;
        check_shape(genesis, payload)?;
        check_signatures(genesis, payload)?;
        let view_block = self.head.view_blocks + 1;
        let (accepted, mined) = self.tally(genesis, payload, view_block);
        if accepted.is_empty() {
            return Err(SettleError::NothingAccepted { slot: payload.proposal.slot });
        }
        let reward_gwei = reward_gwei(&genesis.params, view_block);
        let plays: Vec<_> = accepted.iter().map(|play| weighted(genesis, payload, play.index)).collect();
        let awarded = Arc::new(pay(reward_gwei, &genesis.params.split, &plays));
        let mut vesting = self.vesting.clone();
        vesting.insert(view_block, awarded.clone());
        let credits = mature(&mut vesting, view_block, genesis.params.vesting_view_blocks);
        let next = LedgerState {
            head: LedgerHead {
                last_slot: Some(payload.proposal.slot),
                view_blocks: view_block,
                root: self.next_root(payload, view_block, &accepted, &awarded),
                withdrawals: self.head.withdrawals + credits.len() as u64,
                issued_gwei: self.head.issued_gwei + u128::from(awarded.iter().map(|credit| credit.gwei).sum::<u64>()),
            },
            mined,
            vesting,
        };
        Ok(Settlement { next, view_block, reward_gwei, accepted, awarded, credits })
    }

    fn check_slot(&self, genesis: &NetworkGenesis, payload: &ViewPayload, block_ms: u64) -> Result<(), SettleError> {
        let slot = payload.proposal.slot;
        if self.is_settled(slot) {
            return Err(SettleError::SlotNotNew { slot, last: self.head.last_slot });
        }
        let end_ms = genesis.params.slot_end_ms(genesis.genesis_time_ms, slot);
        if block_ms < end_ms {
            return Err(SettleError::SlotNotOver { slot, end_ms, block_ms });
        }
        Ok(())
    }

    /// Counts the votes. A play that was paid in this period, or that waited too long, is not carried by any vote.
    fn tally(
        &self,
        genesis: &NetworkGenesis,
        payload: &ViewPayload,
        view_block: u64,
    ) -> (Vec<AcceptedPlay>, imbl::HashSet<MinedCell>) {
        let needed = genesis.params.votes_needed(genesis.validators.len());
        let new_period = (view_block - 1).is_multiple_of(genesis.params.period_view_blocks);
        let mut mined = if new_period { imbl::HashSet::new() } else { self.mined.clone() };
        let mut accepted = Vec::new();
        for (index, record) in payload.proposal.plays.iter().enumerate() {
            let votes = payload.votes.iter().filter(|vote| holds_true(&vote.held_true, index)).count();
            let waited = payload.proposal.slot.checked_sub(record.data.body.slot);
            let in_time = waited.is_some_and(|slots| slots <= CARRY_SLOTS_MAX);
            let cell = MinedCell::of(record);
            if votes >= needed && in_time && !mined.contains(&cell) {
                mined.insert(cell);
                accepted.push(AcceptedPlay { index, play: record.code.body.id });
            }
        }
        (accepted, mined)
    }

    /// `keccak256(previous root, slot, view block, root of the accepted plays, root of the awards)`: Keccak, so that a
    /// contract that reads the root by EIP-4788 can check a proof cheaply.
    fn next_root(
        &self,
        payload: &ViewPayload,
        view_block: u64,
        accepted: &[AcceptedPlay],
        awarded: &[Credit],
    ) -> Digest {
        let plays = accepted.iter().map(|play| play_leaf(&payload.proposal.plays[play.index])).collect();
        let credits =
            awarded.iter().map(|credit| keccak(&[&[0], &credit.account.0, &credit.gwei.to_be_bytes()])).collect();
        Digest(keccak(&[
            &self.head.root.0,
            &payload.proposal.slot.to_be_bytes(),
            &view_block.to_be_bytes(),
            &merkle_root(plays),
            &merkle_root(credits),
        ]))
    }
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

fn play_leaf(record: &PlayRecord) -> [u8; 32] {
    // Writing into a vector cannot fail.
    keccak(&[&[0], &borsh::to_vec(record).expect("encoding into memory does not fail")])
}

/// Root of a binary tree; a node without a sibling moves up as it is (as in RFC 6962, leaves and nodes are told apart).
fn merkle_root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| if let [left, right] = pair { keccak(&[&[1], left, right]) } else { pair[0] })
            .collect();
    }
    level.first().copied().unwrap_or_default()
}

fn check_shape(genesis: &NetworkGenesis, payload: &ViewPayload) -> Result<(), SettleError> {
    let plays = &payload.proposal.plays;
    let ordered = plays.is_sorted_by(|a, b| a.code.body.id < b.code.body.id);
    let served = |record: &PlayRecord| record.providers.iter().map(|share| u128::from(share.bytes)).sum::<u128>();
    let fitting = plays.iter().all(|record| {
        record.providers.len() <= PROVIDER_SHARES_MAX && served(record) <= u128::from(record.code.body.size)
    });
    if plays.is_empty() || plays.len() > PLAYS_PER_SLOT_MAX || !ordered || !fitting {
        return Err(SettleError::Shape { what: "plays" });
    }
    let bytes = plays.len().div_ceil(8);
    let known = payload.votes.iter().all(|vote| usize::from(vote.validator) < genesis.validators.len());
    let ordered = payload.votes.is_sorted_by(|a, b| a.validator < b.validator);
    if !known || !ordered || payload.votes.iter().any(|vote| vote.held_true.len() != bytes) {
        return Err(SettleError::Shape { what: "votes" });
    }
    Ok(())
}

fn check_signatures(genesis: &NetworkGenesis, payload: &ViewPayload) -> Result<(), SettleError> {
    let proposal = &payload.proposal;
    let digest = proposal.digest();
    let expected = genesis.validators[proposer(genesis, proposal.slot, proposal.attempt)].account;
    signed_by(&payload.proposer_signature.recover(&digest), expected)
        .map_err(|source| SettleError::Proposer { slot: proposal.slot, source })?;
    for vote in &payload.votes {
        let said = SlotVote { slot: proposal.slot, proposal: Digest(digest), held_true: vote.held_true.clone() };
        let expected = genesis.validators[usize::from(vote.validator)].account;
        signed_by(&vote.signature.recover(&said.digest()), expected)
            .map_err(|source| SettleError::Vote { validator: vote.validator, source })?;
    }
    Ok(())
}

fn signed_by(signer: &Result<AccountAddress, SignatureError>, expected: AccountAddress) -> Result<(), SignatureError> {
    match signer {
        Ok(signer) if *signer == expected => Ok(()),
        Ok(signer) => Err(SignatureError::OtherSigner { expected, signer: *signer }),
        Err(error) => Err(error.clone()),
    }
}

/// Number of the validator whose turn it is to list the plays of `slot`; `attempt` counts those that missed theirs.
pub(crate) fn proposer(genesis: &NetworkGenesis, slot: u64, attempt: u32) -> usize {
    // The remainder is below the number of validators.
    (slot.wrapping_add(u64::from(attempt)) % genesis.validators.len() as u64) as usize
}

fn weighted(genesis: &NetworkGenesis, payload: &ViewPayload, index: usize) -> WeightedPlay {
    let record = &payload.proposal.plays[index];
    let code = &record.code.body;
    let carried = payload.votes.iter().filter(|vote| holds_true(&vote.held_true, index));
    let shares = PlayShares {
        viewer: code.account,
        creator: code.creator,
        supervisor: code.supervisor,
        providers: record.providers.clone(),
        cell_bytes: code.size,
        validators: carried.map(|vote| genesis.validators[usize::from(vote.validator)].account).collect(),
    };
    WeightedPlay { weight: weight(code), shares }
}

/// Takes out the awards whose vesting time is over and adds them up by account.
fn mature(vesting: &mut imbl::OrdMap<u64, Arc<Vec<Credit>>>, view_block: u64, vesting_view_blocks: u64) -> Vec<Credit> {
    let Some(upto) = view_block.checked_sub(vesting_view_blocks) else { return Vec::new() };
    let due: Vec<u64> = vesting.range(..=upto).map(|(made, _)| *made).collect();
    let mut credits = std::collections::BTreeMap::<AccountAddress, u64>::new();
    for made in due {
        for credit in vesting.remove(&made).iter().flat_map(|credits| credits.iter()) {
            *credits.entry(credit.account).or_default() += credit.gwei;
        }
    }
    credits.into_iter().map(|(account, gwei)| Credit { account, gwei }).collect()
}
