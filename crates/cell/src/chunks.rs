//! The chunk hashes of a cell: enough to check any 16 KiB of it against its VideoCell ID.
//!
//! BLAKE3 is a binary tree over 1 KiB chunks. Sixteen of them form a full subtree; the list of those subtrees' chaining
//! values, in order, determines the root (BLAKE3 specification, section 2.1) and is half the size of a full outboard.
//! For a cell of one chunk group the list holds the root itself.

use blake3::hazmat::{HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};
use chainflix_primitives::{CELL_BYTES_MAX, CHUNK_BYTES, CellId, Digest, message::PATH_MAX};

/// Why a list is not that of the expected cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// A cell is 1 byte to 64 MiB.
    #[error("a cell of {size} bytes is not possible; the most is {CELL_BYTES_MAX}")]
    Size { size: u64 },
    /// 32 bytes for each 16 KiB.
    #[error("a cell of {size} bytes has {expected} bytes of chunk hashes, not {actual}")]
    Length { size: u64, expected: usize, actual: usize },
    /// The hashes of some other bytes.
    #[error("the chunk hashes are of {actual}, not of {expected}")]
    OtherCell { expected: CellId, actual: CellId },
}

/// One BLAKE3 chaining value per 16 KiB of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkHashes {
    size: u64,
    hashes: Vec<[u8; 32]>,
}

impl ChunkHashes {
    /// Hashes a cell in memory.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = ChunkHasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Length of the encoded list of a cell of `size` bytes.
    pub fn encoded_len(size: u64) -> usize {
        // Bounded by CELL_BYTES_MAX wherever a size is believed.
        size.div_ceil(CHUNK_BYTES) as usize * 32
    }

    /// Reads the list that is said to belong to `expected`, and checks that it does.
    pub fn decode(size: u64, bytes: &[u8], expected: &CellId) -> Result<Self, ChunkError> {
        if size == 0 || size > CELL_BYTES_MAX {
            return Err(ChunkError::Size { size });
        }
        let length = Self::encoded_len(size);
        if bytes.len() != length {
            return Err(ChunkError::Length { size, expected: length, actual: bytes.len() });
        }
        let (hashes, _) = bytes.as_chunks::<32>();
        let list = Self { size, hashes: hashes.to_vec() };
        match list.root() {
            actual if actual == *expected => Ok(list),
            actual => Err(ChunkError::OtherCell { expected: *expected, actual }),
        }
    }

    /// The list as it travels and rests: the hashes in order.
    pub fn encode(&self) -> Vec<u8> {
        self.hashes.concat()
    }

    /// The VideoCell ID these hashes determine.
    pub fn root(&self) -> CellId {
        match self.hashes.as_slice() {
            [] => CellId(blake3::hash(&[]).into()),
            [only] => CellId(*only),
            several => {
                let (left, right) = self.halves(several, self.size);
                CellId(merge_subtrees_root(&left, &right, Mode::Hash).into())
            }
        }
    }

    /// Whether `bytes` are chunk group `index` of the cell. Wrong lengths are wrong bytes.
    pub fn verify(&self, index: u32, bytes: &[u8]) -> bool {
        let offset = u64::from(index) * CHUNK_BYTES;
        let length = self.size.saturating_sub(offset).min(CHUNK_BYTES);
        let known = self.hashes.get(index as usize);
        known.is_some_and(|known| bytes.len() as u64 == length && group_hash(bytes, offset, self.size) == *known)
    }

    /// The chaining value of chunk group `index`.
    pub fn get(&self, index: u32) -> Option<&[u8; 32]> {
        self.hashes.get(index as usize)
    }

    /// The sibling hashes from chunk group `index` up to the root: with the group's bytes, all that [`verify_path`] needs.
    /// `None` when there is no such group.
    pub fn path(&self, index: u32) -> Option<Vec<Digest>> {
        let mut path = Vec::with_capacity(PATH_MAX);
        let (mut hashes, mut size, mut index) = (self.hashes.as_slice(), self.size, index as usize);
        hashes.get(index)?;
        while hashes.len() > 1 {
            let left_size = left_subtree_len(size);
            let (left, right) = hashes.split_at((left_size / CHUNK_BYTES) as usize);
            let right_size = size - left_size;
            if index < left.len() {
                path.push(Digest(self.subtree(right, right_size)));
                (hashes, size) = (left, left_size);
            } else {
                path.push(Digest(self.subtree(left, left_size)));
                (hashes, size, index) = (right, right_size, index - left.len());
            }
        }
        path.reverse();
        Some(path)
    }

    /// Number of chunk groups.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether the cell is empty.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Bytes of the cell.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn halves(&self, hashes: &[[u8; 32]], size: u64) -> ([u8; 32], [u8; 32]) {
        let left_size = left_subtree_len(size);
        let (left, right) = hashes.split_at((left_size / CHUNK_BYTES) as usize);
        (self.subtree(left, left_size), self.subtree(right, size - left_size))
    }

    fn subtree(&self, hashes: &[[u8; 32]], size: u64) -> [u8; 32] {
        match hashes {
            [only] => *only,
            several => {
                let (left, right) = self.halves(several, size);
                merge_subtrees_non_root(&left, &right, Mode::Hash)
            }
        }
    }
}

/// Whether `sealed` is chunk group `index` of `cell`, by the sibling hashes on its way up to the root. The size is part of
/// what is proved: a path that fits one size fits no other.
pub fn verify_path(cell: &CellId, size: u64, index: u32, sealed: &[u8], path: &[Digest]) -> bool {
    let offset = u64::from(index) * CHUNK_BYTES;
    if size == 0 || size > CELL_BYTES_MAX || offset >= size || path.len() > PATH_MAX {
        return false;
    }
    let length = (size - offset).min(CHUNK_BYTES);
    if sealed.len() as u64 != length {
        return false;
    }
    let group = group_hash(sealed, offset, size);
    if size <= CHUNK_BYTES {
        return path.is_empty() && group == cell.0;
    }
    climb(group, offset, size, path, true).is_some_and(|root| root == cell.0)
}

/// Merges a group's hash with its siblings inside a subtree of `size` bytes in which it stands at `offset`. `None` when
/// the path is longer or shorter than the tree is high.
fn climb(group: [u8; 32], offset: u64, size: u64, path: &[Digest], is_root: bool) -> Option<[u8; 32]> {
    if size <= CHUNK_BYTES {
        return path.is_empty().then_some(group);
    }
    let (sibling, below) = path.split_last()?;
    let left_size = left_subtree_len(size);
    let (left, right) = if offset < left_size {
        (climb(group, offset, left_size, below, false)?, sibling.0)
    } else {
        (sibling.0, climb(group, offset - left_size, size - left_size, below, false)?)
    };
    Some(match is_root {
        true => merge_subtrees_root(&left, &right, Mode::Hash).into(),
        false => merge_subtrees_non_root(&left, &right, Mode::Hash),
    })
}

/// The chaining value of the group at `offset`; the hash itself where the group is the whole cell.
fn group_hash(bytes: &[u8], offset: u64, size: u64) -> [u8; 32] {
    if size <= CHUNK_BYTES {
        return blake3::hash(bytes).into();
    }
    blake3::Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root()
}

/// Computes [`ChunkHashes`] of a cell that comes in pieces of any size.
pub struct ChunkHasher {
    size: u64,
    hashes: Vec<[u8; 32]>,
    group: Vec<u8>,
}

impl Default for ChunkHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkHasher {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        Self { size: 0, hashes: Vec::new(), group: Vec::with_capacity(CHUNK_BYTES as usize) }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // A full group is hashed only when more follows: a lone group is hashed as a root instead.
            if self.group.len() as u64 == CHUNK_BYTES {
                self.hash_group(u64::MAX);
            }
            let taken = bytes.len().min(CHUNK_BYTES as usize - self.group.len());
            self.group.extend_from_slice(&bytes[..taken]);
            self.size += taken as u64;
            bytes = &bytes[taken..];
        }
    }

    /// The list.
    pub fn finish(mut self) -> ChunkHashes {
        if !self.group.is_empty() {
            self.hash_group(self.size);
        }
        ChunkHashes { size: self.size, hashes: self.hashes }
    }

    fn hash_group(&mut self, size: u64) {
        let offset = self.hashes.len() as u64 * CHUNK_BYTES;
        self.hashes.push(group_hash(&self.group, offset, size));
        self.group.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell(size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        blake3::Hasher::new().update(&size.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn the_root_is_blake3_at_every_border() {
        let group = CHUNK_BYTES as usize;
        for size in [1, 1023, 1024, group - 1, group, group + 1, 2 * group, 3 * group + 5, 16 * group, 17 * group + 1] {
            let bytes = cell(size);
            let hashes = ChunkHashes::of(&bytes);
            assert_eq!(hashes.root().0, *blake3::hash(&bytes).as_bytes(), "size {size}");
            assert_eq!(ChunkHashes::decode(size as u64, &hashes.encode(), &hashes.root()), Ok(hashes.clone()));
            for (index, chunk) in bytes.chunks(group).enumerate() {
                assert!(hashes.verify(index as u32, chunk));
            }
        }
    }

    #[test]
    fn lists_of_other_cells_and_impossible_sizes_are_refused() {
        let hashes = ChunkHashes::of(&cell(100_000));
        let refused = |size, bytes: &[u8], id| ChunkHashes::decode(size, bytes, &id).unwrap_err();
        let encoded = hashes.encode();
        assert!(matches!(refused(100_000, &encoded, CellId([0; 32])), ChunkError::OtherCell { .. }));
        assert!(matches!(refused(100_000, &encoded[32..], hashes.root()), ChunkError::Length { .. }));
        assert!(matches!(refused(u64::MAX, &encoded, hashes.root()), ChunkError::Size { .. }));
        assert!(matches!(refused(0, &[], hashes.root()), ChunkError::Size { .. }));
        // One byte more or less may keep the number of groups, but not the last group's length.
        assert!(!hashes.verify(6, &cell(100_000)[6 * CHUNK_BYTES as usize..99_999]));
        assert!(!hashes.verify(7, &[]));
    }

    #[test]
    fn a_path_leads_to_its_cell_at_every_border() {
        let group = CHUNK_BYTES as usize;
        for size in [1, group - 1, group, group + 1, 2 * group, 3 * group, 3 * group + 5, 16 * group, 17 * group + 1] {
            let bytes = cell(size);
            let hashes = ChunkHashes::of(&bytes);
            let verify = |index, chunk: &[u8], path: &[Digest]| {
                verify_path(&hashes.root(), size as u64, index as u32, chunk, path)
            };
            for (index, chunk) in bytes.chunks(group).enumerate() {
                let path = hashes.path(index as u32).unwrap();
                assert!(verify(index, chunk, &path), "chunk {index} of {size} bytes");
                assert!(!verify(index + 1, chunk, &path), "another place");
                assert!(!verify(index, &chunk[1..], &path), "a byte less");
                assert!(!verify(index, chunk, &[path.as_slice(), &[Digest([0; 32])]].concat()), "a longer path");
                if let [_, rest @ ..] = path.as_slice() {
                    assert!(!verify(index, chunk, rest), "a shorter path");
                }
            }
            assert_eq!(hashes.path(size.div_ceil(group) as u32), None);
        }
    }

    #[test]
    fn the_largest_cell_has_the_longest_path_and_no_larger_one_is_believed() {
        let hashes = ChunkHashes { size: CELL_BYTES_MAX, hashes: vec![[7; 32]; 4_096] };
        assert_eq!(hashes.path(4_095).unwrap().len(), PATH_MAX);
        let chunk = [0; CHUNK_BYTES as usize];
        assert!(!verify_path(&CellId([0; 32]), u64::MAX, 0, &chunk, &[]));
        assert!(!verify_path(&CellId([0; 32]), 0, 0, &[], &[]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_flipped_bit_leads_elsewhere(size in 1usize..200_000, at in any::<proptest::sample::Index>(), bit in 0u8..8) {
            let bytes = cell(size);
            let hashes = ChunkHashes::of(&bytes);
            let index = at.index(size) / CHUNK_BYTES as usize;
            let mut chunk = bytes.chunks(CHUNK_BYTES as usize).nth(index).unwrap().to_vec();
            let path = hashes.path(index as u32).unwrap();
            prop_assert!(verify_path(&hashes.root(), size as u64, index as u32, &chunk, &path));
            let within = at.index(size) % CHUNK_BYTES as usize;
            chunk[within] ^= 1 << bit;
            prop_assert!(!verify_path(&hashes.root(), size as u64, index as u32, &chunk, &path));
            chunk[within] ^= 1 << bit;
            for step in 0..path.len() {
                let mut path = path.clone();
                path[step].0[within % 32] ^= 1 << bit;
                prop_assert!(!verify_path(&hashes.root(), size as u64, index as u32, &chunk, &path));
            }
        }

        #[test]
        fn pieces_of_any_size_give_the_same_list(size in 1usize..200_000, cut in 1usize..50_000) {
            let bytes = cell(size);
            let mut hasher = ChunkHasher::new();
            bytes.chunks(cut).for_each(|piece| hasher.update(piece));
            prop_assert_eq!(hasher.finish(), ChunkHashes::of(&bytes));
        }

        #[test]
        fn a_flipped_bit_is_found_in_its_chunk(size in 1usize..100_000, at in any::<proptest::sample::Index>()) {
            let mut bytes = cell(size);
            let hashes = ChunkHashes::of(&bytes);
            let at = at.index(size);
            bytes[at] ^= 1;
            for (index, chunk) in bytes.chunks(CHUNK_BYTES as usize).enumerate() {
                prop_assert_eq!(hashes.verify(index as u32, chunk), index != at / CHUNK_BYTES as usize);
            }
        }
    }
}
