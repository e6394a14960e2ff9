//! The viewer's half of one play: which chunk to fold when, and what to send at the end.
//!
//! ```text
//! PlayCode ─▶ Watch ── advance(position, head) ─▶ PointDue ─ fold(delivered chunk) ─┐ k times
//!                └──────────── search nonce over the last hash ─▶ PlayData ◀────────┘
//! ```
//!
//! It holds no cell: whoever plays it (a browser worker, a headless viewer) passes in the delivered bytes a point asks
//! for. Positions are media time, so a pause stops the points too.

use crate::points;
use chainflix_primitives::{BlockHash, CHUNK_BYTES, Digest, DownloadKey, PlayCode, PlayData, ProtocolParams};

/// A play point was reached: fold this chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointDue {
    /// Number of the point.
    pub index: u8,
    /// The chunk of delivered bytes it folds.
    pub chunk: u32,
    block_number: u32,
    block: BlockHash,
}

impl PointDue {
    /// Where the chunk starts in the cell, in bytes.
    pub fn offset(&self) -> u64 {
        u64::from(self.chunk) * CHUNK_BYTES
    }
}

/// What a player did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The points are not folded in order, or none is due.
    #[error("play point {index} is not the one that is due")]
    NotDue { index: u8 },
    /// The bytes are not one chunk.
    #[error("a chunk of {bytes} bytes was given; {expected} were expected")]
    ChunkLength { bytes: usize, expected: u64 },
    /// The cell is not played to its end.
    #[error("{folded} of {points} play points are folded")]
    Unfinished { folded: u8, points: u8 },
}

/// One play under way.
#[derive(Clone, Debug)]
pub struct Watch {
    code: PlayCode,
    points: u8,
    running: Digest,
    blocks: Vec<u32>,
    /// What was folded, for an audit.
    chunks: Vec<u32>,
    due: Option<PointDue>,
}

impl Watch {
    /// Starts to watch what `code` was issued for.
    pub fn new(code: PlayCode, params: &ProtocolParams) -> Self {
        let running = points::start(&code);
        Self { code, points: params.play_points, running, blocks: Vec::new(), chunks: Vec::new(), due: None }
    }

    /// The PlayCode.
    pub fn code(&self) -> &PlayCode {
        &self.code
    }

    /// Tells how far the cell is played and which block is the newest finalised one. Answers the point that is due, if
    /// one is; the same again until it is folded.
    pub fn advance(&mut self, position_ms: u64, head: (u32, BlockHash)) -> Option<PointDue> {
        // At most 16 points.
        let index = self.blocks.len() as u8;
        if self.due.is_none()
            && index < self.points
            && position_ms >= points::position_ms(self.code.play_ms, index, self.points)
        {
            let (block_number, block) = head;
            let chunk = points::chunk(&self.code, index, self.points, &block);
            self.due = Some(PointDue { index, chunk, block_number, block });
        }
        self.due
    }

    /// Folds the delivered bytes (as encrypted for this account) of the chunk that is due.
    pub fn fold(&mut self, index: u8, delivered: &[u8]) -> Result<(), WatchError> {
        let due = self.due.filter(|due| due.index == index).ok_or(WatchError::NotDue { index })?;
        let expected = self.code.size.saturating_sub(due.offset()).min(CHUNK_BYTES);
        if delivered.len() as u64 != expected {
            return Err(WatchError::ChunkLength { bytes: delivered.len(), expected });
        }
        self.running = points::fold(&self.running, due.index, due.block_number, &due.block, due.chunk, delivered);
        self.blocks.push(due.block_number);
        self.chunks.push(due.chunk);
        self.due = None;
        Ok(())
    }

    /// How many points are folded.
    pub fn folded(&self) -> u8 {
        // At most 16 points.
        self.blocks.len() as u8
    }

    /// The chunks that were folded, in order: what an audit asks for. All points must be folded.
    pub fn chunks(&self) -> Result<&[u32], WatchError> {
        self.finished()?;
        Ok(&self.chunks)
    }

    /// Tries `count` nonces from `from` on. All points must be folded.
    pub fn search_nonce(&self, from: u64, count: u64) -> Result<Option<u64>, WatchError> {
        self.finished()?;
        Ok(points::search_nonce(&self.code, &self.running, from, count))
    }

    /// The Play Data to sign and send when the cell has been played to its end, in `slot` by the viewer's clock.
    pub fn play_data(&self, slot: u64, key: &DownloadKey, nonce: u64) -> Result<PlayData, WatchError> {
        self.finished()?;
        Ok(PlayData {
            play: self.code.id,
            slot,
            download_key: key.id(),
            hash: self.running,
            point_blocks: self.blocks.clone(),
            nonce,
        })
    }

    fn finished(&self) -> Result<(), WatchError> {
        match self.folded() {
            folded if folded == self.points => Ok(()),
            folded => Err(WatchError::Unfinished { folded, points: self.points }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::tests::{SIZE, code};
    use chainflix_primitives::NetworkSecret;

    const HEAD: (u32, BlockHash) = (7, BlockHash([7; 32]));

    fn watch() -> Watch {
        Watch::new(code(), &ProtocolParams::default())
    }

    /// As many bytes as the chunk that is due has.
    fn bytes(due: &PointDue) -> Vec<u8> {
        vec![1; (SIZE - due.offset()).min(CHUNK_BYTES) as usize]
    }

    /// Folds so many points of a minute.
    fn folded(points: u64) -> Watch {
        let mut watch = watch();
        for point in 0..points {
            let due = watch.advance(5_000 + point * 10_000, HEAD).unwrap();
            assert_eq!(due.offset(), u64::from(due.chunk) * CHUNK_BYTES);
            watch.fold(due.index, &bytes(&due)).unwrap();
        }
        watch
    }

    #[test]
    fn a_point_is_due_in_the_middle_of_its_part_and_until_it_is_folded() {
        let mut watch = watch();
        assert_eq!(watch.code(), &code());
        for index in 0..6u8 {
            let at_ms = 5_000 + u64::from(index) * 10_000;
            assert_eq!(watch.advance(at_ms - 1, HEAD), None, "point {index}");
            let due = watch.advance(at_ms, HEAD).unwrap();
            assert_eq!((due.index, due.block_number), (index, 7));
            let later = (8, BlockHash([8; 32]));
            assert_eq!(watch.advance(60_000, later), Some(due), "another block does not change it");
            watch.fold(index, &bytes(&due)).unwrap();
        }
        assert_eq!(watch.advance(u64::MAX, HEAD), None, "there are six");
        assert_eq!((watch.folded(), watch.chunks().unwrap().len()), (6, 6));
    }

    #[test]
    fn only_the_chunk_that_is_due_is_folded() {
        let mut watch = watch();
        assert_eq!(watch.fold(0, &[1; 16_384]), Err(WatchError::NotDue { index: 0 }), "none is due");
        let due = watch.advance(5_000, HEAD).unwrap();
        assert_eq!(watch.fold(1, &bytes(&due)), Err(WatchError::NotDue { index: 1 }));
        for wrong in [bytes(&due).len() - 1, bytes(&due).len() + 1] {
            let refused = WatchError::ChunkLength { bytes: wrong, expected: bytes(&due).len() as u64 };
            assert_eq!(watch.fold(0, &vec![1; wrong]), Err(refused));
        }
        assert_eq!((watch.fold(0, &bytes(&due)), watch.folded()), (Ok(()), 1));
        assert_eq!(watch.fold(0, &bytes(&due)), Err(WatchError::NotDue { index: 0 }), "once");
    }

    #[test]
    fn nothing_is_proved_before_the_cell_is_played_to_its_end() {
        let key = NetworkSecret::from_bytes([1; 32]).view_key(&code().account, &code().magnet);
        let key = key.download_key(&code().cell);
        for points in 0..6 {
            let watch = folded(points);
            let unfinished = WatchError::Unfinished { folded: points as u8, points: 6 };
            assert_eq!(watch.chunks().unwrap_err(), unfinished);
            assert_eq!(watch.search_nonce(0, 1).unwrap_err(), unfinished);
            assert_eq!(watch.play_data(1, &key, 0).unwrap_err(), unfinished);
        }
        let watch = folded(6);
        let nonce = watch.search_nonce(0, 1 << 16).unwrap().unwrap();
        let data = watch.play_data(3, &key, nonce).unwrap();
        assert!(points::nonce_is_right(&code(), &data.hash, nonce));
        assert_eq!((data.play, data.slot, data.download_key), (code().id, 3, key.id()));
        assert_eq!((data.point_blocks, data.nonce), (vec![7; 6], nonce));
    }
}
