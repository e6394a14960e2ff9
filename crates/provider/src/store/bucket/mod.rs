//! Cells in an object store: S3 and whatever speaks like it, under the same names as in a folder.
//!
//! ```text
//! <prefix>/owner                    the provider whose cells these are; tells the store from an empty bucket
//! <prefix>/cells/ab/<cell>.hashes   chunk hashes; without its cell it is removed at start
//! <prefix>/cells/ab/<cell>.cell     sealed bytes; its presence says that the cell is held
//! ```
//!
//! A cell is put in one request, or in parts that are nothing until they are completed; its hashes before it. What is
//! counted is what the bucket lists under the prefix, byte by byte.
//!
//! Where a disk is there or not, an object store may also not answer for a while. Then it is *silent*: its cells stay on
//! the list, nothing is read from it and nothing put there, and it is asked until it answers. Silent for too long, it counts
//! as gone, like a disk, until it is back and was listed again.
//!
//! Left out: uploads in parts that a crash leaves, which no listing shows; a rule of the bucket must end them.

mod draft;
mod line;
mod reader;

pub(super) use draft::ObjectDraft;
pub(super) use reader::ObjectReader;

use super::{
    StoreOpenError,
    folder::Found,
    index::{Place, Room},
};
use chainflix_cell::ChunkHashes;
use chainflix_primitives::{CELL_BYTES_MAX, CellId};
use futures::TryStreamExt as _;
use line::Line;
use object_store::{ObjectMeta, ObjectStore, path::Path as Key};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tracing::warn;

/// An answering object store is asked whether it is there at every so many looks: each time is a request that costs.
const LOOKS_PER_QUESTION: u32 = 6;
/// One that is silent for so many looks is gone: with a look every five seconds, ten minutes.
pub(super) const SILENT_LOOKS_MAX: u32 = 120;

/// An object store that cells are kept in.
#[derive(Clone)]
pub struct StoreBucket {
    /// What its operator calls it: `s3://bucket/prefix`.
    pub name: String,
    /// The way to it.
    pub objects: Arc<dyn ObjectStore>,
    /// Where in it; empty for all of it.
    pub prefix: String,
    /// Most bytes it may take there.
    pub quota_bytes: u64,
    /// Who keeps cells there: no other provider may.
    pub owner: String,
    /// Whether everything is read again for rotten bits: where reading is paid for, that costs.
    pub scrub: bool,
    /// How long it may take to answer where much is sent, and for every thousand objects of a listing; where viewers wait,
    /// never longer than ten seconds.
    pub patience: Duration,
}

impl std::fmt::Debug for StoreBucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client behind it knows credentials.
        f.debug_struct("StoreBucket").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a look at an object store says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Not asked this time: it answered before.
    NotNow,
    Answers,
    Silent,
    /// Silent for too long.
    Gone,
}

/// The object store as it is used.
#[derive(Debug)]
pub(super) struct Bucket {
    line: Arc<Line>,
    quota_bytes: u64,
    scrub: bool,
    looks: Mutex<Looks>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Looks {
    since_asked: u32,
    unanswered: u32,
}

impl Bucket {
    pub fn new(bucket: &StoreBucket) -> Result<Self, StoreOpenError> {
        let line = Line::new(bucket).map_err(disk(&bucket.name))?;
        Ok(Self { line: Arc::new(line), quota_bytes: bucket.quota_bytes, scrub: bucket.scrub, looks: Mutex::default() })
    }

    pub fn name(&self) -> &str {
        &self.line.name
    }

    /// Asks whose it is, and takes it where it is nobody's. Changes nothing that is there.
    pub fn greet(&self) -> Result<(), StoreOpenError> {
        let disk = disk(self.name());
        let mut owner = self.line.owner().map_err(&disk)?;
        if owner.is_none() {
            self.line.take().map_err(&disk)?;
            // Again: somebody may have taken it at the same time, and the last one has it.
            owner = self.line.owner().map_err(&disk)?;
        }
        match owner {
            Some(owner) if owner == self.line.own_name() => Ok(()),
            owner => Err(StoreOpenError::Taken { name: self.name().into(), owner: owner.unwrap_or_default() }),
        }
    }

    /// Lists everything, and removes halves of cells. Contents are checked when they are read, not here.
    pub fn look_through(&self) -> Result<Found, StoreOpenError> {
        let listed = self.list().map_err(disk(self.name()))?;
        let mut frame_bytes = 0;
        let (mut sizes, mut hashes) = (HashMap::new(), HashMap::new());
        for (key, size) in listed {
            match (self.cell_of(&key, "cell"), self.cell_of(&key, "hashes")) {
                (Some(cell), _) => _ = sizes.insert(cell, size),
                (_, Some(cell)) => _ = hashes.insert(cell, size),
                // The owner, and somebody else's; it takes room all the same.
                _ => frame_bytes += size,
            }
        }
        let is_whole = |cell: &CellId, size: u64| {
            let is_size = size > 0 && size <= CELL_BYTES_MAX;
            is_size && hashes.get(cell) == Some(&(ChunkHashes::encoded_len(size) as u64))
        };
        let (whole, halves): (Vec<_>, Vec<_>) = sizes.iter().partition(|(cell, size)| is_whole(cell, **size));
        let cells: Vec<(CellId, u64)> = whole.into_iter().map(|(cell, size)| (*cell, *size)).collect();
        for (cell, size) in halves {
            frame_bytes += self.clear(self.line.cell_key(cell), *size);
        }
        for (cell, size) in &hashes {
            if sizes.get(cell).is_none_or(|cell_size| !is_whole(cell, *cell_size)) {
                frame_bytes += self.clear(self.line.hashes_key(cell), *size);
            }
        }
        let room = Room {
            quota_bytes: self.quota_bytes,
            frame_bytes,
            disk_free_bytes: u64::MAX,
            present: true,
            scrubbed: self.scrub,
            ..Room::absent()
        };
        Ok(Found { room, cells })
    }

    /// Takes it back into use, where it was away.
    pub fn reopen(&self) -> Option<Result<Found, StoreOpenError>> {
        *self.looks() = Looks::default();
        // Never taken anew: an empty bucket is not the one that was here.
        self.line.is_ours().then(|| self.look_through())
    }

    /// Looks whether it is there; `was_silent` is what the last look said.
    pub fn look(&self, was_silent: bool) -> Look {
        let mut looks = *self.looks();
        looks.since_asked += 1;
        let is_asked = was_silent || self.line.take_suspicion() || looks.since_asked >= LOOKS_PER_QUESTION;
        if is_asked {
            let answers = self.line.is_ours();
            looks = Looks { since_asked: 0, unanswered: if answers { 0 } else { looks.unanswered + 1 } };
        }
        *self.looks() = looks;
        match looks.unanswered {
            _ if !is_asked => Look::NotNow,
            0 => Look::Answers,
            SILENT_LOOKS_MAX.. => Look::Gone,
            _ => Look::Silent,
        }
    }

    pub fn begin(&self, cell: &CellId, size: u64) -> ObjectDraft {
        ObjectDraft::new(self.line.clone(), *cell, footprint_bytes(size))
    }

    /// Opens a cell, and answers its encoded hashes.
    pub fn open_cell(&self, cell: &CellId, size: u64) -> io::Result<(ObjectReader, Vec<u8>)> {
        let hashes = self.line.get(self.line.hashes_key(cell), ChunkHashes::encoded_len(CELL_BYTES_MAX) as u64);
        let hashes = hashes.map_err(|error| self.line.doubt(error))?;
        Ok((ObjectReader::new(self.line.clone(), self.line.cell_key(cell), size), hashes.into()))
    }

    /// Removes a cell and its hashes; answers also how many bytes may be left.
    pub fn remove(&self, cell: &CellId, size: u64) -> (io::Result<()>, u64) {
        let keys = [self.line.cell_key(cell), self.line.hashes_key(cell)];
        match keys.into_iter().try_for_each(|key| self.line.delete(key)) {
            Ok(()) => (Ok(()), 0),
            Err(error) => (Err(error), footprint_bytes(size)),
        }
    }

    /// A cell's place.
    pub fn place(number: usize, size: u64) -> Place {
        Place { folder: number, size, disk_bytes: footprint_bytes(size) }
    }

    fn list(&self) -> io::Result<Vec<(Key, u64)>> {
        let mut pages = self.line.objects.list(Some(&self.line.root())).map_ok(shown).try_chunks(1_000);
        let mut listed = Vec::new();
        loop {
            let (page, rest) = self.line.ask(async move {
                let page = pages.try_next().await.map_err(|error| error.1)?;
                Ok((page, pages))
            })?;
            let Some(page) = page else { return Ok(listed) };
            listed.extend(page);
            pages = rest;
        }
    }

    /// The cell whose object of this kind is at `key`.
    fn cell_of(&self, key: &Key, kind: &str) -> Option<CellId> {
        let name = key.filename()?.strip_suffix(kind)?.strip_suffix('.')?;
        let cell: CellId = name.parse().ok()?;
        let place = if kind == "cell" { self.line.cell_key(&cell) } else { self.line.hashes_key(&cell) };
        (place == *key).then_some(cell)
    }

    /// Removes half of a cell; answers what is left.
    fn clear(&self, key: Key, size: u64) -> u64 {
        warn!(store = self.name(), %key, "removed: not a whole cell");
        if self.line.delete(key).is_ok() { 0 } else { size }
    }

    fn looks(&self) -> std::sync::MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(object: ObjectMeta) -> (Key, u64) {
    (object.location, object.size)
}

/// What a cell takes, with its hashes.
fn footprint_bytes(size: u64) -> u64 {
    size + ChunkHashes::encoded_len(size) as u64
}

fn disk(name: &str) -> impl Fn(io::Error) -> StoreOpenError + use<> {
    let path = std::path::PathBuf::from(name);
    move |source| StoreOpenError::Disk { path: path.clone(), source }
}
