//! Writes what a block did: the rows of one transaction.

use super::{
    parts,
    row::{AwardRow, CountedPlay, SummaryRow, ViewBlockRow, credits_row, decode, encode, encode_view_block},
    served,
    store::{ACCOUNT_PLAY, COUNTED, HELD, PENDING, PLAY, PROVIDER, STANDING, SUMMARY, StoreError, VESTING, VIEW_BLOCK},
};
use chainflix_primitives::{AccountAddress, NetworkGenesis, PlayRecord, SlotPayload, ViewPayload};
use chainflix_proof_of_view::{
    AwardedBlock, BlockPlace, LedgerState, MadeBlock, MinedCell, PendingBlock, Settlement, VoidedPlay,
};
use redb::{ReadableTable as _, WriteTransaction};
use std::{collections::BTreeSet, sync::Arc};

/// Writes what a block did to the state `before` it.
pub(super) fn write_step(
    write: &WriteTransaction,
    genesis: &NetworkGenesis,
    place: &BlockPlace,
    before: &LedgerState,
    payload: Option<&Arc<ViewPayload>>,
    settlement: &Settlement,
) -> Result<(), StoreError> {
    let after = &settlement.next;
    if before.head().closed_slot != after.head().closed_slot {
        // A period began. To drop a table is far less work than to delete its rows.
        write.delete_table(COUNTED)?;
        write.delete_table(PROVIDER)?;
    }
    if let (Some(payload), Some(made)) = (payload, &settlement.made)
        && let Some(slot) = &payload.slot
    {
        insert_view_block(write, place, payload, made, after)?;
        insert_plays(write, slot, made)?;
        insert_counted(write, slot, made)?;
    }
    for awarded in &settlement.awarded {
        let view_block = awarded.view_block;
        let block = before.pending_block(view_block).ok_or(StoreError::Torn { view_block })?;
        let time_ms = insert_award(write, place, block, awarded)?;
        served::insert(write, time_ms, &after.served(genesis, block, awarded))?;
    }
    insert_standings(write, payload, settlement)?;
    insert_providers(write, settlement)?;
    write_held(write, before, after)?;
    move_pending(write, before, after)?;
    move_vesting(write, before, after)
}

fn accepted<'a>(slot: &'a SlotPayload, made: &'a MadeBlock) -> impl Iterator<Item = (u32, &'a PlayRecord)> {
    // A slot has at most 2^20 plays, and the tally names no other places.
    made.accepted.iter().map(|play| (play.index as u32, &slot.proposal.plays[play.index]))
}

fn insert_view_block(
    write: &WriteTransaction,
    place: &BlockPlace,
    payload: &ViewPayload,
    made: &MadeBlock,
    after: &LedgerState,
) -> Result<(), StoreError> {
    let row = ViewBlockRow {
        struck_out: after.pending_block(made.view_block).map_or(0, |block| block.head().struck_out),
        carried: made.accepted.iter().map(|play| (play.index as u32, play.weight)).collect(),
        payload,
    };
    parts::insert(&mut write.open_table(VIEW_BLOCK)?, made.view_block, &encode_view_block(&row)?)?;
    let summary = SummaryRow {
        slot: after.head().last_slot.unwrap_or_default(),
        height: place.height,
        time_ms: place.time_ms,
        reward_gwei: made.reward_gwei,
        plays: made.accepted.len() as u32,
        root: after.head().root,
        viewers: after.pending_block(made.view_block).map_or_else(Vec::new, |block| viewers(block, &[])),
        award: None,
    };
    write.open_table(SUMMARY)?.insert(made.view_block, encode(&summary).as_slice())?;
    Ok(())
}

/// Whose plays of `block` are not void, each once, in order.
fn viewers(block: &PendingBlock, voided: &[VoidedPlay]) -> Vec<AccountAddress> {
    let is_void = |index: u32| voided.binary_search_by_key(&(index as usize), |void| void.index).is_ok();
    let standing = block.plays().iter().filter(|play| !is_void(play.index));
    let mut viewers: Vec<_> =
        standing.map(|play| block.slot().proposal.plays[play.index as usize].code.body.account).collect();
    viewers.sort_unstable();
    viewers.dedup();
    viewers
}

fn insert_plays(write: &WriteTransaction, slot: &SlotPayload, made: &MadeBlock) -> Result<(), StoreError> {
    let mut plays = write.open_table(PLAY)?;
    for (index, record) in accepted(slot, made) {
        plays.insert(record.code.body.id.0, (made.view_block, index))?;
    }
    let mut by_account: Vec<_> =
        accepted(slot, made).map(|(index, record)| (record.code.body.account.0, made.view_block, index)).collect();
    by_account.sort_unstable();
    let mut table = write.open_table(ACCOUNT_PLAY)?;
    for key in by_account {
        table.insert(key, ())?;
    }
    Ok(())
}

/// What counts until the period ends.
fn insert_counted(write: &WriteTransaction, slot: &SlotPayload, made: &MadeBlock) -> Result<(), StoreError> {
    let counted: Vec<_> = accepted(slot, made)
        .map(|(_, record)| {
            let code = &record.code.body;
            let mined = MinedCell::of(record).name();
            CountedPlay { mined, viewer: code.account, creator: code.creator, play_ms: code.play_ms }
        })
        .collect();
    parts::insert(&mut write.open_table(COUNTED)?, made.view_block, &encode(&counted))
}

/// Answers the time of the block that carried the votes.
fn insert_award(
    write: &WriteTransaction,
    place: &BlockPlace,
    block: &PendingBlock,
    awarded: &AwardedBlock,
) -> Result<u64, StoreError> {
    let view_block = awarded.view_block;
    let mut table = write.open_table(SUMMARY)?;
    let summary = table.get(view_block)?.map(|row| decode::<SummaryRow>("summary", row.value())).transpose()?;
    let mut summary = summary.ok_or(StoreError::Torn { view_block })?;
    summary.viewers = viewers(block, &awarded.voided);
    summary.award = Some(AwardRow {
        height: place.height,
        gwei: awarded.paid.credits.iter().map(|credit| credit.gwei).sum(),
        held_gwei: awarded.withheld.iter().map(|withheld| withheld.held_gwei).sum(),
        returned_gwei: awarded.withheld.iter().map(|withheld| withheld.returned_gwei).sum(),
        voided: awarded.voided.iter().map(|void| void.index as u32).collect(),
    });
    table.insert(view_block, encode(&summary).as_slice())?;
    Ok(summary.time_ms)
}

/// Writes what is known of the accounts that played, or whose plays are void.
fn insert_standings(
    write: &WriteTransaction,
    payload: Option<&Arc<ViewPayload>>,
    settlement: &Settlement,
) -> Result<(), StoreError> {
    let mut accounts: BTreeSet<_> =
        settlement.awarded.iter().flat_map(|awarded| &awarded.voided).map(|void| void.account).collect();
    if let (Some(slot), Some(made)) = (payload.and_then(|payload| payload.slot.as_ref()), &settlement.made) {
        accounts.extend(accepted(slot, made).map(|(_, record)| record.code.body.account));
    }
    if accounts.is_empty() {
        return Ok(());
    }
    let mut table = write.open_table(STANDING)?;
    for account in accounts {
        if let Some(standing) = settlement.next.standing(&account) {
            table.insert(account.0, encode(standing).as_slice())?;
        }
    }
    Ok(())
}

/// Writes what providers answer for after the audits that ended. Opens the table also where there is nothing to write:
/// readers rely on it.
fn insert_providers(write: &WriteTransaction, settlement: &Settlement) -> Result<(), StoreError> {
    let mut table = write.open_table(PROVIDER)?;
    for provider in settlement.awarded.iter().flat_map(|awarded| &awarded.answering) {
        if let Some(record) = settlement.next.provider(provider) {
            table.insert(provider.0, encode(record).as_slice())?;
        }
    }
    Ok(())
}

/// Brings the `held` table up to date.
fn write_held(write: &WriteTransaction, before: &LedgerState, after: &LedgerState) -> Result<(), StoreError> {
    let mut table = write.open_table(HELD)?;
    for (account, held) in before.held_changes(after) {
        match held {
            Some(held) => drop(table.insert(account.0, encode(&held).as_slice())?),
            None => drop(table.remove(account.0)?),
        }
    }
    Ok(())
}

/// Brings the `pending` table up to date: states share what did not change.
fn move_pending(write: &WriteTransaction, before: &LedgerState, after: &LedgerState) -> Result<(), StoreError> {
    let mut table = write.open_table(PENDING)?;
    for gone in before.pending().filter(|block| after.pending_block(block.view_block()).is_none()) {
        table.remove(gone.view_block())?;
    }
    for block in after.pending() {
        let view_block = block.view_block();
        let known = before.pending_block(view_block).is_some_and(|known| std::ptr::eq(known, block));
        if !known {
            table.insert(view_block, encode(block.head()).as_slice())?;
        }
    }
    Ok(())
}

/// Brings the `vesting` table up to date, likewise.
fn move_vesting(write: &WriteTransaction, before: &LedgerState, after: &LedgerState) -> Result<(), StoreError> {
    let mut table = write.open_table(VESTING)?;
    for (gone, _) in before.vesting().filter(|(made, _)| after.vesting_of(*made).is_none()) {
        table.remove(gone)?;
    }
    for (made, awards) in after.vesting() {
        if before.vesting_of(made).is_none_or(|known| !std::ptr::eq(known, awards)) {
            table.insert(made, encode(&credits_row(awards)).as_slice())?;
        }
    }
    Ok(())
}
