//! The controller role of one process.

use crate::{
    authority::Authority,
    census::{CensusConfig, CensusStatus},
    chain::Watcher,
    gossip::{Gossip, counts::CountTeller},
    memory::Memory,
    registry::Registry,
    serve::ControlProtocol,
    work::{AtATime, Worker},
};
use chainflix_overlay::{Clock, Dialer, Protocol};
use chainflix_primitives::NodeId;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};

/// How a controller works.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// Copies, patience with providers, trust, tables.
    pub census: CensusConfig,
    /// The network's other controllers: told what providers tell this one, and how many viewers it counts. Believed as far as
    /// providers signed it, and in how many viewers they count.
    pub others: Vec<NodeId>,
    /// Uploads at a time; more are told to come back.
    pub uploads_max: usize,
    /// Requests for a source at a time; more are told to come back.
    pub sources_max: usize,
    /// Copies that are made at a time, about.
    pub copies_max: usize,
    /// Stripes that are mended at a time; each takes a few MiB of memory.
    pub rebuilds_max: usize,
    /// Audits at a time.
    pub audits_max: usize,
    /// Time between looks at who is silent, what is short and what is too much.
    pub plan_every: Duration,
    /// Time between questions to the chain.
    pub chain_every: Duration,
    /// What outlives a restart, and where; `None` to forget everything.
    pub memory: Option<Memory>,
    /// Time between two writings of it.
    pub keep_every: Duration,
    /// Judges silence and expiry.
    pub clock: Clock,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self {
            census: CensusConfig::default(),
            others: Vec::new(),
            uploads_max: 16,
            sources_max: 1024,
            copies_max: 16,
            rebuilds_max: 2,
            audits_max: 64,
            plan_every: Duration::from_secs(2),
            chain_every: Duration::from_secs(5),
            memory: None,
            // At 100,000 providers that is 200 kB a second.
            keep_every: Duration::from_secs(300),
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

/// A running controller. Dropping it stops its tasks, as a kill would; [`Self::stop`] writes down first what it shall remember.
/// Serving ends with the overlay's `Serving`.
pub struct Controller {
    pub(crate) protocol: Arc<ControlProtocol>,
    registry: JoinHandle<()>,
    memory: Option<Memory>,
    tasks: JoinSet<()>,
}

impl Controller {
    /// Starts with an empty census, and with what was remembered; providers fill it.
    ///
    /// To be reached, hand [`Self::protocols`] to the overlay.
    pub fn start(config: ControllerConfig, dialer: Dialer, authority: Arc<dyn Authority>) -> Self {
        let mut memory = config.memory;
        let before = memory.as_mut().map(Memory::take).unwrap_or_default();
        let (registry, task) = Registry::start(config.census, &config.others, before, config.clock.clone());
        let mut tasks = JoinSet::new();
        if let Some(memory) = memory.clone() {
            tasks.spawn(memory.keep(registry.clone(), config.keep_every));
        }
        let most = AtATime { copies: config.copies_max, rebuilds: config.rebuilds_max, audits: config.audits_max };
        let worker = Worker { registry: registry.clone(), dialer: dialer.clone(), clock: config.clock.clone() };
        tasks.spawn(worker.run(config.plan_every, most));
        let watcher = Watcher { registry: registry.clone(), authority: authority.clone() };
        tasks.spawn(watcher.run(config.chain_every));
        if !config.others.is_empty() {
            let (registry, dialer, others) = (registry.clone(), dialer.clone(), config.others.clone());
            tasks.spawn(CountTeller { registry, dialer, others }.run(config.plan_every));
        }
        let gossip = Gossip::start(&config.others, &dialer, config.clock.clone(), &mut tasks);
        let protocol = Arc::new(ControlProtocol {
            registry,
            others: config.others,
            gossip,
            dialer,
            authority,
            copies: config.census.copies(),
            uploads: Semaphore::new(config.uploads_max),
            sources: Semaphore::new(config.sources_max),
            clock: config.clock,
        });
        Self { protocol, registry: task, memory, tasks }
    }

    /// Stops its tasks, and writes down what it shall remember.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        if let Some(memory) = &self.memory {
            memory.write(&self.protocol.registry).await;
        }
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
        self.registry.abort();
    }
}
