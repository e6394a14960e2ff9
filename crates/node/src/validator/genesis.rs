//! The Ethereum side of a network's genesis: coins and contracts.

use chainflix_chain::genesis::{EthereumGenesis, GAS_LIMIT, Predeploy};
use chainflix_contracts::{PredeployError, predeploys};
use chainflix_primitives::NetworkGenesis;

const WEI_PER_CFX: u128 = 1_000_000_000_000_000_000;

/// What block 0 holds.
///
/// # Errors
/// [`PredeployError`] where the genesis says what the contracts would refuse.
pub fn ethereum(genesis: &NetworkGenesis) -> Result<EthereumGenesis, PredeployError> {
    let contract = |predeploy: chainflix_contracts::Predeploy| Predeploy {
        address: predeploy.address.into_array(),
        code: predeploy.code.to_vec(),
        storage: predeploy.storage.into_iter().map(|(slot, word)| (slot.0, word.0)).collect(),
    };
    let allocations = genesis.allocations.iter();
    Ok(EthereumGenesis {
        chain_id: genesis.chain_id,
        timestamp_s: genesis.genesis_time_ms / 1000,
        allocations: allocations.map(|given| (given.account.0, u128::from(given.cfx) * WEI_PER_CFX)).collect(),
        predeploys: predeploys(genesis)?.map(contract).into(),
        gas_limit: GAS_LIMIT,
    })
}
