//! A cell on the disk, read in whole chunks that are checked before anybody sees them.

use chainflix_cell::{ChunkError, ChunkHashes};
use chainflix_primitives::{CHUNK_BYTES, CellId};
use rustix::{
    buffer::spare_capacity,
    io::{Errno, pread},
};
use std::{fs::File, io, path::Path};

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
            Self::Hashes { .. } | Self::Damaged { .. } => true,
        }
    }
}

/// A held cell, open for reading. It can be read to its end even if it is deleted meanwhile.
#[derive(Debug)]
pub struct StoredCell {
    cell: CellId,
    file: File,
    hashes: ChunkHashes,
}

impl StoredCell {
    pub(super) fn open(cell_path: &Path, hashes_path: &Path, cell: CellId, size: u64) -> Result<Self, ReadError> {
        let disk = |source| ReadError::Disk { cell, source };
        let file = File::open(cell_path).map_err(disk)?;
        let encoded = std::fs::read(hashes_path).map_err(disk)?;
        let hashes = ChunkHashes::decode(size, &encoded, &cell).map_err(|source| ReadError::Hashes { cell, source })?;
        Ok(Self { cell, file, hashes })
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
        let disk = |source| ReadError::Disk { cell: self.cell, source };
        let length = self.size().saturating_sub(offset).min(chunks * CHUNK_BYTES);
        // At most what the caller asked for, in chunks of 16 KiB; not filled with zeros first.
        let mut bytes = Vec::with_capacity(length as usize);
        while (bytes.len() as u64) < length {
            let at = offset + bytes.len() as u64;
            match pread(&self.file, spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(disk(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(disk(errno.into())),
            }
        }
        // There may be more room than was asked for.
        bytes.truncate(length as usize);
        let first = (offset / CHUNK_BYTES) as u32;
        for (chunk, bytes) in (first..).zip(bytes.chunks(CHUNK_BYTES as usize)) {
            if !self.hashes.verify(chunk, bytes) {
                return Err(ReadError::Damaged { cell: self.cell, chunk });
            }
        }
        Ok(bytes)
    }
}
