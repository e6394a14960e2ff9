//! Transactions that wait for a block.
//!
//! The pool itself is ethrex's. It knows only the newest final state, so this module looks after the transactions in
//! between: while a branch is not final its transactions are *lent* to it, out of the pool, because ethrex leaves out
//! every transaction of a sender whose first one is stale.
//!
//! ```text
//!   JSON-RPC ----> submit ----> pool <------------- given back: the branch died
//!       |            ^           | lend: an ancestor of the block being built has it
//!       v announce   | gossip    v
//!   consensus -------+         lent ---- the branch became final ----> forgotten
//! ```

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use ethrex_blockchain::{Blockchain, error::MempoolError};
use ethrex_common::{
    Bytes, H256, NativeCrypto,
    types::{Block, MAX_TX_SIZE, Transaction},
};
use ethrex_rlp::error::RLPDecodeError;
use ethrex_storage::error::StoreError;
use tokio::sync::broadcast;

use super::{ExecutionLayer, Inner, lock};

/// Longest transaction that is looked at, in bytes: 128 KiB, as on Ethereum.
pub const MAX_TRANSACTION_BYTES: usize = MAX_TX_SIZE;

/// Announcements that may wait for one subscriber.
const ANNOUNCEMENTS: usize = 4096;

/// Accepted hashes that are remembered for pending-transaction filters.
const RECENT: usize = 4096;

/// Why a transaction was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Longer than [`MAX_TRANSACTION_BYTES`].
    #[error("transaction of {bytes} bytes is longer than {MAX_TRANSACTION_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not a transaction (EIP-2718).
    #[error("not a transaction")]
    Malformed(#[from] RLPDecodeError),
    /// Nobody stores blobs here.
    #[error("blob transactions are not accepted on this chain")]
    Blobs,
    /// The pool does not want it: nonce, balance, fee, signature, chain.
    #[error("transaction {hash:#x} is refused")]
    Refused {
        /// The transaction.
        hash: H256,
        /// Why.
        #[source]
        source: MempoolError,
    },
}

/// What accompanies ethrex's pool.
pub(super) struct Pool {
    lent: Mutex<HashMap<H256, Lent>>,
    announcements: broadcast::Sender<Bytes>,
    recent: Mutex<Recent>,
}

/// Transactions that an executed, not yet final block keeps out of the pool. There are as many of these as there are
/// blocks above the newest final one: consensus bounds them.
struct Lent {
    number: u64,
    transactions: Vec<Transaction>,
}

impl Default for Pool {
    fn default() -> Self {
        Self { lent: Mutex::default(), announcements: broadcast::Sender::new(ANNOUNCEMENTS), recent: Mutex::default() }
    }
}

impl Pool {
    /// Takes out of the pool what `blocks` use up. A transaction that came by gossip after its block was lent for is taken
    /// out the next time.
    pub fn lend(&self, blockchain: &Blockchain, blocks: &[Arc<Block>]) -> Result<(), MempoolError> {
        for block in blocks {
            let rivals = take_out(blockchain, block)?;
            let mut lent = lock(&self.lent);
            let entry = lent
                .entry(block.hash())
                .or_insert_with(|| Lent { number: block.header.number, transactions: block.body.transactions.clone() });
            entry.transactions.extend(rivals);
        }
        Ok(())
    }

    /// Forgets what was lent up to the height of `block`, which became final, and returns what died with other branches.
    fn settle(&self, block: &Block) -> Vec<Transaction> {
        let (number, hash) = (block.header.number, block.hash());
        let mut dead = Vec::new();
        lock(&self.lent).retain(|&branch, lent| {
            if lent.number > number {
                return true;
            }
            if branch != hash {
                dead.append(&mut lent.transactions);
            }
            false
        });
        dead
    }

    pub fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        lock(&self.recent)
    }
}

/// Removes the block's transactions, and returns those of the same sender and nonce that they replace.
fn take_out(blockchain: &Blockchain, block: &Block) -> Result<Vec<Transaction>, MempoolError> {
    let mut rivals = Vec::new();
    for transaction in &block.body.transactions {
        let hash = transaction.hash(&NativeCrypto);
        let sender = transaction.sender(&NativeCrypto)?;
        if let Some(rival) = blockchain.mempool.contains_sender_nonce(sender, transaction.nonce(), hash)? {
            blockchain.remove_transaction_from_pool(&rival.transaction().hash(&NativeCrypto))?;
            rivals.push(rival.transaction().clone());
        }
        blockchain.remove_transaction_from_pool(&hash)?;
    }
    Ok(rivals)
}

impl ExecutionLayer {
    /// Takes a signed transaction (EIP-2718 bytes) that another validator passed on. It is not announced again: whoever
    /// accepted it from a user tells everybody. Taking one twice is no error.
    ///
    /// # Errors
    /// [`SubmitError`] when it is refused.
    pub async fn submit_raw_transaction(&self, raw: &[u8]) -> Result<H256, SubmitError> {
        if raw.len() > MAX_TRANSACTION_BYTES {
            return Err(SubmitError::TooLong { bytes: raw.len() });
        }
        let transaction = Transaction::decode_canonical(raw)?;
        if matches!(transaction, Transaction::EIP4844Transaction(_)) {
            return Err(SubmitError::Blobs);
        }
        let hash = transaction.hash(&NativeCrypto);
        let refused = |source| SubmitError::Refused { hash, source };
        let blockchain = &self.inner.blockchain;
        let known = blockchain.mempool.contains_tx(hash).map_err(refused)?;
        blockchain.add_transaction_to_pool(transaction).await.map_err(refused)?;
        if !known {
            self.inner.pool.recent().push(hash);
        }
        Ok(hash)
    }

    /// As [`submit_raw_transaction`](Self::submit_raw_transaction), for one that a user sent to this node.
    pub(super) async fn submit_and_announce(&self, raw: Bytes) -> Result<H256, SubmitError> {
        let hash = self.submit_raw_transaction(&raw).await?;
        // Without subscribers there is nobody to tell. A transaction that is sent again is announced again, because its
        // first announcement may have been lost.
        let _ = self.inner.pool.announcements.send(raw);
        Ok(hash)
    }

    /// Signed transactions that users sent to this node from now on, for consensus to pass on to the other validators.
    /// A subscriber that falls 4096 behind loses the oldest and is told how many; they stay in this node's pool and are
    /// proposed in its turn.
    pub fn subscribe_transactions(&self) -> broadcast::Receiver<Bytes> {
        self.inner.pool.announcements.subscribe()
    }

    /// Transactions in the pool.
    ///
    /// # Errors
    /// [`MempoolError`] when its lock is poisoned.
    pub fn pooled_transactions(&self) -> Result<u64, MempoolError> {
        self.inner.blockchain.mempool.status()
    }
}

impl Inner {
    /// Takes the transactions of a block that became final out of the pool and puts those of dead branches back.
    /// Failures are logged only: the pool may be wrong about a transaction, never the chain.
    pub(super) async fn settle_pool(&self, block: &Block) {
        if let Err(error) = take_out(&self.blockchain, block) {
            tracing::warn!(%error, block = block.header.number, "final transactions stay in the pool");
        }
        for transaction in self.pool.settle(block) {
            let hash = transaction.hash(&NativeCrypto);
            if let Err(error) = self.blockchain.add_transaction_to_pool(transaction).await {
                // Normal where the transaction also is in the branch that won.
                tracing::debug!(%error, %hash, "transaction of a dead branch is not taken back");
            }
        }
    }

    /// Removes every transaction whose nonce is used up. [`take_out`] catches nearly all of them; what remains are
    /// accounts whose nonce an EIP-7702 authorisation moved, and transactions that came while their block became final.
    pub(super) fn sweep_pool(&self) -> Result<(), StoreError> {
        let head = self.head().hash();
        for (sender, transactions) in self.blockchain.mempool.get_all_txs_by_sender()? {
            let Some(account) = self.store().get_account_info_by_hash(head, sender)? else { continue };
            for stale in transactions.iter().filter(|transaction| transaction.nonce() < account.nonce) {
                self.blockchain.remove_transaction_from_pool(&stale.hash(&NativeCrypto))?;
            }
        }
        Ok(())
    }
}

/// The newest accepted transactions, numbered from 0 in the order of their coming.
#[derive(Default)]
pub(super) struct Recent {
    hashes: VecDeque<H256>,
    /// Number of the next one.
    next: u64,
}

impl Recent {
    fn push(&mut self, hash: H256) {
        if self.hashes.len() == RECENT {
            self.hashes.pop_front();
        }
        self.hashes.push_back(hash);
        self.next += 1;
    }

    /// Number that the next one will have.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Those from number `from` on; the oldest of them may be forgotten.
    pub fn since(&self, from: u64) -> Vec<H256> {
        let first = self.next - self.hashes.len() as u64;
        self.hashes.iter().skip(from.saturating_sub(first) as usize).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_hashes_are_bounded_and_numbered() {
        let mut recent = Recent::default();
        assert!(recent.since(0).is_empty());
        for i in 0..RECENT as u64 + 10 {
            recent.push(H256::from_low_u64_be(i));
        }
        assert_eq!(recent.next(), RECENT as u64 + 10);
        assert_eq!(recent.since(recent.next() - 1), [H256::from_low_u64_be(RECENT as u64 + 9)]);
        assert!(recent.since(recent.next()).is_empty());
        let all = recent.since(0);
        assert_eq!((all.len(), all[0]), (RECENT, H256::from_low_u64_be(10)));
    }
}
