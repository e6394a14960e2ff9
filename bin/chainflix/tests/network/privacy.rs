//! A viewer's address is counted by, and written nowhere; relay-only viewing shows none to begin with.
//!
//! ```text
//! two browsers, from 127.77.3.9 and 127.201.118.44 ─▶ gateway ─▶ validators: mine, and are refused by their addresses
//!      stop the network ─▶ every file of every role, every block over JSON-RPC ─▶ neither address, in no notation
//! ```
//!
//! It cannot pass by accident: that the validators really had the addresses is shown by the refusals, and that the search
//! finds what it looks for is shown on files that hold it.

mod browser;
mod search;
mod sockets;

use crate::demo::{Demo, chainflix, film, until};
use browser::Browser;
use chainflix_node::keys;
use futures::future::join_all;
use search::Address;
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader},
    net::Ipv4Addr,
    path::Path,
    process::Stdio,
};

/// Nothing else on this machine uses them, and they are of different networks.
const HOMES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 77, 3, 9), Ipv4Addr::new(127, 201, 118, 44)];
/// The genesis' `playsPerHome`.
const PLAYS_PER_HOME: u8 = 16;

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_counted_by_and_written_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let demo = Demo::first(&data, &film(folder.path(), 12), &[]);
    for (number, home) in (0u8..).zip(HOMES) {
        Browser::at(home, 100 + number, &demo).await.mine().await;
    }
    for (number, home) in (0u8..).zip(HOMES) {
        fill_the_house(home, 10 + 40 * number, &demo).await;
    }
    relay_only_viewing_shows_no_address(&demo, &data, folder.path());
    let told = everything_told(&demo).await;
    assert!(demo.stop().success());

    let addresses = HOMES.map(Address::of);
    for address in &addresses {
        assert!(!address.is_told(&told), "{address} is told over JSON-RPC");
    }
    let files = search::files(&data);
    for part in ["views.redb", "plays.redb", "consensus", "chain", "logs", "provider-0", "controller-0", "gateway"] {
        assert!(files.iter().any(|file| file.to_string_lossy().contains(part)), "no file of {part} was searched");
    }
    let found = search::written(&files, &addresses);
    assert!(found.is_empty(), "addresses of viewers are in {found:?}");

    the_search_finds_what_is_there(folder.path(), &addresses);
}

/// As many plays as a home may have at a time, by as many accounts; one more is refused. All sit down before any starts,
/// since a play that is over is none of the crowd's.
async fn fill_the_house(home: Ipv4Addr, first: u8, demo: &Demo) {
    let seats = (first..=first + PLAYS_PER_HOME).map(async |number| {
        let browser = Browser::at(home, number, demo).await;
        let seat = browser.cell(1).await;
        (browser, seat)
    });
    let mut seats = join_all(seats).await;
    let starts = seats.iter_mut().map(async |(browser, (playback, grant))| browser.begin(playback, grant).await);
    let refused: Vec<_> = join_all(starts).await.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["code"], "too-many-plays", "{refused:?}");
}

/// What anybody can ask of blocks and accounts, as text.
async fn everything_told(demo: &Demo) -> String {
    let client = demo.client();
    let (head, schedule) = (client.head().await.unwrap().number, client.schedule().await.unwrap());
    assert!(schedule.view_blocks > 0, "nobody mined");
    let mut told = String::new();
    for number in 1..=schedule.view_blocks {
        let block: Value = client.call("cfx_viewBlock", [number]).await.unwrap();
        assert!(block["payload"]["slot"]["proposal"]["plays"].is_array(), "{block}");
        told.push_str(&block.to_string());
    }
    for number in 0..=head {
        let block: Value = client.call("eth_getBlockByNumber", json!([format!("{number:#x}"), true])).await.unwrap();
        told.push_str(&block.to_string());
    }
    let account = Browser::at(HOMES[0], 100, demo).await.account();
    let report: Value = client.call("cfx_account", json!([{"account": account, "count": 200}])).await.unwrap();
    assert_eq!(report["plays"][0]["status"], "accepted", "{report}");
    told + &report.to_string()
}

/// `chainflix watch`, its events, and whether its process ever had a UDP socket.
fn watch(demo: &Demo, data: &Path, key: &Path, more: &[&str]) -> (Vec<Value>, bool) {
    let mut command = chainflix(&["watch", &demo.magnet(), "--json", "--network"]);
    command.arg(data).arg("--key").arg(key).args(more).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut has_udp = false;
    let mut events = Vec::new();
    for line in lines {
        // Events come when a cell arrives, starts and ends: the overlay is bound at each of them.
        has_udp |= sockets::has_udp(child.id());
        events.push(serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    }
    assert!(child.wait().unwrap().success(), "{events:?}");
    (events, has_udp)
}

fn relay_only_viewing_shows_no_address(demo: &Demo, data: &Path, folder: &Path) {
    let direct = |events: &[Value]| -> Vec<bool> {
        let fetched = events.iter().filter(|event| event["event"] == "cell-fetched");
        fetched.map(|event| event["direct"].as_bool().unwrap()).collect()
    };
    let (near, far) = (folder.join("near.key"), folder.join("far.key"));
    keys::write(&near, &[201; 32]).unwrap();
    keys::write(&far, &[202; 32]).unwrap();
    let (events, has_udp) = watch(demo, data, &near, &["--cells", "1"]);
    assert_eq!((direct(&events), has_udp), (vec![true], true), "what is looked for can be seen");

    let (events, has_udp) = watch(demo, data, &far, &["--cells", "2", "--relay-only"]);
    assert_eq!((direct(&events), has_udp), (vec![false, false], false));
    let ended = events.last().unwrap();
    assert_eq!((&ended["played"], &ended["accepted"]), (&json!(2), &json!(2)), "{ended}");
}

/// The search itself: each notation, in a file of its own.
fn the_search_finds_what_is_there(folder: &Path, addresses: &[Address]) {
    let planted = folder.join("planted");
    for (number, notation) in (0..).zip(addresses[0].notations().into_iter().zip(addresses[1].notations())) {
        let inner = planted.join(format!("role-{number}"));
        std::fs::create_dir_all(&inner).unwrap();
        let text = [&b"before "[..], &notation.0, b" between ", &notation.1, b" after"].concat();
        std::fs::write(inner.join("file"), text).unwrap();
    }
    let files = search::files(&planted);
    assert_eq!(search::written(&files, addresses).len(), files.len());
    assert!(files.len() >= 5);
}
