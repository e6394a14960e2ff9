//! `vectors/registry.json` and the compiler's artifact from the side of Rust; `contracts/test/Vectors.t.sol` is the
//! other side.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use chainflix_contracts::{
    CELLS_MAX, IRegistry, PLAY_TIME_MS_MAX, REASON_BYTES_MAX, REGISTRY_ADDRESS, SEALED_VIDEO_SECRET_BYTES, SolCall,
    decode_provider, decode_video, registry_predeploy,
};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../vectors/registry.json")).unwrap()
}

fn artifact() -> Value {
    serde_json::from_str(include_str!("../artifacts/Registry.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn address(value: &Value) -> Address {
    // Golden addresses carry their checksum (EIP-55): spelled wrong, they fail here.
    Address::parse_checksummed(text(value), None).unwrap()
}

fn word(value: &Value) -> B256 {
    text(value).parse().unwrap()
}

fn bytes(value: &Value) -> Bytes {
    text(value).parse().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// The calls of the file, each checked once.
struct Calls {
    golden: serde_json::Map<String, Value>,
}

impl Calls {
    /// Takes `name` from the file, builds the call from its arguments and checks both directions.
    fn check<C: SolCall + PartialEq + std::fmt::Debug>(&mut self, name: &str, build: impl Fn(&Value) -> C) {
        let golden = self.golden.remove(name).unwrap();
        let (call, calldata) = (build(&golden["args"]), bytes(&golden["calldata"]));
        assert_eq!(C::SIGNATURE, text(&golden["signature"]));
        assert_eq!(Bytes::from(call.abi_encode()), calldata, "{name}");
        assert_eq!(C::abi_decode_validate(&calldata).unwrap(), call, "{name}");
    }
}

#[test]
fn calls_match_the_vectors() {
    let mut calls = Calls { golden: vectors()["calls"].as_object().unwrap().clone() };
    check_supervision(&mut calls);
    check_videos(&mut calls);
    check_providers(&mut calls);
    assert!(calls.golden.is_empty(), "not checked: {:?}", calls.golden.keys());
}

fn check_supervision(calls: &mut Calls) {
    calls.check("addSupervisor", |args| IRegistry::addSupervisorCall {
        supervisor: address(&args["supervisor"]),
        country: text(&args["country"]).parse().unwrap(),
    });
    calls
        .check("removeSupervisor", |args| IRegistry::removeSupervisorCall { supervisor: address(&args["supervisor"]) });
    calls.check("admitCreator", |args| IRegistry::admitCreatorCall { creator: address(&args["creator"]) });
    calls.check("dismissCreator", |args| IRegistry::dismissCreatorCall { creator: address(&args["creator"]) });
    calls.check("governor", |_| IRegistry::governorCall {});
    calls.check("isSupervisor", |args| IRegistry::isSupervisorCall { account: address(&args["account"]) });
    calls.check("supervisorCountry", |args| IRegistry::supervisorCountryCall { account: address(&args["account"]) });
    calls.check("creatorSupervisor", |args| IRegistry::creatorSupervisorCall { creator: address(&args["creator"]) });
    calls.check("isAdmitted", |args| IRegistry::isAdmittedCall { creator: address(&args["creator"]) });
}

fn check_videos(calls: &mut Calls) {
    calls.check("registerVideo", |args| IRegistry::registerVideoCall {
        magnet: word(&args["magnet"]),
        playTimeMs: number(&args["playTimeMs"]),
        cells: number(&args["cells"]).try_into().unwrap(),
        sealedVideoSecret: bytes(&args["sealedVideoSecret"]),
    });
    calls.check("takeDown", |args| IRegistry::takeDownCall {
        magnet: word(&args["magnet"]),
        reason: text(&args["reason"]).into(),
    });
    calls.check("reinstate", |args| IRegistry::reinstateCall { magnet: word(&args["magnet"]) });
    calls.check("video", |args| IRegistry::videoCall { magnet: word(&args["magnet"]) });
    calls.check("isPlayable", |args| IRegistry::isPlayableCall { magnet: word(&args["magnet"]) });
    calls.check("videoCount", |_| IRegistry::videoCountCall {});
    calls.check("magnetAt", |args| IRegistry::magnetAtCall { index: U256::from(number(&args["index"])) });
    calls.check("magnets", |args| IRegistry::magnetsCall {
        from: U256::from(number(&args["from"])),
        count: U256::from(number(&args["count"])),
    });
}

fn check_providers(calls: &mut Calls) {
    calls.check("registerProvider", |args| IRegistry::registerProviderCall {
        nodeId: word(&args["nodeId"]),
        boxKey: word(&args["boxKey"]),
    });
    calls.check("withdrawProvider", |_| IRegistry::withdrawProviderCall {});
    calls.check("provider", |args| IRegistry::providerCall { account: address(&args["account"]) });
    calls.check("providerCount", |_| IRegistry::providerCountCall {});
    calls.check("providerAt", |args| IRegistry::providerAtCall { index: U256::from(number(&args["index"])) });
}

#[test]
fn answers_match_the_vectors() {
    let answers = &vectors()["answers"];
    let returndata = |name: &str| bytes(&answers[name]["returndata"]);
    let value = &answers["video"]["value"];
    let video = IRegistry::Video {
        creator: address(&value["creator"]),
        playTimeMs: number(&value["playTimeMs"]),
        cells: number(&value["cells"]).try_into().unwrap(),
        supervisor: address(&value["supervisor"]),
        registeredBlock: number(&value["registeredBlock"]),
        takenDown: value["takenDown"].as_bool().unwrap(),
        sealedVideoSecret: bytes(&value["sealedVideoSecret"]),
    };
    assert_eq!(decode_video(&returndata("video")).unwrap(), Some(video));
    assert_eq!(decode_video(&returndata("videoUnknown")).unwrap(), None);

    let value = &answers["provider"]["value"];
    let provider = IRegistry::Provider {
        account: address(&value["account"]),
        nodeId: word(&value["nodeId"]),
        boxKey: word(&value["boxKey"]),
    };
    assert_eq!(decode_provider(&returndata("provider")).unwrap(), Some(provider));
    assert_eq!(decode_provider(&returndata("providerUnknown")).unwrap(), None);
}

#[test]
fn address_and_limits_match_the_vectors() {
    let vectors = vectors();
    assert_eq!(address(&vectors["address"]), REGISTRY_ADDRESS);
    let limits = &vectors["limits"];
    assert_eq!(number(&limits["cellsMax"]), u64::from(CELLS_MAX));
    assert_eq!(number(&limits["playTimeMsMax"]), PLAY_TIME_MS_MAX);
    assert_eq!(number(&limits["sealedVideoSecretBytes"]), SEALED_VIDEO_SECRET_BYTES as u64);
    assert_eq!(number(&limits["reasonBytesMax"]), REASON_BYTES_MAX as u64);
}

#[test]
fn genesis_storage_matches_the_vectors() {
    let genesis = &vectors()["genesis"];
    let supervisors: Vec<(Address, [u8; 2])> = genesis["supervisors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (address(&entry["address"]), text(&entry["country"]).as_bytes().try_into().unwrap()))
        .collect();
    let expected: BTreeMap<B256, B256> = genesis["storage"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (word(&entry["slot"]), word(&entry["value"])))
        .collect();
    let predeploy = registry_predeploy(address(&genesis["governor"]), &supervisors).unwrap();
    assert_eq!(predeploy.address, REGISTRY_ADDRESS);
    assert_eq!(predeploy.storage, expected);
}

#[test]
fn slots_are_where_the_compiler_put_them() {
    let layout = artifact()["storage"].clone();
    let place = |label: &str| {
        let entry = layout.as_array().unwrap().iter().find(|entry| entry["label"] == label).unwrap();
        (number(&entry["slot"]), number(&entry["offset"]), text(&entry["type"]).to_owned())
    };
    assert_eq!(place("governor"), (0, 0, "address".into()));
    assert_eq!(place("supervisorCountry"), (1, 0, "mapping(address => Country)".into()));
}

#[test]
fn the_code_is_the_artifacts() {
    let predeploy = registry_predeploy(Address::repeat_byte(1), &[]).unwrap();
    assert_eq!(predeploy.code, bytes(&artifact()["deployedBytecode"]));
}

/// A stale artifact is found without forge: what the compiler lists is what the interface says now.
#[test]
fn the_artifact_speaks_the_interface() {
    let artifact = artifact();
    let listed: BTreeSet<[u8; 4]> = artifact["methodIdentifiers"]
        .as_object()
        .unwrap()
        .values()
        .map(|selector| hex::decode_to_array(text(selector)).unwrap())
        .collect();
    assert!(IRegistry::IRegistryCalls::SELECTORS.iter().all(|selector| listed.contains(selector)));

    let digests = |kind: &str| -> BTreeSet<B256> {
        let entries = artifact["abi"].as_array().unwrap().iter();
        entries.filter(|entry| entry["type"] == kind).map(|entry| keccak256(signature(entry))).collect()
    };
    let errors: BTreeSet<[u8; 4]> =
        digests("error").into_iter().map(|digest| digest[..4].try_into().unwrap()).collect();
    assert_eq!(errors, IRegistry::IRegistryErrors::SELECTORS.iter().copied().collect());
    let events: BTreeSet<B256> = IRegistry::IRegistryEvents::SELECTORS.iter().map(|topic| B256::from(*topic)).collect();
    assert_eq!(digests("event"), events);
}

/// `name(type,type)` of an ABI entry without structs.
fn signature(entry: &Value) -> String {
    let types: Vec<&str> = entry["inputs"].as_array().unwrap().iter().map(|input| text(&input["type"])).collect();
    format!("{}({})", text(&entry["name"]), types.join(","))
}
