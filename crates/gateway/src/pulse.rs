//! The one task that watches the chain and tells all who listen.
//!
//! ```text
//! every half block time: cfx_head ── new? ──▶ event "head"
//!                            └─────────────▶ cfx_viewBlocks ── new? ──▶ event "view-block": voted for, not paid yet
//!                                                           └─ paid? ──▶ event "award"
//! ```
//!
//! However many browsers listen, the validators are asked once. A listener that falls [`EVENTS_KEPT`] events behind is
//! cut off; browsers come back by themselves and then hear the newest head first. When the task is stopped all listeners
//! end.

use crate::{catalogue::Catalogue, deliveries::Deliveries};
use chainflix_primitives::AccountAddress;
use chainflix_rpc::{
    Client, ClientError,
    types::{AwardSummary, Head, ViewBlockQuery, ViewBlockSummary},
};
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tracing::{debug, warn};

/// Events a slow listener may be behind.
pub(crate) const EVENTS_KEPT: usize = 64;
/// View blocks looked for at a time: more than come between two polls unless the validators were away.
const VIEW_BLOCKS: u32 = 16;
/// Pause after the validators did not answer at the start.
const RETRY: Duration = Duration::from_millis(500);
/// Shortest pause between two polls.
const BEAT_MIN: Duration = Duration::from_millis(50);
/// How often parked deliveries are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// An event as listeners get it.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub event: &'static str,
    /// JSON.
    pub data: Arc<str>,
}

impl Notice {
    fn new(event: &'static str, data: &impl Serialize) -> Option<Self> {
        let data = serde_json::to_string(data);
        // Numbers and hex always serialise.
        data.inspect_err(|error| warn!(%error, event, "an event was lost"))
            .ok()
            .map(|data| Self { event, data: data.into() })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ViewBlockNotice<'a> {
    view_block: u64,
    slot: u64,
    plays: u32,
    viewers: &'a [AccountAddress],
    reward_gwei: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AwardNotice<'a> {
    view_block: u64,
    /// Whose plays are paid.
    viewers: &'a [AccountAddress],
    gwei: u64,
    voided: u32,
}

/// What listeners hold on to.
pub(crate) struct Listening {
    notices: broadcast::Receiver<Notice>,
    head: watch::Receiver<Option<(Head, Notice)>>,
}

impl Listening {
    /// Everything from now on, and the newest head at once.
    pub fn subscribe(&self) -> (Option<Notice>, broadcast::Receiver<Notice>) {
        // Subscribed first: a head between the two is heard twice rather than missed.
        let notices = self.notices.resubscribe();
        (self.head.borrow().as_ref().map(|(_, notice)| notice.clone()), notices)
    }

    /// The newest head that was seen.
    pub fn head(&self) -> Option<Head> {
        self.head.borrow().as_ref().map(|(head, _)| *head)
    }
}

/// The running task. Dropping it stops it.
pub(crate) struct Pulse(JoinHandle<()>);

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Poller {
    client: Client,
    notices: broadcast::Sender<Notice>,
    head: watch::Sender<Option<(Head, Notice)>>,
    /// The newest view block that was told, or was there before anybody listened.
    view_block: Option<u64>,
    /// View blocks that are told and not paid yet.
    unpaid: BTreeSet<u64>,
}

/// Starts the task.
pub(crate) fn start(client: Client, catalogue: Arc<Catalogue>, deliveries: Arc<Deliveries>) -> (Listening, Pulse) {
    let (notices, notices_heard) = broadcast::channel(EVENTS_KEPT);
    let (head, head_seen) = watch::channel(None);
    let poller = Poller { client, notices, head, view_block: None, unpaid: BTreeSet::new() };
    let task = tokio::spawn(async move {
        tokio::join!(poller.run(catalogue), sweep(deliveries));
    });
    (Listening { notices: notices_heard, head: head_seen }, Pulse(task))
}

async fn sweep(deliveries: Arc<Deliveries>) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        deliveries.expire(Instant::now());
    }
}

impl Poller {
    async fn run(mut self, catalogue: Arc<Catalogue>) {
        let genesis = loop {
            match catalogue.genesis().await {
                Ok(genesis) => break genesis,
                Err(error) => {
                    debug!(%error, "waiting for a validator");
                    sleep(RETRY).await;
                }
            }
        };
        let beat = Duration::from_millis(genesis.params.block_ms / 2).max(BEAT_MIN);
        let mut beats = interval(beat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            if let Err(error) = self.beat().await {
                debug!(%error, "the head is not known");
            }
        }
    }

    async fn beat(&mut self) -> Result<(), ClientError> {
        let head = self.client.head().await?;
        // After a change of validators the next one may be a block behind: heads only rise.
        if self.head.borrow().as_ref().is_some_and(|(known, _)| known.number >= head.number) {
            return Ok(());
        }
        if let Some(notice) = Notice::new("head", &head) {
            self.head.send_replace(Some((head, notice.clone())));
            self.tell(Some(notice));
        }
        let blocks = self.client.view_blocks(ViewBlockQuery { from: None, count: VIEW_BLOCKS }).await?;
        self.tell_view_blocks(&blocks);
        Ok(())
    }

    fn tell_view_blocks(&mut self, newest_first: &[ViewBlockSummary]) {
        let newest = newest_first.first().map_or(0, |block| block.view_block);
        for block in newest_first.iter().rev() {
            let is_new = self.view_block.is_some_and(|known| block.view_block > known);
            if is_new {
                self.tell(Notice::new(
                    "view-block",
                    &ViewBlockNotice {
                        view_block: block.view_block,
                        slot: block.slot,
                        plays: block.plays,
                        viewers: &block.viewers,
                        reward_gwei: block.reward_gwei,
                    },
                ));
            }
            if is_new || block.award.is_none() {
                self.unpaid.insert(block.view_block);
            }
            if let Some(award) = &block.award
                && self.unpaid.remove(&block.view_block)
            {
                let AwardSummary { gwei, voided, .. } = *award;
                let (view_block, viewers) = (block.view_block, &block.viewers[..]);
                self.tell(Notice::new("award", &AwardNotice { view_block, viewers, gwei, voided }));
            }
        }
        self.view_block = self.view_block.max(Some(newest));
        // An audit that takes longer than that is left to whoever asks.
        let oldest = newest_first.last().map_or(0, |block| block.view_block);
        self.unpaid.retain(|view_block| *view_block >= oldest);
    }

    fn tell(&self, notice: Option<Notice>) {
        // Fails only where nobody listens.
        notice.map(|notice| self.notices.send(notice));
    }
}
