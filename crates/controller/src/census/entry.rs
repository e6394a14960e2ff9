//! One provider on the books: what it said, and its record.

use super::{claim::Claim, hearsay::Way};
use chainflix_overlay::control::{Announcement, ProviderCard, ProviderMode};
use chainflix_placement::{
    Card, PlaceTag, Region,
    reputation::{Reputation, audit::Challenge},
};
use chainflix_primitives::{CellId, Signed};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Entry {
    pub card: Signed<ProviderCard>,
    pub sequence: u64,
    /// How its words come here.
    pub way: Way,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    pub seen_ms: u64,
    /// What it is ready to do.
    pub mode: ProviderMode,
    /// What it says it shares a roof with; empty for nothing.
    site: String,
    /// What it says its line carries.
    pub claim: Claim,
    /// The networks it says it is reached at.
    pub networks: Vec<PlaceTag>,
    /// The inventory of an announcement whose last page has not come yet.
    pub staged: Option<BTreeMap<CellId, u64>>,
    /// From its first whole inventory on.
    pub reputation: Option<Reputation>,
    /// How many films were known when not all that it holds had a place.
    pub left_out_at: Option<usize>,
    /// When it is audited next.
    pub audit_ms: u64,
    /// What it was asked and did not show in time, and how often.
    pub late: Option<(Challenge, u8)>,
}

impl Entry {
    pub(super) fn new(words: Announcement, claim: Claim, now_ms: u64) -> Self {
        Self {
            card: words.card,
            sequence: words.sequence,
            way: Way::Own,
            quota_bytes: words.quota_bytes,
            used_bytes: words.used_bytes,
            seen_ms: now_ms,
            mode: ProviderMode::Open,
            site: words.site,
            claim,
            networks: Vec::new(),
            staged: Some(BTreeMap::new()),
            reputation: None,
            left_out_at: None,
            audit_ms: u64::MAX,
            late: None,
        }
    }

    /// A new announcement of a known provider. What it held counts on until the new inventory is complete.
    pub(super) fn enter(&mut self, words: Announcement, now_ms: u64) {
        self.card = words.card;
        self.sequence = words.sequence;
        self.way = Way::Own;
        self.quota_bytes = words.quota_bytes;
        self.used_bytes = words.used_bytes;
        self.site = words.site;
        self.seen_ms = now_ms;
        self.staged = Some(BTreeMap::new());
    }

    /// It as a picture knows it. A region that is none is a place that nobody told; sites are told apart under `key`, but for
    /// capitals and blanks around them.
    pub(super) fn card(&self, key: &[u8; 32]) -> Card {
        let card = &self.card.body;
        let site = self.site.trim();
        Card {
            node: card.node,
            account: card.account,
            region: card.region.parse().unwrap_or(Region::UNKNOWN),
            networks: self.networks.clone(),
            site: (!site.is_empty()).then(|| PlaceTag::site(key, &site.to_lowercase())),
            quota_bytes: self.quota_bytes,
            used_bytes: self.used_bytes,
            slots: self.claim.slots(),
        }
    }
}
