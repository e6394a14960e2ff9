//! Reads the Registry contract as of the last final block.

use alloy_primitives::B256;
use chainflix_chain::execution::{Address, CallError, ExecutionLayer};
use chainflix_contracts::{AnswerError, IRegistry, REGISTRY_ADDRESS, SolCall, decode_video};
use chainflix_primitives::{AccountAddress, BoxPublicKey, Magnet, NodeId};
use chainflix_rpc::types::Provider;

/// Why the registry did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RegistryError {
    /// The EVM call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is not one.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The answer does not decode.
    #[error("malformed answer of the registry")]
    Decode(#[from] alloy_sol_types::Error),
}

/// The registry of the chain that `execution` follows.
#[derive(Clone)]
pub(crate) struct Registry {
    execution: ExecutionLayer,
}

impl Registry {
    pub fn new(execution: ExecutionLayer) -> Self {
        Self { execution }
    }

    fn ask<C: SolCall>(&self, call: C) -> Result<Vec<u8>, RegistryError> {
        Ok(self.execution.call(Address::from(REGISTRY_ADDRESS.into_array()), call.abi_encode())?)
    }

    /// The record of a video.
    pub fn video(&self, magnet: &Magnet) -> Result<Option<IRegistry::Video>, RegistryError> {
        Ok(decode_video(&self.ask(IRegistry::videoCall { magnet: B256::from(magnet.0) })?)?)
    }

    /// Number of videos registered so far.
    pub fn video_count(&self) -> Result<u64, RegistryError> {
        let answer = self.ask(IRegistry::videoCountCall {})?;
        Ok(IRegistry::videoCountCall::abi_decode_returns(&answer)?.saturating_to())
    }

    /// Magnets in the order of registration.
    pub fn magnets(&self, from: u64, count: u64) -> Result<Vec<Magnet>, RegistryError> {
        use alloy_primitives::U256;
        let answer = self.ask(IRegistry::magnetsCall { from: U256::from(from), count: U256::from(count) })?;
        let magnets = IRegistry::magnetsCall::abi_decode_returns(&answer)?;
        Ok(magnets.into_iter().map(|magnet| Magnet(magnet.0)).collect())
    }

    /// All registered providers.
    pub fn providers(&self) -> Result<Vec<Provider>, RegistryError> {
        use alloy_primitives::U256;
        let answer = self.ask(IRegistry::providerCountCall {})?;
        let count: u64 = IRegistry::providerCountCall::abi_decode_returns(&answer)?.saturating_to();
        let mut providers = Vec::new();
        for index in 0..count {
            let answer = self.ask(IRegistry::providerAtCall { index: U256::from(index) })?;
            let provider = IRegistry::providerAtCall::abi_decode_returns(&answer)?;
            providers.push(Provider {
                account: AccountAddress(provider.account.into_array()),
                node_id: NodeId(provider.nodeId.0),
                box_key: BoxPublicKey(provider.boxKey.0),
            });
        }
        Ok(providers)
    }
}
