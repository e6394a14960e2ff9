//! Every process is killed once, and the whole demo too: nothing is lost.

use crate::{
    demo::{Demo, film, runs, until},
    ledger::balance_at,
};
use chainflix_primitives::AccountAddress;
use serde_json::Value;
use std::{collections::HashMap, time::Duration};

/// A restart, a heartbeat, the silence before a connection is given up, and as much again for a busy machine. Who waits for
/// QUIC to give it up stands still for longer.
const OUTAGE_MS: u64 = 20_000;

fn accepted(demo: &Demo) -> u64 {
    demo.json()["viewer"]["accepted"].as_u64().unwrap()
}

/// Waits until the viewer mined some more.
pub async fn await_more(demo: &Demo, plays: u64) {
    let wanted = accepted(demo) + plays;
    until(&format!("{plays} more plays"), async || accepted(demo) >= wanted).await;
}

/// Waits until another round of the film begins.
async fn await_round(demo: &Demo) {
    let account = || demo.json()["viewer"]["account"].clone();
    let before = account();
    until("the next round", async || account() != before).await;
}

/// Kills all controllers in the middle of a film: connections to them stand, and nobody names a source meanwhile.
async fn kill_controllers(demo: &Demo) {
    let stalled_ms = || demo.json()["viewer"]["stalledMs"].as_u64().unwrap();
    await_round(demo).await;
    let before_ms = stalled_ms();
    tokio::join!(demo.kill_and_await("controller-0"), demo.kill_and_await("controller-1"));
    await_round(demo).await;
    let stood_ms = stalled_ms() - before_ms;
    assert!(stood_ms < OUTAGE_MS, "the picture stood still for {stood_ms} ms");
}

/// Waits until every validator has the same block at the same, newest height of one of them.
async fn await_agreement(demo: &Demo) {
    let target = demo.client().head().await.unwrap().number;
    for number in 0..4 {
        let validator = demo.validator(number);
        until(&format!("validator-{number} to reach block {target}"), async || {
            validator.head().await.is_ok_and(|head| head.number >= target)
        })
        .await;
    }
    let block = format!("{target:#x}");
    let mut hashes = Vec::new();
    for number in 0..4 {
        let found: Value = demo.validator(number).call("eth_getBlockByNumber", (&block, false)).await.unwrap();
        hashes.push(found["hash"].clone());
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0] && hash.is_string()), "{hashes:?}");
}

async fn balances(demo: &Demo, block: u64) -> HashMap<AccountAddress, u128> {
    let client = demo.client();
    let mut balances = HashMap::new();
    for account in demo.accounts() {
        balances.insert(account, balance_at(&client, account, block).await);
    }
    balances
}

#[tokio::test(flavor = "multi_thread")]
async fn any_process_may_die_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let demo = Demo::first(&data, &film(folder.path(), 12), &["--headless"]);
    await_more(&demo, 1).await;

    for name in
        ["provider-0", "provider-1", "controller-0", "controller-1", "relay", "gateway", "validator-0", "validator-3"]
    {
        demo.kill_and_await(name).await;
        await_more(&demo, 2).await;
    }
    kill_controllers(&demo).await;
    await_agreement(&demo).await;
    let viewer = demo.json()["viewer"].clone();
    assert!(viewer["broke"].as_u64().unwrap() <= 1, "the viewer went on: {viewer}");

    let client = demo.client();
    let head = client.head().await.unwrap().number;
    let (before, issued) = (balances(&demo, head).await, client.schedule().await.unwrap());
    let (films, pids) = (demo.json()["films"].clone(), demo.pids());
    demo.kill();
    until("every process to notice", async || !pids.iter().any(|pid| runs(*pid))).await;

    let demo = Demo::start(&data, &["--headless", "--exit-after", "20"]);
    let client = demo.client();
    assert!(client.head().await.unwrap().number >= head);
    assert_eq!(balances(&demo, head).await, before);
    assert!(client.schedule().await.unwrap().issued_gwei >= issued.issued_gwei);
    assert_eq!(demo.json()["films"], films);
    let pids = demo.pids();
    assert!(demo.wait().success(), "a check at the end went wrong");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!pids.iter().any(|pid| runs(*pid)), "something was left running");
}
