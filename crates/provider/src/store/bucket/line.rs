//! Requests to an object store from tasks that block: each runs on threads of its own here, and is waited for with patience.
//!
//! ```text
//! blocking task ── request ──▶ runtime of this line ── HTTP ──▶ object store
//!       └────────◀── answer, or the patience is over ──┘
//! ```
//!
//! Waiting here blocks the thread: call it from a blocking task.

use super::{Key, StoreBucket};
use bytes::Bytes;
use chainflix_primitives::CellId;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::sync_channel,
    },
    time::Duration,
};
use tokio::{runtime::Runtime, time::timeout};

/// Threads that speak to one object store.
const THREADS: usize = 2;
/// How long a small answer may take: viewers wait for it.
const SOON: Duration = Duration::from_secs(10);

/// The way to one object store.
pub struct Line {
    pub name: String,
    pub objects: Arc<dyn ObjectStore>,
    prefix: String,
    owner: String,
    patience: Duration,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// Something was not answered since this was looked at last.
    suspect: AtomicBool,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client behind it knows credentials.
        f.debug_struct("Line").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Line {
    pub fn new(bucket: &StoreBucket) -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(THREADS).thread_name("object-store").enable_all().build()?;
        Ok(Self {
            name: bucket.name.clone(),
            objects: bucket.objects.clone(),
            prefix: bucket.prefix.clone(),
            owner: bucket.owner.clone(),
            patience: bucket.patience,
            runtime: Some(runtime),
            suspect: AtomicBool::new(false),
        })
    }

    /// Where all of it is.
    pub fn root(&self) -> Key {
        Key::from(self.prefix.as_str())
    }

    /// Where something is: the same names as in a folder.
    pub fn key(&self, name: &str) -> Key {
        Key::from(format!("{}/{name}", self.prefix))
    }

    /// Where the bytes of a cell are.
    pub fn cell_key(&self, cell: &CellId) -> Key {
        self.on_shelf(cell, "cell")
    }

    /// Where the hashes of a cell are.
    pub fn hashes_key(&self, cell: &CellId) -> Key {
        self.on_shelf(cell, "hashes")
    }

    fn on_shelf(&self, cell: &CellId, kind: &str) -> Key {
        let name = hex::encode(cell.0);
        self.key(&format!("cells/{}/{name}.{kind}", &name[..2]))
    }

    /// Waits for a request that sends much.
    ///
    /// # Errors
    /// `NotFound` says that the object is not there, and nothing else does.
    pub fn ask<T: Send + 'static>(
        &self,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        self.ask_within(self.patience, request)
    }

    /// Waits for a request that sends little, and has little to answer.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn ask_soon<T: Send + 'static>(
        &self,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        self.ask_within(self.patience.min(SOON), request)
    }

    fn ask_within<T: Send + 'static>(
        &self,
        patience: Duration,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let answered = self.wait(patience, request);
        if answered.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            self.suspect.store(true, Ordering::Relaxed);
        }
        answered
    }

    fn wait<T: Send + 'static>(
        &self,
        patience: Duration,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let stopped = || io::Error::other("nobody speaks to the object store any more");
        let (answer, waiting) = sync_channel(1);
        self.runtime.as_ref().ok_or_else(stopped)?.spawn(async move {
            // Whoever waits does so until it hears something.
            let _ = answer.send(timeout(patience, request).await);
        });
        match waiting.recv().map_err(|_| stopped())? {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(error)) => Err(disk_error(error)),
            Err(elapsed) => Err(io::Error::new(io::ErrorKind::TimedOut, elapsed)),
        }
    }

    /// A small object, whole.
    pub fn get(&self, key: Key, bytes_max: u64) -> io::Result<Bytes> {
        let objects = self.objects.clone();
        self.ask_soon(async move {
            let found = objects.get(&key).await?;
            if found.meta.size > bytes_max {
                return Err(Error::Generic { store: "cells", source: format!("{key} is too long").into() });
            }
            found.bytes().await
        })
    }

    /// Removes an object; one that is not there is removed.
    pub fn delete(&self, key: Key) -> io::Result<()> {
        let objects = self.objects.clone();
        self.ask_soon(async move {
            match objects.delete(&key).await {
                Err(Error::NotFound { .. }) => Ok(()),
                told => told,
            }
        })
    }

    /// Whether something was not answered since this was asked last.
    pub fn take_suspicion(&self) -> bool {
        self.suspect.swap(false, Ordering::Relaxed)
    }

    /// Who keeps cells here; `None` where nobody does.
    pub fn owner(&self) -> io::Result<Option<String>> {
        /// More is no name of ours.
        const NAME_BYTES_MAX: u64 = 1_024;
        match self.get(self.key("owner"), NAME_BYTES_MAX) {
            Ok(name) => Ok(Some(String::from_utf8_lossy(&name).trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes down that this provider keeps cells here.
    pub fn take(&self) -> io::Result<()> {
        let (objects, key, name) = (self.objects.clone(), self.key("owner"), Bytes::from(self.owner.clone()));
        self.ask_soon(async move { objects.put(&key, name.into()).await.map(|_| ()) })
    }

    /// Whether the store answers, and is this provider's.
    pub fn is_ours(&self) -> bool {
        self.owner().is_ok_and(|owner| owner.as_ref() == Some(&self.owner))
    }

    pub fn own_name(&self) -> &str {
        &self.owner
    }

    /// An object that is not there means that it is lost only where the store is the one that had it: a bucket that is
    /// gone, or emptied, knows of nothing.
    pub fn doubt(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::NotFound && !self.is_ours() {
            self.suspect.store(true, Ordering::Relaxed);
            return io::Error::new(io::ErrorKind::NotConnected, error);
        }
        error
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not waiting: this may be dropped where nothing may block.
            runtime.shutdown_background();
        }
    }
}

fn disk_error(error: Error) -> io::Error {
    let kind = match &error {
        Error::NotFound { .. } => io::ErrorKind::NotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
