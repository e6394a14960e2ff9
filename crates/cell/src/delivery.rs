//! One delivery as its receiver sees it: a state machine that turns the provider's stream into verified sealed bytes.
//!
//! ```text
//! stream:  [ chunk hashes, 32 bytes each ][ sealed bytes under the DownloadKey, from `from_byte` to the end ]
//! state:     Hashes ──list matches the VideoCell ID──▶ Bytes ──last chunk verified──▶ complete
//! ```
//!
//! A lie is found within 16 KiB of where it stands. After an error the delivery takes no more bytes; what was verified
//! stays good, and another provider continues at [`Delivery::verified_end`].

use crate::{ChunkError, ChunkHashes, Keystream};
use chainflix_primitives::{CELL_BYTES_MAX, CHUNK_BYTES, CellId, Digest, DownloadKey};

/// Why a delivery cannot go on. Every case but [`DeliveryError::Shape`] is the provider's doing: block it and ask another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The list in front is not of this cell.
    #[error("the provider sent wrong chunk hashes")]
    Hashes(#[source] ChunkError),
    /// A chunk's bytes are not those of the cell.
    #[error("the provider sent wrong bytes for chunk {chunk} of cell {cell}")]
    Corrupt { cell: CellId, chunk: u32 },
    /// More bytes than the cell has.
    #[error("the provider sent more than the {size} bytes of cell {cell}")]
    TooLong { cell: CellId, size: u64 },
    /// The delivery failed before.
    #[error("the delivery of cell {cell} has failed")]
    Failed { cell: CellId },
    /// Not the provider's doing: whoever strips the layer gave something else than the next whole chunks, twice.
    #[error("stripped bytes of cell {cell} come in whole chunks, after the chunk hashes")]
    Shape { cell: CellId },
}

enum State {
    Hashes,
    Bytes(ChunkHashes),
    Failed,
}

/// The receiving end of one delivery.
pub struct Delivery {
    cell: CellId,
    size: u64,
    from_byte: u64,
    keystream: Keystream,
    state: State,
    /// Received and not yet verified: less than a list, then less than a chunk.
    pending: Vec<u8>,
    verified_end: u64,
    delivered: blake3::Hasher,
}

impl Delivery {
    /// Expects `cell` of `size` bytes from `from_byte` (rounded down to a chunk) on.
    pub fn new(cell: CellId, size: u64, from_byte: u64, key: &DownloadKey) -> Result<Self, DeliveryError> {
        if size == 0 || size > CELL_BYTES_MAX {
            return Err(DeliveryError::Hashes(ChunkError::Size { size }));
        }
        let from_byte = from_byte.min(size) / CHUNK_BYTES * CHUNK_BYTES;
        Ok(Self {
            cell,
            size,
            from_byte,
            keystream: Keystream::delivery(key),
            state: State::Hashes,
            pending: Vec::new(),
            verified_end: from_byte,
            delivered: blake3::Hasher::new(),
        })
    }

    /// Takes the next bytes of the stream and adds what they verified to `sealed`: whole chunks, in order, without gaps,
    /// without the delivery layer.
    ///
    /// `sealed` is good even where this fails: it holds what came before the lie.
    pub fn push(&mut self, mut bytes: &[u8], sealed: &mut Vec<u8>) -> Result<(), DeliveryError> {
        while !bytes.is_empty() {
            let wanted = self.wanted();
            if wanted == 0 {
                return Err(self.fail(DeliveryError::TooLong { cell: self.cell, size: self.size }));
            }
            let (taken, rest) = bytes.split_at(bytes.len().min(wanted - self.pending.len()));
            bytes = rest;
            if taken.len() == wanted {
                self.unit(taken, sealed)?;
                continue;
            }
            self.pending.reserve(wanted - self.pending.len());
            self.pending.extend_from_slice(taken);
            if self.pending.len() == wanted {
                let mut unit = std::mem::take(&mut self.pending);
                self.unit(&unit, sealed)?;
                // Its room serves the next one.
                unit.clear();
                self.pending = unit;
            }
        }
        Ok(())
    }

    /// Takes the next whole chunks from a caller that stripped them of their layer itself, with a faster cipher than this
    /// crate has where it runs: the bytes as they were delivered, and the same without their layer, which are added to
    /// `taken` as far as they are right. The chunk hashes come by [`Delivery::push`] before.
    ///
    /// `taken` is good even where this fails.
    pub fn push_stripped(&mut self, delivered: &[u8], sealed: &[u8], taken: &mut Vec<u8>) -> Result<(), DeliveryError> {
        let left = self.size - self.verified_end;
        let whole = (sealed.len() as u64).is_multiple_of(CHUNK_BYTES) || sealed.len() as u64 == left;
        if sealed.len() as u64 > left {
            return Err(self.fail(DeliveryError::TooLong { cell: self.cell, size: self.size }));
        }
        if delivered.len() != sealed.len() || !whole || !self.pending.is_empty() {
            return Err(self.fail(DeliveryError::Shape { cell: self.cell }));
        }
        let chunks = delivered.chunks(CHUNK_BYTES as usize).zip(sealed.chunks(CHUNK_BYTES as usize));
        for (delivered, sealed) in chunks {
            let State::Bytes(hashes) = &self.state else {
                return Err(self.fail(DeliveryError::Shape { cell: self.cell }));
            };
            // At most CELL_BYTES_MAX / CHUNK_BYTES chunks.
            let chunk = (self.verified_end / CHUNK_BYTES) as u32;
            if !hashes.verify(chunk, sealed) {
                return Err(self.fail(DeliveryError::Corrupt { cell: self.cell, chunk }));
            }
            self.delivered.update(delivered);
            self.verified_end += sealed.len() as u64;
            taken.extend_from_slice(sealed);
        }
        Ok(())
    }

    /// Length of the unit that is being collected: the list, a chunk, or nothing more.
    fn wanted(&self) -> usize {
        match &self.state {
            State::Hashes => ChunkHashes::encoded_len(self.size),
            State::Bytes(_) => (self.size - self.verified_end).min(CHUNK_BYTES) as usize,
            State::Failed => 0,
        }
    }

    fn unit(&mut self, unit: &[u8], sealed: &mut Vec<u8>) -> Result<(), DeliveryError> {
        match &self.state {
            State::Hashes => match ChunkHashes::decode(self.size, unit, &self.cell) {
                Ok(hashes) => {
                    self.state = State::Bytes(hashes);
                    Ok(())
                }
                Err(source) => Err(self.fail(DeliveryError::Hashes(source))),
            },
            State::Bytes(hashes) => {
                // At most CELL_BYTES_MAX / CHUNK_BYTES chunks.
                let chunk = (self.verified_end / CHUNK_BYTES) as u32;
                let begin = sealed.len();
                sealed.extend_from_slice(unit);
                self.keystream.apply(self.verified_end, &mut sealed[begin..]);
                if !hashes.verify(chunk, &sealed[begin..]) {
                    sealed.truncate(begin);
                    return Err(self.fail(DeliveryError::Corrupt { cell: self.cell, chunk }));
                }
                self.delivered.update(unit);
                self.verified_end += unit.len() as u64;
                Ok(())
            }
            State::Failed => Err(DeliveryError::Failed { cell: self.cell }),
        }
    }

    fn fail(&mut self, error: DeliveryError) -> DeliveryError {
        if matches!(self.state, State::Failed) {
            return DeliveryError::Failed { cell: self.cell };
        }
        self.state = State::Failed;
        self.pending = Vec::new();
        error
    }

    /// The cell's chunk hashes, once they came and are believed.
    pub fn hashes(&self) -> Option<&ChunkHashes> {
        match &self.state {
            State::Bytes(hashes) => Some(hashes),
            State::Hashes | State::Failed => None,
        }
    }

    /// First byte of this delivery.
    pub fn start(&self) -> u64 {
        self.from_byte
    }

    /// One past the last verified byte: where another provider continues.
    pub fn verified_end(&self) -> u64 {
        self.verified_end
    }

    /// Whether the last byte of the cell is verified.
    pub fn is_complete(&self) -> bool {
        self.verified_end == self.size && !matches!(self.state, State::Hashes)
    }

    /// BLAKE3 of the delivered bytes from [`Self::start`] to [`Self::verified_end`], as they were encrypted.
    pub fn delivered_hash(&self) -> Digest {
        Digest(self.delivered.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{AccountAddress, Magnet, NetworkSecret};
    use proptest::prelude::*;

    struct Sent {
        sealed: Vec<u8>,
        cell: CellId,
        key: DownloadKey,
    }

    impl Sent {
        fn new(size: usize) -> Self {
            let sealed: Vec<u8> = (0..size).map(|i| ((i * 31) >> 3) as u8).collect();
            let cell = ChunkHashes::of(&sealed).root();
            let key = NetworkSecret::from_bytes([1; 32]).view_key(&AccountAddress([2; 20]), &Magnet([3; 32]));
            let key = key.download_key(&cell);
            Self { sealed, cell, key }
        }

        fn stream(&self, from: u64) -> Vec<u8> {
            let mut bytes = self.sealed[from as usize..].to_vec();
            Keystream::delivery(&self.key).apply(from, &mut bytes);
            [ChunkHashes::of(&self.sealed).encode(), bytes].concat()
        }

        fn receiver(&self, from: u64) -> Delivery {
            Delivery::new(self.cell, self.sealed.len() as u64, from, &self.key).unwrap()
        }
    }

    #[test]
    fn a_lie_is_found_in_its_chunk_and_another_provider_goes_on() {
        let sent = Sent::new(100_000);
        let mut stream = sent.stream(0);
        let hashes = ChunkHashes::encoded_len(100_000);
        stream[hashes + 40_000] ^= 1;
        let mut first = sent.receiver(0);
        let mut sealed = Vec::new();
        assert_eq!(first.push(&stream, &mut sealed), Err(DeliveryError::Corrupt { cell: sent.cell, chunk: 2 }));
        assert_eq!(first.push(&stream, &mut sealed), Err(DeliveryError::Failed { cell: sent.cell }));
        assert_eq!(first.verified_end(), 2 * CHUNK_BYTES);

        let mut second = sent.receiver(first.verified_end());
        second.push(&sent.stream(first.verified_end()), &mut sealed).unwrap();
        assert!(second.is_complete());
        assert_eq!(sealed, sent.sealed);
    }

    #[test]
    fn wrong_lists_and_trailing_bytes_are_lies_too() {
        let sent = Sent::new(50_000);
        let mut stream = sent.stream(0);
        stream[3] ^= 1;
        let push = |stream: &[u8]| sent.receiver(0).push(stream, &mut Vec::new());
        assert!(matches!(push(&stream), Err(DeliveryError::Hashes(ChunkError::OtherCell { .. }))));
        let mut stream = sent.stream(0);
        stream.push(0);
        assert!(matches!(push(&stream), Err(DeliveryError::TooLong { .. })));
        assert!(Delivery::new(sent.cell, u64::MAX, 0, &sent.key).is_err());
    }

    /// What a caller with a cipher of its own hands in: the chunk hashes, then the bytes and the same without their layer.
    fn stripped(sent: &Sent, from: u64) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let mut list = sent.stream(from);
        let delivered = list.split_off(ChunkHashes::encoded_len(sent.sealed.len() as u64));
        (list, delivered, sent.sealed[from as usize..].to_vec())
    }

    #[test]
    fn a_lie_in_stripped_bytes_is_found_in_its_chunk() {
        let sent = Sent::new(100_000);
        let (list, delivered, mut sealed) = stripped(&sent, 0);
        sealed[40_000] ^= 1;
        let (mut receiver, mut taken) = (sent.receiver(0), Vec::new());
        receiver.push(&list, &mut Vec::new()).unwrap();
        let found = receiver.push_stripped(&delivered, &sealed, &mut taken);
        assert_eq!(found, Err(DeliveryError::Corrupt { cell: sent.cell, chunk: 2 }));
        assert_eq!((taken.len() as u64, receiver.verified_end()), (2 * CHUNK_BYTES, 2 * CHUNK_BYTES));
        let again = receiver.push_stripped(&delivered[32_768..], &sent.sealed[32_768..], &mut taken);
        assert_eq!(again, Err(DeliveryError::Failed { cell: sent.cell }), "a failed delivery takes no more");
    }

    #[test]
    fn stripped_bytes_out_of_shape_are_not_taken() {
        let sent = Sent::new(100_000);
        let (list, delivered, sealed) = stripped(&sent, 0);
        let refused = |listed: bool, delivered: &[u8], sealed: &[u8]| {
            let (mut receiver, mut taken) = (sent.receiver(0), Vec::new());
            if listed {
                receiver.push(&list, &mut Vec::new()).unwrap();
            }
            let error = receiver.push_stripped(delivered, sealed, &mut taken).unwrap_err();
            assert!(taken.is_empty());
            error
        };
        let shape = DeliveryError::Shape { cell: sent.cell };
        assert_eq!(refused(false, &delivered, &sealed), shape, "the list comes first");
        assert_eq!(refused(true, &delivered[..20_000], &sealed[..20_000]), shape);
        assert_eq!(refused(true, &delivered[..16_384], &sealed[..32_768]), shape);
        let longer = [&sealed[..], &[0; 16_384]].concat();
        assert_eq!(refused(true, &longer, &longer), DeliveryError::TooLong { cell: sent.cell, size: 100_000 });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn stripped_bytes_deliver_the_same_cell(size in 1usize..120_000, chunks in 1usize..5, from in 0u64..7) {
            let sent = Sent::new(size);
            let mut receiver = sent.receiver(from * CHUNK_BYTES);
            let start = receiver.start();
            let (list, delivered, sealed) = stripped(&sent, start);
            receiver.push(&list, &mut Vec::new()).unwrap();
            let (cut, mut taken) = (chunks * CHUNK_BYTES as usize, Vec::new());
            for (delivered, sealed) in delivered.chunks(cut).zip(sealed.chunks(cut)) {
                receiver.push_stripped(delivered, sealed, &mut taken).unwrap();
            }
            prop_assert!(receiver.is_complete());
            prop_assert_eq!(&taken, &sealed);
            prop_assert_eq!(receiver.delivered_hash().0, *blake3::hash(&delivered).as_bytes());
        }

        #[test]
        fn any_cut_of_the_stream_delivers_the_cell(size in 1usize..120_000, cut in 1usize..60_000, from in 0u64..120_000) {
            let sent = Sent::new(size);
            let mut receiver = sent.receiver(from);
            let start = receiver.start();
            let mut got = Vec::new();
            for bytes in sent.stream(start).chunks(cut) {
                receiver.push(bytes, &mut got).unwrap();
                prop_assert_eq!(receiver.verified_end(), start + got.len() as u64);
            }
            prop_assert!(receiver.is_complete());
            prop_assert_eq!(&got, &sent.sealed[start as usize..]);
            let mut delivered = got;
            Keystream::delivery(&sent.key).apply(start, &mut delivered);
            prop_assert_eq!(receiver.delivered_hash().0, *blake3::hash(&delivered).as_bytes());
        }
    }
}
