//! Watches a film in real time, without a screen: fetches, verifies, folds, proves, and tells what happens.
//!
//! ```text
//! per cell:  fetch (another provider when one fails) ─┐
//!            play ─ PlayCode ─ points ─ proof ────────┴─▶ next cell; fetched ahead while this one plays
//!                                        └─▶ settle: followed to its end, opened if the audit asks
//! ```
//!
//! The same [`Viewer`] decides here and in the browser. Media time runs with the wall clock; where bytes are missing it
//! stands still, and that is counted as a stall. A viewer that wants to [shares](ShareOptions) what it watched.

mod fetch;
mod play;
mod settle;
mod share;

pub use share::ShareOptions;

use crate::{
    config::{ControllerAt, RelayAt},
    now_ms,
    peers::Peers,
    publish,
    role::Shutdown,
};
use anyhow::{Context as _, Result, bail};
use chainflix_overlay::Overlay;
use chainflix_primitives::{AccountAddress, AccountKey, BlockHash, Magnet, NodeId};
use chainflix_rpc::Client;
use chainflix_viewer::{Film, Playback, Viewer};
use serde::Serialize;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::{
    sync::{mpsc, watch as channel},
    task::JoinHandle,
};
use zeroize::Zeroizing;

/// What to watch, as whom, and through whom.
pub struct WatchOptions {
    /// Which film.
    pub magnet: Magnet,
    /// The viewer's account.
    pub secret: Zeroizing<[u8; 32]>,
    /// JSON-RPC of validators.
    pub rpcs: Vec<String>,
    /// The controllers that name sources: any of them, and all hear what is shared.
    pub controllers: Vec<ControllerAt>,
    /// The relay.
    pub relay: Option<RelayAt>,
    /// Show no address to anybody: every byte goes through the relay.
    pub relay_only: bool,
    /// Stop after so many cells.
    pub cells: Option<u32>,
    /// Serve to others what was watched.
    pub share: Option<ShareOptions>,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "the names say it, and JSON readers see nothing else")]
pub enum WatchEvent {
    Started { title: String, cells: u32, account: AccountAddress },
    CellFetched { index: u32, bytes: u64, provider: AccountAddress, direct: bool },
    ProviderChanged { index: u32, provider: NodeId, from_byte: u64, reason: String },
    PlayStarted { index: u32, mining: bool, reason: Option<String> },
    Stalled { index: u32, ms: u64 },
    Proved { index: u32 },
    Opened { index: u32 },
    Refused { index: u32, code: String, message: String },
    Accepted { index: u32, view_block: u64 },
    Sharing { delivered_bytes: u64 },
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchSummary {
    /// Who watched.
    pub account: AccountAddress,
    /// Cells watched to their end.
    pub played: u32,
    /// Plays that a validator took the proof of.
    pub proved: u32,
    /// Plays that the audit drew and this viewer opened.
    pub opened: u32,
    /// Plays in view blocks, and awarded.
    pub accepted: u32,
    /// Time the picture stood still after it first moved.
    pub stalled_ms: u64,
    /// Bytes fetched and verified.
    pub bytes: u64,
    /// Time from the request to the first verified bytes.
    pub first_byte_ms: u64,
    /// Bytes that others got from this viewer.
    pub shared_bytes: u64,
    /// Time from the request until the first fragment is there with its key.
    pub first_frame_ms: u64,
}

/// Where events go.
pub type Events<'a> = &'a (dyn Fn(WatchEvent) + Send + Sync);

/// Everything a view needs.
pub(crate) struct Watching {
    pub client: Client,
    pub peers: Peers,
    pub viewer: Arc<Viewer>,
    pub head: channel::Receiver<(u32, BlockHash)>,
    /// When the film was asked for.
    pub asked_ms: u64,
    /// When its first bytes were good; 0 before.
    pub first_byte_ms: AtomicU64,
    /// Where cells go that this viewer shares.
    keeper: Option<share::Keeper>,
    /// When its first fragment could be shown; 0 before.
    pub first_frame_ms: AtomicU64,
}

/// Watches a film to its end, to `cells`, or until `shutdown`.
pub async fn watch(options: WatchOptions, events: Events<'_>, mut shutdown: Shutdown) -> Result<WatchSummary> {
    let client = Client::new(&options.rpcs)?;
    let asked_ms = now_ms();
    let genesis = client.genesis().await.context("no validator answers")?;
    let manifest = client.manifest(options.magnet).await?;
    let manifest = manifest.with_context(|| format!("no film is registered under {}", options.magnet))?;
    let viewer = Viewer::new(&options.secret, genesis.clone())?;
    let film = viewer.film(options.magnet, &manifest)?;
    let overlay = join(&options).await?;
    let start = |share| {
        let account = AccountKey::from_bytes(&options.secret)?;
        share::Sharer::start(share, account, &genesis, &options.controllers, &client, &overlay)
    };
    let sharer = options.share.as_ref().map(start).transpose()?;
    let keeper = sharer.as_ref().map(share::Sharer::keeper);
    let (head, follower) = follow_head(&client).await?;
    let peers = Peers::new(overlay.dialer(), &options.controllers);
    let (first_byte_ms, first_frame_ms) = (AtomicU64::new(0), AtomicU64::new(0));
    let watching = Watching { client, peers, viewer, head, asked_ms, first_byte_ms, first_frame_ms, keeper };
    let watching = Arc::new(watching);
    // At most 1440.
    let all = film.manifest().cells.len() as u32;
    let cells = options.cells.unwrap_or(all).min(all);
    events(WatchEvent::Started { title: film.manifest().title.clone(), cells, account: watching.viewer.account() });
    let mut summary = tokio::select! {
        summary = watch_cells(watching.clone(), &film, cells, events) => summary,
        () = shutdown.requested() => Err(anyhow::anyhow!("stopped before the end of the film")),
    };
    follower.abort();
    if let Some(sharer) = sharer {
        if summary.is_ok() && options.share.is_some_and(|share| share.stay) {
            events(WatchEvent::Sharing { delivered_bytes: sharer.delivered_bytes() });
            shutdown.requested().await;
        }
        if let Ok(summary) = &mut summary {
            summary.shared_bytes = sharer.delivered_bytes();
        }
        sharer.stop().await;
    }
    overlay.close().await;
    summary
}

/// Under a name for this film alone, or under the one that what is shared is found by.
async fn join(options: &WatchOptions) -> Result<Overlay> {
    let WatchOptions { controllers, relay, relay_only, .. } = options;
    match &options.share {
        Some(share) => share::join(&share.folder, controllers, relay.as_ref(), *relay_only).await,
        None => publish::ephemeral(controllers, relay.as_ref(), *relay_only).await,
    }
}

/// Plays that may wait to be proved and followed.
const FINISHED_MAX: usize = 4;

async fn watch_cells(watching: Arc<Watching>, film: &Film, cells: u32, events: Events<'_>) -> Result<WatchSummary> {
    let (finished, followed) = mpsc::channel(FINISHED_MAX);
    let playing = play_cells(&watching, film, cells, finished, events);
    let (tally, outcome) = tokio::try_join!(playing, settle::follow(&watching, followed, events))?;
    let since_asked = |at_ms: &AtomicU64| at_ms.load(Relaxed).saturating_sub(watching.asked_ms);
    Ok(WatchSummary {
        account: watching.viewer.account(),
        played: tally.played,
        proved: outcome.proved,
        opened: outcome.opened,
        accepted: outcome.accepted,
        stalled_ms: tally.stalled_ms,
        bytes: tally.bytes,
        first_byte_ms: since_asked(&watching.first_byte_ms),
        first_frame_ms: since_asked(&watching.first_frame_ms),
        shared_bytes: 0,
    })
}

async fn play_cells(
    watching: &Arc<Watching>,
    film: &Film,
    cells: u32,
    finished: mpsc::Sender<settle::Finished>,
    events: Events<'_>,
) -> Result<play::Tally> {
    let mut tally = play::Tally::default();
    let mut next = Some(fetch::start(watching.clone(), cell(film, 0)?, 0, None));
    for index in 0..cells {
        let Some(fetching) = next.take() else { bail!("cell {index} was not fetched") };
        let ahead = index + 1 < cells;
        let following = ahead.then(|| cell(film, index + 1)).transpose()?;
        // The next cell comes in while this one plays, and not before this one is there: they share the line.
        let before = || Some(fetching.arrival.clone());
        next = following.map(|playback| fetch::start(watching.clone(), playback, index + 1, before()));
        play::play(watching, fetching, index, &finished, &mut tally, events).await?;
    }
    Ok(tally)
}

fn cell(film: &Film, index: u32) -> Result<Playback> {
    film.cell(index).with_context(|| format!("the film has no cell {index}"))
}

/// Follows the newest final block, twice a block.
async fn follow_head(client: &Client) -> Result<(channel::Receiver<(u32, BlockHash)>, JoinHandle<()>)> {
    let pair = |head: chainflix_rpc::types::Head| (u32::try_from(head.number).unwrap_or(u32::MAX), head.hash);
    let block_ms = client.genesis().await?.params.block_ms;
    let (sender, receiver) = channel::channel(pair(client.head().await?));
    let client = client.clone();
    let follower = tokio::spawn(async move {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(block_ms / 2));
        loop {
            looks.tick().await;
            match client.head().await {
                Ok(head) => drop(sender.send_replace(pair(head))),
                Err(error) => tracing::debug!(%error, "the newest block is not known"),
            }
        }
    });
    Ok((receiver, follower))
}
