//! The manifests of registered videos, durable beside the chain.
//!
//! The chain holds a video's Magnet; the manifest behind it is larger and proves itself by its hash, so validators keep it
//! apart and pass it on to each other.

use chainflix_primitives::{Magnet, Manifest};
use redb::{Database, ReadableDatabase as _, TableDefinition};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

const MANIFESTS: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("manifest");

/// Most decoded manifests kept in memory; when it is full the cache starts anew.
const CACHED_MAX: usize = 1_024;

/// The store failed.
#[derive(Debug, thiserror::Error)]
#[error("the manifest store failed")]
pub(crate) struct ManifestStoreError(#[source] Box<redb::Error>);

impl<E: Into<redb::Error>> From<E> for ManifestStoreError {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

/// All known manifests.
pub(crate) struct Manifests {
    database: Database,
    cached: Mutex<HashMap<Magnet, Arc<Manifest>>>,
}

impl Manifests {
    pub fn open(path: &Path) -> Result<Self, ManifestStoreError> {
        let database = Database::create(path)?;
        let write = database.begin_write()?;
        write.open_table(MANIFESTS)?;
        write.commit()?;
        Ok(Self { database, cached: Mutex::default() })
    }

    /// Keeps a manifest that was checked. Durable when it returns.
    pub fn put(&self, magnet: &Magnet, bytes: &[u8]) -> Result<(), ManifestStoreError> {
        let write = self.database.begin_write()?;
        write.open_table(MANIFESTS)?.insert(magnet.0, bytes)?;
        Ok(write.commit()?)
    }

    /// The canonical bytes.
    pub fn bytes(&self, magnet: &Magnet) -> Result<Option<Vec<u8>>, ManifestStoreError> {
        let read = self.database.begin_read()?;
        Ok(read.open_table(MANIFESTS)?.get(magnet.0)?.map(|value| value.value().to_vec()))
    }

    /// The manifest itself.
    pub fn get(&self, magnet: &Magnet) -> Result<Option<Arc<Manifest>>, ManifestStoreError> {
        let cached = || self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manifest) = cached().get(magnet) {
            return Ok(Some(manifest.clone()));
        }
        let Some(bytes) = self.bytes(magnet)? else { return Ok(None) };
        // It was checked before it was kept; a disk that changed it since makes it unknown, and it is fetched again.
        let Ok(manifest) = Manifest::decode(&bytes, magnet).map(Arc::new) else { return Ok(None) };
        let mut cache = cached();
        if cache.len() >= CACHED_MAX {
            cache.clear();
        }
        cache.insert(*magnet, manifest.clone());
        Ok(Some(manifest))
    }
}
