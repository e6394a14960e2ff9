//! A film from copies to stripes and back, and what losses do to it on the way.

use super::*;
use crate::{
    Event, Standing, Wants,
    rehearsal::{Rehearsal, cell, magnet, node},
    repair::{RebuildOrder, Repair, RepairRules},
    trim::{self, TrimRules},
};
use chainflix_primitives::{BlockHash, CellId, NodeId};
use proptest::prelude::*;

const SEED: BlockHash = BlockHash([5; 32]);
const DAY_MS: u64 = 86_400_000;

fn rehearsal() -> Rehearsal {
    Rehearsal { providers: 80, cells: 4, cells_per_film: 4, copies: 3, ..Rehearsal::default() }
}

fn unbounded() -> Repair {
    Repair::new(RepairRules::unbounded())
}

fn tell(picture: &mut Picture, event: Event) {
    picture.apply(0, &event).unwrap();
}

fn turn(picture: &mut Picture, coded: bool) {
    tell(picture, Event::Coded { magnet: magnet(0), coded });
}

fn want(picture: &mut Picture, total: u8) {
    tell(picture, Event::Wanted { magnet: magnet(0), wants: Wants { total, regional: vec![] } });
}

fn state(picture: &Picture) -> StripeState {
    picture.stripe(StripeIndex(0, 0)).unwrap()
}

fn keepers(picture: &Picture) -> Vec<&Provider> {
    let keepers = state(picture).pieces.into_iter().filter_map(|piece| piece.keeper);
    keepers.map(|keeper| picture.provider(keeper).unwrap()).collect()
}

/// Mends what is to be mended, at once.
fn mend(picture: &mut Picture) -> Vec<RebuildOrder> {
    let orders = unbounded().plan_stripes(0, picture, &SEED, 9, true);
    for piece in orders.iter().flat_map(|order| &order.to) {
        let cells = vec![Held { cell: piece.cell, size: piece.size }];
        tell(picture, Event::Gained { node: piece.node, cells });
    }
    orders
}

/// Makes the copies that are to be made, at once.
fn copy(picture: &mut Picture) -> usize {
    let plan = unbounded().plan(0, picture, &SEED);
    for order in &plan.copies {
        tell(picture, Event::Gained { node: order.to, cells: vec![Held { cell: order.cell, size: order.size }] });
    }
    plan.copies.len()
}

/// Deletes what is to be deleted, at once.
fn delete(picture: &mut Picture) -> usize {
    let drops = trim::plan(2 * DAY_MS, picture, &TrimRules::default());
    let mut deleted = 0;
    for order in drops {
        if trim::is_superfluous(picture, &order) {
            tell(picture, Event::Dropped { node: order.node, cells: vec![order.cell] });
            deleted += 1;
        }
    }
    deleted
}

/// A stripe of ten pieces at ten providers.
fn whole() -> Picture {
    let mut picture = rehearsal().picture();
    turn(&mut picture, true);
    assert_eq!(mend(&mut picture).len(), 1);
    assert_eq!(delete(&mut picture), 8);
    picture
}

fn lose(picture: &mut Picture, number: usize) -> NodeId {
    let keeper = state(picture).pieces[number].keeper.unwrap();
    let node = picture.provider(keeper).unwrap().node;
    tell(picture, Event::Lost(node));
    node
}

#[test]
fn a_film_that_gets_cold_has_its_parity_before_a_copy_goes() {
    let mut picture = rehearsal().picture();
    assert_eq!((picture.broken_count(), delete(&mut picture)), (0, 0));
    turn(&mut picture, true);
    assert_eq!((picture.broken_count(), state(&picture).there(), delete(&mut picture)), (1, 4, 0));
    let order = mend(&mut picture).remove(0);
    assert_eq!(order.from.map(|piece| piece.number), [0, 1, 2, 3]);
    assert_eq!(order.to.iter().map(|piece| piece.number).collect::<Vec<_>>(), [4, 5, 6, 7, 8, 9]);
    assert_eq!((picture.broken_count(), state(&picture).there()), (0, 10));
    assert_eq!(delete(&mut picture), 8, "two of the three copies of each cell");
    assert_eq!((state(&picture).there(), picture.short_count(), delete(&mut picture)), (10, 0, 0));
    let keepers = keepers(&picture);
    for (at, one) in keepers.iter().enumerate() {
        assert!(keepers[at + 1..].iter().all(|other| !one.shares_fate(other)));
    }
}

#[test]
fn with_seven_pieces_no_copy_goes() {
    let mut picture = rehearsal().picture();
    turn(&mut picture, true);
    let order = unbounded().plan_stripes(0, &picture, &SEED, 9, true).remove(0);
    let store = |picture: &mut Picture, piece: &crate::repair::PieceAt| {
        let cells = vec![Held { cell: piece.cell, size: piece.size }];
        tell(picture, Event::Gained { node: piece.node, cells });
    };
    order.to[..3].iter().for_each(|piece| store(&mut picture, piece));
    assert_eq!((state(&picture).there(), delete(&mut picture)), (7, 0));
    store(&mut picture, &order.to[3]);
    assert_eq!((state(&picture).there(), delete(&mut picture)), (8, 8));
}

#[test]
fn what_is_missing_waits_until_three_are_and_is_made_of_any_four() {
    let mut picture = whole();
    let gone = [0, 3].map(|piece| lose(&mut picture, piece));
    assert_eq!((state(&picture).there(), picture.broken_count(), picture.short_count()), (8, 0, 0));
    lose(&mut picture, 7);
    let order = mend(&mut picture).remove(0);
    assert_eq!(order.from.map(|piece| piece.number), [1, 2, 4, 5]);
    assert_eq!(order.to.iter().map(|piece| piece.number).collect::<Vec<_>>(), [0, 3, 7]);
    assert_eq!((state(&picture).there(), picture.broken_count()), (10, 0));
    // Who comes back has a copy too many, and one of the two goes.
    tell(&mut picture, Event::Back(gone[0]));
    assert_eq!((delete(&mut picture), state(&picture).there()), (1, 10));
}

#[test]
fn a_cell_that_somebody_waits_for_is_made_at_once_and_who_is_silent_is_waited_for_otherwise() {
    let mut picture = whole();
    let keeper = picture.provider(state(&picture).pieces[2].keeper.unwrap()).unwrap().node;
    tell(&mut picture, Event::Silent(keeper));
    assert_eq!((state(&picture).there(), picture.broken_count()), (10, 0));
    want(&mut picture, 1);
    let order = mend(&mut picture).remove(0);
    assert!(order.urgent && order.to.iter().map(|piece| piece.number).eq([2]) && order.to[0].node != keeper);
    assert_eq!(picture.broken_count(), 0);
    want(&mut picture, 2);
    assert_eq!((copy(&mut picture), delete(&mut picture)), (4, 0), "more viewers than one copy serves");
    want(&mut picture, 0);
    assert_eq!((delete(&mut picture), state(&picture).there()), (4, 10));
}

#[test]
fn who_may_have_failed_is_not_asked_again_at_once() {
    let mut picture = whole();
    [4, 5, 6].iter().for_each(|piece| _ = lose(&mut picture, *piece));
    let slow = RepairRules { total_bytes_per_s: 1 << 50, ..RepairRules::default() };
    let mut repair = Repair::new(slow);
    let mut sources = |now_ms| {
        let order = repair.plan_stripes(now_ms, &picture, &SEED, 9, true).remove(0);
        order.from.map(|piece| piece.number)
    };
    assert_eq!(sources(0), [0, 1, 2, 3]);
    assert_eq!(sources(2_000), [3, 7, 8, 9], "their lines are taken, and perhaps they do not answer");
}

#[test]
fn who_leaves_hands_its_piece_over_and_nothing_is_made_anew() {
    let mut picture = whole();
    let node = picture.provider(state(&picture).pieces[5].keeper.unwrap()).unwrap().node;
    tell(&mut picture, Event::Trusted { node, standing: Standing::Leaving });
    assert_eq!((picture.broken_count(), picture.short_count(), state(&picture).there()), (0, 1, 9));
    assert!(picture.is_below_floor(state(&picture).pieces[5].cell));
    assert_eq!((copy(&mut picture), state(&picture).there(), picture.short_count()), (1, 10, 0));
    assert!(!picture.is_below_floor(state(&picture).pieces[5].cell));
}

#[test]
fn who_is_not_registered_keeps_nothing_alone() {
    let mut picture = whole();
    let node = picture.provider(state(&picture).pieces[1].keeper.unwrap()).unwrap().node;
    tell(&mut picture, Event::Registered { node, registered: false });
    assert_eq!((state(&picture).there(), picture.short_count(), picture.broken_count()), (9, 1, 0));
    assert_eq!((copy(&mut picture), state(&picture).there(), picture.short_count()), (1, 10, 0));
    let others: Vec<NodeId> = picture.providers().map(|(_, provider)| provider.node).collect();
    others.into_iter().for_each(|node| tell(&mut picture, Event::Registered { node, registered: false }));
    assert_eq!((state(&picture).there(), delete(&mut picture)), (0, 0));
    assert_eq!((mend(&mut picture), copy(&mut picture)), (vec![], 0), "there is no place");
}

#[test]
fn a_film_that_gets_warm_has_its_copies_before_its_parity_goes() {
    let mut picture = whole();
    lose(&mut picture, 1);
    turn(&mut picture, false);
    assert_eq!(delete(&mut picture), 0);
    assert_eq!(mend(&mut picture).remove(0).to.len(), 1, "the cell that nobody has, and no parity");
    assert_eq!((copy(&mut picture), picture.short_count()), (8, 0));
    assert_eq!((delete(&mut picture), picture.broken_count(), state(&picture).parity()), (6, 0, 0));
    assert!((0..4).all(|number| picture.lack(picture.find_cell(&cell(number)).unwrap()).copies == 3));
}

#[test]
fn without_a_place_for_each_piece_the_copies_stay() {
    let few = Rehearsal { providers: 12, ..rehearsal() };
    let mut picture = few.picture();
    turn(&mut picture, true);
    assert_eq!((picture.broken_count(), mend(&mut picture), delete(&mut picture)), (1, vec![], 0));
    let first = picture.provider(ProviderIndex(0)).unwrap().node;
    tell(&mut picture, Event::Lost(first));
    assert_eq!(picture.short_count(), picture.short().filter(|cell| picture.lack(*cell).anywhere > 0).count());
    copy(&mut picture);
    assert_eq!(picture.short_count(), 0, "and are mended as copies");
}

#[test]
fn cells_that_lie_on_the_same_disks_are_moved_apart() {
    let mut picture = rehearsal().picture();
    let cells: Vec<CellId> = (0..4).map(cell).collect();
    let holders: Vec<NodeId> =
        picture.providers().filter(|(_, row)| row.held().len() > 0).map(|(_, row)| row.node).collect();
    holders.into_iter().for_each(|node| tell(&mut picture, Event::Dropped { node, cells: cells.clone() }));
    let held: Vec<Held> = (0..4).map(|number| rehearsal().held(number)).collect();
    [10, 20, 30]
        .iter()
        .for_each(|number| tell(&mut picture, Event::Gained { node: node(*number), cells: held.clone() }));
    turn(&mut picture, true);
    assert_eq!(state(&picture).there(), 3);
    let order = mend(&mut picture).remove(0);
    assert_eq!((order.to.len(), state(&picture).there()), (7, 10), "one cell, and the parity");
    assert_eq!((delete(&mut picture), state(&picture).there()), (9, 10));
}

#[test]
fn stripes_of_cells_that_are_others_are_left_out() {
    let mut picture = rehearsal().picture();
    let known =
        Event::Film { magnet: magnet(7), home: Region::UNKNOWN, countries: vec![], cells: vec![rehearsal().held(9)] };
    tell(&mut picture, known);
    let stripe = |cells| StripeCells { cells, parity: [CellId([9; 32]); 6], parity_bytes: 64 };
    let foreign = stripe([9, 0, 1, 2].map(cell));
    tell(&mut picture, Event::Striped { magnet: magnet(7), stripes: vec![foreign] });
    assert_eq!(picture.stripe(StripeIndex(1, 0)), None);
    let unknown = Event::Striped { magnet: magnet(8), stripes: vec![] };
    assert!(matches!(picture.apply(0, &unknown), Err(PictureError::UnknownFilm(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens in whatever order: nothing is deleted that a stripe or the floor needs, and as long as four pieces are
    /// heard, mending gives all ten again.
    #[test]
    fn deleting_never_endangers_and_mending_makes_whole(
        steps in prop::collection::vec((0u8..7, 0u32..80), 1..60), seed in any::<[u8; 32]>(),
    ) {
        let mut picture = Rehearsal { seed: BlockHash(seed), ..rehearsal() }.picture();
        turn(&mut picture, true);
        for (step, number) in steps {
            let heard = |picture: &Picture| state(picture).pieces.iter().filter(|piece| piece.heard).count();
            match step {
                0 => tell(&mut picture, Event::Lost(node(number))),
                1 => tell(&mut picture, Event::Back(node(number))),
                2 => tell(&mut picture, Event::Silent(node(number))),
                3 => turn(&mut picture, number % 2 == 0),
                4 => want(&mut picture, (number % 4) as u8),
                5 => {
                    let before = (state(&picture).there(), heard(&picture));
                    delete(&mut picture);
                    let after = (state(&picture).there(), heard(&picture));
                    let copies = (0..4).all(|at| picture.lack(state(&picture).pieces[at].cell).copies >= 3);
                    prop_assert!(after == before || copies, "{before:?} {after:?}");
                }
                _ => {
                    let had = heard(&picture);
                    mend(&mut picture);
                    copy(&mut picture);
                    prop_assert!(had < 4 || state(&picture).there() > 7 || picture.broken_count() > 0 || !state(&picture).coded);
                }
            }
        }
        (0..80).for_each(|number| tell(&mut picture, Event::Back(node(number))));
        turn(&mut picture, true);
        for _ in 0..3 {
            mend(&mut picture);
            copy(&mut picture);
            delete(&mut picture);
        }
        prop_assert!(heard_none(&picture) || state(&picture).there() >= 8, "{:?}", state(&picture));
    }
}

/// Whether fewer than four pieces are left: then the film is lost, and nothing brings it back.
fn heard_none(picture: &Picture) -> bool {
    state(picture).pieces.iter().filter(|piece| piece.heard).count() < STRIPE_CELLS
}
