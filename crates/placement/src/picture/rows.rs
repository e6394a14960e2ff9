//! Providers, cells and films as a picture keeps them, and the sizes it is kept within.

use super::StripeRules;
use crate::{
    Card, Country, Held, NETWORKS_MAX, PlaceTag, Region, Standing, Wants, draw::runner, patience::PatienceRules,
};
use chainflix_primitives::{
    AccountAddress, CellId, Magnet, NodeId,
    stripe::{STRIPE_CELLS, STRIPE_PARITY},
};
use smallvec::SmallVec;

/// A provider's number in one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderIndex(pub u32);

/// A cell's number in one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellIndex(pub u32);

/// How large a picture may get, and what every cell gets at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureConfig {
    /// Copies of every cell of a film.
    pub floor: u8,
    /// Copies of a cell that no film has (yet): 0 leaves it where it is.
    pub stray_floor: u8,
    /// What copies at silent providers are worth.
    pub patience: PatienceRules,
    /// When stripes are mended.
    pub stripes: StripeRules,
    /// Most providers.
    pub providers_max: usize,
    /// Most cells.
    pub cells_max: usize,
    /// Most cells that no film has: they cost whoever invents them nothing.
    pub strays_max: usize,
    /// Most films.
    pub films_max: usize,
    /// Most cells of one provider.
    pub held_max: usize,
    /// Most holders of one cell.
    pub holders_max: usize,
}

impl Default for PictureConfig {
    fn default() -> Self {
        Self {
            floor: 3,
            stray_floor: 0,
            patience: PatienceRules::default(),
            stripes: StripeRules::default(),
            providers_max: 100_000,
            cells_max: 8_000_000,
            strays_max: 100_000,
            films_max: 1_000_000,
            held_max: 1_000_000,
            holders_max: 1_000,
        }
    }
}

/// Why a picture does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// There is no such provider.
    #[error("there is no provider {0}")]
    UnknownProvider(NodeId),
    /// There is no such film.
    #[error("there is no film {0}")]
    UnknownFilm(Magnet),
    /// A table has no place left.
    #[error("there are {most} {what} already")]
    Full { what: &'static str, most: usize },
}

/// A provider.
#[derive(Debug)]
pub struct Provider {
    /// Its node.
    pub node: NodeId,
    /// Whose disk it is.
    pub account: AccountAddress,
    /// Where it stands.
    pub region: Region,
    /// The networks it is reached at.
    pub networks: SmallVec<[PlaceTag; 2]>,
    /// What it says it shares a roof with.
    pub site: Option<PlaceTag>,
    /// Bytes it donates.
    pub quota_bytes: u64,
    /// Bytes of those that are taken.
    pub used_bytes: u64,
    /// Bytes of cells on their way to it.
    pub promised_bytes: u64,
    /// Viewers it can serve at a time.
    pub slots: u16,
    /// Whether it is heard.
    pub alive: bool,
    /// Whether it is not, and waited for.
    pub silent: bool,
    /// Whether it rests.
    pub resting: bool,
    /// How far it is trusted.
    pub standing: Standing,
    /// Whether validators send viewers to it, as far as is known.
    pub registered: bool,
    /// By which it runs in draws.
    pub(crate) key: u64,
    /// What it holds, in the order of the numbers.
    pub(super) held: Vec<u32>,
    /// How many cells are on their way to it.
    pub(super) coming: u32,
}

impl Provider {
    pub(super) fn new(card: &Card) -> Self {
        let mut provider = Self {
            node: card.node,
            account: card.account,
            region: card.region,
            networks: SmallVec::new(),
            site: None,
            quota_bytes: 0,
            used_bytes: 0,
            promised_bytes: 0,
            slots: 0,
            alive: true,
            silent: false,
            resting: false,
            standing: Standing::default(),
            registered: true,
            key: runner(&card.node.0),
            held: Vec::new(),
            coming: 0,
        };
        provider.present(card);
        provider
    }

    /// It presents itself, again or for the first time.
    pub(super) fn present(&mut self, card: &Card) {
        self.account = card.account;
        self.region = card.region;
        self.networks = card.networks.iter().copied().take(NETWORKS_MAX).collect();
        self.site = card.site;
        self.quota_bytes = card.quota_bytes;
        self.used_bytes = card.used_bytes;
        self.slots = card.slots;
        self.hear();
    }

    pub(super) fn hear(&mut self) {
        (self.alive, self.silent) = (true, false);
    }

    /// It is silent. Who is lost stays lost until it is heard.
    pub(super) fn miss(&mut self) {
        (self.alive, self.silent) = (false, self.alive || self.silent);
    }

    pub(super) fn lose(&mut self) {
        (self.alive, self.silent) = (false, false);
    }

    /// Whether its copies count, whatever they are for.
    pub fn counts(&self) -> bool {
        self.alive && self.is_trusted()
    }

    /// Whether its copies count for the floor alone: it is silent, and waited for.
    pub fn is_awaited(&self) -> bool {
        self.silent && self.is_trusted()
    }

    fn is_trusted(&self) -> bool {
        matches!(self.standing, Standing::Vetting | Standing::Vetted)
    }

    /// Whether viewers are sent to it. Who leaves serves to the end.
    pub fn serves(&self) -> bool {
        self.alive && !self.resting && self.standing != Standing::Suspended
    }

    /// Bytes it can still take when `headroom_percent` of its quota stay free.
    pub fn free_bytes(&self, headroom_percent: u64) -> u64 {
        let headroom_bytes = self.quota_bytes / 100 * headroom_percent.min(100);
        let taken_bytes = self.used_bytes.saturating_add(self.promised_bytes).saturating_add(headroom_bytes);
        self.quota_bytes.saturating_sub(taken_bytes)
    }

    /// What it holds.
    pub fn held(&self) -> impl ExactSizeIterator<Item = CellIndex> + '_ {
        self.held.iter().copied().map(CellIndex)
    }

    /// Whether the loss of one is likely the loss of both: one account, network or site.
    pub fn shares_fate(&self, other: &Self) -> bool {
        self.account == other.account
            || (self.site.is_some() && self.site == other.site)
            || self.networks.iter().any(|network| other.networks.contains(network))
    }
}

/// A cell.
#[derive(Debug)]
pub struct Cell {
    /// Its name.
    pub id: CellId,
    /// Its bytes: as its film says, before that as its first holder said.
    pub size: u32,
    /// Its film's number; [`NO_FILM`] while no film has it.
    pub(super) film: u32,
    /// Who holds it, alive or not, in the order of the numbers.
    pub(super) holders: SmallVec<[u32; 4]>,
    /// Which piece of which stripe of its film it is.
    pub(super) piece: Option<PieceOf>,
    /// Its place in the list of short cells: how many copies are heard and silent together, and how many are heard.
    pub(super) short_at: Option<(u8, u8)>,
}

pub(super) const NO_FILM: u32 = u32::MAX;

/// A piece of one of a film's stripes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PieceOf {
    /// The stripe's number in the film: a film of a day has 360.
    pub stripe: u16,
    /// The cells first, then the parity cells.
    pub number: u8,
}

/// A stripe's rows.
#[derive(Debug)]
pub(super) struct StripeRow {
    /// Cells, then parity cells.
    pub pieces: [u32; PIECES],
    /// Its place in the list of broken stripes.
    pub broken_at: Option<(bool, u8)>,
}

/// Pieces of a stripe.
pub(super) const PIECES: usize = STRIPE_CELLS + STRIPE_PARITY;

impl Cell {
    /// A cell that nobody holds.
    pub(super) fn new(held: &Held, film: u32) -> Self {
        Self { id: held.cell, size: held.size, film, holders: SmallVec::new(), piece: None, short_at: None }
    }

    /// Whether it is a parity cell, which nobody watches.
    pub fn is_parity(&self) -> bool {
        self.piece.is_some_and(|piece| usize::from(piece.number) >= STRIPE_CELLS)
    }

    /// Who holds it, alive or not.
    pub fn holders(&self) -> impl ExactSizeIterator<Item = ProviderIndex> + '_ {
        self.holders.iter().copied().map(ProviderIndex)
    }
}

/// A film.
#[derive(Debug)]
pub struct Film {
    /// Where it is at home: where its last copies stay.
    pub home: Region,
    /// Where it may be watched; everywhere, if nothing is named.
    pub countries: Vec<Country>,
    /// How many copies its viewers want; `total` is at least what its regions want together.
    pub wants: Wants,
    /// Its name.
    pub magnet: Magnet,
    /// Whether its stripes are kept, and not the floor's copies of their cells.
    pub coded: bool,
    pub(super) cells: Vec<u32>,
    pub(super) stripes: Vec<StripeRow>,
}

impl Film {
    /// Whether a disk in `region` may hold it. An unknown place may hold what may be watched everywhere.
    pub fn may_lie_in(&self, region: Region) -> bool {
        self.countries.is_empty() || region.country().is_some_and(|country| self.countries.contains(&country))
    }
}
