//! Takes final blocks, in order, into the ledger and the EVM, and tells everybody.
//!
//! ```text
//!  marshal (archive, synced) ──▶ ledger.commit (synced) ──▶ EVM import, finalize ──▶ acknowledge ──▶ FinalizedBlock
//!        ▲                                                                                 │
//!        └──────────────── delivered again after a crash, unless acknowledged ◀────────────┘
//! ```
//!
//! **Recovery.** Marshal keeps every block but delivers again only what was not acknowledged, and the EVM's store, which
//! is never synced, may have lost more. So at start, blocks are read from the archive from where the lower of the two
//! stores ends; both skip what they already have.
//!
//! **No way back.** A final block that the ledger or the EVM refuses means that this node or the whole chain is broken.
//! The finaliser ends with an error, the node stops, and nothing after that block is believed.

use crate::{application::Archive, block::Block};
use chainflix_chain::{
    MovesError,
    execution::{self, ExecutionLayer, ImportError},
    ledger::{LedgerError, Settlement, ViewLedger},
    provider_moves,
};
use chainflix_primitives::{BlockHash, ViewPayload};
use commonware_actor::Feedback;
use commonware_consensus::{Reporter, marshal::Update, types::Height};
use commonware_cryptography::Digested;
use commonware_runtime::signal::Signal;
use commonware_utils::{Acknowledgement as _, acknowledgement::Exact};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, watch};

/// Blocks that marshal hands over before the first of them is acknowledged.
pub(crate) const DELIVERIES_MAX: usize = 16;

/// A block that can no longer be undone, and that this node's ledger and EVM hold.
#[derive(Clone, Debug)]
pub struct FinalizedBlock {
    /// Position in the chain, and number of the Ethereum block.
    pub height: u64,
    /// Hash of the Ethereum block.
    pub eth_hash: BlockHash,
    /// The proposer's clock, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The votes on views that it carries, if any.
    pub view: Option<Arc<ViewPayload>>,
    /// What the block did to the ledger, where it did anything: also a block without a view may draw audits or pay. `None`
    /// for a block that the ledger held before this start.
    pub settlement: Option<Arc<Settlement>>,
}

impl FinalizedBlock {
    fn of(block: &Block, settlement: Option<Arc<Settlement>>) -> Self {
        let Block { height, time_ms, ref view, .. } = *block;
        let settlement = settlement.filter(|settlement| !settlement.is_empty());
        Self { height: height.get(), eth_hash: block.hash(), time_ms, view: view.clone(), settlement }
    }
}

/// Why a final block could not be taken in. The node stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FinalizeError {
    /// The ledger cannot hold it.
    #[error("final block {height} is not taken by the view ledger")]
    Ledger {
        /// Its height.
        height: u64,
        /// Why.
        #[source]
        source: LedgerError,
    },
    /// What the registry said before it is not known.
    #[error("the registry's events before final block {height} cannot be had")]
    Moves {
        /// Its height.
        height: u64,
        /// Why.
        #[source]
        source: MovesError,
    },
    /// It does not execute.
    #[error("final block {height} does not execute")]
    Import {
        /// Its height.
        height: u64,
        /// Why.
        #[source]
        source: ImportError,
    },
    /// It does not become the EVM's head.
    #[error("final block {height} does not become Ethereum's head")]
    Head {
        /// Its height.
        height: u64,
        /// Why.
        #[source]
        source: execution::FinalizeError,
    },
    /// The stores know blocks that the archive lacks: the consensus folder was lost or replaced.
    #[error("block {height} is missing from the consensus archive, although this node has committed it before")]
    ArchiveHole {
        /// The first height that is missing.
        height: u64,
    },
    /// The runtime is going down.
    #[error("committing final block {height} was interrupted")]
    Interrupted {
        /// Its height.
        height: u64,
    },
}

/// How far the finaliser is: the height up to which both ledger and EVM are.
#[derive(Clone)]
pub(crate) struct Progress(watch::Receiver<u64>);

impl Progress {
    pub(crate) fn height(&self) -> u64 {
        *self.0.borrow()
    }

    /// Waits until `height` is reached; for ever when the finaliser ends before.
    pub(crate) async fn reach(&self, height: u64) {
        if self.0.clone().wait_for(|done| *done >= height).await.is_err() {
            std::future::pending().await
        }
    }
}

type Delivery = (Digested<Block>, Exact);

/// Marshal's end of the line. It must not wait, so it only passes on; the acknowledgement carries the back-pressure.
#[derive(Clone)]
pub(crate) struct Deliveries(mpsc::Sender<Delivery>);

impl Reporter for Deliveries {
    type Activity = Update<Block>;

    fn report(&mut self, update: Update<Block>) -> Feedback {
        let Update::Block(block, acknowledgement) = update else { return Feedback::Ok };
        // There is a place for every block that may be unacknowledged, so this fails only when the finaliser has ended.
        // Dropping the acknowledgement then stops marshal, too.
        if self.0.try_send((block, acknowledgement)).is_err() {
            tracing::debug!("a final block came after the end");
        }
        Feedback::Ok
    }
}

/// Where the finaliser tells what it has done.
pub(crate) struct Announcements {
    pub latest: watch::Sender<FinalizedBlock>,
    pub blocks: broadcast::Sender<FinalizedBlock>,
}

pub(crate) struct Finalizer {
    execution: ExecutionLayer,
    ledger: ViewLedger,
    done: watch::Sender<u64>,
    deliveries: mpsc::Receiver<Delivery>,
    announcements: Announcements,
}

impl Finalizer {
    /// Starts where the stores end.
    pub(crate) fn new(
        execution: ExecutionLayer,
        ledger: ViewLedger,
        announcements: Announcements,
    ) -> (Self, Deliveries, Progress) {
        let (sender, deliveries) = mpsc::channel(DELIVERIES_MAX);
        let (done, progress) = watch::channel(ledger.height().min(execution.height()));
        (Self { execution, ledger, done, deliveries, announcements }, Deliveries(sender), Progress(progress))
    }

    /// Catches up, then takes what marshal delivers, until it is asked to stop or marshal ends. A block that was begun is
    /// finished first.
    pub(crate) async fn run(mut self, archive: Archive, mut stopped: Signal) -> Result<(), FinalizeError> {
        if self.catch_up(&archive, &mut stopped).await? == Asked::ToStop {
            return Ok(());
        }
        while let Some(Some((block, acknowledgement))) = unless(&mut stopped, self.deliveries.recv()).await {
            let taken = self.take(block.inner()).await?;
            // Only now may marshal forget that this node has to see the block.
            acknowledgement.acknowledge();
            self.announce(taken);
        }
        Ok(())
    }

    async fn catch_up(&self, archive: &Archive, stopped: &mut Signal) -> Result<Asked, FinalizeError> {
        let first = *self.done.borrow();
        if let Some(block) = archive.get_block(Height::new(first)).await {
            self.announcements.latest.send_replace(FinalizedBlock::of(block.inner(), None));
        }
        let mut height = first;
        loop {
            let found = unless(stopped, archive.get_block(Height::new(height + 1))).await;
            let Some(found) = found else { return Ok(Asked::ToStop) };
            let Some(block) = found else { break };
            let taken = self.take(block.inner()).await?;
            self.announce(taken);
            height += 1;
        }
        if height < self.ledger.height().max(self.execution.height()) {
            return Err(FinalizeError::ArchiveHole { height: height + 1 });
        }
        if height > first {
            tracing::info!(first = first + 1, last = height, "caught up from the archive");
        }
        Ok(Asked::Nothing)
    }

    /// Takes a block into both stores. Answers what is to be announced, which is nothing for one that came before.
    async fn take(&self, block: &Block) -> Result<Option<Taken>, FinalizeError> {
        let height = block.height.get();
        if height <= *self.done.borrow() {
            return Ok(None);
        }
        let new = height > self.ledger.height();
        let settlement = if new { self.commit(block).await? } else { None };
        let ethereum = &block.ethereum;
        // Blocks this node did not vote on, because it was down or slow, were not executed before.
        let imported = self.execution.import(ethereum.clone()).await;
        imported.map_err(|source| FinalizeError::Import { height, source })?;
        let moved = self.execution.finalize(ethereum).await;
        moved.map_err(|source| FinalizeError::Head { height, source })?;
        self.done.send_replace(height);
        Ok(Some(Taken { block: FinalizedBlock::of(block, settlement), new }))
    }

    /// Writes and syncs, so it runs off the async threads.
    async fn commit(&self, block: &Block) -> Result<Option<Arc<Settlement>>, FinalizeError> {
        let (hash, height) = (block.hash(), block.height.get());
        // The parent was taken before, so the EVM has it.
        let moves = provider_moves(&self.execution, block.ethereum.header.parent_hash).await;
        let place = block.place(moves.map_err(|source| FinalizeError::Moves { height, source })?);
        let (ledger, view) = (self.ledger.clone(), block.view.clone());
        let commit = tokio::task::spawn_blocking(move || ledger.commit(&place, hash, view.as_ref()));
        match commit.await {
            Ok(committed) => committed.map_err(|source| FinalizeError::Ledger { height, source }),
            Err(_) => Err(FinalizeError::Interrupted { height }),
        }
    }

    fn announce(&self, taken: Option<Taken>) {
        let Some(Taken { block, new }) = taken else { return };
        tracing::debug!(height = block.height, view = block.view.is_some(), "final");
        self.announcements.latest.send_replace(block.clone());
        if new {
            // Without subscribers there is nobody to tell.
            let _ = self.announcements.blocks.send(block);
        }
    }
}

/// Whether somebody wants the node to stop.
#[derive(PartialEq, Eq)]
enum Asked {
    Nothing,
    ToStop,
}

/// What `work` answers, unless the node stops before. The signal must not be asked again after that.
async fn unless<T>(stopped: &mut Signal, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        _ = stopped => None,
        done = work => Some(done),
    }
}

/// A block that both stores hold now.
struct Taken {
    block: FinalizedBlock,
    /// Whether the ledger has seen it for the first time; otherwise only the EVM had lost it.
    new: bool,
}
