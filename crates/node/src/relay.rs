//! The relay role.

use crate::{config::RelayConfig, role::Shutdown};
use anyhow::Result;
use chainflix_overlay::{RelayServer, RelayServerConfig};

pub(crate) async fn run(config: RelayConfig, mut shutdown: Shutdown) -> Result<()> {
    let server = RelayServerConfig { folder: config.data, bind: config.listen, host: config.host };
    let relay = RelayServer::start(server).await?;
    tracing::info!(url = relay.info().url, "ready");
    shutdown.requested().await;
    tracing::info!(relayed_bytes = relay.relayed_bytes(), "stopping");
    relay.stop().await;
    Ok(())
}
