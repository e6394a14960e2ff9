//! What every visitor asks for, kept for a while: the genesis, the list of films, manifests.
//!
//! The genesis and a manifest never change, so they stay; manifests up to a number of bytes, the ones used longest ago go
//! first. The list is asked for again when it is older than [`Catalogue::films_age`], by one visitor while the others
//! wait; where no validator answers, an old list is better than none.

use crate::error::GatewayError;
use bytes::Bytes;
use chainflix_primitives::{AccountAddress, Magnet, Manifest, NetworkGenesis};
use chainflix_rpc::{
    Client,
    types::{COUNT_MAX, Video, VideoQuery},
};
use serde::Serialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::OnceCell, time::Instant};
use tracing::warn;

/// Most films of the list.
const FILMS_MAX: usize = 10_000;

/// A film as the list shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Film {
    magnet: Magnet,
    uri: String,
    title: String,
    creator: AccountAddress,
    supervisor: AccountAddress,
    play_time_ms: u64,
    cells: u32,
    width: u32,
    height: u32,
    taken_down: bool,
}

impl Film {
    /// `None` while the validator does not know the manifest: nobody could play it.
    fn of(video: Video) -> Option<Self> {
        let title = video.title?;
        Some(Self {
            magnet: video.magnet,
            uri: video.magnet.to_uri(&title),
            title,
            creator: video.creator,
            supervisor: video.supervisor,
            play_time_ms: video.play_time_ms,
            cells: video.cells,
            width: video.width,
            height: video.height,
            taken_down: video.taken_down,
        })
    }
}

type Films = Arc<Vec<Film>>;

pub(crate) struct Catalogue {
    client: Client,
    genesis: OnceCell<Arc<NetworkGenesis>>,
    films: tokio::sync::Mutex<Option<(Instant, Films)>>,
    films_age: Duration,
    manifests: Mutex<Manifests>,
}

impl Catalogue {
    pub fn new(client: Client, films_age: Duration, manifest_bytes_max: usize) -> Self {
        let manifests = Mutex::new(Manifests { bytes_max: manifest_bytes_max, ..Default::default() });
        Self { client, genesis: OnceCell::new(), films: Default::default(), films_age, manifests }
    }

    pub async fn genesis(&self) -> Result<Arc<NetworkGenesis>, GatewayError> {
        let genesis = self.genesis.get_or_try_init(async || self.client.genesis().await.map(Arc::new)).await?;
        Ok(genesis.clone())
    }

    pub async fn films(&self) -> Result<Films, GatewayError> {
        let mut kept = self.films.lock().await;
        if let Some((at, films)) = &*kept
            && at.elapsed() < self.films_age
        {
            return Ok(films.clone());
        }
        match (self.fetch_films().await, &*kept) {
            (Ok(films), _) => {
                *kept = Some((Instant::now(), films.clone()));
                Ok(films)
            }
            (Err(error), Some((_, films))) => {
                warn!(%error, "showing an old list of films");
                Ok(films.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn fetch_films(&self) -> Result<Films, GatewayError> {
        let mut films = Vec::new();
        let mut from = 0;
        while films.len() < FILMS_MAX {
            let page = self.client.videos(VideoQuery { from, count: COUNT_MAX }).await?;
            from += page.len() as u64;
            let full = page.len() >= COUNT_MAX as usize;
            films.extend(page.into_iter().filter_map(Film::of));
            if !full {
                break;
            }
        }
        Ok(Arc::new(films))
    }

    /// The canonical bytes of a manifest. They are checked before they are kept: a lie of one validator would stay.
    pub async fn manifest(&self, magnet: Magnet) -> Result<Bytes, GatewayError> {
        if let Some(bytes) = self.manifests().get(&magnet) {
            return Ok(bytes);
        }
        let bytes = self.client.manifest(magnet).await?.ok_or(GatewayError::NotFound { what: "film" })?;
        Manifest::decode(&bytes, &magnet).map_err(|error| GatewayError::Validator(error.into()))?;
        let bytes = Bytes::from(bytes);
        self.manifests().keep(magnet, bytes.clone());
        Ok(bytes)
    }

    fn manifests(&self) -> std::sync::MutexGuard<'_, Manifests> {
        // A cache that lost or kept one entry too many is still a cache.
        self.manifests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Manifests {
    kept: HashMap<Magnet, (Bytes, u64)>,
    bytes: usize,
    bytes_max: usize,
    uses: u64,
}

impl Manifests {
    fn get(&mut self, magnet: &Magnet) -> Option<Bytes> {
        self.uses += 1;
        let (bytes, used) = self.kept.get_mut(magnet)?;
        *used = self.uses;
        Some(bytes.clone())
    }

    fn keep(&mut self, magnet: Magnet, manifest: Bytes) {
        if manifest.len() > self.bytes_max {
            return;
        }
        self.uses += 1;
        self.bytes += manifest.len();
        if let Some((twin, _)) = self.kept.insert(magnet, (manifest, self.uses)) {
            self.bytes -= twin.len();
        }
        while self.bytes > self.bytes_max {
            let oldest = self.kept.iter().min_by_key(|(_, (_, used))| *used).map(|(magnet, _)| *magnet);
            let Some((gone, _)) = oldest.and_then(|magnet| self.kept.remove(&magnet)) else { break };
            self.bytes -= gone.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_stay_within_their_bytes_and_the_used_ones_stay_longest() {
        let mut manifests = Manifests { bytes_max: 100, ..Default::default() };
        let magnet = |n: u8| Magnet([n; 32]);
        manifests.keep(magnet(1), Bytes::from(vec![1; 40]));
        manifests.keep(magnet(1), Bytes::from(vec![1; 40]));
        manifests.keep(magnet(2), Bytes::from(vec![2; 40]));
        assert_eq!(manifests.bytes, 80);
        assert!(manifests.get(&magnet(1)).is_some());
        manifests.keep(magnet(3), Bytes::from(vec![3; 40]));
        assert!(manifests.get(&magnet(2)).is_none());
        assert!(manifests.get(&magnet(1)).is_some() && manifests.get(&magnet(3)).is_some());
        manifests.keep(magnet(4), Bytes::from(vec![4; 101]));
        assert_eq!((manifests.kept.len(), manifests.bytes), (2, 80));
    }
}
