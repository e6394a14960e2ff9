//! One provider on the books.

use crate::placement::Candidate;
use chainflix_overlay::control::{Announcement, ProviderCard, ProviderMode};
use chainflix_primitives::{CellId, NodeId, Signed};
use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct Entry {
    pub card: Signed<ProviderCard>,
    pub sequence: u64,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    /// Room for cells that are on their way.
    pub promised_bytes: u64,
    pub seen_ms: u64,
    /// Whether it is heard of.
    pub alive: bool,
    /// What it is ready to do.
    pub mode: ProviderMode,
    pub held: HashMap<CellId, u64>,
    /// The inventory of an announcement whose last page has not come yet.
    pub staged: Option<HashMap<CellId, u64>>,
}

impl Entry {
    pub(super) fn new(words: Announcement, now_ms: u64) -> Self {
        Self {
            card: words.card,
            sequence: words.sequence,
            quota_bytes: words.quota_bytes,
            used_bytes: words.used_bytes,
            promised_bytes: 0,
            seen_ms: now_ms,
            alive: false,
            mode: ProviderMode::Open,
            held: HashMap::new(),
            staged: Some(HashMap::new()),
        }
    }

    /// A new announcement of a known provider. What it held counts on until the new inventory is complete.
    pub(super) fn enter(&mut self, words: Announcement, now_ms: u64) {
        self.card = words.card;
        self.sequence = words.sequence;
        self.quota_bytes = words.quota_bytes;
        self.used_bytes = words.used_bytes;
        self.seen_ms = now_ms;
        self.staged = Some(HashMap::new());
    }

    /// Whether its copies count.
    pub(super) fn stays(&self) -> bool {
        self.alive && self.mode != ProviderMode::Leaving
    }

    /// Whether it gives cells away now.
    pub(super) fn serves(&self) -> bool {
        self.alive && self.mode != ProviderMode::Quiet
    }

    pub(super) fn candidate(&self, node: NodeId, headroom_percent: u64) -> Candidate {
        let headroom_bytes = self.quota_bytes / 100 * headroom_percent.min(100);
        let taken_bytes = self.used_bytes.saturating_add(self.promised_bytes).saturating_add(headroom_bytes);
        Candidate {
            node,
            account: self.card.body.account,
            region: self.card.body.region.clone(),
            free_bytes: self.quota_bytes.saturating_sub(taken_bytes),
        }
    }
}
