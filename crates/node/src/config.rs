//! One TOML file per role, one struct per role; unknown keys are refused and everything is checked before anything starts.
//!
//! Relative paths are relative to the file's folder, so that a network's folder can be moved.

mod bucket_url;

pub use bucket_url::{BucketUrl, BucketUrlError};

use crate::role::Shutdown;
pub use chainflix_overlay::control::SITE_BYTES_MAX;
use chainflix_overlay::{Allowance, RelayLimits};
use chainflix_primitives::{NetworkGenesis, NodeId, genesis::GenesisError};
pub use chainflix_provider::QuietHours;
use chainflix_rpc::Client;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

/// Pause between questions for the genesis.
const GENESIS_RETRY: Duration = Duration::from_secs(1);

/// What a process does, as its configuration file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub enum RoleConfig {
    /// Orders blocks, issues keys and PlayCodes, votes on views, answers JSON-RPC.
    Validator(ValidatorConfig),
    /// Passes on what two peers cannot send each other directly.
    Relay(RelayConfig),
    /// Knows who holds which cell.
    Controller(ControllerConfig),
    /// Keeps and serves sealed cells.
    Provider(ProviderConfig),
    /// Serves the web app and speaks to the network for it.
    Gateway(GatewayConfig),
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ValidatorConfig {
    /// The network's genesis (JSON).
    pub genesis: PathBuf,
    /// Folder of chain, views and consensus.
    pub data: PathBuf,
    /// The account that signs grants, PlayCodes and votes, and is paid.
    pub account_key: PathBuf,
    /// The key of the consensus engine.
    pub consensus_key: PathBuf,
    /// What this validator holds of the network's keys: the secret that all share, or its share of one that nobody
    /// has, as the genesis says.
    pub network_secret: PathBuf,
    /// Where other validators connect to.
    pub listen: SocketAddr,
    /// Where each validator listens, in the order of the genesis; this one's own entry included.
    pub validators: Vec<SocketAddr>,
    /// Where JSON-RPC is served.
    pub rpc_listen: SocketAddr,
    /// Gateways whose word on a viewer's address is believed.
    #[serde(default)]
    pub trusted_gateways: Vec<IpAddr>,
    /// Controllers, which may ask for grants.
    pub controllers: Vec<IpAddr>,
    /// JSON-RPC of the other validators: manifests are passed on to them.
    #[serde(default)]
    pub other_rpcs: Vec<String>,
}

/// A relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RelayConfig {
    /// Folder of its certificate and key.
    pub data: PathBuf,
    /// Where clients connect (TLS over TCP).
    pub listen: SocketAddr,
    /// The host name or address clients know it by.
    pub host: String,
    /// Nodes that are served without limit: the network's controllers and gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeId>,
    /// JSON-RPC of validators, who know which accounts are registered as storage peers; without one all are strangers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rpcs: Vec<String>,
    /// Bytes that a registered account may send and get in a day, UTC; 0 to serve none.
    #[serde(default = "account_bytes_per_day")]
    pub account_bytes_per_day: u64,
    /// Bytes a second that it may send, and get.
    #[serde(default = "account_bytes_per_s")]
    pub account_bytes_per_s: u64,
    /// Likewise of a home of strangers: an IPv4 address, or an IPv6 /56; 0 to serve none.
    #[serde(default = "home_bytes_per_day")]
    pub home_bytes_per_day: u64,
    /// Bytes a second that a home may send, and get.
    #[serde(default = "home_bytes_per_s")]
    pub home_bytes_per_s: u64,
    /// Connections of one home.
    #[serde(default = "home_connections")]
    pub home_connections: u32,
}

fn account_bytes_per_day() -> u64 {
    RelayLimits::default().account.day_bytes
}

fn account_bytes_per_s() -> u64 {
    RelayLimits::default().account.bytes_per_s
}

fn home_bytes_per_day() -> u64 {
    RelayLimits::default().home.day_bytes
}

fn home_bytes_per_s() -> u64 {
    RelayLimits::default().home.bytes_per_s
}

fn home_connections() -> u32 {
    RelayLimits::default().home_connections_max
}

/// How a node takes part in the overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OverlayConfig {
    /// Who it is.
    pub node_key: PathBuf,
    /// Its one UDP socket.
    pub listen: SocketAddr,
    /// The relay it waits at.
    pub relay: Option<RelayAt>,
    /// Show no address: every byte goes through the relay.
    #[serde(default)]
    pub relay_only: bool,
    /// Ask the home router to open a port.
    #[serde(default)]
    pub map_port: bool,
}

/// Where a relay is, and how to believe it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RelayAt {
    /// `https://host:port`.
    pub url: String,
    /// Its certificate (DER), as the relay wrote it into its own folder.
    pub certificate: PathBuf,
}

/// Where a controller is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ControllerAt {
    /// Its name in the overlay.
    pub node: NodeId,
    /// Its UDP addresses.
    pub addresses: Vec<SocketAddr>,
}

/// A storage controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ControllerConfig {
    /// JSON-RPC of validators.
    pub rpcs: Vec<String>,
    /// Providers that hold each cell at least.
    pub copies: u32,
    /// Silence after which a provider's copies are made elsewhere, in seconds; six hours where nothing is said. Cells of which
    /// fewer than two copies are at providers that are heard never wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_s: Option<u32>,
    /// How long a film must have been watched by five at a time at most before it is kept as stripes instead of copies, in
    /// seconds; a year where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_after_s: Option<u64>,
    /// The other controllers of the network: all tell each other what providers say, and take turns to delete what is too much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_controllers: Vec<ControllerAt>,
    /// Folder of what it remembers over a restart: how far it trusts which provider, and which films few watch.
    #[serde(default = "state_folder")]
    pub state: PathBuf,
    /// Its place in the overlay.
    pub overlay: OverlayConfig,
}

/// A storage provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProviderConfig {
    /// The account that is paid.
    pub account_key: PathBuf,
    /// Folder of the cells.
    pub data: PathBuf,
    /// Most bytes it may take there, as `du` counts them.
    pub quota_bytes: u64,
    /// Folder of what it remembers beside its cells: a few kB, which the quota does not count.
    #[serde(default = "state_folder")]
    pub state: PathBuf,
    /// Where it stands, in the operator's words.
    #[serde(default)]
    pub region: String,
    /// What it shares a roof with, in the operator's words: a house, a rack. At most [`SITE_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub site: String,
    /// Most bytes a second that all deliveries send together; 0 for no limit.
    #[serde(default)]
    pub uplink_bytes_per_s: u64,
    /// Hours of the day, by this machine's clock, in which nothing is begun: `22:30-06:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// Bytes a second that are read again to find rotten bits; 0 for never.
    #[serde(default = "scrub_bytes_per_s")]
    pub scrub_bytes_per_s: u64,
    /// Where its page for the operator is: an address of this machine, and a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_listen: Option<SocketAddr>,
    /// More folders, on other disks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<FolderConfig>,
    /// Object stores beside the folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub object_stores: Vec<ObjectStoreConfig>,
    /// JSON-RPC of validators.
    pub rpcs: Vec<String>,
    /// The controllers it reports to.
    pub controllers: Vec<ControllerAt>,
    /// Its place in the overlay.
    pub overlay: OverlayConfig,
}

/// A folder of cells beside the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FolderConfig {
    /// Where. It must be there when it is used for the first time.
    pub path: PathBuf,
    /// Most bytes it may take, as `du` counts them.
    pub quota_bytes: u64,
}

/// An object store (S3 and what speaks like it). Its key comes from the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ObjectStoreConfig {
    /// Bucket, and where in it.
    pub url: BucketUrl,
    /// Where it is asked, `https://…`; Amazon's own where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The store's own name of its region.
    #[serde(default = "bucket_region")]
    pub region: String,
    /// Most bytes it may take there: what a listing shows.
    pub quota_bytes: u64,
    /// Whether its cells are read again to find rotten bits: many stores are paid for what is read.
    #[serde(default)]
    pub scrub: bool,
}

/// What every S3 knows.
pub fn bucket_region() -> String {
    "us-east-1".into()
}

fn state_folder() -> PathBuf {
    "state".into()
}

/// A MiB twice a second: 200 GB in a little more than a day.
fn scrub_bytes_per_s() -> u64 {
    2 << 20
}

/// A gateway: the node that browsers talk to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GatewayConfig {
    /// Where the web app and the HTTP API are served.
    pub http_listen: SocketAddr,
    /// JSON-RPC of validators.
    pub rpcs: Vec<String>,
    /// The controllers it asks.
    pub controllers: Vec<ControllerAt>,
    /// Its place in the overlay.
    pub overlay: OverlayConfig,
}

/// Why a configuration is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{} is not a configuration", path.display())]
    Toml {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Not JSON, or not a genesis.
    #[error("{} is not a genesis", path.display())]
    Json {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// A page that its operator could not find, or that others could.
    #[error("{} cannot show its page", path.display())]
    Page {
        path: PathBuf,
        #[source]
        source: PageError,
    },
    /// A site that no controller would take.
    #[error("{} names a site that cannot be announced", path.display())]
    Site {
        path: PathBuf,
        #[source]
        source: SiteError,
    },
    /// A genesis that contradicts itself.
    #[error("{} cannot start a network", path.display())]
    Genesis {
        path: PathBuf,
        #[source]
        source: GenesisError,
    },
}

/// Why a provider's page cannot be at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Port 0 is another one at each start: `chainflix provider status` and its operator would look for it in vain.
    #[error("page-listen {address} names no port; choose one that is free, such as 127.0.0.1:8090")]
    NoPort { address: SocketAddr },
    /// The page has no password.
    #[error("page-listen {address} can be reached by others; the page is for this machine alone, use 127.0.0.1")]
    ForOthers { address: SocketAddr },
}

/// The name of a site is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of the site has {bytes} bytes; the most is {SITE_BYTES_MAX}")]
pub struct SiteError {
    /// Its length.
    pub bytes: usize,
}

/// Checks the name of a provider's site.
pub fn check_site(site: &str) -> Result<(), SiteError> {
    match site.len() {
        bytes if bytes > SITE_BYTES_MAX => Err(SiteError { bytes }),
        _ => Ok(()),
    }
}

/// Checks where a provider's page is to be.
pub fn check_page(address: SocketAddr) -> Result<(), PageError> {
    match address {
        _ if !address.ip().is_loopback() => Err(PageError::ForOthers { address }),
        _ if address.port() == 0 => Err(PageError::NoPort { address }),
        _ => Ok(()),
    }
}

impl RoleConfig {
    /// Reads a file and makes its paths absolute.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        let toml = |source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) };
        let mut config: Self = toml::from_str(&text).map_err(toml)?;
        if let Self::Provider(provider) = &config {
            let page = provider.page_listen.map_or(Ok(()), check_page);
            page.map_err(|source| ConfigError::Page { path: path.to_owned(), source })?;
            check_site(&provider.site).map_err(|source| ConfigError::Site { path: path.to_owned(), source })?;
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        for place in config.paths() {
            *place = folder.join(&*place);
        }
        Ok(config)
    }

    /// The role's name, as `chainflix run` takes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Validator(_) => "validator",
            Self::Relay(_) => "relay",
            Self::Controller(_) => "controller",
            Self::Provider(_) => "provider",
            Self::Gateway(_) => "gateway",
        }
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Validator(validator) => vec![
                &mut validator.genesis,
                &mut validator.data,
                &mut validator.account_key,
                &mut validator.consensus_key,
                &mut validator.network_secret,
            ],
            Self::Relay(relay) => vec![&mut relay.data],
            Self::Controller(controller) => {
                let mut paths = controller.overlay.paths();
                paths.push(&mut controller.state);
                paths
            }
            Self::Provider(provider) => {
                let mut paths = provider.overlay.paths();
                paths.extend([&mut provider.account_key, &mut provider.data, &mut provider.state]);
                paths.extend(provider.folders.iter_mut().map(|folder| &mut folder.path));
                paths
            }
            Self::Gateway(gateway) => gateway.overlay.paths(),
        }
    }
}

impl RelayConfig {
    /// A relay with the usual limits that knows nobody by name, with its certificate beside its configuration.
    pub fn new(listen: SocketAddr, host: String) -> Self {
        Self {
            data: "data".into(),
            listen,
            host,
            nodes: Vec::new(),
            rpcs: Vec::new(),
            account_bytes_per_day: account_bytes_per_day(),
            account_bytes_per_s: account_bytes_per_s(),
            home_bytes_per_day: home_bytes_per_day(),
            home_bytes_per_s: home_bytes_per_s(),
            home_connections: home_connections(),
        }
    }

    /// How much those may use whom it does not know by name.
    pub(crate) fn limits(&self) -> RelayLimits {
        RelayLimits {
            account: Allowance { day_bytes: self.account_bytes_per_day, bytes_per_s: self.account_bytes_per_s },
            home: Allowance { day_bytes: self.home_bytes_per_day, bytes_per_s: self.home_bytes_per_s },
            home_connections_max: self.home_connections,
        }
    }
}

impl ControllerConfig {
    /// The only controller of a network, with its state beside its configuration.
    pub fn new(rpcs: Vec<String>, copies: u32, overlay: OverlayConfig) -> Self {
        let (other_controllers, state) = (Vec::new(), state_folder());
        Self { rpcs, copies, patience_s: None, cold_after_s: None, other_controllers, state, overlay }
    }
}

impl ProviderConfig {
    /// A provider with one folder of its own and the usual limits.
    pub fn new(quota_bytes: u64, rpcs: Vec<String>, controllers: Vec<ControllerAt>, overlay: OverlayConfig) -> Self {
        Self {
            account_key: "account.key".into(),
            data: "cells".into(),
            quota_bytes,
            state: state_folder(),
            region: String::new(),
            site: String::new(),
            uplink_bytes_per_s: 0,
            quiet_hours: None,
            scrub_bytes_per_s: scrub_bytes_per_s(),
            page_listen: None,
            folders: Vec::new(),
            object_stores: Vec::new(),
            rpcs,
            controllers,
            overlay,
        }
    }
}

impl OverlayConfig {
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        std::iter::once(&mut self.node_key).chain(self.relay.as_mut().map(|relay| &mut relay.certificate)).collect()
    }
}

/// Reads and checks a genesis file.
pub fn read_genesis(path: &Path) -> Result<NetworkGenesis, ConfigError> {
    let json = |source| ConfigError::Json { path: path.to_owned(), source };
    let genesis: NetworkGenesis = serde_json::from_str(&read(path)?).map_err(json)?;
    genesis.check().map_err(|source| ConfigError::Genesis { path: path.to_owned(), source })?;
    Ok(genesis)
}

/// Asks validators for the genesis until one answers; `None` when the process is to stop before.
pub(crate) async fn read_genesis_from(client: &Client, shutdown: &mut Shutdown) -> Option<NetworkGenesis> {
    loop {
        match client.genesis().await {
            Ok(genesis) => return Some(genesis),
            Err(error) => tracing::info!(%error, "waiting for a validator"),
        }
        tokio::select! {
            () = shutdown.requested() => return None,
            () = tokio::time::sleep(GENESIS_RETRY) => {}
        }
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<RoleConfig, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("role.toml");
        fs::write(&path, text).unwrap();
        RoleConfig::read(&path)
    }

    #[test]
    fn paths_follow_the_file_and_unknown_keys_are_refused() {
        let good = "role = \"relay\"\ndata = \"relay\"\nlisten = \"127.0.0.1:0\"\nhost = \"127.0.0.1\"\n";
        let RoleConfig::Relay(relay) = written(good).unwrap() else { panic!("not a relay") };
        assert!(relay.data.is_absolute());
        let bad = format!("{good}datta = \"x\"\n");
        assert!(matches!(written(&bad), Err(ConfigError::Toml { .. })));
        assert!(matches!(written("role = \"king\""), Err(ConfigError::Toml { .. })));
        assert!(matches!(RoleConfig::read(Path::new("/nowhere.toml")), Err(ConfigError::Read { .. })));
    }

    fn overlay() -> OverlayConfig {
        OverlayConfig {
            node_key: "node.key".into(),
            listen: "0.0.0.0:0".parse().unwrap(),
            relay: None,
            relay_only: false,
            map_port: false,
        }
    }

    #[test]
    fn a_controller_remembers_beside_its_file_where_nothing_else_is_said() {
        let text = toml::to_string(&RoleConfig::Controller(ControllerConfig::new(vec![], 3, overlay()))).unwrap();
        let silent = text.replace("state = \"state\"\n", "");
        assert_ne!(silent, text);
        for text in [text, silent] {
            let RoleConfig::Controller(controller) = written(&text).unwrap() else { panic!("not a controller") };
            assert!(controller.state.is_absolute() && controller.state.ends_with("state"));
        }
    }

    #[test]
    fn a_site_is_short() {
        let provider = |bytes: usize| {
            let config =
                ProviderConfig { site: "x".repeat(bytes), ..ProviderConfig::new(1, vec![], vec![], overlay()) };
            written(&toml::to_string(&RoleConfig::Provider(config)).unwrap())
        };
        assert!(provider(0).is_ok() && provider(SITE_BYTES_MAX).is_ok());
        let Err(ConfigError::Site { source, .. }) = provider(SITE_BYTES_MAX + 1) else { panic!("it is too long") };
        assert_eq!(source, SiteError { bytes: SITE_BYTES_MAX + 1 });
    }

    #[test]
    fn a_page_is_where_its_operator_finds_it_and_nobody_else() {
        let provider = |page: &str| {
            let page = page.parse().unwrap();
            let config =
                ProviderConfig { page_listen: Some(page), ..ProviderConfig::new(1, vec![], vec![], overlay()) };
            written(&toml::to_string(&RoleConfig::Provider(config)).unwrap())
        };
        let refused = |page: &str| match provider(page) {
            Err(ConfigError::Page { source, .. }) => source,
            other => panic!("{other:?}"),
        };
        assert!(provider("127.0.0.1:8090").is_ok() && provider("[::1]:8090").is_ok());
        assert!(matches!(refused("127.0.0.1:0"), PageError::NoPort { .. }));
        assert!(matches!(refused("0.0.0.0:8090"), PageError::ForOthers { .. }));
        assert!(matches!(refused("192.168.0.7:0"), PageError::ForOthers { .. }));
    }
}
