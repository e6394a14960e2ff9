//! Tells the other controllers once a minute how many viewers this one counts itself.
//!
//! ```text
//! every few seconds: a new count? ─▶ all others at once, ten seconds for each ─▶ the next look
//! ```
//!
//! Nothing waits and nothing is repeated: who does not take a count in time is told the next one. That nobody watches any more is
//! told once; whoever misses it forgets the last count by itself
//! ([`Census::watched`](crate::Census::watched)).

use crate::registry::Registry;
use chainflix_overlay::{
    Dialer,
    control::{Watched, tell_watched},
};
use chainflix_primitives::NodeId;
use futures::future::join_all;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::debug;

/// How long another controller may take for a count.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was told last. Of a controller that was here before others may still believe a count: so that there is nobody is told
/// at first, too.
#[derive(Debug, Default)]
struct Told {
    at_ms: u64,
    nobody: bool,
}

impl Told {
    /// Whether a new count says anything: again nobody does not.
    fn is_news(&mut self, count: &Watched) -> bool {
        self.at_ms = count.at_ms;
        let nobody = count.films.is_empty();
        !(std::mem::replace(&mut self.nobody, nobody) && nobody)
    }
}

pub(crate) struct CountTeller {
    pub registry: Registry,
    pub dialer: Dialer,
    pub others: Vec<NodeId>,
}

impl CountTeller {
    /// Looks every so often for a new count, until the registry stops.
    pub(crate) async fn run(self, every: Duration) {
        let mut told = Told::default();
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let told_ms = told.at_ms;
            let counted = self.registry.step(move |state, _| state.census.counted_after(told_ms)).await;
            let Ok(counted) = counted else { return };
            if let Some(count) = counted.filter(|count| told.is_news(count)) {
                self.tell(&count).await;
            }
        }
    }

    async fn tell(&self, count: &Watched) {
        let tell = |other: NodeId| async move {
            match timeout(PATIENCE, tell_watched(&self.dialer, other, count.clone())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(controller = %other, %error, "a count is not taken"),
                Err(_) => debug!(controller = %other, "a count is not taken in time"),
            }
        };
        join_all(self.others.iter().copied().map(tell)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_overlay::control::WatchedFilm;
    use chainflix_primitives::Magnet;

    #[test]
    fn that_nobody_watches_is_told_once_and_at_the_start() {
        let mut told = Told::default();
        let mut counted = |at_ms, viewers: &[u32]| {
            let films = viewers.iter().map(|viewers| WatchedFilm { magnet: Magnet([1; 32]), viewers: *viewers });
            (told.is_news(&Watched { at_ms, films: films.collect() }), told.at_ms)
        };
        assert_eq!([counted(1, &[]), counted(2, &[])], [(true, 1), (false, 2)]);
        assert_eq!([counted(3, &[5]), counted(4, &[5])], [(true, 3), (true, 4)], "it may be forgotten otherwise");
        assert_eq!([counted(5, &[]), counted(6, &[])], [(true, 5), (false, 6)]);
    }
}
