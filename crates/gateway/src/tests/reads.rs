//! What browsers read: films, manifests, accounts, plays, events.

use super::village::*;
use chainflix_primitives::{AccountAddress, Magnet, PlayId};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn video(title: Option<&str>) -> Value {
    let magnet = manifest().magnet();
    json!({
        "magnet": magnet, "title": title, "creator": AccountAddress([5; 20]), "supervisor": AccountAddress([4; 20]),
        "playTimeMs": 1_000, "cells": 1, "takenDown": true, "width": 4, "height": 2,
    })
}

#[tokio::test]
async fn the_list_shows_what_can_be_played_and_is_asked_for_once() {
    let village = village().await;
    village.validator.answer("cfx_videos", json!({"result": [video(Some("A film")), video(None)]}));
    for _ in 0..2 {
        let (status, films) = village.get_json("/api/films").await;
        assert_eq!((status, films.as_array().unwrap().len()), (200, 1));
        assert_eq!(films[0]["uri"], manifest().magnet().to_uri("A film"));
        assert_eq!((&films[0]["takenDown"], &films[0]["playTimeMs"]), (&json!(true), &json!(1_000)));
    }
    assert_eq!(village.validator.times("cfx_videos"), 1);
}

#[tokio::test]
async fn an_old_list_is_shown_while_no_validator_answers() {
    let options = crate::Options { films_age: std::time::Duration::ZERO, ..Default::default() };
    let village = village_with(options, crate::web_app::WebApp::embedded()).await;
    village.validator.answer("cfx_videos", json!({"result": [video(Some("A film"))]}));
    assert_eq!(village.get_json("/api/films").await.0, 200);
    village.validator.answer("cfx_videos", json!({"error": {"code": -32603, "message": "failed"}}));
    assert_eq!(village.get_json("/api/films").await.1.as_array().unwrap().len(), 1);
    assert_eq!(village.validator.times("cfx_videos"), 2);
}

#[tokio::test]
async fn a_manifest_is_checked_kept_and_kept_by_browsers() {
    let village = village().await;
    let bytes = manifest().encode();
    let path = format!("/api/films/{}/manifest", manifest().magnet());
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    village.validator.answer("cfx_manifest", json!({"result": format!("0x{hex}00")}));
    let (status, error) = village.get_json(&path).await;
    assert_eq!((status, &error["code"]), (502, &json!("validator-failed")), "another byte is another film");
    village.validator.answer("cfx_manifest", json!({"result": format!("0x{hex}")}));
    for _ in 0..2 {
        let answer = village.get(&path).await;
        assert_eq!(answer.headers()["content-type"], "application/octet-stream");
        assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(answer.bytes().await.unwrap(), bytes);
    }
    assert_eq!(village.validator.times("cfx_manifest"), 2);
    village.validator.answer("cfx_manifest", json!({"result": null}));
    let unknown = format!("/api/films/{}/manifest", Magnet([9; 32]));
    assert_eq!(village.get_json(&unknown).await.0, 404);
    assert_eq!(village.get_json("/api/films/zz/manifest").await.1["code"], "malformed");
}

#[tokio::test]
async fn an_account_shows_coins_a_browser_can_count_and_its_plays_page_by_page() {
    let village = village().await;
    let play = json!({
        "play": PlayId([1; 16]), "magnet": Magnet([1; 32]), "cellIndex": 0, "timeMs": 5, "status": "accepted",
        "viewBlock": 1, "paid": [{"role": "viewer", "gwei": 27}],
    });
    let report = json!({
        "balanceWei": "1000000000000000000", "pendingGwei": "90000000000", "vestingGwei": "0", "vesting": [],
        "viewBlocks": 1, "plays": [play], "next": "1.0.7",
    });
    village.validator.answer("cfx_account", json!({"result": report}));
    let path = format!("/api/accounts/{}", AccountAddress([1; 20]));
    assert_eq!(village.get_json(&path).await, (200, report.clone()));
    assert_eq!(village.get_json(&format!("{path}?from=1.0.7")).await, (200, report));
    let asked = village.validator.said("cfx_account");
    let query = |from: Value| json!({"account": AccountAddress([1; 20]), "count": 50, "from": from});
    assert_eq!(asked[1]["params"], json!([query(json!("1.0.7"))]));
    assert_eq!(asked[0]["params"][0]["from"], Value::Null, "the newest page first");
    assert_eq!(village.get_json("/api/accounts/me").await.0, 400);
    assert_eq!(village.get_json(&format!("{path}?from=yesterday")).await.1["code"], "malformed");
}

#[tokio::test]
async fn network_and_plays_are_told() {
    let village = village().await;
    let schedule = json!({
        "viewBlocks": 3, "pending": 0, "issuedGwei": "270", "nextRewardGwei": 90, "halvingViewBlock": 9, "lastSlot": 5,
        "root": Magnet([0; 32]), "slotMs": 14_400,
    });
    village.validator.answer("cfx_schedule", json!({"result": schedule}));
    village.validator.height.store(7, Ordering::SeqCst);
    let (_, network) = village.get_json("/api/network").await;
    assert_eq!((&network["viewBlocks"], &network["genesis"]["chainId"]), (&json!(3), &json!(4_408_920)));
    assert!(network["head"]["number"].is_u64() && network["nowMs"].as_u64().unwrap() > 1_700_000_000_000);
    village.validator.answer("cfx_play", json!({"result": {"status": "accepted", "viewBlock": 4}}));
    let (_, play) = village.get_json(&format!("/api/plays/{}", PlayId([1; 16]))).await;
    assert_eq!(play, json!({"status": "accepted", "viewBlock": 4}));
}

#[tokio::test]
async fn heads_and_view_blocks_come_as_events_and_end_with_the_gateway() {
    let village = village().await;
    let block = |number: u64, award: Value| {
        json!({
            "viewBlock": number, "slot": 10 + number, "block": 1, "timeMs": 1, "plays": 2, "rewardGwei": 90,
            "viewers": [AccountAddress([1; 20])], "award": award,
        })
    };
    let paid = || json!({"block": 3, "gwei": 90, "heldGwei": 9, "returnedGwei": 0, "voided": 1});
    village.validator.answer("cfx_viewBlocks", json!({"result": [block(1, paid())]}));
    village.validator.height.store(7, Ordering::SeqCst);
    let mut events = village.get("/api/events").await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut heard = String::new();
    let mut hear = async |heard: &mut String, words: &str| {
        while !heard.contains(words) {
            heard.push_str(std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap());
        }
    };
    hear(&mut heard, "\"number\":7").await;
    assert!(heard.contains("event: head\n") && !heard.contains("view-block"), "old view blocks are no news");
    until("view blocks are looked for", || village.validator.times("cfx_viewBlocks") > 0).await;
    let blocks = [block(3, Value::Null), block(2, paid()), block(1, paid())];
    village.validator.answer("cfx_viewBlocks", json!({"result": blocks}));
    village.validator.height.store(8, Ordering::SeqCst);
    hear(&mut heard, "\"viewBlock\":3").await;
    assert!(heard.find("\"viewBlock\":2").unwrap() < heard.find("\"viewBlock\":3").unwrap());
    assert!(heard.contains("event: view-block\n") && heard.contains("\"rewardGwei\":90"));
    assert_eq!(heard.matches("event: award\n").count(), 1, "one is paid already, one is not, and one is old");
    village.validator.answer("cfx_viewBlocks", json!({"result": [block(3, paid()), block(2, paid())]}));
    village.validator.height.store(9, Ordering::SeqCst);
    hear(&mut heard, "\"number\":9").await;
    village.validator.height.store(10, Ordering::SeqCst);
    hear(&mut heard, "\"number\":10").await;
    assert_eq!(heard.matches("event: award\n").count(), 2, "each is told once");
    assert!(heard.contains("\"gwei\":90,\"voided\":1"));
    assert_eq!(village.get_json("/health").await.0, 200);
    village.stop.send(()).unwrap();
    assert!(events.chunk().await.unwrap().is_none(), "a listener does not hold up the end");
    village.server.await.unwrap();
}
