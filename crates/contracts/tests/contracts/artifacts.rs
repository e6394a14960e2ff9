//! What the compiler made of the contracts: a stale artifact, or storage elsewhere than genesis writes it, is found
//! without forge.

use super::golden::{bytes, number, text};
use alloy_primitives::{Address, B256, hex, keccak256};
use chainflix_contracts::{IRegistry, IStanding, registry_predeploy, standing_predeploy};
use chainflix_primitives::{RewardSplit, SplitBounds, StandingParams};
use serde_json::Value;
use std::collections::BTreeSet;

fn registry() -> Value {
    serde_json::from_str(include_str!("../../artifacts/Registry.json")).unwrap()
}

fn standing() -> Value {
    serde_json::from_str(include_str!("../../artifacts/Standing.json")).unwrap()
}

/// Slot, offset and type of a variable.
fn place(artifact: &Value, label: &str) -> (u64, u64, String) {
    let entry = artifact["storage"].as_array().unwrap().iter().find(|entry| entry["label"] == label).unwrap();
    (number(&entry["slot"]), number(&entry["offset"]), text(&entry["type"]).to_owned())
}

#[test]
fn slots_are_where_the_compiler_put_them() {
    let registry = registry();
    assert_eq!(place(&registry, "governor"), (0, 0, "address".into()));
    assert_eq!(place(&registry, "supervisorCountry"), (1, 0, "mapping(address => Country)".into()));
    for (slot, label) in [(3, "_default"), (4, "_least"), (5, "_most")] {
        assert_eq!(place(&registry, label), (slot, 0, "struct IRegistry.Split".into()));
    }
    assert_eq!(place(&standing(), "unbondDelayS"), (0, 0, "uint256".into()));
    assert_eq!(place(&standing(), "vouchesPerDay"), (1, 0, "uint256".into()));
}

#[test]
fn the_code_is_the_artifacts() {
    let predeploy =
        registry_predeploy(Address::repeat_byte(1), &[], &RewardSplit::DEFAULT, &SplitBounds::DEFAULT).unwrap();
    assert_eq!(predeploy.code, bytes(&registry()["deployedBytecode"]));
    let predeploy = standing_predeploy(&StandingParams::default());
    assert_eq!(predeploy.code, bytes(&standing()["deployedBytecode"]));
}

/// What the compiler lists is what the interface says now.
#[test]
fn the_artifacts_speak_the_interfaces() {
    check(
        &registry(),
        IRegistry::IRegistryCalls::SELECTORS,
        IRegistry::IRegistryErrors::SELECTORS,
        IRegistry::IRegistryEvents::SELECTORS,
    );
    check(
        &standing(),
        IStanding::IStandingCalls::SELECTORS,
        IStanding::IStandingErrors::SELECTORS,
        IStanding::IStandingEvents::SELECTORS,
    );
}

fn check(artifact: &Value, calls: &[[u8; 4]], errors: &[[u8; 4]], events: &[[u8; 32]]) {
    let methods = artifact["methodIdentifiers"].as_object().unwrap().values();
    let listed: BTreeSet<[u8; 4]> = methods.map(|selector| hex::decode_to_array(text(selector)).unwrap()).collect();
    assert!(calls.iter().all(|selector| listed.contains(selector)));

    let digests = |kind: &str| -> BTreeSet<B256> {
        let entries = artifact["abi"].as_array().unwrap().iter();
        entries.filter(|entry| entry["type"] == kind).map(|entry| keccak256(signature(entry))).collect()
    };
    let made: BTreeSet<[u8; 4]> = digests("error").into_iter().map(|digest| digest[..4].try_into().unwrap()).collect();
    assert_eq!(made, errors.iter().copied().collect());
    assert_eq!(digests("event"), events.iter().map(|topic| B256::from(*topic)).collect());
}

/// `name(type,type)` of an ABI entry, structs as the tuples they are.
fn signature(entry: &Value) -> String {
    format!("{}{}", text(&entry["name"]), tuple(&entry["inputs"]))
}

fn tuple(parts: &Value) -> String {
    let part = |part: &Value| match part["components"].is_array() {
        true => tuple(&part["components"]),
        false => text(&part["type"]).to_owned(),
    };
    format!("({})", parts.as_array().unwrap().iter().map(part).collect::<Vec<_>>().join(","))
}
