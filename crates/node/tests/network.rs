//! A whole network in one process, with short cells: publish, watch, and count the coins.

#[path = "network/liars.rs"]
mod liars;

use alloy_primitives::Address;
use alloy_sol_types::SolCall as _;
use anyhow::{Context as _, Result};
use chainflix_contracts::{IRegistry, REGISTRY_ADDRESS};
use chainflix_node::{
    RoleConfig, Shutdown, ShutdownTrigger,
    network::{KeyMode, Layout, Plan, Ports},
    publish::{self, PublishOptions, Published},
    run,
    watch::{self, ShareOptions, WatchEvent, WatchOptions, WatchSummary},
};
use chainflix_primitives::{AccountAddress, AccountKey, AuditParams, ProtocolParams, RewardSplit};
use chainflix_rpc::{Client, send_transaction, types::ViewBlockQuery};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{Mutex, Notify},
    task::JoinHandle,
};
use zeroize::Zeroizing;

const WEI_PER_CFX: u128 = 1_000_000_000_000_000_000;

/// Networks run one after another, also where all tests share a process: each needs ports, and the machine.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Every role as a task.
struct Network {
    layout: Layout,
    roles: Vec<(String, ShutdownTrigger, JoinHandle<Result<()>>)>,
    client: Client,
}

fn free_ports() -> Ports {
    // Held together, so that the three ranges are free at this moment.
    let base = (20_000..60_000).step_by(100).find(|base| {
        let wanted = (0..4).chain(20..24).chain(40..52);
        let held: Vec<_> = wanted.map(|offset| TcpListener::bind(("127.0.0.1", base + offset))).collect();
        held.iter().all(Result::is_ok)
    });
    let base = base.expect("a hundred free ports");
    Ports { web: base, rpc: base + 20, inner: base + 40 }
}

/// The creator gives the viewer five of a hundred more than the network does.
const SPLIT: RewardSplit = RewardSplit { creator: 250, viewer: 350, ..RewardSplit::DEFAULT };

impl Network {
    /// A network that audits every play.
    async fn start(dir: &Path, keys: KeyMode) -> Result<Self> {
        let params = ProtocolParams::accelerated(20);
        let audit = AuditParams { share_permille: 1_000, ..params.audit };
        let params = ProtocolParams { audit, ..params };
        let plan = Plan {
            validators: 4,
            controllers: 2,
            providers: 3,
            params,
            ports: free_ports(),
            quota_bytes: 1 << 30,
            keys,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
        Self::of(plan.write(dir, now)?)
    }

    fn of(layout: Layout) -> Result<Self> {
        let client = Client::new(&layout.rpcs)?;
        let mut network = Self { layout, roles: Vec::new(), client };
        for (name, config) in network.layout.processes.clone() {
            network.start_role(name, &config)?;
        }
        Ok(network)
    }

    fn start_role(&mut self, name: String, config: &Path) -> Result<()> {
        let (trigger, shutdown) = Shutdown::by_hand();
        let role = tokio::spawn(run(RoleConfig::read(config)?, shutdown));
        self.roles.push((name, trigger, role));
        Ok(())
    }

    /// Ends a role without a word, as a power cut does.
    async fn kill(&mut self, name: &str) -> Result<()> {
        let number = self.roles.iter().position(|(known, ..)| known == name).context("no such role")?;
        let (_, _, role) = self.roles.remove(number);
        role.abort();
        anyhow::ensure!(role.await.is_err_and(|error| error.is_cancelled()), "{name} ended by itself");
        Ok(())
    }

    async fn stop(self) -> Result<()> {
        for (name, trigger, role) in self.roles.into_iter().rev() {
            trigger.request();
            role.await?.with_context(|| format!("{name} did not stop in order"))?;
        }
        Ok(())
    }

    async fn wait_until<F: Future<Output = Result<bool>>>(
        &self,
        what: &str,
        mut done: impl FnMut() -> F,
    ) -> Result<()> {
        for _ in 0..600 {
            if done().await.unwrap_or(false) {
                return Ok(());
            }
            for (name, _, role) in &self.roles {
                anyhow::ensure!(!role.is_finished(), "{name} ended while waiting for {what}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("waited a minute for {what}")
    }

    async fn height(&self) -> Result<u64> {
        Ok(self.client.head().await?.number)
    }

    async fn send(&self, from: &AccountKey, to: AccountAddress, cfx: u64, data: Vec<u8>) -> Result<()> {
        send_transaction(&self.client, from, Some(to), u128::from(cfx) * WEI_PER_CFX, data).await?;
        Ok(())
    }

    /// Coins for everybody who sends transactions, and the creator's admission.
    async fn admit(&self) -> Result<()> {
        self.wait_until("the first blocks", || async { Ok(self.height().await? > 1) }).await?;
        let treasury = self.layout.account("treasury")?;
        let (creator, supervisor) = (self.layout.account("creator")?, self.layout.account("supervisor")?);
        for account in [creator.address(), supervisor.address()] {
            self.send(&treasury, account, 10, vec![]).await?;
        }
        for number in 0..3 {
            self.send(&treasury, self.layout.provider_account(number)?, 10, vec![]).await?;
        }
        let call = IRegistry::admitCreatorCall { creator: Address::from(creator.address().0) };
        self.send(&supervisor, AccountAddress(REGISTRY_ADDRESS.into_array()), 0, call.abi_encode()).await?;
        self.wait_until("the providers", || async { Ok(self.client.providers().await?.len() == 3) }).await
    }

    async fn publish(&self, file: PathBuf) -> Result<Published> {
        let options = PublishOptions {
            file,
            title: Some("Test card".into()),
            split: Some(SPLIT),
            creator: self.layout.account("creator")?,
            rpcs: self.layout.rpcs.clone(),
            controllers: self.layout.controllers.clone(),
            relay: None,
            scratch: self.layout.dir.clone(),
        };
        publish::publish(options, &|_| {}).await
    }

    async fn watch(&self, film: &Published, viewer: [u8; 32]) -> Result<WatchSummary> {
        let (_trigger, shutdown) = Shutdown::by_hand();
        Self::watch_as(self.viewer(film, viewer), shutdown).await
    }

    fn viewer(&self, film: &Published, viewer: [u8; 32]) -> WatchOptions {
        WatchOptions {
            magnet: film.magnet,
            secret: Zeroizing::new(viewer),
            rpcs: self.layout.rpcs.clone(),
            controllers: self.layout.controllers.clone(),
            relay: None,
            relay_only: false,
            cells: None,
            share: None,
        }
    }

    async fn watch_as(options: WatchOptions, shutdown: Shutdown) -> Result<WatchSummary> {
        Self::watch_and(options, shutdown, |_| ()).await
    }

    /// Watches, and tells `look` what happens.
    async fn watch_and(
        options: WatchOptions,
        shutdown: Shutdown,
        look: impl Fn(&WatchEvent) + Send + Sync,
    ) -> Result<WatchSummary> {
        let started = std::time::Instant::now();
        let told = |event: WatchEvent| {
            look(&event);
            eprintln!("{:?} {}", started.elapsed(), serde_json::to_string(&event).unwrap());
        };
        watch::watch(options, &told, shutdown).await
    }

    async fn balance(&self, account: AccountAddress) -> Result<u128> {
        Ok(self.client.balance(account).await?.to())
    }
}

fn film(folder: &Path, seconds: u32) -> PathBuf {
    let path = folder.join("film.mp4");
    let picture = format!("testsrc2=size=320x180:rate=25:duration={seconds}");
    let sound = format!("sine=frequency=440:duration={seconds}");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound])
        .args(["-pix_fmt", "yuv420p", "-shortest"])
        .arg(&path)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_published_watched_and_paid() -> Result<()> {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("network");
    let network = Network::start(&dir, KeyMode::Shared).await?;
    network.admit().await?;
    let film = network.publish(film(folder.path(), 9)).await?;
    assert_eq!(film.cells, 3);
    assert_eq!(network.client.schedule().await?.view_blocks, 0, "no viewer, no coin");

    let viewer = [42; 32];
    let summary = network.watch(&film, viewer).await?;
    let WatchSummary { played, proved, opened, accepted, .. } = summary;
    assert_eq!((played, proved, opened, accepted), (3, 3, 3, 3), "{summary:?}");

    let gwei_per_cfx = 1_000_000_000u128;
    // Another validator may be a block behind the one that said that the last play is accepted.
    let is_even = || async {
        let schedule = network.client.schedule().await?;
        Ok(schedule.issued_gwei == u128::from(schedule.view_blocks) * 90 * gwei_per_cfx)
    };
    network.wait_until("90 CFX for each view block", is_even).await?;
    let schedule = network.client.schedule().await?;
    let account = AccountKey::from_bytes(&viewer)?.address();
    let expected = schedule.issued_gwei * u128::from(SPLIT.viewer) / 1000 * gwei_per_cfx;
    network.wait_until("the viewer's coins", || async { Ok(network.balance(account).await? == expected) }).await?;
    let supervisor = network.balance(network.layout.account("supervisor")?.address()).await?;
    assert!(supervisor > 9 * WEI_PER_CFX + WEI_PER_CFX * 27 / 10, "2.7 CFX a view block: {supervisor}");
    let blocks = network.client.view_blocks(ViewBlockQuery { from: None, count: 10 }).await?;
    assert_eq!(blocks.iter().map(|block| block.plays).sum::<u32>(), 3);

    // Everything stops, and starts again with the same chain.
    let height = network.height().await?;
    network.stop().await?;
    let network = Network::of(Layout::open(&dir)?)?;
    network.wait_until("the old height", || async { Ok(network.height().await? > height) }).await?;
    assert_eq!(network.balance(account).await?, expected);
    assert_eq!(network.client.schedule().await?.issued_gwei, schedule.issued_gwei);
    let again = network.watch(&film, viewer).await?;
    assert_eq!((again.played, again.proved), (3, 0), "watching again is free and unpaid");
    network.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_of_validators_releases_a_film() -> Result<()> {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir()?;
    let mut network = Network::start(&folder.path().join("network"), KeyMode::Threshold).await?;
    assert_eq!(network.layout.genesis.keys.quorum(), 3, "of four");
    network.admit().await?;
    let film = network.publish(film(folder.path(), 6)).await?;
    let summary = network.watch(&film, [42; 32]).await?;
    assert_eq!((summary.proved, summary.opened, summary.accepted), (2, 2, 2), "{summary:?}");

    // One validator less is still a quorum, for a viewer whose keys nobody has yet.
    let (name, trigger, role) = network.roles.remove(3);
    assert_eq!(name, "validator-3");
    trigger.request();
    role.await??;
    let summary = network.watch(&film, [43; 32]).await?;
    assert_eq!(summary.played, 2, "{summary:?}");
    network.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_dies_in_mid_film_stalls_nobody() -> Result<()> {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir()?;
    let mut network = Network::start(&folder.path().join("network"), KeyMode::Shared).await?;
    network.admit().await?;
    let five_cells = network.publish(film(folder.path(), 15)).await?;

    // It dies while the second of five cells plays.
    let second_plays = Notify::new();
    let (_trigger, shutdown) = Shutdown::by_hand();
    let watching = Network::watch_and(network.viewer(&five_cells, [42; 32]), shutdown, |event| {
        if matches!(event, WatchEvent::PlayStarted { index: 1, .. }) {
            second_plays.notify_one();
        }
    });
    let killing = async {
        second_plays.notified().await;
        network.kill("controller-0").await
    };
    let (summary, killed) = tokio::join!(watching, killing);
    let (summary, ()) = (summary?, killed?);
    assert_eq!((summary.played, summary.accepted), (5, 5), "{summary:?}");
    // Who waited for the dead one would stand still for the second that each controller is given.
    let nobody_waited = |summary: &WatchSummary| assert!(summary.stalled_ms < 500, "{summary:?}");
    nobody_waited(&summary);

    // Nobody waits for it to come back: a newcomer's first cell, and the next film.
    let newcomer = network.watch(&five_cells, [43; 32]).await?;
    assert_eq!(newcomer.played, 5, "{newcomer:?}");
    nobody_waited(&newcomer);
    let other = tempfile::tempdir()?;
    let next = network.publish(film(other.path(), 9)).await?;
    let summary = network.watch(&next, [44; 32]).await?;
    assert_eq!(summary.played, 3, "{summary:?}");
    nobody_waited(&summary);

    // And when it is back it can do without the other one.
    let config = network.layout.dir.join("controller-0/config.toml");
    network.start_role("controller-0".into(), &config)?;
    network.kill("controller-1").await?;
    let summary = network.watch(&next, [45; 32]).await?;
    assert_eq!((summary.played, summary.accepted), (3, 3), "{summary:?}");
    network.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watched_serves_the_next_viewer_and_is_paid_for_it() -> Result<()> {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir()?;
    let mut network = Network::start(&folder.path().join("network"), KeyMode::Shared).await?;
    network.admit().await?;
    let film = network.publish(film(folder.path(), 6)).await?;

    let first = [42; 32];
    let share = ShareOptions {
        folder: folder.path().join("shared"),
        quota_bytes: 100_000_000,
        uplink_bytes_per_s: 0,
        viewers_max: 8,
        stay: true,
    };
    let options = WatchOptions { share: Some(share), ..network.viewer(&film, first) };
    let (enough, shutdown) = Shutdown::by_hand();
    let sharing = tokio::spawn(Network::watch_as(options, shutdown));
    // It enters the registry when its first coins are there.
    let account = AccountKey::from_bytes(&first)?.address();
    let registered = || async { Ok(network.client.providers().await?.iter().any(|known| known.account == account)) };
    network.wait_until("the sharing viewer's registration", registered).await?;
    let paid = 2 * u128::from(SPLIT.viewer);
    let kept = || async { Ok(network.balance(account).await? >= paid * 90 * WEI_PER_CFX / 1000 - WEI_PER_CFX) };
    network.wait_until("the end of the film", kept).await?;

    // Every provider goes: who is left is the viewer.
    for number in (0..network.roles.len()).rev() {
        if network.roles[number].0.starts_with("provider") {
            let (_, trigger, role) = network.roles.remove(number);
            trigger.request();
            role.await??;
        }
    }
    let before = network.balance(account).await?;
    let summary = network.watch(&film, [43; 32]).await?;
    assert_eq!((summary.played, summary.accepted), (2, 2), "{summary:?}");
    network.wait_until("the storage share", || async { Ok(network.balance(account).await? > before) }).await?;
    enough.request();
    let shared = sharing.await??;
    assert_eq!(shared.shared_bytes, summary.bytes, "{shared:?}");
    network.stop().await
}
