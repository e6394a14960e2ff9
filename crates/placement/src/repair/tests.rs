//! Repair's order, its bandwidth, and that it ends.

use super::*;
use crate::{
    Event, Standing, Wants,
    rehearsal::{Rehearsal, magnet, node},
};
use std::collections::BTreeMap;

const SEED: BlockHash = BlockHash([5; 32]);
const GIB: u64 = 1 << 30;

fn rehearsal() -> Rehearsal {
    Rehearsal { providers: 200, cells: 2_000, ..Rehearsal::default() }
}

/// Does what a plan says, at once.
fn carry_out(picture: &mut Picture, plan: &Plan) {
    for order in &plan.copies {
        let cells = vec![crate::Held { cell: order.cell, size: order.size }];
        picture.apply(0, &Event::Gained { node: order.to, cells }).unwrap();
    }
}

#[test]
fn the_most_endangered_come_first_and_all_are_mended() {
    let mut picture = rehearsal().picture();
    (0..20).for_each(|number| _ = picture.apply(0, &Event::Lost(node(number))).unwrap());
    let copies_of = |picture: &Picture, order: &CopyOrder| picture.lack(picture.find_cell(&order.cell).unwrap()).copies;
    let plan = Repair::new(RepairRules::unbounded()).plan(0, &picture, &SEED);
    let copies: Vec<u8> = plan.copies.iter().map(|order| copies_of(&picture, order)).collect();
    assert!(copies.is_sorted() && copies[0] < 2 && copies.last() == Some(&2), "{copies:?}");
    assert_eq!((plan.waiting, plan.homeless), (0, 0));
    for order in &plan.copies {
        let from = picture.provider(picture.find_provider(&order.from).unwrap()).unwrap();
        assert!(from.counts() && from.held().any(|cell| picture.cell(cell).unwrap().id == order.cell));
    }
    carry_out(&mut picture, &plan);
    // What nobody had is lost.
    assert_eq!(picture.short_count(), 0);
    assert_eq!(Repair::new(RepairRules::unbounded()).plan(0, &picture, &SEED), Plan::default());
}

#[test]
fn copies_never_meet_in_one_place() {
    let mut picture = rehearsal().picture();
    (0..40).for_each(|number| _ = picture.apply(0, &Event::Forgotten(node(number))).unwrap());
    let plan = Repair::new(RepairRules::unbounded()).plan(0, &picture, &SEED);
    carry_out(&mut picture, &plan);
    for order in &plan.copies {
        let row = picture.cell(picture.find_cell(&order.cell).unwrap()).unwrap();
        let holders: Vec<_> = row.holders().map(|index| picture.provider(index).unwrap()).collect();
        for (at, holder) in holders.iter().enumerate() {
            assert!(holders[at + 1..].iter().all(|other| !holder.shares_fate(other)));
        }
    }
}

#[test]
fn no_line_carries_more_than_its_rate() {
    let mut picture = rehearsal().picture();
    (0..30).for_each(|number| _ = picture.apply(0, &Event::Lost(node(number))).unwrap());
    let rules = RepairRules {
        source_bytes_per_s: 1 << 20,
        target_bytes_per_s: 4 << 20,
        total_bytes_per_s: 40_000_000,
        ..RepairRules::default()
    };
    let mut repair = Repair::new(rules);
    let mut carried: BTreeMap<(&str, NodeId), Vec<(u64, u64)>> = BTreeMap::new();
    let mut waited = 0;
    for now_ms in (0..600_000).step_by(60_000) {
        let plan = repair.plan(now_ms, &picture, &SEED);
        waited += plan.waiting;
        for order in &plan.copies {
            assert!((now_ms..now_ms + rules.window_ms).contains(&order.start_ms));
            for line in [("from", order.from), ("to", order.to), ("all", NodeId::default())] {
                carried.entry(line).or_default().push((order.start_ms, order.size.into()));
            }
        }
        carry_out(&mut picture, &plan);
    }
    assert!(waited > 0, "there was more to do than the lines carry");
    for ((line, _), mut copies) in carried {
        copies.sort_unstable();
        let (rate, slack) = match line {
            // One copy is passing when the next one comes.
            "from" => (rules.source_bytes_per_s, 0),
            "to" => (rules.target_bytes_per_s, 0),
            // It is counted by whole seconds, and one that has a byte left lets a whole cell begin.
            _ => (rules.total_bytes_per_s, 2 * rules.total_bytes_per_s),
        };
        for (at, (first_ms, _)) in copies.iter().enumerate() {
            let mut bytes = 0;
            for (start_ms, size) in &copies[at..] {
                // What began before this copy has passed by now.
                let passed = (start_ms - first_ms + 1) * rate / 1_000 + slack + if slack > 0 { 36 << 20 } else { 0 };
                assert!(bytes <= passed, "{line}: {bytes} of {passed} from {first_ms} to {start_ms}");
                bytes += size;
            }
        }
    }
}

#[test]
fn copies_go_where_they_are_wanted() {
    let mut picture = rehearsal().picture();
    let region: Region = "de-be".parse().unwrap();
    let wants = Wants { total: 0, regional: vec![(region, 6), ("is".parse().unwrap(), 2)] };
    picture.apply(0, &Event::Wanted { magnet: magnet(0), wants }).unwrap();
    let plan = Repair::new(RepairRules::unbounded()).plan(0, &picture, &SEED);
    carry_out(&mut picture, &plan);
    let film = picture.find_film(&magnet(0)).unwrap();
    for cell in picture.cells_of(film) {
        let regions = picture.cell(cell).unwrap().holders().map(|index| picture.provider(index).unwrap().region);
        assert!(regions.filter(|place| *place == region).count() >= 6);
        let lack = picture.lack(cell);
        assert_eq!((lack.anywhere, lack.regional.len()), (0, 1), "nobody is in Iceland; the copies are elsewhere");
    }
    let again = Repair::new(RepairRules::unbounded()).plan(0, &picture, &SEED);
    assert_eq!(again.copies, [], "and are not made again and again");
}

#[test]
fn who_leaves_hands_over_and_who_is_suspended_is_the_last_resort() {
    let mut picture = rehearsal().picture();
    picture.apply(0, &Event::Trusted { node: node(3), standing: Standing::Leaving }).unwrap();
    let plan = Repair::new(RepairRules::unbounded()).plan(0, &picture, &SEED);
    let held = picture.provider(picture.find_provider(&node(3)).unwrap()).unwrap().held().len();
    assert_eq!(plan.copies.len(), held);
    assert!(plan.copies.iter().all(|order| order.to != node(3) && order.from != node(3)), "others are less busy");
    let row = plan.copies[0].cell;
    let holders: Vec<NodeId> = picture
        .cell(picture.find_cell(&row).unwrap())
        .unwrap()
        .holders()
        .map(|index| picture.provider(index).unwrap().node)
        .collect();
    for holder in holders {
        picture.apply(0, &Event::Trusted { node: holder, standing: Standing::Suspended }).unwrap();
    }
    let plan = Repair::new(RepairRules::unbounded()).plan(0, &picture, &SEED);
    assert_eq!(plan.copies.iter().filter(|order| order.cell == row).count(), 3, "its bytes prove themselves");
}

#[test]
fn a_network_without_room_says_so() {
    let mut picture = Rehearsal { providers: 6, cells: 4, copies: 1, ..Rehearsal::default() }.picture();
    for number in 0..6 {
        let room = Event::Room { node: node(number), quota_bytes: GIB, used_bytes: GIB };
        picture.apply(0, &room).unwrap();
    }
    let plan = Repair::new(RepairRules::unbounded()).plan(0, &picture, &SEED);
    assert_eq!((plan.copies.len(), plan.homeless), (0, 8));
}

#[test]
fn a_cell_is_mended_after_its_grace() {
    let mut picture = rehearsal().picture();
    picture.apply(1_000, &Event::Lost(node(3))).unwrap();
    let short = picture.short_count();
    let mut repair = Repair::new(RepairRules { grace_ms: 500, ..RepairRules::unbounded() });
    let plan = repair.plan(1_499, &picture, &SEED);
    assert_eq!((plan.copies.len(), plan.waiting), (0, short as u64));
    picture.apply(1_400, &Event::Lost(node(4))).unwrap();
    let cells: std::collections::BTreeSet<_> =
        repair.plan(1_500, &picture, &SEED).copies.iter().map(|order| order.cell).collect();
    assert_eq!(cells.len(), short, "those of the second one are younger");
    assert!(cells.iter().all(|cell| picture.short_since(picture.find_cell(cell).unwrap()) == Some(1_000)));
    picture.apply(1_600, &Event::Back(node(3))).unwrap();
    picture.apply(1_700, &Event::Lost(node(3))).unwrap();
    let again = repair.plan(2_000, &picture, &SEED);
    assert!(again.waiting > 0, "it was well in between: {}", again.waiting);
}
