//! Viewers that serve what they watched: believed for two minutes, counted on by nobody.
//!
//! What they share is no copy: it keeps no cell from being short, is never copied from, and is never asked for. It only adds
//! a name to draw from. Bounded by the viewers that are known ([`SHARERS_MAX`]; one more is told that the table is full) and
//! by the rules of [`Sources`](chainflix_placement::source::Sources), which forgets the oldest.

use super::{Census, CensusError, claim::Claim};
use chainflix_overlay::control::{ProviderCard, SHARE_MS, Share};
use chainflix_placement::{Region, source::Sharer};
use chainflix_primitives::{NodeId, Signed};

/// Most viewers that share at a time.
pub(super) const SHARERS_MAX: usize = 100_000;

/// A viewer that shares.
#[derive(Debug)]
pub(super) struct SharingViewer {
    pub card: Signed<ProviderCard>,
    /// What it says its line carries.
    pub claim: Claim,
    until_ms: u64,
}

impl Census {
    /// A viewer serves cells, or none any more. Its card was checked. Those that no film has and nobody else holds are not
    /// remembered.
    pub fn share(&mut self, words: Share, now_ms: u64) -> Result<(), CensusError> {
        let card = &words.card.body;
        let (node, account) = (card.node, card.account);
        if let Some(again_ms) = self.out.get(&account).copied().filter(|again_ms| *again_ms > now_ms) {
            return Err(CensusError::Out { again_ms });
        }
        if words.cells.is_empty() {
            // Whoever does not present itself is not named, whatever is remembered of its cells.
            self.sharing.remove(&node);
            return Ok(());
        }
        if self.sharing.len() >= SHARERS_MAX && !self.sharing.contains_key(&node) {
            return Err(CensusError::Full);
        }
        let until_ms = now_ms.saturating_add(SHARE_MS);
        let region = card.region.parse().unwrap_or(Region::UNKNOWN);
        let usual = self.config.slots;
        let mut claim =
            self.sharing.remove(&node).map_or_else(|| Claim::new(words.slots, usual), |viewer| viewer.claim);
        claim.renew(words.slots);
        let slots = claim.slots();
        for cell in words.cells.iter().filter(|cell| self.picture.find_cell(cell).is_some()) {
            self.sources.shared(*cell, Sharer { node, account, region, slots, until_ms });
        }
        self.sharing.insert(node, SharingViewer { card: words.card, claim, until_ms });
        Ok(())
    }

    /// Forgets viewers that have not said for a while that they share.
    pub(super) fn forget_sharing(&mut self, now_ms: u64) {
        self.sharing.retain(|_, viewer| viewer.until_ms > now_ms);
    }

    /// How a source presents itself: a provider, or a viewer that shares.
    pub(super) fn presented(&self, node: &NodeId) -> Option<&Signed<ProviderCard>> {
        let provider = self.entries.get(node).map(|entry| &entry.card);
        provider.or_else(|| self.sharing.get(node).map(|viewer| &viewer.card))
    }
}
