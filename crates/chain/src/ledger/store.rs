//! The ledger's tables in redb.
//!
//! | table | key | value |
//! |---|---|---|
//! | `network` | — | digest of the network genesis |
//! | `state` | — | height, block hash, [`LedgerHead`] |
//! | `view_block` | view block | slot, block, time, payload, accepted plays, awards (Borsh) |
//! | `play` | PlayId | view block, place in its payload |
//! | `account_play` | account, view block, place (big-endian) | PlayId |
//! | `mined` | account, magnet, cell | period |
//! | `vesting` | view block | awards (Borsh) |
//!
//! One transaction a block, synced before it returns.

use super::query::ViewBlock;
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, BlockHash, Digest, ProtocolParams, ViewPayload};
use chainflix_proof_of_view::{LedgerHead, LedgerState, MinedCell, Settlement};
use chainflix_token::Credit;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction};
use std::path::Path;

const NETWORK: TableDefinition<(), [u8; 32]> = TableDefinition::new("network");
const STATE: TableDefinition<(), &[u8]> = TableDefinition::new("state");
pub(super) const VIEW_BLOCK: TableDefinition<u64, &[u8]> = TableDefinition::new("view_block");
pub(super) const PLAY: TableDefinition<[u8; 16], (u64, u32)> = TableDefinition::new("play");
pub(super) const ACCOUNT_PLAY: TableDefinition<([u8; 20], u64, u32), [u8; 16]> = TableDefinition::new("account_play");
const MINED: TableDefinition<([u8; 20], [u8; 32], u32), u64> = TableDefinition::new("mined");
const VESTING: TableDefinition<u64, &[u8]> = TableDefinition::new("vesting");

/// The database failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// redb says why.
    #[error("the view ledger's database failed")]
    Database(#[source] Box<redb::Error>),
    /// A value is not what was written.
    #[error("the view ledger's table {table} holds bytes that cannot be read")]
    Corrupt {
        table: &'static str,
        #[source]
        source: std::io::Error,
    },
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

/// Where a block stands.
pub(super) struct Place {
    pub height: u64,
    pub block: BlockHash,
    pub time_ms: u64,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct StoredState {
    height: u64,
    block: BlockHash,
    head: LedgerHead,
}

/// Awards as they are stored.
pub(super) type StoredCredits = Vec<(AccountAddress, u64)>;

pub(super) struct Store(Database);

pub(super) fn encode(value: &impl BorshSerialize) -> Vec<u8> {
    // Writing into a vector cannot fail.
    borsh::to_vec(value).expect("encoding into memory does not fail")
}

pub(super) fn decode<T: BorshDeserialize>(table: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    borsh::from_slice(bytes).map_err(|source| StoreError::Corrupt { table, source })
}

/// The period that view block `number` lies in.
fn period(params: &ProtocolParams, number: u64) -> u64 {
    number.saturating_sub(1) / params.period_view_blocks
}

fn credits(stored: StoredCredits) -> Vec<Credit> {
    stored.into_iter().map(|(account, gwei)| Credit { account, gwei }).collect()
}

impl Store {
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::prepare(Database::create(path)?)
    }

    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Database::builder().create_with_backend(redb::backends::InMemoryBackend::new())?)
    }

    /// Readers may then rely on every table.
    fn prepare(database: Database) -> Result<Self, StoreError> {
        let write = database.begin_write()?;
        write.open_table(NETWORK)?;
        write.open_table(STATE)?;
        write.open_table(VIEW_BLOCK)?;
        write.open_table(PLAY)?;
        write.open_table(ACCOUNT_PLAY)?;
        write.open_table(MINED)?;
        write.open_table(VESTING)?;
        write.commit()?;
        Ok(Self(database))
    }

    pub fn begin_read(&self) -> Result<redb::ReadTransaction, StoreError> {
        Ok(self.0.begin_read()?)
    }

    /// The network the database belongs to; `expected` if it is new.
    pub fn network(&self, expected: &Digest) -> Result<Digest, StoreError> {
        let write = self.0.begin_write()?;
        let found = {
            let mut table = write.open_table(NETWORK)?;
            let found = table.get(())?.map(|value| Digest(value.value()));
            if found.is_none() {
                table.insert((), expected.0)?;
            }
            found
        };
        write.commit()?;
        Ok(found.unwrap_or(*expected))
    }

    /// The last committed height and the state after it.
    pub fn load(&self, params: &ProtocolParams) -> Result<(u64, LedgerState), StoreError> {
        let read = self.0.begin_read()?;
        let Some(stored) = read.open_table(STATE)?.get(())?.map(|value| decode::<StoredState>("state", value.value()))
        else {
            return Ok((0, LedgerState::default()));
        };
        let StoredState { height, head, .. } = stored?;
        let running = period(params, head.view_blocks);
        let mut mined = Vec::new();
        for entry in read.open_table(MINED)?.iter()? {
            let (key, made) = entry?;
            let (account, magnet, cell_index) = key.value();
            if made.value() == running {
                mined.push(MinedCell {
                    account: AccountAddress(account),
                    magnet: chainflix_primitives::Magnet(magnet),
                    cell_index,
                });
            }
        }
        let mut vesting = Vec::new();
        for entry in read.open_table(VESTING)?.iter()? {
            let (made, value) = entry?;
            vesting.push((made.value(), credits(decode("vesting", value.value())?)));
        }
        Ok((height, LedgerState::restore(head, mined, vesting)))
    }

    pub fn commit(
        &self,
        params: &ProtocolParams,
        place: &Place,
        views: Option<(&ViewPayload, &Settlement)>,
    ) -> Result<(), StoreError> {
        let write = self.0.begin_write()?;
        {
            let mut table = write.open_table(STATE)?;
            let before = table.get(())?.map(|value| decode::<StoredState>("state", value.value())).transpose()?;
            let head = match views {
                Some((_, settlement)) => settlement.next.head().clone(),
                None => before.map(|stored| stored.head).unwrap_or_default(),
            };
            let state = StoredState { height: place.height, block: place.block, head };
            table.insert((), encode(&state).as_slice())?;
        }
        if let Some((payload, settlement)) = views {
            insert_view_block(&write, place, payload, settlement)?;
            insert_mined(&write, params, payload, settlement)?;
            insert_vesting(&write, params, settlement)?;
        }
        write.commit()?;
        Ok(())
    }
}

fn insert_view_block(
    write: &WriteTransaction,
    place: &Place,
    payload: &ViewPayload,
    settlement: &Settlement,
) -> Result<(), StoreError> {
    let number = settlement.view_block;
    let view_block = ViewBlock {
        number,
        slot: payload.proposal.slot,
        height: place.height,
        time_ms: place.time_ms,
        reward_gwei: settlement.reward_gwei,
        // A payload has at most 8192 plays.
        accepted: settlement.accepted.iter().map(|play| play.index as u32).collect(),
        awarded: settlement.awarded.iter().map(|credit| (credit.account, credit.gwei)).collect(),
        payload: payload.clone(),
    };
    write.open_table(VIEW_BLOCK)?.insert(number, encode(&view_block).as_slice())?;
    let (mut plays, mut by_account) = (write.open_table(PLAY)?, write.open_table(ACCOUNT_PLAY)?);
    for index in &view_block.accepted {
        let code = &payload.proposal.plays[*index as usize].code.body;
        plays.insert(code.id.0, (number, *index))?;
        by_account.insert((code.account.0, number, *index), code.id.0)?;
    }
    Ok(())
}

fn insert_mined(
    write: &WriteTransaction,
    params: &ProtocolParams,
    payload: &ViewPayload,
    settlement: &Settlement,
) -> Result<(), StoreError> {
    let running = period(params, settlement.view_block);
    let mut table = write.open_table(MINED)?;
    if running > 0 && period(params, settlement.view_block - 1) != running {
        table.retain(|_, made| made == running)?;
    }
    for play in &settlement.accepted {
        let cell = MinedCell::of(&payload.proposal.plays[play.index]);
        table.insert((cell.account.0, cell.magnet.0, cell.cell_index), running)?;
    }
    Ok(())
}

fn insert_vesting(
    write: &WriteTransaction,
    params: &ProtocolParams,
    settlement: &Settlement,
) -> Result<(), StoreError> {
    let mut table = write.open_table(VESTING)?;
    let awarded: StoredCredits = settlement.awarded.iter().map(|credit| (credit.account, credit.gwei)).collect();
    table.insert(settlement.view_block, encode(&awarded).as_slice())?;
    if let Some(due) = settlement.view_block.checked_sub(params.vesting_view_blocks) {
        table.retain(|made, _| made > due)?;
    }
    Ok(())
}
