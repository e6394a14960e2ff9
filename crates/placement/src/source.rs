//! Who serves a viewer: one of the copies, drawn by a seed nobody controls, weighted by nearness and free uplink.
//!
//! ```text
//! viewer asks for a cell ─▶ holders that serve ┐   weight = nearness × free slots
//!                           viewers that have it ┘   the draw depends on seed, viewer and cell
//!                           ranking  a b c d …        of two neighbours that are equally near, the one with the larger part
//!                           named    b a d c …        of its slots free comes first
//! ```
//!
//! Neither viewer nor provider can choose the other: the seed is a block hash that was not known when keys were made. The
//! better of two that a seed drew keeps a crowd nearly even (Mitzenmacher, "The power of two choices in randomized load
//! balancing", 2001), where the freest of all would be known to everybody beforehand. Viewers that watched a cell may serve
//! it ([`Sharer`]); so a flash crowd brings its own uplinks. Whoever is full comes first only when everybody is. Nobody is
//! served by his own account.
//!
//! Bounded: a cell remembers its newest [`SourceRules::sharers_per_cell`] sharers, and all together
//! [`SourceRules::sharers_max`]; the oldest make room.

use crate::{
    Distance, Picture, Region,
    draw::{Lot, runner},
    picture::Provider,
};
use chainflix_primitives::{AccountAddress, BlockHash, CellId, NodeId};
use std::collections::{HashMap, VecDeque};

/// How sources are weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRules {
    /// Weight of a source in the viewer's region, in its country, and elsewhere.
    pub nearness: [u64; 3],
    /// Most sharers of one cell that are remembered.
    pub sharers_per_cell: usize,
    /// Most sharers that are remembered.
    pub sharers_max: usize,
}

impl Default for SourceRules {
    fn default() -> Self {
        Self { nearness: [64, 16, 1], sharers_per_cell: 64, sharers_max: 1_000_000 }
    }
}

/// A viewer that has a cell and serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharer {
    /// Its node.
    pub node: NodeId,
    /// Who watches.
    pub account: AccountAddress,
    /// Where.
    pub region: Region,
    /// Viewers it is willing to serve at a time.
    pub slots: u16,
    /// Until when, in milliseconds.
    pub until_ms: u64,
}

/// What a viewer asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Who asks.
    pub viewer: AccountAddress,
    /// From where.
    pub region: Region,
    /// Which cell.
    pub cell: &'a CellId,
    /// Sources that did not do.
    pub excluded: &'a [NodeId],
}

/// How busy sources are, and which viewers share.
#[derive(Debug)]
pub struct Sources {
    rules: SourceRules,
    loads: HashMap<NodeId, u16>,
    sharers: HashMap<CellId, VecDeque<Sharer>>,
    /// Cells in the order in which sharers came, one entry for each.
    order: VecDeque<CellId>,
}

impl Sources {
    /// Nobody busy, nobody sharing.
    pub fn new(rules: SourceRules) -> Self {
        Self { rules, loads: HashMap::new(), sharers: HashMap::new(), order: VecDeque::new() }
    }

    /// A source begins to serve one viewer more.
    pub fn begun(&mut self, source: NodeId) {
        let load = self.loads.entry(source).or_default();
        *load = load.saturating_add(1);
    }

    /// A source has one viewer less.
    pub fn ended(&mut self, source: &NodeId) {
        if let Some(load) = self.loads.get_mut(source) {
            *load -= 1;
            if *load == 0 {
                self.loads.remove(source);
            }
        }
    }

    /// A viewer has a cell and serves it. What it said before of this cell is forgotten.
    pub fn shared(&mut self, cell: CellId, sharer: Sharer) {
        let sharers = self.sharers.entry(cell).or_default();
        if let Some(known) = sharers.iter_mut().find(|known| known.node == sharer.node) {
            *known = sharer;
            return;
        }
        sharers.push_back(sharer);
        if sharers.len() > self.rules.sharers_per_cell {
            // Its entry in the order now stands for the newcomer.
            sharers.pop_front();
            return;
        }
        self.order.push_back(cell);
        while self.order.len() > self.rules.sharers_max {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(cell) = self.order.pop_front() else { return };
        if let Some(sharers) = self.sharers.get_mut(&cell) {
            sharers.pop_front();
            if sharers.is_empty() {
                self.sharers.remove(&cell);
            }
        }
    }

    /// Up to `most` sources for a viewer, the one that was drawn first.
    pub fn name(&self, now_ms: u64, picture: &Picture, seed: &BlockHash, ask: &Ask<'_>, most: usize) -> Vec<NodeId> {
        let lot = Lot::new("chainflix 2026 source weighted draw v1", seed, &[&ask.viewer.0, &ask.cell.0]);
        let holders = picture.find_cell(ask.cell).and_then(|cell| picture.cell(cell));
        let holders = holders.into_iter().flat_map(|cell| cell.holders()).filter_map(|index| picture.provider(index));
        let holders = holders.filter(|provider| provider.serves() && provider.account != ask.viewer);
        let holder = |provider: &Provider| {
            self.runner(lot, provider.key, provider.node, provider.slots, provider.region.distance(&ask.region))
        };
        let sharers = self.sharers.get(ask.cell).into_iter().flatten();
        let sharers = sharers.filter(|sharer| sharer.until_ms > now_ms && sharer.account != ask.viewer);
        let sharer = |sharer: &Sharer| {
            self.runner(lot, runner(&sharer.node.0), sharer.node, sharer.slots, sharer.region.distance(&ask.region))
        };
        let mut ranked: Vec<Runner> = holders.map(holder).chain(sharers.map(sharer)).collect();
        ranked.retain(|runner| !ask.excluded.contains(&runner.node));
        ranked.sort_by(|one, other| one.arrival.total_cmp(&other.arrival).then(one.node.cmp(&other.node)));
        balance(&mut ranked);
        let mut named = Vec::with_capacity(most.min(ranked.len()));
        for Runner { node, .. } in ranked {
            // A provider may also share what it watched.
            if named.len() < most && !named.contains(&node) {
                named.push(node);
            }
        }
        named
    }

    fn runner(&self, lot: Lot, key: u64, node: NodeId, slots: u16, distance: Distance) -> Runner {
        let load = self.loads.get(&node).copied().unwrap_or_default();
        let nearness = match distance {
            Distance::Same => self.rules.nearness[0],
            Distance::Country => self.rules.nearness[1],
            Distance::Far => self.rules.nearness[2],
        };
        let free = slots.saturating_sub(load);
        // A free slot far away is better than none nearby.
        let weight = if free == 0 { 1 } else { u64::from(free) * nearness * FREE };
        Runner { arrival: lot.arrival(key, weight), node, nearness, free, slots }
    }
}

/// A source in the ranking.
struct Runner {
    arrival: f64,
    node: NodeId,
    nearness: u64,
    free: u16,
    slots: u16,
}

impl Runner {
    /// Whether it is as near as another, and has a larger part of its slots free.
    fn goes_before(&self, other: &Self) -> bool {
        let part = |one: &Self, other: &Self| u32::from(one.free) * u32::from(other.slots);
        self.nearness == other.nearness && part(self, other) > part(other, self)
    }
}

/// Goes down the ranking once: whoever is behind and freer goes before his neighbour, who meets the next one then.
fn balance(ranked: &mut [Runner]) {
    for at in 1..ranked.len() {
        if ranked[at].goes_before(&ranked[at - 1]) {
            ranked.swap(at - 1, at);
        }
    }
}

/// How much more a free slot weighs than none.
const FREE: u64 = 1 << 20;

#[cfg(test)]
mod tests;
