//! The controller role of one process.

use crate::{
    authority::Authority,
    census::{CensusConfig, CensusStatus},
    copy,
    registry::Registry,
    serve::ControlProtocol,
};
use chainflix_overlay::{Clock, Dialer, Protocol};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinHandle};

/// How a controller works.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// Copies, patience with providers, tables.
    pub census: CensusConfig,
    /// Uploads at a time; more are told to come back.
    pub uploads_max: usize,
    /// Requests for a source at a time; more are told to come back.
    pub sources_max: usize,
    /// Repairs at a time.
    pub repairs_max: usize,
    /// Time between looks at who is silent and what is short.
    pub repair_every: Duration,
    /// Judges silence and expiry.
    pub clock: Clock,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self {
            census: CensusConfig::default(),
            uploads_max: 16,
            sources_max: 1024,
            repairs_max: 4,
            repair_every: Duration::from_secs(2),
            clock: Clock::system(),
        }
    }
}

/// What a controller knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControllerStatus {
    /// Providers and cells.
    pub census: CensusStatus,
    /// Nodes whose addresses are known.
    pub addresses: usize,
}

/// A running controller. Dropping it stops its tasks; serving ends with the overlay's `Serving`.
pub struct Controller {
    protocol: Arc<ControlProtocol>,
    registry: JoinHandle<()>,
    repair: JoinHandle<()>,
}

impl Controller {
    /// Starts with an empty census; providers fill it.
    ///
    /// To be reached, hand [`Self::protocols`] to the overlay.
    pub fn start(config: ControllerConfig, dialer: Dialer, authority: Arc<dyn Authority>) -> Self {
        let (registry, task) = Registry::start(config.census, config.clock.clone());
        let repair = copy::repair(registry.clone(), dialer.clone(), config.repair_every, config.repairs_max);
        let protocol = Arc::new(ControlProtocol {
            registry,
            dialer,
            authority,
            copies: config.census.copies,
            uploads: Semaphore::new(config.uploads_max),
            sources: Semaphore::new(config.sources_max),
            clock: config.clock,
        });
        Self { protocol, registry: task, repair: tokio::spawn(repair) }
    }

    /// What the overlay has to serve for this role.
    pub fn protocols(&self) -> Vec<Arc<dyn Protocol>> {
        vec![self.protocol.clone()]
    }

    /// What it knows. All zeros once it stops.
    pub async fn status(&self) -> ControllerStatus {
        let look = self
            .protocol
            .registry
            .step(|state, _| ControllerStatus { census: state.census.status(), addresses: state.book.len() });
        look.await.unwrap_or_default()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.repair.abort();
        self.registry.abort();
    }
}
