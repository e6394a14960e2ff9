//! Makes blocks final, one after the other.
//!
//! ```text
//!   fork choice --> head moves --> pool settled     every 100 blocks: ethrex's journal cut
//!                        |
//!                        v  beside it
//!                   housekeeping                    every 100 blocks: pool swept
//!                                                   every 500 blocks: backup on disk
//! ```

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use ethrex_blockchain::{error::InvalidForkChoice, fork_choice::apply_fork_choice};
use ethrex_common::{H256, types::Block};
use ethrex_storage::error::StoreError;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Checkpoints, ExecutionLayer, Inner};

/// Final blocks between two cuts of ethrex's undo journal and two sweeps of the pool. The journal could be cut with each
/// block, but that leaves a range tombstone in RocksDB every time.
const HOUSEKEEPING_BLOCKS: u64 = 100;

/// Folders of the newest backup and of the one being written, below the configured one.
const BACKUP: &str = "checkpoint";
const UNFINISHED: &str = "checkpoint.new";

/// Why a block was not made final. All of them mean that this node or the chain is broken: stop and look.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FinalizeError {
    /// Another block of this height is final already.
    #[error("block {hash:#x} conflicts with final block {number}")]
    Conflict {
        /// The height.
        number: u64,
        /// The block that came too late.
        hash: H256,
    },
    /// Final blocks come in order.
    #[error("block {number} does not follow the final block {head}")]
    NotNext {
        /// The block's height.
        number: u64,
        /// Height of the newest final block.
        head: u64,
    },
    /// The block has to be imported before it is made final.
    #[error("block {hash:#x} is not executed here")]
    NotImported {
        /// The block.
        hash: H256,
    },
    /// ethrex refuses the block as head.
    #[error("block {hash:#x} is refused as head")]
    ForkChoice {
        /// The block.
        hash: H256,
        /// Why.
        #[source]
        source: InvalidForkChoice,
    },
    /// The store fails.
    #[error("the store fails")]
    Store(#[from] StoreError),
}

impl ExecutionLayer {
    /// Makes an imported block, the child of the newest final one, final. A block that is final already is accepted, so
    /// that consensus may deliver one twice.
    ///
    /// # Errors
    /// [`FinalizeError`]. The head only moves when the result is `Ok`.
    pub async fn finalize(&self, block: &Block) -> Result<(), FinalizeError> {
        let inner = &self.inner;
        let mut housekeeping = inner.finalizing.lock().await;
        if !inner.check_next(block)? {
            return Ok(());
        }
        inner.move_head(block).await?;
        inner.settle_pool(block).await;
        housekeeping.start(inner, block.header.number);
        Ok(())
    }
}

/// Work that a final block gives rise to, and that the next one need not wait for: a backup takes about a second. One at
/// a time; what falls due while one runs is left to the next time. [`ExecutionLayer::shutdown`] waits for it.
#[derive(Default)]
pub(super) struct Housekeeping {
    task: Option<JoinHandle<()>>,
}

impl Housekeeping {
    fn start(&mut self, inner: &Arc<Inner>, number: u64) {
        let sweep = number.is_multiple_of(HOUSEKEEPING_BLOCKS);
        let backup = inner.checkpoints.as_ref().is_some_and(|backups| number.is_multiple_of(backups.every_blocks));
        if !(sweep || backup) || self.task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let inner = inner.clone();
        self.task = Some(spawn_blocking(move || {
            if sweep && let Err(error) = inner.sweep_pool() {
                tracing::warn!(%error, "stale transactions stay in the pool");
            }
            if backup && let Err(error) = inner.back_up() {
                tracing::warn!(%error, block = number, "no backup of the execution store");
            }
        }));
    }

    /// Waits for what is under way.
    pub async fn finish(&mut self) {
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::warn!(%error, "housekeeping was interrupted");
        }
    }
}

impl Inner {
    /// Whether the block is new. ethrex itself would follow a fork choice to below what is final.
    fn check_next(&self, block: &Block) -> Result<bool, FinalizeError> {
        let (number, hash, head) = (block.header.number, block.hash(), self.head());
        if self.is_final(number, hash)? {
            return Ok(false);
        }
        if number <= head.number {
            return Err(FinalizeError::Conflict { number, hash });
        }
        if block.header.parent_hash != head.hash() {
            return Err(FinalizeError::NotNext { number, head: head.number });
        }
        if !self.has(hash)? {
            return Err(FinalizeError::NotImported { hash });
        }
        Ok(true)
    }

    async fn move_head(&self, block: &Block) -> Result<(), FinalizeError> {
        let hash = block.hash();
        let finalized = if block.header.number.is_multiple_of(HOUSEKEEPING_BLOCKS) { hash } else { H256::zero() };
        let header = apply_fork_choice(self.store(), hash, hash, finalized, None)
            .await
            .map_err(|source| FinalizeError::ForkChoice { hash, source })?;
        self.head.send_replace(Arc::new(header));
        Ok(())
    }

    /// Replaces the backup. RocksDB links its files, so this takes little space; it also writes out its memory,
    /// which bounds both that and what a power cut can take.
    fn back_up(&self) -> Result<(), StoreError> {
        let Some(Checkpoints { dir, .. }) = &self.checkpoints else { return Ok(()) };
        let unfinished = dir.join(UNFINISHED);
        remove(&unfinished)?;
        self.store().create_checkpoint(&unfinished)?;
        replace(&unfinished, dir.join(BACKUP))?;
        Ok(())
    }
}

fn replace(from: &Path, to: PathBuf) -> io::Result<()> {
    remove(&to)?;
    std::fs::rename(from, to)
}

fn remove(dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
