//! Serves to others what this viewer watched, under its own account.
//!
//! ```text
//! fetched cell ─▶ keeper (one at a time, the disk's pace) ─▶ Sharing ─▶ other viewers
//!                                                               └─ receipts ─▶ submitter ─▶ validators
//! ```
//!
//! The viewer's account is registered like a provider's, as soon as it has coins for that; only then is anybody sent here.
//! Its node has a key of its own that outlives the film, in the folder of the cells.

use crate::{
    config::{ControllerAt, RelayAt},
    entropy, keys, overlay,
    provider::{self, Registrar},
};
use anyhow::{Context as _, Result};
use chainflix_overlay::{NodeKey, Overlay, OverlayConfig, ServeLimits, Serving};
use chainflix_primitives::{AccountKey, CellId, NetworkGenesis};
use chainflix_provider::{ProviderConfig, Sharing, Store};
use chainflix_rpc::Client;
use chainflix_viewer::Playback;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::{JoinHandle, spawn_blocking},
};
use zeroize::Zeroizing;

/// Cells on their way to the disk. One more is not kept: the film goes on, and the next one may be.
const KEEPING_MAX: usize = 2;
/// Receipts that wait for a validator; when more come, deliveries wait with theirs.
const RECEIPTS_MAX: usize = 256;

/// What a viewer gives to others.
#[derive(Clone, Debug)]
pub struct ShareOptions {
    /// Where cells are kept; made where it is missing.
    pub folder: PathBuf,
    /// Most bytes they may take.
    pub quota_bytes: u64,
    /// Most bytes a second that go out; 0 for no limit.
    pub uplink_bytes_per_s: u64,
    /// Most viewers served at a time.
    pub viewers_max: usize,
    /// Go on serving when the film is over, until told to stop.
    pub stay: bool,
}

/// Joins the overlay under the name that the folder keeps.
pub(super) async fn join(
    folder: &Path,
    controllers: &[ControllerAt],
    relay: Option<&RelayAt>,
    relay_only: bool,
) -> Result<Overlay> {
    let mut config = OverlayConfig::new(node_key(folder)?, SocketAddr::from(([0, 0, 0, 0], 0)));
    config.relay = relay.map(overlay::relay).transpose()?;
    config.relay_only = relay_only;
    config.map_port = !relay_only;
    config.controllers = controllers.iter().map(|at| overlay::info(at, relay)).collect();
    Overlay::bind(config).await.context("cannot join the overlay")
}

fn node_key(folder: &Path) -> Result<NodeKey> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("node.key");
    if !path.exists() {
        keys::write(&path, &Zeroizing::new(entropy()))?;
    }
    Ok(NodeKey::from_bytes(&*keys::read(&path)?))
}

/// A viewer that shares, while it runs.
pub(super) struct Sharer {
    sharing: Arc<Sharing>,
    serving: Serving,
    tasks: Tasks,
    watched: mpsc::Sender<(CellId, Vec<u8>)>,
}

/// They end with whoever holds them, also where watching fails before it began.
struct Tasks([JoinHandle<()>; 3]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Where fetched cells go.
pub(super) struct Keeper(mpsc::Sender<(CellId, Vec<u8>)>);

impl Sharer {
    pub(super) fn start(
        options: &ShareOptions,
        account: AccountKey,
        genesis: &NetworkGenesis,
        controllers: &[ControllerAt],
        client: &Client,
        overlay: &Overlay,
    ) -> Result<Self> {
        let store = Store::open(&options.folder.join("cells"), options.quota_bytes)?;
        let box_key = keys::provider_box_key(&account);
        let validators = genesis.validators.iter().map(|validator| validator.account).collect();
        let controllers = controllers.iter().map(|controller| controller.node).collect();
        let mut config = ProviderConfig::new(account.clone(), box_key.clone(), validators, controllers);
        config.uplink_bytes_per_s = options.uplink_bytes_per_s;
        config.deliveries_max = options.viewers_max;
        let (receipts, outgoing) = mpsc::channel(RECEIPTS_MAX);
        let sharing = Arc::new(Sharing::start(config, store, overlay.dialer(), receipts));
        let serving = overlay.serve(sharing.protocols(), ServeLimits::default());
        let (watched, queue) = mpsc::channel(KEEPING_MAX);
        let (client, node) = (client.clone(), overlay.node_id());
        let registrar = Registrar { client: client.clone(), key: account, node, box_key: box_key.public_key() };
        let tasks = Tasks([
            tokio::spawn(provider::submit(client, outgoing, |_, _| ())),
            tokio::spawn(registrar.register()),
            tokio::spawn(keep(sharing.clone(), queue)),
        ]);
        Ok(Self { sharing, serving, tasks, watched })
    }

    pub(super) fn keeper(&self) -> Keeper {
        Keeper(self.watched.clone())
    }

    /// Bytes that others got here.
    pub(super) fn delivered_bytes(&self) -> u64 {
        self.sharing.delivered_bytes()
    }

    pub(super) async fn stop(self) {
        drop(self.tasks);
        self.sharing.leave().await;
        self.serving.stop().await;
    }
}

impl Keeper {
    /// Takes a complete cell over.
    pub(super) fn offer(&self, playback: &Playback) {
        let entry = playback.entry();
        let Ok(sealed) = playback.read_sealed(0, entry.size) else { return };
        match self.0.try_send((entry.id, sealed.to_vec())) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => {
                tracing::info!(cell = %entry.id, "not kept: the disk is slower than the film")
            }
        }
    }
}

async fn keep(sharing: Arc<Sharing>, mut queue: mpsc::Receiver<(CellId, Vec<u8>)>) {
    while let Some((cell, sealed)) = queue.recv().await {
        let sharing = sharing.clone();
        match spawn_blocking(move || sharing.keep(cell, &sealed)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%cell, %error, "a watched cell is not kept"),
            Err(error) => tracing::warn!(%cell, %error, "a watched cell is not kept"),
        }
    }
}
