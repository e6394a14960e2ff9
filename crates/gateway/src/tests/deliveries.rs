//! A delivery from provider to browser, and the last word that goes back.

use super::village::*;
use crate::{Options, deliveries::Patience, network::NetworkError, web_app::WebApp};
use bytes::Bytes;
use chainflix_primitives::{Digest, Evidence, GrantId, OpenedChunk, Opening, PlayId, Signed};
use serde_json::json;
use std::{sync::atomic::Ordering, time::Duration};

#[tokio::test]
async fn bytes_pass_untouched_and_the_receipt_reaches_the_provider() {
    let village = village().await;
    village.validator.answer("cfx_submitReceipt", json!({"result": true}));
    let feed = village.feed(20);
    let delivery = village.post("/api/deliveries", &grant(1)).await;
    assert_eq!(delivery.headers()["content-length"], "20");
    assert_eq!(delivery.headers()["content-type"], "application/octet-stream");
    assert!(!delivery.headers().contains_key("content-encoding"));
    let sent = tokio::spawn(async move {
        for part in [&b"01234567"[..], b"89abcdef", b"ghij"] {
            feed.send(Ok(Bytes::from_static(part))).await.unwrap();
        }
    });
    assert_eq!(delivery.bytes().await.unwrap(), "0123456789abcdefghij");
    sent.await.unwrap();
    assert_eq!(village.post("/api/receipts", &receipt(1, 20)).await.status(), 204);
    assert_eq!(*village.peers.finished.lock().unwrap(), [20]);
    assert_eq!(village.peers.running.load(Ordering::SeqCst), 0);
    assert_eq!(village.post("/api/receipts", &receipt(1, 20)).await.status(), 204, "again is no harm");
}

#[tokio::test]
async fn chunks_of_a_cell_are_longer_than_other_words() {
    let village = village().await;
    village.validator.answer("cfx_submitOpening", json!({"result": true}));
    let chunk = OpenedChunk { sealed: vec![7; 16 << 10], path: vec![Digest([8; 32]); 12] };
    let opening = |chunks: usize| {
        let chunks = vec![chunk.clone(); chunks];
        Signed::new(Opening { play: PlayId([1; 16]), download_key: [2; 32], chunks }, &key())
    };
    assert_eq!(village.post("/api/openings", &opening(16)).await.status(), 204);
    assert_eq!(village.post("/api/openings", &opening(40)).await.status(), 413);
    village.validator.answer("cfx_submitEvidence", json!({"result": {"state": "open", "chunk": 3}}));
    let hashes = vec![9; 4_096 * 32];
    let opened = Some((3, chunk));
    let evidence = Evidence { grant: GrantId([1; 16]), hashes, opened, download_key: [2; 32] };
    let answer = village.post_json("/api/evidence", &Signed::new(evidence, &key())).await;
    assert_eq!(answer, (200, json!({"state": "open", "chunk": 3})));
}

#[tokio::test]
async fn a_receipt_the_validators_refuse_is_not_passed_on() {
    let village = village().await;
    village.validator.answer("cfx_submitReceipt", refusal("bad-signature", json!({"advice": "give-up"})));
    let feed = village.feed(4);
    let delivery = village.post("/api/deliveries", &grant(1)).await;
    feed.send(Ok(Bytes::from_static(b"0123"))).await.unwrap();
    assert_eq!(delivery.bytes().await.unwrap(), "0123");
    assert_eq!(village.post("/api/receipts", &receipt(1, 4)).await.status(), 403);
    assert!(village.peers.finished.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_browser_that_leaves_stops_the_provider() {
    let receipt_patience = Patience { part: Duration::from_millis(1), ..Default::default() };
    let village = village_with(Options { receipt_patience, ..Default::default() }, WebApp::embedded()).await;
    let feed = village.feed(1 << 30);
    let mut delivery = village.post("/api/deliveries", &grant(1)).await;
    feed.send(Ok(Bytes::from_static(b"0123"))).await.unwrap();
    assert_eq!(delivery.chunk().await.unwrap().unwrap(), "0123");
    drop(delivery);
    until("the provider is stopped", || village.peers.running.load(Ordering::SeqCst) == 0).await;
    assert!(feed.is_closed());
}

#[tokio::test]
async fn a_viewer_that_changes_provider_signs_for_what_it_got() {
    let village = village().await;
    village.validator.answer("cfx_submitReceipt", json!({"result": true}));
    let feed = village.feed(1 << 30);
    let mut delivery = village.post("/api/deliveries", &grant(1)).await;
    feed.send(Ok(Bytes::from_static(b"0123"))).await.unwrap();
    assert_eq!(delivery.chunk().await.unwrap().unwrap(), "0123");
    drop(delivery);
    // At once: the gateway may not know yet that the browser left.
    assert_eq!(village.post("/api/receipts", &receipt(1, 4)).await.status(), 204);
    assert_eq!(*village.peers.finished.lock().unwrap(), [4]);
    assert_eq!(village.peers.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_slow_browser_slows_the_provider() {
    let village = village().await;
    let feed = village.feed(1 << 30);
    let _delivery = village.post("/api/deliveries", &grant(1)).await;
    // Sockets hold some megabytes; what is beyond them waits with the provider.
    let part = Bytes::from(vec![0; 1 << 20]);
    let mut taken = 0;
    while tokio::time::timeout(Duration::from_millis(500), feed.send(Ok(part.clone()))).await.is_ok() {
        taken += 1;
        assert!(taken < 256, "the gateway hoards");
    }
}

#[tokio::test]
async fn a_broken_delivery_is_seen_to_be_broken() {
    let village = village().await;
    for end in [Some(Err(NetworkError::Provider("gone".into()))), None, Some(Ok(Bytes::from_static(b"0123456789")))] {
        let feed = village.feed(8);
        let delivery = village.post("/api/deliveries", &grant(1)).await;
        feed.send(Ok(Bytes::from_static(b"0123"))).await.unwrap();
        match end {
            Some(end) => feed.send(end).await.unwrap(),
            None => drop(feed),
        }
        assert!(delivery.bytes().await.is_err());
    }
    until("nothing is left", || village.peers.running.load(Ordering::SeqCst) <= 1).await;
}
