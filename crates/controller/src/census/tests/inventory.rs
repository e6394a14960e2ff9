//! What providers say they hold: whole inventories, changes, full tables.

use super::*;

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
fn what_had_no_place_is_told_again_when_its_film_is_known() {
    let mut config = CensusConfig { settle_ms: 0, ..CensusConfig::default() };
    config.picture.strays_max = 1;
    let mut census = Census::new(config, 0);
    enter(&mut census, 1, &[1, 2], 0);
    assert_eq!((census.status().cells, beat(&mut census, 1, 1, 1)), (1, Ok(None)));
    let cells = [1, 2].map(|number| RegisteredCell { cell: cell(number), size: SIZE });
    census.film(&RegisteredFilm { magnet: FILM, home: HOME, cells: cells.to_vec(), stripes: Vec::new() }, 1);
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
