//! Films have a home: the last copies stay there.

use super::*;

#[test]
fn what_nobody_watches_stays_at_home() {
    let mut census = census_with_film(0, trusting);
    let cells = vec![RegisteredCell { cell: cell(1), size: SIZE }];
    census
        .film(&RegisteredFilm { magnet: Magnet([4; 32]), home: "kr".parse().unwrap(), cells, stripes: Vec::new() }, 0);
    for (number, region) in [(1, "kr-11"), (2, "de"), (3, "kr"), (4, "")] {
        let mut words = announcement(number, 1, 100 * SIZE);
        let key = AccountKey::from_bytes(&[number; 32]).unwrap();
        words.card = Signed::new(ProviderCard { region: region.into(), ..words.card.body }, &key);
        census.announce(words, 0).unwrap();
        census.page(&node(number), page(1, &[1], true), 0).unwrap();
    }
    census.tick(1);
    let mut dropped: Vec<NodeId> = census.orders(2 * DAY_MS, &SEED, 0, 0).drops.iter().map(|drop| drop.node).collect();
    dropped.sort_unstable();
    assert_eq!(dropped, [node(2), node(4)]);
}
