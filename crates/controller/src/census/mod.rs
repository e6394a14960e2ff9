//! The census: what providers say of themselves, as the picture that placement decides with.
//!
//! ```text
//! announce ─▶ pages … last ─▶ alive ──20 s──▶ silent ──6 h──▶ lost ──a week──▶ forgotten
//!                               ▲──heartbeat────┘───────────────┘
//!
//! words ─▶ census ─ events ─▶ picture ─▶ orders        films, seeds ◀─ chain        audits ─▶ reputation
//! ```
//!
//! Pure: time and seeds are arguments, nothing waits. What is decided, and by which rules, is in `chainflix_placement`; here is
//! who said what. A provider's inventory replaces the old one when its last page is there. A silent provider is named to
//! nobody, and its copies count for the floor; a lost one's stay on the books, for it may come back with them, and do not
//! count (`chainflix_placement::patience`). While the census is young it orders nothing,
//! because after a restart every cell looks short until everybody has announced. A provider that *leaves* serves on, but its
//! copies count no more: they are made elsewhere first. One that is *quiet* counts, and is left in peace.

mod audience;
mod audits;
mod claim;
mod cold;
mod elsewhere;
mod entry;
mod hearsay;
mod numbers;
mod orders;
mod recall;
mod sharing;
mod trust;
mod turns;

pub use audits::AuditRules;
pub use elsewhere::CountError;
pub use numbers::{Audit, CensusConfig, CensusError, CensusStatus, Orders, Placing};
pub use turns::Turns;

use crate::authority::RegisteredFilm;
use audience::{Audience, Delivery};
use chainflix_overlay::control::{
    Announcement, Changes, Heartbeat, HeldCell, InventoryPage, ProviderCard, ProviderMode,
};
use chainflix_placement::{
    Event, Held, Picture, PictureConfig, PlaceTag, Standing,
    picture::Provider,
    repair::Repair,
    source::{Ask, Sources},
};
use chainflix_primitives::{AccountAddress, BlockHash, CellId, Magnet, NodeId, Signed};
use claim::Claim;
use entry::Entry;
use hearsay::Way;
use numbers::held;
use recall::Absent;
use sharing::SharingViewer;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
};
use tracing::debug;

/// Who holds what.
#[derive(Debug)]
pub struct Census {
    config: CensusConfig,
    started_ms: u64,
    picture: Picture,
    entries: BTreeMap<NodeId, Entry>,
    uploading: HashSet<CellId>,
    repair: Repair,
    sources: Sources,
    /// Viewers that serve what they watched.
    sharing: HashMap<NodeId, SharingViewer>,
    audience: Audience,
    films: usize,
    /// Providers that were known before a restart and have not come back.
    absent: BTreeMap<NodeId, Absent>,
    /// Accounts of providers that were disqualified, and until when they wait.
    out: HashMap<AccountAddress, u64>,
    /// Until when planning again is in vain, if nothing happens.
    rest_until_ms: u64,
    /// The newcomer that was given something last.
    given: NodeId,
    /// Nodes of registered providers; everybody, before the chain has said.
    registered: Option<HashSet<NodeId>>,
}

impl Census {
    /// An empty census, begun at `now_ms`.
    pub fn new(config: CensusConfig, now_ms: u64) -> Self {
        Self {
            config,
            started_ms: now_ms,
            // One patience: what is thought of a silent provider is what its copies are worth.
            picture: Picture::new(PictureConfig { patience: config.reputation.patience, ..config.picture }),
            entries: BTreeMap::new(),
            uploading: HashSet::new(),
            repair: Repair::new(config.repair),
            sources: Sources::new(config.source),
            sharing: HashMap::new(),
            audience: Audience::new(config.target, config.forecast, config.cold),
            films: 0,
            absent: BTreeMap::new(),
            out: HashMap::new(),
            rest_until_ms: 0,
            given: NodeId([0; 32]),
            registered: None,
        }
    }

    /// A provider enters, or enters again. Its card was checked.
    pub fn announce(&mut self, words: Announcement, now_ms: u64) -> Result<(), CensusError> {
        let (node, account) = (words.card.body.node, words.card.body.account);
        if let Some(again_ms) = self.out.get(&account).copied().filter(|again_ms| *again_ms > now_ms) {
            return Err(CensusError::Out { again_ms });
        }
        let full = self.entries.len() >= self.config.picture.providers_max;
        let claimed = self.config.claimed(words.uplink_bytes_per_s);
        match self.entries.get_mut(&node) {
            // Those of other ways are numbered by themselves.
            Some(entry) if words.sequence <= entry.sequence && entry.way == Way::Own => Err(CensusError::Older),
            Some(entry) => {
                entry.claim.renew(claimed);
                entry.enter(words, now_ms);
                Ok(())
            }
            None if full => Err(CensusError::Full),
            None => {
                self.entries.insert(node, Entry::new(words, Claim::new(claimed, self.config.slots), now_ms));
                Ok(())
            }
        }
    }

    /// Part of a provider's inventory; the last part makes it count.
    pub fn page(&mut self, node: &NodeId, page: InventoryPage, now_ms: u64) -> Result<(), CensusError> {
        let held_max = self.config.picture.held_max;
        let entry = self.known(node, page.sequence)?;
        let staged = entry.staged.as_mut().ok_or(CensusError::Unknown)?;
        if staged.len() + page.cells.len() > held_max {
            return Err(CensusError::Full);
        }
        staged.extend(page.cells.iter().map(|held| (held.cell, held.size)));
        match page.last {
            true => self.complete(node, now_ms),
            false => self.heard(node, now_ms),
        }
        Ok(())
    }

    /// Cells came and went on a provider.
    pub fn changes(&mut self, node: &NodeId, words: Changes, now_ms: u64) -> Result<(), CensusError> {
        let held_max = self.config.picture.held_max;
        self.known(node, words.sequence)?;
        let now_held = self.provider(node).map_or(0, |provider| provider.held().len());
        if now_held + words.gained.len() > held_max {
            return Err(CensusError::Full);
        }
        self.heard(node, now_ms);
        self.gained(node, &words.gained, now_ms);
        words.lost.iter().for_each(|cell| self.lost(node, cell, now_ms));
        Ok(())
    }

    /// A provider is still there. Answers one that leaves how many of its cells have too few copies elsewhere.
    pub fn heartbeat(&mut self, node: &NodeId, words: Heartbeat, now_ms: u64) -> Result<Option<u64>, CensusError> {
        let films = self.films;
        let entry = self.known(node, words.sequence)?;
        if entry.left_out_at.take_if(|known| *known < films).is_some() {
            // There is a place now for what had none: it shall tell again what it holds.
            return Err(CensusError::Unknown);
        }
        (entry.quota_bytes, entry.used_bytes) = (words.quota_bytes, words.used_bytes);
        let is_whole = entry.staged.is_none();
        let changed = std::mem::replace(&mut entry.mode, words.mode) != words.mode;
        self.heard(node, now_ms);
        if self.picture.find_provider(node).is_some() {
            let (quota_bytes, used_bytes) = (words.quota_bytes, words.used_bytes);
            self.tell(now_ms, &Event::Room { node: *node, quota_bytes, used_bytes });
        }
        if changed {
            self.present_mode(node, now_ms);
        }
        Ok((words.mode == ProviderMode::Leaving).then(|| match is_whole {
            true => self.needed(node),
            // While the inventory is on its way nobody knows what is needed.
            false => u64::MAX,
        }))
    }

    /// Where a provider can be reached, as it said itself. What is not a public address says nothing of a place.
    pub fn located(&mut self, node: &NodeId, addresses: impl Iterator<Item = IpAddr>, now_ms: u64) {
        let key = self.config.place_key;
        let Some(entry) = self.entries.get_mut(node) else { return };
        let mut networks: Vec<PlaceTag> = addresses
            .filter(|address| is_public(&address.to_canonical()))
            .map(|address| PlaceTag::network(&key, address))
            .collect();
        networks.sort_unstable();
        networks.dedup();
        if networks == entry.networks {
            return;
        }
        entry.networks = networks;
        let card = entry.card(&key);
        // Who is silent presents itself when it is back.
        if self.provider(node).is_some_and(|provider| provider.alive) {
            self.tell(now_ms, &Event::Seen(card));
        }
    }

    /// A film that the chain knows.
    pub fn film(&mut self, film: &RegisteredFilm, now_ms: u64) {
        let cells: Vec<Held> = film.cells.iter().filter_map(|cell| held(&cell.cell, cell.size)).collect();
        // The chain does not say where a film may be watched.
        let (magnet, home, countries) = (film.magnet, film.home, Vec::new());
        self.tell(now_ms, &Event::Film { magnet, home, countries, cells });
        self.striped(film, now_ms);
        self.films += 1;
    }

    /// A viewer was sent to a source for a cell of a film.
    pub fn served(&mut self, source: &NodeId, magnet: Magnet, cell: &CellId, viewer: AccountAddress, now_ms: u64) {
        self.sources.begun(*source);
        let full = self.claim_of(source).is_some_and(Claim::begun);
        let known = self.picture.find_film(&magnet).is_some();
        let delivery = Delivery { source: *source, cell: *cell, full };
        let over = self.audience.served(delivery, known.then_some((magnet, viewer)), now_ms);
        over.iter().for_each(|source| self.served_out(source));
    }

    /// A source has one viewer less, as far as anybody can tell.
    fn served_out(&mut self, source: &NodeId) {
        self.sources.ended(source);
        if let Some(claim) = self.claim_of(source) {
            claim.ended();
        }
    }

    /// A promised cell is durable on `node`.
    pub fn stored(&mut self, node: &NodeId, cell: HeldCell, now_ms: u64) {
        self.given_up(node, &cell.cell, now_ms);
        self.gained(node, &[cell], now_ms);
        let Some(entry) = self.entries.get_mut(node) else { return };
        // The next heartbeat says it exactly.
        entry.used_bytes = entry.used_bytes.saturating_add(cell.size);
        let (quota_bytes, used_bytes) = (entry.quota_bytes, entry.used_bytes);
        if self.picture.find_provider(node).is_some() {
            self.tell(now_ms, &Event::Room { node: *node, quota_bytes, used_bytes });
        }
    }

    /// A promised cell did not come; its room is free again.
    pub fn given_up(&mut self, node: &NodeId, cell: &CellId, now_ms: u64) {
        // Who was forgotten meanwhile has nothing promised any more.
        if self.picture.find_provider(node).is_some() {
            self.tell(now_ms, &Event::Ended { node: *node, cell: *cell });
        }
    }

    /// `node` holds `cell` no more.
    pub fn lost(&mut self, node: &NodeId, cell: &CellId, now_ms: u64) {
        if let Some(staged) = self.entries.get_mut(node).and_then(|entry| entry.staged.as_mut()) {
            staged.remove(cell);
        }
        if self.picture.find_provider(node).is_some() {
            self.tell(now_ms, &Event::Dropped { node: *node, cells: vec![*cell] });
        }
    }

    /// Providers that serve a cell, as they present themselves; at most `most`, the one that the seed draws first, and those
    /// that are full after the others.
    pub fn sources(&self, ask: &Ask<'_>, most: usize, seed: &BlockHash, now_ms: u64) -> Vec<Signed<ProviderCard>> {
        let mut named = self.sources.name(now_ms, &self.picture, seed, ask, most);
        named.sort_by_key(|node| self.is_full(node));
        named.iter().filter_map(|node| self.presented(node)).cloned().collect()
    }

    /// The census in numbers.
    pub fn status(&self) -> CensusStatus {
        let headroom_percent = self.config.repair.placement.headroom_percent;
        let alive = || self.picture.providers().filter(|(_, provider)| provider.alive);
        let trusted = |standing| alive().filter(|(_, provider)| provider.standing == standing).count();
        CensusStatus {
            providers_alive: alive().count(),
            providers_vetted: trusted(Standing::Vetted),
            providers_suspended: trusted(Standing::Suspended),
            providers: self.entries.len(),
            cells: self.picture.cell_count(),
            cells_short: self.picture.wanting_count(),
            stripes_short: self.picture.broken_count(),
            free_bytes: alive().map(|(_, row)| row.free_bytes(headroom_percent)).fold(0, u64::saturating_add),
        }
    }

    fn known(&mut self, node: &NodeId, sequence: u64) -> Result<&mut Entry, CensusError> {
        self.entries.get_mut(node).filter(|entry| entry.sequence == sequence).ok_or(CensusError::Unknown)
    }

    fn provider(&self, node: &NodeId) -> Option<&Provider> {
        self.picture.provider(self.picture.find_provider(node)?)
    }

    /// Tells the picture, and answers how many cells had no place.
    fn tell(&mut self, now_ms: u64, event: &Event) -> usize {
        if !matches!(event, Event::Room { .. } | Event::Coming { .. }) {
            self.rest_until_ms = 0;
        }
        self.picture.apply(now_ms, event).unwrap_or_else(|error| {
            debug!(%error, "the picture stays as it is");
            0
        })
    }

    fn gained(&mut self, node: &NodeId, cells: &[HeldCell], now_ms: u64) {
        if let Some(staged) = self.entries.get_mut(node).and_then(|entry| entry.staged.as_mut()) {
            staged.extend(cells.iter().map(|held| (held.cell, held.size)));
        }
        let cells: Vec<Held> = cells.iter().filter_map(|cell| held(&cell.cell, cell.size)).collect();
        if self.picture.find_provider(node).is_some() {
            let left_out = self.tell(now_ms, &Event::Gained { node: *node, cells: cells.clone() });
            self.remember_left_out(node, left_out);
            self.adopt(cells.into_iter().map(|held| held.cell), now_ms);
        }
    }

    /// The last page of an inventory is there.
    fn complete(&mut self, node: &NodeId, now_ms: u64) {
        let key = self.config.place_key;
        let Some(entry) = self.entries.get_mut(node) else { return };
        let staged = entry.staged.take().unwrap_or_default();
        let card = entry.card(&key);
        self.tell(now_ms, &Event::Seen(card));
        let before = self.provider(node).into_iter().flat_map(Provider::held);
        let names = before.filter_map(|cell| self.picture.cell(cell)).map(|row| row.id);
        let gone: Vec<CellId> = names.filter(|cell| !staged.contains_key(cell)).collect();
        self.tell(now_ms, &Event::Dropped { node: *node, cells: gone });
        let cells: Vec<Held> = staged.iter().filter_map(|(cell, size)| held(cell, *size)).collect();
        let left_out = self.tell(now_ms, &Event::Gained { node: *node, cells });
        self.remember_left_out(node, left_out);
        self.adopt(staged.into_keys(), now_ms);
        self.present_registration(node, now_ms);
        self.enter_record(node, now_ms);
        self.present_mode(node, now_ms);
    }

    fn remember_left_out(&mut self, node: &NodeId, left_out: usize) {
        let films = self.films;
        if let Some(entry) = self.entries.get_mut(node).filter(|_| left_out > 0) {
            entry.left_out_at = Some(films);
        }
    }

    /// Cells of a provider that have too few copies elsewhere.
    fn needed(&self, node: &NodeId) -> u64 {
        let held = self.provider(node).into_iter().flat_map(Provider::held);
        held.filter(|cell| self.picture.is_below_floor(*cell)).count() as u64
    }
}

/// Whether an address is one of the open Internet: of others there is one in every house (RFC 6890).
fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && b & 0xc0 == 64;
            let local = v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified();
            !(shared || local || v4.is_broadcast() || v4.is_documentation() || v4.is_multicast())
        }
        // Global unicast is 2000::/3; 2001:db8::/32 is for documents.
        IpAddr::V6(v6) => v6.segments()[0] & 0xe000 == 0x2000 && v6.segments()[..2] != [0x2001, 0xdb8],
    }
}

#[cfg(test)]
mod tests;
