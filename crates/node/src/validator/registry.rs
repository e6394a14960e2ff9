//! Reads the contracts as of the last final block: the registry, and the standing of accounts.

use alloy_primitives::{Address, B256, U256};
use chainflix_chain::execution::{self, CallError, ExecutionLayer};
use chainflix_contracts::{
    AnswerError, IRegistry, IStanding, REGISTRY_ADDRESS, STANDING_ADDRESS, SolCall, decode, decode_layer, decode_video,
};
use chainflix_primitives::{AccountAddress, BoxPublicKey, Magnet, NodeId, RewardSplit};
use chainflix_rpc::types::Provider;

/// Why a contract did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RegistryError {
    /// The EVM call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is not one.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// The contracts of the chain that `execution` follows. Each question is a call of the EVM.
#[derive(Clone)]
pub(crate) struct Registry {
    execution: ExecutionLayer,
}

impl Registry {
    pub fn new(execution: ExecutionLayer) -> Self {
        Self { execution }
    }

    fn ask<C: SolCall>(&self, call: C) -> Result<Vec<u8>, RegistryError> {
        self.ask_at(REGISTRY_ADDRESS, call)
    }

    fn ask_at<C: SolCall>(&self, contract: Address, call: C) -> Result<Vec<u8>, RegistryError> {
        Ok(self.execution.call(execution::Address::from(contract.into_array()), call.abi_encode())?)
    }

    /// The record of a video.
    pub fn video(&self, magnet: &Magnet) -> Result<Option<IRegistry::Video>, RegistryError> {
        Ok(decode_video(&self.ask(IRegistry::videoCall { magnet: B256::from(magnet.0) })?)?)
    }

    /// How the views of a registered video are shared.
    pub fn split(&self, magnet: &Magnet) -> Result<RewardSplit, RegistryError> {
        let answer = self.ask(IRegistry::splitOfCall { magnet: B256::from(magnet.0) })?;
        Ok(decode::<IRegistry::splitOfCall>(&answer)?.into())
    }

    /// The record of a layer.
    pub fn layer(&self, layer: &Magnet) -> Result<Option<IRegistry::Layer>, RegistryError> {
        Ok(decode_layer(&self.ask(IRegistry::layerCall { layer: B256::from(layer.0) })?)?)
    }

    /// Whether an account made a layer of a video that is not taken down.
    pub fn is_activator(&self, video: &Magnet, account: &AccountAddress) -> Result<bool, RegistryError> {
        let call = IRegistry::isActivatorCall { video: B256::from(video.0), account: Address::from(account.0) };
        Ok(decode::<IRegistry::isActivatorCall>(&self.ask(call)?)?)
    }

    /// Operation participants, in no order.
    pub fn participants(&self) -> Result<Vec<AccountAddress>, RegistryError> {
        let answer = self.ask(IRegistry::participantsCall {})?;
        let participants = decode::<IRegistry::participantsCall>(&answer)?;
        Ok(participants.into_iter().map(|account| AccountAddress(account.into_array())).collect())
    }

    /// The bond of an account in wei, and whether a supervisor in office vouches for it.
    pub fn standing(&self, account: &AccountAddress) -> Result<(U256, bool), RegistryError> {
        let call = IStanding::standingOfCall { account: Address::from(account.0) };
        let standing = decode::<IStanding::standingOfCall>(&self.ask_at(STANDING_ADDRESS, call)?)?;
        Ok((standing.bondWei, standing.vouched))
    }

    /// Number of videos registered so far.
    pub fn video_count(&self) -> Result<u64, RegistryError> {
        let answer = self.ask(IRegistry::videoCountCall {})?;
        Ok(decode::<IRegistry::videoCountCall>(&answer)?.saturating_to())
    }

    /// Magnets in the order of registration.
    pub fn magnets(&self, from: u64, count: u64) -> Result<Vec<Magnet>, RegistryError> {
        let answer = self.ask(IRegistry::magnetsCall { from: U256::from(from), count: U256::from(count) })?;
        let magnets = decode::<IRegistry::magnetsCall>(&answer)?;
        Ok(magnets.into_iter().map(|magnet| Magnet(magnet.0)).collect())
    }

    /// All registered providers.
    pub fn providers(&self) -> Result<Vec<Provider>, RegistryError> {
        let answer = self.ask(IRegistry::providerCountCall {})?;
        let count: u64 = decode::<IRegistry::providerCountCall>(&answer)?.saturating_to();
        let mut providers = Vec::new();
        for index in 0..count {
            let answer = self.ask(IRegistry::providerAtCall { index: U256::from(index) })?;
            let provider = decode::<IRegistry::providerAtCall>(&answer)?;
            providers.push(Provider {
                account: AccountAddress(provider.account.into_array()),
                node_id: NodeId(provider.nodeId.0),
                box_key: BoxPublicKey(provider.boxKey.0),
            });
        }
        Ok(providers)
    }
}
