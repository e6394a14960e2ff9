//! The census as a pure function of what it was told.

use super::*;
use chainflix_primitives::{AccountKey, BoxPublicKey};

const SIZE: u64 = 1_000;

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
    Announcement { card: Signed::new(card, &key), sequence, quota_bytes, used_bytes: 0 }
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

fn sources(census: &Census, number: u8) -> Vec<NodeId> {
    census.sources(&cell(number), &[], 10).iter().map(|card| card.body.node).collect()
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
    census.tick(30_000 + CensusConfig::default().forget_after_ms + 1);
    assert_eq!(census.status(), CensusStatus::default());
}

#[test]
fn a_short_cell_is_copied_once_and_from_the_living() {
    let mut census = census();
    enter(&mut census, 1, &[1], 0);
    enter(&mut census, 2, &[1], 0);
    enter(&mut census, 3, &[], 0);
    assert_eq!(census.copies(10, 1), []);
    for number in [2, 3] {
        beat(&mut census, number, 1, 15_000).unwrap();
    }
    census.tick(20_001);
    let job = CopyJob { cell: cell(1), size: SIZE, from: node(2), to: node(3) };
    assert_eq!(census.copies(10, 20_001), [job]);
    assert_eq!(census.copies(10, 20_001), [], "under way");
    // It fails, and is asked for again; then it succeeds.
    census.given_up(&node(3), SIZE);
    census.end(&cell(1));
    assert_eq!(census.copies(10, 20_001), [job]);
    census.stored(&node(3), cell(1), SIZE);
    census.end(&cell(1));
    assert_eq!(census.copies(10, 20_001), []);
    assert_eq!(sources(&census, 1), [node(2), node(3)]);
}

#[test]
fn a_young_census_repairs_nothing() {
    let mut census = Census::new(CensusConfig::default(), 1_000);
    enter(&mut census, 1, &[1], 1_000);
    enter(&mut census, 2, &[], 1_000);
    assert_eq!(census.copies(10, 30_999), []);
    assert_eq!(census.copies(10, 31_000).len(), 1);
}

#[test]
fn room_is_promised_once_and_headroom_stays() {
    let mut census = census();
    census.announce(announcement(1, 1, 10 * SIZE), 0).unwrap();
    census.page(&node(1), page(1, &[], true), 0).unwrap();
    let placing = |census: &mut Census, number, size| census.place(&cell(number), size, &[], &[]).targets;
    assert_eq!(placing(&mut census, 1, 10 * SIZE), [], "five percent stay free");
    assert_eq!(placing(&mut census, 1, 9 * SIZE), [node(1)]);
    assert_eq!(placing(&mut census, 2, SIZE), [], "promised");
    census.given_up(&node(1), 9 * SIZE);
    assert_eq!(placing(&mut census, 2, SIZE), [node(1)]);
    census.stored(&node(1), cell(2), SIZE);
    assert_eq!(census.place(&cell(2), SIZE, &[], &[]), Placing { copies: 1, targets: vec![] });
    assert_eq!(census.place(&cell(3), SIZE, &[], &[node(1)]).targets, [], "it just failed");
}

#[test]
fn what_came_and_went_between_announcement_and_inventory_is_not_forgotten() {
    let mut census = census();
    enter(&mut census, 1, &[1, 2], 0);
    census.announce(announcement(1, 5, 100 * SIZE), 0).unwrap();
    census.page(&node(1), page(5, &[1, 2], false), 0).unwrap();
    census.stored(&node(1), cell(3), SIZE);
    census.lost(&node(1), &cell(2));
    census.page(&node(1), page(5, &[], true), 0).unwrap();
    assert_eq!((sources(&census, 2), sources(&census, 3)), (vec![], vec![node(1)]));
    let changes = Changes { sequence: 5, gained: vec![HeldCell { cell: cell(4), size: SIZE }], lost: vec![cell(1)] };
    census.changes(&node(1), changes, 0).unwrap();
    assert_eq!((sources(&census, 1), sources(&census, 4)), (vec![], vec![node(1)]));
}

#[test]
fn excluded_providers_and_full_tables() {
    let config = CensusConfig { providers_max: 1, cells_max: 2, settle_ms: 0, ..CensusConfig::default() };
    let mut census = Census::new(config, 0);
    enter(&mut census, 1, &[1], 0);
    assert_eq!(census.sources(&cell(1), &[node(1)], 10), []);
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
    assert!(census.place(&cell(9), SIZE, &[], &[]).targets.iter().all(|target| *target != node(1)));
    let jobs = census.copies(10, 1);
    assert_eq!(jobs.iter().map(|job| (job.cell, job.to)).collect::<Vec<_>>(), [(cell(1), node(3)), (cell(2), node(2))]);
    for job in jobs {
        census.stored(&job.to, job.cell, job.size);
        census.end(&job.cell);
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
    let jobs = census.copies(10, 1);
    assert_eq!((jobs[0].from, jobs[0].to), (node(1), node(2)));
}

#[test]
fn who_is_quiet_counts_and_is_left_in_peace() {
    let mut census = census();
    enter(&mut census, 1, &[1], 0);
    enter(&mut census, 2, &[1], 0);
    enter(&mut census, 3, &[], 0);
    assert_eq!(beat_as(&mut census, 1, 1, ProviderMode::Quiet, 1), Ok(None));
    assert_eq!(sources(&census, 1), [node(2)]);
    assert_eq!(census.copies(10, 1), [], "its copy is there");
    census.tick(15_000);
    beat(&mut census, 3, 1, 15_000).unwrap();
    beat_as(&mut census, 1, 1, ProviderMode::Quiet, 15_000).unwrap();
    census.tick(30_000);
    let jobs = census.copies(10, 30_000);
    assert_eq!((jobs[0].from, jobs[0].to), (node(1), node(3)), "better disturbed than lost");
}
