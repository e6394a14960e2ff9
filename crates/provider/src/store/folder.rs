//! One folder of a store on its disk: its lock, its paths, what it takes and what the disk has left.

use super::{
    StoreOpenError,
    index::{Place, Room},
};
use chainflix_cell::ChunkHashes;
use chainflix_primitives::{CELL_BYTES_MAX, CellId};
use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};
use tracing::warn;

/// Left free on every disk, whoever fills it: a full disk hurts more than its provider.
const DISK_RESERVE_BYTES: u64 = 64 << 20;

/// A folder that cells are kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFolder {
    /// Where.
    pub path: PathBuf,
    /// Most bytes it may take on its disk.
    pub quota_bytes: u64,
}

/// The folder as it is used.
#[derive(Debug)]
pub(super) struct Folder {
    pub path: PathBuf,
    pub quota_bytes: u64,
    /// Held for as long as the folder is used.
    pub lock: Option<File>,
}

/// The list of folders and object stores, in the first folder.
const FOLDERS: &str = "folders";

/// What else the store in the folder `first` had before: folders, and names of object stores.
pub(super) fn known(first: &Path) -> Result<Vec<PathBuf>, StoreOpenError> {
    let path = first.join(FOLDERS);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map(PathBuf::from).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StoreOpenError::Disk { path, source }),
    }
}

/// Writes down what the store in the folder `first` has beside it.
pub(super) fn remember(first: &Path, others: &[PathBuf]) -> Result<(), StoreOpenError> {
    if others.is_empty() {
        return Ok(());
    }
    let path = first.join(FOLDERS);
    let list: String = others.iter().map(|other| format!("{}\n", other.display())).collect();
    let written = fs::create_dir_all(first).and_then(|()| fs::write(&path, list));
    written.map_err(|source| StoreOpenError::Disk { path, source })
}

/// What a folder was found to hold.
pub(super) struct Found {
    pub room: Room,
    /// Whole cells, with their sizes.
    pub cells: Vec<(CellId, u64)>,
}

impl Folder {
    pub fn new(folder: &StoreFolder) -> Self {
        Self { path: folder.path.clone(), quota_bytes: folder.quota_bytes, lock: None }
    }

    /// Takes the folder into use, and makes it where it is not.
    pub fn open(&mut self) -> Result<Found, StoreOpenError> {
        let disk = |source| StoreOpenError::Disk { path: self.path.clone(), source };
        fs::create_dir_all(&self.path).map_err(disk)?;
        let lock = File::create(self.lock_path()).map_err(disk)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreOpenError::InUse { folder: self.path.clone() }),
            Err(TryLockError::Error(source)) => return Err(disk(source)),
        }
        let found = self.look_through().map_err(disk)?;
        self.lock = Some(lock);
        Ok(found)
    }

    /// Whether this is still the folder that was opened, and not the empty place where its disk was mounted.
    pub fn is_there(&self) -> bool {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let held = self.lock.as_ref().and_then(|lock| lock.metadata().ok()).map(identity);
        let named = fs::metadata(self.lock_path()).ok().map(identity);
        held.is_some() && held == named
    }

    /// Whether a store was made here before: a folder that is gone may come back, an empty one is not it.
    pub fn was_made(&self) -> bool {
        self.lock_path().exists()
    }

    /// Free bytes of the disk, but for a reserve.
    pub fn disk_free_bytes(&self) -> io::Result<u64> {
        let found = rustix::fs::statvfs(&self.path)?;
        Ok((found.f_bavail * found.f_frsize).saturating_sub(DISK_RESERVE_BYTES))
    }

    pub fn tmp_path(&self, cell: &CellId, kind: &str) -> PathBuf {
        self.path.join("tmp").join(format!("{}.{kind}", hex::encode(cell.0)))
    }

    pub fn shelf(&self, cell: &CellId) -> PathBuf {
        self.path.join("cells").join(hex::encode(&cell.0[..1]))
    }

    pub fn cell_path(&self, cell: &CellId) -> PathBuf {
        self.shelf(cell).join(format!("{}.cell", hex::encode(cell.0)))
    }

    pub fn hashes_path(&self, cell: &CellId) -> PathBuf {
        self.shelf(cell).join(format!("{}.hashes", hex::encode(cell.0)))
    }

    /// What a cell in place takes on the disk, with its hashes; what is not there takes nothing.
    pub fn cell_disk_bytes(&self, cell: &CellId) -> u64 {
        [self.cell_path(cell), self.hashes_path(cell)].iter().map(|path| disk_bytes(path)).sum()
    }

    /// What the shelf of a cell takes as a folder.
    pub fn shelf_disk_bytes(&self, cell: &CellId) -> u64 {
        disk_bytes(&self.shelf(cell))
    }

    /// A cell's place as it is on the disk.
    pub fn place(&self, folder: usize, cell: &CellId, size: u64) -> Place {
        Place { folder, size, disk_bytes: self.cell_disk_bytes(cell) }
    }

    fn lock_path(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Empties `tmp`, finds whole cells and removes halves. Contents are checked when they are read, not here: a start
    /// must be quick.
    fn look_through(&self) -> io::Result<Found> {
        let (tmp, shelves) = (self.path.join("tmp"), self.path.join("cells"));
        match fs::remove_dir_all(&tmp) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&tmp)?,
        }
        fs::create_dir_all(&shelves)?;
        let mut cells = Vec::new();
        let frame = [self.path.clone(), self.lock_path(), self.path.join(FOLDERS), tmp, shelves.clone()];
        let mut frame_bytes = frame.iter().map(|path| disk_bytes(path)).sum();
        let mut shelf_bytes = BTreeMap::new();
        for shelf in fs::read_dir(&shelves)? {
            let shelf = shelf?.path();
            match shelf_number(&shelf) {
                Some(number) => _ = shelf_bytes.insert(number, disk_bytes(&shelf)),
                None => {
                    // Somebody else's; it takes room all the same.
                    frame_bytes += disk_bytes(&shelf);
                    continue;
                }
            }
            for entry in fs::read_dir(&shelf)? {
                let path = entry?.path();
                match held_at(&path)? {
                    Some(held) => cells.push(held),
                    None if is_beside_its_cell(&path) => {}
                    None => {
                        warn!(path = %path.display(), "removed: not a whole cell");
                        fs::remove_file(&path)?;
                    }
                }
            }
        }
        let room = Room {
            quota_bytes: self.quota_bytes,
            cells_bytes: 0,
            promised_bytes: 0,
            frame_bytes,
            shelves: shelf_bytes,
            disk_free_bytes: self.disk_free_bytes()?,
            block_bytes: fs::metadata(&self.path)?.blksize(),
            present: true,
            silent: false,
            scrubbed: true,
        };
        Ok(Found { room, cells })
    }
}

/// What a file or folder takes on its disk, as `du` counts it; nothing where it is not.
pub(super) fn disk_bytes(path: &Path) -> u64 {
    const SECTOR_BYTES: u64 = 512;
    fs::symlink_metadata(path).map_or(0, |metadata| metadata.blocks() * SECTOR_BYTES)
}

/// The first byte of the names of a shelf's cells.
fn shelf_number(shelf: &Path) -> Option<u8> {
    let name = shelf.file_name()?.to_str().filter(|name| name.len() == 2 && shelf.is_dir())?;
    u8::from_str_radix(name, 16).ok()
}

fn is_beside_its_cell(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "hashes") && path.with_extension("cell").exists()
}

/// The cell of this name, if both its files are whole.
fn held_at(path: &Path) -> io::Result<Option<(CellId, u64)>> {
    if path.extension().is_none_or(|kind| kind != "cell") {
        return Ok(None);
    }
    let name = path.file_stem().and_then(|stem| stem.to_str());
    let Some(cell) = name.and_then(|name| name.parse::<CellId>().ok()) else { return Ok(None) };
    let size = fs::metadata(path)?.len();
    let hashes = match fs::metadata(path.with_extension("hashes")) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let whole = size > 0 && size <= CELL_BYTES_MAX && hashes == ChunkHashes::encoded_len(size) as u64;
    Ok(whole.then_some((cell, size)))
}
