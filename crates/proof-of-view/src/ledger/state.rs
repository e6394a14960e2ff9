//! The ledger between two blocks, and what anybody may ask of it.

use super::{
    HeldPay, IssuerRecord, MinedCell, PENDING_MAX, PendingBlock, ProviderRecord, Standing, award::add_up,
    held::HeldPays, providers::Providers, standing::period_of,
};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, Digest, NetworkGenesis, ProtocolParams};
use chainflix_token::Credit;
use std::{collections::BTreeMap, sync::Arc};

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
    /// Of that, held back from storage peers that were struck out, and paid to nobody, in gwei.
    pub forfeited_gwei: u128,
    /// The last slot settled before the running period: plays that ended by then are not carried any more, because what
    /// was mined then is forgotten.
    pub closed_slot: Option<u64>,
    /// What issuers answer for in the running period, by their numbers.
    pub issuers: BTreeMap<u16, IssuerRecord>,
}

/// What a store keeps of a state: everything.
#[derive(Clone, Debug, Default)]
pub struct LedgerParts {
    /// The numbers.
    pub head: LedgerHead,
    /// [`MinedCell::name`]s of the running period.
    pub mined: Vec<[u8; 16]>,
    /// What is known of accounts.
    pub standings: Vec<(AccountAddress, Standing)>,
    /// Play time of accounts on creators' videos in the running period: (viewer, creator), milliseconds.
    pub creator_times: Vec<((AccountAddress, AccountAddress), u64)>,
    /// What providers answer for in the running period.
    pub providers: Vec<(AccountAddress, ProviderRecord)>,
    /// What is held back from storage peers.
    pub held: Vec<(AccountAddress, HeldPay)>,
    /// View blocks that are not awarded yet.
    pub pending: Vec<PendingBlock>,
    /// Awards that are not spendable yet, by view block, each in order of accounts.
    pub vesting: Vec<(u64, Vec<Credit>)>,
}

/// What an account will get, in gwei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// Awarded, and not spendable yet.
    pub vesting_gwei: u64,
    /// To be awarded by pending view blocks if no play of theirs turns out void; if one does, the others' parts grow. What
    /// will be held back of it is still in it.
    pub expected_gwei: u64,
    /// Awarded for storage, and held back.
    pub held_gwei: u64,
}

/// The ledger between two blocks.
#[derive(Clone, Debug, Default)]
pub struct LedgerState {
    pub(super) head: LedgerHead,
    pub(super) mined: imbl::HashSet<[u8; 16]>,
    pub(super) standings: imbl::HashMap<AccountAddress, Standing>,
    pub(super) creator_times: imbl::HashMap<(AccountAddress, AccountAddress), u64>,
    pub(super) providers: Providers,
    pub(super) held: HeldPays,
    pub(super) pending: imbl::OrdMap<u64, Arc<PendingBlock>>,
    pub(super) vesting: imbl::OrdMap<u64, Arc<Vec<Credit>>>,
}

impl LedgerState {
    /// Puts a state together again from what a store kept.
    pub fn restore(parts: LedgerParts) -> Self {
        let LedgerParts { head, mined, standings, creator_times, providers, held, pending, vesting } = parts;
        Self {
            head,
            mined: mined.into_iter().collect(),
            standings: standings.into_iter().collect(),
            creator_times: creator_times.into_iter().collect(),
            providers: Providers::restore(providers),
            held: HeldPays::restore(held),
            pending: pending.into_iter().map(|block| (block.view_block(), Arc::new(block))).collect(),
            vesting: vesting.into_iter().map(|(view_block, credits)| (view_block, Arc::new(credits))).collect(),
        }
    }

    /// The state's numbers.
    pub fn head(&self) -> &LedgerHead {
        &self.head
    }

    /// Whether the account was paid for the cell in the running period, or will be.
    pub fn is_mined(&self, cell: &MinedCell) -> bool {
        self.mined.contains(&cell.name())
    }

    /// Whether a slot is behind the last settled one.
    pub fn is_settled(&self, slot: u64) -> bool {
        self.head.last_slot.is_some_and(|last| slot <= last)
    }

    /// Whether a play that ended in `slot` came too late for the running period, whatever the votes say.
    pub fn is_closed(&self, slot: u64) -> bool {
        self.head.closed_slot.is_some_and(|closed| slot <= closed)
    }

    /// Whether as many view blocks wait for their audit as may: until one is awarded, no slot is settled.
    pub fn is_full(&self) -> bool {
        self.pending.len() >= PENDING_MAX
    }

    /// What is known of an account; `None` before its first carried play.
    pub fn standing(&self, account: &AccountAddress) -> Option<&Standing> {
        self.standings.get(account)
    }

    /// The period of the next view block: strikes of earlier ones are forgiven.
    pub fn period(&self, params: &ProtocolParams) -> u64 {
        period_of(params, self.head.view_blocks + 1)
    }

    /// Whether the account's plays weigh nothing until the period ends.
    pub fn is_struck_out(&self, params: &ProtocolParams, account: &AccountAddress) -> bool {
        let period = self.period(params);
        self.standing(account).is_some_and(|standing| standing.is_struck_out(&params.audit, period))
    }

    /// Bit `v` says that validator `v` is struck out until the period ends.
    pub fn issuers_struck_out(&self, params: &ProtocolParams) -> u128 {
        let struck = self.head.issuers.iter().filter(|(_, record)| record.is_struck_out(&params.audit));
        // Validators have numbers below 128.
        struck.fold(0, |bits, (number, _)| bits | 1 << number)
    }

    /// What a provider answers for in the running period; `None` when nothing it served was audited.
    pub fn provider(&self, account: &AccountAddress) -> Option<&ProviderRecord> {
        self.providers.get(account)
    }

    /// Whether plays that a provider serves weigh nothing until the period ends.
    pub fn is_provider_struck_out(&self, params: &ProtocolParams, account: &AccountAddress) -> bool {
        self.provider(account).is_some_and(|record| record.is_struck_out(&params.audit))
    }

    /// All such providers; looks at every one that has a record.
    pub fn providers_struck_out(&self, params: &ProtocolParams) -> impl Iterator<Item = AccountAddress> {
        let struck = self.providers.iter().filter(|(_, record)| record.is_struck_out(&params.audit));
        struck.map(|(account, _)| *account)
    }

    /// What is held back from an account; `None` before storage first paid it something, and after it was paid out.
    pub fn held(&self, account: &AccountAddress) -> Option<&HeldPay> {
        self.held.get(account)
    }

    /// The held pays that differ in `after`; `None` for one that is gone there.
    pub fn held_changes(&self, after: &Self) -> Vec<(AccountAddress, Option<HeldPay>)> {
        self.held.changes(&after.held)
    }

    /// Play time of an account on a creator's videos in the running period, in milliseconds.
    pub fn creator_time_ms(&self, account: &AccountAddress, creator: &AccountAddress) -> u64 {
        self.creator_times.get(&(*account, *creator)).copied().unwrap_or_default()
    }

    /// View blocks that are voted and not awarded yet, oldest first; at most [`PENDING_MAX`].
    pub fn pending(&self) -> impl Iterator<Item = &PendingBlock> {
        self.pending.values().map(|block| &**block)
    }

    /// A view block that is voted and not awarded yet.
    pub fn pending_block(&self, view_block: u64) -> Option<&PendingBlock> {
        self.pending.get(&view_block).map(|block| &**block)
    }

    /// The pending view blocks of which some plays must open their chunks.
    pub fn open_audits(&self) -> impl Iterator<Item = &PendingBlock> {
        self.pending().filter(|block| block.audit().is_some())
    }

    /// Awards that are not spendable yet, by the view block that made them.
    pub fn vesting(&self) -> impl Iterator<Item = (u64, &[Credit])> {
        self.vesting.iter().map(|(view_block, credits)| (*view_block, credits.as_slice()))
    }

    /// Puts credits, in order of accounts, to those of `view_block` that are not spendable yet.
    pub(super) fn vest(&mut self, view_block: u64, credits: Vec<Credit>) {
        if credits.is_empty() {
            return;
        }
        let known = self.vesting.get(&view_block).map_or(&[][..], |known| known.as_slice());
        let credits = if known.is_empty() { credits } else { add_up([known, &credits].concat()) };
        self.vesting.insert(view_block, Arc::new(credits));
    }

    /// The awards of one view block that are not spendable yet.
    pub fn vesting_of(&self, view_block: u64) -> Option<&[Credit]> {
        self.vesting.get(&view_block).map(|credits| credits.as_slice())
    }

    /// What an account will get. The first question about a pending view block computes what it will pay; the others
    /// look it up.
    pub fn owed(&self, genesis: &NetworkGenesis, account: &AccountAddress) -> Owed {
        let part = |credits: &[Credit]| match credits.binary_search_by_key(account, |credit| credit.account) {
            Ok(place) => credits[place].gwei,
            Err(_) => 0,
        };
        Owed {
            vesting_gwei: self.vesting().map(|(_, credits)| part(credits)).sum(),
            expected_gwei: self.pending().map(|block| part(&block.expected(genesis).credits)).sum(),
            held_gwei: self.held(account).map_or(0, |held| held.gwei),
        }
    }
}
