//! What storage peers served by day: sums that outlive the plays they were counted from.
//!
//! A day is of UTC, and of the block that carried the votes. A view block is added when it is awarded, and with it as many
//! rows of days gone by are forgotten, so that no block has to do it all.

use super::{
    LedgerError, StoreError, ViewLedger,
    row::{decode, encode},
    store::SERVED,
};
use chainflix_primitives::AccountAddress;
use chainflix_proof_of_view::Served;
use redb::{ReadableTable as _, WriteTransaction};

/// Days that are kept: the running quarter of a year. 20,000 storage peers fill 300 MB with it.
pub const SERVED_DAYS_KEPT: u32 = 92;
/// Rows that one view block forgets, at least.
const PRUNED_MIN: usize = 64;
/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Days from the Unix epoch to `time_ms`, in milliseconds since then.
fn day_of(time_ms: u64) -> u32 {
    u32::try_from(time_ms / DAY_MS).unwrap_or(u32::MAX)
}

/// Adds what a view block of `time_ms` did for each storage peer.
pub(super) fn insert(
    write: &WriteTransaction,
    time_ms: u64,
    served: &[(AccountAddress, Served)],
) -> Result<(), StoreError> {
    let mut table = write.open_table(SERVED)?;
    let day = day_of(time_ms);
    for (account, more) in served {
        let known = table.get((day, account.0))?.map(|row| decode::<Served>("served", row.value())).transpose()?;
        let mut row = known.unwrap_or_default();
        row.add(more);
        table.insert((day, account.0), encode(&row).as_slice())?;
    }
    let kept = (day.saturating_sub(SERVED_DAYS_KEPT - 1), [0; 20]);
    let old = table.range(..kept)?.take(served.len().max(PRUNED_MIN)).map(|row| Ok(row?.0.value()));
    let old: Vec<_> = old.collect::<Result<_, redb::StorageError>>()?;
    old.into_iter().try_for_each(|key| table.remove(key).map(drop))?;
    Ok(())
}

impl ViewLedger {
    /// What `account` did as a storage peer on up to `count` of the days up to `from` (days since the Unix epoch, UTC),
    /// newest first. Days without a carried play are left out, and so are those of more than [`SERVED_DAYS_KEPT`] days
    /// before the newest.
    pub fn served(&self, account: &AccountAddress, from: u32, count: usize) -> Result<Vec<(u32, Served)>, LedgerError> {
        let read = self.store.begin_read()?;
        let table = read.open_table(SERVED).map_err(StoreError::from)?;
        let Some(newest) = table.last().map_err(StoreError::from)?.map(|(key, _)| key.value().0) else {
            return Ok(Vec::new());
        };
        let kept = newest.saturating_sub(SERVED_DAYS_KEPT - 1)..=newest.min(from);
        let rows = kept.rev().filter_map(|day| match table.get((day, account.0)) {
            Ok(row) => row.map(|row| Ok((day, decode("served", row.value())?))),
            Err(error) => Some(Err(StoreError::from(error).into())),
        });
        rows.take(count).collect()
    }
}
