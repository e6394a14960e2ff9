//! Passes on to the other controllers what providers tell this one, so that a provider that reaches one is known to all.
//!
//! ```text
//! provider ── tell ──▶ serve ── wanted there? ──▶ lane ──▶ other controller
//!     ▲                  │                                      │ taken, heard, unknown
//!     └── announce again ┴── lacks it? ◀── Wants ◀──────────────┘
//! ```
//!
//! Nothing is kept to be passed on: a controller that lacks an announcement gets the next one whole, which the provider is asked
//! for. Words go one hop and one after the other for each provider; [`LANES`] providers' go at a time. Where a lane stays full
//! for two seconds the provider goes on without it, and the words count as lost. How many viewers there are goes another way
//! ([`counts`]). Left out: what viewers share, which they tell every controller themselves.

pub(crate) mod counts;
mod wants;

use chainflix_overlay::{
    Clock, Dialer,
    control::{ControlError, Heed, PassedOn, ProviderWords, Told, pass_on},
};
use chainflix_primitives::NodeId;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tracing::{debug, info};
use wants::{Answer, Wants};

/// Words that are on their way to one controller at a time.
const LANES: usize = 16;
/// Words that wait in one lane; a page is 41 kB.
const LANE_WORDS: usize = 16;
/// How long a provider waits for room in lanes.
const ROOM_PATIENCE: Duration = Duration::from_secs(2);

/// The ways to all other controllers.
pub(crate) struct Gossip {
    others: Vec<Other>,
    clock: Clock,
}

struct Other {
    wants: SharedWants,
    lanes: Vec<mpsc::Sender<PassedOn>>,
}

#[derive(Clone, Default)]
struct SharedWants(Arc<Mutex<Wants>>);

impl SharedWants {
    fn look(&self) -> MutexGuard<'_, Wants> {
        // Every step leaves it whole, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gossip {
    /// Starts the lanes to `others` among `tasks`.
    pub fn start(others: &[NodeId], dialer: &Dialer, clock: Clock, tasks: &mut JoinSet<()>) -> Self {
        let other = |node: &NodeId| {
            let wants = SharedWants::default();
            let lane = |_| {
                let (words, waiting) = mpsc::channel(LANE_WORDS);
                let lane = Lane { to: *node, dialer: dialer.clone(), wants: wants.clone(), clock: clock.clone() };
                tasks.spawn(lane.run(waiting));
                words
            };
            let lanes = (0..LANES).map(lane).collect();
            Other { wants, lanes }
        };
        let others = others.iter().map(other).collect();
        Self { others, clock }
    }

    /// Whether there is anybody to pass anything on to.
    pub fn is_needed(&self) -> bool {
        !self.others.is_empty()
    }

    /// Passes on what a provider told. Says whether it shall announce itself again, because somebody lacks what came before.
    pub async fn pass(&self, passed: PassedOn) -> bool {
        let told = &passed.telling.body;
        let (is_heartbeat, mut again) = (matches!(told.words, ProviderWords::Heartbeat(_)), false);
        let deadline = Instant::now() + ROOM_PATIENCE;
        for other in &self.others {
            let now_ms = self.clock.now_ms();
            if is_heartbeat && other.wants.look().wants_again(told, now_ms) {
                again = true;
            }
            if !other.wants.look().want(told, now_ms) {
                continue;
            }
            let Some(lane) = other.lanes.get(usize::from(told.node.0[0]) % LANES) else { continue };
            match is_heartbeat {
                // The next one says the same.
                true => drop(lane.try_send(passed.clone())),
                false if timeout_at(deadline, lane.send(passed.clone())).await.is_ok_and(|sent| sent.is_ok()) => {}
                false => other.wants.look().answered(&told.node, told.words.sequence(), Answer::Lacking, now_ms),
            }
        }
        again
    }
}

/// One of the ways to another controller.
struct Lane {
    to: NodeId,
    dialer: Dialer,
    wants: SharedWants,
    clock: Clock,
}

impl Lane {
    /// Passes on what waits until nobody can say anything any more.
    async fn run(self, mut waiting: mpsc::Receiver<PassedOn>) {
        while let Some(passed) = waiting.recv().await {
            if self.wants.look().still_want(&passed.telling.body, self.clock.now_ms()) {
                self.pass(passed).await;
            }
        }
    }

    async fn pass(&self, passed: PassedOn) {
        let Told { node, words, .. } = &passed.telling.body;
        let (node, sequence) = (*node, words.sequence());
        let answered = pass_on(&self.dialer, self.to, passed).await;
        let answer = match &answered {
            Ok(Heed::Taken) => Answer::Taken,
            Ok(Heed::Lacking) => Answer::Lacking,
            Ok(Heed::Needless) => Answer::Needless,
            Err(ControlError::Refused { refusal, .. }) => {
                info!(provider = %node, controller = %self.to, %refusal, "words that were passed on are not taken");
                Answer::Refused
            }
            Err(error) => {
                debug!(controller = %self.to, %error, "another controller cannot be told");
                // If it lacks these words it says so to the next ones.
                self.wants.look().is_down(self.clock.now_ms());
                return;
            }
        };
        self.wants.look().answered(&node, sequence, answer, self.clock.now_ms());
    }
}
