//! Whose receipt is true when viewer and provider signed for different bytes.
//!
//! ```text
//! receipts differ ─▶ each side shows the chunk hashes behind its delivered hash
//!                       ├─ they agree as far as both go ─▶ that part was delivered
//!                       └─ they differ at a chunk ─▶ either side opens it: sealed bytes, path to the VideoCell ID
//!                              the DownloadKey's keystream goes over them here ─▶ whose hash is not theirs was a lie
//! ```
//!
//! A delivered hash is a commitment to every chunk of the range, so nobody can change its story after it saw the other's.
//! What a chunk must have been follows from the cell, the key and the place: no witness is needed. What cannot be told is
//! who is right when one side stays silent; then nothing is decided, and both receipts stay worth nothing.

use chainflix_cell::{ChunkHashes, Keystream, verify_path};
use chainflix_primitives::{CHUNK_BYTES, CellId, DownloadKey, OpenedChunk, Receipt};

/// What two differing receipts turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both tell the truth up to `end`; what one of them claims beyond is not agreed.
    Agreed { end: u64 },
    /// The viewer signed for bytes that are not the cell's.
    ViewerFalse,
    /// The provider did.
    ProviderFalse,
    /// Both did.
    BothFalse,
}

/// How far a dispute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeState {
    /// The other side has not shown its chunk hashes.
    Waiting,
    /// The sides differ at this chunk of the cell: either may open it.
    Open { chunk: u32 },
    /// It is known whose word is worth what.
    Decided(Verdict),
}

/// Why a piece of evidence is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The hashes are not those behind the receipt.
    #[error("its hashes are not behind the receipt")]
    Hashes,
    /// The opened bytes are not that chunk of the cell, or it lies outside of what both sides speak of.
    #[error("its chunk is not the disputed one of this cell")]
    Chunk,
}

/// One side's receipt with the chunk hashes that its delivered hash is the root of.
#[derive(Clone, Debug)]
pub struct Claim {
    start: u64,
    end: u64,
    hashes: ChunkHashes,
}

impl Claim {
    /// Checks that `hashes` are behind `receipt`, whose range must lie inside a cell and begin with a chunk.
    pub fn new(receipt: &Receipt, hashes: &[u8]) -> Result<Self, EvidenceError> {
        // A delivery's bytes are hashed like those of a cell.
        let root = CellId(receipt.delivered_hash.0);
        let hashes = ChunkHashes::decode(receipt.bytes(), hashes, &root).map_err(|_| EvidenceError::Hashes)?;
        Ok(Self { start: receipt.start, end: receipt.end, hashes })
    }

    /// Chunk hashes of a single chunk are of another kind than those of several (BLAKE3 tells a root from a subtree).
    fn is_single(&self) -> bool {
        self.hashes.len() == 1
    }

    /// Place of chunk `chunk` of the cell in this delivery, and how many of its bytes were delivered.
    fn part(&self, chunk: u32) -> Option<(u32, u64)> {
        let offset = u64::from(chunk) * CHUNK_BYTES;
        let bytes = self.end.checked_sub(offset).filter(|bytes| *bytes > 0)?.min(CHUNK_BYTES);
        let place = chunk.checked_sub(self.first())?;
        Some((place, bytes))
    }

    /// First chunk of the cell in this delivery.
    fn first(&self) -> u32 {
        // A cell has at most 4096 chunks.
        (self.start / CHUNK_BYTES) as u32
    }

    /// Whether the side's hash of a chunk is that of the delivered bytes; `None` when it says nothing of that chunk.
    fn holds(&self, chunk: u32, delivered: &[u8]) -> Option<bool> {
        let (place, bytes) = self.part(chunk)?;
        // A part is never longer than its chunk, which was checked to be whole.
        Some(delivered.get(..bytes as usize).is_some_and(|delivered| self.hashes.verify(place, delivered)))
    }
}

/// Compares two claims about one delivery: where they differ, or how far they agree.
pub fn compare(viewer: &Claim, provider: &Claim) -> DisputeState {
    let end = viewer.end.min(provider.end);
    if viewer.is_single() != provider.is_single() {
        return DisputeState::Decided(Verdict::Agreed { end: viewer.start });
    }
    let mut agreed = viewer.start;
    for chunk in viewer.first().. {
        let (Some((place, ours)), Some((_, theirs))) = (viewer.part(chunk), provider.part(chunk)) else { break };
        // Where one side's range ends inside a chunk, its hash is of fewer bytes.
        if ours != theirs {
            break;
        }
        if viewer.hashes.get(place) != provider.hashes.get(place) {
            return DisputeState::Open { chunk };
        }
        agreed = (u64::from(chunk) * CHUNK_BYTES).saturating_add(ours);
    }
    DisputeState::Decided(Verdict::Agreed { end: agreed.min(end) })
}

/// Judges both claims by one opened chunk of the cell of `size` bytes, delivered under `key`.
pub fn judge(
    (cell, size): (&CellId, u64),
    key: &DownloadKey,
    (viewer, provider): (&Claim, &Claim),
    (chunk, opened): (u32, &OpenedChunk),
) -> Result<Verdict, EvidenceError> {
    if !verify_path(cell, size, chunk, &opened.sealed, &opened.path) {
        return Err(EvidenceError::Chunk);
    }
    let mut delivered = opened.sealed.clone();
    Keystream::delivery(key).apply(u64::from(chunk) * CHUNK_BYTES, &mut delivered);
    match (viewer.holds(chunk, &delivered), provider.holds(chunk, &delivered)) {
        (Some(false), Some(false)) => Ok(Verdict::BothFalse),
        (Some(false), _) => Ok(Verdict::ViewerFalse),
        (_, Some(false)) => Ok(Verdict::ProviderFalse),
        _ => Err(EvidenceError::Chunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{AccountAddress, Digest, GrantId, Magnet, NetworkSecret};
    use proptest::prelude::*;

    const SIZE: usize = 100_000;

    struct Delivered {
        sealed: Vec<u8>,
        cell: CellId,
        key: DownloadKey,
    }

    impl Delivered {
        fn new() -> Self {
            let sealed: Vec<u8> = (0..SIZE).map(|i| ((i * 31) >> 3) as u8).collect();
            let cell = ChunkHashes::of(&sealed).root();
            let key = NetworkSecret::from_bytes([1; 32]).view_key(&AccountAddress([2; 20]), &Magnet([3; 32]));
            Self { sealed, cell, key: key.download_key(&cell) }
        }

        /// What a side claims of a range, with some bytes flipped.
        fn claim(&self, start: usize, end: usize, lies: &[usize]) -> Claim {
            let mut bytes = self.sealed[start..end].to_vec();
            Keystream::delivery(&self.key).apply(start as u64, &mut bytes);
            for at in lies {
                bytes[at - start] ^= 1;
            }
            let hashes = ChunkHashes::of(&bytes);
            let receipt = Receipt {
                grant: GrantId([1; 16]),
                viewer: AccountAddress([2; 20]),
                provider: AccountAddress([3; 20]),
                cell: self.cell,
                start: start as u64,
                end: end as u64,
                delivered_hash: Digest(hashes.root().0),
            };
            Claim::new(&receipt, &hashes.encode()).unwrap()
        }

        fn open(&self, chunk: u32) -> OpenedChunk {
            let start = chunk as usize * CHUNK_BYTES as usize;
            let end = (start + CHUNK_BYTES as usize).min(SIZE);
            let path = ChunkHashes::of(&self.sealed).path(chunk).unwrap();
            OpenedChunk { sealed: self.sealed[start..end].to_vec(), path }
        }

        fn judge(&self, viewer: &Claim, provider: &Claim, chunk: u32) -> Result<Verdict, EvidenceError> {
            judge((&self.cell, SIZE as u64), &self.key, (viewer, provider), (chunk, &self.open(chunk)))
        }
    }

    #[test]
    fn whoever_lies_about_a_chunk_is_found() {
        let delivered = Delivered::new();
        let honest = delivered.claim(0, SIZE, &[]);
        let liar = delivered.claim(0, SIZE, &[40_000]);
        let other_liar = delivered.claim(0, SIZE, &[40_001]);
        assert_eq!(compare(&honest, &liar), DisputeState::Open { chunk: 2 });
        assert_eq!(delivered.judge(&honest, &liar, 2), Ok(Verdict::ProviderFalse));
        assert_eq!(delivered.judge(&liar, &honest, 2), Ok(Verdict::ViewerFalse));
        assert_eq!(delivered.judge(&liar, &other_liar, 2), Ok(Verdict::BothFalse));
        assert_eq!(delivered.judge(&honest, &liar, 3), Err(EvidenceError::Chunk), "a chunk that nobody lied about");
    }

    #[test]
    fn a_delivery_that_begins_in_mid_cell_is_judged_by_its_own_places() {
        let delivered = Delivered::new();
        let start = 2 * CHUNK_BYTES as usize;
        let honest = delivered.claim(start, SIZE, &[]);
        let liar = delivered.claim(start, SIZE, &[start + 20_000]);
        assert_eq!(compare(&honest, &liar), DisputeState::Open { chunk: 3 });
        assert_eq!(delivered.judge(&honest, &liar, 3), Ok(Verdict::ProviderFalse));
        assert_eq!(delivered.judge(&honest, &liar, 1), Err(EvidenceError::Chunk), "before the delivery");
    }

    #[test]
    fn what_both_sides_say_counts_where_one_claims_more() {
        let delivered = Delivered::new();
        let all = delivered.claim(0, SIZE, &[]);
        for (end, agreed) in [(70_000, 65_536), (65_536, 65_536), (16_385, 16_384), (SIZE, SIZE as u64)] {
            let some = delivered.claim(0, end, &[]);
            let expected = DisputeState::Decided(Verdict::Agreed { end: agreed });
            assert_eq!((compare(&some, &all), compare(&all, &some)), (expected, expected), "up to {end}");
        }
        let one_chunk = delivered.claim(0, 16_384, &[]);
        assert_eq!(compare(&one_chunk, &all), DisputeState::Decided(Verdict::Agreed { end: 0 }));
        let lie_beyond = delivered.claim(0, SIZE, &[90_000]);
        let some = delivered.claim(0, 40_000, &[]);
        assert_eq!(compare(&some, &lie_beyond), DisputeState::Decided(Verdict::Agreed { end: 32_768 }));
        assert_eq!(
            delivered.judge(&some, &lie_beyond, 5),
            Ok(Verdict::ProviderFalse),
            "still a lie, if somebody opens it"
        );
    }

    #[test]
    fn a_claim_that_ends_with_a_chunk_says_nothing_of_the_next() {
        let delivered = Delivered::new();
        let (all, liar) = (delivered.claim(0, SIZE, &[]), delivered.claim(0, SIZE, &[70_000]));
        let some = delivered.claim(0, 4 * CHUNK_BYTES as usize, &[]);
        assert_eq!(delivered.judge(&some, &all, 4), Err(EvidenceError::Chunk), "nobody lied");
        assert_eq!(delivered.judge(&some, &liar, 4), Ok(Verdict::ProviderFalse));
        assert_eq!(delivered.judge(&liar, &some, 4), Ok(Verdict::ViewerFalse));
    }

    #[test]
    fn garbage_decides_nothing() {
        let delivered = Delivered::new();
        let (honest, liar) = (delivered.claim(0, SIZE, &[]), delivered.claim(0, SIZE, &[40_000]));
        let judge = |chunk, opened: &OpenedChunk| {
            judge((&delivered.cell, SIZE as u64), &delivered.key, (&honest, &liar), (chunk, opened))
        };
        let good = delivered.open(2);
        assert_eq!(judge(1, &good), Err(EvidenceError::Chunk), "another place");
        let bent = OpenedChunk { sealed: vec![0; good.sealed.len()], ..good.clone() };
        assert_eq!(judge(2, &bent), Err(EvidenceError::Chunk), "other bytes");
        assert_eq!(judge(u32::MAX, &good), Err(EvidenceError::Chunk));
        let receipt = Receipt {
            grant: GrantId([1; 16]),
            viewer: AccountAddress([2; 20]),
            provider: AccountAddress([3; 20]),
            cell: delivered.cell,
            start: 0,
            end: SIZE as u64,
            delivered_hash: Digest([9; 32]),
        };
        let hashes = ChunkHashes::of(&delivered.sealed).encode();
        assert_eq!(Claim::new(&receipt, &hashes).unwrap_err(), EvidenceError::Hashes);
        assert_eq!(
            Claim::new(&Receipt { end: u64::MAX, ..receipt.clone() }, &hashes).unwrap_err(),
            EvidenceError::Hashes
        );
        assert_eq!(Claim::new(&Receipt { end: 0, ..receipt }, &[]).unwrap_err(), EvidenceError::Hashes);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_honest_side_never_loses(
            start in 0usize..6,
            mine in 1usize..=SIZE,
            theirs in 1usize..=SIZE,
            lies in proptest::collection::btree_set(0usize..SIZE, 0..4),
        ) {
            let delivered = Delivered::new();
            let start = start * CHUNK_BYTES as usize;
            let (mine, theirs) = (mine.max(start + 1), theirs.max(start + 1));
            let lies: Vec<_> = lies.into_iter().filter(|at| (start..theirs).contains(at)).collect();
            let (honest, other) = (delivered.claim(start, mine, &[]), delivered.claim(start, theirs, &lies));
            match compare(&honest, &other) {
                DisputeState::Open { chunk } => {
                    prop_assert_eq!(delivered.judge(&honest, &other, chunk), Ok(Verdict::ProviderFalse));
                    prop_assert_eq!(delivered.judge(&other, &honest, chunk), Ok(Verdict::ViewerFalse));
                }
                DisputeState::Decided(Verdict::Agreed { end }) => {
                    prop_assert!(end <= mine as u64 && end >= start as u64);
                    prop_assert!(lies.iter().all(|at| *at as u64 >= end), "no lie is agreed on");
                }
                state => prop_assert!(false, "{:?}", state),
            }
            for chunk in 0..7 {
                let verdict = delivered.judge(&honest, &other, chunk);
                let wrong = matches!(verdict, Ok(Verdict::ViewerFalse | Verdict::BothFalse | Verdict::Agreed { .. }));
                prop_assert!(!wrong);
            }
        }
    }
}
