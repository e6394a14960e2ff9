//! The census: who is there, what they hold, how much room they have, and which cells have too few copies.
//!
//! ```text
//! announce ─▶ pages … last ─▶ alive ──silent too long──▶ dead ──silent much longer──▶ forgotten
//!                               ▲────────heartbeat────────┘
//! ```
//!
//! Pure: time is an argument, nothing waits. A provider's inventory replaces the old one when its last page is there. A
//! dead provider's cells stay on the books, for it may come back with them; they do not count as copies. A cell with
//! fewer living copies than wanted is *short*; while the census is young nothing is repaired, because after a restart
//! every cell looks short until everybody has announced. Room that was promised to a cell on its way is not promised
//! twice. A provider that *leaves* serves on, but its copies count no more: they are made elsewhere first. One that is
//! *quiet* counts, and is left in peace.

mod entry;
mod numbers;
mod repair;

pub use numbers::{CensusConfig, CensusError, CensusStatus, Placing};
pub use repair::CopyJob;

use crate::placement::{self, Candidate};
use chainflix_overlay::control::{
    Announcement, Changes, Heartbeat, HeldCell, InventoryPage, ProviderCard, ProviderMode,
};
use chainflix_primitives::{CellId, NodeId, Signed};
use entry::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Who holds what.
#[derive(Debug)]
pub struct Census {
    config: CensusConfig,
    started_ms: u64,
    providers: BTreeMap<NodeId, Entry>,
    holders: HashMap<CellId, BTreeSet<NodeId>>,
    short: BTreeSet<CellId>,
    under_way: HashSet<CellId>,
}

impl Census {
    /// An empty census, begun at `now_ms`.
    pub fn new(config: CensusConfig, now_ms: u64) -> Self {
        Self {
            config,
            started_ms: now_ms,
            providers: BTreeMap::new(),
            holders: HashMap::new(),
            short: BTreeSet::new(),
            under_way: HashSet::new(),
        }
    }

    /// A provider enters, or enters again. Its card was checked.
    pub fn announce(&mut self, words: Announcement, now_ms: u64) -> Result<(), CensusError> {
        let node = words.card.body.node;
        let full = self.providers.len() >= self.config.providers_max;
        match self.providers.get_mut(&node) {
            Some(entry) if words.sequence <= entry.sequence => Err(CensusError::Older),
            Some(entry) => {
                entry.enter(words, now_ms);
                Ok(())
            }
            None if full => Err(CensusError::Full),
            None => {
                self.providers.insert(node, Entry::new(words, now_ms));
                Ok(())
            }
        }
    }

    /// Part of a provider's inventory; the last part makes it count.
    pub fn page(&mut self, node: &NodeId, page: InventoryPage, now_ms: u64) -> Result<(), CensusError> {
        let cells_max = self.config.cells_max;
        let entry = self.known(node, page.sequence)?;
        entry.seen_ms = now_ms;
        let staged = entry.staged.as_mut().ok_or(CensusError::Unknown)?;
        if staged.len() + page.cells.len() > cells_max {
            return Err(CensusError::Full);
        }
        staged.extend(page.cells.iter().map(|held| (held.cell, held.size)));
        if !page.last {
            return Ok(());
        }
        let now_held = entry.staged.take().unwrap_or_default();
        let before = std::mem::replace(&mut entry.held, now_held.clone());
        let was_alive = std::mem::replace(&mut entry.alive, true);
        for cell in before.keys().filter(|cell| !now_held.contains_key(*cell)) {
            self.unlink(node, cell);
        }
        for cell in now_held.keys() {
            if !was_alive || !before.contains_key(cell) {
                self.link(node, *cell);
            }
        }
        Ok(())
    }

    /// Cells came and went on a provider.
    pub fn changes(&mut self, node: &NodeId, words: Changes, now_ms: u64) -> Result<(), CensusError> {
        let cells_max = self.config.cells_max;
        let entry = self.known(node, words.sequence)?;
        entry.seen_ms = now_ms;
        if entry.held.len() + words.gained.len() > cells_max {
            return Err(CensusError::Full);
        }
        words.gained.into_iter().for_each(|held| self.gained(node, held));
        words.lost.iter().for_each(|cell| self.lost(node, cell));
        Ok(())
    }

    /// A provider is still there. Answers one that leaves how many of its cells have too few copies elsewhere.
    pub fn heartbeat(&mut self, node: &NodeId, words: Heartbeat, now_ms: u64) -> Result<Option<u64>, CensusError> {
        let entry = self.known(node, words.sequence)?;
        entry.seen_ms = now_ms;
        entry.quota_bytes = words.quota_bytes;
        entry.used_bytes = words.used_bytes;
        let before = (entry.alive, std::mem::replace(&mut entry.mode, words.mode));
        // An inventory that never became complete does not count.
        entry.alive |= entry.staged.is_none();
        if before != (entry.alive, entry.mode) {
            let held: Vec<CellId> = entry.held.keys().copied().collect();
            held.into_iter().for_each(|cell| self.link(node, cell));
        }
        let leaving = self.providers.get(node).filter(|entry| entry.mode == ProviderMode::Leaving);
        // While the inventory is on its way nobody knows what is needed.
        let needed = leaving.map(|entry| match entry.staged {
            Some(_) => u64::MAX,
            None => entry.held.keys().filter(|cell| self.short.contains(*cell)).count() as u64,
        });
        Ok(needed)
    }

    /// Chooses who gets a cell, and promises them the room.
    ///
    /// `beside` are those that it is on its way to already, `unwanted` those that just failed.
    pub fn place(&mut self, cell: &CellId, size: u64, beside: &[NodeId], unwanted: &[NodeId]) -> Placing {
        let headroom = self.config.headroom_percent;
        let mut holders = self.living_holders(cell);
        let copies = holders.len();
        let coming = beside.iter().filter_map(|node| self.providers.get(node).map(|entry| (node, entry)));
        holders.extend(coming.map(|(node, entry)| entry.candidate(*node, headroom)));
        let eligible = |(node, entry): &(&NodeId, &Entry)| {
            entry.alive
                && entry.mode == ProviderMode::Open
                && !entry.held.contains_key(cell)
                && !beside.contains(node)
                && !unwanted.contains(node)
        };
        let candidates = self.providers.iter().filter(eligible).map(|(node, entry)| entry.candidate(*node, headroom));
        let wanted = self.config.copies.saturating_sub(holders.len());
        let targets = placement::choose(cell, size, wanted, candidates.collect(), &holders);
        for node in &targets {
            if let Some(entry) = self.providers.get_mut(node) {
                entry.promised_bytes += size;
            }
        }
        Placing { copies, targets }
    }

    /// Says that a cell is on its way, so that nobody else sends it; `false` where it is already.
    pub fn begin(&mut self, cell: &CellId) -> bool {
        self.under_way.insert(*cell)
    }

    /// What was begun came to its end, good or bad.
    pub fn end(&mut self, cell: &CellId) {
        self.under_way.remove(cell);
    }

    /// A promised cell is durable on `node`.
    pub fn stored(&mut self, node: &NodeId, cell: CellId, size: u64) {
        self.given_up(node, size);
        if let Some(entry) = self.providers.get_mut(node) {
            // The next heartbeat says it exactly.
            entry.used_bytes = entry.used_bytes.saturating_add(size);
        }
        self.gained(node, HeldCell { cell, size });
    }

    /// A promised cell did not come; its room is free again.
    pub fn given_up(&mut self, node: &NodeId, size: u64) {
        if let Some(entry) = self.providers.get_mut(node) {
            entry.promised_bytes = entry.promised_bytes.saturating_sub(size);
        }
    }

    /// `node` holds `cell` no more.
    pub fn lost(&mut self, node: &NodeId, cell: &CellId) {
        let held = self.providers.get_mut(node).and_then(|entry| {
            entry.staged.as_mut().and_then(|staged| staged.remove(cell));
            entry.held.remove(cell)
        });
        if held.is_some() {
            self.unlink(node, cell);
        }
    }

    /// Living providers of a cell, as they present themselves, without `excluded`; at most `most`.
    pub fn sources(&self, cell: &CellId, excluded: &[NodeId], most: usize) -> Vec<Signed<ProviderCard>> {
        let holders = self.holders.get(cell).into_iter().flatten();
        let eligible = holders.filter(|node| !excluded.contains(node)).filter_map(|node| self.providers.get(node));
        eligible.filter(|entry| entry.serves()).map(|entry| entry.card.clone()).take(most).collect()
    }

    /// The census in numbers.
    pub fn status(&self) -> CensusStatus {
        let alive = || self.providers.iter().filter(|(_, entry)| entry.alive);
        let free = |(node, entry): (&NodeId, &Entry)| entry.candidate(*node, self.config.headroom_percent).free_bytes;
        CensusStatus {
            providers_alive: alive().count(),
            providers: self.providers.len(),
            cells: self.holders.len(),
            cells_short: self.short.len(),
            free_bytes: alive().map(free).fold(0, u64::saturating_add),
        }
    }

    fn known(&mut self, node: &NodeId, sequence: u64) -> Result<&mut Entry, CensusError> {
        self.providers.get_mut(node).filter(|entry| entry.sequence == sequence).ok_or(CensusError::Unknown)
    }

    fn gained(&mut self, node: &NodeId, held: HeldCell) {
        let Some(entry) = self.providers.get_mut(node) else { return };
        if let Some(staged) = &mut entry.staged {
            staged.insert(held.cell, held.size);
        }
        entry.held.insert(held.cell, held.size);
        self.link(node, held.cell);
    }

    fn link(&mut self, node: &NodeId, cell: CellId) {
        self.holders.entry(cell).or_default().insert(*node);
        self.weigh(&cell);
    }

    fn unlink(&mut self, node: &NodeId, cell: &CellId) {
        if let Some(holders) = self.holders.get_mut(cell) {
            holders.remove(node);
            if holders.is_empty() {
                self.holders.remove(cell);
            }
        }
        self.weigh(cell);
    }

    /// Enters a cell into the list of the short ones, or takes it off.
    fn weigh(&mut self, cell: &CellId) {
        let copies = self.living_holders(cell).len();
        // A cell that nobody alive holds cannot be copied; it is weighed again when a holder comes back.
        if copies < self.config.copies && self.holder_to_copy(cell).is_some() {
            self.short.insert(*cell)
        } else {
            self.short.remove(cell)
        };
    }

    /// Whom a copy is taken from: a holder that rests only where nobody else has it.
    fn holder_to_copy(&self, cell: &CellId) -> Option<(NodeId, &Entry)> {
        let holders = self.holders.get(cell).into_iter().flatten();
        let entries = holders.filter_map(|node| self.providers.get(node).map(|entry| (*node, entry)));
        entries.filter(|(_, entry)| entry.alive).min_by_key(|(_, entry)| !entry.serves())
    }

    /// Those whose copies count.
    fn living_holders(&self, cell: &CellId) -> Vec<Candidate> {
        let holders = self.holders.get(cell).into_iter().flatten();
        let entries = holders.filter_map(|node| self.providers.get(node).map(|entry| (node, entry)));
        let staying = entries.filter(|(_, entry)| entry.stays());
        staying.map(|(node, entry)| entry.candidate(*node, self.config.headroom_percent)).collect()
    }
}

#[cfg(test)]
mod tests;
