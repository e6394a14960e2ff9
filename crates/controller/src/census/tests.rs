//! The census as a pure function of what it was told.

mod audits;
mod claim;
mod cold;
mod elsewhere;
mod hearsay;
mod home;
mod inventory;
mod places;
mod recall;
mod repair;
mod sharing;

use super::*;
use crate::authority::RegisteredCell;
use chainflix_overlay::control::{SHARE_MS, Share};
use chainflix_placement::{
    Region,
    patience::PatienceRules,
    reputation::{ReputationRules, audit::Challenge},
};
use chainflix_primitives::{AccountKey, BoxPublicKey};

const SIZE: u64 = 1_000;
const SEED: BlockHash = BlockHash([7; 32]);

fn node(number: u8) -> NodeId {
    NodeId([number; 32])
}

fn cell(number: u8) -> CellId {
    CellId([number; 32])
}

fn announcement(number: u8, sequence: u64, quota_bytes: u64) -> Announcement {
    let key = AccountKey::from_bytes(&[number; 32]).unwrap();
    let card = ProviderCard {
        account: key.address(),
        node: node(number),
        box_key: BoxPublicKey([number; 32]),
        region: String::new(),
    };
    let (card, site) = (Signed::new(card, &key), String::new());
    Announcement { card, sequence, quota_bytes, used_bytes: 0, uplink_bytes_per_s: 0, site }
}

fn page(sequence: u64, cells: &[u8], last: bool) -> InventoryPage {
    InventoryPage { sequence, cells: cells.iter().map(|n| HeldCell { cell: cell(*n), size: SIZE }).collect(), last }
}

fn enter(census: &mut Census, number: u8, cells: &[u8], now_ms: u64) {
    census.announce(announcement(number, now_ms + 1, 100 * SIZE), now_ms).unwrap();
    census.page(&node(number), page(now_ms + 1, cells, true), now_ms).unwrap();
}

fn beat(census: &mut Census, number: u8, sequence: u64, now_ms: u64) -> Result<Option<u64>, CensusError> {
    beat_as(census, number, sequence, ProviderMode::Open, now_ms)
}

fn beat_as(
    census: &mut Census,
    number: u8,
    sequence: u64,
    mode: ProviderMode,
    now_ms: u64,
) -> Result<Option<u64>, CensusError> {
    let words = Heartbeat { sequence, mode, quota_bytes: 100 * SIZE, used_bytes: 0 };
    census.heartbeat(&node(number), words, now_ms)
}

fn census() -> Census {
    Census::new(CensusConfig { settle_ms: 0, ..CensusConfig::default() }, 0)
}

/// Who is named to a viewer, in the order of the nodes.
fn sources_beside(census: &Census, number: u8, excluded: &[NodeId]) -> Vec<NodeId> {
    let (viewer, cell) = (AccountAddress([200; 20]), cell(number));
    let ask = Ask { viewer, region: Region::UNKNOWN, cell: &cell, excluded };
    let mut named: Vec<_> = census.sources(&ask, 10, &SEED, 0).iter().map(|card| card.body.node).collect();
    named.sort_unstable();
    named
}

fn sources(census: &Census, number: u8) -> Vec<NodeId> {
    sources_beside(census, number, &[])
}

/// Copies that are ordered: cell, source, target.
fn copies(census: &mut Census, now_ms: u64) -> Vec<(CellId, NodeId, NodeId)> {
    let orders = census.orders(now_ms, &SEED, 10, 0);
    assert_eq!(orders.drops, []);
    orders.copies.into_iter().map(|order| (order.cell, order.from, order.to)).collect()
}

fn place(census: &mut Census, number: u8, size: u64, unwanted: &[NodeId]) -> Placing {
    census.place(HeldCell { cell: cell(number), size }, unwanted, &SEED, 0)
}

fn held_cell(number: u8) -> HeldCell {
    HeldCell { cell: cell(number), size: SIZE }
}

/// A census of a film of cells 1 to `cells`, told by the chain.
fn census_with_film(cells: u8, change: impl FnOnce(&mut CensusConfig)) -> Census {
    let mut config = CensusConfig { settle_ms: 0, ..CensusConfig::default() };
    change(&mut config);
    let mut census = Census::new(config, 0);
    let cells = (1..=cells).map(|number| RegisteredCell { cell: cell(number), size: SIZE }).collect();
    census.film(&RegisteredFilm { magnet: FILM, home: HOME, cells, stripes: Vec::new() }, 0);
    census
}

const FILM: Magnet = Magnet([3; 32]);
const HOME: Region = Region::UNKNOWN;
const DAY_MS: u64 = 86_400_000;

/// Everybody is trusted at once, and heard for ever.
fn trusting(config: &mut CensusConfig) {
    config.reputation = ReputationRules {
        vetting_audits: 0,
        vetting_ms: 0,
        patience: PatienceRules::none(u64::MAX / 2),
        ..ReputationRules::default()
    };
}

/// A census whose first provider holds a film of which the others have the copies, and its first question.
fn audited_census(change: impl FnOnce(&mut CensusConfig)) -> (Census, Audit) {
    let mut census = census_with_film(1, |config| {
        config.reputation =
            ReputationRules { memory_permille: 500, patience: PatienceRules::none(DAY_MS), ..config.reputation };
        change(config);
    });
    census.audit_all_at(0);
    enter(&mut census, 1, &[1, 2], 0);
    census.audit_all_at(0);
    let audits = census.audits(0, &SEED, 10);
    (2..=3).for_each(|number| enter(&mut census, number, &[1], 0));
    (census, audits[0])
}

impl Census {
    /// Does away with the spread over the hour.
    fn audit_all_at(&mut self, now_ms: u64) {
        self.entries.values_mut().for_each(|entry| entry.audit_ms = now_ms);
    }
}
