//! `vectors/registry.json`.

use super::golden::{Calls, address, bytes, number, split, storage, text, word};
use alloy_primitives::{Address, U256};
use chainflix_contracts::{
    CELLS_MAX, IRegistry, PARTICIPANTS_MAX, PARTICIPANTS_PER_SUPERVISOR_MAX, PLAY_TIME_MS_MAX, REASON_BYTES_MAX,
    REGISTRY_ADDRESS, SEALED_VIDEO_SECRET_BYTES, decode, decode_layer, decode_provider, decode_video,
    registry_predeploy,
};
use chainflix_primitives::SplitBounds;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../vectors/registry.json")).unwrap()
}

#[test]
fn calls_match_the_vectors() {
    let mut calls = Calls::of(&vectors());
    check_supervision(&mut calls);
    check_videos(&mut calls);
    check_splits(&mut calls);
    check_layers(&mut calls);
    check_operation(&mut calls);
    check_providers(&mut calls);
    calls.finish();
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

fn check_splits(calls: &mut Calls) {
    calls.check("registerVideoWithSplit", |args| IRegistry::registerVideoWithSplitCall {
        magnet: word(&args["magnet"]),
        playTimeMs: number(&args["playTimeMs"]),
        cells: number(&args["cells"]).try_into().unwrap(),
        sealedVideoSecret: bytes(&args["sealedVideoSecret"]),
        split: split(&args["split"]),
    });
    calls.check("splitOf", |args| IRegistry::splitOfCall { magnet: word(&args["magnet"]) });
    calls.check("defaultSplit", |_| IRegistry::defaultSplitCall {});
    calls.check("splitBounds", |_| IRegistry::splitBoundsCall {});
}

fn check_layers(calls: &mut Calls) {
    calls.check("registerLayer", |args| IRegistry::registerLayerCall {
        layer: word(&args["layer"]),
        video: word(&args["video"]),
        kind: kind(&args["kind"]),
    });
    calls.check("takeDownLayer", |args| IRegistry::takeDownLayerCall {
        layer: word(&args["layer"]),
        reason: text(&args["reason"]).into(),
    });
    calls.check("reinstateLayer", |args| IRegistry::reinstateLayerCall { layer: word(&args["layer"]) });
    calls.check("layer", |args| IRegistry::layerCall { layer: word(&args["layer"]) });
    calls.check("isActivator", |args| IRegistry::isActivatorCall {
        video: word(&args["video"]),
        account: address(&args["account"]),
    });
    calls.check("layerCount", |args| IRegistry::layerCountCall { video: word(&args["video"]) });
    calls.check("layers", |args| IRegistry::layersCall {
        video: word(&args["video"]),
        from: U256::from(number(&args["from"])),
        count: U256::from(number(&args["count"])),
    });
}

fn check_operation(calls: &mut Calls) {
    calls.check("addParticipant", |args| IRegistry::addParticipantCall { account: address(&args["account"]) });
    calls.check("removeParticipant", |args| IRegistry::removeParticipantCall { account: address(&args["account"]) });
    calls.check("participants", |_| IRegistry::participantsCall {});
}

fn kind(value: &Value) -> IRegistry::LayerKind {
    u8::try_from(number(value)).unwrap().try_into().unwrap()
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
fn answers_about_shares_match_the_vectors() {
    let answers = &vectors()["answers"];
    let returndata = |name: &str| bytes(&answers[name]["returndata"]);
    let chosen = decode::<IRegistry::splitOfCall>(&returndata("splitOf")).unwrap();
    assert_eq!(chosen, split(&answers["splitOf"]["value"]));
    let bounds = decode::<IRegistry::splitBoundsCall>(&returndata("splitBounds")).unwrap();
    let value = &answers["splitBounds"]["value"];
    assert_eq!((bounds.least, bounds.most), (split(&value["least"]), split(&value["most"])));

    let value = &answers["layer"]["value"];
    let layer = IRegistry::Layer {
        video: word(&value["video"]),
        maker: address(&value["maker"]),
        kind: kind(&value["kind"]),
        supervisor: address(&value["supervisor"]),
        registeredBlock: number(&value["registeredBlock"]),
        takenDown: value["takenDown"].as_bool().unwrap(),
    };
    assert_eq!(decode_layer(&returndata("layer")).unwrap(), Some(layer));
    assert_eq!(decode_layer(&returndata("layerUnknown")).unwrap(), None);

    let listed = decode::<IRegistry::participantsCall>(&returndata("participants")).unwrap();
    assert_eq!(listed, [address(&answers["participants"]["value"][0])]);
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
    assert_eq!(number(&limits["participantsMax"]), PARTICIPANTS_MAX as u64);
    assert_eq!(number(&limits["participantsPerSupervisorMax"]), PARTICIPANTS_PER_SUPERVISOR_MAX as u64);
}

#[test]
fn genesis_storage_matches_the_vectors() {
    let genesis = &vectors()["genesis"];
    let supervisors: Vec<(Address, &str)> = genesis["supervisors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (address(&entry["address"]), text(&entry["country"])))
        .collect();
    let splits = &genesis["splits"];
    let bounds = SplitBounds { least: split(&splits["least"]).into(), most: split(&splits["most"]).into() };
    let usual = split(&splits["default"]).into();
    let predeploy = registry_predeploy(address(&genesis["governor"]), &supervisors, &usual, &bounds).unwrap();
    assert_eq!(predeploy.address, REGISTRY_ADDRESS);
    assert_eq!(predeploy.storage, storage(genesis));
    // The file's splits are the defaults of the protocol.
    assert_eq!((usual, bounds), (chainflix_primitives::RewardSplit::DEFAULT, SplitBounds::DEFAULT));
}
