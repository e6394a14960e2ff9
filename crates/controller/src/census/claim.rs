//! What a source's word about its uplink is worth: as much as it was seen to carry.
//!
//! ```text
//! viewer is sent there ─▶ busy ┬─ comes back for the next cell ─ it was full ─▶ one viewer more, up to what it claims
//!                              ├─ asks for the rest elsewhere ─▶ half as many
//!                              └─ is not heard of again ─▶ nothing: people stop watching
//! ```
//!
//! A claim is not measured before it is believed, so it is believed slowly: a line is thought to carry what every line is
//! thought to carry, and a claim only says how far that may grow. A claim of less is believed at once. Viewers lie too: one
//! account alone halves a claim once, until another one complains. Friends of a source can raise it, up to what it claims, and
//! then each viewer that it fails halves it. Whoever is halved is still sent viewers, and gets back what it carries. Nothing of
//! this outlives a restart.

use super::{Census, CensusConfig};
use chainflix_placement::Event;
use chainflix_primitives::{AccountAddress, CellId, Magnet, NodeId};

/// How many viewers a source is thought to serve at a time.
#[derive(Debug)]
pub(super) struct Claim {
    claimed: u16,
    believed: u16,
    busy: u16,
    /// Who complained last.
    doubter: Option<AccountAddress>,
}

impl Claim {
    /// Of a source that claims so many, where `usual` are believed of anybody.
    pub fn new(claimed: u16, usual: u16) -> Self {
        Self { claimed, believed: usual, busy: 0, doubter: None }
    }

    /// It claims something else.
    pub fn renew(&mut self, claimed: u16) {
        self.claimed = claimed;
    }

    /// Viewers that it is thought to serve at a time.
    pub fn slots(&self) -> u16 {
        self.claimed.min(self.believed).max(1)
    }

    /// Whether it serves as many as it is thought to.
    pub fn is_full(&self) -> bool {
        self.busy >= self.slots()
    }

    /// One viewer more; says whether it is full with it.
    pub fn begun(&mut self) -> bool {
        self.busy = self.busy.saturating_add(1);
        self.is_full()
    }

    /// One viewer less.
    pub fn ended(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    /// A viewer that it served while it was full came back for more.
    pub fn carried(&mut self) {
        if self.believed < self.claimed {
            self.believed += 1;
        }
    }

    /// A viewer asked for the rest elsewhere.
    pub fn failed(&mut self, viewer: AccountAddress) {
        if self.doubter != Some(viewer) {
            self.doubter = Some(viewer);
            self.believed = (self.slots() / 2).max(1);
        }
    }
}

/// What became of a delivery, as the viewer's next question says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It wants another cell of the film.
    Carried,
    /// It wants no more from this source.
    Failed,
}

impl CensusConfig {
    /// Viewers that an uplink carries at a time, in the owner's words. Who says nothing has a line like others.
    pub(super) fn claimed(&self, uplink_bytes_per_s: u64) -> u16 {
        match uplink_bytes_per_s {
            0 => self.slots,
            uplink => u16::try_from(uplink / self.slot_bytes_per_s.max(1)).unwrap_or(u16::MAX).max(1),
        }
    }
}

impl Census {
    /// A viewer asks for a source of a cell: that says what became of the delivery before. Its signature was checked.
    pub fn asked(&mut self, viewer: AccountAddress, magnet: Magnet, cell: &CellId, excluded: &[NodeId], now_ms: u64) {
        self.rouse(magnet, now_ms);
        let Some((source, word)) = self.audience.asked(&(magnet, viewer), cell, excluded, now_ms) else { return };
        let Some(claim) = self.claim_of(&source) else { return };
        let before = claim.slots();
        match word {
            Word::Carried => claim.carried(),
            Word::Failed => claim.failed(viewer),
        }
        if claim.slots() != before {
            self.present_slots(&source, now_ms);
        }
    }

    /// What a source claims: a provider, or a viewer that shares.
    pub(super) fn claim_of(&mut self, source: &NodeId) -> Option<&mut Claim> {
        let provider = self.entries.get_mut(source).map(|entry| &mut entry.claim);
        provider.or_else(|| self.sharing.get_mut(source).map(|viewer| &mut viewer.claim))
    }

    /// Whether a source has as many viewers as it is thought to serve.
    pub fn is_full(&self, source: &NodeId) -> bool {
        let provider = self.entries.get(source).map(|entry| &entry.claim);
        provider.or_else(|| self.sharing.get(source).map(|viewer| &viewer.claim)).is_some_and(Claim::is_full)
    }

    /// Tells the picture; viewers that share are weighed anew when they say again what they share.
    fn present_slots(&mut self, node: &NodeId, now_ms: u64) {
        // Who is silent presents itself when it is back.
        if !self.provider(node).is_some_and(|provider| provider.alive) {
            return;
        }
        let Some(card) = self.entries.get(node).map(|entry| entry.card(&self.config.place_key)) else { return };
        // Nothing to plan for: no copy came or went.
        let rest_until_ms = self.rest_until_ms;
        self.tell(now_ms, &Event::Seen(card));
        self.rest_until_ms = rest_until_ms;
    }
}
