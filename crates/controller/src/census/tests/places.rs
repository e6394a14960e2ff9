//! Where copies go and how many there are: networks, regions, demand, newcomers, turns of several controllers.

use super::*;
use chainflix_placement::trim::DropOrder;

#[test]
fn two_disks_in_one_network_are_one_place_and_two_in_one_house_range_are_not() {
    let mut census = census();
    for (number, address) in [(1, "192.168.0.1"), (2, "192.168.0.2")] {
        enter(&mut census, number, &[], 0);
        census.located(&node(number), [address.parse().unwrap()].into_iter(), 0);
    }
    assert_eq!(place(&mut census, 1, SIZE, &[]).targets.len(), 2, "there is such a network in every house");
    for number in [1, 2] {
        let public = format!("8.8.8.{number}").parse().unwrap();
        census.located(&node(number), [public, "127.0.0.1".parse().unwrap()].into_iter(), 0);
    }
    assert_eq!(place(&mut census, 2, SIZE, &[]).targets.len(), 1);
    enter(&mut census, 3, &[], 0);
    census.located(&node(3), ["2a00::1".parse().unwrap()].into_iter(), 0);
    assert_eq!(place(&mut census, 3, SIZE, &[]).targets.len(), 2);
    for (address, public) in [("100.64.0.1", false), ("fe80::1", false), ("203.0.113.9", false), ("1.1.1.1", true)] {
        assert_eq!(is_public(&address.parse().unwrap()), public, "{address}");
    }
}

#[test]
fn a_region_with_a_copy_comes_after_others() {
    let mut census = census();
    for (number, region) in [(1, "KR"), (2, "kr"), (3, "de-be"), (4, "next to the river")] {
        let mut words = announcement(number, 1, 100 * SIZE);
        let key = AccountKey::from_bytes(&[number; 32]).unwrap();
        words.card = Signed::new(ProviderCard { region: region.into(), ..words.card.body }, &key);
        census.announce(words, 0).unwrap();
        census.page(&node(number), page(1, &[], true), 0).unwrap();
    }
    for number in 1..40 {
        let targets = place(&mut census, number, 1, &[]).targets;
        assert!(!(targets.contains(&node(1)) && targets.contains(&node(2))), "two in Korea: {targets:?}");
        assert_eq!(targets.len(), 2);
    }
}

#[test]
fn demand_raises_copies_and_what_nobody_watches_goes_after_a_day() {
    let mut census = census_with_film(1, trusting);
    (1..=6).for_each(|number| enter(&mut census, number, if number < 3 { &[1] } else { &[] }, 0));
    assert_eq!(copies(&mut census, 1), []);
    for viewer in 0..22 {
        census.served(&node(1), FILM, &cell(1), AccountAddress([viewer; 20]), 100_000);
    }
    census.tick(100_001);
    let ordered = copies(&mut census, 100_001);
    assert_eq!(ordered.len(), 3, "22 viewers want five copies");
    ordered.iter().for_each(|(_, _, to)| census.stored(to, held_cell(1), 100_001));
    assert_eq!((sources(&census, 1).len(), copies(&mut census, 100_002)), (5, vec![]));
    // Nobody comes any more. Forecast, falling target and deletion each have their delay.
    let mut fell_ms = None;
    for minute in 3..3_000 {
        let now_ms = minute * 60_000;
        census.tick(now_ms);
        let drops = census.orders(now_ms, &SEED, 10, 0).drops;
        if !drops.is_empty() && fell_ms.is_none() {
            fell_ms = Some(now_ms);
        }
        for drop in drops {
            assert!(census.may_drop(&drop, now_ms));
            census.lost(&drop.node, &drop.cell, now_ms);
        }
    }
    assert!(fell_ms.is_some_and(|fell_ms| fell_ms > DAY_MS + 4 * 3_600_000), "{fell_ms:?}");
    assert_eq!(
        (sources(&census, 1).len(), census.may_drop(&DropOrder { cell: cell(1), node: node(1) }, 0)),
        (2, false),
        "the floor"
    );
}

#[test]
fn newcomers_are_given_cells_of_films_up_to_their_part() {
    let mut census = census_with_film(3, |config| config.newcomer_percent = 2);
    (1..=3).for_each(|number| enter(&mut census, number, if number < 3 { &[1, 2, 3, 4] } else { &[] }, 0));
    let mut given = Vec::new();
    for now_ms in 1..20 {
        for (cell, _, to) in copies(&mut census, now_ms) {
            given.push((cell, to));
            census.stored(&to, HeldCell { cell, size: SIZE }, now_ms);
        }
    }
    assert_eq!(given.len(), 2, "two of a hundred cells that it has room for");
    assert!(given.iter().all(|(gift, to)| *to == node(3) && *gift != cell(4)), "no film has cell 4");
    let mut census = census_with_film(3, |config| config.newcomer_percent = 0);
    (1..=3).for_each(|number| enter(&mut census, number, if number < 3 { &[1, 2, 3] } else { &[] }, 0));
    assert_eq!(copies(&mut census, 1), []);
}

#[test]
fn two_controllers_that_heard_the_same_order_the_same_and_delete_in_turns() {
    let told = |order: &mut dyn Iterator<Item = u8>, mine| {
        let mut census = census_with_film(6, |config| {
            trusting(config);
            config.newcomer_percent = 0;
            config.turns = Turns::new(mine, 2).unwrap();
        });
        for number in order {
            // Cells 1 to 3 are short of one copy, cells 4 to 6 have one too many.
            let cells: &[u8] = match number {
                1 => &[1, 2, 3, 4, 5, 6],
                2 | 3 => &[4, 5, 6],
                _ => &[],
            };
            enter(&mut census, number, cells, 0);
        }
        census
    };
    let (mut first, mut second) = (told(&mut (1..=8), 0), told(&mut (1..=8).rev(), 1));
    let targets = |census: &mut Census| {
        let mut ordered: Vec<_> = copies(census, 1).into_iter().map(|(cell, _, to)| (cell, to)).collect();
        ordered.sort_unstable();
        ordered
    };
    let ordered = targets(&mut first);
    assert_eq!((ordered.len(), &ordered), (3, &targets(&mut second)));
    let turn_ms = 600_000;
    let at_ms = 2 * DAY_MS / (2 * turn_ms) * (2 * turn_ms);
    let drops = |census: &mut Census, now_ms| census.orders(now_ms, &SEED, 0, 0).drops;
    let mut both = [drops(&mut first, at_ms), drops(&mut second, at_ms + turn_ms)];
    assert_eq!(both[0].len(), 3);
    assert!(!second.may_drop(&both[0][0], at_ms));
    both.iter_mut().for_each(|drops| drops.sort_by_key(|drop| drop.cell));
    assert_eq!(both[0], both[1], "and they would delete the same");
    assert_eq!((drops(&mut second, at_ms), drops(&mut first, at_ms + turn_ms)), (vec![], vec![]));
    assert_eq!(drops(&mut first, at_ms + turn_ms - 1), [], "time to hear of it");
}
