//! The check of an opening: whether a viewer had, at each play point, the chunk that its hash says it had.
//!
//! ```text
//! sealed chunk ── path ──▶ VideoCell ID                       the bytes are the film's
//!      └─ keystream of the DownloadKey ─▶ delivered chunk     the bytes are this account's
//!                 └─ folded over the point's block ─▶ … ─▶ the hash in the Play Data
//! ```
//!
//! Nobody's word is taken: the place of each chunk comes from a final block's hash, its bytes are proved against the
//! VideoCell ID in the PlayCode, and the keystream is put over them here. The DownloadKey is the viewer's to show, because
//! the PlayCode has its name. Whether an opening came in time, and from whom, is the desk's business.

use crate::points;
use chainflix_cell::{Keystream, verify_path};
use chainflix_primitives::{BlockHash, CHUNK_BYTES, DownloadKey, Opening, PlayCode, PlayData, message::PATH_MAX};

/// What is wrong with an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFailure {
    /// Not one chunk of possible size for each play point.
    #[error("it does not have one chunk for each play point")]
    Shape,
    /// Another DownloadKey than the one the PlayCode names.
    #[error("its key is not the one of the PlayCode")]
    Key,
    /// The block that fixed a point is not final, or too old to be known.
    #[error("the block of play point {point} is not known")]
    Block { point: u8 },
    /// The chunk of a point is not the cell's, or not the drawn one.
    #[error("the chunk of play point {point} is not the drawn one")]
    Chunk { point: u8 },
    /// The chunks are right, and fold to another hash than the one that was proved: that one was invented.
    #[error("its chunks do not give the hash that was proved")]
    Hash,
}

/// Checks that `opening` gives the hash of `data`. `block_hash` knows the hashes of final blocks.
pub fn verify(
    code: &PlayCode,
    data: &PlayData,
    opening: &Opening,
    block_hash: impl Fn(u32) -> Option<BlockHash>,
) -> Result<(), AuditFailure> {
    let chunks = &opening.chunks;
    let possible = chunks.iter().all(|chunk| chunk.sealed.len() as u64 <= CHUNK_BYTES && chunk.path.len() <= PATH_MAX);
    // The number of points was checked when the play was proved; it is at most 16.
    if opening.play != code.id || chunks.len() != data.point_blocks.len() || !possible {
        return Err(AuditFailure::Shape);
    }
    let key = DownloadKey::from_bytes(opening.download_key);
    if key.id() != code.download_key || key.id() != data.download_key {
        return Err(AuditFailure::Key);
    }
    let keystream = Keystream::delivery(&key);
    let count = chunks.len() as u8;
    let mut running = points::start(code);
    for (point, (chunk, number)) in (0..count).zip(chunks.iter().zip(&data.point_blocks)) {
        let block = block_hash(*number).ok_or(AuditFailure::Block { point })?;
        let index = points::chunk(code, point, count, &block);
        if !verify_path(&code.cell, code.size, index, &chunk.sealed, &chunk.path) {
            return Err(AuditFailure::Chunk { point });
        }
        let mut delivered = chunk.sealed.clone();
        keystream.apply(u64::from(index) * CHUNK_BYTES, &mut delivered);
        running = points::fold(&running, point, *number, &block, index, &delivered);
    }
    if running == data.hash { Ok(()) } else { Err(AuditFailure::Hash) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Watch, desk::tests::code};
    use chainflix_cell::ChunkHashes;
    use chainflix_primitives::{AccountAddress, Magnet, NetworkSecret, OpenedChunk, ProtocolParams};

    fn block_hash(number: u32) -> Option<BlockHash> {
        (number < 100).then_some(BlockHash([number as u8; 32]))
    }

    /// A play that was watched, and its opening.
    fn watched(size: usize) -> (PlayCode, PlayData, Opening) {
        let sealed: Vec<u8> = (0..size).map(|i| ((i * 7) >> 3) as u8).collect();
        let hashes = ChunkHashes::of(&sealed);
        let key = NetworkSecret::from_bytes([1; 32]).view_key(&AccountAddress([2; 20]), &Magnet([3; 32]));
        let key = key.download_key(&hashes.root());
        let code = PlayCode { cell: hashes.root(), size: size as u64, download_key: key.id(), ..code() };
        let mut watch = Watch::new(code.clone(), &ProtocolParams::default());
        let mut chunks = Vec::new();
        for second in 1..=60u32 {
            let Some(due) = watch.advance(u64::from(second) * 1_000, (second, block_hash(second).unwrap())) else {
                continue;
            };
            let start = due.offset() as usize;
            let chunk = &sealed[start..(start + CHUNK_BYTES as usize).min(size)];
            let mut delivered = chunk.to_vec();
            Keystream::delivery(&key).apply(due.offset(), &mut delivered);
            watch.fold(due.index, &delivered).unwrap();
            chunks.push(OpenedChunk { sealed: chunk.to_vec(), path: hashes.path(due.chunk).unwrap() });
        }
        let data = watch.play_data(0, &key, 0).unwrap();
        (code.clone(), data, Opening { play: code.id, download_key: *key.expose(), chunks })
    }

    #[test]
    fn a_watched_play_opens_at_any_size() {
        for size in [1, 16_384, 16_385, 300_000] {
            let (code, data, opening) = watched(size);
            assert_eq!(verify(&code, &data, &opening, block_hash), Ok(()), "{size} bytes");
        }
    }

    #[test]
    fn whatever_is_bent_is_found() {
        let (code, data, good) = watched(300_000);
        let bent = |bend: &dyn Fn(&mut PlayCode, &mut PlayData, &mut Opening)| {
            let (mut code, mut data, mut opening) = (code.clone(), data.clone(), good.clone());
            bend(&mut code, &mut data, &mut opening);
            verify(&code, &data, &opening, block_hash)
        };
        use AuditFailure::*;
        assert_eq!(bent(&|_, _, opening| opening.chunks.truncate(5)), Err(Shape));
        assert_eq!(bent(&|_, _, opening| opening.chunks.push(opening.chunks[0].clone())), Err(Shape));
        assert_eq!(bent(&|_, _, opening| opening.play.0[0] ^= 1), Err(Shape));
        assert_eq!(bent(&|_, _, opening| opening.chunks[3].sealed.resize(16_385, 0)), Err(Shape));
        assert_eq!(bent(&|_, _, opening| opening.chunks[3].path = vec![Default::default(); 13]), Err(Shape));
        assert_eq!(bent(&|_, _, opening| opening.download_key[0] ^= 1), Err(Key));
        assert_eq!(bent(&|_, data, _| data.download_key[0] ^= 1), Err(Key));
        assert_eq!(bent(&|_, data, _| data.point_blocks[5] = 100), Err(Block { point: 5 }));
        assert_eq!(bent(&|_, _, opening| opening.chunks[2].sealed[9] ^= 1), Err(Chunk { point: 2 }));
        assert_eq!(bent(&|_, _, opening| opening.chunks[2].path[0].0[9] ^= 1), Err(Chunk { point: 2 }));
        assert_eq!(bent(&|_, _, opening| opening.chunks.reverse()), Err(Chunk { point: 0 }));
        assert_eq!(bent(&|code, _, _| code.cell.0[0] ^= 1), Err(Chunk { point: 0 }));
        assert_eq!(bent(&|_, data, _| data.hash.0[0] ^= 1), Err(Hash));
        assert_eq!(bent(&|code, _, _| code.constant[0] ^= 1), Err(Hash), "another play's work");
    }
}
