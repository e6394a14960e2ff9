//! What is short is copied: when, from whom, to whom, and when it is waited for.

use super::*;

/// Two providers with the same cell, and one with an empty disk.
fn with_two_copies() -> Census {
    let mut census = census();
    (1..=3).for_each(|number| enter(&mut census, number, if number < 3 { &[1] } else { &[] }, 0));
    census
}

#[test]
fn a_short_cell_is_copied_once_and_from_the_living() {
    let mut census = with_two_copies();
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
    let mut census = with_two_copies();
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
