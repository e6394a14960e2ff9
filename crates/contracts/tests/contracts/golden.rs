//! Reads the files of golden vectors.

use alloy_primitives::{Address, B256, Bytes, U256};
use chainflix_contracts::{IRegistry, SolCall};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt::Debug};

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn address(value: &Value) -> Address {
    // Golden addresses carry their checksum (EIP-55): spelled wrong, they fail here.
    Address::parse_checksummed(text(value), None).unwrap()
}

pub fn word(value: &Value) -> B256 {
    text(value).parse().unwrap()
}

pub fn bytes(value: &Value) -> Bytes {
    text(value).parse().unwrap()
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// A number that JSON cannot hold exactly is a decimal string.
pub fn amount(value: &Value) -> U256 {
    text(value).parse().unwrap()
}

pub fn split(value: &Value) -> IRegistry::Split {
    let share = |role: &str| number(&value[format!("{role}Permille")]).try_into().unwrap();
    IRegistry::Split {
        creatorPermille: share("creator"),
        viewerPermille: share("viewer"),
        activatorsPermille: share("activators"),
        storagePermille: share("storage"),
        validatorsPermille: share("validators"),
        supervisorPermille: share("supervisor"),
        operationPermille: share("operation"),
    }
}

/// The storage words of a genesis, by slot.
pub fn storage(genesis: &Value) -> BTreeMap<B256, B256> {
    let entries = genesis["storage"].as_array().unwrap().iter();
    entries.map(|entry| (word(&entry["slot"]), word(&entry["value"]))).collect()
}

/// The calls of a file, each checked once.
pub struct Calls {
    golden: Map<String, Value>,
}

impl Calls {
    pub fn of(vectors: &Value) -> Self {
        Self { golden: vectors["calls"].as_object().unwrap().clone() }
    }

    /// Takes `name` from the file, builds the call from its arguments and checks both directions.
    pub fn check<C: SolCall + PartialEq + Debug>(&mut self, name: &str, build: impl Fn(&Value) -> C) {
        let golden = self.golden.remove(name).unwrap();
        let (call, calldata) = (build(&golden["args"]), bytes(&golden["calldata"]));
        assert_eq!(C::SIGNATURE, text(&golden["signature"]));
        assert_eq!(Bytes::from(call.abi_encode()), calldata, "{name}");
        assert_eq!(C::abi_decode_validate(&calldata).unwrap(), call, "{name}");
    }

    /// Fails when the file has a call that nothing checked.
    pub fn finish(self) {
        assert!(self.golden.is_empty(), "not checked: {:?}", self.golden.keys());
    }
}
