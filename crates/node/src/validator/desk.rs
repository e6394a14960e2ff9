//! The desk's task: it owns the [`Desk`], feeds it calls, gossip, blocks and time, and carries what it has to say.
//!
//! ```text
//! API ── step(job) ─┐                                            ┌─▶ answers
//! gossip ───────────┼─▶ a turn: one Desk ──▶ journal, one fsync ──┼─▶ gossip to the other validators
//! final blocks ─────┤                                            └─▶ payload for the next block
//! clock ────────────┘
//! ```
//!
//! A turn takes whatever is there when the last one is durable, so that the price of the disk is shared by all who wait:
//! alone, one waits for one write; in a crowd, a thousand do. Nothing leaves the task before it is durable. At the start
//! the desk is told what the journal holds.
//!
//! The mailbox holds 1,024 jobs; callers wait when it is full, each with the patience of its own request. Without its
//! journal the task ends, and the node with it.

use super::{api::settled, catalogue::SharedVideos};
use crate::now_ms;
use bytes::Bytes;
use chainflix_chain::{
    journal::{Journal, JournalError},
    ledger::{LedgerError, Preview, ViewLedger},
};
use chainflix_consensus::{
    ConsensusHandle, FinalizedBlock, PayloadSource,
    gossip::{GossipMessage, GossipReceiver, GossipSender},
};
use chainflix_primitives::{NetworkGenesis, ViewPayload};
use chainflix_proof_of_view::{Desk, ValidatorMessage};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::{JoinHandle, spawn_blocking},
    time::MissedTickBehavior,
};

const JOBS_MAX: usize = 1_024;
/// Inputs of one turn at most.
const TURN_MAX: usize = 1_024;
const TICK: Duration = Duration::from_millis(100);

/// Gives a caller its answer.
type Reply = Box<dyn FnOnce() + Send>;
type Job = Box<dyn FnOnce(&mut Desk) -> Reply + Send>;

/// The desk is gone: the node is stopping.
#[derive(Debug, thiserror::Error)]
#[error("the validator is stopping")]
pub(crate) struct DeskGone;

/// Why the desk cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    /// What was said and heard cannot be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What became of the plays in the journal cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The process is ending.
    #[error("the journal was interrupted")]
    Interrupted,
}

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
            let said = job(desk);
            // Who asked may have gone away; the desk has done its part all the same.
            Box::new(move || drop(reply.send(said)))
        });
        self.0.send(job).await.map_err(|_| DeskGone)?;
        answer.await.map_err(|_| DeskGone)
    }
}

/// The voted payload that waits for a block; written by the desk's task, read by whoever proposes.
#[derive(Default)]
pub(crate) struct Ready(RwLock<Option<Arc<ViewPayload>>>);

impl PayloadSource for Ready {
    fn payload(&self, _: &Preview) -> Option<Arc<ViewPayload>> {
        // What an ancestor has carried meanwhile is left out by whoever builds the block.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the task works with.
pub(crate) struct DeskTask {
    pub genesis: Arc<NetworkGenesis>,
    pub desk: Desk,
    pub videos: SharedVideos,
    pub ledger: ViewLedger,
    pub ready: Arc<Ready>,
    pub gossip: GossipSender,
}

/// What the task hears.
struct Inputs {
    jobs: mpsc::Receiver<Job>,
    incoming: GossipReceiver,
    blocks: broadcast::Receiver<FinalizedBlock>,
}

/// Tells the desk what the journal holds, and starts the task. It ends when every handle is gone, when consensus has
/// ended, or when it is aborted; with an error when it cannot go on.
pub(crate) async fn start(
    mut task: DeskTask,
    journal: Journal,
    consensus: &ConsensusHandle,
    incoming: GossipReceiver,
) -> Result<(DeskHandle, JoinHandle<Result<(), DeskError>>), DeskError> {
    let (handle, jobs) = mpsc::channel(JOBS_MAX);
    // Before the ledger is looked at: no block may come in between.
    let inputs = Inputs { jobs, incoming, blocks: consensus.finalized() };
    let recalled = spawn_blocking(move || task.recall(&journal).map(|()| (task, journal))).await;
    let (task, journal) = recalled.map_err(|_| DeskError::Interrupted)??;
    Ok((DeskHandle(handle), tokio::spawn(task.run(journal, inputs))))
}

/// Makes a turn durable, off the asynchronous threads.
async fn commit(mut journal: Journal) -> Result<Journal, DeskError> {
    if journal.is_clean() {
        return Ok(journal);
    }
    let committed = spawn_blocking(move || journal.commit(now_ms()).map(|()| journal)).await;
    Ok(committed.map_err(|_| DeskError::Interrupted)??)
}

impl DeskTask {
    /// Tells the desk what it knew when the process ended.
    fn recall(&mut self, journal: &Journal) -> Result<(), DeskError> {
        let (state, now_ms) = (self.ledger.state(), now_ms());
        let mut replay = self.desk.replay();
        let notes = journal.replay(now_ms, |note| replay.tell(note, &state, &*self.videos))?;
        let mut failed = None;
        replay.end(journal.refused_lately(now_ms)?, &state, |play| {
            settled(&self.ledger, &self.genesis, play).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                None
            })
        });
        self.finalized_at(self.ledger.height());
        if notes > 0 {
            tracing::info!(notes, open = self.desk.open_plays(), "the journal of plays was read");
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn run(mut self, mut journal: Journal, mut inputs: Inputs) -> Result<(), DeskError> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut replies = Vec::new();
            let mut news = false;
            tokio::select! {
                job = inputs.jobs.recv() => match job {
                    Some(job) => replies.push(job(&mut self.desk)),
                    None => return Ok(()),
                },
                Some(message) = inputs.incoming.recv() => self.hear(&message),
                block = inputs.blocks.recv() => match block {
                    Ok(block) => {
                        self.finalized(&block);
                        news = true;
                    }
                    // What was missed is in the ledger, where every question about a play looks first.
                    Err(broadcast::error::RecvError::Lagged(missed)) => tracing::warn!(missed, "the desk missed blocks"),
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
                _ = ticks.tick() => {
                    self.desk.tick(now_ms(), &self.ledger.state(), &*self.videos);
                    news = true;
                }
            }
            self.take_waiting(&mut journal, &mut inputs, &mut replies);
            journal = commit(journal).await?;
            self.carry();
            replies.into_iter().for_each(|reply| reply());
            if news {
                self.show();
            }
        }
    }

    /// Takes what else has come by now into the same turn.
    fn take_waiting(&mut self, journal: &mut Journal, inputs: &mut Inputs, replies: &mut Vec<Reply>) {
        for _ in 0..TURN_MAX {
            journal.append(self.desk.take_diary(now_ms()));
            if journal.is_full() {
                return;
            }
            if let Ok(job) = inputs.jobs.try_recv() {
                replies.push(job(&mut self.desk));
            } else if let Ok(message) = inputs.incoming.try_recv() {
                self.hear(&message);
            } else {
                return;
            }
        }
        journal.append(self.desk.take_diary(now_ms()));
    }

    fn hear(&mut self, message: &GossipMessage) {
        let GossipMessage { validator, ref bytes, .. } = *message;
        // The engine's committee is the genesis'.
        let Some(from) = self.genesis.validators.get(validator).map(|validator| validator.account) else { return };
        match ValidatorMessage::decode(bytes) {
            Some(message) => self.desk.hear(now_ms(), &from, message, &self.ledger.state(), &*self.videos),
            None => tracing::warn!(validator, bytes = bytes.len(), "a validator sent something that is no message"),
        }
    }

    fn finalized(&mut self, block: &FinalizedBlock) {
        self.finalized_at(block.height);
        if let Some(settlement) = &block.settlement {
            self.desk.settled(block.view.as_deref(), settlement);
        }
    }

    fn finalized_at(&mut self, height: u64) {
        // Play points count blocks in 32 bits: enough for 272 years of two-second blocks.
        self.desk.finalized(now_ms(), u32::try_from(height).unwrap_or(u32::MAX));
    }

    /// Shows proposers what is ready for a block.
    fn show(&mut self) {
        let payload = self.desk.payload(now_ms(), &self.ledger.state());
        *self.ready.0.write().unwrap_or_else(PoisonError::into_inner) = payload;
    }

    /// Sends what the desk has to say.
    fn carry(&mut self) {
        while let Some(message) = self.desk.poll() {
            if let Err(error) = self.gossip.send(Bytes::from(message.encode())) {
                tracing::warn!(%error, "a message to the other validators is lost");
            }
        }
    }
}
