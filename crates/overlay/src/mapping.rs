//! Asks the home router to open a port, and shows the opened one to peers for as long as it is open.
//!
//! ```text
//! now and then ─▶ what does the router speak? ─▶ PCP, else NAT-PMP, else UPnP: open our port; renewed at half its time
//! the open port comes, changes, goes ─▶ the endpoint's addresses ─▶ published as all the others
//! ```
//!
//! iroh's own port mapping is left off: 1.4 never asks what the router speaks, and without an answer only UPnP is tried.
//! Left out: IPv6, where routers open ports by other means, and UDP sockets other than the endpoint's first.

use iroh::Endpoint;
use portmapper::Client;
use std::{
    net::{SocketAddr, SocketAddrV4},
    num::NonZeroU16,
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{debug, info};

/// Pause between two attempts while no port is open: a router may be switched on later than we are.
const ASK: Duration = Duration::from_secs(30);
/// How long the router may take to hear that the port is needed no more.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

/// A port of the home router, kept open. Dropping it leaves the port to its lease; [`Self::release`] gives it back.
pub(crate) struct PortMapping {
    client: Client,
    task: JoinHandle<()>,
}

impl PortMapping {
    /// Starts to ask for the port of the endpoint's IPv4 socket; `None` where it has none.
    pub(crate) fn start(endpoint: &Endpoint) -> Option<Self> {
        let socket = endpoint.bound_sockets().into_iter().find(SocketAddr::is_ipv4)?;
        let port = NonZeroU16::new(socket.port())?;
        let client = Client::default();
        let task = tokio::spawn(keep(client.clone(), endpoint.clone(), port));
        Some(Self { client, task })
    }

    /// Gives the port back.
    pub(crate) async fn release(self) {
        self.task.abort();
        self.client.deactivate();
        // Requests are served in order: once this one is answered the router was told.
        let _too_late = timeout(RELEASE_PATIENCE, self.client.probe()).await;
    }
}

impl Drop for PortMapping {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(client: Client, endpoint: Endpoint, port: NonZeroU16) {
    let mut opened = client.watch_external_address();
    let mut shown = None;
    let mut asks = interval(ASK);
    asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = asks.tick() => ask(&client, port).await,
            changed = opened.changed() => match changed {
                Ok(()) => show(&endpoint, &mut shown, &mut opened).await,
                Err(_) => return,
            },
        }
    }
}

/// Asks for the port unless it is open.
async fn ask(client: &Client, port: NonZeroU16) {
    match client.probe().await {
        Ok(Ok(speaks)) => debug!(%speaks, "the home router answered"),
        Ok(Err(error)) => debug!(%error, "no home router answers"),
        Err(_) => return,
    }
    // Does nothing where the port is open.
    client.update_local_port(port);
}

async fn show(endpoint: &Endpoint, shown: &mut Option<SocketAddr>, opened: &mut watch::Receiver<Option<SocketAddrV4>>) {
    let now = opened.borrow_and_update().map(SocketAddr::V4);
    if now == *shown {
        return;
    }
    if let Some(old) = shown.take() {
        info!(address = %old, "the home router closed the port");
        endpoint.remove_external_addr(&old).await;
    }
    if let Some(new) = now {
        info!(address = %new, "the home router opened a port");
        endpoint.add_external_addr(new).await;
    }
    *shown = now;
}
