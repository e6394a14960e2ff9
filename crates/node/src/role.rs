//! Runs one role until it is told to stop.

use crate::{config::RoleConfig, controller, gateway, provider, relay, validator};
use anyhow::Result;
use std::io;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Tells every task of a process that it is time to stop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// Asks for the stop. Dropping it asks too.
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<bool>);

impl ShutdownTrigger {
    /// Asks everything to stop.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// A stop that somebody asks for by hand.
    pub fn by_hand() -> (ShutdownTrigger, Self) {
        let (trigger, shutdown) = watch::channel(false);
        (ShutdownTrigger(trigger), Self(shutdown))
    }

    /// A stop that Ctrl-C or SIGTERM asks for. Needs a tokio runtime; the task that listens ends with the runtime.
    pub fn on_signals() -> io::Result<Self> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (trigger, shutdown) = Self::by_hand();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            trigger.request();
        });
        Ok(shutdown)
    }

    /// Waits until the stop is asked for; at once if it was.
    pub async fn requested(&mut self) {
        // A trigger that is gone asks too.
        let _gone = self.0.wait_for(|asked| *asked).await;
    }
}

/// Runs a role until `shutdown`, or until it cannot go on.
pub async fn run(config: RoleConfig, shutdown: Shutdown) -> Result<()> {
    match config {
        RoleConfig::Validator(config) => validator::run(config, shutdown).await,
        RoleConfig::Relay(config) => relay::run(config, shutdown).await,
        RoleConfig::Controller(config) => controller::run(config, shutdown).await,
        RoleConfig::Provider(config) => provider::run(config, shutdown).await,
        RoleConfig::Gateway(config) => gateway::run(config, shutdown).await,
    }
}
