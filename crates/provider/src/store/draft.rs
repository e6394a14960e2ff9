//! The bytes of a cell on their way to a folder or an object store: nobody sees them there before they are settled.

use super::{bucket::ObjectDraft, folder::Folder};
use chainflix_primitives::CellId;
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use tracing::warn;

/// A cell that is being written.
#[derive(Debug)]
pub(super) enum Draft {
    File(FileDraft),
    Object(ObjectDraft),
}

impl Draft {
    /// Takes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(draft) => draft.write(bytes),
            Self::Object(draft) => draft.write(bytes),
        }
    }

    /// Makes the cell durable, with its encoded hashes, and puts it in its place.
    pub fn settle(&mut self, hashes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(draft) => draft.settle(hashes),
            Self::Object(draft) => draft.settle(hashes),
        }
    }

    /// Removes what is not settled; answers how many bytes would not go.
    pub fn abandon(&mut self) -> u64 {
        match self {
            Self::File(draft) => draft.abandon(),
            Self::Object(draft) => draft.abandon(),
        }
    }
}

/// A cell in a folder's `tmp`, and where it goes from there.
#[derive(Debug)]
pub(super) struct FileDraft {
    cell: CellId,
    file: Option<File>,
    cell_tmp: PathBuf,
    hashes_tmp: PathBuf,
    shelf: PathBuf,
    cell_path: PathBuf,
    hashes_path: PathBuf,
}

impl FileDraft {
    pub fn begin(folder: &Folder, cell: &CellId) -> io::Result<Self> {
        let [cell_tmp, hashes_tmp] = ["cell", "hashes"].map(|kind| folder.tmp_path(cell, kind));
        Ok(Self {
            cell: *cell,
            file: Some(File::create(&cell_tmp)?),
            cell_tmp,
            hashes_tmp,
            shelf: folder.shelf(cell),
            cell_path: folder.cell_path(cell),
            hashes_path: folder.hashes_path(cell),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// The order makes the cell's own name the last to appear.
    fn settle(&mut self, hashes: &[u8]) -> io::Result<()> {
        let mut file = File::create(&self.hashes_tmp)?;
        file.write_all(hashes)?;
        file.sync_all()?;
        if let Some(cell) = self.file.take() {
            cell.sync_all()?;
        }
        // Not with its parents: where a disk was unmounted, nothing is to be made on the one below.
        match fs::create_dir(&self.shelf) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        fs::rename(&self.hashes_tmp, &self.hashes_path)?;
        fs::rename(&self.cell_tmp, &self.cell_path)?;
        File::open(&self.shelf)?.sync_all()?;
        // The shelf may be new itself.
        File::open(self.shelf.parent().unwrap_or(Path::new(".")))?.sync_all()
    }

    fn abandon(&mut self) -> u64 {
        // After a settlement there is nothing left of either.
        for path in [&self.cell_tmp, &self.hashes_tmp] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    warn!(cell = %self.cell, %error, "an unfinished cell stays until the next start");
                }
                _ => {}
            }
        }
        0
    }
}
