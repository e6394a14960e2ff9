//! Lays out a whole new network in a folder: genesis, keys, one configuration per process.
//!
//! ```text
//! DIR/genesis.json
//! DIR/join.toml                    what a stranger needs to join; holds no secret
//! DIR/keys/{treasury,governor,supervisor,creator,operation}.key      and network.key where the validators share one secret
//! DIR/validator-0/{config.toml, account.key, consensus.key, data/}     and share.key where a quorum is needed
//! … relay/ controller-0/ … provider-0/ … gateway/
//! ```
//!
//! For a demo or a test on one machine, and as the example to take apart for real machines. Nothing is started here.

use crate::{
    config::{
        ConfigError, ControllerAt, ControllerConfig, GatewayConfig, OverlayConfig, ProviderConfig, RelayAt,
        RelayConfig, RoleConfig, ValidatorConfig,
    },
    join::{JoinCard, JoinError},
    keys::{self, KeyError},
};
use chainflix_chain::genesis::CHAIN_ID;
use chainflix_consensus::ConsensusKey;
use chainflix_key_service::{DealError, deal};
use chainflix_overlay::{NodeKey, RelayError};
use chainflix_primitives::{
    AccountAddress, AccountKey, NetworkGenesis, NetworkKeys, NetworkSecret, NodeId, ProtocolParams, ValidatorIdentity,
    genesis::{Allocation, SupervisorIdentity},
};
use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Coins that exist from the start (white paper, token table).
pub const GENESIS_CFX: u64 = 6_000_000_000;

/// What to lay out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many validators.
    pub validators: u16,
    /// How many controllers, each of which can do without the others.
    pub controllers: u16,
    /// How many providers.
    pub providers: u16,
    /// The protocol's numbers.
    pub params: ProtocolParams,
    /// Ports of every process.
    pub ports: Ports,
    /// Most bytes each provider may use.
    pub quota_bytes: u64,
    /// Who can release keys.
    pub keys: KeyMode,
}

/// Who can release the network's keys (`docs/decisions/0006-who-releases-keys.md`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyMode {
    /// Each validator: all hold the same secret.
    #[default]
    Shared,
    /// A quorum of validators: each holds a share, dealt here once.
    Threshold,
}

/// The ports of a network on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The web app.
    pub web: u16,
    /// JSON-RPC of validator 0; the next validators take the next ports.
    pub rpc: u16,
    /// First of the ports that only the network's own processes use.
    pub inner: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { web: 8080, rpc: 8545, inner: 28_000 }
    }
}

/// A network in its folder.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The folder.
    pub dir: PathBuf,
    /// The network's rules.
    pub genesis: NetworkGenesis,
    /// Every process, in the order to start them: name and configuration file.
    pub processes: Vec<(String, PathBuf)>,
    /// JSON-RPC of every validator.
    pub rpcs: Vec<String>,
    /// The web app.
    pub web_url: String,
    /// The controllers, for publishers and viewers without a browser; at least one.
    pub controllers: Vec<ControllerAt>,
    /// The relay.
    pub relay: RelayAt,
}

/// Why a network is not laid out or not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The folder cannot be used.
    #[error("cannot use {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No shares were dealt.
    #[error(transparent)]
    Deal(#[from] DealError),
    /// A configuration or the genesis.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The relay's certificate.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// What strangers need.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// A configuration that is not what its place says.
    #[error("{} is not the configuration of a {role}", path.display())]
    OtherRole { path: PathBuf, role: &'static str },
    /// An earlier version called the folders otherwise.
    #[error("the network in {} was laid out by an earlier version: begin a new one in another folder", dir.display())]
    Older { dir: PathBuf },
    /// Too few processes.
    #[error(
        "a network needs at least one validator, one controller and as many providers as copies; asked for {validators}, \
         {controllers} and {providers}"
    )]
    TooSmall { validators: u16, controllers: u16, providers: u16 },
}

/// Accounts of a network laid out here, by the name of their key file in `keys/`.
pub const ACCOUNTS: [&str; 5] = ["treasury", "governor", "supervisor", "creator", "operation"];
/// Providers that hold each cell.
const COPIES: u32 = 2;
/// Silence after which a provider's copies are made elsewhere: a network on one machine lives for minutes.
const PATIENCE_S: u32 = 20;
/// What all strangers together may relay in a day.
const HOME_BYTES_PER_DAY: u64 = 1_000_000_000_000;
/// And in a second, in each direction.
const HOME_BYTES_PER_S: u64 = 125_000_000;
/// And their connections.
const HOME_CONNECTIONS: u32 = 4_096;
/// What a stranger needs to join, beside the genesis.
pub const JOIN_FILE: &str = "join.toml";
/// A validator's share of the network's keys, beside its other keys.
const SHARE_FILE: &str = "share.key";

impl Plan {
    /// Writes a new network into `dir`, which must hold none. `genesis_time_ms` is rounded down to a second.
    pub fn write(&self, dir: &Path, genesis_time_ms: u64) -> Result<Layout, LayoutError> {
        let Self { validators, controllers, providers, .. } = *self;
        if validators == 0 || controllers == 0 || u32::from(providers) < COPIES {
            return Err(LayoutError::TooSmall { validators, controllers, providers });
        }
        make(&dir.join("keys"))?;
        for account in ACCOUNTS {
            new_key(&key_path(dir, account))?;
        }
        let mut validators = Vec::new();
        for number in 0..self.validators {
            let folder = dir.join(format!("validator-{number}"));
            make(&folder)?;
            validators.push(new_validator(&folder)?);
        }
        let genesis = self.genesis(dir, validators, genesis_time_ms)?;
        // Pretty, because people read it; serialising plain data cannot fail.
        let json = serde_json::to_string_pretty(&genesis).expect("plain data serialises");
        write(&dir.join("genesis.json"), &json)?;
        self.write_roles(dir)?;
        Layout::open(dir)
    }

    fn genesis(
        &self,
        dir: &Path,
        validators: Vec<ValidatorIdentity>,
        genesis_time_ms: u64,
    ) -> Result<NetworkGenesis, LayoutError> {
        let address = |name| Ok::<_, KeyError>(keys::read_account(&key_path(dir, name))?.address());
        Ok(NetworkGenesis {
            chain_id: CHAIN_ID,
            genesis_time_ms: genesis_time_ms / 1000 * 1000,
            params: self.params.clone(),
            validators,
            keys: self.make_keys(dir)?,
            governor: address("governor")?,
            supervisors: vec![SupervisorIdentity { account: address("supervisor")?, country: "KR".into() }],
            allocations: vec![Allocation { account: address("treasury")?, cfx: GENESIS_CFX }],
        })
    }

    /// Makes the network's keys, and answers with what everybody may know of them.
    fn make_keys(&self, dir: &Path) -> Result<NetworkKeys, LayoutError> {
        match self.keys {
            KeyMode::Shared => {
                let secret = NetworkSecret::from_bytes(new_key(&key_path(dir, "network"))?);
                Ok(NetworkKeys::Shared { box_key: secret.box_key().public_key() })
            }
            KeyMode::Threshold => {
                let validators = usize::from(self.validators);
                let quorum = self.params.votes_needed(validators).max(NetworkKeys::quorum_least(validators));
                // The dealer's whole knowledge: it is wiped when this function ends, and never on a disk.
                let seed = Zeroizing::new(crate::entropy());
                let dealing = deal(validators, quorum, &seed)?;
                for (number, share) in dealing.shares.iter().enumerate() {
                    keys::write(&dir.join(format!("validator-{number}")).join(SHARE_FILE), &share.to_bytes())?;
                }
                Ok(dealing.keys)
            }
        }
    }

    fn write_roles(&self, dir: &Path) -> Result<(), LayoutError> {
        let inner = |offset: u16| local(self.ports.inner + offset);
        let rpcs: Vec<_> = (0..self.validators).map(|number| local(self.ports.rpc + number)).collect();
        let urls: Vec<_> = rpcs.iter().map(|rpc| format!("http://{rpc}")).collect();
        self.write_validators(dir, &rpcs, &urls)?;
        let relay = relay_at(dir, inner(self.validators))?;
        let first = self.validators + 1;
        let listens: Vec<_> = (first..first + self.controllers).map(inner).collect();
        let controllers = write_controllers(dir, &listens, &relay, &urls)?;
        let first = first + self.controllers;
        let folder = dir.join("gateway");
        let (place, gateway) = new_place(&folder, inner(first), &relay)?;
        let certificate = folder.join(&relay.certificate);
        JoinCard::of(urls.clone(), controllers.clone(), &RelayAt { certificate, ..relay.clone() })?
            .write(&dir.join(JOIN_FILE))?;
        let http_listen = local(self.ports.web);
        let config =
            GatewayConfig { http_listen, rpcs: urls.clone(), controllers: controllers.clone(), overlay: place };
        write_role(&folder, &RoleConfig::Gateway(config))?;
        for number in 0..self.providers {
            let folder = dir.join(format!("provider-{number}"));
            let (place, _) = new_place(&folder, inner(first + 1 + number), &relay)?;
            new_key(&folder.join("account.key"))?;
            let mut config = ProviderConfig::new(self.quota_bytes, urls.clone(), controllers.clone(), place);
            config.region = "KR".into();
            write_role(&folder, &RoleConfig::Provider(config))?;
        }
        let named = controllers.iter().map(|at| at.node).chain([gateway]).collect();
        write_relay(dir, inner(self.validators), named, urls)
    }

    fn write_validators(&self, dir: &Path, rpcs: &[SocketAddr], urls: &[String]) -> Result<(), LayoutError> {
        let listens: Vec<_> = (0..self.validators).map(|number| local(self.ports.inner + number)).collect();
        for number in 0..usize::from(self.validators) {
            let others = urls.iter().enumerate().filter(|(other, _)| *other != number);
            let config = ValidatorConfig {
                genesis: "../genesis.json".into(),
                data: "data".into(),
                account_key: "account.key".into(),
                consensus_key: "consensus.key".into(),
                network_secret: match self.keys {
                    KeyMode::Shared => "../keys/network.key".into(),
                    KeyMode::Threshold => SHARE_FILE.into(),
                },
                listen: listens[number],
                validators: listens.clone(),
                rpc_listen: rpcs[number],
                trusted_gateways: vec![Ipv4Addr::LOCALHOST.into()],
                controllers: vec![Ipv4Addr::LOCALHOST.into()],
                other_rpcs: others.map(|(_, url)| url.clone()).collect(),
            };
            write_role(&dir.join(format!("validator-{number}")), &RoleConfig::Validator(config))?;
        }
        Ok(())
    }
}

/// Writes controllers that know of each other, and says where they are.
fn write_controllers(
    dir: &Path,
    listens: &[SocketAddr],
    relay: &RelayAt,
    rpcs: &[String],
) -> Result<Vec<ControllerAt>, LayoutError> {
    let folder = |number: usize| dir.join(format!("controller-{number}"));
    let mut found = Vec::new();
    let mut places = Vec::new();
    for (number, listen) in listens.iter().enumerate() {
        let (place, node) = new_place(&folder(number), *listen, relay)?;
        found.push(ControllerAt { node, addresses: vec![*listen] });
        places.push(place);
    }
    for (number, place) in places.into_iter().enumerate() {
        let others = found.iter().enumerate().filter(|(other, _)| *other != number);
        let config = ControllerConfig {
            patience_s: Some(PATIENCE_S),
            other_controllers: others.map(|(_, at)| at.clone()).collect(),
            ..ControllerConfig::new(rpcs.to_vec(), COPIES, place)
        };
        write_role(&folder(number), &RoleConfig::Controller(config))?;
    }
    Ok(found)
}

/// A node's folder, its key, and how it is reached.
fn new_place(folder: &Path, listen: SocketAddr, relay: &RelayAt) -> Result<(OverlayConfig, NodeId), LayoutError> {
    make(folder)?;
    let node = NodeKey::from_bytes(&new_key(&folder.join("node.key"))?).node_id();
    let relay = Some(relay.clone());
    Ok((OverlayConfig { node_key: "node.key".into(), listen, relay, relay_only: false, map_port: false }, node))
}

/// Makes the relay's certificate, and says where the others find it.
fn relay_at(dir: &Path, listen: SocketAddr) -> Result<RelayAt, LayoutError> {
    chainflix_overlay::relay::make_certificate(&dir.join("relay/data"), &listen.ip().to_string())?;
    let certificate = PathBuf::from("../relay/data").join(chainflix_overlay::relay::CERTIFICATE_FILE);
    Ok(RelayAt { url: format!("https://{listen}"), certificate })
}

fn write_relay(dir: &Path, listen: SocketAddr, nodes: Vec<NodeId>, rpcs: Vec<String>) -> Result<(), LayoutError> {
    let config = RelayConfig {
        nodes,
        rpcs,
        // All viewers of such a network live on one machine, which is one home.
        home_bytes_per_day: HOME_BYTES_PER_DAY,
        home_bytes_per_s: HOME_BYTES_PER_S,
        home_connections: HOME_CONNECTIONS,
        ..RelayConfig::new(listen, listen.ip().to_string())
    };
    write_role(&dir.join("relay"), &RoleConfig::Relay(config))
}

impl Layout {
    /// Finds the network in `dir`.
    pub fn open(dir: &Path) -> Result<Self, LayoutError> {
        let genesis = crate::config::read_genesis(&dir.join("genesis.json"))?;
        let mut names: Vec<String> =
            (0..genesis.validators.len()).map(|number| format!("validator-{number}")).collect();
        names.push("relay".to_owned());
        for role in ["controller", "provider"] {
            let numbered = (0..u16::MAX).map(|number| format!("{role}-{number}"));
            names.extend(numbered.take_while(|name| dir.join(name).is_dir()));
        }
        names.push("gateway".to_owned());
        let processes: Vec<_> =
            names.into_iter().map(|name| (name.clone(), dir.join(name).join("config.toml"))).collect();
        let path = dir.join("gateway/config.toml");
        let RoleConfig::Gateway(gateway) = RoleConfig::read(&path)? else {
            return Err(LayoutError::OtherRole { path, role: "gateway" });
        };
        if !dir.join("controller-0").is_dir() {
            return Err(LayoutError::Older { dir: dir.to_owned() });
        }
        let missing = || LayoutError::OtherRole { path: path.clone(), role: "gateway with a controller and a relay" };
        if gateway.controllers.is_empty() {
            return Err(missing());
        }
        Ok(Self {
            dir: dir.to_owned(),
            genesis,
            processes,
            web_url: format!("http://{}", gateway.http_listen),
            controllers: gateway.controllers,
            relay: gateway.overlay.relay.clone().ok_or_else(missing)?,
            rpcs: gateway.rpcs,
        })
    }

    /// The key of one of [`ACCOUNTS`].
    pub fn account(&self, name: &str) -> Result<AccountKey, KeyError> {
        keys::read_account(&key_path(&self.dir, name))
    }

    /// The account a provider is paid to.
    pub fn provider_account(&self, number: u16) -> Result<AccountAddress, KeyError> {
        Ok(keys::read_account(&self.dir.join(format!("provider-{number}/account.key")))?.address())
    }
}

fn key_path(dir: &Path, name: &str) -> PathBuf {
    dir.join("keys").join(format!("{name}.key"))
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Draws a secret and keeps it. Any 32 random bytes are a key of every kind used here, but for a chance of 2^-128.
fn new_key(path: &Path) -> Result<[u8; 32], KeyError> {
    let secret = crate::entropy();
    keys::write(path, &secret)?;
    Ok(secret)
}

fn new_validator(folder: &Path) -> Result<ValidatorIdentity, LayoutError> {
    new_key(&folder.join("account.key"))?;
    let account = keys::read_account(&folder.join("account.key"))?.address();
    let consensus_key = ConsensusKey::from_seed(new_key(&folder.join("consensus.key"))?).public();
    Ok(ValidatorIdentity { account, consensus_key })
}

fn make(folder: &Path) -> Result<(), LayoutError> {
    fs::create_dir_all(folder).map_err(|source| LayoutError::Folder { path: folder.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), LayoutError> {
    fs::write(path, text).map_err(|source| LayoutError::Folder { path: path.to_owned(), source })
}

fn write_role(folder: &Path, config: &RoleConfig) -> Result<(), LayoutError> {
    // Plain data with string keys: TOML can say it.
    let text = toml::to_string(config).expect("a configuration is valid TOML");
    write(&folder.join("config.toml"), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_laid_out_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan {
            validators: 4,
            controllers: 2,
            providers: 3,
            params: ProtocolParams::accelerated(20),
            ports: Ports::default(),
            quota_bytes: 1 << 30,
            keys: KeyMode::Shared,
        };
        let written = plan.write(folder.path(), 1_800_000_000_123).unwrap();
        assert_eq!(written.processes.len(), 4 + 1 + 2 + 3 + 1);
        assert_eq!(written.genesis.genesis_time_ms, 1_800_000_000_000);
        for (name, config) in &written.processes {
            let config = RoleConfig::read(config).unwrap();
            assert!(name.starts_with(config.name()));
        }
        let RoleConfig::Relay(relay) = RoleConfig::read(&folder.path().join("relay/config.toml")).unwrap() else {
            panic!("not a relay")
        };
        let controllers: Vec<_> = written.controllers.iter().map(|at| at.node).collect();
        assert_eq!((controllers.len(), relay.nodes.len()), (2, 3), "controllers and gateway");
        assert!(relay.nodes.starts_with(&controllers));
        let RoleConfig::Controller(second) = RoleConfig::read(&folder.path().join("controller-1/config.toml")).unwrap()
        else {
            panic!("not a controller")
        };
        assert_eq!(second.other_controllers, written.controllers[..1]);
        assert_eq!(relay.rpcs, written.rpcs);
        assert_eq!(Layout::open(folder.path()).unwrap().genesis, written.genesis);
        assert!(plan.write(folder.path(), 0).is_err(), "keys are never overwritten");
        let (named, before) = (folder.path().join("controller-0"), folder.path().join("controller"));
        fs::rename(&named, &before).unwrap();
        assert!(matches!(Layout::open(folder.path()), Err(LayoutError::Older { .. })));
        fs::rename(&before, &named).unwrap();
        let ports: Vec<_> = written.processes.iter().map(|(_, config)| fs::read_to_string(config).unwrap()).collect();
        assert!(ports.iter().all(|text| !text.contains(&folder.path().display().to_string())), "can be moved");
    }

    #[test]
    fn each_validator_has_its_own_share() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan {
            validators: 4,
            controllers: 1,
            providers: 2,
            params: ProtocolParams::accelerated(20),
            ports: Ports::default(),
            quota_bytes: 1 << 30,
            keys: KeyMode::Threshold,
        };
        let written = plan.write(folder.path(), 0).unwrap();
        assert_eq!(written.genesis.keys.quorum(), 3);
        assert!(!key_path(folder.path(), "network").exists(), "nobody has the secret");
        let genesis = std::sync::Arc::new(written.genesis);
        for (number, validator) in genesis.validators.iter().enumerate() {
            let path = folder.path().join(format!("validator-{number}/config.toml"));
            let RoleConfig::Validator(config) = RoleConfig::read(&path).unwrap() else { panic!("not a validator") };
            let share = keys::read::<{ chainflix_key_service::SHARE_BYTES }>(&config.network_secret).unwrap();
            assert!(chainflix_key_service::open(&genesis, &validator.account, &share[..], [1; 32]).is_ok());
        }
    }
}
