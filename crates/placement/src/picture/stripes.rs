//! Films that few watch: one copy of each cell, and parity beside them.
//!
//! ```text
//! copies            cells 3 3 3 3  parity · · · · · ·     the floor's copies
//! coded             cells 3 3 3 3  parity · · · · · ·  ─▶ broken: made, once there is a place for each
//! whole             cells 1 1 1 1  parity 1 1 1 1 1 1     copies beyond one are surplus
//! 8 of 10 are there cells 1 1 · 1  parity 1 1 · 1 1 1     waited, unless the film is watched
//! 7 or fewer        cells 1 · · 1  parity 1 1 · 1 1 1  ─▶ broken: what is missing is made anew
//! ```
//!
//! A piece is *there* when a provider keeps it that is heard or waited for, to whom viewers are sent, and that shares no fate with
//! those who keep the stripe's other pieces. Of several holders of a cell one is its keeper: the others' copies do not count for the stripe.
//! Which films are coded is decided elsewhere ([`cold`](crate::cold)), and why any four of ten in
//! `docs/decisions/0009-cold-films-as-stripes.md`.

use super::{
    Cell, CellIndex, Film, Picture, PictureError, Provider, ProviderIndex,
    rows::{PIECES, PieceOf, StripeRow},
};
use crate::{Held, Region, StripeCells};
use chainflix_primitives::{Magnet, stripe::STRIPE_CELLS};
use smallvec::SmallVec;

/// Holders of one cell of which its keeper is chosen: a film that few watch has hardly more.
const CANDIDATES_MAX: usize = 6;

/// When stripes are mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripeRules {
    /// So many pieces of a stripe, or fewer, and those that are missing are made anew.
    pub rebuild_at: u8,
    /// Parity cells that must be there for one copy of each cell to be enough. With fewer the floor counts.
    pub guard: u8,
}

impl Default for StripeRules {
    fn default() -> Self {
        // Any four of ten, rebuilt at seven (docs/storage.md, "Copies or coded pieces"). Of a stripe that was whole, seven
        // pieces have three parity cells among them.
        Self { rebuild_at: 7, guard: 3 }
    }
}

/// A stripe's number in one picture: its film's, and its own in the film.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StripeIndex(pub(super) u32, pub(super) u16);

/// One of the ten pieces of a stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its row.
    pub cell: CellIndex,
    /// Who keeps it; `None` where it is not there.
    pub keeper: Option<ProviderIndex>,
    /// Whether somebody has it from whom it can be had now.
    pub heard: bool,
    /// Whether it is on its way to somebody.
    pub coming: bool,
    /// Whether those who hold it, and count, share a fate with other keepers.
    crowded: bool,
}

/// What there is of a stripe: its cells, then its parity cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeState {
    /// The pieces in the order in which they are coded.
    pub pieces: [Piece; PIECES],
    /// Whether the film is kept as stripes; of one that is not any more, what is left makes its cells again.
    pub coded: bool,
    /// Whether each cell has to be there at any moment: somebody watches the film, or it is kept as copies.
    pub watched: bool,
}

impl StripeState {
    /// Pieces that are there.
    pub fn there(&self) -> u8 {
        count(&self.pieces)
    }

    /// Parity cells that are there.
    pub fn parity(&self) -> u8 {
        count(&self.pieces[STRIPE_CELLS..])
    }

    /// Numbers of the pieces to make anew, should any be made: those that nobody keeps, and cells that have to be there and
    /// cannot be had. What a provider that does not count has left is copied from there.
    pub fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        let wanted = |(number, piece): &(usize, &Piece)| {
            let gone = piece.keeper.is_none() && (piece.crowded || !piece.heard);
            self.is_waited_for(*number) || (self.coded && gone && !piece.coming)
        };
        self.pieces.iter().enumerate().filter(wanted).map(|(number, _)| number)
    }

    /// Whether no parity cell is there or on its way: the film has just become one that is kept as stripes.
    pub fn is_new(&self) -> bool {
        self.pieces[STRIPE_CELLS..].iter().all(|piece| piece.keeper.is_none() && !piece.coming)
    }

    fn is_waited_for(&self, number: usize) -> bool {
        let piece = &self.pieces[number];
        self.watched && number < STRIPE_CELLS && !piece.heard && !piece.coming
    }

    /// Its place among broken stripes: whether nobody waits, and how many pieces are there. `None` where nothing is to be
    /// done, or nothing can be.
    fn broken(&self, rules: &StripeRules) -> Option<(bool, u8)> {
        let heard = self.pieces.iter().filter(|piece| piece.heard).count();
        let urgent = (0..STRIPE_CELLS).any(|number| self.is_waited_for(number));
        let few = self.coded && self.there() <= rules.rebuild_at && self.missing().next().is_some();
        ((few || urgent) && heard >= STRIPE_CELLS).then_some((!urgent, self.there()))
    }
}

impl Picture {
    /// Stripes of which pieces are to be made anew: those that somebody waits for first, then those with the fewest pieces.
    pub fn broken(&self) -> impl Iterator<Item = StripeIndex> + '_ {
        self.broken.iter().map(|(_, _, film, stripe)| StripeIndex(*film, *stripe))
    }

    /// How many stripes lack pieces that are to be made anew.
    pub fn broken_count(&self) -> usize {
        self.broken.len()
    }

    /// What there is of a stripe; `None` where there is no such stripe.
    pub fn stripe(&self, index: StripeIndex) -> Option<StripeState> {
        let film = self.films.get(index.0)?;
        let row = film.stripes.get(usize::from(index.1))?;
        Some(self.state(row, film))
    }

    /// The stripe that a cell is of, where its film is kept as stripes.
    pub fn stripe_of(&self, row: &Cell) -> Option<StripeIndex> {
        let film = self.films.get(row.film).filter(|film| film.coded)?;
        let piece = row.piece.filter(|piece| usize::from(piece.stripe) < film.stripes.len())?;
        Some(StripeIndex(row.film, piece.stripe))
    }

    /// Who keeps a cell for its stripe, where its film is kept as stripes.
    pub fn keeper(&self, row: &Cell) -> Option<ProviderIndex> {
        let piece = row.piece?;
        self.stripe(self.stripe_of(row)?)?.pieces[usize::from(piece.number)].keeper
    }

    /// Whether a film that is kept as copies has all of those, in the stripe of this parity cell.
    pub fn does_without(&self, row: &Cell) -> bool {
        let film = self.films.get(row.film);
        let stripe = film.zip(row.piece).and_then(|(film, piece)| film.stripes.get(usize::from(piece.stripe)));
        let enough = |cell: &u32| self.lack(CellIndex(*cell)).copies >= self.config.floor;
        stripe.is_some_and(|stripe| stripe.pieces[..STRIPE_CELLS].iter().all(enough))
    }

    /// Who keeps the pieces of a cell's stripe, or gets them.
    pub fn company(&self, row: &Cell) -> Vec<ProviderIndex> {
        let Some(state) = self.stripe_of(row).and_then(|index| self.stripe(index)) else { return Vec::new() };
        state.pieces.iter().flat_map(|piece| piece.keeper.into_iter().chain(self.coming_to(piece.cell))).collect()
    }

    pub(super) fn striped(
        &mut self,
        magnet: &Magnet,
        stripes: &[StripeCells],
        now_ms: u64,
    ) -> Result<(), PictureError> {
        let number = self.films.find(magnet).ok_or(PictureError::UnknownFilm(*magnet))?;
        if self.films.get(number).is_none_or(|film| !film.stripes.is_empty()) {
            // They follow from the film's name, which cannot change.
            return Ok(());
        }
        let unknown = stripes.iter().flat_map(|stripe| stripe.parity).filter(|cell| self.cells.find(cell).is_none());
        if unknown.count() > self.cells.room() {
            return Err(PictureError::Full { what: "cells", most: self.config.cells_max });
        }
        let rows: Vec<StripeRow> = stripes.iter().filter_map(|stripe| self.stripe_row(number, stripe)).collect();
        for (stripe, row) in (0u16..).zip(&rows) {
            for (piece, cell) in (0u8..).zip(row.pieces) {
                if let Some(row) = self.cells.get_mut(cell) {
                    row.piece = Some(PieceOf { stripe, number: piece });
                }
            }
        }
        if let Some(film) = self.films.get_mut(number) {
            film.stripes = rows;
        }
        self.weigh_film(number, now_ms);
        Ok(())
    }

    /// The rows of a stripe, of which no cell is of another film or stripe.
    fn stripe_row(&mut self, film: u32, stripe: &StripeCells) -> Option<StripeRow> {
        let mut pieces = SmallVec::<[u32; PIECES]>::new();
        for cell in &stripe.cells {
            let number = self.cells.find(cell)?;
            self.cells.get(number).filter(|row| row.film == film && row.piece.is_none())?;
            pieces.push(number);
        }
        for cell in stripe.parity {
            pieces.push(self.enter(&Held { cell, size: stripe.parity_bytes }, film)?);
        }
        Some(StripeRow { pieces: pieces.into_inner().ok()?, broken_at: None })
    }

    pub(super) fn coded(&mut self, magnet: &Magnet, coded: bool, now_ms: u64) -> Result<(), PictureError> {
        let number = self.films.find(magnet).ok_or(PictureError::UnknownFilm(*magnet))?;
        if let Some(film) = self.films.get_mut(number) {
            film.coded = coded;
            film.wants = Default::default();
        }
        self.weigh_film(number, now_ms);
        Ok(())
    }

    /// Weighs the pieces of a stripe, and enters it into the list of the broken or takes it off.
    pub(super) fn weigh_stripe(&mut self, film: u32, stripe: usize, now_ms: u64) {
        // At most 360 stripes of a film.
        let index = StripeIndex(film, stripe as u16);
        let Some(row) = self.films.get(film).and_then(|film| film.stripes.get(stripe)) else { return };
        let pieces = row.pieces;
        let state = if self.is_kept(film, row) { self.stripe(index) } else { None };
        for cell in pieces {
            self.weigh_row(cell, state.as_ref().filter(|state| state.coded), now_ms);
        }
        let broken_at = state.and_then(|state| state.broken(&self.config.stripes));
        let row = self.films.get_mut(film).and_then(|film| film.stripes.get_mut(stripe));
        let Some(before) = row.map(|row| std::mem::replace(&mut row.broken_at, broken_at)) else { return };
        if before != broken_at {
            if let Some((calm, there)) = before {
                self.broken.remove(&(calm, there, index.0, index.1));
            }
            self.broken.extend(broken_at.map(|(calm, there)| (calm, there, index.0, index.1)));
        }
    }

    /// The stripe of a cell that has to be looked at as a whole.
    pub(super) fn kept_stripe(&self, number: u32) -> Option<StripeIndex> {
        let cell = self.cells.get(number)?;
        let (film, piece) = (self.films.get(cell.film)?, cell.piece?);
        let row = film.stripes.get(usize::from(piece.stripe))?;
        self.is_kept(cell.film, row).then_some(StripeIndex(cell.film, piece.stripe))
    }

    /// Whether a stripe's film is kept as stripes, or was, and something of that is left.
    fn is_kept(&self, film: u32, row: &StripeRow) -> bool {
        let held = |cell: &u32| self.cells.get(*cell).is_some_and(|cell| !cell.holders.is_empty());
        self.films.get(film).is_some_and(|film| film.coded)
            || row.broken_at.is_some()
            || row.pieces[STRIPE_CELLS..].iter().any(held)
    }

    fn state(&self, row: &StripeRow, film: &Film) -> StripeState {
        let keepers = self.keepers(row, film.home);
        let piece = |at: usize| {
            let cell = CellIndex(row.pieces[at]);
            let holders = || self.holders_of(cell.0);
            Piece {
                cell,
                keeper: keepers[at].map(ProviderIndex),
                heard: holders().any(|(_, provider)| provider.alive),
                coming: self.coming.contains_key(&cell.0),
                crowded: keepers[at].is_none() && holders().any(|(_, provider)| keeps(provider)),
            }
        };
        let pieces = std::array::from_fn(piece);
        StripeState { pieces, coded: film.coded, watched: film.wants.total > 0 || !film.coded }
    }

    /// Who keeps which piece: as many as can be without two that share a fate.
    fn keepers(&self, row: &StripeRow, home: Region) -> [Option<u32>; PIECES] {
        let mut keepers = [None; PIECES];
        let mut company: SmallVec<[&Provider; PIECES]> = SmallVec::new();
        for (at, cell) in row.pieces.iter().enumerate().skip(STRIPE_CELLS) {
            let fitting = self.candidates(*cell, home).into_iter().find(|(_, provider)| is_apart(provider, &company));
            if let Some((number, provider)) = fitting {
                keepers[at] = Some(number);
                company.push(provider);
            }
        }
        let candidates = std::array::from_fn(|at| {
            let mut candidates = self.candidates(row.pieces[at], home);
            candidates.retain(|(_, provider)| is_apart(provider, &company));
            candidates
        });
        let (chosen, _) = most_apart(&candidates, &mut SmallVec::new());
        keepers[..STRIPE_CELLS].copy_from_slice(&chosen);
        keepers
    }

    /// Who could keep a cell for its stripe: those that are heard first, then those near the film's home.
    fn candidates(&self, cell: u32, home: Region) -> SmallVec<[(u32, &Provider); CANDIDATES_MAX]> {
        let mut candidates: SmallVec<[_; CANDIDATES_MAX]> =
            self.holders_of(cell).filter(|(_, provider)| keeps(provider)).collect();
        candidates.sort_by_key(|(_, provider)| (!provider.counts(), provider.region.distance(&home), provider.key));
        candidates.truncate(CANDIDATES_MAX);
        candidates
    }

    fn holders_of(&self, cell: u32) -> impl Iterator<Item = (u32, &Provider)> {
        let holders = self.cells.get(cell).into_iter().flat_map(|row| row.holders.iter().copied());
        holders.filter_map(|number| Some((number, self.providers.get(number)?)))
    }
}

/// Whether what a provider holds is there, as long as it was not silent for too long.
fn keeps(provider: &Provider) -> bool {
    provider.registered && (provider.counts() || provider.is_awaited())
}

fn is_apart(provider: &Provider, company: &[&Provider]) -> bool {
    company.iter().all(|other| !provider.shares_fate(other))
}

type Candidates<'a> = SmallVec<[(u32, &'a Provider); CANDIDATES_MAX]>;

/// One keeper for as many of the cells as can be, the better ones first; and how many that are.
fn most_apart<'a>(
    cells: &[Candidates<'a>; STRIPE_CELLS],
    chosen: &mut SmallVec<[Option<(u32, &'a Provider)>; STRIPE_CELLS]>,
) -> ([Option<u32>; STRIPE_CELLS], usize) {
    let at = chosen.len();
    let left = STRIPE_CELLS - at;
    let sofar = chosen.iter().flatten().count();
    let Some(candidates) = cells.get(at) else {
        return (std::array::from_fn(|cell| chosen[cell].map(|(number, _)| number)), sofar);
    };
    let company: SmallVec<[&Provider; STRIPE_CELLS]> = chosen.iter().flatten().map(|(_, provider)| *provider).collect();
    let mut best = ([None; STRIPE_CELLS], 0);
    let able = candidates.iter().filter(|(_, provider)| is_apart(provider, &company)).map(|one| Some(*one));
    for next in able.chain([None]) {
        chosen.push(next);
        let found = most_apart(cells, chosen);
        chosen.pop();
        if found.1 > best.1 {
            best = found;
        }
        if best.1 == sofar + left {
            break;
        }
    }
    best
}

fn count(pieces: &[Piece]) -> u8 {
    // Ten at most.
    pieces.iter().filter(|piece| piece.keeper.is_some()).count() as u8
}

#[cfg(test)]
mod tests;
