//! What an empty disk gets: random cells of films that its country may watch.
//!
//! A newcomer that holds nothing earns nothing and proves nothing. So it is given cells that have enough copies already, as
//! extra ones: it can be audited on them, serves them, and nobody misses them if it leaves. They are drawn by a seed, not
//! chosen, so that nobody can ask for the films he wants to sit on.

use crate::{
    Picture,
    choose::Rules,
    draw::{Lot, winner},
    picture::{Cell, CellIndex, Provider, ProviderIndex},
    repair::CopyOrder,
};
use chainflix_primitives::BlockHash;
use std::collections::BTreeSet;

/// Draws for each cell that is given: films of other countries, or cells that lie next door, are drawn in vain.
const DRAWS_PER_CELL: usize = 32;

/// Up to `most` cells of together at most `budget_bytes` for a provider, each with a holder to copy it from.
pub fn fill(
    picture: &Picture,
    rules: &Rules,
    seed: &BlockHash,
    to: ProviderIndex,
    budget_bytes: u64,
    most: usize,
) -> Vec<CopyOrder> {
    let able = |provider: &&Provider| provider.counts() && !provider.resting;
    let Some(newcomer) = picture.provider(to).filter(able) else { return Vec::new() };
    let fill_bytes = u128::from(newcomer.quota_bytes) * u128::from(rules.fill_percent) / 100;
    let taken_bytes = newcomer.used_bytes.saturating_add(newcomer.promised_bytes);
    // Not beyond the level at which it is out of priority: the rest is for cells that need it.
    let room = u64::try_from(fill_bytes).unwrap_or(u64::MAX).saturating_sub(taken_bytes);
    let mut left_bytes = budget_bytes.min(room).min(newcomer.free_bytes(rules.headroom_percent));
    let lot = Lot::new("chainflix 2026 newcomer fill v1", seed, &[&newcomer.node.0]);
    let mut given = BTreeSet::new();
    let mut orders = Vec::new();
    for draw in 0..most.saturating_mul(DRAWS_PER_CELL) {
        if orders.len() == most {
            break;
        }
        // Cells' numbers have 32 bits.
        let cell = CellIndex(lot.below(draw as u64, picture.cell_span().into()) as u32);
        let Some(row) = picture.cell(cell) else { continue };
        if u64::from(row.size) > left_bytes || given.contains(&cell) || !may_take(picture, newcomer, cell, row) {
            continue;
        }
        let Some(from) = holder(picture, row, lot) else { continue };
        left_bytes -= u64::from(row.size);
        given.insert(cell);
        orders.push(CopyOrder { cell: row.id, size: row.size, from: from.node, to: newcomer.node, start_ms: 0 });
    }
    orders
}

fn may_take(picture: &Picture, newcomer: &Provider, cell: CellIndex, row: &Cell) -> bool {
    let beside = row.holders().chain(picture.coming_to(cell)).filter_map(|index| picture.provider(index));
    !row.is_parity()
        && picture.film_of(row).is_some_and(|film| film.may_lie_in(newcomer.region))
        && !beside.into_iter().any(|other| other.node == newcomer.node || other.shares_fate(newcomer))
}

/// One of the holders that count and serve, drawn.
fn holder<'a>(picture: &'a Picture, row: &Cell, lot: Lot) -> Option<&'a Provider> {
    let holders = row
        .holders()
        .filter_map(|index| picture.provider(index))
        .filter(|provider| provider.counts() && provider.serves());
    winner(holders.map(|provider| (lot.arrival(provider.key, provider.slots.max(1).into()), provider)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Country, Event, rehearsal::Rehearsal};

    const SEED: BlockHash = BlockHash([9; 32]);

    #[test]
    fn an_empty_disk_gets_what_its_country_may_watch() {
        let mut rehearsal = Rehearsal { providers: 200, cells: 3_000, ..Rehearsal::default() };
        rehearsal.countries = |film| if film % 3 == 0 { vec![Country(*b"de")] } else { Vec::new() };
        let mut picture = rehearsal.picture();
        let mut card = rehearsal.card(1_000_000);
        card.region = "kr-11".parse().unwrap();
        card.used_bytes = 0;
        picture.apply(0, &Event::Seen(card.clone())).unwrap();
        let index = picture.find_provider(&card.node).unwrap();
        let orders = fill(&picture, &Rules::default(), &SEED, index, 1 << 40, 50);
        assert_eq!(orders.len(), 50);
        for order in &orders {
            let row = picture.cell(picture.find_cell(&order.cell).unwrap()).unwrap();
            assert!(picture.film_of(row).unwrap().may_lie_in(card.region));
            assert!(row.holders().any(|holder| picture.provider(holder).unwrap().node == order.from));
        }
        let other = fill(&picture, &Rules::default(), &BlockHash([8; 32]), index, 1 << 40, 50);
        assert_ne!(orders, other, "at random");
        let bytes: u64 = orders.iter().map(|order| u64::from(order.size)).sum();
        let less = fill(&picture, &Rules::default(), &SEED, index, bytes / 2, 50);
        assert!(less.iter().map(|order| u64::from(order.size)).sum::<u64>() <= bytes / 2);
    }

    #[test]
    fn a_disk_that_is_filled_or_unknown_gets_nothing() {
        let rehearsal = Rehearsal { providers: 50, cells: 500, ..Rehearsal::default() };
        let mut picture = rehearsal.picture();
        let card = rehearsal.card(1_000_000);
        let used_bytes = card.quota_bytes / 100 * 81;
        picture.apply(0, &Event::Seen(crate::Card { used_bytes, ..card.clone() })).unwrap();
        let index = picture.find_provider(&card.node).unwrap();
        assert_eq!(fill(&picture, &Rules::default(), &SEED, index, 1 << 40, 10), []);
        assert_eq!(fill(&picture, &Rules::default(), &SEED, ProviderIndex(9_999), 1 << 40, 10), []);
    }
}
