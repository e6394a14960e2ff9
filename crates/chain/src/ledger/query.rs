//! What anybody may ask of the ledger: view blocks, plays, pending awards.

use super::{
    LedgerError, ViewLedger,
    store::{ACCOUNT_PLAY, PLAY, VIEW_BLOCK, decode},
};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, PlayId, PlayRecord, ViewPayload};

/// Most rows one question is answered with.
pub const ROWS_MAX: usize = 1_000;

/// One view block as the ledger keeps it: everything anybody needs to count again.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ViewBlock {
    /// Its number; the first is 1.
    pub number: u64,
    /// The slot it settles.
    pub slot: u64,
    /// The block that carries it.
    pub height: u64,
    /// That block's time, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// What the schedule paid for it, in gwei.
    pub reward_gwei: u64,
    /// Places of the accepted plays in the payload.
    pub accepted: Vec<u32>,
    /// Who was awarded how many gwei.
    pub awarded: Vec<(AccountAddress, u64)>,
    /// The proposal and the votes.
    pub payload: ViewPayload,
}

impl ViewBlock {
    /// The accepted plays.
    pub fn plays(&self) -> impl Iterator<Item = &PlayRecord> {
        self.accepted.iter().filter_map(|index| self.payload.proposal.plays.get(*index as usize))
    }
}

/// Where an accepted play is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayPlace {
    /// Its name.
    pub play: PlayId,
    /// The view block it is in.
    pub view_block: u64,
    /// Its place in that block's payload.
    pub index: u32,
}

impl ViewLedger {
    /// View block `number`.
    pub fn view_block(&self, number: u64) -> Result<Option<ViewBlock>, LedgerError> {
        let read = self.store.begin_read()?;
        let found = read
            .open_table(VIEW_BLOCK)
            .map_err(super::StoreError::from)?
            .get(number)
            .map_err(super::StoreError::from)?;
        Ok(found.map(|value| decode("view_block", value.value())).transpose()?)
    }

    /// Up to `count` view blocks with numbers up to `from`, newest first.
    pub fn view_blocks(&self, from: u64, count: usize) -> Result<Vec<ViewBlock>, LedgerError> {
        let read = self.store.begin_read()?;
        let table = read.open_table(VIEW_BLOCK).map_err(super::StoreError::from)?;
        let rows = table.range(..=from).map_err(super::StoreError::from)?.rev().take(count.min(ROWS_MAX));
        let decoded = rows.map(|row| {
            let (_, value) = row.map_err(super::StoreError::from)?;
            Ok(decode("view_block", value.value())?)
        });
        decoded.collect()
    }

    /// Where an accepted play is.
    pub fn play(&self, play: &PlayId) -> Result<Option<PlayPlace>, LedgerError> {
        let read = self.store.begin_read()?;
        let found =
            read.open_table(PLAY).map_err(super::StoreError::from)?.get(play.0).map_err(super::StoreError::from)?;
        Ok(found.map(|value| {
            let (view_block, index) = value.value();
            PlayPlace { play: *play, view_block, index }
        }))
    }

    /// Up to `count` accepted plays of an account, newest first.
    pub fn plays_of(&self, account: &AccountAddress, count: usize) -> Result<Vec<PlayPlace>, LedgerError> {
        let read = self.store.begin_read()?;
        let table = read.open_table(ACCOUNT_PLAY).map_err(super::StoreError::from)?;
        let all = (account.0, 0, 0)..=(account.0, u64::MAX, u32::MAX);
        let rows = table.range(all).map_err(super::StoreError::from)?.rev().take(count.min(ROWS_MAX));
        let places = rows.map(|row| {
            let (key, play) = row.map_err(super::StoreError::from)?;
            let (_, view_block, index) = key.value();
            Ok(PlayPlace { play: PlayId(play.value()), view_block, index })
        });
        places.collect()
    }

    /// What an account was awarded and cannot spend yet, in gwei.
    pub fn pending_gwei(&self, account: &AccountAddress) -> u64 {
        let state = self.state();
        let all = state.vesting().flat_map(|(_, credits)| credits);
        all.filter(|credit| credit.account == *account).map(|credit| credit.gwei).sum()
    }
}
