//! Which cells have too few copies, and which too many.

use super::{Cell, CellIndex, NO_FILM, Picture, ProviderIndex, StripeState};
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

/// What a cell should have.
struct Aims {
    /// Copies that there should be.
    total: u8,
    /// Copies that there should be whether anybody watches or not; silent ones count.
    floor: u8,
    /// Vetted copies beyond which the others are surplus; `None` where all stay.
    most: Option<u8>,
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
        let state = self.cells.get(cell.0).and_then(|row| self.stripe_of(row)).and_then(|index| self.stripe(index));
        self.lack_beside(cell, state.as_ref())
    }

    /// What a cell lacks, as a piece of a stripe that is kept.
    fn lack_beside(&self, cell: CellIndex, stripe: Option<&StripeState>) -> Lack {
        let Some(row) = self.cells.get(cell.0) else { return Lack::default() };
        let providers = || row.holders.iter().filter_map(|holder| self.providers.get(*holder));
        if !providers().any(|provider| provider.alive) {
            return Lack::default();
        }
        // Of several copies one may be with somebody whom viewers are not sent to; the one copy of a stripe may not.
        let providers = || providers().filter(|provider| stripe.is_none() || provider.registered);
        let mut present: SmallVec<[Region; 8]> =
            providers().filter(|provider| provider.counts()).map(|provider| provider.region).collect();
        let copies = present.len();
        let silent = providers().filter(|provider| provider.is_awaited()).count();
        let vetted = providers().filter(|provider| provider.counts() && provider.standing == Standing::Vetted).count();
        let coming = self.coming_to(cell).filter(|number| !row.holders.contains(&number.0));
        present.extend(coming.filter_map(|number| self.provider(number)).filter(|to| to.counts()).map(|to| to.region));
        let aims = self.aims(row, stripe);
        let wanted_there = match self.films.get(row.film) {
            Some(film) if !film.coded && !row.is_parity() => film.wants.regional.as_slice(),
            _ => &[],
        };
        let missing = |(region, wanted): &(Region, u8)| {
            let there = saturating_u8(present.iter().filter(|place| *place == region).count());
            Some((*region, wanted.saturating_sub(there))).filter(|(_, count)| *count > 0)
        };
        Lack {
            copies: saturating_u8(copies),
            silent: saturating_u8(silent),
            anywhere: self.missing(&aims, saturating_u8(present.len()), saturating_u8(silent)),
            regional: wanted_there.iter().filter_map(missing).collect(),
            surplus: aims.most.map_or(0, |most| saturating_u8(vetted.saturating_sub(most.into()))),
        }
    }

    /// Whether a cell has fewer copies than the floor, whatever viewers want. Those on their way do not count.
    pub fn is_below_floor(&self, cell: CellIndex) -> bool {
        let Some(row) = self.cells.get(cell.0) else { return false };
        let stripe = self.stripe_of(row).and_then(|index| self.stripe(index));
        let (lack, aims) = (self.lack_beside(cell, stripe.as_ref()), self.aims(row, stripe.as_ref()));
        let floor = if row.film == NO_FILM { self.config.floor } else { aims.floor };
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
            let stripe = self.stripe_of(row).and_then(|index| self.stripe(index));
            let (lack, aims) = (self.lack(CellIndex(**cell)), self.aims(row, stripe.as_ref()));
            held && self.missing(&aims, lack.copies, lack.silent) > 0
        };
        self.short.len() + self.coming.keys().filter(wanting).count()
    }

    /// How many copies of a cell there should be, and how many there may be.
    fn aims(&self, row: &Cell, stripe: Option<&StripeState>) -> Aims {
        let Some(film) = self.films.get(row.film) else {
            // A stray's copies are not ours to delete.
            return Aims { total: self.config.stray_floor, floor: self.config.stray_floor, most: None };
        };
        let rules = &self.config.stripes;
        let floor = match (row.is_parity(), stripe) {
            (true, kept) => kept.map_or(0, |_| 1),
            (false, Some(stripe)) if stripe.parity() >= rules.guard => 1,
            (false, _) => self.config.floor,
        };
        let total = if row.is_parity() { floor } else { film.wants.total.max(floor) };
        let keeps_all = |stripe: &StripeState| stripe.there() <= rules.rebuild_at || self.is_unkept(row, stripe);
        let most = match stripe.is_some_and(keeps_all) {
            true => None,
            false => Some(total),
        };
        Aims { total, floor, most }
    }

    fn is_unkept(&self, row: &Cell, stripe: &StripeState) -> bool {
        row.piece.is_some_and(|piece| stripe.pieces[usize::from(piece.number)].keeper.is_none())
    }

    /// Copies of a cell too few, when so many are heard of and so many at silent providers.
    fn missing(&self, aims: &Aims, heard: u8, silent: u8) -> u8 {
        self.config.patience.missing(aims.total, aims.floor, heard, silent)
    }

    /// Cells with more copies than wanted, and since when.
    pub fn surplus(&self) -> impl Iterator<Item = (CellIndex, u64)> + '_ {
        self.surplus.iter().map(|(cell, since_ms)| (CellIndex(*cell), *since_ms))
    }

    /// Providers that a cell is on its way to.
    pub fn coming_to(&self, cell: CellIndex) -> impl Iterator<Item = ProviderIndex> + '_ {
        self.coming.get(&cell.0).into_iter().flatten().map(|(provider, _)| ProviderIndex(*provider))
    }

    /// Enters a cell into the lists of the short and the surplus, or takes it off; with all of its stripe, where that is kept.
    pub(super) fn weigh(&mut self, number: u32, now_ms: u64) {
        match self.kept_stripe(number) {
            Some(stripe) => self.weigh_stripe(stripe.0, stripe.1.into(), now_ms),
            None => self.weigh_row(number, None, now_ms),
        }
    }

    /// Weighs one cell, as a piece of a stripe that is kept.
    pub(super) fn weigh_row(&mut self, number: u32, stripe: Option<&StripeState>, now_ms: u64) {
        let lack = self.lack_beside(CellIndex(number), stripe);
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
