//! The census as a pure function of what it was told.

mod claim;
mod hearsay;
mod home;
mod recall;

use super::*;
use crate::authority::RegisteredCell;
use chainflix_overlay::control::{SHARE_MS, Share};
use chainflix_placement::{
    Region,
    patience::PatienceRules,
    reputation::{ReputationRules, audit::Challenge},
};
use chainflix_primitives::{AccountKey, BoxPublicKey};

const SIZE: u64 = 1_000;
const SEED: BlockHash = BlockHash([7; 32]);

fn node(number: u8) -> NodeId {
    NodeId([number; 32])
}

fn cell(number: u8) -> CellId {
    CellId([number; 32])
}

fn announcement(number: u8, sequence: u64, quota_bytes: u64) -> Announcement {
    let key = AccountKey::from_bytes(&[number; 32]).unwrap();
    let card = ProviderCard {
        account: key.address(),
        node: node(number),
        box_key: BoxPublicKey([number; 32]),
        region: String::new(),
    };
    let (card, site) = (Signed::new(card, &key), String::new());
    Announcement { card, sequence, quota_bytes, used_bytes: 0, uplink_bytes_per_s: 0, site }
}

fn page(sequence: u64, cells: &[u8], last: bool) -> InventoryPage {
    InventoryPage { sequence, cells: cells.iter().map(|n| HeldCell { cell: cell(*n), size: SIZE }).collect(), last }
}

fn enter(census: &mut Census, number: u8, cells: &[u8], now_ms: u64) {
    census.announce(announcement(number, now_ms + 1, 100 * SIZE), now_ms).unwrap();
    census.page(&node(number), page(now_ms + 1, cells, true), now_ms).unwrap();
}

fn beat(census: &mut Census, number: u8, sequence: u64, now_ms: u64) -> Result<Option<u64>, CensusError> {
    beat_as(census, number, sequence, ProviderMode::Open, now_ms)
}

fn beat_as(
    census: &mut Census,
    number: u8,
    sequence: u64,
    mode: ProviderMode,
    now_ms: u64,
) -> Result<Option<u64>, CensusError> {
    let words = Heartbeat { sequence, mode, quota_bytes: 100 * SIZE, used_bytes: 0 };
    census.heartbeat(&node(number), words, now_ms)
}

fn census() -> Census {
    Census::new(CensusConfig { settle_ms: 0, ..CensusConfig::default() }, 0)
}

/// Who is named to a viewer, in the order of the nodes.
fn sources_beside(census: &Census, number: u8, excluded: &[NodeId]) -> Vec<NodeId> {
    let (viewer, cell) = (AccountAddress([200; 20]), cell(number));
    let ask = Ask { viewer, region: Region::UNKNOWN, cell: &cell, excluded };
    let mut named: Vec<_> = census.sources(&ask, 10, &SEED, 0).iter().map(|card| card.body.node).collect();
    named.sort_unstable();
    named
}

fn sources(census: &Census, number: u8) -> Vec<NodeId> {
    sources_beside(census, number, &[])
}

/// Copies that are ordered: cell, source, target.
fn copies(census: &mut Census, now_ms: u64) -> Vec<(CellId, NodeId, NodeId)> {
    let orders = census.orders(now_ms, &SEED, 10);
    assert_eq!(orders.drops, []);
    orders.copies.into_iter().map(|order| (order.cell, order.from, order.to)).collect()
}

fn place(census: &mut Census, number: u8, size: u64, unwanted: &[NodeId]) -> Placing {
    census.place(HeldCell { cell: cell(number), size }, unwanted, &SEED, 0)
}

fn held_cell(number: u8) -> HeldCell {
    HeldCell { cell: cell(number), size: SIZE }
}

#[test]
fn an_inventory_counts_when_it_is_complete_and_replaces_the_old_one() {
    let mut census = census();
    census.announce(announcement(1, 1, SIZE), 0).unwrap();
    census.page(&node(1), page(1, &[1], false), 0).unwrap();
    assert_eq!(sources(&census, 1), []);
    census.page(&node(1), page(1, &[2], true), 0).unwrap();
    assert_eq!((sources(&census, 1), sources(&census, 2)), (vec![node(1)], vec![node(1)]));
    // Again, with less: the old one counts until the new one is whole.
    census.announce(announcement(1, 2, SIZE), 0).unwrap();
    assert_eq!(sources(&census, 1), [node(1)]);
    census.page(&node(1), page(2, &[2], true), 0).unwrap();
    assert_eq!((sources(&census, 1), sources(&census, 2)), (vec![], vec![node(1)]));
}

#[test]
fn late_words_of_an_old_connection_change_nothing() {
    let mut census = census();
    enter(&mut census, 1, &[1], 10);
    assert_eq!(census.announce(announcement(1, 5, SIZE), 20), Err(CensusError::Older));
    assert_eq!(census.page(&node(1), page(5, &[2], true), 20), Err(CensusError::Unknown));
    assert_eq!(census.page(&node(1), page(11, &[2], true), 20), Err(CensusError::Unknown), "nothing is staged");
    assert_eq!(beat(&mut census, 1, 5, 20), Err(CensusError::Unknown));
    assert_eq!(beat(&mut census, 2, 5, 20), Err(CensusError::Unknown));
    assert_eq!(beat(&mut census, 1, 11, 20), Ok(None));
}

#[test]
fn the_silent_do_not_count_and_come_back_with_everything() {
    let mut census = census();
    enter(&mut census, 1, &[1], 0);
    enter(&mut census, 2, &[1], 0);
    beat(&mut census, 2, 1, 15_000).unwrap();
    census.tick(20_001);
    assert_eq!(sources(&census, 1), [node(2)]);
    assert_eq!(census.status().cells_short, 1);
    beat(&mut census, 1, 1, 30_000).unwrap();
    assert_eq!(sources(&census, 1), [node(1), node(2)]);
    assert_eq!(census.status().cells_short, 0);
    census.tick(30_000 + ReputationRules::default().forgotten_after_ms + 1);
    assert_eq!(census.status(), CensusStatus::default());
}

#[test]
fn a_short_cell_is_copied_once_and_from_the_living() {
    let mut census = census();
    enter(&mut census, 1, &[1], 0);
    enter(&mut census, 2, &[1], 0);
    enter(&mut census, 3, &[], 0);
    assert_eq!(copies(&mut census, 1), []);
    for number in [2, 3] {
        beat(&mut census, number, 1, 15_000).unwrap();
    }
    census.tick(20_001);
    let job = (cell(1), node(2), node(3));
    assert_eq!(copies(&mut census, 20_001), [job]);
    assert_eq!(copies(&mut census, 20_001), [], "under way");
    assert_eq!(census.status().cells_short, 1, "and not there yet");
    // It fails, and is asked for again; then it succeeds.
    census.given_up(&node(3), &cell(1), 20_001);
    assert_eq!(copies(&mut census, 20_001), [job]);
    census.stored(&node(3), held_cell(1), 20_001);
    assert_eq!(copies(&mut census, 20_001), []);
    assert_eq!(sources(&census, 1), [node(2), node(3)]);
}

/// Three providers with one cell and one without, of which only those in `heard` are heard after the start.
fn with_three_copies(heard: &[u8]) -> Census {
    let mut census = Census::new(CensusConfig { settle_ms: 0, newcomer_percent: 0, ..CensusConfig::with_copies(3) }, 0);
    (1..=4).for_each(|number| enter(&mut census, number, if number < 4 { &[1] } else { &[] }, 0));
    hear(&mut census, heard, 0, 30_000);
    census
}

/// Lets some beat every ten seconds, and time pass.
fn hear(census: &mut Census, heard: &[u8], from_ms: u64, until_ms: u64) {
    for now_ms in (from_ms..=until_ms).step_by(10_000) {
        heard.iter().for_each(|number| _ = beat(census, *number, 1, now_ms).unwrap());
        census.tick(now_ms);
    }
}

#[test]
fn a_silent_provider_serves_nobody_and_is_waited_for() {
    let mut census = with_three_copies(&[2, 3, 4]);
    assert_eq!((sources(&census, 1), census.status().cells_short), (vec![node(2), node(3)], 0));
    assert_eq!(copies(&mut census, 30_000), []);
    let patience_ms = PatienceRules::default().lost_after_ms;
    hear(&mut census, &[2, 3, 4], 40_000, patience_ms);
    assert_eq!(copies(&mut census, patience_ms), []);
    hear(&mut census, &[2, 3, 4], patience_ms + 10_000, patience_ms + 10_000);
    let ordered = copies(&mut census, patience_ms + 10_000);
    assert_eq!(ordered.iter().map(|(cell, _, to)| (*cell, *to)).collect::<Vec<_>>(), [(cell(1), node(4))]);
}

#[test]
fn with_one_copy_heard_nobody_is_waited_for() {
    let mut census = with_three_copies(&[3, 4]);
    assert_eq!((sources(&census, 1), census.status().cells_short), (vec![node(3)], 1));
    assert_eq!(copies(&mut census, 30_000), [(cell(1), node(3), node(4))]);
    census.stored(&node(4), held_cell(1), 30_000);
    assert_eq!((copies(&mut census, 30_001), census.status().cells_short), (vec![], 0));
}

#[test]
fn who_leaves_need_not_wait_for_the_silent() {
    let mut census = with_three_copies(&[2, 3, 4]);
    let leave = |census: &mut Census| beat_as(census, 3, 1, ProviderMode::Leaving, 30_000);
    assert_eq!(leave(&mut census), Ok(Some(1)));
    assert_eq!(copies(&mut census, 30_000), [(cell(1), node(2), node(4))]);
    census.stored(&node(4), held_cell(1), 30_001);
    assert_eq!(leave(&mut census), Ok(Some(0)), "two are heard, one is silent");
}

#[test]
fn a_young_census_repairs_nothing() {
    let mut census = Census::new(CensusConfig::default(), 1_000);
    enter(&mut census, 1, &[1], 1_000);
    enter(&mut census, 2, &[], 1_000);
    assert_eq!(copies(&mut census, 30_999), []);
    assert_eq!(copies(&mut census, 31_000).len(), 1);
}

#[test]
fn room_is_promised_once_and_headroom_stays() {
    let mut census = census();
    census.announce(announcement(1, 1, 10 * SIZE), 0).unwrap();
    census.page(&node(1), page(1, &[], true), 0).unwrap();
    let placing = |census: &mut Census, number, size| place(census, number, size, &[]).targets;
    assert_eq!(placing(&mut census, 1, 10 * SIZE), [], "five percent stay free");
    assert_eq!(placing(&mut census, 1, 9 * SIZE), [node(1)]);
    assert_eq!(placing(&mut census, 2, SIZE), [], "promised");
    census.given_up(&node(1), &cell(1), 0);
    assert_eq!(placing(&mut census, 2, SIZE), [node(1)]);
    census.stored(&node(1), held_cell(2), 0);
    assert_eq!(place(&mut census, 2, SIZE, &[]), Placing { copies: 1, targets: vec![] });
    assert_eq!(place(&mut census, 3, SIZE, &[node(1)]).targets, [], "it just failed");
}

#[test]
fn what_came_and_went_between_announcement_and_inventory_is_not_forgotten() {
    let mut census = census();
    enter(&mut census, 1, &[1, 2], 0);
    census.announce(announcement(1, 5, 100 * SIZE), 0).unwrap();
    census.page(&node(1), page(5, &[1, 2], false), 0).unwrap();
    census.stored(&node(1), held_cell(3), 0);
    census.lost(&node(1), &cell(2), 0);
    census.page(&node(1), page(5, &[], true), 0).unwrap();
    assert_eq!((sources(&census, 2), sources(&census, 3)), (vec![], vec![node(1)]));
    let changes = Changes { sequence: 5, gained: vec![HeldCell { cell: cell(4), size: SIZE }], lost: vec![cell(1)] };
    census.changes(&node(1), changes, 0).unwrap();
    assert_eq!((sources(&census, 1), sources(&census, 4)), (vec![], vec![node(1)]));
}

#[test]
fn excluded_providers_and_full_tables() {
    let mut config = CensusConfig { settle_ms: 0, ..CensusConfig::default() };
    (config.picture.providers_max, config.picture.held_max) = (1, 2);
    let mut census = Census::new(config, 0);
    enter(&mut census, 1, &[1], 0);
    assert_eq!(sources_beside(&census, 1, &[node(1)]), []);
    assert_eq!(census.announce(announcement(2, 1, SIZE), 0), Err(CensusError::Full));
    census.announce(announcement(1, 9, SIZE), 0).unwrap();
    assert_eq!(census.page(&node(1), page(9, &[1, 2, 3], true), 0), Err(CensusError::Full));
}

#[test]
fn who_leaves_is_copied_from_until_nobody_needs_it() {
    let mut census = census();
    enter(&mut census, 1, &[1, 2], 0);
    enter(&mut census, 2, &[1], 0);
    enter(&mut census, 3, &[2], 0);
    let leave = |census: &mut Census| beat_as(census, 1, 1, ProviderMode::Leaving, 1).unwrap();
    assert_eq!(leave(&mut census), Some(2));
    assert!(sources(&census, 1).contains(&node(1)), "it serves to the end");
    assert!(place(&mut census, 9, SIZE, &[]).targets.iter().all(|target| *target != node(1)));
    let jobs = copies(&mut census, 1);
    assert_eq!(jobs.iter().map(|job| (job.0, job.2)).collect::<Vec<_>>(), [(cell(1), node(3)), (cell(2), node(2))]);
    assert_eq!(leave(&mut census), Some(2), "they are on their way");
    for (cell, _, to) in jobs {
        census.stored(&to, HeldCell { cell, size: SIZE }, 1);
    }
    assert_eq!(leave(&mut census), Some(0));
    // It thinks better of it.
    assert_eq!(beat(&mut census, 1, 1, 2), Ok(None));
    assert_eq!(census.status().cells_short, 0);
}

#[test]
fn what_only_a_leaving_provider_has_is_copied_too() {
    let mut census = census();
    enter(&mut census, 1, &[1], 0);
    enter(&mut census, 2, &[], 0);
    assert_eq!(beat_as(&mut census, 1, 1, ProviderMode::Leaving, 1), Ok(Some(1)));
    assert_eq!(copies(&mut census, 1), [(cell(1), node(1), node(2))]);
}

#[test]
fn who_is_quiet_counts_and_is_left_in_peace() {
    let mut census = census();
    enter(&mut census, 1, &[1], 0);
    enter(&mut census, 2, &[1], 0);
    enter(&mut census, 3, &[], 0);
    assert_eq!(beat_as(&mut census, 1, 1, ProviderMode::Quiet, 1), Ok(None));
    assert_eq!(sources(&census, 1), [node(2)]);
    assert_eq!(copies(&mut census, 1), [], "its copy is there");
    census.tick(15_000);
    beat(&mut census, 3, 1, 15_000).unwrap();
    beat_as(&mut census, 1, 1, ProviderMode::Quiet, 15_000).unwrap();
    census.tick(30_000);
    let disturbed = [(cell(1), node(1), node(3))];
    assert_eq!(copies(&mut census, 30_000), disturbed, "better disturbed than lost");
}

/// A census of a film of cells 1 to `cells`, told by the chain.
fn census_with_film(cells: u8, change: impl FnOnce(&mut CensusConfig)) -> Census {
    let mut config = CensusConfig { settle_ms: 0, ..CensusConfig::default() };
    change(&mut config);
    let mut census = Census::new(config, 0);
    let cells = (1..=cells).map(|number| RegisteredCell { cell: cell(number), size: SIZE }).collect();
    census.film(&RegisteredFilm { magnet: FILM, home: HOME, cells }, 0);
    census
}

const FILM: Magnet = Magnet([3; 32]);
const HOME: Region = Region::UNKNOWN;
const DAY_MS: u64 = 86_400_000;

/// Everybody is trusted at once, and heard for ever.
fn trusting(config: &mut CensusConfig) {
    config.reputation = ReputationRules {
        vetting_audits: 0,
        vetting_ms: 0,
        patience: PatienceRules::none(u64::MAX / 2),
        ..ReputationRules::default()
    };
}

#[test]
fn two_disks_in_one_network_are_one_place_and_two_in_one_house_range_are_not() {
    let mut census = census();
    for (number, address) in [(1, "192.168.0.1"), (2, "192.168.0.2")] {
        enter(&mut census, number, &[], 0);
        census.located(&node(number), [address.parse().unwrap()].into_iter(), 0);
    }
    assert_eq!(place(&mut census, 1, SIZE, &[]).targets.len(), 2, "there is such a network in every house");
    for number in [1, 2] {
        let public = format!("8.8.8.{number}").parse().unwrap();
        census.located(&node(number), [public, "127.0.0.1".parse().unwrap()].into_iter(), 0);
    }
    assert_eq!(place(&mut census, 2, SIZE, &[]).targets.len(), 1);
    enter(&mut census, 3, &[], 0);
    census.located(&node(3), ["2a00::1".parse().unwrap()].into_iter(), 0);
    assert_eq!(place(&mut census, 3, SIZE, &[]).targets.len(), 2);
    for (address, public) in [("100.64.0.1", false), ("fe80::1", false), ("203.0.113.9", false), ("1.1.1.1", true)] {
        assert_eq!(is_public(&address.parse().unwrap()), public, "{address}");
    }
}

#[test]
fn a_region_with_a_copy_comes_after_others() {
    let mut census = census();
    for (number, region) in [(1, "KR"), (2, "kr"), (3, "de-be"), (4, "next to the river")] {
        let mut words = announcement(number, 1, 100 * SIZE);
        let key = AccountKey::from_bytes(&[number; 32]).unwrap();
        words.card = Signed::new(ProviderCard { region: region.into(), ..words.card.body }, &key);
        census.announce(words, 0).unwrap();
        census.page(&node(number), page(1, &[], true), 0).unwrap();
    }
    for number in 1..40 {
        let targets = place(&mut census, number, 1, &[]).targets;
        assert!(!(targets.contains(&node(1)) && targets.contains(&node(2))), "two in Korea: {targets:?}");
        assert_eq!(targets.len(), 2);
    }
}

#[test]
fn demand_raises_copies_and_what_nobody_watches_goes_after_a_day() {
    let mut census = census_with_film(1, trusting);
    (1..=6).for_each(|number| enter(&mut census, number, if number < 3 { &[1] } else { &[] }, 0));
    assert_eq!(copies(&mut census, 1), []);
    for viewer in 0..22 {
        census.served(&node(1), FILM, &cell(1), AccountAddress([viewer; 20]), 100_000);
    }
    census.tick(100_001);
    let ordered = copies(&mut census, 100_001);
    assert_eq!(ordered.len(), 3, "22 viewers want five copies");
    ordered.iter().for_each(|(_, _, to)| census.stored(to, held_cell(1), 100_001));
    assert_eq!((sources(&census, 1).len(), copies(&mut census, 100_002)), (5, vec![]));
    // Nobody comes any more. Forecast, falling target and deletion each have their delay.
    let mut fell_ms = None;
    for minute in 3..3_000 {
        let now_ms = minute * 60_000;
        census.tick(now_ms);
        let drops = census.orders(now_ms, &SEED, 10).drops;
        if !drops.is_empty() && fell_ms.is_none() {
            fell_ms = Some(now_ms);
        }
        for drop in drops {
            assert!(census.may_drop(&drop.cell, now_ms));
            census.lost(&drop.node, &drop.cell, now_ms);
        }
    }
    assert!(fell_ms.is_some_and(|fell_ms| fell_ms > DAY_MS + 4 * 3_600_000), "{fell_ms:?}");
    assert_eq!((sources(&census, 1).len(), census.may_drop(&cell(1), 0)), (2, false), "the floor");
}

#[test]
fn newcomers_are_given_cells_of_films_up_to_their_part() {
    let mut census = census_with_film(3, |config| config.newcomer_percent = 2);
    (1..=3).for_each(|number| enter(&mut census, number, if number < 3 { &[1, 2, 3, 4] } else { &[] }, 0));
    let mut given = Vec::new();
    for now_ms in 1..20 {
        for (cell, _, to) in copies(&mut census, now_ms) {
            given.push((cell, to));
            census.stored(&to, HeldCell { cell, size: SIZE }, now_ms);
        }
    }
    assert_eq!(given.len(), 2, "two of a hundred cells that it has room for");
    assert!(given.iter().all(|(gift, to)| *to == node(3) && *gift != cell(4)), "no film has cell 4");
    let mut census = census_with_film(3, |config| config.newcomer_percent = 0);
    (1..=3).for_each(|number| enter(&mut census, number, if number < 3 { &[1, 2, 3] } else { &[] }, 0));
    assert_eq!(copies(&mut census, 1), []);
}

#[test]
fn what_had_no_place_is_told_again_when_its_film_is_known() {
    let mut config = CensusConfig { settle_ms: 0, ..CensusConfig::default() };
    config.picture.strays_max = 1;
    let mut census = Census::new(config, 0);
    enter(&mut census, 1, &[1, 2], 0);
    assert_eq!((census.status().cells, beat(&mut census, 1, 1, 1)), (1, Ok(None)));
    let cells = [1, 2].map(|number| RegisteredCell { cell: cell(number), size: SIZE });
    census.film(&RegisteredFilm { magnet: FILM, home: HOME, cells: cells.to_vec() }, 1);
    assert_eq!(beat(&mut census, 1, 1, 2), Err(CensusError::Unknown));
    enter(&mut census, 1, &[1, 2], 3);
    assert_eq!((sources(&census, 1), sources(&census, 2)), (vec![node(1)], vec![node(1)]));
    assert_eq!(beat(&mut census, 1, 4, 4), Ok(None));
}

#[test]
fn an_announcement_without_an_inventory_does_not_stay() {
    let mut census = census();
    census.announce(announcement(1, 1, SIZE), 0).unwrap();
    census.page(&node(1), page(1, &[1], false), 10_000).unwrap();
    census.tick(30_000);
    assert_eq!(census.status().providers, 1);
    census.tick(30_001);
    assert_eq!(census.status(), CensusStatus::default());
}

#[test]
fn an_upload_is_left_alone_by_repair() {
    let mut census = census();
    (1..=3).for_each(|number| enter(&mut census, number, &[], 0));
    assert!(census.begin(&cell(1)) && !census.begin(&cell(1)));
    let targets = place(&mut census, 1, SIZE, &[]).targets;
    census.stored(&targets[0], held_cell(1), 0);
    census.given_up(&targets[1], &cell(1), 0);
    assert_eq!(copies(&mut census, 1), [], "whoever uploads finds another");
    census.end(&cell(1));
    assert_eq!(copies(&mut census, 10).len(), 1);
    assert!(!census.begin(&cell(1)), "it is on its way");
}

#[test]
fn who_shares_what_it_watched_is_named_for_a_while_and_counts_as_no_copy() {
    let mut census = census();
    enter(&mut census, 1, &[1], 0);
    let share = |number: u8, cells: &[u8]| Share {
        card: announcement(number, 1, 0).card,
        slots: 4,
        cells: cells.iter().copied().map(cell).collect(),
    };
    census.share(share(9, &[1, 2]), 0).unwrap();
    assert_eq!(sources(&census, 1), [node(1), node(9)]);
    assert_eq!(sources(&census, 2), [], "a cell that nobody stores");
    assert_eq!(census.status().providers, 1);
    assert_eq!(place(&mut census, 1, SIZE, &[]).copies, 1);
    assert_eq!(sources_beside(&census, 1, &[node(1)]), [node(9)]);
    census.share(share(9, &[]), 0).unwrap();
    assert_eq!(sources(&census, 1), [node(1)], "it said that it goes");
    census.share(share(9, &[1]), 0).unwrap();

    let watched = AccountKey::from_bytes(&[9; 32]).unwrap().address();
    let ask = Ask { viewer: watched, region: Region::UNKNOWN, cell: &cell(1), excluded: &[] };
    assert_eq!(census.sources(&ask, 10, &SEED, 0).len(), 1, "nobody is sent to itself");
    let ask = Ask { viewer: AccountAddress([200; 20]), ..ask };
    assert_eq!(census.sources(&ask, 10, &SEED, SHARE_MS).len(), 1, "it has gone silent");
    census.tick(SHARE_MS);
    assert!(census.presented(&node(9)).is_none());
}

/// A census whose first provider holds a film of which the others have the copies, and its first question.
fn audited_census(change: impl FnOnce(&mut CensusConfig)) -> (Census, Audit) {
    let mut census = census_with_film(1, |config| {
        config.reputation =
            ReputationRules { memory_permille: 500, patience: PatienceRules::none(DAY_MS), ..config.reputation };
        change(config);
    });
    census.audit_all_at(0);
    enter(&mut census, 1, &[1, 2], 0);
    census.audit_all_at(0);
    let audits = census.audits(0, &SEED, 10);
    (2..=3).for_each(|number| enter(&mut census, number, &[1], 0));
    (census, audits[0])
}

impl Census {
    /// Does away with the spread over the hour.
    fn audit_all_at(&mut self, now_ms: u64) {
        self.entries.values_mut().for_each(|entry| entry.audit_ms = now_ms);
    }
}

#[test]
fn who_shows_what_it_holds_is_asked_every_hour_and_vetted() {
    let (mut census, audit) = audited_census(|config| {
        config.reputation = ReputationRules { vetting_audits: 2, vetting_ms: 1, ..config.reputation };
    });
    assert_eq!(
        (audit.challenge.node, audit.challenge.cell, audit.size),
        (node(1), cell(1), SIZE),
        "no film has cell 2"
    );
    assert_eq!(audit.challenge.deadline_ms, AuditRules::default().patience_ms);
    census.audit_all_at(u64::MAX);
    census.audited(&audit, Some(true), 1);
    assert_eq!(census.status().providers_vetted, 0);
    census.audited(&audit, Some(true), 2);
    assert_eq!(census.status().providers_vetted, 1);
    census.audit_all_at(5);
    assert_eq!(census.audits(4, &SEED, 10), []);
    assert_eq!(census.audits(5, &SEED, 2).len(), 2, "as many as there are hands");
    assert_eq!(census.audits(5, &SEED, 10).len(), 1);
    assert_eq!(census.audits(5 + 3_599_999, &SEED, 10), []);
    assert_eq!(census.audits(5 + 3_600_000, &SEED, 10).len(), 3);
}

#[test]
fn who_shows_something_else_is_not_named_and_gets_nothing() {
    let (mut census, audit) = audited_census(|config| config.reputation.disqualified_permille = 0);
    assert_eq!(sources(&census, 2), [node(1)]);
    census.audited(&audit, Some(false), 1);
    assert_eq!((census.status().providers_suspended, sources(&census, 1)), (1, vec![node(2), node(3)]));
    assert_eq!(sources(&census, 2), [], "its other cells are not believed either");
    assert!((10..30).all(|number| !place(&mut census, number, SIZE, &[]).targets.contains(&node(1))));
    // It gets better: vetted anew.
    (2..20).for_each(|now_ms| census.audited(&audit, Some(true), now_ms));
    assert_eq!((census.status().providers_suspended, sources(&census, 2)), (0, vec![node(1)]));
}

#[test]
fn who_dropped_it_meanwhile_and_said_so_is_not_to_blame() {
    let (mut census, audit) = audited_census(|_| ());
    let changes = Changes { sequence: 1, gained: vec![], lost: vec![cell(1)] };
    census.changes(&node(1), changes, 1).unwrap();
    census.audited(&audit, Some(false), 2);
    assert_eq!(census.status().providers_suspended, 0);
}

#[test]
fn who_is_late_is_asked_the_same_thrice_and_then_has_an_hour() {
    let (mut census, audit) = audited_census(|config| config.reputation.disqualified_permille = 0);
    census.audit_all_at(u64::MAX);
    let other_seed = BlockHash([8; 32]);
    for now_ms in [60_000, 120_000] {
        census.audited(&audit, None, now_ms - 60_000);
        let deadline_ms = now_ms + AuditRules::default().patience_ms;
        let again = Audit { challenge: Challenge { deadline_ms, ..audit.challenge }, ..audit };
        assert_eq!(census.audits(now_ms, &other_seed, 10), [again]);
        assert_eq!(census.status().providers_suspended, 0);
    }
    census.audited(&audit, None, 120_001);
    assert_eq!(census.status().providers_suspended, 1);
    assert_eq!(census.audits(180_001, &other_seed, 10), []);
    assert_eq!(census.audits(120_000 + 3_600_000, &other_seed, 10).len(), 1);
}

#[test]
fn who_lost_too_much_is_out_with_its_account() {
    let (mut census, audit) = audited_census(|_| ());
    census.audited(&audit, Some(false), 1);
    assert_eq!(census.status().providers, 2);
    let again_ms = 1 + ReputationRules::default().banned_ms;
    let mut words = announcement(1, 9, SIZE);
    assert_eq!(census.announce(words.clone(), 2), Err(CensusError::Out { again_ms }));
    let key = AccountKey::from_bytes(&[1; 32]).unwrap();
    words.card = Signed::new(ProviderCard { node: node(77), ..words.card.body }, &key);
    assert_eq!(census.announce(words.clone(), 2), Err(CensusError::Out { again_ms }), "with another node, too");
    assert_eq!(census.announce(words, again_ms), Ok(()));
}

#[test]
fn who_rests_or_is_silent_is_not_asked() {
    let (mut census, _) = audited_census(|_| ());
    beat_as(&mut census, 2, 1, ProviderMode::Quiet, 1).unwrap();
    beat(&mut census, 1, 1, 2).unwrap();
    census.tick(DAY_MS + 1);
    census.audit_all_at(0);
    let asked: Vec<NodeId> = census.audits(DAY_MS + 1, &SEED, 10).iter().map(|audit| audit.challenge.node).collect();
    assert_eq!(asked, [node(1)]);
}

#[test]
fn two_controllers_that_heard_the_same_order_the_same_and_delete_in_turns() {
    let told = |order: &mut dyn Iterator<Item = u8>, mine| {
        let mut census = census_with_film(6, |config| {
            trusting(config);
            config.newcomer_percent = 0;
            config.turns = Turns::new(mine, 2).unwrap();
        });
        for number in order {
            // Cells 1 to 3 are short of one copy, cells 4 to 6 have one too many.
            let cells: &[u8] = match number {
                1 => &[1, 2, 3, 4, 5, 6],
                2 | 3 => &[4, 5, 6],
                _ => &[],
            };
            enter(&mut census, number, cells, 0);
        }
        census
    };
    let (mut first, mut second) = (told(&mut (1..=8), 0), told(&mut (1..=8).rev(), 1));
    let targets = |census: &mut Census| {
        let mut ordered: Vec<_> = copies(census, 1).into_iter().map(|(cell, _, to)| (cell, to)).collect();
        ordered.sort_unstable();
        ordered
    };
    let ordered = targets(&mut first);
    assert_eq!((ordered.len(), &ordered), (3, &targets(&mut second)));
    let turn_ms = 600_000;
    let at_ms = 2 * DAY_MS / (2 * turn_ms) * (2 * turn_ms);
    let drops = |census: &mut Census, now_ms| census.orders(now_ms, &SEED, 0).drops;
    let mut both = [drops(&mut first, at_ms), drops(&mut second, at_ms + turn_ms)];
    assert_eq!(both[0].len(), 3);
    assert!(!second.may_drop(&both[0][0].cell, at_ms));
    both.iter_mut().for_each(|drops| drops.sort_by_key(|drop| drop.cell));
    assert_eq!(both[0], both[1], "and they would delete the same");
    assert_eq!((drops(&mut second, at_ms), drops(&mut first, at_ms + turn_ms)), (vec![], vec![]));
    assert_eq!(drops(&mut first, at_ms + turn_ms - 1), [], "time to hear of it");
}
