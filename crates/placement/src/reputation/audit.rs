//! Which bytes a provider has to show: a chunk of a cell it says it holds, drawn by a seed nobody controls.
//!
//! ```text
//! block hash ─▶ challenge: cell, chunk, deadline ─▶ provider ─▶ 16 KiB and the hashes up to the cell's root ─▶ right or not
//! ```
//!
//! The provider cannot know the chunk before the block, and cannot invent bytes under a BLAKE3 root; within the deadline it
//! can hardly fetch them from somebody else. Only cells of films are asked for: the chain says how long those are, of others
//! only whoever spoke of them first. The answer is checked by the caller (`chainflix_cell::verify_path`). Everybody
//! who knows what the provider says it holds draws the same challenge, the provider itself included.

use crate::{
    Picture,
    draw::Lot,
    picture::{Cell, ProviderIndex},
};
use chainflix_primitives::{BlockHash, CHUNK_BYTES, CellId, NodeId};

/// What a provider has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Who.
    pub node: NodeId,
    /// Of which cell.
    pub cell: CellId,
    /// First byte: a multiple of the chunk size.
    pub start: u64,
    /// End of the range.
    pub end: u64,
    /// Until when, in milliseconds.
    pub deadline_ms: u64,
}

/// What came of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The bytes, in time, and right.
    Shown,
    /// Other bytes, or the word that it has none.
    Wrong,
    /// Nothing until the deadline, while it is heard otherwise.
    Late,
    /// It is not heard at all: presence counts that.
    Away,
}

/// The challenge that `seed` draws for a provider; `None` when it holds nothing of a film.
pub fn draw(
    picture: &Picture,
    provider: ProviderIndex,
    seed: &BlockHash,
    now_ms: u64,
    patience_ms: u64,
) -> Option<Challenge> {
    let row = picture.provider(provider)?;
    let lot = Lot::new("chainflix 2026 possession audit v1", seed, &[&row.node.0]);
    let cells = row.held().filter_map(|cell| picture.cell(cell)).filter(|cell| picture.film_of(cell).is_some());
    let cell = cells.min_by_key(|cell| (lot.of(key(cell)), cell.id))?;
    let size = u64::from(cell.size);
    let start = lot.below(0, size.div_ceil(CHUNK_BYTES)) * CHUNK_BYTES;
    let end = (start + CHUNK_BYTES).min(size);
    Some(Challenge { node: row.node, cell: cell.id, start, end, deadline_ms: now_ms.saturating_add(patience_ms) })
}

/// A cell's name is a hash: its first bytes will do.
fn key(cell: &Cell) -> u64 {
    cell.id.0[..8].iter().fold(0, |key, byte| key << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::Rehearsal;
    use std::collections::HashSet;

    #[test]
    fn every_cell_and_place_is_drawn_sooner_or_later() {
        let picture = Rehearsal { providers: 20, cells: 100, ..Rehearsal::default() }.picture();
        let provider = ProviderIndex(3);
        let held = picture.provider(provider).unwrap().held().len();
        assert!(held > 3);
        let drawn: Vec<_> =
            (0..=255).map(|seed| draw(&picture, provider, &BlockHash([seed; 32]), 7, 30_000).unwrap()).collect();
        let cells: HashSet<_> = drawn.iter().map(|challenge| challenge.cell).collect();
        assert!(cells.len() * 10 >= held * 9, "{} of {held}", cells.len());
        for challenge in &drawn {
            let cell = picture.cell(picture.find_cell(&challenge.cell).unwrap()).unwrap();
            assert!(cell.holders().any(|holder| holder == provider));
            assert!(challenge.start % CHUNK_BYTES == 0 && challenge.start < challenge.end);
            assert!(challenge.end <= u64::from(cell.size) && challenge.deadline_ms == 30_007);
        }
        assert!(drawn.iter().map(|challenge| challenge.start).collect::<HashSet<_>>().len() > 200);
        assert_eq!(draw(&picture, provider, &BlockHash([1; 32]), 7, 30_000), Some(drawn[1]));
    }
}
