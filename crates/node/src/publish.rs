//! Publishes a film: cuts it, seals its cells, puts them on providers, and registers it on the chain.
//!
//! ```text
//! file ─ ffmpeg ─▶ cells ─ CellKey ─▶ sealed ─ controller ─▶ two disks each
//!                                        ├─ parity of each stripe: names
//!                                        └─ manifest ─▶ registerVideo (with the sealed video secret) ─▶ validators
//! ```
//!
//! The bytes are on disks before the chain names them, so a registered film can be played at once; a publication that
//! fails before the registration leaves cells that nobody refers to, and the same publication can be tried again.

mod parity;

use crate::{
    config::{ControllerAt, RelayAt},
    entropy, now_ms, overlay,
};
use alloy_primitives::B256;
use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use chainflix_cell::{ChunkHashes, Keystream};
use chainflix_contracts::{IRegistry, REGISTRY_ADDRESS, SolCall};
use chainflix_key_service::seal_video_secret;
use chainflix_media::{Packaged, package};
use chainflix_overlay::{
    Dialer, Overlay,
    control::{CellUpload, Upload, upload_cell},
};
use chainflix_primitives::{
    AccountAddress, AccountKey, CellId, Magnet, Manifest, NetworkGenesis, NodeId, RewardSplit, SealedKey, Signed,
    VideoSecret,
};
use chainflix_rpc::{Client, send_transaction};
use serde::Serialize;
use std::{collections::VecDeque, net::SocketAddr, path::PathBuf, time::Duration};

/// How long an upload may take before its permission ends.
const UPLOAD_TTL_MS: u64 = 600_000;
/// Attempts for one cell: providers may be busy, or just announcing themselves.
const UPLOADS_MAX: u32 = 10;
const RETRY: Duration = Duration::from_secs(1);
const WRITE_BYTES: usize = 256 << 10;

/// What to publish, as whom, and where.
pub struct PublishOptions {
    /// Any file that ffmpeg reads.
    pub file: PathBuf,
    /// What people call it; the file's own title or name when not given.
    pub title: Option<String>,
    /// How the reward of its views is shared, within the network's bounds; as the network does when not given.
    pub split: Option<RewardSplit>,
    /// An admitted creator, with coins for one transaction.
    pub creator: AccountKey,
    /// JSON-RPC of validators.
    pub rpcs: Vec<String>,
    /// The controllers, any of which places the cells; the next one where one does not.
    pub controllers: Vec<ControllerAt>,
    /// The relay, where a controller cannot be reached directly.
    pub relay: Option<RelayAt>,
    /// Folder for temporary files.
    pub scratch: PathBuf,
}

/// How far a publication is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// ffmpeg is at work.
    Converting {
        /// Done so far, 0 to 1.
        fraction: f32,
    },
    /// Cells are on their way to disks.
    Uploading {
        /// Bytes that are durable.
        done_bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
    /// The parity of the stripes is computed, for its names.
    Coding {
        /// Bytes of cells that are coded.
        done_bytes: u64,
        /// Bytes of all cells that are in stripes.
        total_bytes: u64,
    },
    /// The chain is being told.
    Registering,
}

/// A film that can be watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// Its name.
    pub magnet: Magnet,
    /// The name as people pass it on.
    pub uri: String,
    /// What people call it.
    pub title: String,
    /// Its length.
    pub play_time_ms: u64,
    /// Its minutes.
    pub cells: u32,
}

/// Publishes a film.
pub async fn publish(options: PublishOptions, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<Published> {
    let client = Client::new(&options.rpcs)?;
    let genesis = client.genesis().await.context("no validator answers")?;
    if let Some(split) = &options.split {
        // Before the film is cut: the registry would refuse it as well, an hour later.
        genesis.params.split_bounds.check(split).context("the network does not allow this split")?;
    }
    let packaging = chainflix_media::Options { cell_ms: genesis.params.cell_ms, folder: options.scratch.clone() };
    let converted = |at: chainflix_media::Progress| {
        progress(Progress::Converting { fraction: at.fraction.unwrap_or_default() as f32 });
    };
    let packaged = package(&options.file, &packaging, converted).await?;
    let title = options.title.clone().unwrap_or_else(|| packaged.title.clone());

    let overlay = join(&options).await?;
    let secret = VideoSecret::from_bytes(entropy());
    let controllers = options.controllers.iter().map(|controller| controller.node).collect();
    let mut uploader = Uploader { dialer: overlay.dialer(), controllers, creator: options.creator.clone() };
    let sealed = uploader.upload_all(&packaged, &secret, progress).await;
    overlay.close().await;
    let sealed = sealed?;
    let parity =
        parity::parity_names(&packaged.cells, &sealed, &secret, progress).await.context("parity cannot be computed")?;
    let manifest = packaged.manifest(&title, options.creator.address(), &sealed, parity)?;

    progress(Progress::Registering);
    register(&client, &options, &genesis, &manifest, &secret).await?;
    let magnet = manifest.magnet();
    Ok(Published {
        magnet,
        uri: magnet.to_uri(&title),
        title,
        play_time_ms: manifest.play_time_ms,
        // At most 1440.
        cells: manifest.cells.len() as u32,
    })
}

/// A short-lived node with a name of its own.
async fn join(options: &PublishOptions) -> Result<Overlay> {
    ephemeral(&options.controllers, options.relay.as_ref(), false).await
}

/// Joins the overlay under a name that is drawn for this process alone.
pub(crate) async fn ephemeral(
    controllers: &[ControllerAt],
    relay: Option<&RelayAt>,
    relay_only: bool,
) -> Result<Overlay> {
    let key = chainflix_overlay::NodeKey::from_bytes(&entropy());
    let mut config = chainflix_overlay::OverlayConfig::new(key, SocketAddr::from(([0, 0, 0, 0], 0)));
    config.relay = relay.map(overlay::relay).transpose()?;
    config.relay_only = relay_only;
    config.controllers = controllers.iter().map(|at| overlay::info(at, relay)).collect();
    Overlay::bind(config).await.context("cannot join the overlay")
}

struct Uploader {
    dialer: Dialer,
    /// The first one is asked.
    controllers: VecDeque<NodeId>,
    creator: AccountKey,
}

impl Uploader {
    async fn upload_all(
        &mut self,
        packaged: &Packaged,
        secret: &VideoSecret,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Vec<CellId>> {
        let total_bytes = packaged.cells.iter().map(|cell| cell.size).sum();
        let mut done_bytes = 0;
        let mut sealed_ids = Vec::new();
        progress(Progress::Uploading { done_bytes, total_bytes });
        for (index, cell) in (0u32..).zip(&packaged.cells) {
            let mut bytes = cell.read().await?;
            Keystream::sealing(&secret.cell_key(index)).apply(0, &mut bytes);
            let id = ChunkHashes::of(&bytes).root();
            self.upload(id, Bytes::from(bytes)).await.with_context(|| format!("cell {index} cannot be stored"))?;
            sealed_ids.push(id);
            done_bytes += cell.size;
            progress(Progress::Uploading { done_bytes, total_bytes });
        }
        Ok(sealed_ids)
    }

    async fn upload(&mut self, cell: CellId, bytes: Bytes) -> Result<()> {
        let mut failed = anyhow!("no controller is configured");
        for attempt in 1..=UPLOADS_MAX {
            let Some(controller) = self.controllers.front().copied() else { break };
            match self.try_upload(controller, cell, &bytes).await {
                Ok(()) => return Ok(()),
                Err(error) => failed = error,
            }
            // The next one, also for the cells that follow.
            self.controllers.rotate_left(1);
            if attempt < UPLOADS_MAX {
                tracing::info!(%cell, error = format!("{failed:#}"), "trying again");
                tokio::time::sleep(RETRY).await;
            }
        }
        Err(failed)
    }

    async fn try_upload(&self, controller: NodeId, cell: CellId, bytes: &Bytes) -> Result<()> {
        let (account, size) = (self.creator.address(), bytes.len() as u64);
        let words = CellUpload { account, cell, size, expires_ms: now_ms() + UPLOAD_TTL_MS };
        let words = Signed::new(words, &self.creator);
        let Upload::Wanted(mut stream) = upload_cell(&self.dialer, controller, words).await? else {
            return Ok(());
        };
        for start in (0..bytes.len()).step_by(WRITE_BYTES) {
            stream.write(bytes.slice(start..bytes.len().min(start + WRITE_BYTES))).await?;
        }
        stream.finish().await?;
        Ok(())
    }
}

async fn register(
    client: &Client,
    options: &PublishOptions,
    genesis: &NetworkGenesis,
    manifest: &Manifest,
    secret: &VideoSecret,
) -> Result<()> {
    let magnet = manifest.magnet();
    let creator = options.creator.address();
    let sealed = seal_video_secret(&genesis.keys, &creator, &magnet, secret, entropy())
        .context("the video's secret cannot be sealed to this network")?;
    let call = registration(manifest, &sealed, options.split);
    let registry = AccountAddress(REGISTRY_ADDRESS.into_array());
    send_transaction(client, &options.creator, Some(registry), 0, call)
        .await
        .context("the registry does not take the film; is the account an admitted creator, and has it coins?")?;
    hand_in(&options.rpcs, manifest).await
}

/// The call that registers the film.
#[allow(non_snake_case, reason = "the fields are Solidity's")]
fn registration(manifest: &Manifest, sealed: &SealedKey, split: Option<RewardSplit>) -> Vec<u8> {
    let magnet = B256::from(manifest.magnet().0);
    let (playTimeMs, sealedVideoSecret) = (manifest.play_time_ms, sealed.0.to_vec().into());
    // At most 1440.
    let cells = manifest.cells.len() as u32;
    match split.map(Into::into) {
        None => IRegistry::registerVideoCall { magnet, playTimeMs, cells, sealedVideoSecret }.abi_encode(),
        Some(split) => {
            let call = IRegistry::registerVideoWithSplitCall { magnet, playTimeMs, cells, sealedVideoSecret, split };
            call.abi_encode()
        }
    }
}

/// Gives the manifest to every validator that answers; the others fetch it from them.
async fn hand_in(rpcs: &[String], manifest: &Manifest) -> Result<()> {
    let bytes = manifest.encode();
    let mut taken = 0;
    let mut refused = None;
    for rpc in rpcs {
        match Client::new([rpc])?.submit_manifest(bytes.clone()).await {
            Ok(_) => taken += 1,
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if taken == 0 => Err(error).context("no validator takes the manifest"),
        None if taken == 0 => bail!("no validator is configured"),
        _ => Ok(()),
    }
}
