//! Builds what genesis writes for a contract: code and storage, as if a constructor had run.
//!
//! Storage slots follow Solidity's layout rules ("Layout of State Variables in Storage" in its manual): a mapping's
//! value for `key` is at `keccak256(key ‖ slot)`, and short values sit in the low-order bytes of their word. The test
//! `tests/contracts/artifacts.rs` compares the slots with the compiler's own layout, and a Solidity test runs the result.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, address, hex, keccak256};
use chainflix_primitives::{NetworkGenesis, RewardSplit, SplitBounds, StandingParams, genesis::GenesisError};

/// Where genesis places the registry.
pub const REGISTRY_ADDRESS: Address = address!("0x0000000000000000000000000000000000CF0001");

/// Where genesis places the standing of accounts. The contract itself knows where the registry is.
pub const STANDING_ADDRESS: Address = address!("0x0000000000000000000000000000000000Cf0002");

/// Storage slots of the registry: `governor`, the mapping `supervisorCountry`, and the three splits of the network.
const GOVERNOR_SLOT: B256 = B256::ZERO;
const SUPERVISOR_COUNTRY_SLOT: B256 = B256::with_last_byte(1);
const DEFAULT_SPLIT_SLOT: B256 = B256::with_last_byte(3);
const LEAST_SPLIT_SLOT: B256 = B256::with_last_byte(4);
const MOST_SPLIT_SLOT: B256 = B256::with_last_byte(5);

/// Storage slots of the standing: `unbondDelayS` and `vouchesPerDay`.
const UNBOND_DELAY_SLOT: B256 = B256::ZERO;
const VOUCHES_PER_DAY_SLOT: B256 = B256::with_last_byte(1);

const REGISTRY_HEX: &[u8] = include_bytes!("../artifacts/Registry.runtime.hex");
static REGISTRY_CODE: [u8; REGISTRY_HEX.len() / 2] = code(REGISTRY_HEX);

const STANDING_HEX: &[u8] = include_bytes!("../artifacts/Standing.runtime.hex");
static STANDING_CODE: [u8; STANDING_HEX.len() / 2] = code(STANDING_HEX);

const fn code<const BYTES: usize>(text: &[u8]) -> [u8; BYTES] {
    match hex::const_decode_to_array(text) {
        Ok(code) => code,
        Err(_) => panic!("an artifact is not hex: run `npm run generate` in contracts"),
    }
}

/// An account that genesis creates with code and storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predeploy {
    /// Where it is.
    pub address: Address,
    /// Runtime bytecode.
    pub code: Bytes,
    /// Storage words that are not zero, by slot.
    pub storage: BTreeMap<B256, B256>,
}

/// What the contracts themselves would refuse, or could never change again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PredeployError {
    /// Without a governor nobody could ever appoint or remove a supervisor.
    #[error("the registry needs a governor, not the zero account")]
    ZeroGovernor,
    /// The zero account means "no supervisor" everywhere in the contract.
    #[error("the zero account cannot be a supervisor")]
    ZeroSupervisor,
    /// A country that is not two capital ASCII letters.
    #[error("supervisor {supervisor} has country {country:?}; two capital letters are wanted (ISO 3166-1)")]
    Country {
        /// The supervisor it was given for.
        supervisor: Address,
        /// What was given.
        country: String,
    },
    /// A supervisor has one country.
    #[error("supervisor {supervisor} is named twice")]
    Duplicate {
        /// The supervisor named twice.
        supervisor: Address,
    },
    /// The default split is not one that a creator could choose.
    #[error(transparent)]
    Split(#[from] GenesisError),
}

/// All contracts of a network.
///
/// # Errors
///
/// [`PredeployError`] where the genesis says what the contracts would refuse.
pub fn predeploys(genesis: &NetworkGenesis) -> Result<[Predeploy; 2], PredeployError> {
    let supervisors: Vec<_> = genesis
        .supervisors
        .iter()
        .map(|supervisor| (Address::from(supervisor.account.0), supervisor.country.as_str()))
        .collect();
    let params = &genesis.params;
    let governor = Address::from(genesis.governor.0);
    let registry = registry_predeploy(governor, &supervisors, &params.split, &params.split_bounds)?;
    Ok([registry, standing_predeploy(&params.standing)])
}

/// The registry with its governor, its first supervisors (account, ISO 3166-1 alpha-2 country), and how views are shared.
///
/// # Errors
///
/// What `addSupervisor` and `registerVideoWithSplit` would refuse is refused here, see [`PredeployError`].
pub fn registry_predeploy(
    governor: Address,
    supervisors: &[(Address, &str)],
    split: &RewardSplit,
    bounds: &SplitBounds,
) -> Result<Predeploy, PredeployError> {
    if governor.is_zero() {
        return Err(PredeployError::ZeroGovernor);
    }
    bounds.check(split)?;
    let mut storage = BTreeMap::from([
        (GOVERNOR_SLOT, governor.into_word()),
        (DEFAULT_SPLIT_SLOT, split_word(split)),
        (LEAST_SPLIT_SLOT, split_word(&bounds.least)),
        (MOST_SPLIT_SLOT, split_word(&bounds.most)),
    ]);
    for &(supervisor, country) in supervisors {
        if supervisor.is_zero() {
            return Err(PredeployError::ZeroSupervisor);
        }
        if country.len() != 2 || !country.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err(PredeployError::Country { supervisor, country: country.to_owned() });
        }
        let slot = mapping_slot(supervisor.into_word(), SUPERVISOR_COUNTRY_SLOT);
        if storage.insert(slot, B256::left_padding_from(country.as_bytes())).is_some() {
            return Err(PredeployError::Duplicate { supervisor });
        }
    }
    Ok(Predeploy { address: REGISTRY_ADDRESS, code: Bytes::from_static(&REGISTRY_CODE), storage: words(storage) })
}

/// The standing of accounts.
pub fn standing_predeploy(params: &StandingParams) -> Predeploy {
    let storage = BTreeMap::from([
        (UNBOND_DELAY_SLOT, B256::from(U256::from(params.unbond_s))),
        (VOUCHES_PER_DAY_SLOT, B256::from(U256::from(params.vouches_per_day))),
    ]);
    Predeploy { address: STANDING_ADDRESS, code: Bytes::from_static(&STANDING_CODE), storage: words(storage) }
}

/// A zero in genesis storage would be a leaf in the trie of one client and no leaf in that of another.
fn words(mut storage: BTreeMap<B256, B256>) -> BTreeMap<B256, B256> {
    storage.retain(|_, word| !word.is_zero());
    storage
}

/// A `Split` in its one word: 16 bits a share, the first in the lowest.
fn split_word(split: &RewardSplit) -> B256 {
    let mut word = B256::ZERO;
    for (index, (_, permille)) in split.roles().into_iter().enumerate() {
        let end = 32 - 2 * index;
        word[end - 2..end].copy_from_slice(&permille.to_be_bytes());
    }
    word
}

/// Slot of the value for `key` in the mapping at `slot`.
fn mapping_slot(key: B256, slot: B256) -> B256 {
    keccak256([key.0, slot.0].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOVERNOR: Address = Address::repeat_byte(1);
    const SUPERVISOR: Address = Address::repeat_byte(2);

    fn registry(governor: Address, supervisors: &[(Address, &str)]) -> Result<Predeploy, PredeployError> {
        registry_predeploy(governor, supervisors, &RewardSplit::DEFAULT, &SplitBounds::DEFAULT)
    }

    #[test]
    fn roles_the_contract_would_refuse_are_refused() {
        let refused = |governor, supervisors: &[_]| registry(governor, supervisors).unwrap_err();
        assert_eq!(refused(Address::ZERO, &[]), PredeployError::ZeroGovernor);
        assert_eq!(refused(GOVERNOR, &[(Address::ZERO, "KR")]), PredeployError::ZeroSupervisor);
        for country in ["kr", "K\0", "[A", "", "KOR", "é"] {
            let expected = PredeployError::Country { supervisor: SUPERVISOR, country: country.into() };
            assert_eq!(refused(GOVERNOR, &[(SUPERVISOR, country)]), expected);
        }
        let twice = [(SUPERVISOR, "KR"), (SUPERVISOR, "DE")];
        assert_eq!(refused(GOVERNOR, &twice), PredeployError::Duplicate { supervisor: SUPERVISOR });
    }

    #[test]
    fn a_default_that_nobody_could_choose_is_refused() {
        let split = RewardSplit { viewer: 299, ..RewardSplit::DEFAULT };
        let refused = registry_predeploy(GOVERNOR, &[], &split, &SplitBounds::DEFAULT).unwrap_err();
        assert_eq!(refused, PredeployError::Split(GenesisError::Split { sum: 999 }));
    }

    #[test]
    fn no_word_of_genesis_is_zero() {
        let predeploy = registry(GOVERNOR, &[(SUPERVISOR, "KR")]).unwrap();
        assert_eq!(predeploy.storage.len(), 5);
        assert!(predeploy.storage.values().all(|word| !word.is_zero()));
        let nobody_vouches = StandingParams { vouches_per_day: 0, ..StandingParams::default() };
        assert_eq!(standing_predeploy(&nobody_vouches).storage.len(), 1);
    }
}
