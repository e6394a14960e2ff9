//! Films: their cells, and how many copies of them are wanted.

use super::{Cell, Film, Picture, PictureError, rows::NO_FILM};
use crate::{Country, Held, Region, WANTED_REGIONS_MAX, Wants};
use chainflix_primitives::Magnet;

impl Picture {
    pub(super) fn film(
        &mut self,
        magnet: Magnet,
        home: Region,
        countries: &[Country],
        cells: &[Held],
        now_ms: u64,
    ) -> Result<(), PictureError> {
        if let Some(film) = self.films.find(&magnet).and_then(|number| self.films.get_mut(number)) {
            // Its cells can never change.
            (film.home, film.countries) = (home, countries.to_vec());
            return Ok(());
        }
        let unknown = cells.iter().filter(|held| self.cells.find(&held.cell).is_none()).count();
        if unknown > self.cells.room() {
            return Err(PictureError::Full { what: "cells", most: self.config.cells_max });
        }
        let wants = Wants { total: self.config.floor, regional: Vec::new() };
        let (countries, stripes) = (countries.to_vec(), Vec::new());
        let row = Film { magnet, home, countries, wants, coded: false, cells: Vec::new(), stripes };
        let full = PictureError::Full { what: "films", most: self.config.films_max };
        let number = self.films.insert(magnet, row).ok_or(full)?;
        let cells: Vec<u32> = cells.iter().filter_map(|held| self.enter(held, number)).collect();
        cells.iter().for_each(|cell| self.weigh(*cell, now_ms));
        if let Some(film) = self.films.get_mut(number) {
            film.cells = cells;
        }
        Ok(())
    }

    /// Enters a cell of a film. A cell that another film has stays that film's.
    pub(super) fn enter(&mut self, held: &Held, film: u32) -> Option<u32> {
        if let Some(number) = self.cells.find(&held.cell) {
            let row = self.cells.get_mut(number).filter(|row| row.film == NO_FILM)?;
            (row.film, row.size) = (film, held.size);
            self.strays -= 1;
            return Some(number);
        }
        self.cells.insert(held.cell, Cell::new(held, film))
    }

    pub(super) fn wanted(&mut self, magnet: &Magnet, wants: &Wants, now_ms: u64) -> Result<(), PictureError> {
        let number = self.films.find(magnet).ok_or(PictureError::UnknownFilm(*magnet))?;
        let Some(film) = self.films.get_mut(number) else { return Ok(()) };
        let regional: Vec<_> = wants.regional.iter().copied().take(WANTED_REGIONS_MAX).collect();
        let together = regional.iter().fold(0u8, |sum, (_, count)| sum.saturating_add(*count));
        film.wants = Wants { total: wants.total.max(together), regional };
        self.weigh_film(number, now_ms);
        Ok(())
    }

    /// Weighs all cells of a film; a stripe weighs its pieces together.
    pub(super) fn weigh_film(&mut self, number: u32, now_ms: u64) {
        let Some(film) = self.films.get(number) else { return };
        let (cells, stripes) = (film.cells.clone(), film.stripes.len());
        let alone = |cell: &u32| self.cells.get(*cell).is_some_and(|row| row.piece.is_none());
        let alone: Vec<u32> = cells.into_iter().filter(alone).collect();
        alone.into_iter().for_each(|cell| self.weigh(cell, now_ms));
        (0..stripes).for_each(|stripe| self.weigh_stripe(number, stripe, now_ms));
    }
}
