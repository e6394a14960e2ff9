//! How a stranger's machine joins a network that runs: one file that anybody may have, and one command.
//!
//! ```text
//! network's folder: join.toml ── published anywhere ──▶ chainflix provider init DIR --join join.toml
//!                                                        └─▶ DIR/{config.toml, account.key, node.key, relay.der, cells/}
//! ```
//!
//! Whoever has the file can reach the network, not speak for it. What it names is checked when it is used: controllers by
//! their node keys, the relay by its certificate, the genesis by what validators answer.

use crate::{
    config::{
        ControllerAt, ObjectStoreConfig, OverlayConfig, PageError, ProviderConfig, QuietHours, RelayAt, RoleConfig,
        SiteError, check_page, check_site,
    },
    keys::{self, KeyError},
};
use chainflix_primitives::AccountAddress;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The relay's certificate in a provider's folder.
const CERTIFICATE_FILE: &str = "relay.der";

/// What a stranger needs to know of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct JoinCard {
    /// JSON-RPC of validators.
    pub rpcs: Vec<String>,
    /// The relay to wait at.
    pub relay: RelayCard,
    /// The controllers to report to.
    pub controllers: Vec<ControllerAt>,
}

/// A relay, its certificate included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RelayCard {
    /// `https://host:port`.
    pub url: String,
    /// Its certificate (DER), as hex digits.
    pub certificate: String,
}

/// What the operator of a new provider decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderPlan {
    /// Most bytes it may take in its own folder; 0 where it keeps its cells elsewhere.
    pub quota_bytes: u64,
    /// An object store, instead of the folder or beside it.
    pub object_store: Option<ObjectStoreConfig>,
    /// Where it stands, in the operator's words.
    pub region: String,
    /// What it shares a roof with, in the operator's words; empty for nothing.
    pub site: String,
    /// Most bytes a second it may send; 0 for no limit.
    pub uplink_bytes_per_s: u64,
    /// When it rests.
    pub quiet_hours: Option<QuietHours>,
    /// Its UDP socket.
    pub listen: SocketAddr,
    /// Its page, on this machine.
    pub page_listen: SocketAddr,
}

/// Why nobody joins.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Not a card.
    #[error("{} is not what a network gives to those who join", path.display())]
    Card {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The relay's certificate in it.
    #[error("the relay's certificate in {} is not made of hex digits", path.display())]
    Certificate { path: PathBuf },
    /// The folder has a provider already.
    #[error("{} has a provider already; start it: chainflix provider run --config {}/config.toml", folder.display(), folder.display())]
    Taken { folder: PathBuf },
    /// Where the page would be.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The name of the site.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyError),
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> JoinError + use<> {
    let path = path.to_owned();
    move |source| JoinError::File { path, source }
}

impl JoinCard {
    /// The card of a network whose relay's certificate is at hand.
    pub fn of(rpcs: Vec<String>, controllers: Vec<ControllerAt>, relay: &RelayAt) -> Result<Self, JoinError> {
        let certificate = fs::read(&relay.certificate).map_err(file(&relay.certificate))?;
        let relay = RelayCard { url: relay.url.clone(), certificate: hex::encode(certificate) };
        Ok(Self { rpcs, relay, controllers })
    }

    /// Reads a card.
    pub fn read(path: &Path) -> Result<Self, JoinError> {
        let text = fs::read_to_string(path).map_err(file(path))?;
        let card: Self =
            toml::from_str(&text).map_err(|source| JoinError::Card { path: path.to_owned(), source: source.into() })?;
        match hex::decode(&card.relay.certificate) {
            Ok(_) => Ok(card),
            Err(_) => Err(JoinError::Certificate { path: path.to_owned() }),
        }
    }

    /// Writes the card, for everybody to read.
    pub fn write(&self, path: &Path) -> Result<(), JoinError> {
        // Plain data with string keys: TOML can say it.
        let text = toml::to_string(self).expect("a card is valid TOML");
        fs::write(path, text).map_err(file(path))
    }

    /// Writes a new provider's keys and configuration into `folder`, and answers who will be paid.
    pub fn write_provider(&self, folder: &Path, plan: &ProviderPlan) -> Result<AccountAddress, JoinError> {
        let path = folder.join("config.toml");
        if path.exists() {
            return Err(JoinError::Taken { folder: folder.to_owned() });
        }
        check_page(plan.page_listen)?;
        check_site(&plan.site)?;
        fs::create_dir_all(folder).map_err(file(folder))?;
        let account_key = folder.join("account.key");
        for key in [&account_key, &folder.join("node.key")] {
            // A first attempt may have come this far: its keys are as good.
            if !key.exists() {
                keys::write(key, &crate::entropy())?;
            }
        }
        let certificate = folder.join(CERTIFICATE_FILE);
        // Looked at by `read`.
        let der =
            hex::decode(&self.relay.certificate).map_err(|_| JoinError::Certificate { path: certificate.clone() })?;
        fs::write(&certificate, der).map_err(file(&certificate))?;
        let overlay = OverlayConfig {
            node_key: "node.key".into(),
            listen: plan.listen,
            relay: Some(RelayAt { url: self.relay.url.clone(), certificate: CERTIFICATE_FILE.into() }),
            relay_only: false,
            map_port: true,
        };
        let mut config = ProviderConfig::new(plan.quota_bytes, self.rpcs.clone(), self.controllers.clone(), overlay);
        config.region = plan.region.clone();
        config.site = plan.site.clone();
        config.uplink_bytes_per_s = plan.uplink_bytes_per_s;
        config.quiet_hours = plan.quiet_hours;
        config.page_listen = Some(plan.page_listen);
        config.object_stores = plan.object_store.iter().cloned().collect();
        // Plain data with string keys: TOML can say it.
        let text = toml::to_string(&RoleConfig::Provider(config)).expect("a configuration is valid TOML");
        // Last: a folder with a configuration is whole.
        fs::write(&path, text).map_err(file(&path))?;
        Ok(keys::read_account(&account_key)?.address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::NodeId;

    #[test]
    fn a_stranger_joins_with_a_published_file() {
        let home = tempfile::tempdir().unwrap();
        let certificate = home.path().join("certificate.der");
        fs::write(&certificate, [0x30, 0x82]).unwrap();
        let relay = RelayAt { url: "https://relay.example:443".into(), certificate };
        let controllers =
            vec![ControllerAt { node: NodeId([1; 32]), addresses: vec!["203.0.113.1:4000".parse().unwrap()] }];
        let card = JoinCard::of(vec!["http://203.0.113.1:8545".into()], controllers.clone(), &relay).unwrap();
        let path = home.path().join("join.toml");
        card.write(&path).unwrap();
        assert_eq!(JoinCard::read(&path).unwrap(), card);

        let plan = ProviderPlan {
            quota_bytes: 200_000_000_000,
            object_store: Some(ObjectStoreConfig {
                url: "s3://films/disk-7".parse().unwrap(),
                endpoint: None,
                region: "eu-central-1".into(),
                quota_bytes: 1_000_000_000_000,
                scrub: false,
            }),
            region: "KR".into(),
            site: "attic".into(),
            uplink_bytes_per_s: 1_250_000,
            quiet_hours: Some("22:30-06:00".parse().unwrap()),
            listen: "0.0.0.0:0".parse().unwrap(),
            page_listen: "127.0.0.1:8090".parse().unwrap(),
        };
        let folder = home.path().join("disk");
        let nowhere = ProviderPlan { page_listen: "127.0.0.1:0".parse().unwrap(), ..plan.clone() };
        assert!(matches!(card.write_provider(&folder, &nowhere), Err(JoinError::Page(PageError::NoPort { .. }))));
        let nowhere = ProviderPlan { site: "x".repeat(33), ..plan.clone() };
        assert!(matches!(card.write_provider(&folder, &nowhere), Err(JoinError::Site(SiteError { bytes: 33 }))));
        assert!(!folder.exists());
        let account = card.write_provider(&folder, &plan).unwrap();
        let RoleConfig::Provider(config) = RoleConfig::read(&folder.join("config.toml")).unwrap() else { panic!() };
        assert_eq!(keys::read_account(&config.account_key).unwrap().address(), account);
        assert_eq!((config.quota_bytes, config.quiet_hours), (plan.quota_bytes, plan.quiet_hours));
        assert_eq!((config.site, config.uplink_bytes_per_s), (plan.site.clone(), plan.uplink_bytes_per_s));
        assert_eq!(fs::read(config.overlay.relay.unwrap().certificate).unwrap(), [0x30, 0x82]);
        assert_eq!(config.controllers, controllers);
        assert_eq!(config.object_stores, Vec::from_iter(plan.object_store.clone()));
        assert!(
            matches!(card.write_provider(&folder, &plan), Err(JoinError::Taken { .. })),
            "keys are never overwritten"
        );

        fs::write(&path, "rpcs = 7").unwrap();
        assert!(matches!(JoinCard::read(&path), Err(JoinError::Card { .. })));
    }
}
