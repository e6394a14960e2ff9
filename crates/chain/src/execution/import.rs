//! Executes a block and stores it, without making it final.

use std::{future::Future, sync::Arc};

use ethrex_blockchain::error::ChainError;
use ethrex_common::{
    H256, InvalidBlockError, NativeCrypto,
    types::{Block, TxType},
};
use ethrex_storage::error::StoreError;
use ethrex_vm::EvmError;

use super::{ExecutionLayer, Gate, Inner};

/// Why a block was not imported. Only [`Invalid`](Self::Invalid) says something about the block.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Every correct node refuses this block, now and later: vote against it.
    #[error("block {hash:#x} is invalid")]
    Invalid {
        /// The block.
        hash: H256,
        /// The rule it breaks.
        #[source]
        reason: InvalidBlock,
    },
    /// The parent was not executed here, or its state is no longer kept: import the parent first.
    #[error("parent {parent:#x} of block {hash:#x} is not executed here")]
    UnknownParent {
        /// The block.
        hash: H256,
        /// Its parent.
        parent: H256,
    },
    /// This node failed; the block may be good. Never a reason to vote against it.
    #[error("block {hash:#x} could not be executed")]
    Internal {
        /// The block.
        hash: H256,
        /// What ethrex answered.
        #[source]
        source: ChainError,
    },
    /// [`shutdown`](ExecutionLayer::shutdown) was called.
    #[error("the execution layer is shut down")]
    Closed,
    /// The runtime is shutting down, or ethrex panicked.
    #[error("execution was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl ImportError {
    /// Whether the block itself is at fault.
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }
}

/// The rule a block breaks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBlock {
    /// A rule of Ethereum.
    #[error(transparent)]
    Ethereum(#[from] InvalidBlockError),
    /// A system contract refuses the block.
    #[error("system contract: {reason}")]
    SystemContract {
        /// ethrex's words.
        reason: String,
    },
    /// The gas limit never changes here. Ethereum would let each proposer move it by a 1024th.
    #[error("gas limit {found}, must be {required}")]
    GasLimit {
        /// The block's.
        found: u64,
        /// The network's.
        required: u64,
    },
    /// Extra data has no meaning here.
    #[error("{bytes} bytes of extra data, must be none")]
    ExtraData {
        /// Its length.
        bytes: usize,
    },
    /// Nobody stores blobs here, so that a transaction which promises them cannot be kept.
    #[error("transaction {transaction:#x} carries blobs")]
    Blobs {
        /// The transaction.
        transaction: H256,
    },
    /// Another block of this height, or a later one, is final.
    #[error("block {number} is not on the final chain, which has reached {head}")]
    NotFinal {
        /// The block's height.
        number: u64,
        /// The height of the newest final block.
        head: u64,
    },
}

impl ExecutionLayer {
    /// Executes `block` on its parent's state and compares gas, receipts and state root with its header. Blocks that were
    /// imported before are accepted at once.
    ///
    /// The work starts with the call and goes on when the future is dropped, as consensus does with the futures of rounds
    /// it has left. One block is executed at a time, others wait.
    ///
    /// # Errors
    /// [`ImportError`]; ask [`is_invalid`](ImportError::is_invalid) before voting.
    pub fn import(&self, block: Arc<Block>) -> impl Future<Output = Result<(), ImportError>> + Send + 'static {
        let inner = self.inner.clone();
        let task = tokio::task::spawn_blocking(move || inner.import(&block));
        async move { task.await? }
    }
}

impl Inner {
    fn import(&self, block: &Block) -> Result<(), ImportError> {
        // Held by the closure and not by a future: two executions at once hang in ethrex, and futures get dropped.
        let gate = self.gate();
        if *gate == Gate::Closed {
            return Err(ImportError::Closed);
        }
        let (hash, parent) = (block.hash(), block.header.parent_hash);
        let internal = |error: StoreError| ImportError::Internal { hash, source: error.into() };
        if self.is_final(block.header.number, hash).map_err(internal)? || self.has(hash).map_err(internal)? {
            return Ok(());
        }
        self.check_own_rules(block).map_err(|reason| ImportError::Invalid { hash, reason })?;
        if !self.has(parent).map_err(internal)? {
            return Err(ImportError::UnknownParent { hash, parent });
        }
        self.blockchain.add_block_pipeline(block.clone(), None).map_err(|error| classify(hash, parent, error))
    }

    /// The rules that this chain adds to Ethereum's.
    fn check_own_rules(&self, block: &Block) -> Result<(), InvalidBlock> {
        let (header, head) = (&block.header, self.head().number);
        if header.number <= head {
            return Err(InvalidBlock::NotFinal { number: header.number, head });
        }
        if header.gas_limit != self.gas_limit {
            return Err(InvalidBlock::GasLimit { found: header.gas_limit, required: self.gas_limit });
        }
        if !header.extra_data.is_empty() {
            return Err(InvalidBlock::ExtraData { bytes: header.extra_data.len() });
        }
        match block.body.transactions.iter().find(|transaction| transaction.tx_type() == TxType::EIP4844) {
            Some(transaction) => Err(InvalidBlock::Blobs { transaction: transaction.hash(&NativeCrypto) }),
            None => Ok(()),
        }
    }
}

/// Sorts ethrex's errors by whose fault they are. What is not surely the block's is ours.
fn classify(hash: H256, parent: H256, error: ChainError) -> ImportError {
    let reason = match error {
        ChainError::InvalidBlock(error) => InvalidBlock::Ethereum(error),
        ChainError::InvalidTransaction(reason) => InvalidBlock::Ethereum(InvalidBlockError::InvalidTransaction(reason)),
        ChainError::EvmError(EvmError::SystemContractCallFailed(reason) | EvmError::Header(reason)) => {
            InvalidBlock::SystemContract { reason }
        }
        ChainError::ParentNotFound | ChainError::ParentStateNotFound => {
            return ImportError::UnknownParent { hash, parent };
        }
        source => return ImportError::Internal { hash, source },
    };
    ImportError::Invalid { hash, reason }
}
