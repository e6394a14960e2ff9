//! Keeps the view ledger of final blocks durably, and previews it for blocks that are not final yet.
//!
//! ```text
//! consensus ── commit(height, payload) ──▶ settle (pure) ──▶ one redb transaction: state, view block, plays
//!           ── preview(pending) ─────────▶ the state that a candidate block builds on, in memory only
//! ```
//!
//! Its own database, apart from the EVM's state: the paper's Play Data database. The block height is stored in the same
//! transaction as what the block did, so that after any crash the two can be brought together again from the archive of
//! final blocks. What settles, and what it pays, is decided in `chainflix-proof-of-view`.

mod query;
mod store;

pub use chainflix_proof_of_view::{SettleError, Settlement};
pub use chainflix_token::Credit;
pub use query::{PlayPlace, ViewBlock};

use chainflix_primitives::{BlockHash, Digest, NetworkGenesis, ViewPayload};
use chainflix_proof_of_view::LedgerState;
use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};
use store::{Store, StoreError};

/// Why the ledger cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The database failed, or holds what it cannot hold.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder is of another network.
    #[error("the view ledger belongs to network {found}, not to {expected}")]
    OtherNetwork { expected: Digest, found: Digest },
    /// A block was left out.
    #[error("the view ledger is at height {height}; block {given} does not follow")]
    Gap { height: u64, given: u64 },
    /// A final block whose payload does not settle: the chain or this node is broken.
    #[error("the payload of block {height} does not settle")]
    Settle {
        height: u64,
        #[source]
        source: SettleError,
    },
}

/// The ledger of all final blocks. Clones share one database.
#[derive(Clone)]
pub struct ViewLedger {
    genesis: Arc<NetworkGenesis>,
    store: Arc<Store>,
    /// Height of the last committed block and the state after it; written by `commit` alone.
    current: Arc<RwLock<(u64, LedgerState)>>,
}

impl ViewLedger {
    /// Opens (or starts) the ledger in the file `path`.
    pub fn open(path: &Path, genesis: Arc<NetworkGenesis>) -> Result<Self, LedgerError> {
        Self::with(Store::open(path)?, genesis)
    }

    /// A ledger that is gone with the process.
    pub fn in_memory(genesis: Arc<NetworkGenesis>) -> Result<Self, LedgerError> {
        Self::with(Store::in_memory()?, genesis)
    }

    fn with(store: Store, genesis: Arc<NetworkGenesis>) -> Result<Self, LedgerError> {
        let expected = genesis.digest();
        let found = store.network(&expected)?;
        if found != expected {
            return Err(LedgerError::OtherNetwork { expected, found });
        }
        let current = store.load(&genesis.params)?;
        Ok(Self { genesis, store: Arc::new(store), current: Arc::new(RwLock::new(current)) })
    }

    /// Height of the last committed block; 0 before the first.
    pub fn height(&self) -> u64 {
        self.read().0
    }

    /// The state after the last committed block.
    pub fn state(&self) -> LedgerState {
        self.read().1
    }

    fn read(&self) -> (u64, LedgerState) {
        // Cloning shares structure, and a writer that panicked left the old value whole.
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The state after blocks that are not final yet, whose payloads are `pending`, oldest first.
    pub fn preview(&self, pending: &[Arc<ViewPayload>]) -> Result<Preview, LedgerError> {
        let (height, mut state) = self.read();
        for payload in pending {
            // The block that carries it was checked against its own time when it was voted on.
            let settled = state.settle(&self.genesis, payload, u64::MAX);
            state = settled.map_err(|source| LedgerError::Settle { height, source })?.next;
        }
        Ok(Preview { genesis: self.genesis.clone(), state })
    }

    /// Takes a final block. Durable when it returns; a height that is already there changes nothing.
    ///
    /// Blocks the thread for a disk write. Calls come one at a time, from the finalizer.
    pub fn commit(
        &self,
        height: u64,
        block: BlockHash,
        time_ms: u64,
        payload: Option<&ViewPayload>,
    ) -> Result<Option<Settlement>, LedgerError> {
        let (at, state) = self.read();
        if height <= at {
            return Ok(None);
        }
        if height != at + 1 {
            return Err(LedgerError::Gap { height: at, given: height });
        }
        let settled = payload.map(|payload| state.settle(&self.genesis, payload, time_ms)).transpose();
        let settled = settled.map_err(|source| LedgerError::Settle { height, source })?;
        let views = payload.zip(settled.as_ref());
        let place = store::Place { height, block, time_ms };
        self.store.commit(&self.genesis.params, &place, views)?;
        let next = settled.as_ref().map_or(state, |settlement| settlement.next.clone());
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (height, next);
        Ok(settled)
    }
}

/// The ledger as a candidate block finds it.
#[derive(Clone)]
pub struct Preview {
    genesis: Arc<NetworkGenesis>,
    state: LedgerState,
}

impl Preview {
    /// Root over everything settled: the header's parent beacon root (EIP-4788).
    pub fn root(&self) -> Digest {
        self.state.head().root
    }

    /// The last settled slot.
    pub fn last_slot(&self) -> Option<u64> {
        self.state.head().last_slot
    }

    /// Index of the next withdrawal (EIP-4895).
    pub fn next_withdrawal_index(&self) -> u64 {
        self.state.head().withdrawals
    }

    /// The state itself.
    pub fn state(&self) -> &LedgerState {
        &self.state
    }

    /// What `payload` does in a block of time `block_time_ms`.
    pub fn settle(&self, payload: &ViewPayload, block_time_ms: u64) -> Result<Settlement, SettleError> {
        self.state.settle(&self.genesis, payload, block_time_ms)
    }
}

#[cfg(test)]
mod tests;
