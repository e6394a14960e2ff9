//! What final blocks say: their hashes, and the events that contracts emitted in them.

use ethrex_common::{
    Address, BloomInput, H256,
    types::{BlockHeader, Log},
};

use super::{ExecutionLayer, ReadError};

impl ExecutionLayer {
    /// Hash of the final block of this number; `None` where there is none yet.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails.
    pub fn block_hash(&self, number: u64) -> Result<Option<H256>, ReadError> {
        if number > self.height() {
            return Ok(None);
        }
        Ok(self.inner.store().get_canonical_block_hash_sync(number)?)
    }

    /// The events of final block `number` that the contracts `of` emitted, in their order. Empty for a block that is not
    /// final. A block in which they emitted nothing costs a look at its header.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails.
    pub async fn events(&self, number: u64, of: &[Address]) -> Result<Vec<Log>, ReadError> {
        let Some(hash) = self.block_hash(number)? else { return Ok(Vec::new()) };
        Ok(self.executed_events(hash, of).await?.unwrap_or_default())
    }

    /// The events of block `hash`, final or not, that the contracts `of` emitted, in their order; `None` where it was not
    /// executed here, or its receipts are lost. A block in which they emitted nothing costs a look at its header.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails.
    pub async fn executed_events(&self, hash: H256, of: &[Address]) -> Result<Option<Vec<Log>>, ReadError> {
        let store = self.inner.store();
        let Some(header) = store.get_block_header_by_hash(hash)? else { return Ok(None) };
        if !of.iter().any(|contract| may_hold(&header, contract)) {
            return Ok(Some(Vec::new()));
        }
        let receipts = store.get_receipts_for_block(&hash).await?;
        if receipts.is_empty() {
            // Somebody emitted something, so there was a transaction.
            return Ok(None);
        }
        let logs = receipts.into_iter().flat_map(|receipt| receipt.logs);
        Ok(Some(logs.filter(|log| of.contains(&log.address)).collect()))
    }
}

/// Whether the header's filter leaves it open that `contract` emitted something; without it there is nothing.
fn may_hold(header: &BlockHeader, contract: &Address) -> bool {
    header.logs_bloom.contains_input(BloomInput::Raw(contract.as_bytes()))
}
