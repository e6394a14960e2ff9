//! A cell on the disk or in an object store, read in whole chunks that are checked before anybody sees them.

use super::bucket::ObjectReader;
use chainflix_cell::{ChunkError, ChunkHashes};
use chainflix_primitives::{CHUNK_BYTES, CellId};
use std::{fs::File, io, os::unix::fs::FileExt};

/// Why a held cell cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The disk says no.
    #[error("cell {cell} cannot be read")]
    Disk {
        cell: CellId,
        #[source]
        source: io::Error,
    },
    /// Its object store does not answer for now; it is not lost.
    #[error("cell {cell} is kept where nothing answers now")]
    Unavailable { cell: CellId },
    /// The hashes beside it are not its own.
    #[error("the chunk hashes of cell {cell} are damaged")]
    Hashes {
        cell: CellId,
        #[source]
        source: ChunkError,
    },
    /// Its bytes have changed.
    #[error("chunk {chunk} of cell {cell} is damaged")]
    Damaged { cell: CellId, chunk: u32 },
}

impl ReadError {
    /// Whether the cell is lost, rather than the disk unwilling for now.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Disk { source, .. } => {
                matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
            }
            Self::Unavailable { .. } => false,
            Self::Hashes { .. } | Self::Damaged { .. } => true,
        }
    }
}

/// Where the bytes of a cell are read.
#[derive(Debug)]
pub(super) enum CellBytes {
    File(File),
    Object(ObjectReader),
}

impl CellBytes {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(bytes, offset),
            Self::Object(object) => object.read_exact_at(bytes, offset),
        }
    }
}

/// A held cell, open for reading. In a folder it can be read to its end even if it is deleted meanwhile.
#[derive(Debug)]
pub struct StoredCell {
    cell: CellId,
    bytes: CellBytes,
    hashes: ChunkHashes,
}

impl StoredCell {
    /// `encoded` is what lies beside the cell as its hashes.
    pub(super) fn new(cell: CellId, size: u64, bytes: CellBytes, encoded: &[u8]) -> Result<Self, ReadError> {
        let hashes = ChunkHashes::decode(size, encoded, &cell).map_err(|source| ReadError::Hashes { cell, source })?;
        Ok(Self { cell, bytes, hashes })
    }

    /// Which cell.
    pub fn cell(&self) -> CellId {
        self.cell
    }

    /// Bytes of the cell.
    pub fn size(&self) -> u64 {
        self.hashes.size()
    }

    /// The hashes that come before the bytes of a delivery.
    pub fn hashes(&self) -> &ChunkHashes {
        &self.hashes
    }

    /// Up to `chunks` chunks from `offset` (a multiple of 16 KiB) on, each checked. Empty at the end of the cell.
    pub fn chunks(&self, offset: u64, chunks: u64) -> Result<Vec<u8>, ReadError> {
        let length = self.size().saturating_sub(offset).min(chunks * CHUNK_BYTES);
        // At most what the caller asked for, in chunks of 16 KiB.
        let mut bytes = vec![0; length as usize];
        self.bytes.read_exact_at(&mut bytes, offset).map_err(|source| ReadError::Disk { cell: self.cell, source })?;
        let first = (offset / CHUNK_BYTES) as u32;
        for (chunk, bytes) in (first..).zip(bytes.chunks(CHUNK_BYTES as usize)) {
            if !self.hashes.verify(chunk, bytes) {
                return Err(ReadError::Damaged { cell: self.cell, chunk });
            }
        }
        Ok(bytes)
    }
}
