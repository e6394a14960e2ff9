//! The draw: which carried plays must open their chunks before they are paid.
//!
//! ```text
//! block h      carries the votes that make view block V
//! block h + 1  nobody knew its hash when those votes were cast
//! block h + 2  builds on it: the draw is known to all, and needs no word from anybody
//! ```
//!
//! Each play draws for itself, so that its lot does not depend on what else is in the view block. **Limit:** a validator
//! that proposes block h + 1 can try several blocks and spare some plays of its friends, in its own turns only. How an
//! opening is checked is in the sibling module; how the votes on it are counted, in the ledger.

use chainflix_primitives::{BlockHash, Digest, PlayId};

/// Casts the lots of one view block.
pub struct Draw(blake3::Hasher);

impl Draw {
    /// The draw of view block `view_block` by the hash of the block after the one that carried its votes.
    pub fn new(next_block: &BlockHash, view_block: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 audit draw v1");
        hasher.update(&next_block.0).update(&view_block.to_le_bytes());
        Self(hasher)
    }

    /// Whether `play` must open its chunks, when `share_permille` in a thousand do.
    pub fn hits(&self, play: &PlayId, share_permille: u16) -> bool {
        let hash = self.0.clone().update(&play.0).finalize();
        let mut lot = [0; 8];
        lot.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(lot) % 1000 < u64::from(share_permille)
    }
}

/// Names the drawn plays of a view block, in their order: what an audit vote speaks of.
pub fn drawn_digest<'a>(view_block: u64, drawn: impl Iterator<Item = &'a PlayId>) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 audit drawn plays v1");
    hasher.update(&view_block.to_le_bytes());
    drawn.for_each(|play| {
        hasher.update(&play.0);
    });
    Digest(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(block: u8, view_block: u64, share_permille: u16) -> Vec<u32> {
        let draw = Draw::new(&BlockHash([block; 32]), view_block);
        let name = |n: u32| PlayId(std::array::from_fn(|byte| n.to_le_bytes()[byte % 4]));
        (0..20_000).filter(|n| draw.hits(&name(*n), share_permille)).collect()
    }

    #[test]
    fn the_share_is_what_genesis_says() {
        assert!(hits(1, 1, 0).is_empty());
        assert_eq!(hits(1, 1, 1000).len(), 20_000);
        // 1,000 expected; 250 are eight standard deviations.
        assert!(hits(1, 1, 50).len().abs_diff(1_000) < 250);
    }

    #[test]
    fn another_block_or_view_block_is_another_draw() {
        assert_ne!(hits(1, 1, 50), hits(2, 1, 50));
        assert_ne!(hits(1, 1, 50), hits(1, 2, 50));
    }

    #[test]
    fn a_larger_share_only_adds_plays() {
        let (few, many) = (hits(3, 3, 20), hits(3, 3, 80));
        assert!(few.iter().all(|play| many.contains(play)));
    }

    #[test]
    fn the_drawn_plays_have_one_name() {
        let plays = [PlayId([1; 16]), PlayId([2; 16])];
        let name = |view_block, plays: &[PlayId]| drawn_digest(view_block, plays.iter());
        assert_ne!(name(1, &plays), name(2, &plays));
        assert_ne!(name(1, &plays), name(1, &plays[..1]));
        assert_ne!(name(1, &plays), name(1, &[plays[1], plays[0]]));
    }
}
