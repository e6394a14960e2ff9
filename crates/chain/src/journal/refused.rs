//! Why plays were refused: kept for their viewers to read, for a while.

use super::JournalError;
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, Magnet, PlayId};
use chainflix_proof_of_view::{Refusal, RefusedPlay};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _, Table, TableDefinition,
    WriteTransaction,
};
use std::sync::Arc;

const REFUSED: TableDefinition<([u8; 20], u64), &[u8]> = TableDefinition::new("refused");
pub(super) const REFUSED_AT: TableDefinition<(u64, [u8; 20], u64), ()> = TableDefinition::new("refused_at");

/// How long a refusal is kept, in milliseconds: two days.
pub const REFUSED_KEPT_MS: u64 = 48 * 3_600_000;
/// Refusals kept of one account; the newest stay.
pub const REFUSED_PER_ACCOUNT_MAX: u64 = 256;
/// Refusals kept in all; the newest stay.
const REFUSED_MAX: u64 = 1 << 20;
/// Refusals that one commit deletes at most, beyond those it adds.
const DELETED_MAX: u64 = 256;

/// A play that was refused, or the wish for one, as its viewer may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When, by the clock of the validator that refused, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Its name, if a PlayCode was issued.
    pub play: Option<PlayId>,
    /// Which video.
    pub magnet: Magnet,
    /// Which minute of it.
    pub cell_index: u32,
    /// Why: the code of a [`Refusal`].
    pub code: String,
    /// The same in words.
    pub message: String,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Stored {
    at_ms: u64,
    play: Option<PlayId>,
    magnet: Magnet,
    cell_index: u32,
    code: String,
    numbers: [u64; 2],
}

impl Stored {
    fn read(bytes: &[u8]) -> Result<Self, JournalError> {
        borsh::from_slice(bytes).map_err(|source| JournalError::Corrupt { table: "refused", source })
    }
}

/// Answers what was refused, beside the journal's owner.
#[derive(Clone)]
pub struct RefusedPlays(Arc<Database>);

impl RefusedPlays {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    /// Up to `count` refused plays of an account, newest first. One that this validator refused may have been carried by
    /// the others' votes: the ledger knows.
    pub fn of(&self, account: &AccountAddress, count: usize) -> Result<Vec<Refused>, JournalError> {
        let table = self.0.begin_read()?.open_table(REFUSED)?;
        let rows = table.range((account.0, 0)..=(account.0, u64::MAX))?.rev().take(count);
        let refused = rows.map(|row| {
            let Stored { at_ms, play, magnet, cell_index, code, numbers } = Stored::read(row?.1.value())?;
            let message = Refusal::restore(&code, numbers).map_or_else(|| code.clone(), |refusal| refusal.to_string());
            Ok(Refused { at_ms, play, magnet, cell_index, code, message })
        });
        refused.collect()
    }
}

/// Readers may then rely on both tables.
pub(super) fn prepare(write: &WriteTransaction) -> Result<(), JournalError> {
    write.open_table(REFUSED)?;
    write.open_table(REFUSED_AT)?;
    Ok(())
}

/// Adds `refused` and deletes what is too old or too much.
pub(super) fn write(write: &WriteTransaction, now_ms: u64, refused: &[RefusedPlay]) -> Result<(), JournalError> {
    if refused.is_empty() {
        return Ok(());
    }
    let mut tables = Tables { plays: write.open_table(REFUSED)?, times: write.open_table(REFUSED_AT)? };
    refused.iter().try_for_each(|refused| tables.insert(refused))?;
    tables.delete_old(now_ms.saturating_sub(REFUSED_KEPT_MS))
}

struct Tables<'a> {
    plays: Table<'a, ([u8; 20], u64), &'static [u8]>,
    times: Table<'a, (u64, [u8; 20], u64), ()>,
}

impl Tables<'_> {
    fn insert(&mut self, refused: &RefusedPlay) -> Result<(), JournalError> {
        let RefusedPlay { at_ms, account, play, magnet, cell_index, ref refusal } = *refused;
        let own = (account.0, 0)..=(account.0, u64::MAX);
        let newest = self.plays.range(own)?.next_back().transpose()?;
        let number = newest.map_or(0, |(key, _)| key.value().1 + 1);
        let (code, numbers) = (refusal.code().to_owned(), refusal.numbers());
        let stored = Stored { at_ms, play, magnet, cell_index, code, numbers };
        // Writing into a vector cannot fail.
        let bytes = borsh::to_vec(&stored).expect("encoding into memory does not fail");
        self.plays.insert((account.0, number), bytes.as_slice())?;
        self.times.insert((at_ms, account.0, number), ())?;
        let Some(beyond) = number.checked_sub(REFUSED_PER_ACCOUNT_MAX) else { return Ok(()) };
        // Numbers follow each other, and the lowest go first: there is at most one too many.
        let oldest = self.plays.remove((account.0, beyond))?.map(|row| Stored::read(row.value())).transpose()?;
        if let Some(oldest) = oldest {
            self.times.remove((oldest.at_ms, account.0, beyond))?;
        }
        Ok(())
    }

    fn delete_old(&mut self, outlived_ms: u64) -> Result<(), JournalError> {
        let beyond = self.times.len()?.saturating_sub(REFUSED_MAX);
        for deleted in 0..beyond + DELETED_MAX {
            let Some((at_ms, account, number)) = self.times.first()?.map(|(key, _)| key.value()) else { break };
            if deleted >= beyond && at_ms >= outlived_ms {
                break;
            }
            self.times.remove((at_ms, account, number))?;
            self.plays.remove((account, number))?;
        }
        Ok(())
    }
}

/// What was refused from `from_ms` on, oldest first.
pub(super) fn since(database: &Database, from_ms: u64) -> Result<Vec<RefusedPlay>, JournalError> {
    let read = database.begin_read()?;
    let (plays, times) = (read.open_table(REFUSED)?, read.open_table(REFUSED_AT)?);
    let mut refused = Vec::new();
    for row in times.range((from_ms, [0; 20], 0)..)? {
        let (_, account, number) = row?.0.value();
        let Some(stored) = plays.get((account, number))? else { continue };
        let Stored { at_ms, play, magnet, cell_index, code, numbers } = Stored::read(stored.value())?;
        // Some reasons end no play, and need not come back.
        let Some(refusal) = Refusal::restore(&code, numbers) else { continue };
        refused.push(RefusedPlay { at_ms, account: AccountAddress(account), play, magnet, cell_index, refusal });
    }
    Ok(refused)
}
