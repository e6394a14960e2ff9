//! Starts, stops and watches the validators of a test.

use crate::{Config, ConsensusHandle, PayloadSource, start, testing};
use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Signature, TxKind, U256};
use chainflix_chain::{
    execution::{Address, ExecutionConfig, ExecutionLayer, H256, Storage},
    ledger::{Preview, ViewLedger},
};
use chainflix_contracts::{REGISTRY_ADDRESS, SolCall};
use chainflix_primitives::{AccountKey, NetworkGenesis, ViewPayload};
use serde_json::json;
use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

pub const BLOCK_MS: u64 = 300;

/// Nothing that works takes this long, even on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Validator {
    pub consensus: ConsensusHandle,
    pub execution: ExecutionLayer,
    pub ledger: ViewLedger,
}

impl Validator {
    pub fn height(&self) -> u64 {
        self.consensus.latest().height
    }

    pub async fn hash(&self, height: u64) -> H256 {
        self.execution.block_by_number(height).await.unwrap().unwrap().hash()
    }

    pub async fn balance(&self, account: [u8; 20]) -> u128 {
        self.execution.balance(Address::from(account)).unwrap().as_u128()
    }

    pub async fn reach(&self, height: u64) {
        let mut latest = self.consensus.watch_latest();
        let reached = patiently(latest.wait_for(|block| block.height >= height)).await;
        assert!(reached.is_ok(), "consensus ended: {:?}", self.consensus.ended().await);
    }
}

pub async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("waited in vain")
}

/// Where a network keeps its blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    InMemory,
    OnDisk,
}

pub struct Network {
    pub genesis: NetworkGenesis,
    pub validators: Vec<Option<Validator>>,
    addresses: Vec<SocketAddr>,
    kept: Kept,
    root: PathBuf,
    /// Removes the folder at the end, where it is the test's own.
    _owned: Option<TempDir>,
}

impl Network {
    pub async fn start(validators: usize, kept: Kept) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        Self { _owned: Some(folder), ..Self::start_in(root, validators, kept).await }
    }

    /// Starts, or continues, a network in this folder.
    pub async fn start_in(root: PathBuf, validators: usize, kept: Kept) -> Self {
        let _ = tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).try_init();
        let (genesis, addresses) = (testing::genesis(validators, BLOCK_MS), free_addresses(validators));
        let mut network = Self { genesis, validators: Vec::new(), addresses, kept, root, _owned: None };
        for number in 0..validators {
            let validator = network.open(number).await;
            network.validators.push(Some(validator));
        }
        network
    }

    pub fn folder(&self, validator: usize, part: &str) -> PathBuf {
        self.root.join(format!("validator-{validator}")).join(part)
    }

    pub fn config(&self, number: usize) -> Config {
        let peers = self.addresses.iter().copied().enumerate().filter(|(peer, _)| *peer != number);
        Config {
            genesis: self.genesis.clone(),
            consensus_key: testing::consensus_key(number),
            listen: self.addresses[number],
            peers: peers.collect(),
            dir: self.folder(number, "consensus"),
        }
    }

    async fn open(&self, number: usize) -> Validator {
        let storage = match self.kept {
            Kept::InMemory => Storage::Memory,
            Kept::OnDisk => Storage::Disk { dir: self.folder(number, "execution"), create: true },
        };
        let config = ExecutionConfig { block_cache_bytes: 8 << 20, ..ExecutionConfig::default() };
        let ethereum = testing::ethereum_genesis(&self.genesis);
        let execution = ExecutionLayer::open(storage, ethereum, config).await.unwrap();
        let ledger = open_ledger(&self.folder(number, "ledger"), &self.genesis);
        let desk = Arc::new(TestDesk { genesis: self.genesis.clone() });
        let consensus = start(self.config(number), execution.clone(), ledger.clone(), desk).unwrap();
        Validator { consensus, execution, ledger }
    }

    pub async fn restart(&mut self, number: usize) {
        let validator = self.open(number).await;
        self.validators[number] = Some(validator);
    }

    /// Stops a validator as a node does, and forgets it.
    pub async fn stop(&mut self, number: usize) {
        let validator = self.validators[number].take().unwrap();
        validator.consensus.stop();
        patiently(validator.consensus.join()).await.unwrap();
        validator.execution.shutdown().await.unwrap();
    }

    /// Stops all validators, so that no thread of theirs outlives the test.
    pub async fn stop_all(&mut self) {
        for number in 0..self.validators.len() {
            self.stop(number).await;
        }
    }

    pub fn running(&self) -> impl Iterator<Item = &Validator> {
        self.validators.iter().flatten()
    }

    /// Waits until every running validator is at `height`.
    pub async fn reach(&self, height: u64) {
        for validator in self.running() {
            validator.reach(height).await;
        }
    }

    /// The lowest height of the running validators.
    pub fn common_height(&self) -> u64 {
        self.running().map(Validator::height).min().unwrap()
    }

    /// Checks that all running validators hold the same block at `height`, and returns its hash.
    pub async fn agreed_hash(&self, height: u64) -> H256 {
        let mut hashes = Vec::new();
        for validator in self.running() {
            hashes.push(validator.hash(height).await);
        }
        assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "fork at {height}: {hashes:?}");
        hashes[0]
    }
}

fn open_ledger(dir: &std::path::Path, genesis: &NetworkGenesis) -> ViewLedger {
    std::fs::create_dir_all(dir).unwrap();
    ViewLedger::open(&dir.join("views.redb"), Arc::new(genesis.clone())).unwrap()
}

fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

/// Has the votes on every finished slot and every audit, as if all validators had cast them at once.
struct TestDesk {
    genesis: NetworkGenesis,
}

impl PayloadSource for TestDesk {
    fn payload(&self, preview: &Preview) -> Option<Arc<ViewPayload>> {
        let running = self.genesis.params.slot_at(self.genesis.genesis_time_ms, testing::now_ms());
        let finished = running.checked_sub(1)?;
        let audits = testing::audits_of(&self.genesis, preview);
        let new = preview.last_slot().is_none_or(|last| last < finished);
        let slot = new.then(|| testing::payload_of(&self.genesis, finished).slot).flatten();
        (slot.is_some() || !audits.is_empty()).then(|| Arc::new(ViewPayload { slot, audits }))
    }
}

/// A signed payment by [`testing::user`].
pub fn payment(chain_id: u64, nonce: u64, to: [u8; 20], wei: u64) -> Vec<u8> {
    let (to, value) = (TxKind::Call(alloy_primitives::Address::from(to)), U256::from(wei));
    signed(&testing::user(), TxEip1559 { chain_id, nonce, gas_limit: 21_000, to, value, ..TxEip1559::default() })
}

/// A signed call of the registry.
pub fn registry_call(key: &AccountKey, chain_id: u64, nonce: u64, call: &impl SolCall) -> Vec<u8> {
    let (to, input) = (TxKind::Call(REGISTRY_ADDRESS), call.abi_encode().into());
    signed(key, TxEip1559 { chain_id, nonce, gas_limit: 500_000, to, input, ..TxEip1559::default() })
}

fn signed(key: &AccountKey, transaction: TxEip1559) -> Vec<u8> {
    let transaction = TxEip1559 { max_fee_per_gas: 1_000_000_000, max_priority_fee_per_gas: 1, ..transaction };
    let signature = key.sign_digest(&transaction.signature_hash().0);
    let (r, s) = (U256::from_be_slice(&signature.0[..32]), U256::from_be_slice(&signature.0[32..64]));
    transaction.into_signed(Signature::new(r, s, signature.0[64] == 1)).encoded_2718()
}

/// Sends a transaction as a wallet does.
pub async fn send(validator: &Validator, raw: &[u8]) {
    let raw = alloy_primitives::hex::encode_prefixed(raw);
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw] });
    let answer = validator.execution.json_rpc(request).await;
    assert!(answer.get("error").is_none(), "{answer}");
}
