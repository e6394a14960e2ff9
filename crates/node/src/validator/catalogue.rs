//! What the chain says of videos, as the desk needs it: the contracts' records, and the manifests beside them.

use super::{facts::ChainFacts, manifests::Manifests, registry::Registry};
use chainflix_primitives::{
    AccountAddress, BlockHash, Magnet, Manifest, ManifestError, SealedKey, manifest::MANIFEST_BYTES_MAX,
};
use chainflix_proof_of_view::{Catalogue, VideoFacts};
use chainflix_rpc::types::Video;
use std::{fmt::Display, sync::Arc};

/// Why a manifest is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum OfferError {
    /// Not a manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Nobody registered this video.
    #[error("no video is registered under {magnet}: register it first")]
    NotRegistered { magnet: Magnet },
    /// The manifest and the chain's record say different things.
    #[error("the manifest of {magnet} does not fit its record on the chain")]
    OtherRecord { magnet: Magnet },
    /// This validator failed.
    #[error("the manifest of {magnet} could not be kept")]
    Failed {
        magnet: Magnet,
        #[source]
        source: anyhow::Error,
    },
}

/// The videos of the chain.
pub(crate) struct Videos {
    pub facts: Arc<ChainFacts>,
    pub registry: Registry,
    pub manifests: Manifests,
}

impl Videos {
    pub fn new(facts: Arc<ChainFacts>, registry: Registry, manifests: Manifests) -> Self {
        Self { facts, registry, manifests }
    }

    /// Takes a manifest that belongs to a registered video.
    pub fn offer(&self, bytes: &[u8]) -> Result<Magnet, OfferError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge { bytes: bytes.len() }.into());
        }
        let magnet = Magnet(blake3::hash(bytes).into());
        let manifest = Manifest::decode(bytes, &magnet)?;
        let failed = |source: anyhow::Error| OfferError::Failed { magnet, source };
        let record = self.registry.video(&magnet).map_err(|error| failed(error.into()))?;
        let record = record.ok_or(OfferError::NotRegistered { magnet })?;
        let said = (record.creator.into_array(), record.playTimeMs, record.cells as usize);
        if said != (manifest.creator.0, manifest.play_time_ms, manifest.cells.len()) {
            return Err(OfferError::OtherRecord { magnet });
        }
        self.manifests.put(&magnet, bytes).map_err(|error| failed(error.into()))?;
        Ok(magnet)
    }

    /// A video as the API shows it.
    pub fn describe(&self, magnet: &Magnet) -> anyhow::Result<Option<Video>> {
        let Some(video) = self.facts.video(magnet)? else { return Ok(None) };
        let record = &video.record;
        let manifest = self.manifests.get(magnet)?;
        let picture = manifest.as_deref().and_then(|manifest| manifest.tracks.iter().find(|track| track.width > 0));
        Ok(Some(Video {
            magnet: *magnet,
            title: manifest.as_ref().map(|manifest| manifest.title.clone()),
            creator: AccountAddress(record.creator.into_array()),
            supervisor: AccountAddress(record.supervisor.into_array()),
            play_time_ms: record.playTimeMs,
            cells: record.cells,
            taken_down: record.takenDown,
            width: picture.map_or(0, |track| track.width),
            height: picture.map_or(0, |track| track.height),
        }))
    }

    /// Registered videos whose manifest is not here.
    pub fn missing(&self, most: usize) -> anyhow::Result<Vec<Magnet>> {
        let mut missing = Vec::new();
        let count = self.registry.video_count()?;
        // Newest first: what was just published is what people ask for.
        for magnet in self.registry.magnets(count.saturating_sub(256), 256)?.into_iter().rev() {
            if missing.len() < most && self.manifests.get(&magnet)?.is_none() {
                missing.push(magnet);
            }
        }
        Ok(missing)
    }

    fn cell(&self, magnet: &Magnet, cell_index: u32) -> anyhow::Result<Option<VideoFacts>> {
        let Some(video) = self.facts.video(magnet)? else { return Ok(None) };
        let Some(manifest) = self.manifests.get(magnet)? else { return Ok(None) };
        let record = &video.record;
        // The registry takes no other length.
        let Ok(sealed) = <[u8; 80]>::try_from(record.sealedVideoSecret.as_ref()) else { return Ok(None) };
        let cell = manifest.cells.get(cell_index as usize);
        Ok(Some(VideoFacts {
            creator: AccountAddress(record.creator.into_array()),
            supervisor: AccountAddress(record.supervisor.into_array()),
            taken_down: record.takenDown,
            cell: cell.map(|cell| (cell.id, cell.size, cell.duration_ms)),
            sealed_secret: SealedKey(sealed),
            split: video.split,
        }))
    }
}

/// A node that cannot read its own store says so, and holds nothing true that it cannot check.
impl Catalogue for Videos {
    fn video(&self, magnet: &Magnet, cell_index: u32) -> Option<VideoFacts> {
        readable(self.cell(magnet, cell_index)).flatten()
    }

    fn activator(&self, video: &Magnet, layer: &Magnet) -> Option<AccountAddress> {
        readable(self.facts.activator(video, layer)).flatten()
    }

    fn is_activator(&self, video: &Magnet, account: &AccountAddress) -> bool {
        readable(self.facts.is_activator(video, account)).unwrap_or_default()
    }

    fn operation(&self) -> Vec<AccountAddress> {
        readable(self.facts.operation()).map(|participants| participants.to_vec()).unwrap_or_default()
    }

    fn standing(&self, account: &AccountAddress) -> u16 {
        readable(self.facts.standing(account)).unwrap_or_default()
    }

    fn block_hash(&self, number: u32) -> Option<BlockHash> {
        readable(self.facts.block_hash(number.into())).flatten()
    }
}

fn readable<T, E: Display>(read: Result<T, E>) -> Option<T> {
    read.inspect_err(|error| tracing::error!(%error, "the catalogue cannot be read")).ok()
}

/// The catalogue, shared by the desk and the API.
pub(crate) type SharedVideos = Arc<Videos>;
