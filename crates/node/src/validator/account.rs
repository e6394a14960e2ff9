//! What an account has, what is on its way to it, what it watched, and what it served.
//!
//! ```text
//! desk      running, proved               ─┐ newest page only
//! ledger    pending, auditing, accepted    ├─▶ one list, newest first ─▶ a page, and where the next one begins
//! journal   refused                       ─┘
//! ```
//!
//! Carried plays are read as far back as the ledger keeps them. Refusals are this validator's own: another one may have
//! refused a wish of the same account of which nobody here knows.

use chainflix_chain::{
    execution::{Address, ExecutionLayer, U256},
    journal::{Refused, RefusedPlays},
    ledger::{PlayPlace, PlayState, ViewBlock, ViewLedger},
};
use chainflix_primitives::{AccountAddress, NetworkGenesis, PlayCode, PlayId};
use chainflix_proof_of_view::{HeldPay, PlayStatus, PlayedBytes, Served, Unpaid};
use chainflix_rpc::types::{
    AccountPlay, AccountQuery, AccountReport, Held, PlayCursor, PlayReport, Role, RolePay, ServedDay, ServedQuery,
    ServedReport, UnpaidPlays, VESTING_SHOWN_MAX, Vesting,
};
use std::{collections::HashSet, sync::Arc};

/// Refusals that are kept of one account, so that one look has all of them.
const REFUSED_MAX: usize = 256;

/// Where accounts are read.
#[derive(Clone)]
pub(crate) struct Accounts {
    pub genesis: Arc<NetworkGenesis>,
    pub execution: ExecutionLayer,
    pub ledger: ViewLedger,
    pub refused: RefusedPlays,
}

/// A play with its place in the order of its kind.
#[derive(Debug)]
enum Entry {
    Carried { at: (u64, u32), play: AccountPlay },
    Refused(AccountPlay),
}

impl Accounts {
    /// Answers `query`. `open` are the account's plays that nobody voted on yet, as the desk knows them. Reads the disk.
    pub fn report(&self, query: AccountQuery, open: Vec<AccountPlay>) -> anyhow::Result<AccountReport> {
        let AccountQuery { account, count, from } = query;
        let balance = self.execution.balance(Address::from(account.0))?;
        let owed = self.ledger.owed(&account);
        let state = self.ledger.state();
        let vesting_blocks = self.genesis.params.vesting_view_blocks;
        let vesting = state.vesting().filter_map(|(made, credits)| {
            let gwei = part(credits.iter().map(|credit| (credit.account, credit.gwei)), &account)?;
            Some(Vesting { view_block: made + vesting_blocks, gwei })
        });
        let count = count as usize;
        let start = from.unwrap_or(PlayCursor::NEWEST);
        let carried = self.carried(&account, start, count)?;
        // One that this validator refused may have been carried by the votes of the others.
        let refused = self.refused.of(&account, REFUSED_MAX)?.into_iter().filter(|refused| {
            refused.at_ms < start.refused_ms
                && refused.play.is_none_or(|play| matches!(self.ledger.play(&play), Ok(None)))
        });
        let open = if from.is_none() { open } else { Vec::new() };
        let (plays, next) = page(open, carried, refused.map(refused_play).collect(), start, count);
        Ok(AccountReport {
            // All coins there will ever be fit: 6 * 10^27 wei.
            balance_wei: u128::try_from(balance.min(U256::from(u128::MAX))).unwrap_or(u128::MAX),
            pending_gwei: owed.expected_gwei.into(),
            vesting_gwei: owed.vesting_gwei.into(),
            vesting: vesting.take(VESTING_SHOWN_MAX).collect(),
            held: state.held(&account).map(|held| self.held(held)),
            view_blocks: state.head().view_blocks,
            plays,
            next,
        })
    }

    fn held(&self, held: &HeldPay) -> Held {
        let params = &self.genesis.params.held_pay;
        Held {
            gwei: held.gwei.into(),
            permille: held.permille(params),
            periods: held.periods,
            leave_periods: params.leave_periods,
            leaving: held.left_in.is_some(),
        }
    }

    /// Answers `query`. Reads the disk.
    pub fn served(&self, query: &ServedQuery) -> anyhow::Result<ServedReport> {
        let ServedQuery { account, from, count } = query;
        let days = self.ledger.served(account, from.unwrap_or(u32::MAX), *count as usize)?;
        let struck_out = self.ledger.state().is_provider_struck_out(&self.genesis.params, account);
        Ok(ServedReport { struck_out, days: days.into_iter().map(|(day, served)| served_day(day, &served)).collect() })
    }

    fn carried(&self, account: &AccountAddress, start: PlayCursor, count: usize) -> anyhow::Result<Vec<Entry>> {
        let mut carried = Vec::new();
        // One more, to know whether there is another page.
        for place in self.ledger.plays_before(account, (start.view_block, start.index), count + 1)? {
            let Some(block) = self.ledger.view_block(place.view_block)? else { break };
            let state = self.ledger.play_state(&place)?;
            let Some(play) = self.carried_play(&place, &block, state) else { continue };
            carried.push(Entry::Carried { at: (place.view_block, place.index), play });
        }
        Ok(carried)
    }

    fn carried_play(&self, place: &PlayPlace, block: &ViewBlock, state: PlayState) -> Option<AccountPlay> {
        let code = &block.record(place.index)?.code.body;
        let status = carried_status(&self.genesis, place.view_block, state);
        Some(AccountPlay {
            play: Some(code.id),
            magnet: code.magnet,
            cell_index: code.cell_index,
            time_ms: block.summary.time_ms,
            report: PlayReport::from(Some(&status)),
            paid: (state == PlayState::Awarded).then(|| paid(block, &self.genesis, place.index)),
        })
    }
}

/// How a play stands that the votes carried into `view_block`.
pub(super) fn carried_status(genesis: &NetworkGenesis, view_block: u64, state: PlayState) -> PlayStatus {
    match state {
        PlayState::Pending => PlayStatus::Pending { view_block },
        PlayState::Auditing { opened_ms } => {
            PlayStatus::Auditing { view_block, until_ms: opened_ms + genesis.params.audit.answer_ms }
        }
        PlayState::Awarded => PlayStatus::Accepted { view_block },
        PlayState::Voided => PlayStatus::Refused(chainflix_proof_of_view::Refusal::Voided),
    }
}

/// An open play of a desk.
pub(super) fn open_play(code: &PlayCode, status: &PlayStatus) -> AccountPlay {
    AccountPlay {
        play: Some(code.id),
        magnet: code.magnet,
        cell_index: code.cell_index,
        time_ms: code.starts_ms,
        report: PlayReport::from(Some(status)),
        paid: None,
    }
}

fn refused_play(refused: Refused) -> AccountPlay {
    let Refused { at_ms, play, magnet, cell_index, code, message } = refused;
    let report = PlayReport::Refused { code, message };
    AccountPlay { play, magnet, cell_index, time_ms: at_ms, report, paid: None }
}

fn served_day(day: u32, served: &Served) -> ServedDay {
    let unpaid = Unpaid::ALL.into_iter().zip(served.unpaid).filter(|(_, unpaid)| unpaid.plays > 0);
    let unpaid =
        unpaid.map(|(why, PlayedBytes { plays, bytes })| UnpaidPlays { reason: why.code().into(), plays, bytes });
    let PlayedBytes { plays, bytes } = served.all;
    ServedDay { day, plays, bytes, gwei: served.gwei, held_gwei: served.held_gwei, unpaid: unpaid.collect() }
}

fn paid(block: &ViewBlock, genesis: &NetworkGenesis, index: u32) -> Vec<RolePay> {
    let Some(paid) = block.paid(genesis, index) else { return Vec::new() };
    let roles = [
        (Role::Viewer, paid.viewer),
        (Role::Creator, paid.creator),
        (Role::Activators, paid.activators),
        (Role::Storage, paid.storage),
        (Role::Validators, paid.validators),
        (Role::Supervisor, paid.supervisor),
        (Role::Operation, paid.operation),
    ];
    roles.into_iter().filter(|(_, gwei)| *gwei > 0).map(|(role, gwei)| RolePay { role, gwei }).collect()
}

/// What `account` has of a list with each account once; `None` for nothing.
fn part(mut credits: impl Iterator<Item = (AccountAddress, u64)>, account: &AccountAddress) -> Option<u64> {
    credits.find(|(credited, _)| credited == account).map(|(_, gwei)| gwei)
}

/// The newest `count` plays of both kinds, after all that are `open`, and where the next page begins.
///
/// `carried` and `refused` are newest first. Refusals of one moment stay together: a page may be longer for that.
fn page(
    mut open: Vec<AccountPlay>,
    carried: Vec<Entry>,
    refused: Vec<AccountPlay>,
    start: PlayCursor,
    count: usize,
) -> (Vec<AccountPlay>, Option<PlayCursor>) {
    open.sort_by_key(|play| std::cmp::Reverse(play.time_ms));
    // What was carried or refused since the desk was asked is there as such.
    let known: HashSet<PlayId> = carried.iter().map(Entry::play).chain(&refused).filter_map(|play| play.play).collect();
    open.retain(|play| play.play.is_none_or(|play| !known.contains(&play)));
    let (mut plays, mut cursor) = (open, start);
    let mut carried = carried.into_iter().peekable();
    let mut refused = refused.into_iter().map(Entry::Refused).peekable();
    let mut taken = plays.len();
    let next = loop {
        let newer = match (carried.peek(), refused.peek()) {
            (None, None) => break None,
            (Some(carried), Some(refused)) => carried.play().time_ms >= refused.play().time_ms,
            (Some(_), None) => true,
            (None, Some(_)) => false,
        };
        let tied = !newer && refused.peek().is_some_and(|entry| entry.play().time_ms == cursor.refused_ms);
        if taken >= count && !tied {
            break Some(cursor);
        }
        let entry = if newer { carried.next() } else { refused.next() };
        let Some(entry) = entry else { break None };
        match entry {
            Entry::Carried { at: (view_block, index), play } => {
                (cursor.view_block, cursor.index) = (view_block, index);
                plays.push(play);
            }
            Entry::Refused(play) => {
                cursor.refused_ms = play.time_ms;
                plays.push(play);
            }
        }
        taken += 1;
    };
    (plays, next)
}

impl Entry {
    fn play(&self) -> &AccountPlay {
        match self {
            Self::Carried { play, .. } | Self::Refused(play) => play,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::Magnet;

    fn play(id: u8, time_ms: u64, report: PlayReport) -> AccountPlay {
        AccountPlay {
            play: Some(PlayId([id; 16])),
            magnet: Magnet([0; 32]),
            cell_index: 0,
            time_ms,
            report,
            paid: None,
        }
    }

    fn carried(id: u8, view_block: u64) -> Entry {
        Entry::Carried { at: (view_block, 3), play: play(id, 100 * view_block, PlayReport::Accepted { view_block }) }
    }

    fn refused(id: u8, time_ms: u64) -> AccountPlay {
        play(id, time_ms, PlayReport::Refused { code: "too-early".into(), message: String::new() })
    }

    fn ids(plays: &[AccountPlay]) -> Vec<u8> {
        plays.iter().filter_map(|play| play.play.map(|play| play.0[0])).collect()
    }

    /// All pages of what an honest store answers, two plays each.
    fn pages(open: &[AccountPlay], carried_ids: &[(u8, u64)], refused_ids: &[(u8, u64)]) -> Vec<Vec<u8>> {
        let (mut from, mut pages) = (None, Vec::new());
        loop {
            let start = from.unwrap_or(PlayCursor::NEWEST);
            let before = |view_block: &u64| (*view_block, 3) < (start.view_block, start.index);
            let carried = carried_ids.iter().filter(|(_, block)| before(block)).map(|(id, block)| carried(*id, *block));
            let refused = refused_ids.iter().filter(|(_, ms)| *ms < start.refused_ms).map(|(id, ms)| refused(*id, *ms));
            let open = if from.is_none() { open.to_vec() } else { Vec::new() };
            let (plays, next) = page(open, carried.collect(), refused.collect(), start, 2);
            pages.push(ids(&plays));
            match next {
                Some(next) => from = Some(next),
                None => return pages,
            }
        }
    }

    #[test]
    fn a_day_names_the_reasons_that_were() {
        let mut served =
            Served { all: PlayedBytes { plays: 5, bytes: 50 }, gwei: 9, held_gwei: 6, ..Served::default() };
        served.unpaid[Unpaid::Weightless as usize] = PlayedBytes { plays: 2, bytes: 20 };
        let unpaid = vec![UnpaidPlays { reason: "weightless".into(), plays: 2, bytes: 20 }];
        assert_eq!(served_day(7, &served), ServedDay { day: 7, plays: 5, bytes: 50, gwei: 9, held_gwei: 6, unpaid });
    }

    #[test]
    fn pages_join_on_and_show_each_play_once_in_order() {
        let carried = [(1, 9), (2, 7), (3, 5), (4, 3)];
        let refused = [(5, 850), (6, 600), (7, 100), (8, 50)];
        assert_eq!(pages(&[], &carried, &refused), [[1, 5], [2, 6], [3, 4], [7, 8]]);
        assert_eq!(pages(&[], &carried, &[]), [[1, 2], [3, 4]]);
        assert_eq!(pages(&[], &[], &refused), [[5, 6], [7, 8]]);
        assert_eq!(pages(&[], &[], &[]), [[]; 1] as [[u8; 0]; 1]);
    }

    #[test]
    fn refusals_of_one_moment_are_not_torn_apart() {
        let found = pages(&[], &[(1, 9)], &[(5, 800), (6, 800), (7, 800), (8, 100)]);
        assert_eq!(found, [vec![1, 5, 6, 7], vec![8]]);
    }

    #[test]
    fn open_plays_come_first_and_only_once() {
        let running = play(9, 5_000, PlayReport::Running);
        let stale = play(1, 4_000, PlayReport::Proved);
        let found = pages(&[stale, running], &[(1, 9), (2, 7)], &[(5, 850)]);
        assert_eq!(found, [vec![9, 1], vec![5, 2]], "what the ledger knows already is told as the ledger knows it");
    }
}
