//! What to copy, from whom, to whom, and when: the cells with the fewest copies first, within the bandwidth that repair may
//! take.
//!
//! ```text
//! short cells ── 1 copy ─▶ 2 copies ─▶ …      each copy takes its bytes from three lines:
//!                                              source ▮▮▮▮····   target ▮▮······   all ▮▮▮▮▮▮▮▮
//! ```
//!
//! A source or target that was given a copy is taken until the copy's bytes have passed at its rate; the common line has its
//! rate's bytes in each second, and is taken second by second. A copy starts when all of its three lines are free. So neither a
//! source, nor a target, nor repair as a whole carries more than its rate, whatever the window of a plan. What starts after the window is left for the next plan. Copies under way are the
//! picture's to know ([`Event::Coming`](crate::Event::Coming)); a copy that failed is simply short again.

mod stripes;

pub use stripes::{PieceAt, RebuildOrder};

use crate::{
    Picture, Region,
    choose::{Board, Rules, Wish},
    picture::{Cell, CellIndex, ProviderIndex},
};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{BlockHash, CellId, NodeId};
use std::collections::{BTreeMap, HashMap};

/// One cell to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CopyOrder {
    /// Which cell.
    pub cell: CellId,
    /// Its bytes.
    pub size: u32,
    /// A living holder.
    pub from: NodeId,
    /// Who gets it.
    pub to: NodeId,
    /// Not before this time, in the caller's milliseconds.
    pub start_ms: u64,
}

/// What repair may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepairRules {
    /// Where copies may go.
    pub placement: Rules,
    /// How long a cell is short before it is mended, in milliseconds: where others order copies too, the news of theirs
    /// may be on its way.
    pub grace_ms: u64,
    /// How far a plan looks ahead, in milliseconds.
    pub window_ms: u64,
    /// Bytes a second from one source.
    pub source_bytes_per_s: u64,
    /// Bytes a second to one target.
    pub target_bytes_per_s: u64,
    /// Bytes a second in all.
    pub total_bytes_per_s: u64,
    /// Most copies of one plan.
    pub copies_max: usize,
}

#[cfg(test)]
impl RepairRules {
    /// The usual rules, on lines without end.
    pub(crate) fn unbounded() -> Self {
        let much = 1 << 50;
        Self { source_bytes_per_s: much, target_bytes_per_s: much, total_bytes_per_s: much, ..Self::default() }
    }
}

impl Default for RepairRules {
    fn default() -> Self {
        Self {
            placement: Rules::default(),
            grace_ms: 0,
            window_ms: 60_000,
            // A quarter of a home uplink of 20 Mbit/s; viewers come first.
            source_bytes_per_s: 625_000,
            target_bytes_per_s: 1_250_000,
            total_bytes_per_s: 1_250_000_000,
            copies_max: 100_000,
        }
    }
}

/// A plan, and what it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Plan {
    /// Copies to make, the most endangered cells first.
    pub copies: Vec<CopyOrder>,
    /// Copies that wait for bandwidth, and cells that were not short for long enough.
    pub waiting: u64,
    /// Copies that no provider can take: no room, or none far enough from the others.
    pub homeless: u64,
}

/// Repair, and which lines its copies have taken.
#[derive(Clone, Debug)]
pub struct Repair {
    rules: RepairRules,
    sources: HashMap<NodeId, u64>,
    targets: HashMap<NodeId, u64>,
    total: CommonLine,
}

impl Repair {
    /// A repair that has not taken anything yet.
    pub fn new(rules: RepairRules) -> Self {
        let total = CommonLine::new(rules.total_bytes_per_s);
        Self { rules, sources: HashMap::new(), targets: HashMap::new(), total }
    }

    /// The copies to start within the window from `now_ms` on. `seed` is one that nobody controls.
    pub fn plan(&mut self, now_ms: u64, picture: &Picture, seed: &BlockHash) -> Plan {
        self.plan_some(now_ms, picture, seed, self.rules.copies_max)
    }

    /// As [`Self::plan`], for at most about `copies_max` copies: the last cell gets all it lacks.
    pub fn plan_some(&mut self, now_ms: u64, picture: &Picture, seed: &BlockHash, copies_max: usize) -> Plan {
        let free = |_: &NodeId, until_ms: &mut u64| *until_ms > now_ms;
        self.sources.retain(free);
        self.targets.retain(free);
        self.total.advance(now_ms);
        let mut round =
            Round { now_ms, picture, seed, board: Board::new(picture, self.rules.placement), plan: Plan::default() };
        for cell in picture.short() {
            if round.plan.copies.len() >= copies_max || self.total.free_from(now_ms) >= round.end_ms(&self.rules) {
                break;
            }
            let since_ms = picture.short_since(cell).unwrap_or(now_ms);
            match now_ms.saturating_sub(since_ms) < self.rules.grace_ms {
                true => round.plan.waiting += 1,
                false => self.mend(&mut round, cell),
            }
        }
        round.plan
    }

    /// Orders the copies that one cell lacks.
    fn mend(&mut self, round: &mut Round<'_>, cell: CellIndex) {
        let lack = round.picture.lack(cell);
        let Some(row) = round.picture.cell(cell) else { return };
        let mut beside: Vec<ProviderIndex> = row.holders().chain(round.picture.coming_to(cell)).collect();
        beside.extend(round.picture.company(row));
        let mut anywhere = lack.anywhere;
        for (region, count) in &lack.regional {
            let placed = self.order(round, row, Some(*region), *count, &mut beside);
            anywhere = anywhere.saturating_sub(placed);
            // A region without room: the film has its copies elsewhere, or gets them below.
        }
        let placed = self.order(round, row, None, anywhere, &mut beside);
        round.plan.homeless += u64::from(anywhere - placed);
    }

    /// Orders up to `count` copies of a cell, and answers for how many there is a place.
    fn order(
        &mut self,
        round: &mut Round<'_>,
        row: &Cell,
        region: Option<Region>,
        count: u8,
        beside: &mut Vec<ProviderIndex>,
    ) -> u8 {
        if count == 0 {
            return 0;
        }
        let wish = Wish { region, ..Wish::more(round.picture, row, count.into(), beside) };
        let targets = round.board.choose(round.seed, &wish);
        for target in &targets {
            match self.schedule(round, row, *target) {
                Some(order) => {
                    round.board.take(*target, row.size.into());
                    round.plan.copies.push(order);
                }
                None => round.plan.waiting += 1,
            }
        }
        beside.extend(&targets);
        // At most `count`.
        targets.len() as u8
    }

    /// Takes the lines of a copy, if it can start within the window.
    fn schedule(&mut self, round: &Round<'_>, row: &Cell, target: ProviderIndex) -> Option<CopyOrder> {
        let node = |index| round.picture.provider(index).map(|provider| provider.node);
        let free_ms = |lines: &HashMap<NodeId, u64>, node: &NodeId| lines.get(node).copied().unwrap_or_default();
        let to = node(target)?;
        // Who rests is disturbed only where nobody else has it. Trusted ones first; where none is left, anybody who is
        // there: bytes prove themselves.
        let holders = || row.holders().filter_map(|index| round.picture.provider(index)).filter(|holder| holder.alive);
        let earliest = |holder: &&crate::picture::Provider| {
            (holder.resting, !holder.counts(), free_ms(&self.sources, &holder.node), holder.key)
        };
        let from = holders().min_by_key(earliest)?.node;
        let lines_ms = free_ms(&self.sources, &from).max(free_ms(&self.targets, &to));
        let start_ms = self.total.free_from(lines_ms.max(round.now_ms));
        if start_ms >= round.end_ms(&self.rules) {
            return None;
        }
        let size = u64::from(row.size);
        self.sources.insert(from, start_ms + duration_ms(size, self.rules.source_bytes_per_s));
        self.targets.insert(to, start_ms + duration_ms(size, self.rules.target_bytes_per_s));
        self.total.take(start_ms, size);
        Some(CopyOrder { cell: row.id, size: row.size, from, to, start_ms })
    }
}

/// The line that all copies share: how many bytes of each second are taken.
#[derive(Clone, Debug)]
struct CommonLine {
    bytes_per_s: u64,
    taken: BTreeMap<u64, u64>,
    /// All seconds before this one are taken, or over.
    open_s: u64,
}

impl CommonLine {
    fn new(bytes_per_s: u64) -> Self {
        // Slower, one cell would take a quarter of an hour of seconds.
        Self { bytes_per_s: bytes_per_s.max(1 << 16), taken: BTreeMap::new(), open_s: 0 }
    }

    /// What is over is forgotten.
    fn advance(&mut self, now_ms: u64) {
        self.open_s = self.open_s.max(now_ms / 1_000);
        self.taken = self.taken.split_off(&(now_ms / 1_000));
    }

    fn left(&self, second: u64) -> u64 {
        self.bytes_per_s - self.taken.get(&second).copied().unwrap_or_default()
    }

    /// The first time from `from_ms` on at which something is left.
    fn free_from(&self, from_ms: u64) -> u64 {
        let from_s = self.open_s.max(from_ms / 1_000);
        // What is taken ends somewhere.
        let second = (from_s..).find(|second| self.left(*second) > 0).unwrap_or(u64::MAX);
        from_ms.max(second.saturating_mul(1_000))
    }

    /// Takes what is left from `start_ms` on, until all bytes have passed.
    fn take(&mut self, start_ms: u64, bytes: u64) {
        let mut bytes = bytes;
        for second in start_ms / 1_000.. {
            let part = bytes.min(self.left(second));
            if part > 0 {
                *self.taken.entry(second).or_default() += part;
            }
            bytes -= part;
            if bytes == 0 {
                break;
            }
        }
        while self.left(self.open_s) == 0 {
            self.open_s += 1;
        }
    }
}

/// What one plan looks at.
struct Round<'a> {
    now_ms: u64,
    picture: &'a Picture,
    seed: &'a BlockHash,
    board: Board<'a>,
    plan: Plan,
}

impl Round<'_> {
    fn end_ms(&self, rules: &RepairRules) -> u64 {
        self.now_ms.saturating_add(rules.window_ms)
    }
}

fn duration_ms(bytes: u64, bytes_per_s: u64) -> u64 {
    bytes.saturating_mul(1_000).div_ceil(bytes_per_s.max(1))
}

#[cfg(test)]
mod tests;
