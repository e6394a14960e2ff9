//! Viewers that share.

use super::*;

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
