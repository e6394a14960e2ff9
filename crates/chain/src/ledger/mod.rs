//! Keeps the view ledger of final blocks durably, and previews it for blocks that are not final yet.
//!
//! ```text
//! consensus ── commit(block) ──────▶ advance (pure) ──▶ one redb transaction: state, view block, awards
//!           ── preview(candidates) ▶ the state that a candidate block builds on, in memory only
//! ```
//!
//! Its own database, apart from the EVM's state: the paper's Play Data database. The block height is stored in the same
//! transaction as what the block did, so that after any crash the two can be brought together again from the archive of
//! final blocks. What settles, and what it pays, is decided in `chainflix-proof-of-view`.
//!
//! A block of many plays takes seconds to count, and every validator meets it three times: it votes on it, builds on it,
//! and commits it. It is counted once (`steps`).

mod parts;
mod prune;
mod query;
mod row;
mod served;
mod steps;
mod store;
mod write;

pub use chainflix_proof_of_view::{BlockPlace, HeldPay, Owed, ProviderMove, SettleError, Settlement};
pub use chainflix_token::{Credit, RolePay};
pub use query::{Awarded, PlayPlace, PlayState, ROWS_MAX, Summary, ViewBlock};
pub use served::SERVED_DAYS_KEPT;
pub use store::StoreError;

use chainflix_primitives::{BlockHash, Digest, NetworkGenesis, ViewPayload};
use chainflix_proof_of_view::LedgerState;
use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};
use steps::{Steps, Version};
use store::Store;

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
    /// The plays of an old view block, of which only the summary is kept.
    #[error("the plays of view block {view_block} are not kept any more; its summary is")]
    Pruned { view_block: u64 },
    /// A block of another chain.
    #[error("block {height} builds on {given}, the view ledger's last block is {expected}")]
    OtherParent { height: u64, expected: BlockHash, given: BlockHash },
    /// A block whose payload does not settle: the chain or this node is broken.
    #[error("the payload of block {height} does not settle")]
    Settle {
        height: u64,
        #[source]
        source: SettleError,
    },
}

/// A block that is not final yet, as far as the ledger looks at it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Where it stands.
    pub place: BlockPlace,
    /// What it says about views.
    pub payload: Option<Arc<ViewPayload>>,
}

/// The last committed block and what it left.
#[derive(Clone)]
struct Current {
    height: u64,
    /// `None` before the first block.
    hash: Option<BlockHash>,
    version: Version,
}

/// The ledger of all final blocks. Clones share one database.
#[derive(Clone)]
pub struct ViewLedger {
    genesis: Arc<NetworkGenesis>,
    store: Arc<Store>,
    steps: Arc<Steps>,
    /// Written by `commit` alone.
    current: Arc<RwLock<Current>>,
}

impl ViewLedger {
    /// Opens (or starts) the ledger in the file `path`.
    pub fn open(path: &Path, genesis: Arc<NetworkGenesis>) -> Result<Self, LedgerError> {
        Self::with(Store::open(path, genesis.clone())?, genesis)
    }

    /// A ledger that is gone with the process.
    pub fn in_memory(genesis: Arc<NetworkGenesis>) -> Result<Self, LedgerError> {
        Self::with(Store::in_memory(genesis.clone())?, genesis)
    }

    fn with(store: Store, genesis: Arc<NetworkGenesis>) -> Result<Self, LedgerError> {
        let expected = genesis.digest();
        let found = store.network(&expected)?;
        if found != expected {
            return Err(LedgerError::OtherNetwork { expected, found });
        }
        let (height, hash, state) = match store.load()? {
            Some(stored) => (stored.height, Some(stored.hash), stored.state),
            None => (0, None, LedgerState::default()),
        };
        let steps = Steps::default();
        let current = Current { height, hash, version: steps.begin(state) };
        Ok(Self { genesis, store: Arc::new(store), steps: Arc::new(steps), current: Arc::new(RwLock::new(current)) })
    }

    /// Height of the last committed block; 0 before the first.
    pub fn height(&self) -> u64 {
        self.read().height
    }

    /// The state after the last committed block.
    pub fn state(&self) -> LedgerState {
        self.read().version.state
    }

    fn read(&self) -> Current {
        // Cloning shares structure, and a writer that panicked left the old value whole.
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The state after blocks that are not final yet: all that follow the last committed one, oldest first.
    pub fn preview(&self, candidates: &[Candidate]) -> Result<Preview, LedgerError> {
        let mut version = self.read().version;
        for Candidate { place, payload } in candidates {
            let stepped = self.steps.step(&self.genesis, &version, place, payload.as_ref());
            version = stepped.map_err(|source| LedgerError::Settle { height: place.height, source })?.0;
        }
        Ok(Preview { genesis: self.genesis.clone(), steps: self.steps.clone(), version })
    }

    /// Takes a final block, whose hash is `hash`. Durable when it returns; a height that is already there changes nothing
    /// and answers `None`.
    ///
    /// Blocks the thread for a disk write. Calls come one at a time, from the finalizer.
    pub fn commit(
        &self,
        place: &BlockPlace,
        hash: BlockHash,
        payload: Option<&Arc<ViewPayload>>,
    ) -> Result<Option<Arc<Settlement>>, LedgerError> {
        let current = self.read();
        if place.height <= current.height {
            return Ok(None);
        }
        check_follows(&current, place)?;
        let stepped = self.steps.step(&self.genesis, &current.version, place, payload);
        let (version, settlement) = stepped.map_err(|source| LedgerError::Settle { height: place.height, source })?;
        self.store.commit(place, hash, &current.version.state, payload, &settlement)?;
        let next = Current { height: place.height, hash: Some(hash), version };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(Some(settlement))
    }
}

fn check_follows(current: &Current, place: &BlockPlace) -> Result<(), LedgerError> {
    let height = current.height;
    if place.height != height + 1 {
        return Err(LedgerError::Gap { height, given: place.height });
    }
    match current.hash {
        Some(expected) if expected != place.parent => {
            Err(LedgerError::OtherParent { height: place.height, expected, given: place.parent })
        }
        _ => Ok(()),
    }
}

/// The ledger as a candidate block finds it.
#[derive(Clone)]
pub struct Preview {
    genesis: Arc<NetworkGenesis>,
    steps: Arc<Steps>,
    version: Version,
}

impl Preview {
    /// Root over everything settled: the header's parent beacon root (EIP-4788).
    pub fn root(&self) -> Digest {
        self.state().head().root
    }

    /// The last settled slot.
    pub fn last_slot(&self) -> Option<u64> {
        self.state().head().last_slot
    }

    /// Index of the next withdrawal (EIP-4895).
    pub fn next_withdrawal_index(&self) -> u64 {
        self.state().head().withdrawals
    }

    /// The state itself.
    pub fn state(&self) -> &LedgerState {
        &self.version.state
    }

    /// What a block at `place` with this payload does. Every block does something as time passes, also one without.
    pub fn settle(
        &self,
        place: &BlockPlace,
        payload: Option<&Arc<ViewPayload>>,
    ) -> Result<Arc<Settlement>, SettleError> {
        self.steps.step(&self.genesis, &self.version, place, payload).map(|(_, settlement)| settlement)
    }
}

#[cfg(test)]
mod tests;
