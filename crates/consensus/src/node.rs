//! Starts a validator's consensus on a thread of its own, and stops it.
//!
//! ```text
//!  start ─▶ checks, folder ─▶ thread "consensus": runtime, engine ─▶ ended: asked to, or with an error
//!              │                                    ▲                    │
//!              └▶ ConsensusHandle ── stop ──────────┘     outcome ◀──────┘
//! ```
//!
//! Left out: validators that join or leave, and nodes that follow without voting.

pub use crate::startup::{Config, StartError};

use crate::{
    engine::{self, EngineError, Parts},
    finalizer::{Announcements, FinalizedBlock},
    gossip::{self, GossipReceiver, GossipSender},
    network::Addresses,
    payload::PayloadSource,
    startup,
};
use chainflix_chain::{execution::ExecutionLayer, ledger::ViewLedger};
use chainflix_primitives::BlockHash;
use commonware_runtime::{Runner as _, tokio::Runner};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};
use tokio::sync::{broadcast, watch};

/// Final blocks that may wait for one subscriber. One that falls further behind is told how many it missed, and reads
/// them from the ledger and the EVM.
const ANNOUNCEMENTS: usize = 1_024;

/// Threads that run the engine's tasks. Signatures, execution and disk have threads of their own.
const ENGINE_THREADS: usize = 2;

/// Why consensus ended although it was not asked to. The node must stop: what it serves no longer follows the chain.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsensusError {
    /// A part of it failed.
    #[error(transparent)]
    Engine(Arc<EngineError>),
    /// It met something that cannot be, or its disk failed.
    #[error("consensus panicked: {message}")]
    Panicked {
        /// The words of the panic.
        message: String,
    },
}

/// How consensus ended; `None` while it runs.
type Outcome = Option<Result<(), ConsensusError>>;

/// A running validator. Dropping it asks consensus to stop, without waiting.
pub struct ConsensusHandle {
    gossip: GossipSender,
    incoming: Mutex<Option<GossipReceiver>>,
    blocks: broadcast::Sender<FinalizedBlock>,
    latest: watch::Receiver<FinalizedBlock>,
    stop: watch::Sender<bool>,
    outcome: watch::Receiver<Outcome>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Starts a validator.
///
/// Stop it before the execution layer is shut down: a final block that finds it closed counts as an error.
///
/// # Errors
/// [`StartError`]. What goes wrong later, [`ConsensusHandle::ended`] tells.
pub fn start(
    config: Config,
    execution: ExecutionLayer,
    ledger: ViewLedger,
    payloads: Arc<dyn PayloadSource>,
) -> Result<ConsensusHandle, StartError> {
    let committee = startup::check(&config)?;
    let folder = startup::prepare_folder(&config, ledger.height())?;
    let (gossip, incoming, engine_gossip) = gossip::queues();
    let latest = watch::Sender::new(first_announcement(&execution));
    let blocks = broadcast::Sender::new(ANNOUNCEMENTS);
    let (stop, stopped) = watch::channel(false);
    let (end, outcome) = watch::channel(None);
    let handle_latest = latest.subscribe();
    let parts = Parts {
        committee: Arc::new(committee),
        key: config.consensus_key,
        addresses: Addresses { listen: config.listen, peers: config.peers },
        genesis_time_ms: config.genesis.genesis_time_ms,
        block_ms: config.genesis.params.block_ms,
        execution,
        ledger,
        payloads,
        gossip: engine_gossip,
        announcements: Announcements { latest, blocks: blocks.clone() },
    };
    let thread = std::thread::Builder::new()
        .name("consensus".to_owned())
        .spawn(move || {
            let result = run(folder, parts, stopped);
            if let Err(error) = &result {
                tracing::error!(error = error as &(dyn std::error::Error + 'static), "consensus ended");
            }
            end.send_replace(Some(result));
        })
        .map_err(StartError::Thread)?;
    let (incoming, thread) = (Mutex::new(Some(incoming)), Mutex::new(Some(thread)));
    Ok(ConsensusHandle { gossip, incoming, blocks, latest: handle_latest, stop, outcome, thread })
}

/// Runs the engine on this thread, until it ends.
fn run(folder: PathBuf, parts: Parts, mut stopped: watch::Receiver<bool>) -> Result<(), ConsensusError> {
    let config =
        commonware_runtime::tokio::Config::new().with_worker_threads(ENGINE_THREADS).with_storage_directory(folder);
    // A handle that is gone asks to stop, too.
    let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
    // commonware panics where it cannot go on, above all when its disk fails. Nothing of it is used afterwards.
    let ran = catch_unwind(AssertUnwindSafe(|| Runner::new(config).start(|context| engine::run(context, parts, stop))));
    match ran {
        Ok(outcome) => outcome.map_err(|error| ConsensusError::Engine(Arc::new(error))),
        Err(panic) => Err(ConsensusError::Panicked { message: words(&*panic) }),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message").to_owned()
}

/// What is latest until the archive is open: the newest block of the EVM.
fn first_announcement(execution: &ExecutionLayer) -> FinalizedBlock {
    let head = execution.head();
    let time_ms = head.timestamp.saturating_mul(1_000);
    FinalizedBlock { height: head.number, eth_hash: BlockHash(head.hash().0), time_ms, view: None, settlement: None }
}

impl ConsensusHandle {
    /// Says things to all other validators.
    pub fn gossip(&self) -> GossipSender {
        self.gossip.clone()
    }

    /// What the other validators say. There is one such queue: `None` from the second call on.
    pub fn take_incoming(&self) -> Option<GossipReceiver> {
        lock(&self.incoming).take()
    }

    /// Final blocks from now on, in order: each when this node's ledger and EVM hold it, and only those the ledger did
    /// not hold before. After a restart, read the ledger first.
    pub fn finalized(&self) -> broadcast::Receiver<FinalizedBlock> {
        self.blocks.subscribe()
    }

    /// The newest final block that this node's ledger and EVM hold. Until the archive is open, right after the start,
    /// its time is rounded to seconds and its view left out.
    pub fn latest(&self) -> FinalizedBlock {
        self.latest.borrow().clone()
    }

    /// Follows [`latest`](Self::latest). A slow subscriber misses blocks, never the newest.
    pub fn watch_latest(&self) -> watch::Receiver<FinalizedBlock> {
        self.latest.clone()
    }

    /// Waits until consensus has ended, for whatever reason, and says how.
    ///
    /// # Errors
    /// [`ConsensusError`] when nobody asked it to end: then the node has to stop.
    pub async fn ended(&self) -> Result<(), ConsensusError> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(result)) => result.clone(),
            // The thread sends its outcome before it ends, whatever happens; here it was killed from outside.
            Ok(None) | Err(_) => Err(ConsensusError::Panicked { message: "the thread is gone".to_owned() }),
        }
    }

    /// Asks consensus to stop, and does not wait.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the end and for everything consensus had under way: afterwards no file is open and no block is
    /// executed any more. Call [`stop`](Self::stop) before.
    ///
    /// # Errors
    /// As [`ended`](Self::ended).
    pub async fn join(&self) -> Result<(), ConsensusError> {
        let result = self.ended().await;
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            // It has sent its outcome, which is the last thing it does, and it catches panics.
            let _ = thread.join();
        }
        result
    }
}

impl Drop for ConsensusHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

/// These are only ever replaced as a whole, so a panic elsewhere leaves them good.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
