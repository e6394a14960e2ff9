//! What anybody may ask of the ledger: view blocks, plays, what an account will get.

use super::{
    LedgerError, StoreError, ViewLedger, parts,
    row::{AwardRow, SummaryRow, ViewBlockRow, decode, decode_view_block},
    store::{ACCOUNT_PLAY, PLAY, SUMMARY, VIEW_BLOCK},
};
use chainflix_primitives::{AccountAddress, Digest, NetworkGenesis, PlayId, PlayRecord, SlotPayload, ViewPayload};
use chainflix_proof_of_view::Owed;
use chainflix_token::{Credit, Parties, RolePay, WeightedPlay, amounts, by_role, pay};
use redb::ReadTransaction;

/// Most rows one question is answered with.
pub const ROWS_MAX: usize = 1_000;

/// One view block as the ledger keeps it: everything anybody needs to count again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewBlock {
    /// As in a list.
    pub summary: Summary,
    /// Bit `v` says that validator `v` was struck out and has no share in it.
    pub struck_out: u128,
    /// The carried plays: place in the payload, and what it weighs.
    pub carried: Vec<(u32, u64)>,
    /// The proposal and the votes.
    pub payload: ViewPayload,
}

/// A view block as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its number; the first is 1.
    pub number: u64,
    /// The slot it settles.
    pub slot: u64,
    /// The block that carries its votes.
    pub height: u64,
    /// That block's time, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// What the schedule pays for it, in gwei, unless every play is void.
    pub reward_gwei: u64,
    /// How many plays the votes carried.
    pub plays: u32,
    /// The ledger's root after them: it commits to every one of them.
    pub root: Digest,
    /// Whose plays were carried, each once; after the award without those whose plays are all void. Only of the newest
    /// view blocks, of others none.
    pub viewers: Vec<AccountAddress>,
    /// How it ended; `None` while its audit is not over.
    pub award: Option<Awarded>,
}

/// How a view block ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awarded {
    /// The block that awarded it.
    pub height: u64,
    /// What it awarded, in gwei.
    pub gwei: u64,
    /// What of that was held back from storage peers, in gwei.
    pub held_gwei: u64,
    /// What was paid with it of what had been held back before, in gwei.
    pub returned_gwei: u64,
    /// Places in the payload of the plays that did not pass their audit, ascending.
    pub voided: Vec<u32>,
}

impl Summary {
    fn of(number: u64, row: SummaryRow) -> Self {
        let SummaryRow { slot, height, time_ms, reward_gwei, plays, root, viewers, award } = row;
        let awarded = |row: AwardRow| {
            let AwardRow { height, gwei, held_gwei, returned_gwei, voided } = row;
            Awarded { height, gwei, held_gwei, returned_gwei, voided }
        };
        let award = award.map(awarded);
        Self { number, slot, height, time_ms, reward_gwei, plays, root, viewers, award }
    }
}

/// Where an accepted play is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayPlace {
    /// The view block it is in.
    pub view_block: u64,
    /// Its place in that block's payload.
    pub index: u32,
}

/// How far a carried play is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayState {
    /// Its view block is not awarded yet.
    Pending,
    /// Drawn for audit, which is not over.
    Auditing {
        /// Time of the block that drew it, in milliseconds since the Unix epoch.
        opened_ms: u64,
    },
    /// Paid by its weight.
    Awarded,
    /// It did not pass its audit.
    Voided,
}

impl ViewBlock {
    fn of(summary: Summary, row: ViewBlockRow) -> Self {
        let ViewBlockRow { struck_out, carried, payload } = row;
        Self { summary, struck_out, carried, payload }
    }

    /// A listed play.
    pub fn record(&self, index: u32) -> Option<&PlayRecord> {
        self.payload.slot.as_ref()?.proposal.plays.get(index as usize)
    }

    /// The carried plays.
    pub fn plays(&self) -> impl Iterator<Item = &PlayRecord> {
        self.carried.iter().filter_map(|(index, _)| self.record(*index))
    }

    /// Whether a carried play did not pass its audit.
    pub fn is_void(&self, index: u32) -> bool {
        self.summary.award.as_ref().is_some_and(|award| award.voided.binary_search(&index).is_ok())
    }

    /// Who got how many gwei, in order of accounts: counted again from what is kept. `None` while the block is not
    /// awarded.
    pub fn awards(&self, genesis: &NetworkGenesis) -> Option<Vec<Credit>> {
        self.summary.award.as_ref()?;
        let slot = self.payload.slot.as_ref()?;
        let validators: Vec<_> = genesis.validators.iter().map(|validator| validator.account).collect();
        let valid = self.carried.iter().filter(|(index, _)| !self.is_void(*index));
        let plays = valid.filter_map(|(index, weight)| {
            Some(WeightedPlay { weight: *weight, ..shared(slot, self.record(*index)?, *index) })
        });
        Some(pay(self.summary.reward_gwei, &self.parties(&validators, slot), plays).credits)
    }

    fn parties<'a>(&self, validators: &'a [AccountAddress], slot: &'a SlotPayload) -> Parties<'a> {
        Parties { validators, struck_out: self.struck_out, operation: &slot.proposal.operation }
    }

    /// What the carried play at place `index` paid, by role; nothing for a void one. `None` for other places, and while the
    /// block is not awarded.
    pub fn paid(&self, genesis: &NetworkGenesis, index: u32) -> Option<RolePay> {
        self.summary.award.as_ref()?;
        let place = self.carried.iter().position(|(carried, _)| *carried == index)?;
        let weights = self.carried.iter().map(|(index, weight)| if self.is_void(*index) { 0 } else { *weight });
        let amount = amounts(self.summary.reward_gwei, weights).nth(place)?;
        let slot = self.payload.slot.as_ref()?;
        let validators: Vec<_> = genesis.validators.iter().map(|validator| validator.account).collect();
        Some(by_role(amount, &self.parties(&validators, slot), &shared(slot, self.record(index)?, index)))
    }
}

fn shared<'a>(slot: &SlotPayload, record: &'a PlayRecord, index: u32) -> WeightedPlay<'a> {
    let held = slot.votes.iter().filter(|vote| chainflix_primitives::slot::holds_true(&vote.held_true, index as usize));
    // Votes that the ledger took are of validators below 128.
    WeightedPlay::of(record, 1, held.fold(0, |bits, vote| bits | 1 << vote.validator))
}

fn summary_row(read: &ReadTransaction, number: u64) -> Result<Option<Summary>, StoreError> {
    let row = read.open_table(SUMMARY)?.get(number)?.map(|value| decode("summary", value.value()));
    Ok(row.transpose()?.map(|row| Summary::of(number, row)))
}

fn view_block_row(read: &ReadTransaction, number: u64) -> Result<Option<ViewBlockRow>, StoreError> {
    parts::read(&read.open_table(VIEW_BLOCK)?, number)?.map(|bytes| decode_view_block(&bytes)).transpose()
}

impl ViewLedger {
    /// View block `number`; [`LedgerError::Pruned`] when only its summary is kept.
    pub fn view_block(&self, number: u64) -> Result<Option<ViewBlock>, LedgerError> {
        let read = self.store.begin_read()?;
        let Some(summary) = summary_row(&read, number)? else { return Ok(None) };
        let row = view_block_row(&read, number)?.ok_or(LedgerError::Pruned { view_block: number })?;
        Ok(Some(ViewBlock::of(summary, row)))
    }

    /// View block `number` as a list shows it.
    pub fn summary(&self, number: u64) -> Result<Option<Summary>, LedgerError> {
        Ok(summary_row(&self.store.begin_read()?, number)?)
    }

    /// Up to `count` view blocks with numbers up to `from`, newest first, without their payloads.
    pub fn summaries(&self, from: u64, count: usize) -> Result<Vec<Summary>, LedgerError> {
        let read = self.store.begin_read()?;
        let table = read.open_table(SUMMARY).map_err(StoreError::from)?;
        let rows = table.range(..=from).map_err(StoreError::from)?.rev().take(count.min(ROWS_MAX));
        let decoded = rows.map(|row| {
            let (number, value) = row.map_err(StoreError::from)?;
            Ok(Summary::of(number.value(), decode("summary", value.value())?))
        });
        decoded.collect()
    }

    /// Where an accepted play is.
    pub fn play(&self, play: &PlayId) -> Result<Option<PlayPlace>, LedgerError> {
        let read = self.store.begin_read()?;
        let table = read.open_table(PLAY).map_err(StoreError::from)?;
        let found = table.get(play.0).map_err(StoreError::from)?;
        Ok(found.map(|value| {
            let (view_block, index) = value.value();
            PlayPlace { view_block, index }
        }))
    }

    /// How far a carried play is.
    pub fn play_state(&self, place: &PlayPlace) -> Result<PlayState, LedgerError> {
        // The state first: what leaves it is in the table by then.
        if let Some(block) = self.state().pending_block(place.view_block) {
            let drawn = block.audit().filter(|audit| audit.drawn.binary_search(&place.index).is_ok());
            return Ok(drawn.map_or(PlayState::Pending, |audit| PlayState::Auditing { opened_ms: audit.opened_ms }));
        }
        let summary = summary_row(&self.store.begin_read()?, place.view_block)?;
        Ok(match summary.and_then(|summary| summary.award) {
            Some(award) if award.voided.binary_search(&place.index).is_ok() => PlayState::Voided,
            Some(_) => PlayState::Awarded,
            None => PlayState::Pending,
        })
    }

    /// Up to `count` accepted plays of an account, newest first.
    pub fn plays_of(&self, account: &AccountAddress, count: usize) -> Result<Vec<PlayPlace>, LedgerError> {
        self.plays_before(account, (u64::MAX, u32::MAX), count)
    }

    /// Up to `count` accepted plays of an account, newest first, that are older than the given view block and place in its
    /// payload.
    pub fn plays_before(
        &self,
        account: &AccountAddress,
        (view_block, index): (u64, u32),
        count: usize,
    ) -> Result<Vec<PlayPlace>, LedgerError> {
        let read = self.store.begin_read()?;
        let table = read.open_table(ACCOUNT_PLAY).map_err(StoreError::from)?;
        let older = (account.0, 0, 0)..(account.0, view_block, index);
        let rows = table.range(older).map_err(StoreError::from)?.rev().take(count.min(ROWS_MAX));
        let places = rows.map(|row| {
            let (_, view_block, index) = row.map_err(StoreError::from)?.0.value();
            Ok(PlayPlace { view_block, index })
        });
        places.collect()
    }

    /// What an account will get, in gwei.
    pub fn owed(&self, account: &AccountAddress) -> Owed {
        self.state().owed(&self.genesis, account)
    }
}
