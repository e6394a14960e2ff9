//! The overlay of one process: one iroh endpoint, nobody's infrastructure but ours.

use crate::{
    clock::Clock,
    dial::{Dialer, Timeouts},
    lookup::{ControllerInfo, lookup},
    mapping::PortMapping,
    node::{NodeIdError, NodeKey},
    relay::RelayInfo,
    serve::{Accept, Protocol, ServeLimits},
};
use chainflix_primitives::NodeId;
use iroh::{
    Endpoint, RelayMap, RelayMode, RelayUrl,
    address_lookup::MemoryLookup,
    endpoint::{AckFrequencyConfig, Builder, PortmapperConfig, QuicTransportConfig, VarInt, presets},
    protocol::Router,
    tls::CaTlsConfig,
};
use iroh_relay::RelayQuicConfig;
use rustls::pki_types::CertificateDer;
use std::{error::Error, net::SocketAddr, sync::Arc};
use tokio::task::JoinHandle;

/// Packets that a peer may take before it confirms them, where it could after every other one: confirming costs both
/// sides time, and a home line its narrow direction (RFC 9000, 13.2.2, leaves it to the receiver; the extension asks).
const ACK_EVERY: u32 = 10;

/// How this node takes part.
#[derive(Clone, Debug)]
pub struct OverlayConfig {
    /// Who we are.
    pub key: NodeKey,
    /// The one UDP socket; port 0 for any free one.
    pub bind: SocketAddr,
    /// The relay we wait at and that others reach us through.
    pub relay: Option<RelayInfo>,
    /// Never show our addresses: every byte goes through the relay. Needs [`Self::relay`].
    pub relay_only: bool,
    /// Who answers where nodes are. May be empty where all peers are told of by [`Dialer::learn`].
    pub controllers: Vec<ControllerInfo>,
    /// Ask the home router to open a port (PCP, NAT-PMP, UPnP). Means nothing with [`Self::relay_only`].
    pub map_port: bool,
    /// Patience with peers we dial.
    pub timeouts: Timeouts,
    /// Numbers our address records.
    pub clock: Clock,
}

impl OverlayConfig {
    /// A node with `key` at `bind`, without relay or controllers.
    pub fn new(key: NodeKey, bind: SocketAddr) -> Self {
        Self {
            key,
            bind,
            relay: None,
            relay_only: false,
            controllers: Vec::new(),
            map_port: false,
            timeouts: Timeouts::default(),
            clock: Clock::system(),
        }
    }
}

/// Why the overlay does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A controller's name is none.
    #[error("a configured controller cannot be one")]
    Controller(#[from] NodeIdError),
    /// The relay's URL is none.
    #[error("configured relay: {url:?} is not a URL")]
    RelayUrl { url: String },
    /// Relay-only without a relay reaches nobody.
    #[error("relay_only needs a relay")]
    NoRelay,
    /// The socket is taken or not ours to take.
    #[error("cannot bind {bind}")]
    Socket {
        bind: SocketAddr,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A running overlay node. Dropping it stops its tasks; [`Overlay::close`] says goodbye to peers as well.
pub struct Overlay {
    endpoint: Endpoint,
    dialer: Dialer,
    lookup: Option<JoinHandle<()>>,
    mapping: Option<PortMapping>,
}

/// Keeps a node reachable; dropping it stops that.
#[must_use = "nothing is served once this is dropped"]
#[derive(Debug)]
pub struct Serving(Router);

impl Overlay {
    /// Binds the socket and starts to publish our addresses.
    pub async fn bind(config: OverlayConfig) -> Result<Self, BindError> {
        if config.relay_only && config.relay.is_none() {
            return Err(BindError::NoRelay);
        }
        let socket_error = |source: Box<dyn Error + Send + Sync>| BindError::Socket { bind: config.bind, source };
        let known = MemoryLookup::new();
        for controller in &config.controllers {
            known.add_endpoint_info(controller.endpoint_addr()?);
        }
        // Minimal: cryptography only. No relay, name server or lookup of anybody else is ever asked.
        let mut builder = Endpoint::builder(presets::Minimal)
            .secret_key(config.key.secret().clone())
            .transport_config(transport())
            .clear_ip_transports()
            .portmapper_config(PortmapperConfig::Disabled)
            .address_lookup(known.clone());
        builder = relay(builder, config.relay.as_ref())?;
        if !config.relay_only {
            builder = builder.bind_addr(config.bind).map_err(|error| socket_error(error.into()))?;
        }
        let task = match config.controllers.as_slice() {
            [] => None,
            controllers => {
                let (hooks, task) = lookup(controllers)?;
                builder = builder.address_lookup(hooks);
                Some(task)
            }
        };
        let endpoint = builder.bind().await.map_err(|error| socket_error(error.into()))?;
        let dialer = Dialer::new(endpoint.clone(), known, config.timeouts);
        let lookup = task.map(|task| tokio::spawn(task.run(dialer.clone(), config.key.clone(), config.clock.clone())));
        let mapping = config.map_port.then(|| PortMapping::start(&endpoint)).flatten();
        Ok(Self { endpoint, dialer, lookup, mapping })
    }

    /// Makes these protocols reachable, each once, for as long as the answer is kept. Call once per overlay.
    pub fn serve(&self, protocols: Vec<Arc<dyn Protocol>>, limits: ServeLimits) -> Serving {
        let router = protocols.into_iter().fold(Router::builder(self.endpoint.clone()), |router, protocol| {
            router.accept(protocol.alpn().bytes(), Accept::new(protocol, limits))
        });
        Serving(router.spawn())
    }

    /// Opens streams to peers.
    pub fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    /// Who we are.
    pub fn node_id(&self) -> NodeId {
        self.dialer.node_id()
    }

    /// How others are told to reach us, for a configuration file. Complete once [`Self::online`] returned.
    pub fn info(&self) -> ControllerInfo {
        self.dialer.ways()
    }

    /// Waits until the relay knows us. Without a relay it never returns.
    pub async fn online(&self) {
        self.endpoint.online().await;
    }

    /// Ends all connections in order and stops.
    pub async fn close(mut self) {
        self.stop_lookup();
        if let Some(mapping) = self.mapping.take() {
            mapping.release().await;
        }
        self.endpoint.close().await;
    }

    fn stop_lookup(&mut self) {
        if let Some(task) = self.lookup.take() {
            task.abort();
        }
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        self.stop_lookup();
    }
}

impl Serving {
    /// Ends what is being served and closes the endpoint.
    pub async fn stop(self) {
        if let Err(panic) = self.0.shutdown().await {
            tracing::error!(%panic, "the accept loop failed");
        }
    }
}

fn relay(builder: Builder, relay: Option<&RelayInfo>) -> Result<Builder, BindError> {
    let Some(relay) = relay else { return Ok(builder.relay_mode(RelayMode::Disabled)) };
    let url: RelayUrl = relay.url.parse().map_err(|_| BindError::RelayUrl { url: relay.url.clone() })?;
    // Our relays tell a node its public address at the port of the same number, so that behind a NAT it has one to show.
    let discovery = url.port_or_known_default().map(RelayQuicConfig::new);
    let map = RelayMap::from_iter([iroh_relay::RelayConfig::new(url, discovery)]);
    let roots = CaTlsConfig::custom_roots([CertificateDer::from(relay.certificate_der.clone())]);
    Ok(builder.relay_mode(RelayMode::Custom(map)).ca_tls_config(roots))
}

fn transport() -> QuicTransportConfig {
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(ACK_EVERY));
    QuicTransportConfig::builder()
        .ack_frequency_config(Some(acks))
        // Of ours only the two-way kind is used; the number bounds what a peer can make us hold at a time.
        .max_concurrent_bidi_streams(VarInt::from_u32(64))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .build()
}
