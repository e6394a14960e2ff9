//! The validator: chain, desk and JSON-RPC in one process.
//!
//! ```text
//! start:  execution ─▶ ledger ─▶ journal ─▶ manifests ─▶ consensus ─▶ desk ─▶ JSON-RPC ─▶ ready
//! stop:   JSON-RPC ─▶ desk ─▶ consensus ─▶ execution
//! ```

mod account;
mod api;
mod catalogue;
mod desk;
mod facts;
mod genesis;
mod manifests;
mod patience;
mod registry;

pub use genesis::ethereum;

use crate::{
    config::{ValidatorConfig, read_genesis},
    entropy, keys,
    role::Shutdown,
};
use account::Accounts;
use anyhow::{Context as _, Result};
use api::{Api, Ethereum};
use catalogue::{SharedVideos, Videos};
use chainflix_chain::{
    execution::{ExecutionConfig, ExecutionLayer, Storage},
    journal::Journal,
    ledger::ViewLedger,
};
use chainflix_consensus::{Config, ConsensusHandle, ConsensusKey};
use chainflix_key_service::SHARE_BYTES;
use chainflix_primitives::{AccountAddress, NetworkGenesis, NetworkKeys};
use chainflix_proof_of_view::{Desk, KeyService};
use chainflix_rpc::{Client, Options};
use desk::{DeskError, DeskTask, Ready};
use facts::ChainFacts;
use manifests::Manifests;
use registry::Registry;
use std::{fs, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};

/// Time between looks for manifests that other validators have and this one has not.
const FETCH_EVERY: Duration = Duration::from_secs(2);
/// Manifests fetched at one look.
const FETCHES_MAX: usize = 16;

pub(crate) async fn run(config: ValidatorConfig, mut shutdown: Shutdown) -> Result<()> {
    let genesis = Arc::new(read_genesis(&config.genesis)?);
    let account = keys::read_account(&config.account_key)?;
    let keys = open_keys(&config, &genesis, &account.address())?;
    let listener = TcpListener::bind(config.rpc_listen)
        .await
        .with_context(|| format!("cannot serve JSON-RPC at {}", config.rpc_listen))?;
    fs::create_dir_all(&config.data).with_context(|| format!("cannot make {}", config.data.display()))?;

    let execution = open_execution(&config, &genesis).await?;
    let ledger = ViewLedger::open(&config.data.join("views.redb"), genesis.clone())?;
    let manifests = Manifests::open(&config.data.join("manifests.redb"))?;
    let journal = Journal::open(&config.data.join("plays.redb"), &genesis)?;
    let facts = Arc::new(ChainFacts::new(execution.clone(), genesis.params.weights.bond_full_cfx));
    let videos = Arc::new(Videos::new(facts.clone(), Registry::new(execution.clone()), manifests));
    let ready = Arc::new(Ready::default());
    let consensus = start_consensus(&config, &genesis, &execution, &ledger, ready.clone())?;
    let desk = Desk::new(genesis.clone(), account, keys).context("the genesis does not name this validator")?;
    // Taken once, here.
    let incoming = consensus.take_incoming().context("the gossip is taken")?;
    let task = DeskTask {
        genesis: genesis.clone(),
        desk,
        videos: videos.clone(),
        ledger: ledger.clone(),
        ready,
        gossip: consensus.gossip(),
    };
    let refused = journal.refused();
    let (desk, mut desk_task) = desk::start(task, journal, &consensus, incoming).await?;
    let fetcher = fetch_manifests(videos.clone(), &config.other_rpcs)?;
    let follower = tokio::spawn(async move { facts.follow().await });
    let latest = consensus.watch_latest();
    let accounts = Accounts { genesis: genesis.clone(), execution: execution.clone(), ledger: ledger.clone(), refused };
    let api = Api { genesis, ledger, videos, desk, latest, accounts };
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
        ended = ended(&consensus, &mut desk_task) => ended,
    };
    stop_all(rpc, desk_task, [fetcher, follower], &consensus, &execution).await?;
    ended
}

/// Waits until something ends that nobody asked to end.
async fn ended(consensus: &ConsensusHandle, desk: &mut JoinHandle<Result<(), DeskError>>) -> Result<()> {
    let desk = async {
        match desk.await {
            // It ends in order when consensus does, which knows why.
            Ok(Ok(())) => std::future::pending().await,
            Ok(Err(error)) => Err(error).context("the desk cannot go on"),
            Err(panicked) => Err(panicked).context("the desk ended"),
        }
    };
    tokio::select! {
        ended = consensus.ended() => ended.context("consensus ended"),
        failed = desk => failed,
    }
}

/// In the reverse order of the start.
async fn stop_all(
    rpc: JoinHandle<()>,
    desk: JoinHandle<Result<(), DeskError>>,
    background: [JoinHandle<()>; 2],
    consensus: &ConsensusHandle,
    execution: &ExecutionLayer,
) -> Result<()> {
    rpc.abort();
    desk.abort();
    background.iter().for_each(JoinHandle::abort);
    consensus.stop();
    if let Err(error) = consensus.join().await {
        tracing::error!(%error, "consensus did not end in order");
    }
    execution.shutdown().await.context("the execution store did not close in order")
}

/// What releases keys, as the genesis says, with what this validator holds of them.
fn open_keys(
    config: &ValidatorConfig,
    genesis: &Arc<NetworkGenesis>,
    account: &AccountAddress,
) -> Result<Box<dyn KeyService>> {
    let path = &config.network_secret;
    let open = |held: &[u8]| chainflix_key_service::open(genesis, account, held, entropy());
    let opened = match genesis.keys {
        NetworkKeys::Shared { .. } => open(&keys::read::<32>(path)?[..]),
        NetworkKeys::Threshold { .. } => open(&keys::read::<SHARE_BYTES>(path)?[..]),
    };
    opened.with_context(|| format!("{} does not open the keys of this network", path.display()))
}

async fn open_execution(config: &ValidatorConfig, genesis: &NetworkGenesis) -> Result<ExecutionLayer> {
    let ethereum = ethereum(genesis)?;
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
