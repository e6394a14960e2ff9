//! Makes the Ethereum genesis block of a Chainflix network.
//!
//! Every fork up to Prague is active from block 0 (EIP-7702 accounts, EIP-4788 beacon roots), so the four system
//! contracts that Prague calls in every block must exist in it: a block is invalid where EIP-7002 or EIP-7251 has no code.
//! The contents of the network's own contracts, and who gets coins, are decided elsewhere.

use std::collections::{BTreeMap, btree_map::Entry};

use alloy_primitives::hex;
use ethrex_common::{
    Address, Bytes, U256,
    types::{ChainConfig, GenesisAccount},
};

pub use ethrex_common::types::Genesis;

/// Chain id of the public Chainflix network (EIP-155).
pub const CHAIN_ID: u64 = 4_408_920;

/// Gas a block may use: about 14,000 plain transfers.
pub const GAS_LIMIT: u64 = 300_000_000;

/// Price of gas in the first block, and where it settles while blocks are less than half full: an eighth of anything
/// smaller than 8 rounds to nothing (EIP-1559), so it falls no further.
const BASE_FEE_WEI: u64 = 7;

/// The smallest gas limit that Ethereum's header rules know.
const MIN_GAS_LIMIT: u64 = 5_000;

/// Runtime code of the system contracts, each as published in its EIP.
mod system {
    use super::hex;

    /// EIP-4788: ring of the last 8191 beacon roots; ours are the view ledger's.
    pub const BEACON_ROOTS: ([u8; 20], &[u8]) = (
        hex!("000f3df6d732807ef1319fb7b8bb8522d0beac02"),
        &hex!(
            "3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f35801560495762001fff8106908154"
            "14603c575f5ffd5b62001fff01545f5260205ff35b5f5ffd5b62001fff42064281555f359062001fff015500"
        ),
    );

    /// EIP-2935: ring of the last 8191 block hashes.
    pub const BLOCK_HASHES: ([u8; 20], &[u8]) = (
        hex!("0000f90827f1c53a10cb7a02335b175320002935"),
        &hex!(
            "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff814303116042"
            "57611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
        ),
    );

    /// EIP-7002: withdrawal requests. Nothing here serves them, but a block without this contract is invalid.
    pub const WITHDRAWAL_REQUESTS: ([u8; 20], &[u8]) = (
        hex!("00000961ef480eb55e80d19ad83579a64c007002"),
        &hex!(
            "3373fffffffffffffffffffffffffffffffffffffffe1460cb5760115f54807fffffffffffffffffffffffffffffffffffffffffff"
            "ffffffffffffffffffffff146101f457600182026001905f5b5f82111560685781019083028483029004916001019190604d565b90"
            "9390049250505036603814608857366101f457346101f4575f5260205ff35b34106101f45760015460010160015560035480600302"
            "6004013381556001015f35815560010160203590553360601b5f5260385f601437604c5fa0600101600355005b6003546002548082"
            "038060101160df575060105b5f5b8181146101835782810160030260040181604c02815460601b8152601401816001015481526020"
            "019060020154807fffffffffffffffffffffffffffffffff00000000000000000000000000000000168252906010019060401c9081"
            "60381c81600701538160301c81600601538160281c81600501538160201c81600401538160181c81600301538160101c8160020153"
            "8160081c81600101535360010160e1565b910180921461019557906002556101a0565b90505f6002555f6003555b5f54807fffffff"
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff14156101cd57505f5b6001546002828201116101e25750505f"
            "6101e8565b01600290035b5f555f600155604c025ff35b5f5ffd"
        ),
    );

    /// EIP-7251: consolidation requests, for the same reason.
    pub const CONSOLIDATION_REQUESTS: ([u8; 20], &[u8]) = (
        hex!("0000bbddc7ce488642fb579f8b00f3a590007251"),
        &hex!(
            "3373fffffffffffffffffffffffffffffffffffffffe1460d35760115f54807fffffffffffffffffffffffffffffffffffffffffff"
            "ffffffffffffffffffffff1461019a57600182026001905f5b5f82111560685781019083028483029004916001019190604d565b90"
            "93900492505050366060146088573661019a573461019a575f5260205ff35b341061019a5760015460010160015560035480600402"
            "6004013381556001015f358155600101602035815560010160403590553360601b5f5260605f60143760745fa0600101600355005b"
            "6003546002548082038060021160e7575060025b5f5b8181146101295782810160040260040181607402815460601b815260140181"
            "600101548152602001816002015481526020019060030154905260010160e9565b910180921461013b5790600255610146565b9050"
            "5f6002555f6003555b5f54807fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff141561017357505f"
            "5b6001546001828201116101885750505f61018e565b01600190035b5f555f6001556074025ff35b5f5ffd"
        ),
    );

    pub const CONTRACTS: [([u8; 20], &[u8]); 4] =
        [BEACON_ROOTS, BLOCK_HASHES, WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS];
}

/// A contract that exists from block 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predeploy {
    /// Where it lives.
    pub address: [u8; 20],
    /// Its runtime code, not its constructor.
    pub code: Vec<u8>,
    /// Its storage, by slot, both big-endian words. A zero word is the same as no entry.
    pub storage: BTreeMap<[u8; 32], [u8; 32]>,
}

/// What a network decides about its Ethereum side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EthereumGenesis {
    /// EIP-155 chain id that every transaction signs.
    pub chain_id: u64,
    /// Time of block 0, in seconds since 1970. Later blocks must be later.
    pub timestamp_s: u64,
    /// Coins that exist from the start: address and wei, each address once.
    pub allocations: Vec<([u8; 20], u128)>,
    /// Contracts that exist from the start; an allocation may name one of them too.
    pub predeploys: Vec<Predeploy>,
    /// Gas limit of every block.
    pub gas_limit: u64,
}

/// Why a genesis cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Two allocations to one address: one of them is a mistake.
    #[error("address 0x{} is allocated coins twice", hex::encode(.address))]
    DuplicateAllocation {
        /// The address.
        address: [u8; 20],
    },
    /// Two contracts at one address, or one where a system contract has to be.
    #[error("two contracts are predeployed at 0x{}", hex::encode(.address))]
    DuplicatePredeploy {
        /// The address.
        address: [u8; 20],
    },
    /// A predeploy without code would be an ordinary account.
    #[error("the predeploy at 0x{} has no code", hex::encode(.address))]
    EmptyPredeploy {
        /// The address.
        address: [u8; 20],
    },
    /// Below what Ethereum's header rules allow.
    #[error("a gas limit of {gas_limit} is below {MIN_GAS_LIMIT}")]
    GasLimitTooLow {
        /// What was asked for.
        gas_limit: u64,
    },
}

impl EthereumGenesis {
    /// The genesis in ethrex's terms; [`Genesis::get_block`] computes its block.
    ///
    /// The chain id is also written into the header's extra data, because nothing else of the header depends on it: so
    /// two networks that differ only in their chain id have different genesis hashes, and a folder of the one is refused
    /// by the other.
    ///
    /// # Errors
    /// [`GenesisError`] when the parts contradict each other.
    pub fn build(&self) -> Result<Genesis, GenesisError> {
        if self.gas_limit < MIN_GAS_LIMIT {
            return Err(GenesisError::GasLimitTooLow { gas_limit: self.gas_limit });
        }
        Ok(Genesis {
            config: chain_config(self.chain_id),
            alloc: self.accounts()?,
            extra_data: Bytes::from(format!("chainflix:{}", self.chain_id)),
            gas_limit: self.gas_limit,
            timestamp: self.timestamp_s,
            base_fee_per_gas: Some(BASE_FEE_WEI),
            ..Genesis::default()
        })
    }

    fn accounts(&self) -> Result<BTreeMap<Address, GenesisAccount>, GenesisError> {
        let mut accounts = BTreeMap::new();
        for (address, code) in system::CONTRACTS {
            accounts.insert(Address::from(address), contract(Bytes::from_static(code), BTreeMap::new()));
        }
        for predeploy in &self.predeploys {
            let address = predeploy.address;
            if predeploy.code.is_empty() {
                return Err(GenesisError::EmptyPredeploy { address });
            }
            let account = contract(predeploy.code.clone().into(), words(&predeploy.storage));
            if accounts.insert(Address::from(address), account).is_some() {
                return Err(GenesisError::DuplicatePredeploy { address });
            }
        }
        let mut allocated = BTreeMap::new();
        for &(address, balance_wei) in &self.allocations {
            match allocated.entry(address) {
                Entry::Occupied(_) => return Err(GenesisError::DuplicateAllocation { address }),
                Entry::Vacant(entry) => entry.insert(balance_wei),
            };
            accounts.entry(Address::from(address)).or_insert_with(person).balance = U256::from(balance_wei);
        }
        Ok(accounts)
    }
}

fn person() -> GenesisAccount {
    GenesisAccount { code: Bytes::new(), storage: BTreeMap::new(), balance: U256::zero(), nonce: 0 }
}

/// Nonce 1, as every contract has since EIP-161.
fn contract(code: Bytes, storage: BTreeMap<U256, U256>) -> GenesisAccount {
    GenesisAccount { code, storage, balance: U256::zero(), nonce: 1 }
}

/// Zero words are left out: a trie that holds one has another root than Ethereum's rules give it.
fn words(storage: &BTreeMap<[u8; 32], [u8; 32]>) -> BTreeMap<U256, U256> {
    storage
        .iter()
        .map(|(slot, word)| (U256::from_big_endian(slot), U256::from_big_endian(word)))
        .filter(|(_, word)| !word.is_zero())
        .collect()
}

fn chain_config(chain_id: u64) -> ChainConfig {
    ChainConfig {
        chain_id,
        homestead_block: Some(0),
        eip150_block: Some(0),
        eip155_block: Some(0),
        eip158_block: Some(0),
        byzantium_block: Some(0),
        constantinople_block: Some(0),
        petersburg_block: Some(0),
        istanbul_block: Some(0),
        berlin_block: Some(0),
        london_block: Some(0),
        merge_netsplit_block: Some(0),
        shanghai_time: Some(0),
        cancun_time: Some(0),
        prague_time: Some(0),
        terminal_total_difficulty: Some(0),
        terminal_total_difficulty_passed: true,
        // There is no deposit contract: no code can ever be at address zero, so no log is taken for a deposit.
        deposit_contract_address: Address::zero(),
        ..ChainConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn genesis() -> EthereumGenesis {
        EthereumGenesis {
            chain_id: CHAIN_ID,
            timestamp_s: 1_700_000_000,
            allocations: vec![([1; 20], 5)],
            predeploys: vec![Predeploy {
                address: [2; 20],
                code: vec![0x00],
                storage: BTreeMap::from([([0; 32], [7; 32]), ([1; 32], [0; 32])]),
            }],
            gas_limit: GAS_LIMIT,
        }
    }

    #[test]
    fn system_contracts_are_those_of_the_eips() {
        // alloy keeps the same constants; for EIP-7251 with two bytes of padding that its deployment code does not copy.
        assert_eq!(system::BEACON_ROOTS.1, &alloy_eips::eip4788::BEACON_ROOTS_CODE[..]);
        assert_eq!(system::BLOCK_HASHES.1, &alloy_eips::eip2935::HISTORY_STORAGE_CODE[..]);
        assert_eq!(system::WITHDRAWAL_REQUESTS.1, &alloy_eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE[..]);
        let consolidation = &alloy_eips::eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE;
        assert_eq!(system::CONSOLIDATION_REQUESTS.1, &consolidation[..0x19e]);
        assert!(consolidation[0x19e..].iter().all(|byte| *byte == 0));
        assert_eq!(system::BEACON_ROOTS.0, alloy_eips::eip4788::BEACON_ROOTS_ADDRESS.0);
        assert_eq!(system::BLOCK_HASHES.0, alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS.0);
        assert_eq!(system::WITHDRAWAL_REQUESTS.0, alloy_eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS.0);
        assert_eq!(system::CONSOLIDATION_REQUESTS.0, alloy_eips::eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS.0);
    }

    #[test]
    fn hash_depends_on_every_part() {
        let base = genesis();
        let variants = [
            EthereumGenesis { chain_id: 1, ..base.clone() },
            EthereumGenesis { timestamp_s: 1_700_000_001, ..base.clone() },
            EthereumGenesis { allocations: vec![], ..base.clone() },
            EthereumGenesis { predeploys: vec![], ..base.clone() },
            EthereumGenesis { gas_limit: 30_000_000, ..base.clone() },
        ];
        let hash = |genesis: &EthereumGenesis| genesis.build().unwrap().get_block().hash();
        assert_eq!(hash(&base), hash(&base.clone()));
        for variant in variants {
            assert_ne!(hash(&variant), hash(&base), "{variant:?}");
        }
    }

    #[test]
    fn zero_words_are_no_storage() {
        let mut other = genesis();
        other.predeploys[0].storage.remove(&[1; 32]);
        assert_eq!(genesis().build().unwrap().get_block().hash(), other.build().unwrap().get_block().hash());
    }

    #[test]
    fn a_predeploy_may_also_be_allocated_coins() {
        let mut genesis = genesis();
        genesis.allocations.push(([2; 20], 9));
        let account = genesis.build().unwrap().alloc.remove(&Address::from([2; 20])).unwrap();
        assert_eq!((account.balance, account.nonce, account.code.len()), (U256::from(9), 1, 1));
    }

    #[test]
    fn contradictions_are_refused() {
        let mut twice = genesis();
        twice.allocations.push(([1; 20], 6));
        assert_eq!(twice.build().unwrap_err(), GenesisError::DuplicateAllocation { address: [1; 20] });

        let mut system = genesis();
        system.predeploys[0].address = system::BEACON_ROOTS.0;
        assert_eq!(system.build().unwrap_err(), GenesisError::DuplicatePredeploy { address: system::BEACON_ROOTS.0 });

        let mut empty = genesis();
        empty.predeploys[0].code.clear();
        assert_eq!(empty.build().unwrap_err(), GenesisError::EmptyPredeploy { address: [2; 20] });

        let tight = EthereumGenesis { gas_limit: 4_999, ..genesis() };
        assert_eq!(tight.build().unwrap_err(), GenesisError::GasLimitTooLow { gas_limit: 4_999 });
    }
}
