//! Executes Ethereum blocks and keeps their state, transaction pool and JSON-RPC: an ethrex node without a network.
//!
//! [`ExecutionLayer`] is the seam between this network and ethrex. It is a concrete type, because there is one
//! implementation; nothing outside this crate names an ethrex crate.
//!
//! ```text
//!   proposer      build ----> [block] ----> import        a block lives in memory, on its parent's state,
//!   verifier                  [block] ----> import        until its turn to be final comes
//!                                             |
//!   everyone                               finalize ----> head, JSON-RPC "latest", pool, disk
//! ```
//!
//! **Blocks.** [`build`](ExecutionLayer::build) and [`import`](ExecutionLayer::import) work on any executed parent, final
//! or not, so that consensus can propose on a block that is only notarised. [`finalize`](ExecutionLayer::finalize) takes
//! final blocks in order, and there is no way back: everything JSON-RPC shows is final.
//!
//! **Restart.** ethrex keeps every block on disk but only one state, 128 blocks behind the head; the later ones live in
//! memory. [`open`](ExecutionLayer::open) walks back to that state and executes the stored blocks again. ethrex never
//! syncs its writes, so after a power cut the head may be some blocks lower: consensus delivers them again from its own
//! synced archive, which is the log that counts.
//!
//! **Time.** Ethereum's timestamps are whole seconds and rise by at least one each block; see [`next_timestamp_s`].
//!
//! **Threads.** Execution runs on tokio's blocking pool, one import at a time. A future that is dropped does not stop its
//! work. Every method marked `async` needs a tokio runtime.
//!
//! Left out: who proposes, what the withdrawals of a block must be, gossip of transactions (see
//! [`subscribe_transactions`](ExecutionLayer::subscribe_transactions)), HTTP.

mod build;
mod call;
mod filters;
mod finalize;
mod import;
mod json_rpc;
mod logs;
mod open;
mod pool;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ethrex_blockchain::Blockchain;
use ethrex_rlp::{decode::RLPDecode as _, encode::RLPEncode as _};
use ethrex_storage::{Store, error::StoreError};
use tokio::sync::watch;

pub use build::{BlockRequest, BuildError};
pub use call::CallError;
pub use ethrex_common::{
    Address, H256, U256,
    types::{Block, BlockHeader, Log, Withdrawal},
};
pub use finalize::FinalizeError;
pub use import::{ImportError, InvalidBlock};
pub use open::{ExecutionConfig, OpenError, Storage};
pub use pool::{MAX_TRANSACTION_BYTES, SubmitError};

/// The embedded Ethereum node. Cheap to clone; all clones are one node.
#[derive(Clone)]
pub struct ExecutionLayer {
    inner: Arc<Inner>,
}

/// What the clones share. Lock order: `finalizing`, then `importing`, then a lock of `pool` or `rpc`.
struct Inner {
    blockchain: Arc<Blockchain>,
    /// The newest final header. Written by `finalize` alone.
    head: watch::Sender<Arc<BlockHeader>>,
    /// Gas limit of every block of this chain.
    gas_limit: u64,
    importing: Mutex<Gate>,
    /// Held while a block becomes final.
    finalizing: tokio::sync::Mutex<finalize::Housekeeping>,
    pool: pool::Pool,
    rpc: json_rpc::Rpc,
    /// Where to put backups, and how often; none when in memory.
    checkpoints: Option<Checkpoints>,
}

/// Whether blocks may still be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Closed,
}

struct Checkpoints {
    dir: PathBuf,
    every_blocks: u64,
}

/// The store could not be read.
#[derive(Debug, thiserror::Error)]
#[error("execution store cannot be read")]
pub struct ReadError(#[from] StoreError);

/// The block cannot be decoded.
#[derive(Debug, thiserror::Error)]
#[error("block is not valid RLP")]
pub struct DecodeError(#[from] ethrex_rlp::error::RLPDecodeError);

/// The Ethereum timestamp, in seconds, of a block made at `now_ms` (milliseconds since 1970) on a parent of
/// `parent_timestamp_s`. Where blocks come faster than one a second it runs ahead of the clock.
pub fn next_timestamp_s(parent_timestamp_s: u64, now_ms: u64) -> u64 {
    (now_ms / 1000).max(parent_timestamp_s.saturating_add(1))
}

/// The block as it travels and is archived: Ethereum's RLP.
pub fn encode_block(block: &Block) -> Vec<u8> {
    block.encode_to_vec()
}

/// The inverse of [`encode_block`]. The caller bounds the length.
///
/// # Errors
/// [`DecodeError`] when the bytes are not exactly one block.
pub fn decode_block(rlp: &[u8]) -> Result<Block, DecodeError> {
    Ok(Block::decode(rlp)?)
}

impl ExecutionLayer {
    /// Number of the newest final block.
    pub fn height(&self) -> u64 {
        self.head().number
    }

    /// Header of the newest final block.
    pub fn head(&self) -> Arc<BlockHeader> {
        self.inner.head.borrow().clone()
    }

    /// Follows the newest final header. A slow subscriber misses headers, never the newest.
    pub fn subscribe_heads(&self) -> watch::Receiver<Arc<BlockHeader>> {
        self.inner.head.subscribe()
    }

    /// Whether the block was executed here and its state is at hand, so that a child can be built or imported on it.
    /// `false` for final blocks whose state is no longer kept.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails.
    pub fn has(&self, hash: H256) -> Result<bool, ReadError> {
        Ok(self.inner.has(hash)?)
    }

    /// The final block of this number.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails.
    pub async fn block_by_number(&self, number: u64) -> Result<Option<Block>, ReadError> {
        Ok(self.inner.store().get_block_by_number(number).await?)
    }

    /// Any executed block, final or not.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails.
    pub async fn block_by_hash(&self, hash: H256) -> Result<Option<Block>, ReadError> {
        Ok(self.inner.store().get_block_by_hash(hash).await?)
    }

    /// Wei of an account at the newest final block.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails.
    pub fn balance(&self, address: Address) -> Result<U256, ReadError> {
        let account = self.inner.store().get_account_info_by_hash(self.head().hash(), address)?;
        Ok(account.map(|account| account.balance).unwrap_or_default())
    }

    /// Number of transactions an account has sent, at the newest final block.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails.
    pub fn nonce(&self, address: Address) -> Result<u64, ReadError> {
        let account = self.inner.store().get_account_info_by_hash(self.head().hash(), address)?;
        Ok(account.map(|account| account.nonce).unwrap_or_default())
    }

    /// Waits for the import and the backup under way, refuses all further imports, and writes everything to disk. Only the
    /// first call does anything. Reads keep working. The folder is free for another process when the last clone is gone.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be flushed; what it lost comes again from the consensus archive.
    pub async fn shutdown(&self) -> Result<(), ReadError> {
        let mut housekeeping = self.inner.finalizing.lock().await;
        housekeeping.finish().await;
        let inner = self.inner.clone();
        let closing = tokio::task::spawn_blocking(move || std::mem::replace(&mut *inner.gate(), Gate::Closed));
        match closing.await {
            Ok(Gate::Open) => Ok(self.inner.store().shutdown().await?),
            // Closed before, or the runtime itself is going down: nothing can be flushed in either case.
            Ok(Gate::Closed) | Err(_) => Ok(()),
        }
    }
}

impl Inner {
    fn store(&self) -> &Store {
        self.blockchain.store()
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        lock(&self.importing)
    }

    fn head(&self) -> Arc<BlockHeader> {
        self.head.borrow().clone()
    }

    /// Header AND state: two blocks may share a state root, and a header may be stored without its state.
    fn has(&self, hash: H256) -> Result<bool, StoreError> {
        match self.store().get_block_header_by_hash(hash)? {
            Some(header) => self.store().has_state_root(header.state_root),
            None => Ok(false),
        }
    }

    fn is_final(&self, number: u64, hash: H256) -> Result<bool, StoreError> {
        Ok(number <= self.head().number && self.store().get_canonical_block_hash_sync(number)? == Some(hash))
    }
}

/// A panic elsewhere leaves nothing half done under these locks, so that their data is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
