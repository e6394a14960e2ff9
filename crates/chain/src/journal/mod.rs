//! Remembers the plays under way durably, so that a validator that is killed loses none of them.
//!
//! ```text
//! desk ── diary of one turn ──▶ append ──▶ commit: one row, one fsync ──▶ only now: answers, gossip, payload
//! start:  rows, oldest first ──▶ replay ──▶ Desk::replay        refused, oldest first ──▶ Desk::replayed
//! ```
//!
//! | table | key | value |
//! |---|---|---|
//! | `network` | — | digest of the network genesis |
//! | `turn` | number | time of the last note, how many there are, notes (Borsh) |
//! | `refused` | account, number | a play that was refused, and why (Borsh) |
//! | `refused_at` | time, account, number | — |
//!
//! A database of its own, `plays.redb`, because it lives by another rhythm than the ledger: many small commits, and
//! nothing is kept for long. A turn is one row however many plays are in it, so that the price of the disk is shared by
//! everybody who waits for it. Because a vote is durable before it is sent, a validator never votes twice differently.
//!
//! **Limits.** A note is deleted when no play that it may belong to can still be proved, voted on or audited
//! ([`life_ms`]); how many plays are under way at a time is bounded by the desk. Of refused plays the
//! newest of each account are kept, for two days, and not more than a million in all: the oldest go first.
//!
//! **Privacy.** No network address is in here, nor anything made from one: a note leaves the origin of a play out.

mod refused;

pub use refused::{REFUSED_KEPT_MS, REFUSED_PER_ACCOUNT_MAX, Refused, RefusedPlays};

use chainflix_primitives::{Digest, NetworkGenesis};
use chainflix_proof_of_view::{Diary, Note, Notes, RefusedPlay, life_ms};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction};
use std::{path::Path, sync::Arc};

const NETWORK: TableDefinition<(), [u8; 32]> = TableDefinition::new("network");
const TURN: TableDefinition<u64, (u64, u32, &[u8])> = TableDefinition::new("turn");

/// A turn should be committed when it is this large, in bytes: what one commit writes stays a fraction of a second.
pub const TURN_BYTES: usize = 8 << 20;
/// Outlived turns that one commit deletes at most: more than it adds, so they never pile up, and it stays short.
const DELETED_MAX: usize = 64;
/// Memory for pages, in bytes: a journal is written all the time and read once.
const CACHE_BYTES: usize = 32 << 20;

/// Why the journal cannot go on. A validator that cannot remember must not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// redb says why.
    #[error("the journal of plays failed")]
    Database(#[source] Box<redb::Error>),
    /// A value is not what was written.
    #[error("the journal's table {table} holds bytes that cannot be read")]
    Corrupt {
        /// Its name.
        table: &'static str,
        /// What is wrong.
        #[source]
        source: std::io::Error,
    },
    /// The file is of another network.
    #[error("the journal of plays belongs to network {found}, not to {expected}")]
    OtherNetwork {
        /// The network of the genesis.
        expected: Digest,
        /// The network in the file.
        found: Digest,
    },
}

impl<E: Into<redb::Error>> From<E> for JournalError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

/// The record of plays under way. One owner writes; [`RefusedPlays`] reads beside it.
pub struct Journal {
    database: Arc<Database>,
    life_ms: u64,
    /// Number of the next turn.
    next: u64,
    notes: Notes,
    refused: Vec<RefusedPlay>,
}

impl Journal {
    /// Opens (or starts) the journal in the file `path`.
    pub fn open(path: &Path, genesis: &NetworkGenesis) -> Result<Self, JournalError> {
        Self::with(Database::builder().set_cache_size(CACHE_BYTES).create(path)?, genesis)
    }

    /// A journal that is gone with the process.
    pub fn in_memory(genesis: &NetworkGenesis) -> Result<Self, JournalError> {
        let backend = redb::backends::InMemoryBackend::new();
        Self::with(Database::builder().create_with_backend(backend)?, genesis)
    }

    fn with(database: Database, genesis: &NetworkGenesis) -> Result<Self, JournalError> {
        let (expected, write) = (genesis.digest(), database.begin_write()?);
        let next = write.open_table(TURN)?.last()?.map_or(0, |(number, _)| number.value() + 1);
        let found = network(&write, &expected)?;
        if found != expected {
            return Err(JournalError::OtherNetwork { expected, found });
        }
        refused::prepare(&write)?;
        write.commit()?;
        let life_ms = life_ms(&genesis.params);
        Ok(Self { database: Arc::new(database), life_ms, next, notes: Notes::default(), refused: Vec::new() })
    }

    /// Reads refused plays beside the owner.
    pub fn refused(&self) -> RefusedPlays {
        RefusedPlays::new(self.database.clone())
    }

    /// Adds to the turn. Nothing is durable until [`Self::commit`] returns.
    pub fn append(&mut self, diary: Diary) {
        self.notes.append(diary.notes);
        self.refused.extend(diary.refused);
    }

    /// Whether there is anything to commit.
    pub fn is_clean(&self) -> bool {
        self.notes.count() == 0 && self.refused.is_empty()
    }

    /// Whether the turn is as large as it should get.
    pub fn is_full(&self) -> bool {
        self.notes.as_bytes().len() >= TURN_BYTES
    }

    /// Makes the turn durable. Blocks the thread for a disk write, unless there is nothing to write.
    pub fn commit(&mut self, now_ms: u64) -> Result<(), JournalError> {
        if self.is_clean() {
            return Ok(());
        }
        let write = self.database.begin_write()?;
        let notes = std::mem::take(&mut self.notes);
        if notes.count() > 0 {
            let mut turns = write.open_table(TURN)?;
            turns.insert(self.next, (notes.last_ms(), notes.count(), notes.as_bytes()))?;
            let outlived_ms = now_ms.saturating_sub(self.life_ms);
            for _ in 0..DELETED_MAX {
                if turns.first()?.is_none_or(|(_, turn)| turn.value().0 >= outlived_ms) {
                    break;
                }
                turns.pop_first()?;
            }
        }
        refused::write(&write, now_ms, &self.refused)?;
        write.commit()?;
        self.next += 1;
        self.refused.clear();
        Ok(())
    }

    /// Tells every note that may still matter, in the order in which it was written. Answers how many there were.
    pub fn replay(&self, now_ms: u64, mut told: impl FnMut(Note)) -> Result<u64, JournalError> {
        let outlived_ms = now_ms.saturating_sub(self.life_ms);
        let mut count = 0;
        for turn in self.database.begin_read()?.open_table(TURN)?.iter()? {
            let (_, turn) = turn?;
            let (last_ms, notes, bytes) = turn.value();
            if last_ms < outlived_ms {
                continue;
            }
            for note in Notes::read(bytes, notes) {
                told(note.map_err(|source| JournalError::Corrupt { table: "turn", source })?);
                count += 1;
            }
        }
        Ok(count)
    }

    /// The plays that were refused while any play now under way was: oldest first.
    pub fn refused_lately(&self, now_ms: u64) -> Result<Vec<RefusedPlay>, JournalError> {
        refused::since(&self.database, now_ms.saturating_sub(self.life_ms))
    }
}

/// The network the file belongs to; `expected` if it is new.
fn network(write: &WriteTransaction, expected: &Digest) -> Result<Digest, JournalError> {
    let mut table = write.open_table(NETWORK)?;
    if let Some(found) = table.get(())? {
        return Ok(Digest(found.value()));
    }
    table.insert((), expected.0)?;
    Ok(*expected)
}

#[cfg(test)]
mod tests;
