//! What a provider tells its operator.

use super::{
    book::SharedBook,
    days::{self, DAYS_SHOWN_MAX, DayReport},
    registration::{Hindrance, Registration, Standing},
    state::{StateError, StateFolder},
};
use crate::config::ProviderConfig;
use chainflix_overlay::Dialer;
use chainflix_primitives::{AccountAddress, NodeId};
use chainflix_provider::{Provider, ProviderStatus, SilentBucket, Store};
use chainflix_rpc::{
    Client,
    types::{AccountQuery, Held, ServedQuery, ServedReport},
};
use serde::{Deserialize, Serialize};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::timeout};

/// How long validators may take to tell the account's coins and days; the page does not wait for them.
const COINS_PATIENCE: Duration = Duration::from_secs(2);

/// Everything about a running provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderReport {
    /// Who is paid.
    pub account: AccountAddress,
    /// Where it is reached.
    pub node: NodeId,
    /// Where it stands, in the operator's words.
    pub region: String,
    /// Room, deliveries, receipts, upkeep.
    pub status: ProviderStatus,
    /// Folders that are not there now: a disk that was unplugged, or failed.
    pub missing_folders: Vec<PathBuf>,
    /// Object stores that do not answer now.
    #[serde(default)]
    pub silent_stores: Vec<SilentBucket>,
    /// How others come to it.
    pub reach: Reach,
    /// Whether the registry names it: before that nobody sends it anything.
    pub registered: bool,
    /// How it stands there.
    #[serde(default)]
    pub registration: Registration,
    /// Why that is not what its owner wishes; `None` also where nothing failed yet.
    #[serde(default)]
    pub hindrance: Option<Hindrance>,
    /// Whether too much of what it served was void: until the period ends, nothing of it is paid. `None` while no
    /// validator answers.
    pub struck_out: Option<bool>,
    /// The account's coins; `None` while no validator answers.
    pub coins: Option<Coins>,
    /// What it did and earned by day, newest first; at most [`DAYS_SHOWN_MAX`].
    pub days: Vec<DayReport>,
}

/// What the account has, in the chain's units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Coins {
    /// To be spent now, in wei, as decimal digits.
    pub balance_wei: String,
    /// Voted for and not awarded yet, in gwei, as decimal digits.
    pub pending_gwei: String,
    /// Awarded and not to be spent yet, in gwei, as decimal digits.
    pub vesting_gwei: String,
    /// What is held back from it while it is young; `None` before it earned anything.
    pub held: Option<Held>,
}

/// How others come to this node, as far as it can know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Reach {
    /// At a public address: directly wherever the other side's router allows.
    Public { addresses: Vec<SocketAddr> },
    /// Through the relay alone.
    Relay { url: String },
    /// From its own network alone.
    Local { addresses: Vec<SocketAddr> },
    /// Not at all.
    Nowhere,
}

impl Reach {
    fn of(direct: Vec<SocketAddr>, relay: Option<String>) -> Self {
        let public: Vec<_> = direct.iter().copied().filter(|address| is_public(address.ip())).collect();
        match relay {
            _ if !public.is_empty() => Self::Public { addresses: public },
            Some(url) => Self::Relay { url },
            None if direct.is_empty() => Self::Nowhere,
            None => Self::Local { addresses: direct },
        }
    }
}

/// Whether an address means the same everywhere (RFC 6890, without the rarer ranges).
fn is_public(address: IpAddr) -> bool {
    // Carrier-grade NAT, RFC 6598.
    let is_shared = |ip: Ipv4Addr| ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
    let is_local = |ip: Ipv6Addr| ip.is_unique_local() || ip.is_unicast_link_local();
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || is_shared(ip))
        }
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unspecified() || is_local(ip)),
    }
}

/// Puts reports together.
pub(super) struct Reporter {
    pub provider: Arc<Provider>,
    pub store: Arc<Store>,
    pub state: StateFolder,
    pub book: SharedBook,
    pub dialer: Dialer,
    pub client: Client,
    pub account: AccountAddress,
    pub region: String,
    pub standing: watch::Receiver<Standing>,
}

impl Reporter {
    pub async fn report(&self) -> ProviderReport {
        let ways = self.dialer.ways();
        let status = self.provider.status();
        let standing = *self.standing.borrow();
        let (coins, served) = tokio::join!(self.coins(), self.served());
        let days = {
            let mut book = self.book.book();
            book.sent(crate::now_ms(), status.delivered_bytes);
            days::reports(&book, served.as_ref())
        };
        ProviderReport {
            account: self.account,
            node: ways.node,
            region: self.region.clone(),
            status,
            missing_folders: self.store.missing(),
            silent_stores: self.store.silent(),
            reach: Reach::of(ways.direct, ways.relay),
            registered: standing.registration == Registration::Registered,
            registration: standing.registration,
            hindrance: standing.hindrance,
            struck_out: served.map(|served| served.struck_out),
            coins,
            days,
        }
    }

    /// From now on the provider leaves, after restarts too; see [`Provider::leave`].
    pub fn leave(&self) -> Result<(), StateError> {
        self.state.set_leaving(true)?;
        tracing::info!("asked to leave: cells are copied elsewhere first");
        self.provider.leave();
        Ok(())
    }

    /// Stays after all; see [`Provider::stay`].
    pub fn stay(&self) -> Result<(), StateError> {
        self.state.set_leaving(false)?;
        tracing::info!("asked to stay");
        self.provider.stay();
        Ok(())
    }

    async fn served(&self) -> Option<ServedReport> {
        let query = ServedQuery { account: self.account, from: None, count: DAYS_SHOWN_MAX };
        timeout(COINS_PATIENCE, self.client.served(query)).await.ok()?.ok()
    }

    async fn coins(&self) -> Option<Coins> {
        let query = AccountQuery { account: self.account, count: 1, from: None };
        let report = timeout(COINS_PATIENCE, self.client.account(query)).await.ok()?.ok()?;
        Some(Coins {
            balance_wei: report.balance_wei.to_string(),
            pending_gwei: report.pending_gwei.to_string(),
            vesting_gwei: report.vesting_gwei.to_string(),
            held: report.held,
        })
    }
}

/// Where a provider's page is: what [`ProviderConfig::page_listen`] says, as a URL.
pub fn page_url(config: &ProviderConfig) -> Option<String> {
    config.page_listen.map(|listen| format!("http://{listen}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_is_told_from_addresses() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let relay = || Some("https://relay:1".to_owned());
        let home = addresses(&["192.168.0.7:4000", "[fe80::1]:4000", "100.64.3.3:4000"]);
        assert_eq!(Reach::of(home.clone(), relay()), Reach::Relay { url: "https://relay:1".into() });
        assert_eq!(Reach::of(home.clone(), None), Reach::Local { addresses: home.clone() });
        assert_eq!(Reach::of(Vec::new(), None), Reach::Nowhere);
        let public = addresses(&["203.0.113.9:4000", "[2001:db8::1]:4000"]);
        let both = [home, public.clone()].concat();
        assert_eq!(Reach::of(both, relay()), Reach::Public { addresses: public });
    }
}
