//! What providers say, by which way it came: from themselves, or passed on by another controller.
//!
//! ```text
//! provider ── tells ─────────────────────────────▶ here: its own way, which takes over whenever it is there
//!     └────── tells ──▶ other controller ── passes on ──▶ here: second hand, where nothing was heard for a while
//! ```
//!
//! The words are the provider's either way: signed, numbered without gaps, and of this minute. What another controller can do is
//! what it could do by itself: enter providers of its own, or say nothing of others'. One way at a time counts, so that words of
//! two announcements do not mix. A provider at second hand is named to viewers and its copies count; but it may not know this
//! controller, or not be reached from here. So nothing is stored, copied, deleted or asked for there: whoever hears it itself
//! does that, and by the same seed.

use super::{Census, CensusError};
use chainflix_overlay::control::{ProviderWords, TELLING_MS, Told};
use chainflix_primitives::NodeId;

/// How a provider's words come here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From itself.
    Own,
    /// Through another controller; with what was heard last.
    Through { controller: NodeId, number: u64, at_ms: u64 },
}

impl Census {
    /// A provider says something itself, as its connection proves; of an announcement the card was checked. Answers one that
    /// leaves how many of its cells have too few copies elsewhere.
    pub fn told(&mut self, node: &NodeId, words: ProviderWords, now_ms: u64) -> Result<Option<u64>, CensusError> {
        let elsewhere = self.entries.get(node).is_some_and(|entry| entry.way != Way::Own);
        match words {
            ProviderWords::Announce(words) => self.announce(words, now_ms).map(|()| None),
            // They belong to an announcement that another one has taken the place of.
            _ if elsewhere => Err(CensusError::Unknown),
            words => self.follow(node, words, now_ms),
        }
    }

    /// Another controller passes on what a provider said. Its signature was checked; of an announcement the card, too.
    ///
    /// # Errors
    /// [`CensusError::Heard`] where nothing needs to be passed on for now, [`CensusError::Expired`] for words of another time, and
    /// [`CensusError::Unknown`] where words between are missing.
    pub fn passed(&mut self, controller: NodeId, told: Told, now_ms: u64) -> Result<(), CensusError> {
        let Told { node, number, at_ms, words } = told;
        if at_ms.abs_diff(now_ms) > TELLING_MS {
            return Err(CensusError::Expired);
        }
        // Whoever announces itself here does so within the first seconds.
        let is_young = now_ms.saturating_sub(self.started_ms) < self.config.settle_ms;
        if is_young || self.is_heard_elsewhere(&node, controller, now_ms) {
            return Err(CensusError::Heard);
        }
        match words {
            ProviderWords::Announce(words) if number == 0 => {
                if self.entries.get(&node).is_some_and(|entry| words.sequence <= entry.sequence) {
                    return Err(CensusError::Older);
                }
                self.announce(words, now_ms)?;
            }
            words => {
                let Some(Way::Through { controller: known, number: last, at_ms: before }) = self.way(&node) else {
                    return Err(CensusError::Unknown);
                };
                let next = if matches!(words, ProviderWords::Heartbeat(_)) { last } else { last.saturating_add(1) };
                if (known, next) != (controller, number) || at_ms <= before {
                    return Err(CensusError::Unknown);
                }
                self.follow(&node, words, now_ms)?;
            }
        }
        if let Some(entry) = self.entries.get_mut(&node) {
            entry.way = Way::Through { controller, number, at_ms };
        }
        Ok(())
    }

    /// Whether this controller hears a provider itself.
    pub(super) fn is_at_first_hand(&self, node: &NodeId) -> bool {
        self.way(node) == Some(Way::Own)
    }

    fn way(&self, node: &NodeId) -> Option<Way> {
        self.entries.get(node).map(|entry| entry.way)
    }

    /// Whether a provider is heard now, and not through `controller`.
    fn is_heard_elsewhere(&self, node: &NodeId, controller: NodeId, now_ms: u64) -> bool {
        let Some(entry) = self.entries.get(node) else { return false };
        let through = matches!(entry.way, Way::Through { controller: known, .. } if known == controller);
        let silent_ms = now_ms.saturating_sub(entry.seen_ms);
        !through && silent_ms <= self.config.reputation.patience.noticed_after_ms()
    }

    fn follow(&mut self, node: &NodeId, words: ProviderWords, now_ms: u64) -> Result<Option<u64>, CensusError> {
        match words {
            ProviderWords::Announce(_) => Err(CensusError::Unknown),
            ProviderWords::Inventory(page) => self.page(node, page, now_ms).map(|()| None),
            ProviderWords::Changes(words) => self.changes(node, words, now_ms).map(|()| None),
            ProviderWords::Heartbeat(words) => self.heartbeat(node, words, now_ms),
        }
    }
}
