//! Builds the next block from the transaction pool.

use std::sync::Arc;

use ethrex_blockchain::{
    error::{ChainError, MempoolError},
    payload::{BuildPayloadArgs, create_payload},
};
use ethrex_common::{
    Address, Bytes, H256,
    types::{Block, ELASTICITY_MULTIPLIER, Transaction, Withdrawal},
};
use ethrex_rlp::encode::RLPEncode as _;

use super::{ExecutionLayer, Inner};

/// Version of the engine API's payload attributes. It only goes into an identifier that we do not use.
const PAYLOAD_VERSION: u8 = 3;

/// What a proposer decides about its block. Verifiers have to compare each of these with the block themselves: to the
/// EVM all of them are free.
#[derive(Clone, Debug)]
pub struct BlockRequest {
    /// The block to build on; it must be executed here.
    pub parent: H256,
    /// Seconds since 1970, later than the parent's; see [`next_timestamp_s`](super::next_timestamp_s).
    pub timestamp_s: u64,
    /// Who gets the tips.
    pub fee_recipient: Address,
    /// What contracts read as PREVRANDAO.
    pub prev_randao: H256,
    /// What contracts read from EIP-4788's contract: the root of the view ledger.
    pub beacon_root: H256,
    /// Coins the block mints, in gwei, applied after its transactions.
    pub withdrawals: Vec<Withdrawal>,
    /// The parent and its ancestors down to the newest final block, that one excluded. Their transactions must not be
    /// proposed twice; those of branches that die return to the pool by themselves.
    pub unfinalised: Vec<Arc<Block>>,
    /// Bytes the encoded block may have: what consensus can carry. Gas alone does not bound them.
    pub max_rlp_bytes: usize,
}

/// Why no block was built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The parent was not executed here: import it first.
    #[error("parent {parent:#x} is not executed here")]
    UnknownParent {
        /// The parent.
        parent: H256,
    },
    /// Ethereum's time must rise.
    #[error("timestamp {timestamp_s} s is not after the parent's {parent_timestamp_s} s")]
    Timestamp {
        /// What was asked for.
        timestamp_s: u64,
        /// The parent's.
        parent_timestamp_s: u64,
    },
    /// Even without transactions the block is too long.
    #[error("the block has {bytes} bytes without transactions, {max} are allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// What was asked for.
        max: usize,
    },
    /// The pool failed.
    #[error("the transaction pool fails")]
    Pool(#[from] MempoolError),
    /// Execution failed.
    #[error("the block cannot be built")]
    Execution(#[from] ChainError),
    /// The runtime is shutting down, or ethrex panicked.
    #[error("building was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl ExecutionLayer {
    /// Builds a block of the best paying transactions. It is not imported: the proposer does that like everybody.
    ///
    /// # Errors
    /// [`BuildError`]; the pool stays as it is.
    pub async fn build(&self, request: BlockRequest) -> Result<Block, BuildError> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || inner.build(request)).await?
    }
}

impl Inner {
    fn build(&self, request: BlockRequest) -> Result<Block, BuildError> {
        self.check_parent(&request)?;
        self.pool.lend(&self.blockchain, &request.unfinalised)?;
        let max = request.max_rlp_bytes;
        let shell = self.shell(request)?;
        let empty_bytes = shell.length();
        if empty_bytes > max {
            return Err(BuildError::TooLarge { bytes: empty_bytes, max });
        }
        let full = self.blockchain.build_payload(shell.clone())?.payload;
        if full.length() <= max {
            return Ok(full);
        }
        // Whatever ran in this order on this parent runs again, so that a shorter list of the same cannot fail.
        let kept = fitting(full.body.transactions, max - empty_bytes);
        Ok(self.blockchain.build_payload_with_transactions(shell, kept)?.payload)
    }

    fn check_parent(&self, request: &BlockRequest) -> Result<(), BuildError> {
        let unknown = BuildError::UnknownParent { parent: request.parent };
        let header = self.store().get_block_header_by_hash(request.parent).map_err(ChainError::from)?;
        let Some(header) = header else { return Err(unknown) };
        if !self.store().has_state_root(header.state_root).map_err(ChainError::from)? {
            return Err(unknown);
        }
        if request.timestamp_s <= header.timestamp {
            let (timestamp_s, parent_timestamp_s) = (request.timestamp_s, header.timestamp);
            return Err(BuildError::Timestamp { timestamp_s, parent_timestamp_s });
        }
        Ok(())
    }

    /// The block without transactions.
    fn shell(&self, request: BlockRequest) -> Result<Block, ChainError> {
        let args = BuildPayloadArgs {
            parent: request.parent,
            timestamp: request.timestamp_s,
            fee_recipient: request.fee_recipient,
            random: request.prev_randao,
            withdrawals: Some(request.withdrawals),
            beacon_root: Some(request.beacon_root),
            slot_number: None,
            version: PAYLOAD_VERSION,
            elasticity_multiplier: ELASTICITY_MULTIPLIER,
            gas_ceil: self.gas_limit,
        };
        create_payload(&args, self.store(), Bytes::new())
    }
}

/// The longest beginning of `transactions` that adds at most `budget` bytes to a block.
fn fitting(mut transactions: Vec<Transaction>, budget: usize) -> Vec<Transaction> {
    /// What the filled block has beyond its transactions: gas used (8 bytes at most) and longer lengths of two lists (4
    /// bytes each at most).
    const GROWTH: usize = 32;
    let mut left = budget.saturating_sub(GROWTH);
    let kept = transactions.iter().take_while(|transaction| match left.checked_sub(transaction.length()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    });
    let kept = kept.count();
    transactions.truncate(kept);
    transactions
}
