//! Cells that come to providers, are on their way to them, and go.

use super::{Cell, Picture, PictureError, rows::NO_FILM};
use crate::Held;
use chainflix_primitives::{CellId, NodeId};
use std::collections::BTreeSet;

impl Picture {
    pub(super) fn gained(&mut self, node: &NodeId, cells: &[Held], now_ms: u64) -> Result<usize, PictureError> {
        let number = self.known(node)?;
        let mut new = Vec::with_capacity(cells.len());
        for held in cells {
            let Some(cell) = self.intern(held) else { continue };
            if self.cells.get(cell).is_some_and(|row| row.holders.len() < self.config.holders_max) {
                new.push(cell);
            }
        }
        let left_out = cells.len() - new.len();
        new.sort_unstable();
        new.dedup();
        let Some(provider) = self.providers.get_mut(number) else { return Ok(cells.len()) };
        new.retain(|cell| provider.held.binary_search(cell).is_err());
        let room = self.config.held_max.saturating_sub(provider.held.len());
        let beyond = new.split_off(room.min(new.len()));
        provider.held.extend(&new);
        // Two sorted runs: the sort merges them.
        provider.held.sort();
        for cell in new {
            if let Some(row) = self.cells.get_mut(cell) {
                let at = row.holders.binary_search(&number).unwrap_or_else(|at| at);
                row.holders.insert(at, number);
            }
            self.weigh(cell, now_ms);
        }
        beyond.iter().for_each(|cell| self.drop_stray(*cell));
        Ok(left_out + beyond.len())
    }

    pub(super) fn dropped(&mut self, node: &NodeId, cells: &[CellId], now_ms: u64) -> Result<(), PictureError> {
        let number = self.known(node)?;
        let gone: BTreeSet<u32> = cells.iter().filter_map(|cell| self.cells.find(cell)).collect();
        if let Some(provider) = self.providers.get_mut(number) {
            provider.held.retain(|cell| !gone.contains(cell));
        }
        gone.into_iter().for_each(|cell| self.unlink(number, cell, now_ms));
        Ok(())
    }

    pub(super) fn expect(&mut self, node: &NodeId, held: &Held, now_ms: u64) -> Result<(), PictureError> {
        let number = self.known(node)?;
        let full = PictureError::Full { what: "cells", most: self.config.cells_max };
        let cell = self.intern(held).ok_or(full)?;
        let to = self.coming.entry(cell).or_default();
        if to.iter().all(|(provider, _)| *provider != number) {
            to.push((number, held.size));
            if let Some(provider) = self.providers.get_mut(number) {
                provider.coming += 1;
                provider.promised_bytes = provider.promised_bytes.saturating_add(held.size.into());
            }
        }
        self.weigh(cell, now_ms);
        Ok(())
    }

    pub(super) fn end(&mut self, node: &NodeId, cell: &CellId, now_ms: u64) -> Result<(), PictureError> {
        let number = self.known(node)?;
        if let Some(cell) = self.cells.find(cell) {
            self.no_longer_coming(number, cell, now_ms);
        }
        Ok(())
    }

    pub(super) fn no_longer_coming(&mut self, provider: u32, cell: u32, now_ms: u64) {
        let Some(to) = self.coming.get_mut(&cell) else { return };
        let Some(at) = to.iter().position(|(number, _)| *number == provider) else { return };
        let (_, bytes) = to.remove(at);
        if to.is_empty() {
            self.coming.remove(&cell);
        }
        if let Some(row) = self.providers.get_mut(provider) {
            row.coming -= 1;
            row.promised_bytes = row.promised_bytes.saturating_sub(bytes.into());
        }
        self.weigh(cell, now_ms);
        self.drop_stray(cell);
    }

    /// The number of a cell that somebody speaks of; `None` where there is no place for another stray.
    pub(super) fn intern(&mut self, held: &Held) -> Option<u32> {
        if let Some(number) = self.cells.find(&held.cell) {
            return Some(number);
        }
        if self.strays >= self.config.strays_max {
            return None;
        }
        let number = self.cells.insert(held.cell, Cell::new(held, NO_FILM))?;
        self.strays += 1;
        Some(number)
    }

    pub(super) fn unlink(&mut self, provider: u32, cell: u32, now_ms: u64) {
        if let Some(row) = self.cells.get_mut(cell) {
            row.holders.retain(|holder| *holder != provider);
        }
        self.weigh(cell, now_ms);
        self.drop_stray(cell);
    }

    /// Forgets a cell that no film has, nobody holds and nobody waits for.
    pub(super) fn drop_stray(&mut self, cell: u32) {
        let stray = |row: &&Cell| row.film == NO_FILM && row.holders.is_empty();
        let Some(id) = self.cells.get(cell).filter(stray).map(|row| row.id) else { return };
        if !self.coming.contains_key(&cell) {
            self.cells.remove(&id);
            self.strays -= 1;
        }
    }
}
