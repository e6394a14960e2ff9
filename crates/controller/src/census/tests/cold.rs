//! Films that few watch, and who remembers them.

use super::*;
use crate::StripeCells;
use chainflix_placement::{cold::Quiet, repair::RebuildOrder};

const AFTER_MS: u64 = 100_000;
const PARITY: [u8; 6] = [101, 102, 103, 104, 105, 106];

fn striped_film() -> RegisteredFilm {
    let cells = (1..=4).map(|number| RegisteredCell { cell: cell(number), size: SIZE }).collect();
    let stripe = StripeCells { cells: [1, 2, 3, 4].map(cell), parity: PARITY.map(cell), parity_bytes: SIZE as u32 };
    RegisteredFilm { magnet: FILM, home: HOME, cells, stripes: vec![stripe] }
}

/// Twelve providers that are trusted; the first two hold cells 1 and 2, the next two cells 3 and 4.
fn stage(change: impl FnOnce(&mut CensusConfig)) -> Census {
    let mut config = CensusConfig { settle_ms: 0, newcomer_percent: 0, ..CensusConfig::default() };
    trusting(&mut config);
    // Nobody sends heartbeats here for a year.
    config.cold.after_ms = AFTER_MS;
    change(&mut config);
    let mut census = Census::new(config, 0);
    for number in 1..=12 {
        let cells: &[u8] = match number {
            1 | 2 => &[1, 2],
            3 | 4 => &[3, 4],
            _ => &[],
        };
        enter(&mut census, number, cells, 0);
    }
    census
}

fn rebuilds(census: &mut Census, now_ms: u64) -> Vec<RebuildOrder> {
    census.tick(now_ms);
    census.orders(now_ms, &SEED, 10, 10).rebuilds
}

fn store(census: &mut Census, order: &RebuildOrder, now_ms: u64) {
    for piece in &order.to {
        census.stored(&piece.node, HeldCell { cell: piece.cell, size: piece.size.into() }, now_ms);
    }
}

fn quiet(census: &mut Census, now_ms: u64) -> Quiet {
    census.remember(now_ms).films[0].1
}

#[test]
fn a_time_without_viewers_makes_parity_and_then_one_copy_is_enough() {
    let mut census = stage(|_| ());
    census.film(&striped_film(), 7);
    assert_eq!(rebuilds(&mut census, AFTER_MS + 6), []);
    let orders = rebuilds(&mut census, AFTER_MS + 7);
    assert_eq!(orders.iter().map(|order| order.to.len()).collect::<Vec<_>>(), [6]);
    assert_eq!(rebuilds(&mut census, AFTER_MS + 8), [], "under way");
    store(&mut census, &orders[0], AFTER_MS + 9);
    let drops = census.orders(AFTER_MS + 2 * DAY_MS, &SEED, 0, 0).drops;
    let mut cells: Vec<CellId> = drops.iter().map(|drop| drop.cell).collect();
    cells.sort_unstable();
    assert_eq!(cells, [1, 2, 3, 4].map(cell));
    for drop in drops {
        assert!(census.may_drop(&drop, AFTER_MS + 2 * DAY_MS));
        census.lost(&drop.node, &drop.cell, AFTER_MS + 2 * DAY_MS);
    }
    assert_eq!(census.status().stripes_short, 0);
    assert_eq!(census.orders(AFTER_MS + 4 * DAY_MS, &SEED, 10, 10), Orders::default());
}

#[test]
fn what_nobody_waits_for_is_made_in_turn() {
    let mut census = stage(|config| {
        config.cold.after_ms = 0;
        config.turns = Turns::new(1, 2).unwrap();
    });
    census.film(&striped_film(), 0);
    assert_eq!(rebuilds(&mut census, 1), [], "the other one's turn");
    assert_eq!(rebuilds(&mut census, 600_001).len(), 1);
}

#[test]
fn who_finds_parity_takes_over_what_another_decided() {
    let mut census = stage(|_| ());
    enter(&mut census, 5, &[101], 1);
    census.film(&striped_film(), 2);
    assert!(quiet(&mut census, 3).coded, "it was there before the film was known");
    let mut census = stage(|_| ());
    census.film(&striped_film(), 2);
    assert!(!quiet(&mut census, 3).coded);
    enter(&mut census, 6, &[106], 4);
    assert!(quiet(&mut census, 5).coded, "it came later");
    assert_eq!(rebuilds(&mut census, 6)[0].to.len(), 5);
}

#[test]
fn a_restart_forgets_no_film_and_counts_no_time_in_which_nobody_counted() {
    let mut census = stage(|_| ());
    census.film(&striped_film(), 1_000);
    let left = crate::Remembered::decode(&census.remember(5_000).encode()).unwrap();
    let mut census = stage(|_| ());
    census.recall(left, 9_000);
    census.film(&striped_film(), 9_001);
    assert_eq!(quiet(&mut census, 9_002).since_ms, 5_000);
    assert_eq!((rebuilds(&mut census, AFTER_MS + 4_999).len(), rebuilds(&mut census, AFTER_MS + 5_000).len()), (0, 1));
    let left = census.remember(AFTER_MS + 5_000);
    let mut census = stage(|_| ());
    census.recall(left, AFTER_MS + 6_000);
    census.film(&striped_film(), AFTER_MS + 6_001);
    assert_eq!(rebuilds(&mut census, AFTER_MS + 6_002).len(), 1, "it goes on");
}

#[test]
fn a_film_that_lists_false_parity_stays_copies_for_ever() {
    let mut census = stage(|config| config.cold.after_ms = 0);
    census.film(&striped_film(), 0);
    let order = rebuilds(&mut census, 1).remove(0);
    order.to.iter().for_each(|piece| census.given_up(&piece.node, &piece.cell, 2));
    census.refuse_parity(&order.to[0].cell, 2);
    assert_eq!(rebuilds(&mut census, 3 * DAY_MS), []);
    let left = census.remember(3 * DAY_MS);
    let mut census = stage(|config| config.cold.after_ms = 0);
    census.recall(left, 4 * DAY_MS);
    census.film(&striped_film(), 4 * DAY_MS);
    assert_eq!(rebuilds(&mut census, 5 * DAY_MS), []);
}

#[test]
fn a_stripe_lies_with_registered_providers_alone() {
    let mut census = stage(|config| config.cold.after_ms = 0);
    census.film(&striped_film(), 0);
    census.registered((1..=9).map(node).collect(), 0);
    assert_eq!(rebuilds(&mut census, 1), [], "five places are too few");
    enter(&mut census, 13, &[], 2);
    census.registered((1..=11).map(node).chain([node(13)]).collect(), 3);
    let order = rebuilds(&mut census, 4).remove(0);
    assert!(order.to.iter().all(|piece| piece.node != node(12)), "{:?}", order.to);
}

#[test]
fn who_asks_for_a_cell_that_nobody_has_wakes_the_film() {
    let mut census = stage(|config| config.cold.after_ms = 0);
    census.film(&striped_film(), 0);
    let order = rebuilds(&mut census, 1).remove(0);
    store(&mut census, &order, 2);
    (1..=2).for_each(|number| census.lost(&node(number), &cell(1), 3));
    assert_eq!(rebuilds(&mut census, 4), [], "nine of ten are there");
    census.asked(AccountAddress([9; 20]), FILM, &cell(1), &[], 5);
    let order = rebuilds(&mut census, 6).remove(0);
    assert!(order.urgent && order.to.iter().map(|piece| piece.cell).eq([cell(1)]));
}
