//! The picture of the network: who is there, how much room they have, who holds what.
//!
//! ```text
//!  Seen ─▶ alive ─Silent─▶ silent ─Lost─▶ lost ─Forgotten─▶ gone    a cell: holders  8 ─ 1043 ─ 17211
//!            ▲─────Back──────┘──────────────┘                      a provider: cells  3 ─ 90 ─ 4127 ─ …
//! ```
//!
//! A million cells on twenty thousand disks are kept as numbers: each cell has the short, sorted list of its holders, each
//! provider the sorted list of its cells. A silent provider's copies count for the floor ([`crate::patience`]); a lost one's
//! stay on the books, for it may come back with them, and do not count. After every event the cells it touched are weighed again, so that the lists of the short and the
//! surplus are always true.
//!
//! Every table is bounded by [`PictureConfig`]. A new provider or film that has no place is refused; cells that have no place
//! are left out of an inventory and counted. Cells that no chain knows have a bound of their own.

mod films;
mod inventory;
mod rows;
mod shortage;
mod stripes;
mod table;

pub use rows::{Cell, CellIndex, Film, PictureConfig, PictureError, Provider, ProviderIndex};
pub use shortage::Lack;
pub use stripes::{Piece, StripeIndex, StripeRules, StripeState};

use crate::{Card, Event};
use chainflix_primitives::{CellId, Magnet, NodeId};
use rows::NO_FILM;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use table::Table;

/// Who holds what: a fold over [`Event`]s.
#[derive(Debug)]
pub struct Picture {
    config: PictureConfig,
    providers: Table<NodeId, Provider>,
    cells: Table<CellId, Cell>,
    films: Table<Magnet, Film>,
    strays: usize,
    /// Cells with too few copies: those that are heard and silent together, those that are heard, and the number.
    short: BTreeSet<(u8, u8, u32)>,
    /// Since when each of them is.
    short_since: BTreeMap<u32, u64>,
    /// Cells with too many, and since when.
    surplus: BTreeMap<u32, u64>,
    /// Cells on their way: to whom, and how many bytes were promised.
    coming: BTreeMap<u32, SmallVec<[(u32, u32); 2]>>,
    /// Stripes of which pieces have to be made anew: first those that are watched, then those with the fewest pieces; film and
    /// number.
    broken: BTreeSet<(bool, u8, u32, u16)>,
}

impl Picture {
    /// An empty picture.
    pub fn new(config: PictureConfig) -> Self {
        Self {
            config,
            providers: Table::new(config.providers_max),
            cells: Table::new(config.cells_max),
            films: Table::new(config.films_max),
            strays: 0,
            short: BTreeSet::new(),
            short_since: BTreeMap::new(),
            surplus: BTreeMap::new(),
            coming: BTreeMap::new(),
            broken: BTreeSet::new(),
        }
    }

    /// Takes in what happened at `now_ms`, and answers how many cells had no place.
    ///
    /// # Errors
    /// When it is about somebody unknown, or a table is full; then nothing has changed.
    pub fn apply(&mut self, now_ms: u64, event: &Event) -> Result<usize, PictureError> {
        match event {
            Event::Seen(card) => self.seen(card, now_ms)?,
            Event::Room { node, quota_bytes, used_bytes } => {
                let number = self.known(node)?;
                if let Some(provider) = self.providers.get_mut(number) {
                    (provider.quota_bytes, provider.used_bytes) = (*quota_bytes, *used_bytes);
                }
            }
            Event::Lost(node) => self.change(node, now_ms, Provider::lose)?,
            Event::Back(node) => self.change(node, now_ms, Provider::hear)?,
            Event::Silent(node) => self.change(node, now_ms, Provider::miss)?,
            Event::Forgotten(node) => self.forget(node, now_ms)?,
            Event::Trusted { node, standing } => self.change(node, now_ms, |provider| provider.standing = *standing)?,
            Event::Gained { node, cells } => return self.gained(node, cells, now_ms),
            Event::Dropped { node, cells } => self.dropped(node, cells, now_ms)?,
            Event::Coming { node, cell } => self.expect(node, cell, now_ms)?,
            Event::Ended { node, cell } => self.end(node, cell, now_ms)?,
            Event::Film { magnet, home, countries, cells } => self.film(*magnet, *home, countries, cells, now_ms)?,
            Event::Wanted { magnet, wants } => self.wanted(magnet, wants, now_ms)?,
            Event::Registered { node, registered } => {
                self.change(node, now_ms, |provider| provider.registered = *registered)?;
            }
            Event::Striped { magnet, stripes } => self.striped(magnet, stripes, now_ms)?,
            Event::Coded { magnet, coded } => self.coded(magnet, *coded, now_ms)?,
            Event::Resting { node, resting } => self.change(node, now_ms, |provider| provider.resting = *resting)?,
        }
        Ok(0)
    }

    /// Takes in a whole log.
    ///
    /// # Errors
    /// The first event that cannot be applied: a log of events that were.
    pub fn replay(config: PictureConfig, log: &[(u64, Event)]) -> Result<Self, PictureError> {
        let mut picture = Self::new(config);
        log.iter().try_for_each(|(now_ms, event)| picture.apply(*now_ms, event).map(|_| ()))?;
        Ok(picture)
    }

    /// The sizes it is kept within.
    pub fn config(&self) -> &PictureConfig {
        &self.config
    }

    /// A provider by its node.
    pub fn find_provider(&self, node: &NodeId) -> Option<ProviderIndex> {
        self.providers.find(node).map(ProviderIndex)
    }

    /// A provider by its number.
    pub fn provider(&self, index: ProviderIndex) -> Option<&Provider> {
        self.providers.get(index.0)
    }

    /// All providers, alive or not, in the order of their numbers.
    pub fn providers(&self) -> impl Iterator<Item = (ProviderIndex, &Provider)> {
        self.providers.iter().map(|(number, provider)| (ProviderIndex(number), provider))
    }

    /// A cell by its name.
    pub fn find_cell(&self, cell: &CellId) -> Option<CellIndex> {
        self.cells.find(cell).map(CellIndex)
    }

    /// A cell by its number.
    pub fn cell(&self, index: CellIndex) -> Option<&Cell> {
        self.cells.get(index.0)
    }

    /// How many cells there are; their numbers are below [`Self::cell_span`].
    pub fn cell_count(&self) -> usize {
        self.cells.len()
    }

    /// The end of the numbers of cells; some below it may be gone.
    pub fn cell_span(&self) -> u32 {
        // A table numbers its rows with 32 bits.
        self.cells.span() as u32
    }

    /// The film that a cell is of.
    pub fn film_of(&self, cell: &Cell) -> Option<&Film> {
        self.films.get(cell.film)
    }

    /// A film by its name.
    pub fn find_film(&self, magnet: &Magnet) -> Option<&Film> {
        self.films.get(self.films.find(magnet)?)
    }

    /// Cells of a film, in their order.
    pub fn cells_of<'a>(&'a self, film: &'a Film) -> impl Iterator<Item = CellIndex> + 'a {
        film.cells.iter().copied().map(CellIndex)
    }

    fn known(&self, node: &NodeId) -> Result<u32, PictureError> {
        self.providers.find(node).ok_or(PictureError::UnknownProvider(*node))
    }

    fn seen(&mut self, card: &Card, now_ms: u64) -> Result<(), PictureError> {
        if self.providers.find(&card.node).is_some() {
            return self.change(&card.node, now_ms, |provider| provider.present(card));
        }
        let full = PictureError::Full { what: "providers", most: self.config.providers_max };
        self.providers.insert(card.node, Provider::new(card)).map(|_| ()).ok_or(full)
    }

    /// Changes a provider, and weighs what it holds where that changes what counts.
    fn change(&mut self, node: &NodeId, now_ms: u64, by: impl FnOnce(&mut Provider)) -> Result<(), PictureError> {
        let number = self.known(node)?;
        let Some(provider) = self.providers.get_mut(number) else { return Ok(()) };
        let weighs = |provider: &Provider| {
            (provider.alive, provider.silent, provider.standing, provider.region, provider.registered)
        };
        let before = weighs(provider);
        by(provider);
        if before == weighs(provider) {
            return Ok(());
        }
        let mut touched = provider.held.clone();
        if provider.coming > 0 {
            let coming = self.coming.iter().filter(|(_, to)| to.iter().any(|(provider, _)| *provider == number));
            touched.extend(coming.map(|(cell, _)| *cell));
        }
        touched.into_iter().for_each(|cell| self.weigh(cell, now_ms));
        Ok(())
    }

    fn forget(&mut self, node: &NodeId, now_ms: u64) -> Result<(), PictureError> {
        let number = self.known(node)?;
        let coming: Vec<u32> = self
            .coming
            .iter()
            .filter(|(_, to)| to.iter().any(|(provider, _)| *provider == number))
            .map(|(cell, _)| *cell)
            .collect();
        coming.into_iter().for_each(|cell| self.no_longer_coming(number, cell, now_ms));
        let held = self.providers.remove(node).map(|provider| provider.held).unwrap_or_default();
        held.into_iter().for_each(|cell| self.unlink(number, cell, now_ms));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
