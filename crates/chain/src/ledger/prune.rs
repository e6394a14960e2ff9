//! Forgets plays that nobody needs any more: a little with every view block, so that no block has to do it all.
//!
//! ```text
//! newest ◀── VIEWERS_KEPT ── viewers in the summary ──▶◀── kept ── records, places of plays ──▶◀── summaries, for ever
//! ```
//!
//! A play counts against its account until the period ends, and its viewer may want to know why it was paid what it was paid:
//! the running period and the one before are kept. What stays of each view block is its summary, with the root that
//! commits to its plays. Blocks themselves, with all plays, stay in the archive of consensus: a validator that was away
//! commits them again from there, its own or another's, and makes every row that the others have.

use super::{
    parts,
    row::{SummaryRow, decode, decode_view_block, encode},
    store::{ACCOUNT_PLAY, PENDING, PLAY, SUMMARY, StoreError, VIEW_BLOCK},
};
use chainflix_primitives::ProtocolParams;
use redb::{ReadableTable as _, WriteTransaction};

/// Periods whose plays are kept: the running one and the one before.
const PERIODS_KEPT: u64 = 2;
/// View blocks whose plays are kept in networks of very short periods.
const KEPT_MIN: u64 = 128;
/// View blocks whose summaries say who watched.
const VIEWERS_KEPT: u64 = 64;
/// View blocks pruned by one new one, so that a ledger which kept more catches up.
const PRUNED_MAX: usize = 2;

/// How many view blocks are kept with their plays.
pub(super) fn kept(params: &ProtocolParams) -> u64 {
    params.period_view_blocks.saturating_mul(PERIODS_KEPT).max(KEPT_MIN)
}

/// Forgets what is too old now that view block `newest` was made.
pub(super) fn prune(write: &WriteTransaction, newest: u64, kept: u64) -> Result<(), StoreError> {
    if let Some(old) = newest.checked_sub(VIEWERS_KEPT) {
        forget_viewers(write, old)?;
    }
    for _ in 0..PRUNED_MAX {
        let Some(oldest) = write.open_table(VIEW_BLOCK)?.first()?.map(|(key, _)| key.value().0) else { break };
        // What waits for its audit is needed whole.
        let is_over = write.open_table(PENDING)?.first()?.is_none_or(|(pending, _)| oldest < pending.value());
        if !is_over || oldest.saturating_add(kept) > newest {
            break;
        }
        forget_plays(write, oldest)?;
    }
    Ok(())
}

fn forget_viewers(write: &WriteTransaction, number: u64) -> Result<(), StoreError> {
    let mut table = write.open_table(SUMMARY)?;
    let row = table.get(number)?.map(|row| decode::<SummaryRow>("summary", row.value())).transpose()?;
    if let Some(row) = row {
        let without = SummaryRow { viewers: Vec::new(), ..row };
        table.insert(number, encode(&without).as_slice())?;
    }
    Ok(())
}

/// Deletes a view block's plays from every table.
fn forget_plays(write: &WriteTransaction, number: u64) -> Result<(), StoreError> {
    let mut view_blocks = write.open_table(VIEW_BLOCK)?;
    let Some(bytes) = parts::read(&view_blocks, number)? else { return Ok(()) };
    let row = decode_view_block(&bytes)?;
    parts::remove(&mut view_blocks, number)?;
    let Some(slot) = &row.payload.slot else { return Ok(()) };
    let mut plays = write.open_table(PLAY)?;
    let mut by_account = Vec::with_capacity(row.carried.len());
    for (index, _) in row.carried {
        let Some(record) = slot.proposal.plays.get(index as usize) else { continue };
        plays.remove(record.code.body.id.0)?;
        by_account.push((record.code.body.account.0, number, index));
    }
    by_account.sort_unstable();
    let mut table = write.open_table(ACCOUNT_PLAY)?;
    by_account.into_iter().try_for_each(|key| table.remove(key).map(drop))?;
    Ok(())
}
