//! The validator: chain, desk and JSON-RPC in one process.
//!
//! ```text
//! start:  execution ─▶ ledger ─▶ manifests ─▶ consensus ─▶ desk ─▶ JSON-RPC ─▶ ready
//! stop:   JSON-RPC ─▶ desk ─▶ consensus ─▶ execution
//! ```

mod api;
mod catalogue;
mod desk;
mod manifests;
mod registry;

use crate::{
    config::{ValidatorConfig, read_genesis},
    keys,
    role::Shutdown,
};
use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use api::{Api, Ethereum};
use catalogue::{SharedVideos, Videos};
use chainflix_chain::{
    execution::{ExecutionConfig, ExecutionLayer, Storage},
    genesis::{EthereumGenesis, GAS_LIMIT, Predeploy},
    ledger::ViewLedger,
};
use chainflix_consensus::{Config, ConsensusHandle, ConsensusKey};
use chainflix_contracts::registry_predeploy;
use chainflix_primitives::{NetworkGenesis, NetworkSecret};
use chainflix_proof_of_view::Desk;
use chainflix_rpc::{Client, Options};
use desk::{DeskTask, Ready};
use manifests::Manifests;
use registry::Registry;
use std::{fs, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};

const WEI_PER_CFX: u128 = 1_000_000_000_000_000_000;
/// Time between looks for manifests that other validators have and this one has not.
const FETCH_EVERY: Duration = Duration::from_secs(2);
/// Manifests fetched at one look.
const FETCHES_MAX: usize = 16;

pub(crate) async fn run(config: ValidatorConfig, mut shutdown: Shutdown) -> Result<()> {
    let genesis = Arc::new(read_genesis(&config.genesis)?);
    let account = keys::read_account(&config.account_key)?;
    let secret = NetworkSecret::from_bytes(*keys::read(&config.network_secret)?);
    ensure!(
        secret.box_key().public_key() == genesis.network_box_key,
        "{} is not the secret of this network",
        config.network_secret.display()
    );
    let listener = TcpListener::bind(config.rpc_listen)
        .await
        .with_context(|| format!("cannot serve JSON-RPC at {}", config.rpc_listen))?;
    fs::create_dir_all(&config.data).with_context(|| format!("cannot make {}", config.data.display()))?;

    let execution = open_execution(&config, &genesis).await?;
    let ledger = ViewLedger::open(&config.data.join("views.redb"), genesis.clone())?;
    let manifests = Manifests::open(&config.data.join("manifests.redb"))?;
    let videos = Arc::new(Videos::new(Registry::new(execution.clone()), manifests, secret.box_key()));
    let ready = Arc::new(Ready::default());
    let consensus = start_consensus(&config, &genesis, &execution, &ledger, ready.clone())?;
    let desk = Desk::new(genesis.clone(), account, secret).context("the genesis does not name this validator")?;
    // Taken once, here.
    let incoming = consensus.take_incoming().context("the gossip is taken")?;
    let task = DeskTask { desk, videos: videos.clone(), ledger: ledger.clone(), ready, gossip: consensus.gossip() };
    let (desk, desk_task) = desk::start(task, &consensus, incoming);
    let fetcher = fetch_manifests(videos.clone(), &config.other_rpcs)?;
    let latest = consensus.watch_latest();
    let api = Api { genesis, ledger, videos, desk, latest };
    let options = Options {
        trusted_gateways: config.trusted_gateways.clone(),
        controllers: config.controllers.clone(),
        ..Options::default()
    };
    let mut stop = shutdown.clone();
    let ethereum = Arc::new(Ethereum(execution.clone()));
    let rpc = chainflix_rpc::serve(listener, ethereum, Arc::new(api), options, async move { stop.requested().await });
    let rpc = tokio::spawn(rpc);
    tracing::info!(rpc = %config.rpc_listen, "ready");

    let ended = tokio::select! {
        () = shutdown.requested() => Ok(()),
        ended = consensus.ended() => ended,
    };
    stop_all(rpc, desk_task, fetcher, &consensus, &execution).await?;
    ended.context("consensus ended")
}

/// In the reverse order of the start.
async fn stop_all(
    rpc: JoinHandle<()>,
    desk: JoinHandle<()>,
    fetcher: JoinHandle<()>,
    consensus: &ConsensusHandle,
    execution: &ExecutionLayer,
) -> Result<()> {
    rpc.abort();
    desk.abort();
    fetcher.abort();
    consensus.stop();
    if let Err(error) = consensus.join().await {
        tracing::error!(%error, "consensus did not end in order");
    }
    execution.shutdown().await.context("the execution store did not close in order")
}

async fn open_execution(config: &ValidatorConfig, genesis: &NetworkGenesis) -> Result<ExecutionLayer> {
    let supervisors: Vec<_> = genesis
        .supervisors
        .iter()
        // The genesis was checked: two ASCII letters.
        .filter_map(|supervisor| {
            Some((Address::from(supervisor.account.0), supervisor.country.as_bytes().try_into().ok()?))
        })
        .collect();
    let registry = registry_predeploy(Address::from(genesis.governor.0), &supervisors)?;
    let registry = Predeploy {
        address: registry.address.into_array(),
        code: registry.code.to_vec(),
        storage: registry.storage.into_iter().map(|(slot, word)| (slot.0, word.0)).collect(),
    };
    let allocations = genesis.allocations.iter();
    let ethereum = EthereumGenesis {
        chain_id: genesis.chain_id,
        timestamp_s: genesis.genesis_time_ms / 1000,
        allocations: allocations.map(|given| (given.account.0, u128::from(given.cfx) * WEI_PER_CFX)).collect(),
        predeploys: vec![registry],
        gas_limit: GAS_LIMIT,
    };
    let dir = config.data.join("chain");
    // A chain that is gone is fetched again only where there never was one: a lost disk must not look like a new node.
    let create = !config.data.join("views.redb").exists();
    let storage = Storage::Disk { dir, create };
    ExecutionLayer::open(storage, ethereum.build()?, ExecutionConfig::default())
        .await
        .with_context(|| format!("cannot open the chain in {}", config.data.display()))
}

fn start_consensus(
    config: &ValidatorConfig,
    genesis: &NetworkGenesis,
    execution: &ExecutionLayer,
    ledger: &ViewLedger,
    ready: Arc<Ready>,
) -> Result<ConsensusHandle> {
    let key = ConsensusKey::from_seed(*keys::read(&config.consensus_key)?);
    let public = key.public();
    let me = genesis.validators.iter().position(|validator| validator.consensus_key == public);
    let others = config.validators.iter().copied().enumerate().filter(|(number, _)| Some(*number) != me);
    let engine = Config {
        genesis: genesis.clone(),
        consensus_key: key,
        listen: config.listen,
        peers: others.collect(),
        dir: config.data.join("consensus"),
    };
    Ok(chainflix_consensus::start(engine, execution.clone(), ledger.clone(), ready)?)
}

/// Brings manifests that were handed to another validator, or while this one was away.
fn fetch_manifests(videos: SharedVideos, others: &[String]) -> Result<JoinHandle<()>> {
    let others = others.iter().map(|url| Client::new([url])).collect::<Result<Vec<_>, _>>()?;
    Ok(tokio::spawn(async move {
        let mut looks = tokio::time::interval(FETCH_EVERY);
        loop {
            looks.tick().await;
            if let Err(error) = fetch_missing(&videos, &others).await {
                tracing::warn!(error = format!("{error:#}"), "manifests cannot be fetched");
            }
        }
    }))
}

async fn fetch_missing(videos: &SharedVideos, others: &[Client]) -> Result<()> {
    let list = videos.clone();
    for magnet in tokio::task::spawn_blocking(move || list.missing(FETCHES_MAX)).await?? {
        for other in others {
            // Another validator that is down, or does not have it either, is asked again at the next look.
            let Ok(Some(bytes)) = other.manifest(magnet).await else { continue };
            let keep = videos.clone();
            tokio::task::spawn_blocking(move || keep.offer(&bytes)).await??;
            tracing::info!(%magnet, "manifest fetched from another validator");
            break;
        }
    }
    Ok(())
}
