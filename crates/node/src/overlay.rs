//! Brings a node into the overlay as its configuration says.

use crate::{
    config::{ControllerAt, OverlayConfig, RelayAt},
    keys,
};
use anyhow::{Context as _, Result};
use chainflix_overlay::{ControllerInfo, NodeKey, Overlay, RelayInfo};
use std::fs;

/// Binds the overlay's socket.
pub(crate) async fn bind(config: &OverlayConfig, controllers: &[ControllerAt]) -> Result<Overlay> {
    let key = NodeKey::from_bytes(&*keys::read(&config.node_key)?);
    let mut overlay = chainflix_overlay::OverlayConfig::new(key, config.listen);
    overlay.relay = config.relay.as_ref().map(relay).transpose()?;
    overlay.relay_only = config.relay_only;
    overlay.map_port = config.map_port;
    overlay.controllers = controllers.iter().map(|at| info(at, config.relay.as_ref())).collect();
    Overlay::bind(overlay).await.with_context(|| format!("cannot join the overlay at {}", config.listen))
}

/// A relay and its certificate.
pub(crate) fn relay(at: &RelayAt) -> Result<RelayInfo> {
    let certificate_der = fs::read(&at.certificate)
        .with_context(|| format!("cannot read the relay's certificate {}", at.certificate.display()))?;
    Ok(RelayInfo { url: at.url.clone(), certificate_der })
}

/// How to reach a controller: directly, or at the relay that this node waits at too.
pub(crate) fn info(at: &ControllerAt, relay: Option<&RelayAt>) -> ControllerInfo {
    ControllerInfo { node: at.node, direct: at.addresses.clone(), relay: relay.map(|relay| relay.url.clone()) }
}
