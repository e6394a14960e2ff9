//! The desk's task: it owns the [`Desk`], feeds it calls, gossip, blocks and time, and carries what it has to say.
//!
//! ```text
//! API ── step(job) ─┐                     ┌─▶ gossip to the other validators
//! gossip ───────────┼─▶ task, one Desk ───┤
//! final blocks ─────┤                     └─▶ payload for the next block
//! clock ────────────┘
//! ```
//!
//! The mailbox holds 1,024 jobs; callers wait when it is full, each with the patience of its own request.

use super::catalogue::SharedVideos;
use crate::now_ms;
use bytes::Bytes;
use chainflix_chain::ledger::{Preview, ViewLedger};
use chainflix_consensus::{
    ConsensusHandle, FinalizedBlock, PayloadSource,
    gossip::{GossipReceiver, GossipSender},
};
use chainflix_primitives::ViewPayload;
use chainflix_proof_of_view::{Desk, ValidatorMessage};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::JoinHandle,
    time::MissedTickBehavior,
};

const JOBS_MAX: usize = 1_024;
const TICK: Duration = Duration::from_millis(100);

type Job = Box<dyn FnOnce(&mut Desk) + Send>;

/// The desk is gone: the node is stopping.
#[derive(Debug, thiserror::Error)]
#[error("the validator is stopping")]
pub(crate) struct DeskGone;

/// Talks to the desk's task.
#[derive(Clone)]
pub(crate) struct DeskHandle(mpsc::Sender<Job>);

impl DeskHandle {
    /// Runs `job` on the desk and gives back what it answers.
    pub async fn step<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Desk) -> T + Send + 'static,
    ) -> Result<T, DeskGone> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |desk| {
            // Who asked may have gone away; the desk has done its part all the same.
            let _gone = reply.send(job(desk));
        });
        self.0.send(job).await.map_err(|_| DeskGone)?;
        answer.await.map_err(|_| DeskGone)
    }
}

/// The voted payload that waits for a block; written by the desk's task, read by whoever proposes.
#[derive(Default)]
pub(crate) struct Ready(RwLock<Option<ViewPayload>>);

impl PayloadSource for Ready {
    fn payload(&self, preview: &Preview) -> Option<ViewPayload> {
        let ready = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ready.as_ref().filter(|payload| !preview.state().is_settled(payload.proposal.slot)).cloned()
    }
}

/// What the task works with.
pub(crate) struct DeskTask {
    pub desk: Desk,
    pub videos: SharedVideos,
    pub ledger: ViewLedger,
    pub ready: Arc<Ready>,
    pub gossip: GossipSender,
}

/// Starts the task; it ends when every handle is gone or when it is aborted.
pub(crate) fn start(
    task: DeskTask,
    consensus: &ConsensusHandle,
    incoming: GossipReceiver,
) -> (DeskHandle, JoinHandle<()>) {
    let (jobs, mailbox) = mpsc::channel(JOBS_MAX);
    let blocks = consensus.finalized();
    (DeskHandle(jobs), tokio::spawn(task.run(mailbox, incoming, blocks)))
}

impl DeskTask {
    async fn run(
        mut self,
        mut jobs: mpsc::Receiver<Job>,
        mut incoming: GossipReceiver,
        mut blocks: broadcast::Receiver<FinalizedBlock>,
    ) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => job(&mut self.desk),
                    None => return,
                },
                Some(message) = incoming.recv() => self.hear(&message.bytes),
                block = blocks.recv() => match block {
                    Ok(block) => self.finalized(&block),
                    // What was missed is in the ledger, where every question about a play looks first.
                    Err(broadcast::error::RecvError::Lagged(missed)) => tracing::warn!(missed, "the desk missed blocks"),
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                _ = ticks.tick() => self.desk.tick(now_ms(), &self.ledger.state(), &*self.videos),
            }
            self.carry();
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        match ValidatorMessage::decode(bytes) {
            Some(message) => self.desk.hear(now_ms(), message, &self.ledger.state()),
            None => tracing::warn!(bytes = bytes.len(), "a validator sent something that is no message"),
        }
    }

    fn finalized(&mut self, block: &FinalizedBlock) {
        // Play points count blocks in 32 bits: enough for 272 years of two-second blocks.
        self.desk.finalized(u32::try_from(block.height).unwrap_or(u32::MAX));
        if let (Some(payload), Some(settlement)) = (&block.view, &block.settlement) {
            self.desk.settled(payload, settlement);
        }
    }

    /// Sends what the desk has to say and shows what it has ready.
    fn carry(&mut self) {
        while let Some(message) = self.desk.poll() {
            if let Err(error) = self.gossip.send(Bytes::from(message.encode())) {
                tracing::warn!(%error, "a message to the other validators is lost");
            }
        }
        let payload = self.desk.payload(now_ms(), &self.ledger.state());
        *self.ready.0.write().unwrap_or_else(PoisonError::into_inner) = payload;
    }
}
