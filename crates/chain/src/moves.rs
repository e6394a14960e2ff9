//! Reads from an executed block what the registry said of providers, as the view ledger wants it: final or not.

use crate::execution::{ExecutionLayer, H256, Log, ReadError};
use alloy_primitives::B256;
use chainflix_contracts::{Change, REGISTRY_ADDRESS};
use chainflix_proof_of_view::ProviderMove;
use std::sync::Arc;

/// Why the moves of a block are not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MovesError {
    /// The store fails.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its events are not here: it has to be imported first.
    #[error("block {block:#x} is not executed here")]
    NotExecuted { block: H256 },
}

/// Which providers entered or left the registry in `block`, in the order of its events. A block in which the registry said
/// nothing costs a look at its header.
///
/// # Errors
/// [`MovesError`]: never an empty answer for a block whose events are not known, since all nodes must hear the same.
pub async fn provider_moves(execution: &ExecutionLayer, block: H256) -> Result<Arc<[ProviderMove]>, MovesError> {
    let registry = crate::execution::Address::from(REGISTRY_ADDRESS.into_array());
    let logs = execution.executed_events(block, &[registry]).await?.ok_or(MovesError::NotExecuted { block })?;
    Ok(logs.iter().filter_map(provider_move).collect())
}

fn provider_move(log: &Log) -> Option<ProviderMove> {
    let topics: Vec<_> = log.topics.iter().map(|topic| B256::from(topic.0)).collect();
    match Change::of(REGISTRY_ADDRESS, &topics, &log.data)? {
        Change::ProviderRegistered { account, .. } => Some(ProviderMove::Registered(account)),
        Change::ProviderWithdrawn { account } => Some(ProviderMove::Withdrawn(account)),
        _ => None,
    }
}
