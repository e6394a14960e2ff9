//! Opens the store and brings its state back to its newest block.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use ethrex_blockchain::{
    Blockchain, BlockchainOptions,
    error::{ChainError, InvalidForkChoice},
    fork_choice::apply_fork_choice,
};
use ethrex_common::{H256, types::BlockHeader};
use ethrex_storage::{DB_COMMIT_THRESHOLD, EngineType, Store, StoreConfig, error::StoreError, has_valid_db};
use tokio::{sync::watch, task::spawn_blocking};

use super::{Checkpoints, ExecutionLayer, Gate, Inner, json_rpc::Rpc, pool::Pool};
use crate::genesis::Genesis;

/// Folder of the live store, below the one that is configured.
const LIVE: &str = "ethrex";

/// Where blocks and state are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In this process, gone with it.
    Memory,
    /// On disk, one process at a time.
    Disk {
        /// Our own folder; the live store and its newest backup are folders in it.
        dir: PathBuf,
        /// Start a new chain where there is none. Without this a folder that is missing, because a disk is not mounted or
        /// a path is mistyped, is an error and not a silent return to block 0.
        create: bool,
    },
}

/// Limits of the execution layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionConfig {
    /// Memory that RocksDB may use for blocks, indexes and filters, in bytes; ethrex itself would take 12 GiB.
    pub block_cache_bytes: usize,
    /// Transactions the pool holds. When it is full, ethrex drops the oldest.
    pub pool_transactions: usize,
    /// Final blocks between two backups on disk. A backup also writes out what RocksDB holds in memory.
    pub checkpoint_blocks: u64,
}

impl Default for ExecutionConfig {
    fn default() -> Self {
        Self { block_cache_bytes: 256 << 20, pool_transactions: 50_000, checkpoint_blocks: 500 }
    }
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No chain where one was expected.
    #[error("no chain in {}", dir.display())]
    Missing {
        /// The configured folder.
        dir: PathBuf,
    },
    /// The folder cannot be made.
    #[error("cannot make {}", dir.display())]
    Folder {
        /// The configured folder.
        dir: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The folder holds another network's chain.
    #[error("the store does not begin with genesis {genesis:#x}")]
    OtherGenesis {
        /// Hash of the genesis block that was expected.
        genesis: H256,
    },
    /// A stored block is gone. The folder is damaged: remove it, and the blocks come again from the consensus archive.
    #[error("block {number} is missing from the store")]
    Hole {
        /// The block's number.
        number: u64,
    },
    /// Not even the genesis state is stored; same remedy.
    #[error("the store holds no state")]
    NoState,
    /// A stored block that was executed before does not execute now; same remedy.
    #[error("stored block {number} does not execute")]
    Replay {
        /// The block's number.
        number: u64,
        /// What ethrex answered.
        #[source]
        source: ChainError,
    },
    /// The restored head is refused as head.
    #[error("the restored head is refused")]
    Head(#[from] InvalidForkChoice),
    /// The store itself fails, for one because another process has it open.
    #[error("the store fails")]
    Store(#[from] StoreError),
    /// The runtime is shutting down, or ethrex panicked.
    #[error("opening was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl ExecutionLayer {
    /// Opens the chain that begins with `genesis` and executes again what the store holds no state of.
    ///
    /// # Errors
    /// [`OpenError`]; the blocks in the folder stay as they are.
    pub async fn open(storage: Storage, genesis: Genesis, config: ExecutionConfig) -> Result<Self, OpenError> {
        let gas_limit = genesis.gas_limit;
        let store = open_store(&storage, genesis, &config).await?;
        let options = BlockchainOptions {
            max_mempool_size: config.pool_transactions,
            max_blobs_per_block: Some(0), // Nobody stores blobs here.
            ..BlockchainOptions::default()
        };
        let blockchain = Arc::new(Blockchain::new(store, options));
        let head = restore(&blockchain).await?;
        blockchain.set_synced();
        let checkpoints = match storage {
            Storage::Memory => None,
            Storage::Disk { dir, .. } => Some(Checkpoints { dir, every_blocks: config.checkpoint_blocks.max(1) }),
        };
        let inner = Inner {
            rpc: Rpc::new(&blockchain, gas_limit),
            blockchain,
            head: watch::Sender::new(Arc::new(head)),
            gas_limit,
            importing: Mutex::new(Gate::Open),
            finalizing: tokio::sync::Mutex::default(),
            pool: Pool::default(),
            checkpoints,
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

async fn open_store(storage: &Storage, genesis: Genesis, config: &ExecutionConfig) -> Result<Store, OpenError> {
    let (path, engine) = match storage {
        Storage::Memory => (PathBuf::new(), EngineType::InMemory),
        Storage::Disk { dir, create } => (prepare_folder(dir, *create)?, EngineType::RocksDB),
    };
    let config = StoreConfig { rocksdb_block_cache_size: config.block_cache_bytes, ..StoreConfig::default() };
    let mut store = spawn_blocking(move || Store::new_with_config(path, engine, config)).await??;
    let hash = genesis.get_block().hash();
    store.add_initial_state(genesis).await.map_err(|error| match error {
        StoreError::IncompatibleChainConfig => OpenError::OtherGenesis { genesis: hash },
        other => OpenError::Store(other),
    })?;
    Ok(store)
}

fn prepare_folder(dir: &Path, create: bool) -> Result<PathBuf, OpenError> {
    let live = dir.join(LIVE);
    if !has_valid_db(&live) {
        if !create {
            return Err(OpenError::Missing { dir: dir.to_owned() });
        }
        std::fs::create_dir_all(&live).map_err(|source| OpenError::Folder { dir: dir.to_owned(), source })?;
    }
    Ok(live)
}

/// Executes the stored blocks again from the newest state on disk to the head, and returns the head.
async fn restore(blockchain: &Arc<Blockchain>) -> Result<BlockHeader, OpenError> {
    let store = blockchain.store();
    let number = store.get_latest_block_number().await?;
    let head = store.get_block_header(number)?.ok_or(OpenError::Hole { number })?;
    let missing = without_state(store, &head)?;
    tracing::info!(head = number, replayed = missing.len(), "execution store opened");
    for (number, hash) in missing.into_iter().rev() {
        replay(blockchain, number, hash).await?;
    }
    if number > 0 {
        // ethrex forgets at restart which state it may write to disk next; a fork choice tells it again.
        let hash = head.hash();
        apply_fork_choice(store, hash, hash, hash, None).await?;
    }
    Ok(head)
}

/// Numbers and hashes from `head` down to the first block whose state is stored, that one excluded.
fn without_state(store: &Store, head: &BlockHeader) -> Result<Vec<(u64, H256)>, OpenError> {
    let mut missing = Vec::new();
    let mut header = head.clone();
    while !store.has_state_root(header.state_root)? {
        let Some(parent) = header.number.checked_sub(1) else { return Err(OpenError::NoState) };
        missing.push((header.number, header.hash()));
        header = store.get_block_header_by_hash(header.parent_hash)?.ok_or(OpenError::Hole { number: parent })?;
    }
    Ok(missing)
}

async fn replay(blockchain: &Arc<Blockchain>, number: u64, hash: H256) -> Result<(), OpenError> {
    let block = blockchain.store().get_block_by_hash(hash).await?.ok_or(OpenError::Hole { number })?;
    let blockchain = blockchain.clone();
    // The bounded form writes states to disk as it goes, which keeps memory flat. It is sound here alone, where there is
    // one branch and every block of it is final.
    spawn_blocking(move || blockchain.add_block_pipeline_bounded(block, None, DB_COMMIT_THRESHOLD))
        .await?
        .map_err(|source| OpenError::Replay { number, source })?;
    Ok(())
}
