//! What counts while somebody is silent, and that nothing is moved for it.

use super::*;
use crate::{
    Event, Picture, Standing, Wants,
    rehearsal::{Rehearsal, cell, magnet, node},
    repair::{CopyOrder, Repair, RepairRules},
    trim::{self, TrimRules},
};
use chainflix_primitives::{BlockHash, NodeId};
use std::collections::BTreeSet;

const DAY_MS: u64 = 86_400_000;

#[test]
fn silence_is_first_a_pause_and_then_a_loss() {
    let rules = PatienceRules::default();
    let (silent_ms, lost_ms) = (rules.silent_after_ms, rules.lost_after_ms);
    let means = [0, silent_ms, silent_ms + 1, lost_ms, lost_ms + 1].map(|silent_ms| rules.silence(silent_ms));
    assert_eq!(means, [Silence::Heard, Silence::Heard, Silence::Silent, Silence::Silent, Silence::Lost]);
    let none = PatienceRules::none(600);
    assert_eq!([600, 601].map(|silent_ms| none.silence(silent_ms)), [Silence::Heard, Silence::Lost]);
}

#[test]
fn the_silent_count_for_the_floor_while_two_others_are_heard() {
    let missing = |heard, silent| PatienceRules::default().missing(3, 3, heard, silent);
    assert_eq!([missing(3, 0), missing(2, 1), missing(2, 5)], [0; 3]);
    assert_eq!(missing(2, 0), 1, "the third is lost");
    assert_eq!([missing(1, 2), missing(1, 9)], [1; 2], "one is heard: nobody relies on the others");
    assert_eq!([missing(1, 1), missing(1, 0)], [1, 2]);
}

#[test]
fn what_viewers_need_is_heard_and_a_small_floor_has_no_patience() {
    let missing = |wanted, floor, heard, silent| PatienceRules::default().missing(wanted, floor, heard, silent);
    assert_eq!(missing(10, 3, 8, 2), 2);
    assert_eq!([missing(2, 2, 1, 1), missing(1, 1, 0, 1), missing(0, 0, 0, 0)], [1, 1, 0]);
}

/// A film of three copies of each cell, on many disks.
fn network() -> Picture {
    Rehearsal { providers: 200, cells: 600, ..Rehearsal::default() }.picture()
}

fn tell(picture: &mut Picture, now_ms: u64, events: impl IntoIterator<Item = Event>) {
    events.into_iter().for_each(|event| _ = picture.apply(now_ms, &event).unwrap());
}

/// Who holds a cell, in the order of the numbers.
fn holders(picture: &Picture, number: u32) -> Vec<NodeId> {
    let row = picture.cell(picture.find_cell(&cell(number)).unwrap()).unwrap();
    row.holders().map(|index| picture.provider(index).unwrap().node).collect()
}

fn held(picture: &Picture, node: &NodeId) -> usize {
    picture.provider(picture.find_provider(node).unwrap()).unwrap().held().len()
}

/// What repair orders, on lines without end.
fn orders(picture: &Picture, now_ms: u64) -> Vec<CopyOrder> {
    Repair::new(RepairRules::unbounded()).plan(now_ms, picture, &BlockHash([4; 32])).copies
}

fn carry_out(picture: &mut Picture, now_ms: u64, orders: &[CopyOrder]) {
    let gained = |order: &CopyOrder| Event::Gained {
        node: order.to,
        cells: vec![crate::Held { cell: order.cell, size: order.size }],
    };
    tell(picture, now_ms, orders.iter().map(gained));
}

#[test]
fn who_is_back_in_time_has_moved_nothing() {
    let mut picture = network();
    let silent = holders(&picture, 0)[0];
    tell(&mut picture, 0, [Event::Silent(silent)]);
    let provider = picture.provider(picture.find_provider(&silent).unwrap()).unwrap();
    assert!(!provider.serves() && !provider.counts() && held(&picture, &silent) > 3);
    assert_eq!((picture.short_count(), orders(&picture, 0)), (0, vec![]));
    tell(&mut picture, 1, [Event::Back(silent)]);
    assert_eq!((picture.short_count(), picture.surplus().count()), (0, 0));
}

#[test]
fn who_is_back_too_late_finds_its_copies_made_and_they_are_trimmed_after_the_delay() {
    let mut picture = network();
    let lost = holders(&picture, 0)[0];
    let cells = held(&picture, &lost);
    tell(&mut picture, 0, [Event::Silent(lost), Event::Lost(lost), Event::Silent(lost)]);
    let copies = orders(&picture, 0);
    assert_eq!(copies.len(), cells, "to be silent once more is no excuse");
    carry_out(&mut picture, 0, &copies);
    tell(&mut picture, DAY_MS, [Event::Back(lost)]);
    let trimmed = |now_ms| trim::plan(now_ms, &picture, &TrimRules::default()).len();
    assert_eq!((trimmed(2 * DAY_MS - 1), trimmed(2 * DAY_MS)), (0, cells));
}

#[test]
fn with_one_copy_that_is_heard_a_cell_does_not_wait() {
    let mut picture = network();
    let silent = &holders(&picture, 0)[..2];
    tell(&mut picture, 0, silent.iter().copied().map(Event::Silent));
    let copies = orders(&picture, 0);
    let [first, second] = [silent[0], silent[1]].map(|node| {
        let provider = picture.provider(picture.find_provider(&node).unwrap()).unwrap();
        provider.held().map(|index| picture.cell(index).unwrap().id).collect::<BTreeSet<_>>()
    });
    let both: Vec<_> = first.intersection(&second).copied().collect();
    assert_eq!(copies.iter().map(|order| order.cell).collect::<BTreeSet<_>>(), both.iter().copied().collect());
    assert_eq!(copies.len(), both.len(), "one copy each, up to two that are heard");
    assert!(copies.iter().all(|order| !silent.contains(&order.from) && !silent.contains(&order.to)));
    carry_out(&mut picture, 0, &copies);
    assert_eq!(picture.short_count(), 0);
    // All are back: four copies, of which one is too many.
    tell(&mut picture, 1, silent.iter().copied().map(Event::Back));
    assert_eq!(picture.surplus().count(), both.len());
}

#[test]
fn the_endangered_come_before_those_that_have_silent_copies() {
    let mut picture = network();
    let [first, second, third] = [0, 1, 2].map(|number| holders(&picture, number));
    tell(&mut picture, 0, first[..2].iter().copied().map(Event::Silent));
    tell(&mut picture, 0, second[..2].iter().copied().map(Event::Lost));
    tell(&mut picture, 0, [Event::Lost(third[0])]);
    let order = orders(&picture, 0);
    let at = |number| order.iter().position(|order| order.cell == cell(number)).unwrap();
    assert!(at(1) < at(2) && at(2) < at(0), "one left, two left, and one that is heard of three");
}

#[test]
fn viewers_are_served_by_who_is_heard() {
    let mut picture = network();
    tell(&mut picture, 0, [Event::Wanted { magnet: magnet(0), wants: Wants { total: 5, regional: vec![] } }]);
    let copies = orders(&picture, 0);
    carry_out(&mut picture, 0, &copies);
    let of_film = |order: &CopyOrder| (0..60).any(|number| order.cell == cell(number));
    assert!(copies.iter().all(of_film) && orders(&picture, 1).is_empty());
    let silent = holders(&picture, 0)[0];
    tell(&mut picture, 1, [Event::Silent(silent)]);
    let topped_up = orders(&picture, 1);
    assert!(!topped_up.is_empty() && topped_up.iter().all(of_film), "other films have what they need");
}

#[test]
fn what_is_no_silence_does_not_wait() {
    let gone = |event: fn(NodeId) -> Event| {
        let mut picture = network();
        let holder = holders(&picture, 0)[0];
        tell(&mut picture, 0, [event(holder)]);
        orders(&picture, 0).iter().any(|order| order.cell == cell(0))
    };
    assert!(gone(|node| Event::Dropped { node, cells: vec![cell(0)] }), "it said so, or an audit found out");
    assert!(gone(|node| Event::Trusted { node, standing: Standing::Leaving }));
    assert!(gone(|node| Event::Trusted { node, standing: Standing::Suspended }));
    assert!(gone(Event::Forgotten) && !gone(Event::Silent));
    let mut picture = network();
    let silent = node(3);
    tell(&mut picture, 0, [Event::Silent(silent), Event::Trusted { node: silent, standing: Standing::Suspended }]);
    assert_eq!(orders(&picture, 0).len(), held(&picture, &silent), "nobody waits for whom nobody trusts");
}
