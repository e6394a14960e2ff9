//! What cells are kept on, a folder or an object store, behind the same few operations.

use super::{
    bucket::Bucket,
    draft::{Draft, FileDraft},
    folder::Folder,
    index::Place,
    stored::CellBytes,
};
use chainflix_primitives::CellId;
use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[derive(Debug)]
pub(super) enum Medium {
    Folder(Mutex<Folder>),
    Bucket(Bucket),
}

impl Medium {
    pub fn folder(folder: &Mutex<Folder>) -> MutexGuard<'_, Folder> {
        // A folder is whole after every step, so a panic elsewhere does not spoil it.
        folder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its path, or the name of the object store.
    pub fn name(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => Self::folder(folder).path.clone(),
            Self::Bucket(bucket) => bucket.name().into(),
        }
    }

    /// Bytes that it can take, whatever the quota says.
    pub fn free_bytes(&self) -> u64 {
        match self {
            // A disk that does not say has nothing.
            Self::Folder(folder) => Self::folder(folder).disk_free_bytes().unwrap_or(0),
            Self::Bucket(_) => u64::MAX,
        }
    }

    /// Begins to write a cell of `size` bytes.
    pub fn begin(&self, cell: &CellId, size: u64) -> io::Result<Draft> {
        match self {
            Self::Folder(folder) => FileDraft::begin(&Self::folder(folder), cell).map(Draft::File),
            Self::Bucket(bucket) => Ok(Draft::Object(bucket.begin(cell, size))),
        }
    }

    /// The bytes of a cell, and its encoded hashes.
    pub fn open(&self, cell: &CellId, size: u64) -> io::Result<(CellBytes, Vec<u8>)> {
        match self {
            Self::Folder(folder) => {
                let folder = Self::folder(folder);
                let (cell, hashes) = (folder.cell_path(cell), folder.hashes_path(cell));
                drop(folder);
                let file = File::open(cell)?;
                Ok((CellBytes::File(file), fs::read(hashes)?))
            }
            Self::Bucket(bucket) => {
                let (reader, hashes) = bucket.open_cell(cell, size)?;
                Ok((CellBytes::Object(reader), hashes))
            }
        }
    }

    /// Removes a cell and its hashes; answers also how many bytes would not go.
    pub fn remove(&self, cell: &CellId, size: u64) -> (io::Result<()>, u64) {
        match self {
            Self::Folder(folder) => {
                let folder = Self::folder(folder);
                let removed = [folder.cell_path(cell), folder.hashes_path(cell)].iter().try_for_each(|path| {
                    fs::remove_file(path)
                        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
                });
                (removed, folder.cell_disk_bytes(cell))
            }
            Self::Bucket(bucket) => bucket.remove(cell, size),
        }
    }

    /// A cell's place as it is, with what its shelf takes as a folder.
    pub fn place(&self, number: usize, cell: &CellId, size: u64) -> (Place, Option<u64>) {
        match self {
            Self::Folder(folder) => {
                let folder = Self::folder(folder);
                (folder.place(number, cell, size), Some(folder.shelf_disk_bytes(cell)))
            }
            Self::Bucket(_) => (Bucket::place(number, size), None),
        }
    }
}
