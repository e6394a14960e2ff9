//! Which cells have too few copies, and which too many.

use super::{Cell, CellIndex, NO_FILM, Picture, ProviderIndex};
use crate::{Region, Standing};
use smallvec::SmallVec;

/// What a cell has, and what it lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lack {
    /// Copies that count, whatever they are for.
    pub copies: u8,
    /// Copies at silent providers, which count for the floor.
    pub silent: u8,
    /// Copies too few, wherever they are, next to those that are on their way.
    pub anywhere: u8,
    /// Copies too few in single regions. Those that are made there also count for `anywhere`.
    pub regional: SmallVec<[(Region, u8); 2]>,
    /// Copies at vetted providers that nobody wants. Those at newcomers are their proof and stay.
    pub surplus: u8,
}

impl Lack {
    /// Whether a copy has to be made.
    pub fn is_short(&self) -> bool {
        self.anywhere > 0 || !self.regional.is_empty()
    }
}

impl Picture {
    /// What a cell lacks. Nothing, when nobody has it to copy from.
    pub fn lack(&self, cell: CellIndex) -> Lack {
        let Some(row) = self.cells.get(cell.0) else { return Lack::default() };
        let providers = || row.holders.iter().filter_map(|holder| self.providers.get(*holder));
        if !providers().any(|provider| provider.alive) {
            return Lack::default();
        }
        let mut present: SmallVec<[Region; 8]> =
            providers().filter(|provider| provider.counts()).map(|provider| provider.region).collect();
        let copies = present.len();
        let silent = providers().filter(|provider| provider.is_awaited()).count();
        let vetted = providers().filter(|provider| provider.counts() && provider.standing == Standing::Vetted).count();
        let coming = self.coming_to(cell).filter(|number| !row.holders.contains(&number.0));
        present.extend(coming.filter_map(|number| self.provider(number)).filter(|to| to.counts()).map(|to| to.region));
        let (total, regional) = match self.films.get(row.film) {
            Some(film) => (film.wants.total, film.wants.regional.as_slice()),
            None => (self.config.stray_floor, [].as_slice()),
        };
        let missing = |(region, wanted): &(Region, u8)| {
            let there = saturating_u8(present.iter().filter(|place| *place == region).count());
            Some((*region, wanted.saturating_sub(there))).filter(|(_, count)| *count > 0)
        };
        Lack {
            copies: saturating_u8(copies),
            silent: saturating_u8(silent),
            anywhere: self.missing(row, saturating_u8(present.len()), saturating_u8(silent)),
            regional: regional.iter().filter_map(missing).collect(),
            // A stray's copies are not ours to delete.
            surplus: if row.film == NO_FILM { 0 } else { saturating_u8(vetted.saturating_sub(total.into())) },
        }
    }

    /// Whether a cell has fewer copies than the floor, whatever viewers want. Those on their way do not count.
    pub fn is_below_floor(&self, cell: CellIndex) -> bool {
        let (lack, floor) = (self.lack(cell), self.config.floor);
        self.config.patience.missing(floor, floor, lack.copies, lack.silent) > 0
    }

    /// Cells with too few copies: those with the fewest first, silent ones included, for most of those come back; of equals
    /// those of which the fewest are heard. So what lacks nothing but a word waits for what is lost.
    pub fn short(&self) -> impl Iterator<Item = CellIndex> + '_ {
        self.short.iter().map(|(_, _, cell)| CellIndex(*cell))
    }

    /// Since when a cell has too few copies; `None` when it has enough.
    pub fn short_since(&self, cell: CellIndex) -> Option<u64> {
        self.short_since.get(&cell.0).copied()
    }

    /// How many cells have too few copies.
    pub fn short_count(&self) -> usize {
        self.short.len()
    }

    /// How many cells have too few copies that count, those included for which more are on their way.
    pub fn wanting_count(&self) -> usize {
        let wanting = |cell: &&u32| {
            let Some(row) = self.cells.get(**cell).filter(|row| row.short_at.is_none()) else { return false };
            let held = row.holders.iter().filter_map(|holder| self.providers.get(*holder)).any(|holder| holder.alive);
            let lack = self.lack(CellIndex(**cell));
            held && self.missing(row, lack.copies, lack.silent) > 0
        };
        self.short.len() + self.coming.keys().filter(wanting).count()
    }

    /// How many copies of a cell there should be.
    pub fn wanted_copies(&self, row: &Cell) -> u8 {
        self.films.get(row.film).map_or(self.config.stray_floor, |film| film.wants.total)
    }

    /// Copies of a cell too few, when so many are heard of and so many at silent providers.
    fn missing(&self, row: &Cell, heard: u8, silent: u8) -> u8 {
        let floor = if row.film == NO_FILM { self.config.stray_floor } else { self.config.floor };
        self.config.patience.missing(self.wanted_copies(row), floor, heard, silent)
    }

    /// Cells with more copies than wanted, and since when.
    pub fn surplus(&self) -> impl Iterator<Item = (CellIndex, u64)> + '_ {
        self.surplus.iter().map(|(cell, since_ms)| (CellIndex(*cell), *since_ms))
    }

    /// Providers that a cell is on its way to.
    pub fn coming_to(&self, cell: CellIndex) -> impl Iterator<Item = ProviderIndex> + '_ {
        self.coming.get(&cell.0).into_iter().flatten().map(|(provider, _)| ProviderIndex(*provider))
    }

    /// Enters a cell into the lists of the short and the surplus, or takes it off.
    pub(super) fn weigh(&mut self, number: u32, now_ms: u64) {
        let lack = self.lack(CellIndex(number));
        let Some(row) = self.cells.get_mut(number) else { return };
        let short_at = lack.is_short().then_some((lack.copies.saturating_add(lack.silent), lack.copies));
        if row.short_at != short_at {
            if let Some(before) = std::mem::replace(&mut row.short_at, short_at) {
                self.short.remove(&(before.0, before.1, number));
            }
            self.short.extend(short_at.map(|(known, heard)| (known, heard, number)));
            match short_at {
                Some(_) => _ = self.short_since.entry(number).or_insert(now_ms),
                None => _ = self.short_since.remove(&number),
            }
        }
        if lack.surplus > 0 {
            self.surplus.entry(number).or_insert(now_ms);
        } else {
            self.surplus.remove(&number);
        }
    }
}

fn saturating_u8(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}
