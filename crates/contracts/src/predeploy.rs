//! Builds what genesis writes for a contract: code and storage, as if a constructor had run.
//!
//! Storage slots follow Solidity's layout rules ("Layout of State Variables in Storage" in its manual): a mapping's
//! value for `key` is at `keccak256(key ‖ slot)`, and short values sit in the low-order bytes of their word. The test
//! `tests/registry.rs` compares the slots with the compiler's own layout, and a Solidity test runs the result.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, address, hex, keccak256};

/// Where genesis places the registry.
pub const REGISTRY_ADDRESS: Address = address!("0x0000000000000000000000000000000000CF0001");

/// Storage slot of `governor`.
const GOVERNOR_SLOT: B256 = B256::ZERO;

/// Storage slot of the mapping `supervisorCountry`.
const SUPERVISOR_COUNTRY_SLOT: B256 = B256::with_last_byte(1);

const REGISTRY_HEX: &[u8] = include_bytes!("../artifacts/Registry.runtime.hex");

static REGISTRY_CODE: [u8; REGISTRY_HEX.len() / 2] = match hex::const_decode_to_array(REGISTRY_HEX) {
    Ok(code) => code,
    Err(_) => panic!("artifacts/Registry.runtime.hex is not hex: run `npm run generate` in contracts"),
};

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

/// Roles that the registry itself would refuse, or could never change again.
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
    #[error("supervisor {supervisor} has country {country:02x?}; two capital letters are wanted (ISO 3166-1)")]
    Country {
        /// The supervisor it was given for.
        supervisor: Address,
        /// What was given.
        country: [u8; 2],
    },
    /// A supervisor has one country.
    #[error("supervisor {supervisor} is named twice")]
    Duplicate {
        /// The supervisor named twice.
        supervisor: Address,
    },
}

/// The registry with its governor and first supervisors (account, ISO 3166-1 alpha-2 country).
///
/// # Errors
///
/// What `addSupervisor` would refuse is refused here, see [`PredeployError`].
pub fn registry_predeploy(governor: Address, supervisors: &[(Address, [u8; 2])]) -> Result<Predeploy, PredeployError> {
    if governor.is_zero() {
        return Err(PredeployError::ZeroGovernor);
    }
    let mut storage = BTreeMap::from([(GOVERNOR_SLOT, governor.into_word())]);
    for &(supervisor, country) in supervisors {
        if supervisor.is_zero() {
            return Err(PredeployError::ZeroSupervisor);
        }
        if !country.iter().all(u8::is_ascii_uppercase) {
            return Err(PredeployError::Country { supervisor, country });
        }
        let slot = mapping_slot(supervisor.into_word(), SUPERVISOR_COUNTRY_SLOT);
        if storage.insert(slot, B256::left_padding_from(&country)).is_some() {
            return Err(PredeployError::Duplicate { supervisor });
        }
    }
    Ok(Predeploy { address: REGISTRY_ADDRESS, code: Bytes::from_static(&REGISTRY_CODE), storage })
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

    #[test]
    fn roles_the_contract_would_refuse_are_refused() {
        let refused = |governor, supervisors: &[_]| registry_predeploy(governor, supervisors).unwrap_err();
        assert_eq!(refused(Address::ZERO, &[]), PredeployError::ZeroGovernor);
        assert_eq!(refused(GOVERNOR, &[(Address::ZERO, *b"KR")]), PredeployError::ZeroSupervisor);
        for country in [*b"kr", *b"K\0", *b"[A", [0, 0]] {
            let expected = PredeployError::Country { supervisor: SUPERVISOR, country };
            assert_eq!(refused(GOVERNOR, &[(SUPERVISOR, country)]), expected);
        }
        let twice = [(SUPERVISOR, *b"KR"), (SUPERVISOR, *b"DE")];
        assert_eq!(refused(GOVERNOR, &twice), PredeployError::Duplicate { supervisor: SUPERVISOR });
    }

    #[test]
    fn no_word_of_genesis_is_zero() {
        // A zero in genesis storage would be a leaf in the trie of one client and no leaf in that of another.
        let predeploy = registry_predeploy(GOVERNOR, &[(SUPERVISOR, *b"KR")]).unwrap();
        assert_eq!(predeploy.storage.len(), 2);
        assert!(predeploy.storage.values().all(|word| !word.is_zero()));
    }
}
