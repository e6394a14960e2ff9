//! What is to be done: places for what is uploaded, copies of what is short, gifts to newcomers, deletions of surplus.

use super::{Census, Orders, Placing, hearsay::Way, held};
use chainflix_overlay::control::HeldCell;
use chainflix_placement::{
    Event, Held, Standing,
    choose::{Board, Wish},
    newcomer,
    picture::{Provider, ProviderIndex},
    repair::{CopyOrder, RebuildOrder},
    trim::{self, DropOrder},
};
use chainflix_primitives::{BlockHash, CellId, NodeId};
use std::ops::Bound;

/// Time after which a plan that found no place for anything is made again, if nothing has happened.
const REST_MS: u64 = 60_000;
/// Newcomers that one plan looks at.
const NEWCOMERS: usize = 64;

impl Census {
    /// Chooses who gets a cell that is uploaded, and promises them the room. `unwanted` are those that just failed.
    pub fn place(&mut self, cell: HeldCell, unwanted: &[NodeId], seed: &BlockHash, now_ms: u64) -> Placing {
        let Some(held) = held(&cell.cell, cell.size) else { return Placing { copies: 0, targets: Vec::new() } };
        let index = self.picture.find_cell(&cell.cell);
        let row = index.and_then(|index| self.picture.cell(index));
        let mut beside: Vec<ProviderIndex> = row.into_iter().flat_map(|row| row.holders()).collect();
        let counts = |index: &ProviderIndex| self.picture.provider(*index).is_some_and(Provider::counts);
        let copies = beside.iter().filter(|index| counts(index)).count();
        let coming = index.into_iter().flat_map(|index| self.picture.coming_to(index));
        let coming: Vec<ProviderIndex> = coming.filter(|index| !beside.contains(index)).collect();
        let on_their_way = coming.iter().filter(|index| counts(index)).count();
        beside.extend(coming);
        let others = self.entries.iter().filter(|(_, entry)| entry.way != Way::Own).map(|(node, _)| node);
        let unwanted: Vec<ProviderIndex> =
            unwanted.iter().chain(others).filter_map(|node| self.picture.find_provider(node)).collect();
        let wish = Wish {
            cell: &cell.cell,
            size: cell.size,
            film: row.and_then(|row| self.picture.film_of(row)),
            region: None,
            wanted: self.config.copies().saturating_sub(copies + on_their_way),
            beside: &beside,
            unwanted: &unwanted,
            alone: false,
        };
        let chosen = Board::new(&self.picture, self.config.repair.placement).choose(seed, &wish);
        let nodes: Vec<NodeId> =
            chosen.iter().filter_map(|index| self.picture.provider(*index)).map(|to| to.node).collect();
        let targets = nodes.into_iter().filter(|node| self.expect(node, held, now_ms)).collect();
        Placing { copies, targets }
    }

    /// Says that a cell is being uploaded, so that nobody else sends it; `false` where it is on its way already.
    pub fn begin(&mut self, cell: &CellId) -> bool {
        let coming = self.picture.find_cell(cell).is_some_and(|index| self.picture.coming_to(index).next().is_some());
        !coming && self.uploading.insert(*cell)
    }

    /// An upload came to its end, good or bad.
    pub fn end(&mut self, cell: &CellId) {
        self.uploading.remove(cell);
    }

    /// What to do from `now_ms` on, with at most about `copies_max` copies and `rebuilds_max` stripes. `seed` is one that nobody controls, and the same for
    /// every controller, so that two with the same picture order the same.
    pub fn orders(&mut self, now_ms: u64, seed: &BlockHash, copies_max: usize, rebuilds_max: usize) -> Orders {
        if now_ms.saturating_sub(self.started_ms) < self.config.settle_ms {
            return Orders::default();
        }
        let (mut copies, mut rebuilds) = self.repairs(now_ms, seed, copies_max, rebuilds_max);
        rebuilds.iter_mut().for_each(|order| self.promise(order, now_ms));
        rebuilds.retain(|order| !order.to.is_empty());
        if copies.is_empty() {
            copies = self.gifts(now_ms, seed, copies_max);
        }
        copies.retain(|order| {
            self.can_reach(order) && self.expect(&order.to, Held { cell: order.cell, size: order.size }, now_ms)
        });
        let drops = match self.config.turns.is_mine(now_ms) {
            true => trim::plan(now_ms, &self.picture, &self.config.trim),
            false => Vec::new(),
        };
        let drops = drops.into_iter().filter(|order| self.is_at_first_hand(&order.node)).collect();
        Orders { copies, rebuilds, drops }
    }

    /// Whether a copy may be deleted: its cell still has more than it should, and it is still this controller's turn.
    pub fn may_drop(&self, order: &DropOrder, now_ms: u64) -> bool {
        self.config.turns.is_mine(now_ms) && trim::is_superfluous(&self.picture, order)
    }

    fn repairs(
        &mut self,
        now_ms: u64,
        seed: &BlockHash,
        copies_max: usize,
        rebuilds_max: usize,
    ) -> (Vec<CopyOrder>, Vec<RebuildOrder>) {
        if (copies_max == 0 && rebuilds_max == 0) || now_ms < self.rest_until_ms {
            return Default::default();
        }
        let plan = self.repair.plan_some(now_ms, &self.picture, seed, copies_max);
        // Two that mend the same stripe at once move it twice; whoever waits for a cell does not wait for a turn.
        let calm = self.config.turns.is_mine(now_ms);
        let rebuilds = self.repair.plan_stripes(now_ms, &self.picture, seed, rebuilds_max, calm);
        let idle = plan.copies.is_empty() && plan.waiting == 0 && rebuilds.is_empty();
        if idle && copies_max > 0 && rebuilds_max > 0 && calm {
            self.rest_until_ms = now_ms.saturating_add(REST_MS);
        }
        // What is uploaded is looked after already, and so is what others alone can reach.
        let is_ours = |order: &CopyOrder| self.can_reach(order) && !self.uploading.contains(&order.cell);
        let can_read = |order: &RebuildOrder| order.from.iter().all(|piece| self.is_at_first_hand(&piece.node));
        (plan.copies.into_iter().filter(is_ours).collect(), rebuilds.into_iter().filter(can_read).collect())
    }

    /// Keeps room for what a stripe is mended with; what cannot be brought to its place is left out.
    fn promise(&mut self, order: &mut RebuildOrder, now_ms: u64) {
        order.to.retain(|piece| {
            self.is_at_first_hand(&piece.node)
                && self.expect(&piece.node, Held { cell: piece.cell, size: piece.size }, now_ms)
        });
    }

    /// Cells for providers that are vetted: with nothing on their disk they could prove nothing.
    fn gifts(&mut self, now_ms: u64, seed: &BlockHash, copies_max: usize) -> Vec<CopyOrder> {
        let after = (Bound::Excluded(self.given), Bound::Unbounded);
        let up_to = (Bound::Unbounded, Bound::Included(self.given));
        let nodes = self.entries.range(after).chain(self.entries.range(up_to)).map(|(node, _)| *node);
        let nodes: Vec<NodeId> = nodes.take(NEWCOMERS).collect();
        let mut orders = Vec::new();
        for node in nodes {
            if orders.len() >= copies_max {
                break;
            }
            self.given = node;
            let Some(index) = self.picture.find_provider(&node) else { continue };
            let budget_bytes = self.picture.provider(index).map_or(0, |provider| self.gift_bytes(provider));
            if budget_bytes > 0 {
                // One at a time: its line, and those of the holders, are for others too.
                let rules = &self.config.repair.placement;
                orders.extend(newcomer::fill(&self.picture, rules, seed, index, budget_bytes, 1));
            }
        }
        orders.iter_mut().for_each(|order| order.start_ms = now_ms);
        orders
    }

    /// What a provider may yet be given as a newcomer, in bytes.
    fn gift_bytes(&self, provider: &Provider) -> u64 {
        let gift_bytes = provider.quota_bytes / 100 * self.config.newcomer_percent.min(100);
        match provider.standing {
            Standing::Vetting if provider.promised_bytes == 0 => gift_bytes.saturating_sub(provider.used_bytes),
            _ => 0,
        }
    }

    fn can_reach(&self, order: &CopyOrder) -> bool {
        self.is_at_first_hand(&order.from) && self.is_at_first_hand(&order.to)
    }

    /// Keeps room for a cell; `false` where there is no place for it in the picture.
    fn expect(&mut self, node: &NodeId, cell: Held, now_ms: u64) -> bool {
        self.picture.apply(now_ms, &Event::Coming { node: *node, cell }).is_ok()
    }
}
