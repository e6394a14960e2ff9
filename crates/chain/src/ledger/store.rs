//! The ledger's tables in redb.
//!
//! | table | key | value |
//! |---|---|---|
//! | `network` | — | digest of the network genesis |
//! | `state` | — | height, block hash, ledger head |
//! | `summary` | view block | slot, block, time, reward, root, viewers; what it paid, void plays |
//! | `view_block` | view block, part | payload, carried plays and their weights, compressed |
//! | `play` | PlayId | view block, place in its payload |
//! | `account_play` | account, view block, place (big-endian) | — |
//! | `counted` | view block, part | what counts until the period ends: mined cells, play time on creators' videos |
//! | `standing` | account | age, play time of the day, strikes |
//! | `provider` | account | what it answers for until the period ends |
//! | `held` | account | what is held back of its pay as a storage peer, its service |
//! | `pending` | view block | what it waits for: draw or votes on its audit |
//! | `vesting` | view block | awards that are not spendable yet |
//! | `served` | day, account | what it served as a storage peer, what that paid, what it did not pay and why |
//!
//! One transaction a block, synced before it returns. `counted` is of the running period and emptied with it: it is looked
//! up in memory alone, so that a row for each play would only cost time. Rows of `view_block` are written once, and are
//! deleted with their index rows when they are old (`prune`): for ever kept are summaries, and for a quarter of a year what storage peers are told (`served`). Rows go in by ascending keys,
//! which a B-tree takes several times as fast as random ones.

use super::{
    parts, prune,
    row::{CountedPlay, CreditsRow, StateRow, credits, decode, decode_view_block, encode},
    write::write_step,
};
use chainflix_primitives::{AccountAddress, BlockHash, Digest, NetworkGenesis, ViewPayload};
use chainflix_proof_of_view::{BlockPlace, LedgerParts, LedgerState, PendingBlock, PendingHead, Settlement};
use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use std::{collections::HashMap, path::Path, sync::Arc};

const NETWORK: TableDefinition<(), [u8; 32]> = TableDefinition::new("network");
const STATE: TableDefinition<(), &[u8]> = TableDefinition::new("state");
pub(super) const VIEW_BLOCK: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("view_block");
pub(super) const SUMMARY: TableDefinition<u64, &[u8]> = TableDefinition::new("summary");
pub(super) const PLAY: TableDefinition<[u8; 16], (u64, u32)> = TableDefinition::new("play");
pub(super) const ACCOUNT_PLAY: TableDefinition<([u8; 20], u64, u32), ()> = TableDefinition::new("account_play");
pub(super) const COUNTED: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("counted");
pub(super) const STANDING: TableDefinition<[u8; 20], &[u8]> = TableDefinition::new("standing");
pub(super) const PROVIDER: TableDefinition<[u8; 20], &[u8]> = TableDefinition::new("provider");
pub(super) const HELD: TableDefinition<[u8; 20], &[u8]> = TableDefinition::new("held");
pub(super) const PENDING: TableDefinition<u64, &[u8]> = TableDefinition::new("pending");
pub(super) const VESTING: TableDefinition<u64, &[u8]> = TableDefinition::new("vesting");
pub(super) const SERVED: TableDefinition<(u32, [u8; 20]), &[u8]> = TableDefinition::new("served");

/// Memory for pages, in bytes: of what is written, little is read again soon.
const CACHE_BYTES: usize = 128 << 20;

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
    /// zstd found no memory.
    #[error("a view block cannot be compressed")]
    Compress(#[source] std::io::Error),
    /// Rows that were written together do not fit together.
    #[error("what the view ledger holds of pending view block {view_block} does not fit together")]
    Torn { view_block: u64 },
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

/// What a store holds of the last committed block.
pub(super) struct Stored {
    pub height: u64,
    pub hash: BlockHash,
    pub state: LedgerState,
}

pub(super) struct Store {
    database: Database,
    genesis: Arc<NetworkGenesis>,
}

impl Store {
    pub fn open(path: &Path, genesis: Arc<NetworkGenesis>) -> Result<Self, StoreError> {
        Self::prepare(Database::builder().set_cache_size(CACHE_BYTES).create(path)?, genesis)
    }

    pub fn in_memory(genesis: Arc<NetworkGenesis>) -> Result<Self, StoreError> {
        let backend = redb::backends::InMemoryBackend::new();
        Self::prepare(Database::builder().create_with_backend(backend)?, genesis)
    }

    /// Readers may then rely on every table.
    fn prepare(database: Database, genesis: Arc<NetworkGenesis>) -> Result<Self, StoreError> {
        let write = database.begin_write()?;
        write.open_table(NETWORK)?;
        write.open_table(STATE)?;
        write.open_table(VIEW_BLOCK)?;
        write.open_table(SUMMARY)?;
        write.open_table(PLAY)?;
        write.open_table(ACCOUNT_PLAY)?;
        write.open_table(COUNTED)?;
        write.open_table(STANDING)?;
        write.open_table(PROVIDER)?;
        write.open_table(HELD)?;
        write.open_table(PENDING)?;
        write.open_table(VESTING)?;
        write.open_table(SERVED)?;
        write.commit()?;
        Ok(Self { database, genesis })
    }

    pub fn begin_read(&self) -> Result<ReadTransaction, StoreError> {
        Ok(self.database.begin_read()?)
    }

    /// The network the database belongs to; `expected` if it is new.
    pub fn network(&self, expected: &Digest) -> Result<Digest, StoreError> {
        let write = self.database.begin_write()?;
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

    /// The last committed block and the state after it; `None` before the first.
    pub fn load(&self) -> Result<Option<Stored>, StoreError> {
        let read = self.database.begin_read()?;
        let row = read.open_table(STATE)?.get(())?.map(|value| decode::<StateRow>("state", value.value()));
        let Some(StateRow { height, hash, head }) = row.transpose()? else { return Ok(None) };
        let mut parts = LedgerParts { head, pending: load_pending(&read)?, ..Default::default() };
        load_counted(&read, &mut parts)?;
        for entry in read.open_table(STANDING)?.iter()? {
            let (account, standing) = entry?;
            parts.standings.push((AccountAddress(account.value()), decode("standing", standing.value())?));
        }
        for entry in read.open_table(PROVIDER)?.iter()? {
            let (account, record) = entry?;
            parts.providers.push((AccountAddress(account.value()), decode("provider", record.value())?));
        }
        for entry in read.open_table(HELD)?.iter()? {
            let (account, held) = entry?;
            parts.held.push((AccountAddress(account.value()), decode("held", held.value())?));
        }
        for entry in read.open_table(VESTING)?.iter()? {
            let (made, value) = entry?;
            parts.vesting.push((made.value(), credits(decode::<CreditsRow>("vesting", value.value())?)));
        }
        Ok(Some(Stored { height, hash, state: LedgerState::restore(parts) }))
    }

    /// Writes what a block did to the state `before` it.
    pub fn commit(
        &self,
        place: &BlockPlace,
        hash: BlockHash,
        before: &LedgerState,
        payload: Option<&Arc<ViewPayload>>,
        settlement: &Settlement,
    ) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        let state = StateRow { height: place.height, hash, head: settlement.next.head().clone() };
        write.open_table(STATE)?.insert((), encode(&state).as_slice())?;
        write_step(&write, &self.genesis, place, before, payload, settlement)?;
        if let Some(made) = &settlement.made {
            prune::prune(&write, made.view_block, prune::kept(&self.genesis.params))?;
        }
        write.commit()?;
        Ok(())
    }
}

/// What counts until the period ends: the same sums as play by play.
fn load_counted(read: &ReadTransaction, parts: &mut LedgerParts) -> Result<(), StoreError> {
    let table = read.open_table(COUNTED)?;
    let newest = parts.head.view_blocks;
    let mut next = table.first()?.map(|(key, _)| key.value().0);
    let mut times = HashMap::<_, u64>::new();
    while let Some(view_block) = next.filter(|view_block| *view_block <= newest) {
        let row = parts::read(&table, view_block)?.ok_or(StoreError::Torn { view_block })?;
        for CountedPlay { mined, viewer, creator, play_ms } in decode::<Vec<CountedPlay>>("counted", &row)? {
            parts.mined.push(mined);
            let time_ms = times.entry((viewer, creator)).or_default();
            *time_ms = time_ms.saturating_add(play_ms);
        }
        next = Some(view_block + 1);
    }
    parts.creator_times = times.into_iter().collect();
    Ok(())
}

/// The view blocks that wait for their audit, with what their votes said.
fn load_pending(read: &ReadTransaction) -> Result<Vec<PendingBlock>, StoreError> {
    let view_blocks = read.open_table(VIEW_BLOCK)?;
    let load = |view_block: u64, head: &[u8]| {
        let head: PendingHead = decode("pending", head)?;
        let row = parts::read(&view_blocks, view_block)?.map(|bytes| decode_view_block(&bytes)).transpose()?;
        let restored = row.and_then(|row| PendingBlock::restore(head, Arc::new(row.payload), &row.carried));
        restored.ok_or(StoreError::Torn { view_block })
    };
    let mut pending = Vec::new();
    for entry in read.open_table(PENDING)?.iter()? {
        let (view_block, head) = entry?;
        pending.push(load(view_block.value(), head.value())?);
    }
    Ok(pending)
}
