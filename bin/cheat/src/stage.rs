//! The network that is attacked: every role as a task of this process, real sockets and disks, short cells.
//!
//! ```text
//! 3 honest validators, 1 that a cheater owns · relay · controller · 3 providers · gateway
//! film of an honest creator, film of a cheating one · an overlay node that all clients share
//! ```

use crate::rogue::Rogue;
use alloy_primitives::Address;
use alloy_sol_types::SolCall as _;
use anyhow::{Context as _, Result, ensure};
use chainflix_contracts::{IRegistry, REGISTRY_ADDRESS};
use chainflix_node::{
    RoleConfig, Shutdown, ShutdownTrigger, keys,
    network::{KeyMode, Layout, Plan, Ports},
    publish::{self, PublishOptions, Published},
    run,
};
use chainflix_overlay::{ControllerInfo, Dialer, NodeKey, Overlay, OverlayConfig, RelayInfo};
use chainflix_primitives::{
    AccountAddress, AccountKey, AuditParams, BlockHash, NetworkGenesis, ProtocolParams, WeightParams,
};
use chainflix_rpc::{Client, send_transaction};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::watch, task::JoinHandle};

/// How many times as fast as real time the protocol's clock runs: cells of seven and a half seconds.
const FACTOR: u64 = 8;
/// Number of the validator that a cheater owns; it is not started as a role.
pub const ROGUE: u16 = 3;
/// Cells of one creator that an account watches with full weight.
pub const CAP_CELLS: u32 = 3;
/// One CFX.
pub const WEI_PER_CFX: u128 = 1_000_000_000_000_000_000;
/// Longest wait for anything while the network starts.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(250);

/// A published film and its manifest.
pub struct Film {
    pub creator: AccountAddress,
    pub published: Published,
    pub manifest: Vec<u8>,
}

/// The running network.
pub struct Stage {
    pub layout: Layout,
    pub genesis: NetworkGenesis,
    /// JSON-RPC of the honest validators.
    pub rpcs: Vec<String>,
    pub rpc: Client,
    pub dialer: Dialer,
    pub head: watch::Receiver<(u32, BlockHash)>,
    /// The film that everybody watches.
    pub film: Film,
    /// The film of the creator that watches itself.
    pub ring: Film,
    /// The validator that a cheater owns.
    pub rogue: Rogue,
    overlay: Overlay,
    follower: JoinHandle<()>,
    roles: Vec<(String, ShutdownTrigger, JoinHandle<Result<()>>)>,
    addresses: AtomicU16,
    _folder: tempfile::TempDir,
}

/// The rules of the bench: the defaults, faster, with what a bench of minutes on a busy machine needs.
///
/// Every carried play is audited: one in twenty is drawn on a real network, and that would show luck; what one in twenty
/// leaves to a cheater is in the simulation. Viewers and validators have as long as in real time to answer, or longer,
/// since here all of them share one processor, and nonces are sixteen times as easy. The creator's cap is
/// [`CAP_CELLS`], so that a ring meets it within a minute.
pub fn params() -> ProtocolParams {
    let params = ProtocolParams::accelerated(FACTOR);
    ProtocolParams {
        late_permille: 3_000,
        slot_grace_ms: 1_500,
        slot_attempt_ms: 4_000,
        difficulty_bits: 12,
        audit: AuditParams { share_permille: 1000, answer_ms: 15_000, ..params.audit },
        weights: WeightParams { creator_full_ms_per_period: u64::from(CAP_CELLS) * params.cell_ms, ..params.weights },
        ..params
    }
}

impl Stage {
    /// Starts everything and publishes `film` twice: once for everybody, once by a creator that cheats.
    pub async fn start(film: &Path) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let plan = Plan {
            validators: 4,
            controllers: 1,
            providers: 3,
            params: params(),
            ports: free_ports()?,
            quota_bytes: 1 << 30,
            keys: KeyMode::Shared,
        };
        let layout = plan.write(&folder.path().join("network"), now_ms())?;
        let honest = layout.processes.iter().filter(|(name, _)| *name != format!("validator-{ROGUE}"));
        let rogue = Rogue::join(&layout).await?;
        let roles = honest.map(|(name, config)| start_role(name, config)).collect::<Result<Vec<_>>>()?;
        let rpcs: Vec<_> = layout.rpcs[..usize::from(ROGUE)].to_vec();
        let rpc = Client::new(&rpcs)?;
        wait_for("the first blocks", &roles, || async { rpc.head().await.is_ok_and(|head| head.number > 1) }).await?;
        // Any 32 random bytes are a key, but for a chance of 2^-128.
        let cheat = AccountKey::from_bytes(&rand::random())?;
        let creator = layout.account("creator")?;
        admit(&layout, &rpc, [creator.address(), cheat.address()]).await?;
        wait_for("the providers", &roles, || async { rpc.providers().await.is_ok_and(|all| all.len() == 3) }).await?;
        let one = publish(&layout, &rpcs, &rpc, film, creator, "A film").await?;
        let other = publish(&layout, &rpcs, &rpc, film, cheat, "A creator's mirror").await?;
        let overlay = join(&layout).await?;
        let (head, follower) = follow_head(&rpc).await?;
        Ok(Self {
            genesis: layout.genesis.clone(),
            layout,
            rpcs,
            dialer: overlay.dialer(),
            rpc,
            head,
            film: one,
            ring: other,
            rogue,
            overlay,
            follower,
            roles,
            addresses: AtomicU16::new(0),
            _folder: folder,
        })
    }

    /// Stops everything, in order.
    pub async fn stop(self) -> Result<()> {
        self.follower.abort();
        self.overlay.close().await;
        self.rogue.leave().await?;
        for (name, trigger, role) in self.roles.into_iter().rev() {
            trigger.request();
            role.await?.with_context(|| format!("{name} did not stop in order"))?;
        }
        Ok(())
    }

    /// An address in a /24 that nobody else has.
    pub fn address(&self) -> Ipv4Addr {
        let number = self.addresses.fetch_add(1, Relaxed);
        // From 127.1.0.1 on; a bench has far fewer clients than there are.
        let [high, low] = (number + 256).to_be_bytes();
        Ipv4Addr::new(127, high, low, 1)
    }

    /// Makes sure that no role has ended.
    pub fn check_alive(&self) -> Result<()> {
        for (name, _, role) in &self.roles {
            ensure!(!role.is_finished(), "{name} ended under attack");
        }
        Ok(())
    }

    /// The protocol's numbers.
    pub fn params(&self) -> &ProtocolParams {
        &self.genesis.params
    }

    /// The account key of a provider: for the provider that colludes.
    pub fn provider_key(&self, number: u16) -> Result<AccountKey> {
        Ok(keys::read_account(&self.layout.dir.join(format!("provider-{number}/account.key")))?)
    }

    /// Sends coins from the treasury.
    pub async fn fund(&self, account: AccountAddress, cfx: u64) -> Result<()> {
        send(&self.rpc, &self.layout.account("treasury")?, account, cfx, vec![]).await
    }
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    // Fits until the year 584,542,046.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

fn free_ports() -> Result<Ports> {
    let base = (20_000..60_000).step_by(100).find(|base| {
        let wanted = (0..4).chain(20..24).chain(40..52);
        // Held together, so that the three ranges are free at this moment.
        let held: Vec<_> = wanted.map(|offset| TcpListener::bind(("127.0.0.1", base + offset))).collect();
        held.iter().all(Result::is_ok)
    });
    let base = base.context("there are no free ports")?;
    Ok(Ports { web: base, rpc: base + 20, inner: base + 40 })
}

fn start_role(name: &str, config: &Path) -> Result<(String, ShutdownTrigger, JoinHandle<Result<()>>)> {
    let (trigger, shutdown) = Shutdown::by_hand();
    Ok((name.to_owned(), trigger, tokio::spawn(run(RoleConfig::read(config)?, shutdown))))
}

async fn wait_for<F: Future<Output = bool>>(
    what: &str,
    roles: &[(String, ShutdownTrigger, JoinHandle<Result<()>>)],
    mut done: impl FnMut() -> F,
) -> Result<()> {
    let waiting = async {
        while !done().await {
            for (name, _, role) in roles {
                ensure!(!role.is_finished(), "{name} ended while waiting for {what}");
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, waiting).await.with_context(|| format!("waited too long for {what}"))?
}

/// Coins for everybody who sends transactions, and two admitted creators: the second one cheats.
async fn admit(layout: &Layout, rpc: &Client, creators: [AccountAddress; 2]) -> Result<()> {
    let treasury = layout.account("treasury")?;
    let supervisor = layout.account("supervisor")?;
    for account in creators.into_iter().chain([supervisor.address()]) {
        send(rpc, &treasury, account, 10, vec![]).await?;
    }
    for number in 0..3 {
        send(rpc, &treasury, layout.provider_account(number)?, 10, vec![]).await?;
    }
    let registry = AccountAddress(REGISTRY_ADDRESS.into_array());
    for creator in creators {
        let call = IRegistry::admitCreatorCall { creator: Address::from(creator.0) };
        send(rpc, &supervisor, registry, 0, call.abi_encode()).await?;
    }
    Ok(())
}

pub async fn send(rpc: &Client, from: &AccountKey, to: AccountAddress, cfx: u64, data: Vec<u8>) -> Result<()> {
    send_transaction(rpc, from, Some(to), u128::from(cfx) * WEI_PER_CFX, data).await?;
    Ok(())
}

async fn publish(
    layout: &Layout,
    rpcs: &[String],
    rpc: &Client,
    file: &Path,
    creator: AccountKey,
    title: &str,
) -> Result<Film> {
    let account = creator.address();
    let options = PublishOptions {
        file: PathBuf::from(file),
        title: Some(title.to_owned()),
        creator,
        rpcs: rpcs.to_vec(),
        controllers: layout.controllers.clone(),
        relay: None,
        scratch: layout.dir.clone(),
        split: None,
    };
    let published = publish::publish(options, &|_| {}).await?;
    let manifest = rpc.manifest(published.magnet).await?.context("the manifest was handed in a moment ago")?;
    Ok(Film { creator: account, published, manifest })
}

/// One overlay node for all clients: the network counts accounts and addresses of plays, not nodes.
async fn join(layout: &Layout) -> Result<Overlay> {
    let key = NodeKey::from_bytes(&rand::random());
    let mut config = OverlayConfig::new(key, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let certificate_der = fs::read(&layout.relay.certificate).context("the relay has no certificate")?;
    let relay = RelayInfo { url: layout.relay.url.clone(), certificate_der };
    let controller = &layout.controllers[0];
    config.controllers = vec![ControllerInfo {
        node: controller.node,
        direct: controller.addresses.clone(),
        relay: Some(relay.url.clone()),
    }];
    config.relay = Some(relay);
    Overlay::bind(config).await.context("the clients cannot join the overlay")
}

/// Follows the newest final block, twice a block.
async fn follow_head(rpc: &Client) -> Result<(watch::Receiver<(u32, BlockHash)>, JoinHandle<()>)> {
    let pair = |head: chainflix_rpc::types::Head| (u32::try_from(head.number).unwrap_or(u32::MAX), head.hash);
    let block_ms = rpc.genesis().await?.params.block_ms;
    let (sender, receiver) = watch::channel(pair(rpc.head().await?));
    let rpc = rpc.clone();
    let follower = tokio::spawn(async move {
        let mut looks = tokio::time::interval(Duration::from_millis(block_ms / 2));
        loop {
            looks.tick().await;
            if let Ok(head) = rpc.head().await {
                sender.send_replace(pair(head));
            }
        }
    });
    Ok((receiver, follower))
}
