//! Who has to show what it holds, and what comes of it.
//!
//! ```text
//! every hour ─▶ drawn: cell, chunk ─▶ asked ┬─ right in time ─▶ counts towards being vetted
//!                  ▲                        ├─ wrong, or not held ─▶ the copy is struck off; a bad mark
//!                  └──── a minute later ────┴─ nothing in time: the same question; the third time a bad mark, and no more
//!                                              before the next hour
//! ```
//!
//! Marks and their consequences are `chainflix_placement::reputation`'s. Bytes are checked by who asked.

use super::{Audit, Census, hearsay::Way};
use chainflix_placement::reputation::audit::{self, Challenge, Outcome};
use chainflix_primitives::{BlockHash, NodeId};

/// When providers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditRules {
    /// Time between two audits of one provider, in milliseconds.
    pub every_ms: u64,
    /// Time after which a question that was not answered in time is asked again, in milliseconds.
    pub again_ms: u64,
    /// How long a provider may take to show a chunk, in milliseconds.
    pub patience_ms: u64,
}

impl Default for AuditRules {
    fn default() -> Self {
        // A hundred audits fit into three weeks of vetting five times. A sleeping disk spins up within ten seconds, and 17 KiB
        // pass any line within five.
        Self { every_ms: 3_600_000, again_ms: 60_000, patience_ms: 15_000 }
    }
}

impl Census {
    /// What providers have to show now, at most `most` of them. `seed` is one that nobody controls.
    pub fn audits(&mut self, now_ms: u64, seed: &BlockHash, most: usize) -> Vec<Audit> {
        let rules = self.config.audit;
        let due = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.audit_ms <= now_ms && entry.way == Way::Own)
            .map(|(node, _)| *node);
        // Whom the last round did not reach comes before whom it did.
        let mut due: Vec<NodeId> = due.collect();
        due.sort_by_key(|node| self.entries.get(node).map(|entry| entry.audit_ms));
        due.truncate(most);
        let mut audits = Vec::new();
        for node in due {
            let drawn = self.draw(&node, now_ms, seed);
            audits.extend(drawn);
            if let Some(entry) = self.entries.get_mut(&node) {
                entry.audit_ms = now_ms.saturating_add(rules.every_ms);
            }
        }
        audits
    }

    /// The question for one provider: the one it left unanswered, or a new one.
    fn draw(&self, node: &NodeId, now_ms: u64, seed: &BlockHash) -> Option<Audit> {
        let patience_ms = self.config.audit.patience_ms;
        let index = self.picture.find_provider(node)?;
        // Who is silent is missed already; who rests is left in peace.
        self.picture.provider(index).filter(|provider| provider.alive && !provider.resting)?;
        let late = self.entries.get(node)?.late;
        let again = late.map(|(late, _)| Challenge { deadline_ms: now_ms.saturating_add(patience_ms), ..late });
        let challenge = again.or_else(|| audit::draw(&self.picture, index, seed, now_ms, patience_ms))?;
        let cell = self.picture.cell(self.picture.find_cell(&challenge.cell)?)?;
        Some(Audit { challenge, size: cell.size.into() })
    }

    /// What came of an audit: the right bytes, or others (`Some`), or nothing in time.
    pub fn audited(&mut self, audit: &Audit, shown: Option<bool>, now_ms: u64) {
        let (rules, Audit { challenge, .. }) = (self.config.reputation, *audit);
        let node = challenge.node;
        let Some(provider) = self.provider(&node) else { return };
        let cell = self.picture.find_cell(&challenge.cell);
        let outcome = match (shown, provider.alive) {
            (Some(true), _) => Outcome::Shown,
            (Some(false), _) if cell.is_some_and(|cell| provider.held().any(|held| held == cell)) => Outcome::Wrong,
            // It said meanwhile that it holds it no more.
            (Some(false), _) => return,
            (None, true) => Outcome::Late,
            (None, false) => Outcome::Away,
        };
        if outcome == Outcome::Wrong {
            // Whatever it says: this copy does not exist.
            self.lost(&node, &challenge.cell, now_ms);
        }
        let again_ms = now_ms.saturating_add(self.config.audit.again_ms);
        let Some(entry) = self.entries.get_mut(&node) else { return };
        let times = entry.late.take().map_or(0, |(_, times)| times) + 1;
        // Soon, as often as makes a bad mark; then it has until the next audit to mend its line.
        if outcome == Outcome::Late && times < rules.late_max {
            entry.late = Some((challenge, times));
            entry.audit_ms = entry.audit_ms.min(again_ms);
        }
        let Some(reputation) = entry.reputation.as_mut() else { return };
        let changes = reputation.audited(now_ms, outcome, &rules);
        self.carry(&node, changes, now_ms);
    }
}
