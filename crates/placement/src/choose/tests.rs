//! Chances, distances and priorities of placement.

use super::*;
use crate::{
    Card, Country, Event, Held, PictureConfig, PlaceTag,
    rehearsal::{Rehearsal, cell, magnet, node},
};
use chainflix_primitives::AccountAddress;
use proptest::prelude::*;
use std::collections::HashSet;

const GIB: u64 = 1 << 30;
const SEED: BlockHash = BlockHash([3; 32]);

fn card(number: u32, quota_bytes: u64) -> Card {
    let mut account = [0; 20];
    account[..4].copy_from_slice(&number.to_le_bytes());
    let region = Region::UNKNOWN;
    let networks = vec![PlaceTag(number.into())];
    Card {
        node: node(number),
        account: AccountAddress(account),
        region,
        networks,
        site: None,
        quota_bytes,
        used_bytes: 0,
        slots: 4,
    }
}

fn picture(cards: &[Card]) -> Picture {
    let mut picture = Picture::new(PictureConfig::default());
    for card in cards {
        picture.apply(0, &Event::Seen(card.clone())).unwrap();
        picture.apply(0, &Event::Trusted { node: card.node, standing: Standing::Vetted }).unwrap();
    }
    picture
}

/// The numbers of those that get cell `number`.
fn chosen(picture: &Picture, number: u32, wanted: usize) -> Vec<ProviderIndex> {
    let id = cell(number);
    let wish =
        Wish { cell: &id, size: 1 << 20, film: None, region: None, wanted, beside: &[], unwanted: &[], alone: false };
    Board::new(picture, Rules::default()).choose(&SEED, &wish)
}

#[test]
fn chances_follow_free_space_and_generosity() {
    // 3 GiB weigh 3 x 2, 1 GiB weighs 1 x 1.
    let picture = picture(&[card(0, GIB), card(1, 3 * GIB)]);
    let second = (0..4_000).filter(|number| chosen(&picture, *number, 1) == [ProviderIndex(1)]).count();
    // 3,429 are expected; five standard deviations are 110.
    assert!((3_319..=3_539).contains(&second), "{second}");
}

#[test]
fn a_lie_about_room_gets_one_copy_of_each_cell_and_no_more() {
    let mut cards: Vec<Card> = (0..20).map(|number| card(number, 10 * GIB)).collect();
    cards[0].quota_bytes = u64::MAX;
    // The same disk as somebody else, in the same line.
    cards.push(Card { networks: cards[0].networks.clone(), ..card(20, u64::MAX) });
    let picture = picture(&cards);
    for number in 0..500 {
        let copies = chosen(&picture, number, 3);
        let liars = copies.iter().filter(|copy| [0, 20].contains(&copy.0)).count();
        assert!(copies.len() == 3 && liars <= 1, "two of three copies are on real disks: {copies:?}");
    }
}

#[test]
fn chances_are_the_same_over_many_buckets() {
    let cards: Vec<Card> =
        (0..1_000).map(|number| card(number, if number < 500 { 15 * GIB } else { 31 * GIB })).collect();
    let picture = picture(&cards);
    let board = Board::new(&picture, Rules::default());
    assert_eq!(board.buckets.len(), 8);
    let large = (0..4_000).filter(|number| {
        let id = cell(*number);
        let wish =
            Wish { cell: &id, size: 1, film: None, region: None, wanted: 1, beside: &[], unwanted: &[], alone: false };
        board.choose(&SEED, &wish)[0].0 >= 500
    });
    // 31 x 5 against 15 x 4: 2,884 are expected; five standard deviations are 142.
    let large = large.count();
    assert!((2_742..=3_026).contains(&large), "{large}");
}

#[test]
fn a_provider_that_leaves_moves_few_cells() {
    let cards: Vec<Card> = (0..400).map(|number| card(number, 10 * GIB)).collect();
    let (all, without) = (picture(&cards), picture(&cards[..399]));
    let moved = (0..4_000).filter(|number| chosen(&all, *number, 1) != chosen(&without, *number, 1)).count();
    // Ten cells were its own, about as many come from its lighter bucket.
    assert!((5..40).contains(&moved), "{moved}");
}

#[test]
fn copies_are_of_different_people_and_places() {
    let mut cards: Vec<Card> = (0..6).map(|number| card(number, 10 * GIB)).collect();
    cards[1].account = cards[0].account;
    cards[2].networks = vec![PlaceTag(77), PlaceTag(0)];
    cards[3].site = Some(PlaceTag(5));
    cards[4].site = Some(PlaceTag(5));
    let picture = picture(&cards);
    for number in 0..100 {
        let chosen: HashSet<u32> = chosen(&picture, number, 6).into_iter().map(|index| index.0).collect();
        assert!(chosen.contains(&5) && chosen.len() <= 4, "{chosen:?}");
        assert!(!chosen.is_superset(&[0, 1].into()) && !chosen.is_superset(&[0, 2].into()), "{chosen:?}");
        assert!(!chosen.is_superset(&[3, 4].into()), "{chosen:?}");
        assert!(chosen.contains(&3) || chosen.contains(&4));
    }
}

#[test]
fn regions_come_before_disks() {
    let mut cards: Vec<Card> = (0..6).map(|number| card(number, 10 * GIB)).collect();
    for (card, region) in cards.iter_mut().zip(["kr", "kr", "kr", "kr", "kr", "de"]) {
        card.region = region.parse().unwrap();
    }
    let picture = picture(&cards);
    for number in 0..50 {
        assert!(chosen(&picture, number, 2).contains(&ProviderIndex(5)), "the only other region takes part");
        assert_eq!(chosen(&picture, number, 6).len(), 6, "and then everybody");
        let id = cell(number);
        let beside = [ProviderIndex(5)];
        let wish = Wish {
            cell: &id,
            size: 1,
            film: None,
            region: Some(cards[0].region),
            wanted: 9,
            beside: &beside,
            unwanted: &[ProviderIndex(0)],
            alone: false,
        };
        let there: HashSet<_> =
            Board::new(&picture, Rules::default()).choose(&SEED, &wish).into_iter().map(|index| index.0).collect();
        assert_eq!(there, [1, 2, 3, 4].into());
    }
}

#[test]
fn full_disks_and_newcomers_come_last() {
    let mut cards: Vec<Card> = (0..4).map(|number| card(number, 100 * GIB)).collect();
    cards[0].used_bytes = 81 * GIB;
    cards[1].used_bytes = 95 * GIB;
    let mut picture = picture(&cards);
    picture.apply(0, &Event::Trusted { node: node(2), standing: Standing::Vetting }).unwrap();
    for number in 0..50 {
        assert_eq!(chosen(&picture, number, 1), [ProviderIndex(3)]);
        assert_eq!(chosen(&picture, number, 4).len(), 3, "five percent stay free");
    }
    picture.apply(0, &Event::Lost(node(3))).unwrap();
    picture.apply(0, &Event::Trusted { node: node(0), standing: Standing::Suspended }).unwrap();
    assert_eq!(chosen(&picture, 0, 4), [ProviderIndex(2)]);
}

#[test]
fn a_film_lies_where_it_may_be_watched() {
    let mut cards: Vec<Card> = (0..3).map(|number| card(number, 10 * GIB)).collect();
    for (card, region) in cards.iter_mut().zip(["kr-11", "de-be", ""]) {
        card.region = region.parse().unwrap();
    }
    let mut picture = picture(&cards);
    let held = Held { cell: cell(0), size: 1 };
    let countries = vec![Country(*b"de")];
    picture.apply(0, &Event::Film { magnet: magnet(0), home: Region::UNKNOWN, countries, cells: vec![held] }).unwrap();
    let row = picture.cell(picture.find_cell(&cell(0)).unwrap()).unwrap();
    let board = Board::new(&picture, Rules::default());
    assert_eq!(board.choose(&SEED, &Wish::more(&picture, row, 3, &[])), [ProviderIndex(1)]);
}

#[test]
fn room_that_is_taken_is_taken() {
    let picture = picture(&[card(0, 1_000 << 20)]);
    let mut board = Board::new(&picture, Rules::default());
    let id = cell(0);
    let wish =
        |size| Wish { cell: &id, size, film: None, region: None, wanted: 1, beside: &[], unwanted: &[], alone: false };
    assert_eq!(board.choose(&SEED, &wish(951 << 20)), []);
    assert_eq!(board.choose(&SEED, &wish(950 << 20)), [ProviderIndex(0)]);
    board.take(ProviderIndex(0), 900 << 20);
    assert_eq!(board.choose(&SEED, &wish(51 << 20)), []);
    assert_eq!(board.choose(&SEED, &wish(50 << 20)), [ProviderIndex(0)]);
    board.take(ProviderIndex(0), 50 << 20);
    assert_eq!(board.choose(&SEED, &wish(0)), [], "nothing weighs nothing");
}

#[test]
fn another_seed_is_another_choice() {
    let picture = Rehearsal { providers: 300, cells: 0, ..Rehearsal::default() }.picture();
    let board = Board::new(&picture, Rules::default());
    let choose = |seed: u8, number| {
        let id = cell(number);
        let wish =
            Wish { cell: &id, size: 1, film: None, region: None, wanted: 3, beside: &[], unwanted: &[], alone: false };
        board.choose(&BlockHash([seed; 32]), &wish)
    };
    assert!((0..50).filter(|number| choose(1, *number) == choose(2, *number)).count() < 3);
    assert!((0..50).all(|number| choose(1, number) == choose(1, number)));
}

proptest! {
    #[test]
    fn whatever_the_network_no_rule_is_broken(providers in 1u32..60, wanted in 0usize..12, number in any::<u32>()) {
        let picture = Rehearsal { providers, cells: 0, ..Rehearsal::default() }.picture();
        let chosen = chosen(&picture, number, wanted);
        prop_assert!(chosen.len() <= wanted);
        let rows: Vec<&Provider> = chosen.iter().map(|index| picture.provider(*index).unwrap()).collect();
        for (at, row) in rows.iter().enumerate() {
            prop_assert!(rows[at + 1..].iter().all(|other| !row.shares_fate(other)));
            prop_assert!(row.free_bytes(5) >= 1 << 20);
        }
        if chosen.len() < wanted {
            let left = picture.providers().filter(|(index, _)| !chosen.contains(index));
            let able = left.filter(|(_, other)| rows.iter().all(|row| !row.shares_fate(other))).count();
            prop_assert_eq!(able, 0, "somebody was passed over");
        }
    }
}
