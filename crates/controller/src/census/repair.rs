//! Which copies to make, and who is gone.

use super::Census;
use chainflix_primitives::{CellId, NodeId};

/// One cell to copy. Room at `to` is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyJob {
    /// Which cell.
    pub cell: CellId,
    /// Its bytes, as `from` says.
    pub size: u64,
    /// A living holder.
    pub from: NodeId,
    /// Who gets it.
    pub to: NodeId,
}

impl Census {
    /// Lets time pass: marks the silent as dead and forgets the long dead.
    pub fn tick(&mut self, now_ms: u64) {
        let silent = |seen_ms: u64, limit_ms: u64| now_ms.saturating_sub(seen_ms) > limit_ms;
        let dead_after = self.config.dead_after_ms;
        let forget_after = self.config.forget_after_ms;
        let mut bereft = Vec::new();
        for entry in self.providers.values_mut().filter(|entry| entry.alive && silent(entry.seen_ms, dead_after)) {
            entry.alive = false;
            bereft.extend(entry.held.keys().copied());
        }
        bereft.iter().for_each(|cell| self.weigh(cell));
        let gone = self.providers.iter().filter(|(_, entry)| silent(entry.seen_ms, forget_after));
        let gone: Vec<NodeId> = gone.map(|(node, _)| *node).collect();
        for node in gone {
            let held = self.providers.remove(&node).map(|entry| entry.held).unwrap_or_default();
            held.keys().for_each(|cell| self.unlink(&node, cell));
        }
    }

    /// Up to `most` copies to make now. Each is under way until [`Self::end`].
    pub fn copies(&mut self, most: usize, now_ms: u64) -> Vec<CopyJob> {
        if now_ms.saturating_sub(self.started_ms) < self.config.settle_ms {
            return Vec::new();
        }
        let waiting: Vec<CellId> = self.short.iter().filter(|cell| !self.under_way.contains(*cell)).copied().collect();
        let mut jobs = Vec::new();
        for cell in waiting {
            if jobs.len() == most {
                break;
            }
            jobs.extend(self.copy_of(cell));
        }
        jobs.iter().for_each(|job: &CopyJob| _ = self.begin(&job.cell));
        jobs
    }

    fn copy_of(&mut self, cell: CellId) -> Option<CopyJob> {
        let (from, entry) = self.holder_to_copy(&cell)?;
        let size = *entry.held.get(&cell)?;
        let placing = self.place(&cell, size, &[], &[]);
        let mut targets = placing.targets.into_iter();
        let to = targets.next();
        // One at a time; the next round makes the next.
        targets.for_each(|node| self.given_up(&node, size));
        Some(CopyJob { cell, size, from, to: to? })
    }
}
