//! Who is named to whom, one by one and in a crowd.

use super::*;
use crate::{
    Event,
    rehearsal::{Rehearsal, cell, node},
};

const SEED: BlockHash = BlockHash([6; 32]);

fn viewer(number: u32) -> AccountAddress {
    let mut account = [0xff; 20];
    account[..4].copy_from_slice(&number.to_le_bytes());
    AccountAddress(account)
}

fn ask(cell: &CellId, number: u32, region: Region) -> Ask<'_> {
    Ask { viewer: viewer(number), region, cell, excluded: &[] }
}

fn picture(copies: usize) -> Picture {
    Rehearsal { providers: 200, cells: 60, copies, ..Rehearsal::default() }.picture()
}

fn holders(picture: &Picture, cell: &CellId) -> Vec<(NodeId, Region, u16)> {
    let row = picture.cell(picture.find_cell(cell).unwrap()).unwrap();
    let holders = row.holders().map(|index| picture.provider(index).unwrap());
    holders.map(|provider| (provider.node, provider.region, provider.slots)).collect()
}

fn sharer(number: u32, slots: u16) -> Sharer {
    let region = Region::UNKNOWN;
    Sharer { node: node(1_000_000 + number), account: viewer(number), region, slots, until_ms: 1_000 }
}

#[test]
fn the_seed_decides_and_not_the_asker() {
    let (picture, sources, film) = (picture(5), Sources::new(SourceRules::default()), cell(0));
    let name =
        |seed: u8, number| sources.name(0, &picture, &BlockHash([seed; 32]), &ask(&film, number, Region::UNKNOWN), 5);
    assert_eq!(name(1, 1), name(1, 1));
    assert_eq!(name(1, 1).len(), 5);
    let first: std::collections::HashSet<_> = (0..100).map(|seed| name(seed, 1)[0]).collect();
    assert_eq!(first.len(), 5, "each copy has its turn");
    assert!((0..100).any(|number| name(1, number)[0] != name(1, 0)[0]));
    let excluded = [name(1, 1)[0]];
    let wanted = Ask { excluded: &excluded, ..ask(&film, 1, Region::UNKNOWN) };
    assert_eq!(sources.name(0, &picture, &BlockHash([1; 32]), &wanted, 5), name(1, 1)[1..]);
    assert_eq!(sources.name(0, &picture, &SEED, &ask(&CellId([0; 32]), 1, Region::UNKNOWN), 5), []);
}

#[test]
fn the_near_and_the_free_come_first() {
    let (picture, film) = (picture(8), cell(0));
    let mut sources = Sources::new(SourceRules::default());
    let (near, region, slots) = holders(&picture, &film)[0];
    let share = |sources: &Sources, of: NodeId| {
        let first = (0..500).map(|number| sources.name(0, &picture, &SEED, &ask(&film, number, region), 1)[0]);
        first.filter(|named| *named == of).count()
    };
    let far: Vec<_> =
        holders(&picture, &film).into_iter().filter(|(_, place, _)| place.distance(&region) == Distance::Far).collect();
    assert!(share(&sources, near) > 10 * share(&sources, far[0].0).max(1));
    (0..slots).for_each(|_| sources.begun(near));
    assert_eq!(share(&sources, near), 0, "busy");
    sources.ended(&near);
    assert!(share(&sources, near) > 0);
    // All busy: somebody has to.
    for (holder, _, slots) in holders(&picture, &film) {
        (0..slots).for_each(|_| sources.begun(holder));
    }
    assert!(share(&sources, near) > 20);
}

#[test]
fn whoever_is_silent_suspended_or_the_viewer_himself_is_not_named() {
    let (mut picture, film) = (picture(3), cell(0));
    let sources = Sources::new(SourceRules::default());
    let all = holders(&picture, &film);
    picture.apply(0, &Event::Lost(all[0].0)).unwrap();
    picture.apply(0, &Event::Trusted { node: all[1].0, standing: crate::Standing::Suspended }).unwrap();
    assert_eq!(sources.name(0, &picture, &SEED, &ask(&film, 1, Region::UNKNOWN), 5), [all[2].0]);
    let account = picture.provider(picture.find_provider(&all[2].0).unwrap()).unwrap().account;
    let own = Ask { viewer: account, ..ask(&film, 1, Region::UNKNOWN) };
    assert_eq!(sources.name(0, &picture, &SEED, &own, 5), []);
}

#[test]
fn a_flash_crowd_is_carried_by_copies_and_viewers_together() {
    let (picture, film) = (picture(3), cell(0));
    let mut sources = Sources::new(SourceRules { sharers_per_cell: 1_000, ..SourceRules::default() });
    // Each minute half as many viewers more; who has the cell serves two.
    let (mut crowd, mut first, mut overfull) = (8u32, 0, 0);
    for minute in 0..10 {
        let mut served = Vec::new();
        for number in first..first + crowd {
            let named = sources.name(minute, &picture, &SEED, &ask(&film, number, Region::UNKNOWN), 1)[0];
            sources.begun(named);
            served.push(named);
        }
        for (holder, _, slots) in holders(&picture, &film) {
            overfull += u32::from(sources.loads.get(&holder).copied().unwrap_or_default() > slots);
        }
        served.iter().for_each(|named| sources.ended(named));
        (first..first + crowd).for_each(|number| sources.shared(film, sharer(number, 2)));
        first += crowd;
        crowd += crowd / 2;
    }
    assert_eq!((overfull, sources.loads.len()), (0, 0), "of {first} viewers");
    assert!(crowd > 300);
}

/// Lets a crowd be served by eight copies until three of four slots are taken, and answers the smallest and the largest part
/// of its slots that a source has taken, in percent.
fn crowd(seed: u8, first: impl Fn(&Sources, &Picture, &Ask<'_>, &BlockHash) -> NodeId) -> (u32, u32) {
    let (picture, film, seed) = (picture(8), cell(0), BlockHash([seed; 32]));
    let mut sources = Sources::new(SourceRules::default());
    let all = holders(&picture, &film);
    let slots: u32 = all.iter().map(|(_, _, slots)| u32::from(*slots)).sum();
    for number in 0..slots * 3 / 4 {
        let named = first(&sources, &picture, &ask(&film, number, Region::UNKNOWN), &seed);
        sources.begun(named);
    }
    let taken = all.iter().map(|(node, _, slots)| {
        u32::from(sources.loads.get(node).copied().unwrap_or_default()) * 100 / u32::from(*slots)
    });
    let taken: Vec<u32> = taken.collect();
    (*taken.iter().min().unwrap(), *taken.iter().max().unwrap())
}

#[test]
fn the_better_of_two_spreads_a_crowd_more_evenly_than_the_draw_alone() {
    let (mut drawn, mut balanced) = ((0, 0), (0, 0));
    for seed in 0..32 {
        // As it was: the earliest of the draw.
        let (least, most) = crowd(seed, |sources, picture, ask, seed| {
            let lot = Lot::new("chainflix 2026 source weighted draw v1", seed, &[&ask.viewer.0, &ask.cell.0]);
            let row = picture.cell(picture.find_cell(ask.cell).unwrap()).unwrap();
            let runners = row
                .holders()
                .map(|index| picture.provider(index).unwrap())
                .map(|provider| sources.runner(lot, provider.key, provider.node, provider.slots, Distance::Far));
            runners.min_by(|one, other| one.arrival.total_cmp(&other.arrival)).unwrap().node
        });
        drawn = (drawn.0 + least, drawn.1 + most);
        let (least, most) = crowd(seed, |sources, picture, ask, seed| sources.name(0, picture, seed, ask, 1)[0]);
        balanced = (balanced.0 + least, balanced.1 + most);
    }
    let spread = |(least, most): (u32, u32)| (most - least) / 32;
    // 56 to 92 % by the draw, 66 to 81 % by the better of two.
    assert!(spread(balanced) * 2 < spread(drawn), "{drawn:?} against {balanced:?}");
}

#[test]
fn the_better_of_two_is_still_the_seeds() {
    let (picture, film) = (picture(8), cell(0));
    let mut sources = Sources::new(SourceRules::default());
    let free = holders(&picture, &film)[0].0;
    holders(&picture, &film)[1..].iter().for_each(|(node, _, _)| sources.begun(*node));
    let name = |seed: u8| sources.name(0, &picture, &BlockHash([seed; 32]), &ask(&film, 1, Region::UNKNOWN), 8);
    let first = (0..=255).filter(|seed| name(*seed)[0] == free).count();
    // It comes first where it is drawn first or second.
    assert!((16..160).contains(&first), "the only idle one of eight is first {first} times of 256");
    let mut all = name(0);
    all.sort_unstable();
    let mut known: Vec<NodeId> = holders(&picture, &film).iter().map(|(node, _, _)| *node).collect();
    known.sort_unstable();
    assert_eq!(all, known, "nobody is left out");
}

#[test]
fn sharers_expire_and_are_bounded() {
    let (picture, film) = (picture(1), cell(0));
    let mut sources = Sources::new(SourceRules { sharers_per_cell: 3, sharers_max: 5, ..SourceRules::default() });
    (0..10).for_each(|number| sources.shared(film, sharer(number, 1)));
    let named =
        |sources: &Sources, now_ms| sources.name(now_ms, &picture, &SEED, &ask(&film, 99, Region::UNKNOWN), 99).len();
    assert_eq!((named(&sources, 999), named(&sources, 1_000)), (4, 1));
    (1..9).for_each(|other| sources.shared(cell(other), sharer(0, 1)));
    assert_eq!((sources.order.len(), sources.sharers.len(), named(&sources, 0)), (5, 5, 1));
    sources.shared(cell(8), sharer(0, 7));
    assert_eq!(sources.order.len(), 5, "said anew, not twice");
    assert_eq!(sources.sharers[&cell(8)][0].slots, 7);
}
