//! The controllers and providers, as who watches asks them.
//!
//! ```text
//! first ── refuses for now, fails, or is silent for a second ──▶ next ── … ──▶ the first grant counts
//!   └────────────── may answer yet ─────────────────────────────────────────────────────▲
//! ```
//!
//! A provider that was killed is named for some seconds yet. Who is asked for the first time and does not begin is left after
//! three, for another one; where nobody else has the cell it is asked again, with all the time that a bad line takes.
//!
//! Who answered last is asked first. So one controller of several that dies costs a viewer a second, once. A validator
//! draws the source whoever is asked: a second question wins a viewer nothing that it could not have by asking again.

use crate::config::ControllerAt;
use chainflix_gateway::NetworkError;
use chainflix_overlay::{
    CellStream, DialError, Dialer, FetchError,
    control::{ControlError, ControlRefusal, find_source},
    fetch_cell,
};
use chainflix_primitives::{Grant, GrantRequest, NodeId, Signed};
use futures::{
    future::FutureExt as _,
    stream::{FuturesUnordered, StreamExt as _},
};
use std::{
    collections::BTreeSet,
    future::Future,
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::timeout;

/// Time after which what nobody holds, or nobody has room for, is worth asking again.
const RETRY_MS: u64 = 1_000;
/// How long a controller may be silent before the next one is asked as well: a viewer's first picture waits for it. A draw takes
/// tens of milliseconds and three round trips; whoever lives farther away than that is given two grants, and uses one.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a provider may take to begin, the first time: some round trips, and a lost packet or two.
const BEGIN_PATIENCE: Duration = Duration::from_secs(3);
/// Most providers that are known to be slow; beyond that all are new again.
const SLOW_MAX: usize = 1_024;

/// The controllers and providers, over the overlay.
pub(crate) struct Peers {
    dialer: Dialer,
    controllers: Vec<NodeId>,
    /// Number of the controller that answered last.
    answered: AtomicUsize,
    /// Providers that did not begin in time, and have all the time they need when they are asked again.
    slow: Mutex<BTreeSet<NodeId>>,
}

impl Peers {
    pub fn new(dialer: Dialer, controllers: &[ControllerAt]) -> Self {
        let controllers = controllers.iter().map(|controller| controller.node).collect();
        Self { dialer, controllers, answered: AtomicUsize::new(0), slow: Mutex::default() }
    }

    /// Asks the controllers in turn for a grant.
    pub async fn find(&self, request: &Signed<GrantRequest>) -> Result<Signed<Grant>, NetworkError> {
        let first = self.answered.load(Relaxed);
        let numbers = (0..self.controllers.len()).map(|number| (first + number) % self.controllers.len());
        let asked = numbers.map(|number| {
            let answer = find_source(&self.dialer, self.controllers[number], request.clone());
            answer.map(move |answer| answer.map(|source| (number, source.grant)).map_err(failed))
        });
        let none = || NetworkError::Controller(io::Error::other("no controller is configured").into());
        let (number, grant) = in_turn(asked, PATIENCE).await.map_err(|error| error.unwrap_or_else(none))?;
        self.answered.store(number, Relaxed);
        Ok(grant)
    }

    /// Opens the delivery that a grant permits.
    pub async fn fetch(&self, grant: &Signed<Grant>) -> Result<CellStream, FetchError> {
        let node = grant.body.provider_node;
        let opened = fetch_cell(&self.dialer, grant, grant.body.from_byte);
        first_time_in_haste(&self.slow, node, opened).await.unwrap_or_else(|| {
            let after_ms = u64::try_from(BEGIN_PATIENCE.as_millis()).unwrap_or(u64::MAX);
            Err(DialError::Timeout { node, after_ms }.into())
        })
    }
}

/// Waits for a provider to begin; `None` where it did not in time, and was not slow before.
async fn first_time_in_haste<T>(
    slow: &Mutex<BTreeSet<NodeId>>,
    node: NodeId,
    opened: impl Future<Output = T>,
) -> Option<T> {
    // The set is whole after every step, so a panic elsewhere does not spoil it.
    let known = || slow.lock().unwrap_or_else(PoisonError::into_inner);
    let was_slow = known().remove(&node);
    if was_slow {
        return Some(opened.await);
    }
    let opened = timeout(BEGIN_PATIENCE, opened).await.ok();
    if opened.is_none() {
        let mut known = known();
        if known.len() >= SLOW_MAX {
            known.clear();
        }
        known.insert(node);
    }
    opened
}

/// Asks one after the other: the next one when none before has answered well within `patience`. What was asked is not taken
/// back before the first good answer. Without one the error is a refusal rather than a silence; `None` where nobody was asked.
async fn in_turn<T, F>(asked: impl IntoIterator<Item = F>, patience: Duration) -> Result<T, Option<NetworkError>>
where
    F: Future<Output = Result<T, NetworkError>>,
{
    let (mut left, mut waiting, mut missed) = (asked.into_iter(), FuturesUnordered::new(), None);
    loop {
        let next = left.next();
        let last = next.is_none();
        waiting.extend(next);
        // With nobody left to ask, and nobody who refused, only those that are silent can say why.
        let answer = match (last, &missed) {
            (true, None | Some(NetworkError::Controller(_))) => waiting.next().await,
            _ => match timeout(patience, waiting.next()).await {
                Ok(answer) => answer,
                Err(_) if last => return Err(missed),
                Err(_) => continue,
            },
        };
        missed = match answer {
            Some(Ok(good)) => return Ok(good),
            Some(Err(error)) if is_final(&error) => return Err(Some(error)),
            Some(Err(error)) => {
                Some(missed.filter(|known| matches!(known, NetworkError::Refused { .. })).unwrap_or(error))
            }
            None if last => return Err(missed),
            None => missed,
        };
    }
}

/// Whether no other controller would say anything else: what is worth asking again is worth asking another.
fn is_final(error: &NetworkError) -> bool {
    matches!(error, NetworkError::Refused { retry_ms: None, .. })
}

fn failed(error: ControlError) -> NetworkError {
    match error {
        ControlError::Refused { refusal, .. } => refused(&refusal),
        error => NetworkError::Controller(Box::new(error)),
    }
}

fn refused(refusal: &ControlRefusal) -> NetworkError {
    let (code, retry_ms) = match refusal {
        ControlRefusal::Validator { code, .. } => (code.as_str(), (code == "no-source").then_some(RETRY_MS)),
        ControlRefusal::NoSource => ("no-source", Some(RETRY_MS)),
        ControlRefusal::ValidatorSilent => ("validator-silent", Some(RETRY_MS)),
        ControlRefusal::Busy => ("busy", Some(RETRY_MS)),
        ControlRefusal::UnknownCell => ("unknown-cell", None),
        _ => ("controller-refused", None),
    };
    let message = match refusal {
        ControlRefusal::Validator { message, .. } => message.clone(),
        other => other.to_string(),
    };
    NetworkError::Refused { code: code.to_owned(), message, retry_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::BoxFuture;
    use tokio::time::{Instant, sleep};

    type Asked = BoxFuture<'static, Result<u8, NetworkError>>;

    fn after(seconds: u64, answer: Result<u8, NetworkError>) -> Asked {
        async move {
            sleep(Duration::from_secs(seconds)).await;
            answer
        }
        .boxed()
    }

    fn busy() -> NetworkError {
        refused(&ControlRefusal::Busy)
    }

    fn silent() -> NetworkError {
        NetworkError::Controller(io::Error::other("gone").into())
    }

    /// What came of it, and after how many seconds.
    async fn ask(asked: Vec<Asked>) -> (Result<u8, Option<NetworkError>>, u64) {
        let begun = Instant::now();
        (in_turn(asked, PATIENCE).await, begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_controller_costs_a_second_and_a_busy_one_nothing() {
        let (answer, seconds) = ask(vec![after(0, Ok(1)), after(0, Ok(2))]).await;
        assert!(matches!((answer, seconds), (Ok(1), 0)), "who answers is asked alone");
        let (answer, seconds) = ask(vec![after(90, Ok(1)), after(0, Ok(2))]).await;
        assert!(matches!((answer, seconds), (Ok(2), 1)));
        let (answer, seconds) = ask(vec![after(0, Err(busy())), after(0, Err(silent())), after(0, Ok(3))]).await;
        assert!(matches!((answer, seconds), (Ok(3), 0)));
        let (answer, seconds) = ask(vec![after(4, Ok(1)), after(90, Ok(2))]).await;
        assert!(matches!((answer, seconds), (Ok(1), 4)), "who is slow may answer yet");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_begin_is_left_soon_and_has_its_time_when_it_is_asked_again() {
        let slow = Mutex::default();
        let ask = async |node: u8, seconds| {
            let begun = Instant::now();
            let opened = async {
                sleep(Duration::from_secs(seconds)).await;
                node
            };
            (first_time_in_haste(&slow, NodeId([node; 32]), opened).await, begun.elapsed().as_secs())
        };
        assert_eq!(ask(1, 2).await, (Some(1), 2));
        assert_eq!(ask(2, 7).await, (None, 3));
        assert_eq!(ask(1, 2).await, (Some(1), 2));
        assert_eq!(ask(2, 7).await, (Some(2), 7), "nobody else had it");
        assert_eq!(ask(2, 7).await, (None, 3), "it may have died since");
        for node in 0..=SLOW_MAX {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&(node as u64).to_le_bytes());
            first_time_in_haste(&slow, NodeId(name), std::future::pending::<()>()).await;
        }
        assert!(slow.lock().unwrap().len() <= SLOW_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_for_good_ends_it_and_one_for_now_is_what_is_told() {
        let unknown = || after(0, Err(refused(&ControlRefusal::UnknownCell)));
        let code = |answer: Result<u8, Option<NetworkError>>| match answer {
            Err(Some(NetworkError::Refused { code, .. })) => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(ask(vec![unknown(), after(0, Ok(2))]).await.0), "unknown-cell");
        for asked in [[after(0, Err(busy())), after(90, Ok(2))], [after(90, Ok(1)), after(0, Err(busy()))]] {
            let (answer, seconds) = ask(asked.into()).await;
            assert_eq!((code(answer).as_str(), seconds), ("busy", 2), "the silent one is not waited for any longer");
        }
        assert!(matches!(ask(vec![after(8, Err(silent()))]).await, (Err(Some(NetworkError::Controller(_))), 8)));
        assert!(matches!(ask(Vec::new()).await, (Err(None), 0)));
    }
}
