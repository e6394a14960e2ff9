//! Words of a provider that another controller passed on.

use super::*;
use chainflix_overlay::control::{ProviderWords, TELLING_MS, Told};

const OTHER: NodeId = NodeId([250; 32]);

fn told(number: u64, at_ms: u64, words: ProviderWords) -> Told {
    Told { node: node(1), number, at_ms, words }
}

fn announces(sequence: u64, at_ms: u64) -> Told {
    told(0, at_ms, ProviderWords::Announce(announcement(1, sequence, 100 * SIZE)))
}

fn beats(sequence: u64, number: u64, at_ms: u64) -> Told {
    let words = Heartbeat { sequence, mode: ProviderMode::Open, quota_bytes: 100 * SIZE, used_bytes: 0 };
    told(number, at_ms, ProviderWords::Heartbeat(words))
}

/// Provider 1 enters through another controller.
fn enter_through(census: &mut Census, cells: &[u8], now_ms: u64) {
    census.passed(OTHER, announces(now_ms, now_ms), now_ms).unwrap();
    let inventory = told(1, now_ms + 1, ProviderWords::Inventory(page(now_ms, cells, true)));
    census.passed(OTHER, inventory, now_ms).unwrap();
}

#[test]
fn a_provider_at_second_hand_is_named_and_counted_and_left_alone() {
    let mut census = census();
    enter_through(&mut census, &[1, 2], 1_000);
    enter(&mut census, 2, &[1], 1_000);
    assert_eq!(sources(&census, 1), [node(1), node(2)]);
    assert_eq!(census.status().cells_short, 1, "its copy of the first cell counts");
    // There is one disk that it can be copied to, and nobody here who could read it.
    assert_eq!(census.orders(1_000, &SEED, 10, 10), Orders::default());
    let placing = census.place(HeldCell { cell: cell(3), size: SIZE }, &[], &SEED, 1_000);
    assert_eq!(placing.targets, [node(2)]);
    let cells = [1, 2].map(|number| RegisteredCell { cell: cell(number), size: SIZE }).to_vec();
    census.film(&RegisteredFilm { magnet: FILM, home: HOME, cells, stripes: Vec::new() }, 1_000);
    let asked = census.audits(100_000_000, &SEED, 10);
    assert_eq!(asked.iter().map(|audit| audit.challenge.node).collect::<Vec<_>>(), [node(2)]);
}

#[test]
fn none_of_the_words_can_be_left_out_said_twice_or_kept() {
    let mut census = census();
    enter_through(&mut census, &[1], 1_000);
    assert_eq!(census.passed(OTHER, beats(1_000, 1, 1_100), 1_200), Ok(()));
    assert_eq!(census.passed(OTHER, beats(1_000, 1, 1_100), 1_200), Err(CensusError::Unknown), "twice");
    assert_eq!(census.passed(OTHER, beats(1_000, 2, 1_300), 1_300), Err(CensusError::Unknown), "changes are missing");
    let lost = Changes { sequence: 1_000, gained: vec![], lost: vec![cell(1)] };
    assert_eq!(census.passed(OTHER, told(2, 1_200, ProviderWords::Changes(lost)), 1_300), Ok(()));
    assert_eq!(census.passed(OTHER, beats(1_000, 2, 1_300), 1_300), Ok(()));
    assert_eq!(sources(&census, 1), []);
    let kept = census.passed(OTHER, beats(1_000, 2, 1_400), 1_400 + TELLING_MS + 1);
    assert_eq!(kept, Err(CensusError::Expired));
    let ahead = census.passed(OTHER, beats(1_000, 2, 1_400 + TELLING_MS + 1), 1_400);
    assert_eq!(ahead, Err(CensusError::Expired));
    assert_eq!(census.passed(OTHER, announces(1_000, 1_500), 1_500), Err(CensusError::Older));
}

#[test]
fn one_way_at_a_time_and_the_providers_own_before_all() {
    let (mut census, third) = (census(), NodeId([251; 32]));
    enter_through(&mut census, &[1], 1_000);
    assert_eq!(census.passed(third, announces(1_100, 1_100), 1_100), Err(CensusError::Heard));
    // Words of an announcement that was made here before do not count any more.
    let beat = Heartbeat { sequence: 1_000, mode: ProviderMode::Open, quota_bytes: 1, used_bytes: 0 };
    assert_eq!(census.told(&node(1), ProviderWords::Heartbeat(beat), 1_100), Err(CensusError::Unknown));
    let own = ProviderWords::Announce(announcement(1, 999, 100 * SIZE));
    assert_eq!(census.told(&node(1), own, 1_200), Ok(None));
    assert_eq!(census.passed(OTHER, beats(1_000, 1, 1_250), 1_250), Err(CensusError::Heard));
    let whole = ProviderWords::Inventory(page(999, &[1], true));
    assert_eq!(census.told(&node(1), whole, 1_250), Ok(None));
    // When it is not heard here any more, others may speak for it again: with a new announcement.
    let later_ms = 1_250 + 21_000;
    assert_eq!(census.passed(third, beats(999, 1, later_ms), later_ms), Err(CensusError::Unknown));
    assert_eq!(census.passed(third, announces(999, later_ms), later_ms), Err(CensusError::Older));
    assert_eq!(census.passed(third, announces(later_ms, later_ms), later_ms), Ok(()));
}

#[test]
fn a_young_controller_waits_for_providers_to_come_themselves() {
    let mut census = Census::new(CensusConfig { settle_ms: 30_000, ..CensusConfig::default() }, 0);
    assert_eq!(census.passed(OTHER, announces(1, 29_999), 29_999), Err(CensusError::Heard));
    assert_eq!(census.passed(OTHER, announces(1, 30_000), 30_000), Ok(()));
}
