//! What browsers are told when something does not work.

use super::village::*;
use crate::{Options, network::NetworkError};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn refusals_pass_through_with_their_code() {
    let village = village().await;
    for (refused, status, words) in [
        (
            NetworkError::Refused { code: "taken-down".into(), message: "stopped".into(), retry_ms: None },
            451,
            json!({"code": "taken-down", "message": "stopped"}),
        ),
        (
            NetworkError::Refused { code: "no-source".into(), message: "none".into(), retry_ms: Some(1_500) },
            503,
            json!({"code": "no-source", "message": "none", "retryMs": 1_500}),
        ),
    ] {
        *village.peers.refusal.lock().unwrap() = Some(refused);
        assert_eq!(village.post_json("/api/grants", &grant_request()).await, (status, words));
    }
    let (status, granted) = village.post_json("/api/grants", &grant_request()).await;
    assert_eq!((status, granted), (200, json!(grant(1))));

    village.validator.answer("cfx_submitReceipt", refusal("receipts-differ", json!({"advice": "give-up"})));
    let (status, words) = village.post_json("/api/receipts", &receipt(1, 20)).await;
    assert_eq!((status, words), (409, json!({"code": "receipts-differ", "message": "words"})));
    let early = refusal("too-many-plays", json!({"advice": "try-again", "retryMs": 40}));
    village.validator.answer("cfx_submitReceipt", early);
    let answer = village.post("/api/receipts", &receipt(1, 20)).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(answer.json::<Value>().await.unwrap()["retryMs"], 40);
}

#[tokio::test]
async fn failures_of_others_are_told_apart() {
    let village = village().await;
    let fails = |error| *village.peers.refusal.lock().unwrap() = Some(error);
    fails(NetworkError::Provider("silent".into()));
    let (status, words) = village.post_json("/api/deliveries", &grant(1)).await;
    assert_eq!((status, &words["code"]), (502, &json!("try-another")));
    fails(NetworkError::Controller("gone".into()));
    let (status, words) = village.post_json("/api/grants", &grant_request()).await;
    assert_eq!((status, &words["code"], &words["retryMs"]), (503, &json!("unreachable"), &json!(1_000)));
    village.validator.answer("cfx_videos", json!({"error": {"code": -32603, "message": "secret words"}}));
    let (status, words) = village.get_json("/api/films").await;
    assert_eq!((status, &words["code"]), (502, &json!("validator-failed")));
    assert!(!words.to_string().contains("secret"));
}

#[tokio::test]
async fn garbage_and_too_much_of_it_are_refused() {
    let village = village().await;
    let (status, words) = village.post_json("/api/plays", &json!({"body": 1})).await;
    assert_eq!((status, &words["code"]), (400, &json!("malformed")));
    let (status, words) = village.post_json("/api/plays", &"x".repeat(70_000)).await;
    assert_eq!((status, &words["code"]), (413, &json!("too-large")));
    let (status, words) = village.get_json("/api/nothing").await;
    assert_eq!((status, &words["code"]), (404, &json!("not-found")));
    let (status, words) = village.get_json("/api/grants").await;
    assert_eq!((status, &words["code"]), (405, &json!("method-not-allowed")));
}

#[tokio::test]
async fn nobody_waits_for_ever_and_deliveries_have_places() {
    let options = Options { patience: Duration::from_millis(200), deliveries_max: 0, ..Default::default() };
    let village = village_with(options, crate::web_app::WebApp::embedded()).await;
    let (status, words) = village.post_json("/api/deliveries", &grant(1)).await;
    assert_eq!((status, &words["code"]), (503, &json!("busy")));
    let options = Options { patience: Duration::from_millis(200), ..Default::default() };
    let village = village_with(options, crate::web_app::WebApp::embedded()).await;
    let (status, words) = village.post_json("/api/deliveries", &grant(1)).await;
    assert_eq!((status, &words["code"]), (504, &json!("timeout")));
}

#[tokio::test]
async fn validators_hear_the_viewers_address_and_not_its_claims() {
    let village = village().await;
    village.validator.answer("cfx_submitReceipt", json!({"result": true}));
    let claims = village.http.post(format!("{}/api/receipts", village.url)).header("x-forwarded-for", "203.0.113.5");
    assert_eq!(claims.json(&receipt(1, 20)).send().await.unwrap().status(), 204);
    assert_eq!(village.validator.viewer("cfx_submitReceipt").as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn json_rpc_is_forwarded_as_it_is() {
    let village = village().await;
    village.validator.answer("eth_chainId", json!({"jsonrpc": "2.0", "id": 9, "result": "0x434658"}));
    let (status, answer) = village.post_json("/rpc", &json!({"id": 9, "method": "eth_chainId"})).await;
    assert_eq!((status, &answer["result"]), (200, &json!("0x434658")));
    assert_eq!(village.validator.viewer("eth_chainId").as_deref(), Some("127.0.0.1"));
    let (status, _) = village.post_json("/rpc", &"x".repeat(3 << 20)).await;
    assert_eq!(status, 413);
}
