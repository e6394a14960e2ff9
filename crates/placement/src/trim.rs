//! Which surplus copies to delete: those far from where their film is watched, after a delay, never below the floor.
//!
//! A copy is a surplus when more vetted copies count than the film wants ([`crate::target`]), because its traffic fell or a
//! lost provider came back; a copy at a silent one is none. It stays for [`TrimRules::delay_ms`] in case that was a mood. The copies that stay longest are
//! those in regions that want them, then those near the film's home; of equals, those on emptier disks. What a newcomer was
//! given to prove itself on ([`crate::newcomer`]) stays while it is vetted. Of a film that is kept as stripes each cell has one
//! keeper, whose copy stays; parity goes when its cells have their copies again. Every controller deletes in the same order, so that
//! two with the same picture do not delete two different copies.

use crate::{
    Picture, Region, Standing,
    picture::{Cell, CellIndex, Provider},
};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{CellId, NodeId};
use std::cmp::Reverse;

/// When surplus copies go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimRules {
    /// How long a cell has had too many copies before one goes, in milliseconds.
    pub delay_ms: u64,
    /// Most deletions of one plan.
    pub drops_max: usize,
}

impl Default for TrimRules {
    fn default() -> Self {
        // A provider that was away for a day must not cost its copies twice.
        Self { delay_ms: 86_400_000, drops_max: 10_000 }
    }
}

/// One copy to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DropOrder {
    /// Which cell.
    pub cell: CellId,
    /// From whose disk.
    pub node: NodeId,
}

/// The copies to delete at `now_ms`.
pub fn plan(now_ms: u64, picture: &Picture, rules: &TrimRules) -> Vec<DropOrder> {
    let old = |(_, since_ms): &(CellIndex, u64)| now_ms.saturating_sub(*since_ms) >= rules.delay_ms;
    let mut orders = Vec::new();
    for (cell, _) in picture.surplus().filter(old) {
        orders.extend(superfluous(picture, cell));
        if orders.len() >= rules.drops_max {
            break;
        }
    }
    orders.truncate(rules.drops_max);
    orders
}

/// Whether a copy may still be deleted, after others may have gone.
pub fn is_superfluous(picture: &Picture, order: &DropOrder) -> bool {
    picture.find_cell(&order.cell).is_some_and(|cell| superfluous(picture, cell).contains(order))
}

fn superfluous(picture: &Picture, cell: CellIndex) -> Vec<DropOrder> {
    let surplus = picture.lack(cell).surplus;
    let Some((row, film)) = picture.cell(cell).and_then(|row| Some((row, picture.film_of(row)?))) else {
        return Vec::new();
    };
    if row.is_parity() && !film.coded && !picture.does_without(row) {
        return Vec::new();
    }
    // Those that stay come first; each takes one of the places that its region wants.
    let mut wanted = film.wants.regional.clone();
    let mut is_wanted = |provider: &&Provider| {
        let place = wanted.iter_mut().find(|(region, count)| *region == provider.region && *count > 0);
        place.map(|(_, count)| *count -= 1).is_some()
    };
    let mut unwanted = by_worth(picture, row, film.home);
    let keeper = picture.keeper(row).and_then(|keeper| picture.provider(keeper)).map(|keeper| keeper.node);
    unwanted.retain(|provider| keeper != Some(provider.node) && !is_wanted(provider));
    unwanted.iter().rev().take(surplus.into()).map(|provider| DropOrder { cell: row.id, node: provider.node }).collect()
}

/// Vetted holders, the most worth keeping first.
fn by_worth<'a>(picture: &'a Picture, row: &Cell, home: Region) -> Vec<&'a Provider> {
    let holders = row.holders().filter_map(|index| picture.provider(index));
    let mut holders: Vec<&Provider> = holders.filter(|provider| is_vetted(provider)).collect();
    holders.sort_by_key(|provider| (provider.region.distance(&home), Reverse(provider.free_bytes(0)), provider.key));
    holders
}

fn is_vetted(provider: &Provider) -> bool {
    provider.counts() && provider.standing == Standing::Vetted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Event, Wants,
        rehearsal::{Rehearsal, magnet},
    };

    const DAY_MS: u64 = 86_400_000;

    /// A film of two cells at home in Seoul, with `copies` of each.
    fn watched(copies: u8) -> (Rehearsal, Picture) {
        let rehearsal = Rehearsal { providers: 60, cells: 2, copies: copies.into(), ..Rehearsal::default() };
        (rehearsal.clone(), rehearsal.picture())
    }

    #[test]
    fn what_nobody_watches_shrinks_to_the_floor_near_its_home_and_not_at_once() {
        let (_, mut picture) = watched(12);
        let film = magnet(0);
        picture.apply(0, &Event::Wanted { magnet: film, wants: Wants { total: 12, regional: vec![] } }).unwrap();
        assert_eq!(plan(10 * DAY_MS, &picture, &TrimRules::default()), []);
        picture.apply(DAY_MS, &Event::Wanted { magnet: film, wants: Wants::default() }).unwrap();
        assert_eq!(plan(2 * DAY_MS - 1, &picture, &TrimRules::default()), []);
        let drops = plan(2 * DAY_MS, &picture, &TrimRules::default());
        assert_eq!(drops.len(), 2 * 9, "three of twelve stay");
        let home = picture.find_film(&film).unwrap().home;
        for cell in drops.chunks(9) {
            let row = picture.cell(picture.find_cell(&cell[0].cell).unwrap()).unwrap();
            let distance =
                |node: &NodeId| picture.provider(picture.find_provider(node).unwrap()).unwrap().region.distance(&home);
            let nodes = row.holders().map(|holder| picture.provider(holder).unwrap().node);
            let (gone, kept): (Vec<_>, Vec<_>) = nodes.partition(|node| cell.iter().any(|drop| drop.node == *node));
            assert!(kept.iter().map(distance).max() <= gone.iter().map(distance).min());
        }
        for drop in drops {
            picture.apply(2 * DAY_MS, &Event::Dropped { node: drop.node, cells: vec![drop.cell] }).unwrap();
        }
        assert_eq!((plan(9 * DAY_MS, &picture, &TrimRules::default()), picture.short_count()), (vec![], 0));
    }

    #[test]
    fn a_region_that_wants_its_copies_keeps_them() {
        let (_, mut picture) = watched(12);
        let row = picture.cell(picture.find_cell(&crate::rehearsal::cell(0)).unwrap()).unwrap();
        let region = |index| picture.provider(index).unwrap().region;
        let far = row.holders().map(region).find(|region| region.country() != Some(crate::Country(*b"kr"))).unwrap();
        let there = row.holders().filter(|holder| region(*holder) == far).count();
        let wants = Wants { total: 3, regional: vec![(far, there as u8)] };
        picture.apply(0, &Event::Wanted { magnet: magnet(0), wants }).unwrap();
        let drops = plan(DAY_MS, &picture, &TrimRules::default());
        let first = drops.iter().filter(|drop| drop.cell == crate::rehearsal::cell(0));
        let places = first.map(|drop| picture.provider(picture.find_provider(&drop.node).unwrap()).unwrap().region);
        assert!(places.into_iter().all(|place| place != far));
    }

    #[test]
    fn what_a_newcomer_was_given_stays_until_it_is_vetted() {
        let (_, mut picture) = watched(4);
        let row = picture.cell(picture.find_cell(&crate::rehearsal::cell(0)).unwrap()).unwrap();
        let newcomer = picture.provider(row.holders().next().unwrap()).unwrap().node;
        let drops_of_first = |picture: &Picture| {
            let drops = plan(9 * DAY_MS, picture, &TrimRules::default());
            drops.iter().filter(|drop| drop.cell == crate::rehearsal::cell(0)).count()
        };
        assert_eq!(drops_of_first(&picture), 1);
        picture.apply(0, &Event::Trusted { node: newcomer, standing: Standing::Vetting }).unwrap();
        assert_eq!(drops_of_first(&picture), 0);
        picture.apply(0, &Event::Trusted { node: newcomer, standing: Standing::Vetted }).unwrap();
        assert_eq!(drops_of_first(&picture), 1);
    }

    #[test]
    fn a_plan_is_bounded() {
        let (_, mut picture) = watched(12);
        picture.apply(0, &Event::Wanted { magnet: magnet(0), wants: Wants::default() }).unwrap();
        let rules = TrimRules { drops_max: 5, ..TrimRules::default() };
        assert_eq!(plan(DAY_MS, &picture, &rules).len(), 5);
    }
}
