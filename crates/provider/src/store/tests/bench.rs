//! Places for a store under test: a folder, or an object store in memory or on a disk, with faults on order.

use super::*;
use crate::store::StoreBucket;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, executor::block_on, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
    local::LocalFileSystem, memory::InMemory, path::Path as Key,
};
use std::time::Duration;
use tempfile::TempDir;

/// The name of every object store here.
pub const BUCKET: &str = "s3://films/disk-7";

/// Where a store lies.
pub enum Bench {
    Folder(TempDir),
    Objects { home: TempDir, objects: Arc<Faulty>, _disk: Option<TempDir> },
}

impl Bench {
    pub fn folder() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    pub fn memory() -> Self {
        Self::of(Arc::new(InMemory::new()), None)
    }

    pub fn local() -> Self {
        let disk = tempfile::tempdir().unwrap();
        Self::of(Arc::new(LocalFileSystem::new_with_prefix(disk.path()).unwrap()), Some(disk))
    }

    fn of(inner: Arc<dyn ObjectStore>, disk: Option<TempDir>) -> Self {
        let objects = Arc::new(Faulty { inner, fault: Arc::default() });
        Self::Objects { home: tempfile::tempdir().unwrap(), objects, _disk: disk }
    }

    /// Opens the store with so much room for cells; beside an object store stands a folder that takes none.
    pub fn open(&self, quota_bytes: u64) -> Arc<Store> {
        match self {
            Self::Folder(folder) => Store::open(folder.path(), quota_bytes).unwrap(),
            Self::Objects { .. } => self.try_open(quota_bytes).unwrap(),
        }
    }

    pub fn try_open(&self, quota_bytes: u64) -> std::result::Result<Arc<Store>, StoreOpenError> {
        let folder = StoreFolder { path: self.home().to_path_buf(), quota_bytes: 0 };
        Store::open_mixed(&[folder], &[self.bucket(quota_bytes)])
    }

    pub fn bucket(&self, quota_bytes: u64) -> StoreBucket {
        StoreBucket {
            name: BUCKET.into(),
            objects: self.objects(),
            prefix: "disk-7".into(),
            quota_bytes,
            owner: "provider 7".into(),
            scrub: true,
            patience: Duration::from_millis(500),
        }
    }

    pub fn objects(&self) -> Arc<Faulty> {
        let Self::Objects { objects, .. } = self else { panic!("a folder has no objects") };
        objects.clone()
    }

    pub fn set_fault(&self, fault: Fault) {
        *self.objects().fault.lock().unwrap() = fault;
    }

    /// Where the first folder is.
    pub fn home(&self) -> &Path {
        match self {
            Self::Folder(home) | Self::Objects { home, .. } => home.path(),
        }
    }

    /// What the folder takes, and the objects, as their owner would look it up.
    pub fn bytes(&self) -> u64 {
        du(self.home()) + self.objects_bytes()
    }

    /// What the objects take.
    pub fn objects_bytes(&self) -> u64 {
        match self {
            Self::Folder(_) => 0,
            Self::Objects { .. } => self.listed().iter().map(|object| object.size).sum(),
        }
    }

    /// All objects of this provider.
    pub fn listed(&self) -> Vec<ObjectMeta> {
        block_on(self.objects().inner.list(Some(&Key::from("disk-7"))).try_collect()).unwrap()
    }

    /// How many files or objects there are of cells.
    pub fn files(&self) -> usize {
        match self {
            Self::Folder(folder) => {
                let shelves = fs::read_dir(folder.path().join("cells")).unwrap();
                let held: usize = shelves.map(|shelf| fs::read_dir(shelf.unwrap().path()).unwrap().count()).sum();
                held + fs::read_dir(folder.path().join("tmp")).unwrap().count()
            }
            Self::Objects { .. } => {
                self.listed().iter().filter(|object| object.location.as_ref().contains("/cells/")).count()
            }
        }
    }

    fn name(cell: &CellId, kind: &str) -> String {
        let name = hex::encode(cell.0);
        format!("cells/{}/{name}.{kind}", &name[..2])
    }

    /// Writes over a cell's bytes or hashes, behind the store's back.
    pub fn overwrite(&self, cell: &CellId, kind: &str, bytes: &[u8]) {
        let name = Self::name(cell, kind);
        match self {
            Self::Folder(folder) => fs::write(folder.path().join(name), bytes).unwrap(),
            Self::Objects { objects, .. } => {
                let bytes = Bytes::copy_from_slice(bytes);
                block_on(objects.inner.put(&Key::from(format!("disk-7/{name}")), bytes.into())).unwrap();
            }
        }
    }

    /// Removes a cell's bytes or hashes, behind the store's back.
    pub fn remove(&self, cell: &CellId, kind: &str) {
        let name = Self::name(cell, kind);
        match self {
            Self::Folder(folder) => fs::remove_file(folder.path().join(name)).unwrap(),
            Self::Objects { objects, .. } => {
                block_on(objects.inner.delete(&Key::from(format!("disk-7/{name}")))).unwrap();
            }
        }
    }

    /// Removes every object.
    pub fn wipe(&self) {
        for object in self.listed() {
            block_on(self.objects().inner.delete(&object.location)).unwrap();
        }
    }
}

/// What is wrong with an object store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// Every request fails.
    Refuses,
    /// No request is ever answered.
    Hangs,
    /// Every object comes half, though its size is told right.
    Halves,
    /// What is put under names that end so fails; multipart uploads of it fail when they are completed.
    RefusesPuts(&'static str),
    /// Uploads are completed, and the answer says that they were not.
    CompletesInVain,
}

/// An object store with a fault.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    fault: Arc<Mutex<Fault>>,
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

fn broken() -> Error {
    Error::Generic { store: "faulty", source: "503".into() }
}

impl Faulty {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }

    async fn pass(&self) -> Result<()> {
        match self.fault() {
            Fault::Refuses => Err(broken()),
            Fault::Hangs => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Key, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.pass().await?;
        match self.fault() {
            Fault::RefusesPuts(end) if at.as_ref().ends_with(end) => Err(broken()),
            _ => self.inner.put_opts(at, payload, options).await,
        }
    }

    async fn put_multipart_opts(&self, at: &Key, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.pass().await?;
        let inner = self.inner.put_multipart_opts(at, options).await?;
        Ok(Box::new(FaultyUpload { inner, at: at.clone(), fault: self.fault.clone() }))
    }

    async fn get_opts(&self, at: &Key, options: GetOptions) -> Result<GetResult> {
        self.pass().await?;
        let found = self.inner.get_opts(at, options).await?;
        if self.fault() != Fault::Halves {
            return Ok(found);
        }
        let (meta, range, attributes, extensions) =
            (found.meta.clone(), found.range.clone(), found.attributes.clone(), found.extensions.clone());
        let bytes = found.bytes().await?;
        let half = bytes.slice(..bytes.len() / 2);
        let payload = GetResultPayload::Stream(stream::once(async move { Ok(half) }).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Key>>) -> BoxStream<'static, Result<Key>> {
        match self.fault() {
            Fault::Refuses => stream::once(async { Err(broken()) }).boxed(),
            Fault::Hangs => stream::pending().boxed(),
            _ => self.inner.delete_stream(at),
        }
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fault() {
            Fault::Refuses => stream::once(async { Err(broken()) }).boxed(),
            Fault::Hangs => stream::pending().boxed(),
            _ => self.inner.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    at: Key,
    fault: Arc<Mutex<Fault>>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match *self.fault.lock().unwrap() {
            Fault::Refuses => Box::pin(async { Err(broken()) }),
            Fault::Hangs => Box::pin(std::future::pending()),
            _ => self.inner.put_part(data),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let fault = *self.fault.lock().unwrap();
        match fault {
            Fault::Refuses => Err(broken()),
            Fault::Hangs => std::future::pending().await,
            Fault::RefusesPuts(end) if self.at.as_ref().ends_with(end) => Err(broken()),
            Fault::CompletesInVain => self.inner.complete().await.and(Err(broken())),
            _ => self.inner.complete().await,
        }
    }

    async fn abort(&mut self) -> Result<()> {
        let fault = *self.fault.lock().unwrap();
        match fault {
            Fault::Refuses => Err(broken()),
            // What is completed cannot be aborted any more, as S3 has it.
            Fault::CompletesInVain => Ok(()),
            _ => self.inner.abort().await,
        }
    }
}
