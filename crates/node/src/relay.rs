//! The relay role: the relay, and the chain as it asks it who is registered.
//!
//! Without an answer of the chain the relay goes on with what it knew, and with nothing where it just started: whoever is
//! registered is then served as a stranger. A network whose chain does not run yet starts so.

use crate::{config::RelayConfig, role::Shutdown};
use anyhow::Result;
use chainflix_overlay::{RelayServer, RelayServerConfig};
use chainflix_rpc::Client;
use std::{convert::Infallible, time::Duration};
use tokio::time::sleep;

/// Pause between questions who is registered.
const REGISTRY_PAUSE: Duration = Duration::from_secs(30);
/// Pause while no validator answers.
const REGISTRY_RETRY: Duration = Duration::from_secs(2);

pub(crate) async fn run(config: RelayConfig, mut shutdown: Shutdown) -> Result<()> {
    let limits = config.limits();
    let client = (!config.rpcs.is_empty()).then(|| Client::new(&config.rpcs)).transpose()?;
    let usual = RelayServerConfig::new(config.data, config.listen, config.host);
    let named = config.nodes.into_iter().collect();
    let relay = RelayServer::start(RelayServerConfig { named, limits, ..usual }).await?;
    tracing::info!(url = relay.info().url, "ready");
    let follow = async {
        match &client {
            Some(client) => follow_registry(client, &relay).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = shutdown.requested() => {}
        never = follow => match never {},
    }
    let (connections, totals) = (relay.connections(), relay.totals());
    tracing::info!(connections, relayed_bytes = relay.relayed_bytes(), ?totals, "stopping");
    relay.stop().await;
    Ok(())
}

/// Tells the relay who is registered, again and again.
async fn follow_registry(client: &Client, relay: &RelayServer) -> Infallible {
    loop {
        let pause = match client.providers().await {
            Ok(providers) => {
                relay.register(providers.into_iter().map(|provider| (provider.node_id, provider.account)).collect());
                REGISTRY_PAUSE
            }
            Err(error) => {
                tracing::debug!(%error, "who is registered is not known");
                REGISTRY_RETRY
            }
        };
        sleep(pause).await;
    }
}
