//! Reads from an executed block what the registry said of providers, as the view ledger wants it: final or not.

use crate::execution::{ExecutionLayer, H256, ReadError};
use alloy_primitives::B256;
use chainflix_contracts::{IRegistry, REGISTRY_ADDRESS, SolEvent as _};
use chainflix_primitives::AccountAddress;
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
    Ok(logs
        .iter()
        .filter_map(|log| {
            let topics: Vec<_> = log.topics.iter().map(|topic| B256::from(topic.0)).collect();
            provider_move(&topics)
        })
        .collect())
}

/// What an event of the registry says of a provider: both kinds name its account first.
fn provider_move(topics: &[B256]) -> Option<ProviderMove> {
    let (kind, account) = (topics.first()?, topics.get(1)?);
    // An indexed address is padded to a word on the left.
    let account = AccountAddress(account.0.last_chunk().copied()?);
    match *kind {
        IRegistry::ProviderRegistered::SIGNATURE_HASH => Some(ProviderMove::Registered(account)),
        IRegistry::ProviderWithdrawn::SIGNATURE_HASH => Some(ProviderMove::Withdrawn(account)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, IntoLogData as _};

    #[test]
    fn providers_come_and_go_and_nothing_else_moves_them() {
        let (account, node) = (Address::repeat_byte(7), B256::repeat_byte(8));
        let read = |event: &dyn Fn() -> alloy_primitives::LogData| provider_move(event().topics());
        let registered = IRegistry::ProviderRegistered { account, nodeId: node, boxKey: B256::repeat_byte(9) };
        let withdrawn = IRegistry::ProviderWithdrawn { account, nodeId: node };
        let who = AccountAddress([7; 20]);
        assert_eq!(read(&|| registered.to_log_data()), Some(ProviderMove::Registered(who)));
        assert_eq!(read(&|| withdrawn.to_log_data()), Some(ProviderMove::Withdrawn(who)));
        assert_eq!(read(&|| IRegistry::SupervisorRemoved { supervisor: account }.to_log_data()), None);
        assert_eq!(provider_move(&[]), None);
    }
}
