//! Gathers what a new block builds on: the executed parent, and the ledger's state after it.
//!
//! ```text
//!            ┌── ancestors that are not final here ──┐
//!  final ──▶ A ──▶ B ──▶ … ──▶ parent ──▶ (block)
//!    │       └── executed, oldest first ──┘
//!    └────── views applied: preview ──────┘
//! ```
//!
//! The finaliser works at the same time. When it takes a block while we look, what we saw no longer fits together, and we
//! look again; when it passes the parent, there is nothing left to build on.

use crate::{block::Block, finalizer::Progress};
use chainflix_chain::{
    execution::{Block as EthereumBlock, ExecutionLayer, H256},
    ledger::{Candidate, Preview, ProviderMove, ViewLedger},
    provider_moves,
};
use commonware_consensus::marshal::ancestry::Ancestry;
use futures::StreamExt as _;
use std::sync::Arc;

/// Most ancestors that are walked: a node that is further behind lets the finaliser catch up first.
const UNFINALISED_MAX: u64 = 64;

/// The state after some block.
pub(crate) struct Ground {
    /// Of the view ledger.
    pub preview: Preview,
    /// What the registry said in it.
    pub moves: Arc<[ProviderMove]>,
    /// What lies between the final blocks and the new one, oldest first.
    pub unfinalised: Vec<Arc<EthereumBlock>>,
}

/// Why that state is not at hand.
pub(crate) enum Obstacle {
    /// The finaliser has passed the block.
    Overtaken,
    /// This node's fault.
    Unavailable(&'static str),
}

/// Where state comes from. Clones share everything.
#[derive(Clone)]
pub(crate) struct Stores {
    pub execution: ExecutionLayer,
    pub ledger: ViewLedger,
    /// What the finaliser is done with.
    pub progress: Progress,
}

impl Stores {
    /// The state after `parent`; `ancestry` continues at the grandparent. Waits while this node is far behind.
    pub(crate) async fn ground(&self, parent: Arc<Block>, ancestry: impl Ancestry<Block>) -> Result<Ground, Obstacle> {
        let height = parent.height.get();
        loop {
            self.progress.reach(height.saturating_sub(UNFINALISED_MAX)).await;
            let unfinalised = self.walk(parent.clone(), ancestry.clone()).await?;
            self.execute(&unfinalised).await?;
            if let Some(preview) = self.preview(height, &unfinalised).await? {
                let unfinalised = unfinalised.into_iter().map(|block| block.ethereum.clone()).collect();
                let moves = self.moves(height, parent.ethereum.hash()).await?;
                return Ok(Ground { preview, moves, unfinalised });
            }
        }
    }

    /// `parent` and its ancestors that are not final here, oldest first.
    async fn walk(&self, parent: Arc<Block>, mut ancestry: impl Ancestry<Block>) -> Result<Vec<Arc<Block>>, Obstacle> {
        let done = self.progress.height();
        if done > parent.height.get() {
            return Err(Obstacle::Overtaken);
        }
        let mut blocks = Vec::new();
        let mut next = parent;
        while next.height.get() > done {
            blocks.push(next);
            let ancestor = ancestry.next().await.ok_or(Obstacle::Unavailable("an ancestor cannot be had"))?;
            next = ancestor.inner_shared();
        }
        blocks.reverse();
        Ok(blocks)
    }

    /// This validator may have been down, or slow, when its peers voted on these.
    async fn execute(&self, blocks: &[Arc<Block>]) -> Result<(), Obstacle> {
        for block in blocks {
            if let Err(error) = self.execution.import(block.ethereum.clone()).await {
                tracing::error!(height = block.height.get(), %error, "an ancestor does not execute");
                return Err(Obstacle::Unavailable("an ancestor does not execute"));
            }
        }
        Ok(())
    }

    /// What the registry said in `block`, at `height`, which is executed.
    async fn moves(&self, height: u64, block: H256) -> Result<Arc<[ProviderMove]>, Obstacle> {
        provider_moves(&self.execution, block).await.map_err(|error| {
            tracing::error!(height, %error, "the registry's events cannot be had");
            Obstacle::Unavailable("the registry's events cannot be had")
        })
    }

    /// The ledger after `blocks`, which end at `height`; `None` when a block became final meanwhile, so that they no longer
    /// follow the ledger's state.
    async fn preview(&self, height: u64, blocks: &[Arc<Block>]) -> Result<Option<Preview>, Obstacle> {
        let committed = self.ledger.height();
        if committed > height {
            return Err(Obstacle::Overtaken);
        }
        // Also those without a payload: draws and awards come with height and time.
        let mut candidates = Vec::new();
        for block in blocks.iter().filter(|block| block.height.get() > committed) {
            let moves = self.moves(block.height.get() - 1, block.ethereum.header.parent_hash).await?;
            candidates.push(Candidate { place: block.place(moves), payload: block.view.clone() });
        }
        let ledger = self.ledger.clone();
        let previewed = tokio::task::spawn_blocking(move || ledger.preview(&candidates)).await;
        if self.ledger.height() != committed {
            return Ok(None);
        }
        match previewed {
            Ok(Ok(preview)) => Ok(Some(preview)),
            Ok(Err(error)) => {
                tracing::error!(height, %error, "the view ledger cannot be previewed");
                Err(Obstacle::Unavailable("the view ledger has no state for it"))
            }
            Err(_) => Err(Obstacle::Unavailable("the preview was interrupted")),
        }
    }
}
