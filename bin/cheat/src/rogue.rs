//! A validator that lies: an honest part of consensus, with a tongue of its own between validators.
//!
//! It runs the real chain and consensus, so the others hear it as the validator it is; what it says about views is made
//! here and signed with that validator's key. Nothing of the network's own code knows of it.

use crate::stage::ROGUE;
use anyhow::{Result, bail};
use bytes::Bytes;
use chainflix_chain::{
    execution::{ExecutionConfig, ExecutionLayer, Storage},
    ledger::ViewLedger,
};
use chainflix_consensus::{Config, ConsensusHandle, ConsensusKey, FinalizedBlock, NoViews};
use chainflix_node::{RoleConfig, ethereum, keys, network::Layout};
use chainflix_primitives::{AccountAddress, AccountKey, CellId, Magnet, NetworkSecret, PlayId, ViewerSecret};
use chainflix_proof_of_view::ValidatorMessage;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{sync::broadcast, task::JoinHandle};

/// The validator that a cheater owns.
pub struct Rogue {
    /// Its account.
    pub key: AccountKey,
    secret: NetworkSecret,
    consensus: ConsensusHandle,
    execution: ExecutionLayer,
    reader: JoinHandle<()>,
    weights: Weights,
}

/// What the chain's plays weigh, void ones left out: read from final blocks by this validator's own, honest ledger.
type Weights = Arc<Mutex<HashMap<PlayId, u64>>>;

impl Rogue {
    /// Joins consensus in the place that the layout has for it.
    pub async fn join(layout: &Layout) -> Result<Self> {
        let path = layout.dir.join(format!("validator-{ROGUE}/config.toml"));
        let RoleConfig::Validator(config) = RoleConfig::read(&path)? else { bail!("validator {ROGUE} is none") };
        let genesis = Arc::new(layout.genesis.clone());
        let chain = ethereum(&genesis)?.build()?;
        let execution = ExecutionLayer::open(Storage::Memory, chain, ExecutionConfig::default()).await?;
        let ledger = ViewLedger::in_memory(genesis.clone())?;
        let peers = config.validators.iter().copied().enumerate();
        let engine = Config {
            genesis: layout.genesis.clone(),
            consensus_key: ConsensusKey::from_seed(*keys::read(&config.consensus_key)?),
            listen: config.listen,
            peers: peers.filter(|(number, _)| *number != usize::from(ROGUE)).collect(),
            dir: config.data.join("consensus"),
        };
        let consensus = chainflix_consensus::start(engine, execution.clone(), ledger, Arc::new(NoViews))?;
        let secret = NetworkSecret::from_bytes(*keys::read(&config.network_secret)?);
        let weights = Weights::default();
        let reader = tokio::spawn(read(consensus.finalized(), weights.clone()));
        Ok(Self { key: keys::read_account(&config.account_key)?, secret, consensus, execution, reader, weights })
    }

    /// What all carried plays weigh that were not voided.
    pub fn weights(&self) -> HashMap<PlayId, u64> {
        self.weights.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells all other validators.
    pub fn say(&self, message: &ValidatorMessage) -> Result<()> {
        Ok(self.consensus.gossip().send(Bytes::from(message.encode()))?)
    }

    /// Every validator of this network can make every key.
    pub fn viewer_secret(&self, account: &AccountAddress, magnet: &Magnet, cell: &CellId) -> ViewerSecret {
        self.secret.view_key(account, magnet).viewer_secret(cell)
    }

    /// Leaves.
    pub async fn leave(self) -> Result<()> {
        self.reader.abort();
        self.consensus.stop();
        self.consensus.join().await?;
        self.execution.shutdown().await?;
        Ok(())
    }
}

async fn read(mut blocks: broadcast::Receiver<FinalizedBlock>, weights: Weights) {
    loop {
        let block = match blocks.recv().await {
            Ok(block) => block,
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                tracing::error!(missed, "blocks were missed; what is in them counts as unpaid");
                continue;
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        let Some(settlement) = block.settlement else { continue };
        let mut weights = weights.lock().unwrap_or_else(PoisonError::into_inner);
        let carried = settlement.made.iter().flat_map(|made| &made.accepted);
        weights.extend(carried.map(|play| (play.play, play.weight)));
        for void in settlement.awarded.iter().flat_map(|awarded| &awarded.voided) {
            weights.remove(&void.play);
        }
    }
}
