//! The one task that owns census and address book.
//!
//! Everybody else sends it a step and waits for the result, so steps never interleave and nothing is locked. A step does
//! not wait and does no I/O. The mailbox is bounded: when it is full, who asks waits, and with it the peer it asks for.

use crate::{
    book::AddressBook,
    census::{Census, CensusConfig},
    memory::Remembered,
};
use chainflix_overlay::Clock;
use chainflix_primitives::{BlockHash, NodeId};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Steps that wait.
const MAILBOX: usize = 256;

#[derive(Debug)]
pub(crate) struct State {
    pub census: Census,
    pub book: AddressBook,
    /// The newest that the chain gave. Nothing is ordered before the first.
    pub seed: Option<BlockHash>,
}

impl State {
    /// By what is drawn for somebody who waits: where to upload to, and whom to name.
    pub fn draw(&self) -> BlockHash {
        // In its first moment a controller has heard no block; every place is as good as another then.
        self.seed.unwrap_or(BlockHash([0; 32]))
    }
}

type Step = Box<dyn FnOnce(&mut State, u64) + Send>;

/// Sends steps to the task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Registry(mpsc::Sender<Step>);

/// The registry has stopped: the controller is going down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the controller is stopping")]
pub(crate) struct Stopped;

impl Registry {
    /// Starts the task beside `others` and with what is known from before; it ends with the last sender, or when the handle is
    /// aborted.
    pub(crate) fn start(
        config: CensusConfig,
        others: &[NodeId],
        before: Remembered,
        clock: Clock,
    ) -> (Self, JoinHandle<()>) {
        let (steps, mut mailbox) = mpsc::channel::<Step>(MAILBOX);
        let mut state = State { census: Census::new(config, clock.now_ms()), book: AddressBook::default(), seed: None };
        state.census.beside(others);
        state.census.recall(before, clock.now_ms());
        let task = tokio::spawn(async move {
            while let Some(step) = mailbox.recv().await {
                step(&mut state, clock.now_ms());
            }
        });
        (Self(steps), task)
    }

    /// Takes one step; the second argument is the time, in milliseconds since the Unix epoch.
    pub(crate) async fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut State, u64) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        let step: Step = Box::new(move |state, now_ms| {
            // Who asked may have gone; what the step did stays done.
            let _ = answer.send(step(state, now_ms));
        });
        self.0.send(step).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }
}
