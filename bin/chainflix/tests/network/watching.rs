//! Watching mines; nobody watching mines nothing; a takedown ends it.

use crate::{
    demo::{Demo, chainflix, film, run, until},
    ledger::{earned, scheduled},
};
use chainflix_node::keys;
use chainflix_primitives::{AccountAddress, AccountKey};
use chainflix_rpc::types::{AccountQuery, ServedDay, ServedQuery};
use serde_json::Value;
use std::{path::Path, time::Duration};

/// Watches to the end, or to the first error; events, and whether it went well.
fn watch(demo: &Demo, data: &Path, key: &Path) -> (Vec<Value>, bool) {
    let mut command = chainflix(&["watch", &demo.magnet(), "--json", "--network"]);
    let output = command.arg(data).arg("--key").arg(key).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    eprintln!("{text}{}", String::from_utf8_lossy(&output.stderr));
    (events, output.status.success())
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn coins_appear_by_watching_alone_and_add_up_to_the_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let (data, key) = (folder.path().join("demo"), folder.path().join("viewer.key"));
    let demo = Demo::first(&data, &film(folder.path(), 12), &[]);
    let client = demo.client();

    // A dozen slots with nobody watching.
    tokio::time::sleep(Duration::from_millis(12 * 720)).await;
    let schedule = client.schedule().await.unwrap();
    assert_eq!((schedule.view_blocks, schedule.issued_gwei), (0, 0));
    let (idle, _) = earned(&demo, &[]).await;
    assert!(idle.values().all(|wei| *wei == 0), "{idle:?}");

    keys::write(&key, &[7; 32]).unwrap();
    let viewer = AccountKey::from_bytes(&[7; 32]).unwrap().address();
    let (events, ok) = watch(&demo, &data, &key);
    assert!(ok);
    let ended = named(&events, "ended")[0];
    assert_eq!((ended["played"].as_u64(), ended["accepted"].as_u64()), (Some(4), Some(4)), "{ended}");

    let (rewards, head) = earned(&demo, &[viewer]).await;
    let scheduled = scheduled(&demo, head).await;
    assert!(scheduled > 0);
    assert_eq!(rewards.values().sum::<u128>(), scheduled);
    let accounts = demo.json()["accounts"].clone();
    for role in ["creator", "supervisor", "operation"] {
        let account: AccountAddress = serde_json::from_value(accounts[role].clone()).unwrap();
        assert!(rewards[&account] > 0, "the {role} earned nothing");
    }
    let validators: Vec<AccountAddress> = serde_json::from_value(accounts["validators"].clone()).unwrap();
    assert!(validators.iter().all(|account| rewards[account] > 0));
    assert!(rewards[&viewer] > 0);
    // What storage peers are told by day is what they have, and what is held back from them.
    let providers: Vec<AccountAddress> = serde_json::from_value(accounts["providers"].clone()).unwrap();
    let mut plays = 0;
    for account in providers {
        let served = client.served(ServedQuery { account, from: None, count: 2 }).await.unwrap();
        let sum = |part: fn(&ServedDay) -> u64| u128::from(served.days.iter().map(part).sum::<u64>());
        let (gwei, held) = (sum(|day| day.gwei), sum(|day| day.held_gwei));
        assert_eq!((gwei - held) * 1_000_000_000, rewards[&account], "{served:?}");
        let known = client.account(AccountQuery { account, count: 1, from: None }).await.unwrap().held;
        assert_eq!(known.map_or(0, |known| known.gwei), held, "{known:?}");
        assert!(known.is_none_or(|known| held > 0 && known.permille == 750 && known.periods == 1), "{known:?}");
        plays += served.days.iter().map(|day| day.plays).sum::<u64>();
    }
    assert!(plays >= 4, "each of the four plays was served by somebody");

    // The same account once more: allowed, and unpaid.
    let (events, ok) = watch(&demo, &data, &key);
    assert!(ok);
    assert_eq!(named(&events, "ended")[0]["accepted"], 0);
    assert!(named(&events, "play-started").iter().all(|event| event["mining"] == false));

    coins_are_bonded_and_leave_late(&demo, &data, viewer, &key);
    a_takedown_stops_it(&demo, &data, folder.path()).await;
    assert!(demo.stop().success());
}

/// Runs a command that says JSON.
fn told(command: &[&str]) -> Value {
    let output = run(&[command, &["--json"][..]].concat());
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Earned coins stand for the viewer until it asks them back, and then wait.
fn coins_are_bonded_and_leave_late(demo: &Demo, data: &Path, viewer: AccountAddress, key: &Path) {
    let rpc = demo.json()["rpc"].as_str().unwrap().to_owned();
    let place = ["--wallet", key.to_str().unwrap(), "--rpc", &rpc];
    let told_of = |words: &[&str]| told(&[&["wallet"][..], words, &place[..]].concat());
    assert_eq!(told_of(&["bond", "5"])["bondedWei"], "5000000000000000000");
    told(&["supervise", "vouch", &viewer.to_string(), "--network", data.to_str().unwrap()]);
    let standing = told_of(&["unbond", "1.5"]);
    assert_eq!((&standing["bondedWei"], &standing["vouched"]), (&"3500000000000000000".into(), &true.into()));
    assert_eq!(standing["leavingWei"], "1500000000000000000");
    let early = run(&[&["wallet", "withdraw"][..], &place].concat());
    let words = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(early.status.code() == Some(1) && words.contains("can be withdrawn in"), "{words}");
}

/// Two blocks after the takedown nobody gets a PlayCode any more.
async fn a_takedown_stops_it(demo: &Demo, data: &Path, folder: &Path) {
    let client = demo.client();
    let decide = |words: &[&str]| told(&[&["supervise"][..], words, &["--network", data.to_str().unwrap()]].concat());
    let magnet = demo.magnet();
    let block = decide(&["takedown", &magnet, "--reason", "a test"])["block"].as_u64().unwrap();
    until("two blocks", async || client.head().await.unwrap().number >= block + 2).await;

    let key = folder.join("latecomer.key");
    keys::write(&key, &[8; 32]).unwrap();
    let (events, ok) = watch(demo, data, &key);
    assert!(!ok || named(&events, "accepted").is_empty());
    assert!(named(&events, "accepted").is_empty() && named(&events, "proved").is_empty());
    until("the report to say so", async || demo.json()["films"][0]["takenDown"] == true).await;
    let listed =
        run(&["wallet", "balance", &demo.accounts()[0].to_string(), "--rpc", demo.json()["rpc"].as_str().unwrap()]);
    assert!(listed.status.success());
}
