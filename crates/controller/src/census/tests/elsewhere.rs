//! Viewers that another controller counts.

use super::*;
use chainflix_overlay::control::{WATCHED_FILMS_MAX, Watched, WatchedFilm};
use chainflix_placement::target::TargetRules;
use std::ops::Range;

const MINUTE_MS: u64 = 60_000;
const NAMES: [NodeId; 2] = [NodeId([250; 32]), NodeId([251; 32])];
/// Of the film in these tests.
const VIEWERS: u8 = 30;

/// Two controllers that hear the same eight providers, each of them with a copy of a film of one cell.
fn two() -> [Census; 2] {
    [0, 1].map(|number| {
        let mut census = census_with_film(1, |config| {
            trusting(config);
            config.turns = Turns::new(number, 2).unwrap();
        });
        census.beside(&[NAMES[1 - number]]);
        (1..=8).for_each(|provider| enter(&mut census, provider, &[1], 0));
        census
    })
}

/// Viewers of the film ask a controller for their next minute.
fn watch(census: &mut Census, viewers: Range<u8>, now_ms: u64) {
    viewers.for_each(|viewer| census.served(&node(1), FILM, &cell(1), AccountAddress([viewer; 20]), now_ms));
}

/// Both count, and tell each other where they do that. What they order then.
fn count(both: &mut [Census; 2], tell: bool, now_ms: u64) -> [Orders; 2] {
    both.iter_mut().for_each(|census| census.tick(now_ms));
    for from in [0, 1].into_iter().filter(|_| tell) {
        let words = both[from].counted_after(0).unwrap();
        assert_eq!(both[1 - from].watched(&NAMES[from], &words, now_ms), Ok(()));
    }
    both.each_mut().map(|census| census.orders(now_ms, &SEED, 10, 0))
}

/// So many of the viewers ask the first controller each minute, and the others the second one. How many copies each deleted.
fn watched_for(both: &mut [Census; 2], at_the_first: u8, tell: bool, minutes: Range<u64>) -> [usize; 2] {
    let mut dropped = [0; 2];
    for now_ms in minutes.map(|minute| minute * MINUTE_MS) {
        watch(&mut both[0], 0..at_the_first, now_ms - 1);
        watch(&mut both[1], at_the_first..VIEWERS, now_ms - 1);
        let orders = count(both, tell, now_ms);
        for (deletes, drop) in [0, 1].into_iter().flat_map(|i| orders[i].drops.iter().map(move |drop| (i, drop))) {
            both.iter_mut().for_each(|census| census.lost(&drop.node, &drop.cell, now_ms));
            dropped[deletes] += 1;
        }
    }
    dropped
}

fn wanted(census: &Census) -> u8 {
    census.picture.find_film(&FILM).unwrap().wants.total
}

#[test]
fn what_one_made_for_its_crowd_is_not_deleted_by_the_other() {
    const DAYS: Range<u64> = 1..2 * 24 * 60;
    let mut untold = two();
    assert_eq!(watched_for(&mut untold, VIEWERS, false, DAYS), [0, 6], "this is what the telling is for");
    assert_eq!(untold.each_ref().map(wanted), [8, 2], "six for thirty, and what the forecast adds");
    let mut told = two();
    assert_eq!(watched_for(&mut told, VIEWERS, true, DAYS), [0, 0]);
    assert_eq!(told.each_ref().map(wanted), [8, 8]);
}

#[test]
fn of_viewers_that_are_spread_over_two_both_want_copies_for_all() {
    let mut untold = two();
    watched_for(&mut untold, VIEWERS / 2, false, 1..15);
    assert_eq!(untold.each_ref().map(wanted), [3, 3]);
    let mut told = two();
    watched_for(&mut told, VIEWERS / 2, true, 1..15);
    assert_eq!(told.each_ref().map(wanted), [6, 6], "and what is told is not told back");
}

#[test]
fn who_falls_silent_is_believed_for_three_minutes() {
    let mut both = two();
    watched_for(&mut both, VIEWERS, true, 1..3);
    assert_eq!(both.each_ref().map(wanted), [6, 6]);
    let believed = |census: &mut Census, now_ms| {
        census.tick(now_ms);
        census.audience.elsewhere.add_to(&BTreeMap::new(), now_ms)
    };
    let told_ms = 2 * MINUTE_MS;
    assert_eq!(believed(&mut both[1], told_ms + 3 * MINUTE_MS - 1), BTreeMap::from([(FILM, u32::from(VIEWERS))]));
    assert_eq!(believed(&mut both[1], told_ms + 3 * MINUTE_MS), BTreeMap::new());
    // When it is forgotten its clock may have been set back.
    let words = Watched { at_ms: 1, films: vec![WatchedFilm { magnet: FILM, viewers: 7 }] };
    let now_ms = told_ms + 3 * MINUTE_MS;
    assert_eq!(both[1].watched(&NAMES[0], &words, now_ms), Ok(()));
    assert_eq!(believed(&mut both[1], now_ms), BTreeMap::from([(FILM, 7)]));
}

#[test]
fn the_last_word_of_a_configured_controller_counts_and_no_other() {
    let [mut census, _] = two();
    let words = |at_ms, viewers| Watched { at_ms, films: vec![WatchedFilm { magnet: FILM, viewers }] };
    let mut told = |controller, words: Watched| census.watched(&controller, &words, 0);
    assert_eq!(told(NodeId([252; 32]), words(9, 1)), Err(CountError::Stranger));
    assert_eq!(told(NAMES[0], words(9, 1)), Err(CountError::Stranger), "that is this one itself");
    assert_eq!(told(NAMES[1], words(9, 1)), Ok(()));
    assert_eq!(told(NAMES[1], words(9, 5)), Err(CountError::Older));
    assert_eq!(told(NAMES[1], words(8, 5)), Err(CountError::Older));
    assert_eq!(told(NAMES[1], words(10, u32::MAX)), Ok(()));
    let sum = |census: &mut Census, own| census.audience.elsewhere.add_to(&BTreeMap::from([(FILM, own)]), 0);
    // More than the most copies serve say nothing more.
    assert_eq!(sum(&mut census, 2), BTreeMap::from([(FILM, 1_002)]));
    assert_eq!(sum(&mut census, u32::MAX), BTreeMap::from([(FILM, u32::MAX)]), "saturated");
    watch(&mut census, 0..2, MINUTE_MS);
    census.tick(MINUTE_MS);
    assert_eq!(wanted(&census), TargetRules::default().copies_max);
}

#[test]
fn a_controller_fills_one_row_with_films_of_the_chain() {
    let [mut census, _] = two();
    for at_ms in 1..=100 {
        let film = |number: u64| {
            let mut magnet = FILM;
            // The first one of each count is the film that is known.
            magnet.0[..8].iter_mut().zip((number * at_ms).to_le_bytes()).for_each(|(byte, with)| *byte ^= with);
            WatchedFilm { magnet, viewers: 50 }
        };
        let films = (0..WATCHED_FILMS_MAX as u64).map(film).collect();
        assert_eq!(census.watched(&NAMES[1], &Watched { at_ms, films }, 0), Ok(()));
        assert_eq!(census.audience.elsewhere.add_to(&BTreeMap::new(), 0), BTreeMap::from([(FILM, 50)]));
    }
}

#[test]
fn the_most_watched_are_told_once_for_each_count() {
    let mut census = census();
    assert_eq!(census.counted_after(0), None, "not counted yet");
    let film = |number: u32| {
        let mut magnet = FILM;
        magnet.0[..4].copy_from_slice(&number.to_le_bytes());
        magnet
    };
    let films = WATCHED_FILMS_MAX as u32 + 10;
    for number in 0..films {
        census.film(&RegisteredFilm { magnet: film(number), home: HOME, cells: Vec::new(), stripes: Vec::new() }, 0);
        // The last three are watched by more than one.
        let viewers = 1 + 3u32.saturating_sub(films - 1 - number) as u8;
        (0..viewers).for_each(|viewer| {
            census.served(&node(1), film(number), &cell(1), AccountAddress([viewer; 20]), MINUTE_MS - 1);
        });
    }
    census.tick(MINUTE_MS);
    let words = census.counted_after(0).unwrap();
    assert_eq!((words.at_ms, words.films.len()), (MINUTE_MS, WATCHED_FILMS_MAX));
    let most = [films - 1, films - 2, films - 3].map(film);
    assert_eq!(words.films.iter().take(4).map(|film| film.viewers).collect::<Vec<_>>(), [4, 3, 2, 1]);
    assert_eq!(words.films.iter().take(3).map(|film| film.magnet).collect::<Vec<_>>(), most);
    assert_eq!(census.counted_after(MINUTE_MS), None, "told already");
    census.tick(4 * MINUTE_MS);
    let nobody = Watched { at_ms: 4 * MINUTE_MS, films: Vec::new() };
    assert_eq!(census.counted_after(MINUTE_MS), Some(nobody));
}
