//! Keeps the registry informed of what the chain knows: the seed of the minute, films with their cells, registered providers.
//!
//! ```text
//! every few seconds ─▶ seed ─▶ registry
//! every minute ─▶ who is registered ─▶ registry
//!                      films after the last one known ─▶ those that wait ─ manifest? ─yes─▶ registry
//!                                                              ▲──────────── not yet ─┘
//! ```
//!
//! Until a film is read its cells are kept as cells that no film has. Bounded: of more than [`WAITING_MAX`] films without a
//! manifest the oldest is given up.

use crate::{
    authority::{Authority, AuthorityError},
    registry::Registry,
};
use chainflix_primitives::Magnet;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{debug, warn};

/// Films that wait for their manifest.
const WAITING_MAX: usize = 4_096;
/// Time between two readings of who is registered: the list is whole.
const REGISTERED_EVERY: Duration = Duration::from_secs(60);
/// Manifests that are asked for in one round: more than a page of films, so that the queue gets shorter.
const ROUND_MAX: usize = 256;

pub(crate) struct Watcher {
    pub registry: Registry,
    pub authority: Arc<dyn Authority>,
}

#[derive(Default)]
struct Known {
    films: u64,
    waiting: VecDeque<Magnet>,
    /// When the list of registered providers was read last.
    registered_at: Option<Instant>,
}

impl Watcher {
    /// Runs until it is aborted.
    pub(crate) async fn run(self, every: Duration) {
        let (mut known, mut silent, mut more) = (Known::default(), false, false);
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if !more {
                ticks.tick().await;
            }
            let looked = self.look(&mut known).await;
            match &looked {
                Err(error) if !silent => warn!(%error, "the chain is not heard"),
                Err(error) => debug!(%error, "the chain is still not heard"),
                Ok(_) => {}
            }
            silent = looked.is_err();
            more = looked.is_ok_and(|more| more);
        }
    }

    /// Looks once; says whether there is more to read.
    async fn look(&self, known: &mut Known) -> Result<bool, AuthorityError> {
        let seed = self.authority.seed().await?;
        // A registry that stopped needs no seed; this task is aborted with it.
        let _ = self.registry.step(move |state, _| state.seed = Some(seed)).await;
        let new = self.authority.films(known.films).await?;
        let more = !new.is_empty();
        known.films += new.len() as u64;
        known.waiting.extend(new);
        let beyond = known.waiting.len().saturating_sub(WAITING_MAX);
        known.waiting.drain(..beyond).for_each(|magnet| warn!(%magnet, "a film without a manifest is given up"));
        for _ in 0..known.waiting.len().min(ROUND_MAX) {
            let Some(magnet) = known.waiting.front().copied() else { break };
            let film = self.authority.film(magnet).await?;
            known.waiting.pop_front();
            match film {
                Some(film) => _ = self.registry.step(move |state, now_ms| state.census.film(&film, now_ms)).await,
                None => known.waiting.push_back(magnet),
            }
        }
        // Last: whoever cannot have the list still knows the films.
        if known.registered_at.is_none_or(|at| at.elapsed() >= REGISTERED_EVERY) {
            let nodes = self.authority.providers().await?;
            let _ = self.registry.step(move |state, now_ms| state.census.registered(nodes, now_ms)).await;
            known.registered_at = Some(Instant::now());
        }
        Ok(more)
    }
}
