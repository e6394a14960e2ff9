//! A picture against a plain model of it, and its bounds.

use super::{rows::NO_FILM, *};
use crate::rehearsal::{Rehearsal, cell, magnet, node};
use crate::{Held, Region, Standing, Wants};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn small() -> Rehearsal {
    Rehearsal { providers: 8, cells: 12, cells_per_film: 4, copies: 2, ..Rehearsal::default() }
}

fn held(number: u32) -> Held {
    small().held(number)
}

fn apply(picture: &mut Picture, events: impl IntoIterator<Item = Event>) {
    for event in events {
        picture.apply(0, &event).unwrap();
    }
}

fn lacking(picture: &Picture, number: u32) -> Lack {
    picture.lack(picture.find_cell(&cell(number)).unwrap())
}

/// An empty disk for each provider of a small rehearsal, and its films.
fn stage() -> Picture {
    let rehearsal = small();
    let mut picture = Picture::new(PictureConfig { stray_floor: 2, ..PictureConfig::default() });
    apply(&mut picture, rehearsal.events().filter(|event| !matches!(event, Event::Gained { .. })));
    picture
}

#[test]
fn copies_count_while_their_holder_is_there_and_trusted() {
    let mut picture = stage();
    apply(&mut picture, [0, 2, 4].map(|to| Event::Gained { node: node(to), cells: vec![held(1)] }));
    assert_eq!((lacking(&picture, 1).copies, picture.short_count()), (3, 0));
    apply(&mut picture, [Event::Lost(node(0))]);
    assert_eq!((lacking(&picture, 1).copies, lacking(&picture, 1).anywhere, picture.short_count()), (2, 1, 1));
    apply(&mut picture, [Event::Trusted { node: node(2), standing: Standing::Suspended }]);
    apply(&mut picture, [Event::Trusted { node: node(4), standing: Standing::Leaving }]);
    assert_eq!((lacking(&picture, 1).copies, picture.short_count()), (0, 1), "two are there to copy from");
    apply(&mut picture, [Event::Forgotten(node(2)), Event::Lost(node(4))]);
    assert_eq!(picture.short_count(), 0, "nobody has it: there is nothing to copy");
    apply(&mut picture, [Event::Back(node(0))]);
    assert_eq!((lacking(&picture, 1).copies, lacking(&picture, 1).anywhere), (1, 2));
}

#[test]
fn who_rests_counts_and_is_left_in_peace() {
    let mut picture = stage();
    apply(&mut picture, [0, 2].map(|to| Event::Gained { node: node(to), cells: vec![held(1)] }));
    apply(&mut picture, [Event::Resting { node: node(0), resting: true }]);
    let provider = |picture: &Picture, number| picture.find_provider(&node(number)).unwrap();
    let serves = |picture: &Picture, number| picture.provider(provider(picture, number)).unwrap().serves();
    assert_eq!((lacking(&picture, 1).copies, serves(&picture, 0), serves(&picture, 2)), (2, false, true));
    let others: Vec<Event> = (0..picture.providers().count() as u32).map(|number| Event::Lost(node(number))).collect();
    apply(&mut picture, others);
    apply(&mut picture, [Event::Back(node(0))]);
    let board = crate::choose::Board::new(&picture, crate::choose::Rules::default());
    let other = cell(2);
    let wish = crate::choose::Wish {
        cell: &other,
        size: 1,
        film: None,
        region: None,
        wanted: 1,
        beside: &[],
        unwanted: &[],
        alone: false,
    };
    let seed = chainflix_primitives::BlockHash([1; 32]);
    assert_eq!(board.choose(&seed, &wish), [], "nothing is stored there");
    apply(&mut picture, [Event::Resting { node: node(0), resting: false }]);
    let board = crate::choose::Board::new(&picture, crate::choose::Rules::default());
    assert_eq!(board.choose(&seed, &wish), [provider(&picture, 0)]);
}

#[test]
fn what_is_on_its_way_is_not_there_yet() {
    let mut picture = stage();
    apply(&mut picture, [Event::Gained { node: node(0), cells: vec![held(1)] }]);
    apply(&mut picture, [2, 4].map(|to| Event::Coming { node: node(to), cell: held(1) }));
    assert_eq!((picture.short_count(), picture.wanting_count()), (0, 1));
    apply(&mut picture, [2, 4].map(|to| Event::Gained { node: node(to), cells: vec![held(1)] }));
    assert_eq!((picture.short_count(), picture.wanting_count()), (0, 0));
}

#[test]
fn a_cell_on_its_way_takes_room_and_is_not_asked_for_again() {
    let mut picture = stage();
    apply(&mut picture, [Event::Gained { node: node(0), cells: vec![held(1)] }]);
    let coming = |to| Event::Coming { node: node(to), cell: held(1) };
    apply(&mut picture, [coming(2), coming(2), coming(4)]);
    let promised =
        |picture: &Picture, to| picture.provider(picture.find_provider(&node(to)).unwrap()).unwrap().promised_bytes;
    assert_eq!((picture.short_count(), promised(&picture, 2)), (0, u64::from(held(1).size)));
    apply(&mut picture, [Event::Lost(node(4))]);
    assert_eq!(lacking(&picture, 1).anywhere, 1, "it will not arrive there");
    apply(&mut picture, [Event::Gained { node: node(2), cells: vec![held(1)] }]);
    apply(&mut picture, [Event::Ended { node: node(2), cell: cell(1) }, Event::Forgotten(node(4))]);
    assert_eq!((lacking(&picture, 1).copies, lacking(&picture, 1).anywhere, promised(&picture, 2)), (2, 1, 0));
}

#[test]
fn regions_want_copies_of_their_own() {
    let mut picture = stage();
    apply(&mut picture, [0, 2, 4].map(|to| Event::Gained { node: node(to), cells: vec![held(1)] }));
    let place = |to: u32| small().card(to).region;
    let elsewhere: Region = "is".parse().unwrap();
    let there = [0, 2, 4].iter().filter(|to| place(**to) == place(0)).count() as u8;
    let wants = Wants { total: 0, regional: vec![(place(0), there + 1), (elsewhere, 1)] };
    apply(&mut picture, [Event::Wanted { magnet: magnet(0), wants }]);
    let lack = lacking(&picture, 1);
    assert_eq!(lack.regional.as_slice(), [(place(0), 1), (elsewhere, 1)]);
    assert_eq!(picture.find_film(&magnet(0)).unwrap().wants.total, 3.max(there + 2), "the floor, or all regions");
    assert_eq!(
        picture.apply(0, &Event::Wanted { magnet: magnet(99), wants: Wants::default() }),
        Err(PictureError::UnknownFilm(magnet(99)))
    );
}

#[test]
fn strays_are_few_and_become_cells_of_a_film() {
    let config = PictureConfig { strays_max: 2, stray_floor: 2, ..PictureConfig::default() };
    let mut picture = Picture::new(config);
    apply(&mut picture, [0, 2].map(|to| Event::Seen(small().card(to))));
    let cells = [1, 2, 3].map(held).to_vec();
    assert_eq!(picture.apply(0, &Event::Gained { node: node(0), cells }), Ok(1), "one has no place");
    assert_eq!((picture.cell_count(), picture.short_count()), (2, 2));
    let film = Event::Film {
        magnet: magnet(0),
        home: Region::UNKNOWN,
        countries: vec![],
        cells: [1, 2, 3, 0].map(held).to_vec(),
    };
    apply(&mut picture, [film]);
    assert_eq!(picture.apply(0, &Event::Gained { node: node(0), cells: [3, 8, 9, 10].map(held).to_vec() }), Ok(1));
    apply(&mut picture, [Event::Dropped { node: node(0), cells: [3, 8, 9].map(cell).to_vec() }]);
    assert_eq!((picture.find_cell(&cell(8)), picture.find_cell(&cell(3)).is_some()), (None, true));
    assert_eq!(picture.apply(0, &Event::Gained { node: node(2), cells: [10, 11].map(held).to_vec() }), Ok(0));
}

#[test]
fn full_tables_refuse() {
    let config =
        PictureConfig { providers_max: 1, cells_max: 5, films_max: 1, held_max: 2, ..PictureConfig::default() };
    let mut picture = Picture::new(config);
    apply(&mut picture, [Event::Seen(small().card(0)), Event::Seen(small().card(0))]);
    let full = |what, most| Err(PictureError::Full { what, most });
    assert_eq!(picture.apply(0, &Event::Seen(small().card(1))), full("providers", 1));
    assert_eq!(picture.apply(0, &Event::Lost(node(1))), Err(PictureError::UnknownProvider(node(1))));
    let film = |number, cells: &[u32]| Event::Film {
        magnet: magnet(number),
        home: Region::UNKNOWN,
        countries: vec![],
        cells: cells.iter().copied().map(held).collect(),
    };
    assert_eq!(picture.apply(0, &film(0, &[0, 1, 2, 3, 4, 5])), full("cells", 5));
    assert_eq!(picture.apply(0, &film(0, &[0, 1, 2])), Ok(0));
    assert_eq!(picture.apply(0, &film(1, &[3])), full("films", 1));
    let inventory = Event::Gained { node: node(0), cells: [0, 1, 2].map(held).to_vec() };
    assert_eq!(picture.apply(0, &inventory), Ok(1), "two on one disk");
}

#[test]
fn a_million_words_of_one_provider_leave_one_row_within_its_bounds() {
    let config = PictureConfig { providers_max: 2, cells_max: 500, held_max: 100, ..PictureConfig::default() };
    let mut picture = Picture::new(config);
    let mut card = small().card(0);
    for number in 0..1_000_000 {
        card.quota_bytes = number;
        picture.apply(number, &Event::Seen(card.clone())).unwrap();
    }
    let placed = |number| picture.apply(0, &Event::Gained { node: node(0), cells: vec![held(number)] });
    let refused = (0..10_000).map(placed).filter(|placed| *placed != Ok(0)).count();
    let provider = picture.provider(picture.find_provider(&node(0)).unwrap()).unwrap();
    assert_eq!((picture.providers().count(), provider.quota_bytes), (1, 999_999));
    assert!(provider.held.len() <= 100 && picture.cell_count() <= 500, "{refused} were refused");
    assert!(refused >= 9_900);
}

/// What a picture is told in a property test.
fn step() -> impl Strategy<Value = Event> {
    let provider = || (0u32..6).prop_map(node);
    let cells = || prop::collection::vec(0u32..12, 0..6);
    prop_oneof![
        (0u32..6).prop_map(|number| Event::Seen(small().card(number))),
        provider().prop_map(Event::Lost),
        provider().prop_map(Event::Silent),
        provider().prop_map(Event::Back),
        provider().prop_map(Event::Forgotten),
        (provider(), any::<bool>()).prop_map(|(node, leaving)| {
            Event::Trusted { node, standing: if leaving { Standing::Leaving } else { Standing::Vetted } }
        }),
        (provider(), cells())
            .prop_map(|(node, cells)| Event::Gained { node, cells: cells.into_iter().map(held).collect() }),
        (provider(), cells())
            .prop_map(|(node, cells)| Event::Dropped { node, cells: cells.into_iter().map(cell).collect() }),
        (provider(), 0u32..12).prop_map(|(node, number)| Event::Coming { node, cell: held(number) }),
        (provider(), 0u32..12).prop_map(|(node, number)| Event::Ended { node, cell: cell(number) }),
        (0u32..3, 0u8..6).prop_map(|(film, total)| {
            Event::Wanted { magnet: magnet(film), wants: Wants { total, regional: vec![] } }
        }),
        (0u32..3).prop_map(|film| Event::Film {
            magnet: magnet(film),
            home: Region::UNKNOWN,
            countries: vec![],
            cells: (film * 4..film * 4 + 4).map(held).collect(),
        }),
    ]
}

proptest! {
    /// The lists that are kept up event by event are those that a look at everything finds.
    #[test]
    fn lists_are_always_true(steps in prop::collection::vec(step(), 0..120)) {
        let mut picture = Picture::new(PictureConfig { stray_floor: 2, ..PictureConfig::default() });
        for (now_ms, event) in steps.iter().enumerate() {
            let _unknown = picture.apply(now_ms as u64, event);
        }
        let rows: BTreeMap<CellIndex, Lack> =
            (0..picture.cell_span()).map(CellIndex).filter(|cell| picture.cell(*cell).is_some()).map(|cell| (cell, picture.lack(cell))).collect();
        let short: BTreeSet<CellIndex> = rows.iter().filter(|(_, lack)| lack.is_short()).map(|(cell, _)| *cell).collect();
        prop_assert_eq!(picture.short().collect::<BTreeSet<_>>(), short);
        let surplus: BTreeSet<CellIndex> = rows.iter().filter(|(_, lack)| lack.surplus > 0).map(|(cell, _)| *cell).collect();
        prop_assert_eq!(picture.surplus().map(|(cell, _)| cell).collect::<BTreeSet<_>>(), surplus);
        for (index, provider) in picture.providers() {
            prop_assert!(provider.held.is_sorted_by(|one, next| one < next));
            for cell in provider.held() {
                prop_assert!(picture.cell(cell).unwrap().holders().any(|holder| holder == index));
            }
            let coming = picture.coming.values().flatten().filter(|(to, _)| *to == index.0);
            let (count, bytes) = coming.fold((0, 0), |(count, sum), (_, bytes)| (count + 1, sum + u64::from(*bytes)));
            prop_assert_eq!((provider.coming, provider.promised_bytes), (count, bytes));
        }
        for cell in rows.keys() {
            for holder in picture.cell(*cell).unwrap().holders() {
                prop_assert!(picture.provider(holder).unwrap().held.contains(&cell.0));
            }
        }
        let strays = rows.keys().filter(|cell| picture.cell(**cell).unwrap().film == NO_FILM).count();
        prop_assert_eq!(picture.strays, strays);
    }
}
