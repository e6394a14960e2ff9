//! Play points: the work that only somebody who is receiving the cell, minute by minute, can do.
//!
//! At `k` points of the cell the newest finalised block's hash picks one 16 KiB chunk of the *delivered* bytes among
//! those the play position has passed, and the chunk is folded into a running hash. Block hashes cannot be known ahead,
//! and the delivered bytes are different for every account: nothing can be computed earlier, or from somebody else's hash.
//! Viewer and auditor share this code.

use chainflix_primitives::{BlockHash, Digest, PlayCode};

/// The position inside the cell at which point `index` of `points` lies, in milliseconds: the middle of its part.
pub fn position_ms(play_ms: u64, index: u8, points: u8) -> u64 {
    play_ms * (2 * u64::from(index) + 1) / (2 * u64::from(points.max(1)))
}

/// The running hash before the first point.
pub fn start(code: &PlayCode) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 play points start v1");
    hasher.update(&code.id.0).update(&code.constant).update(&code.account.0);
    Digest(hasher.finalize().into())
}

/// Which chunk point `index` folds, given the block that fixes it.
pub fn chunk(code: &PlayCode, index: u8, points: u8, block: &BlockHash) -> u32 {
    // The bytes before the play position, if the cell's bytes were spread evenly over its time; at least one chunk.
    let passed = code.chunks() * (2 * u64::from(index) + 1) / (2 * u64::from(points.max(1)));
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 play point draw v1");
    hasher.update(&code.id.0).update(&[index]).update(&block.0);
    let mut draw = [0; 8];
    draw.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    // A cell has at most 4096 chunks.
    (u64::from_le_bytes(draw) % passed.max(1)) as u32
}

/// Folds the delivered bytes of one chunk into the running hash.
pub fn fold(running: &Digest, index: u8, block_number: u32, block: &BlockHash, chunk: u32, delivered: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 play point fold v1");
    hasher.update(&running.0).update(&[index]).update(&block_number.to_le_bytes()).update(&block.0);
    hasher.update(&chunk.to_le_bytes()).update(delivered);
    Digest(hasher.finalize().into())
}

/// `BLAKE3(random constant, PlayCode, Hash, nonce)`, without the nonce yet.
fn nonce_hasher(code: &PlayCode, hash: &Digest) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 nonce v1");
    hasher.update(&code.constant).update(&code.id.0).update(&hash.0);
    hasher
}

fn leading_zero_bits(hasher: &blake3::Hasher, nonce: u64) -> u32 {
    let hash = hasher.clone().update(&nonce.to_le_bytes()).finalize();
    let mut head = [0; 8];
    head.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(head).leading_zeros()
}

/// Whether `nonce` answers the PlayCode's difficulty.
pub fn nonce_is_right(code: &PlayCode, hash: &Digest, nonce: u64) -> bool {
    leading_zero_bits(&nonce_hasher(code, hash), nonce) >= u32::from(code.difficulty_bits)
}

/// Tries `count` nonces from `from` on.
pub fn search_nonce(code: &PlayCode, hash: &Digest, from: u64, count: u64) -> Option<u64> {
    let hasher = nonce_hasher(code, hash);
    (from..from.saturating_add(count))
        .find(|nonce| leading_zero_bits(&hasher, *nonce) >= u32::from(code.difficulty_bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::tests::code;

    #[test]
    fn points_draw_only_from_what_was_passed() {
        let code = code();
        for index in 0..6u8 {
            let passed = code.chunks() * (2 * u64::from(index) + 1) / 12;
            for block in 0..200u8 {
                assert!(u64::from(chunk(&code, index, 6, &BlockHash([block; 32]))) < passed.max(1));
            }
        }
        assert_eq!(position_ms(60_000, 0, 6), 5_000);
        assert_eq!(position_ms(60_000, 5, 6), 55_000);
    }

    #[test]
    fn the_hash_depends_on_everything_that_went_in() {
        let code = code();
        let first = fold(&start(&code), 0, 1, &BlockHash([1; 32]), 2, b"bytes");
        assert_ne!(first, fold(&start(&code), 0, 1, &BlockHash([1; 32]), 2, b"other"));
        assert_ne!(first, fold(&start(&code), 0, 1, &BlockHash([2; 32]), 2, b"bytes"));
        assert_ne!(first, fold(&start(&code), 1, 1, &BlockHash([1; 32]), 2, b"bytes"));
        let mut other = code.clone();
        other.constant[0] ^= 1;
        assert_ne!(start(&code), start(&other));
    }

    #[test]
    fn a_nonce_is_found_and_checked() {
        let mut code = code();
        code.difficulty_bits = 10;
        let hash = start(&code);
        let nonce = search_nonce(&code, &hash, 0, 1 << 16).unwrap();
        assert!(nonce_is_right(&code, &hash, nonce));
        code.difficulty_bits = 40;
        assert!(!nonce_is_right(&code, &hash, nonce));
        assert_eq!(search_nonce(&code, &hash, 0, 10), None);
    }
}
