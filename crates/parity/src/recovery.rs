//! From four pieces of a stripe to any others, slice by slice.
//!
//! ```text
//! four given ─ decode ─▶ the cells that were not given ─┬─▶ those that are wanted
//!     └───────────────── the cells that were given ─────┴─ encode ─▶ parity that is wanted
//! ```
//!
//! A step that nothing needs is left out: who has all cells decodes nothing, who wants cells alone encodes nothing.

use crate::{BLOCK_BYTES, PIECES, SLICE_BYTES};
use chainflix_primitives::stripe::{STRIPE_CELLS, STRIPE_PARITY};
use reed_solomon_simd::{DecoderResult, EncoderResult, ReedSolomonDecoder, ReedSolomonEncoder};
use std::mem;

/// Why nothing is computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParityError {
    /// A stripe has ten pieces.
    #[error("there is no piece {piece}; a stripe has {PIECES}, from 0 on")]
    NoSuchPiece { piece: usize },
    /// Given twice, wanted twice, or given and wanted.
    #[error("piece {piece} is named twice")]
    Twice { piece: usize },
    /// Not a slice.
    #[error("a slice of {bytes} bytes is not possible: up to {SLICE_BYTES}, in blocks of {BLOCK_BYTES}")]
    Length { bytes: usize },
    /// Slices of one stripe at one offset are of one length.
    #[error("slices of {first} and of {other} bytes do not belong together")]
    OtherLength { first: usize, other: usize },
    /// What was checked before was not all.
    #[error("the code refuses what it was given")]
    Code(#[from] reed_solomon_simd::Error),
}

/// From any four pieces of a stripe to any others.
pub struct Recovery {
    given: [usize; STRIPE_CELLS],
    wanted: Vec<usize>,
    /// Where a cell is not among what is given.
    decoder: Option<ReedSolomonDecoder>,
    /// Where parity is wanted.
    encoder: Option<ReedSolomonEncoder>,
}

impl Recovery {
    /// Computes the pieces `wanted` from the pieces `given`, by their numbers: cells from 0 on in the stripe's order, then
    /// parity. No number may be named twice. The first one of a process fills tables of 8 MiB.
    pub fn new(given: [usize; STRIPE_CELLS], wanted: &[usize]) -> Result<Self, ParityError> {
        let mut named = [false; PIECES];
        for piece in given.iter().chain(wanted) {
            let named = named.get_mut(*piece).ok_or(ParityError::NoSuchPiece { piece: *piece })?;
            if mem::replace(named, true) {
                return Err(ParityError::Twice { piece: *piece });
            }
        }
        let is_parity = |piece: &usize| *piece >= STRIPE_CELLS;
        let decoder = || ReedSolomonDecoder::new(STRIPE_CELLS, STRIPE_PARITY, BLOCK_BYTES);
        let encoder = || ReedSolomonEncoder::new(STRIPE_CELLS, STRIPE_PARITY, BLOCK_BYTES);
        Ok(Self {
            given,
            wanted: wanted.to_vec(),
            decoder: given.iter().any(is_parity).then(decoder).transpose()?,
            encoder: wanted.iter().any(is_parity).then(encoder).transpose()?,
        })
    }

    /// A slice of each wanted piece, in their order, from the same slice of each given one, in theirs. A cell counts as
    /// followed by zeros, given ([`padded_slice`](crate::padded_slice)) and wanted: the caller cuts it to its size.
    ///
    /// All are of one length, a multiple of 64, at most [`SLICE_BYTES`]; and each call may have another one.
    pub fn slice(&mut self, given: [&[u8]; STRIPE_CELLS]) -> Result<Vec<Vec<u8>>, ParityError> {
        let bytes = common_length(&given)?;
        let mut pieces: [&[u8]; PIECES] = [&[]; PIECES];
        for (piece, slice) in self.given.iter().zip(given) {
            pieces[*piece] = slice;
        }
        let decoded;
        if let Some(decoder) = &mut self.decoder {
            decoded = decode(decoder, &self.given, given, bytes)?;
            for (cell, slice) in decoded.restored_original_iter() {
                pieces[cell] = slice;
            }
        }
        let encoded;
        if let Some(encoder) = &mut self.encoder {
            encoded = encode(encoder, &pieces[..STRIPE_CELLS], bytes)?;
            for (place, slice) in pieces[STRIPE_CELLS..].iter_mut().zip(encoded.recovery_iter()) {
                *place = slice;
            }
        }
        Ok(self.wanted.iter().map(|piece| pieces[*piece].to_vec()).collect())
    }
}

fn common_length(slices: &[&[u8]; STRIPE_CELLS]) -> Result<usize, ParityError> {
    let first = slices[0].len();
    if first == 0 || first > SLICE_BYTES || !first.is_multiple_of(BLOCK_BYTES) {
        return Err(ParityError::Length { bytes: first });
    }
    match slices.iter().find(|slice| slice.len() != first) {
        Some(other) => Err(ParityError::OtherLength { first, other: other.len() }),
        None => Ok(first),
    }
}

fn decode<'a>(
    decoder: &'a mut ReedSolomonDecoder,
    pieces: &[usize; STRIPE_CELLS],
    slices: [&[u8]; STRIPE_CELLS],
    bytes: usize,
) -> Result<DecoderResult<'a>, ParityError> {
    decoder.reset(STRIPE_CELLS, STRIPE_PARITY, bytes)?;
    for (piece, slice) in pieces.iter().zip(slices) {
        match piece.checked_sub(STRIPE_CELLS) {
            None => decoder.add_original_shard(*piece, slice)?,
            Some(parity) => decoder.add_recovery_shard(parity, slice)?,
        }
    }
    Ok(decoder.decode()?)
}

fn encode<'a>(
    encoder: &'a mut ReedSolomonEncoder,
    cells: &[&[u8]],
    bytes: usize,
) -> Result<EncoderResult<'a>, ParityError> {
    encoder.reset(STRIPE_CELLS, STRIPE_PARITY, bytes)?;
    for cell in cells {
        encoder.add_original_shard(cell)?;
    }
    Ok(encoder.encode()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CELL_PIECES, PARITY_PIECES};
    use proptest::{prelude::*, sample::subsequence};

    /// Ten pieces of so many bytes each.
    fn stripe(bytes: usize, seed: u8) -> Vec<Vec<u8>> {
        let cell = |number: usize| {
            let mut cell = vec![0; bytes];
            blake3::Hasher::new().update(&[seed, number as u8]).finalize_xof().fill(&mut cell);
            cell
        };
        let mut pieces: Vec<Vec<u8>> = CELL_PIECES.map(cell).to_vec();
        let parity = Recovery::new(CELL_PIECES, &PARITY_PIECES).unwrap().slice([0, 1, 2, 3].map(|at| &*pieces[at]));
        pieces.extend(parity.unwrap());
        pieces
    }

    fn others(given: &[usize; STRIPE_CELLS]) -> Vec<usize> {
        (0..PIECES).filter(|piece| !given.contains(piece)).collect()
    }

    #[test]
    fn any_four_of_ten_give_all() {
        let pieces = stripe(128, 1);
        let mut choices = 0;
        for bits in 0u32..1 << PIECES {
            let chosen: Vec<usize> = (0..PIECES).filter(|piece| bits >> piece & 1 == 1).collect();
            let Ok(given) = <[usize; STRIPE_CELLS]>::try_from(chosen) else { continue };
            let wanted = others(&given);
            let found = Recovery::new(given, &wanted).unwrap().slice(given.map(|piece| &*pieces[piece])).unwrap();
            for (piece, slice) in wanted.iter().zip(found) {
                assert_eq!(slice, pieces[*piece], "piece {piece} from {given:?}");
            }
            choices += 1;
        }
        assert_eq!(choices, 210);
    }

    #[test]
    fn answers_are_in_the_order_in_which_they_are_wanted() {
        let pieces = stripe(64, 2);
        let given = [7, 2, 9, 0];
        let mut recovery = Recovery::new(given, &[5, 1]).unwrap();
        for _ in 0..2 {
            let found = recovery.slice(given.map(|piece| &*pieces[piece])).unwrap();
            assert_eq!(found, [pieces[5].clone(), pieces[1].clone()]);
        }
    }

    #[test]
    fn impossible_numbers_and_lengths_are_refused() {
        let refused = |given, wanted: &[usize]| Recovery::new(given, wanted).err();
        assert_eq!(refused([0, 1, 2, 10], &[]), Some(ParityError::NoSuchPiece { piece: 10 }));
        assert_eq!(refused([0, 1, 2, 3], &[usize::MAX]), Some(ParityError::NoSuchPiece { piece: usize::MAX }));
        assert_eq!(refused([0, 1, 2, 1], &[]), Some(ParityError::Twice { piece: 1 }));
        assert_eq!(refused([0, 1, 2, 3], &[4, 4]), Some(ParityError::Twice { piece: 4 }));
        assert_eq!(refused([0, 1, 2, 3], &[3]), Some(ParityError::Twice { piece: 3 }));

        let mut recovery = Recovery::new([0, 1, 2, 9], &[3]).unwrap();
        let most = vec![0; SLICE_BYTES + BLOCK_BYTES];
        for bytes in [0, 1, 63, 65, SLICE_BYTES + BLOCK_BYTES] {
            assert_eq!(recovery.slice([&most[..bytes]; 4]), Err(ParityError::Length { bytes }));
        }
        let uneven = recovery.slice([&most[..64], &most[..64], &most[..128], &most[..64]]);
        assert_eq!(uneven, Err(ParityError::OtherLength { first: 64, other: 128 }));
        assert_eq!(recovery.slice([&most[..SLICE_BYTES]; 4]).unwrap(), [&most[..SLICE_BYTES]]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn slices_of_any_blocks_give_the_bytes_of_the_whole(
            seed: u8,
            chosen in subsequence((0..PIECES).collect::<Vec<_>>(), STRIPE_CELLS).prop_shuffle(),
            slices in prop::collection::vec(1usize..6, 1..6),
        ) {
            let pieces = stripe(slices.iter().sum::<usize>() * BLOCK_BYTES, seed);
            let given = <[usize; STRIPE_CELLS]>::try_from(chosen).unwrap();
            let wanted = others(&given);
            let mut recovery = Recovery::new(given, &wanted).unwrap();
            let mut found = vec![Vec::new(); wanted.len()];
            let mut at = 0;
            for blocks in slices {
                let end = at + blocks * BLOCK_BYTES;
                let parts = recovery.slice(given.map(|piece| &pieces[piece][at..end])).unwrap();
                found.iter_mut().zip(parts).for_each(|(found, part)| found.extend(part));
                at = end;
            }
            let whole: Vec<_> = wanted.iter().map(|piece| pieces[*piece].clone()).collect();
            prop_assert_eq!(found, whole);
        }
    }
}
