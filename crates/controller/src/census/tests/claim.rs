//! What a claim about an uplink wins, and what a lie about it costs.

use super::*;

const MBIT: u64 = 125_000;

/// A provider with all cells that claims an uplink.
fn enter_with(census: &mut Census, number: u8, uplink_bytes_per_s: u64) {
    let words = Announcement { uplink_bytes_per_s, ..announcement(number, 1, 100 * SIZE) };
    census.announce(words, 0).unwrap();
    census.page(&node(number), page(1, &[1, 2], true), 0).unwrap();
}

fn slots(census: &Census, number: u8) -> u16 {
    census.provider(&node(number)).unwrap().slots
}

/// Viewers, each of whom fetches one cell, and then says by its next question how that went.
fn crowd(census: &mut Census, viewers: std::ops::Range<u8>, went_well: bool, now_ms: u64) {
    let account = |viewer| AccountAddress([viewer; 20]);
    for viewer in viewers.clone() {
        census.served(&node(1), FILM, &cell(1), account(viewer), now_ms);
    }
    for viewer in viewers {
        let (next, excluded) = if went_well { (2, vec![]) } else { (1, vec![node(1)]) };
        census.asked(account(viewer), FILM, &cell(next), &excluded, now_ms + 1);
    }
    census.tick(now_ms + 60_000);
}

fn lasting(config: &mut CensusConfig) {
    config.reputation = ReputationRules { vetting_audits: 0, vetting_ms: 0, ..config.reputation };
}

#[test]
fn a_claimed_uplink_wins_nothing_that_was_not_carried() {
    let mut census = census_with_film(2, lasting);
    enter_with(&mut census, 1, 1_000 * MBIT);
    enter_with(&mut census, 2, 0);
    enter_with(&mut census, 3, 8 * MBIT);
    assert_eq!([1, 2, 3].map(|number| slots(&census, number)), [5, 5, 2], "250 are claimed, and less is believed");
    // A liar: whoever is sent there leaves, and the next crowd is the smaller.
    crowd(&mut census, 0..5, false, 1_000);
    assert_eq!(slots(&census, 1), 1);
    // One that told the truth: each viewer that it served while it was full makes room for one more.
    for minute in 1..=20 {
        let before = slots(&census, 1);
        beat(&mut census, 1, 1, minute * 120_000).unwrap();
        crowd(&mut census, 0..before as u8, true, minute * 120_000);
        let now = slots(&census, 1);
        assert!(now == before + 1, "only the last one found it full: {before} and {now}");
    }
}

#[test]
fn a_claim_grows_no_further_than_it_goes_and_no_viewer_alone_ends_it() {
    let mut census = census_with_film(2, lasting);
    enter_with(&mut census, 1, 28 * MBIT);
    for minute in 1..=10 {
        beat(&mut census, 1, 1, minute * 120_000).unwrap();
        crowd(&mut census, 0..20, true, minute * 120_000);
    }
    assert_eq!(slots(&census, 1), 7);
    for minute in 11..=20 {
        beat(&mut census, 1, 1, minute * 120_000).unwrap();
        crowd(&mut census, 9..10, false, minute * 120_000);
    }
    assert_eq!(slots(&census, 1), 3, "one account counts once");
    // Who was never sent there has nothing to complain of, nor who was sent there long ago.
    let excluded = [node(1)];
    census.asked(AccountAddress([77; 20]), FILM, &cell(1), &excluded, 2_400_000);
    census.served(&node(1), FILM, &cell(1), AccountAddress([78; 20]), 2_400_000);
    census.asked(AccountAddress([78; 20]), FILM, &cell(1), &excluded, 2_400_000 + 120_000);
    assert_eq!(slots(&census, 1), 3);
}

#[test]
fn who_is_full_comes_last() {
    let mut census = census_with_film(2, lasting);
    (1..=2).for_each(|number| enter_with(&mut census, number, 4 * MBIT));
    let cell = cell(1);
    let ask = Ask { viewer: AccountAddress([200; 20]), region: Region::UNKNOWN, cell: &cell, excluded: &[] };
    let named = |census: &Census| -> Vec<NodeId> {
        census.sources(&ask, 10, &SEED, 0).iter().map(|card| card.body.node).collect()
    };
    let drawn = named(&census);
    census.served(&drawn[0], FILM, &cell, AccountAddress([7; 20]), 0);
    assert!(census.is_full(&drawn[0]) && !census.is_full(&drawn[1]));
    assert_eq!(named(&census), [drawn[1], drawn[0]]);
    census.tick(60_000);
    assert!(!census.is_full(&drawn[0]), "a minute later it is free again");
}

#[test]
fn a_viewer_that_shares_claims_no_more_than_others_either() {
    let mut census = census_with_film(2, lasting);
    let words = Share { card: announcement(1, 1, 0).card, slots: u16::MAX, cells: vec![cell(1)] };
    census.share(words.clone(), 0).unwrap();
    assert_eq!(census.claim_of(&node(1)).unwrap().slots(), 5);
    crowd(&mut census, 0..5, false, 1_000);
    census.share(words, 61_001).unwrap();
    assert_eq!(census.claim_of(&node(1)).unwrap().slots(), 1, "what it says again does not make it forgotten");
}

#[test]
fn two_of_one_site_never_hold_two_copies_of_a_cell() {
    let mut census = census();
    for (number, site) in [(1, "Fernsehturm"), (2, " fernsehturm"), (3, "attic"), (4, ""), (5, "")] {
        let words = Announcement { site: site.into(), ..announcement(number, 1, 100 * SIZE) };
        census.announce(words, 0).unwrap();
        census.page(&node(number), page(1, &[], true), 0).unwrap();
    }
    let mut seen = HashSet::new();
    for number in 1..60 {
        let targets = place(&mut census, number, 1, &[]).targets;
        assert!(targets.len() == 2 && !(targets.contains(&node(1)) && targets.contains(&node(2))), "{targets:?}");
        seen.extend(targets);
    }
    assert_eq!(seen.len(), 5, "who names no site shares none");
}
