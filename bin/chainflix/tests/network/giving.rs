//! A stranger gives a disk to a network that runs, earns its place, and leaves in order.

use crate::demo::{Demo, chainflix, film, run, until};
use chainflix_node::keys;
use chainflix_primitives::{AccountAddress, AccountKey};
use chainflix_rpc::{Client, send_transaction};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Stdio},
};

pub const CFX: u128 = 1_000_000_000_000_000_000;

/// A running `chainflix provider run`, stopped when dropped.
pub struct Running(Child);

pub fn give(config: &str) -> Running {
    Running(chainflix(&["provider", "run", "--config", config]).stderr(Stdio::null()).spawn().unwrap())
}

impl Running {
    /// Stops it in order.
    fn stop(&mut self) {
        // Process ids have 31 bits.
        kill_process(Pid::from_raw(self.0.id() as i32).unwrap(), Signal::TERM).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
    }
}

pub fn status(config: &str) -> Option<Value> {
    let output = run(&["provider", "status", "--json", "--config", config]);
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

/// Whether the registry names the account.
async fn is_named(demo: &Demo, account: AccountAddress) -> bool {
    demo.client().providers().await.unwrap().iter().any(|provider| provider.account == account)
}

/// An address of this machine that nobody uses now.
fn free_page() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Makes a provider in `folder`, and answers its configuration file and its account.
pub fn join(data: &Path, folder: &Path) -> (String, AccountAddress) {
    let join = data.join("network/join.toml");
    let arguments =
        ["provider", "init", folder.to_str().unwrap(), "--join", join.to_str().unwrap(), "--quota-gb", "200"];
    let places = ["--listen", "127.0.0.1:0", "--page-listen", &free_page()];
    let output = run(&[&arguments[..], &places[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let again = run(&[&arguments[..], &places[..]].concat());
    assert_eq!(again.status.code(), Some(1), "keys are never overwritten");
    let config = folder.join("config.toml").to_str().unwrap().to_owned();
    (config, keys::read_account(&folder.join("account.key")).unwrap().address())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gives_a_disk_and_takes_it_back() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("demo");
    let demo = Demo::first(&data, &film(home.path(), 6), &[]);
    let (config, account) = join(&data, &home.path().join("disk"));
    assert!(status(&config).is_none(), "it does not run yet");

    let mut running = give(&config);
    until("the page", async || status(&config).is_some()).await;
    let first = status(&config).unwrap();
    assert_eq!((first["registered"].as_bool(), first["status"]["usage"]["cells"].as_u64()), (Some(false), Some(0)));
    until("word of its empty purse", async || status(&config).unwrap()["hindrance"] == "no-coins").await;
    let treasury = keys::read_account(&data.join("network/keys/treasury.key")).unwrap();
    send_transaction(&demo.client(), &treasury, Some(account), CFX, Vec::new()).await.unwrap();
    until("the registration", async || status(&config).unwrap()["registered"] == true).await;
    until("the registry with it", async || is_named(&demo, account).await).await;

    // A new film finds most room on the new disk.
    let second = home.path().join("second");
    fs::create_dir(&second).unwrap();
    let network = data.join("network");
    let film = film(&second, 9);
    let published = run(&["publish", film.to_str().unwrap(), "--network", network.to_str().unwrap()]);
    assert!(published.status.success(), "{}", String::from_utf8_lossy(&published.stderr));
    let full = status(&config).unwrap();
    assert!(full["status"]["usage"]["cells"].as_u64() > Some(0), "{full}");
    assert!(full["coins"]["balanceWei"].is_string(), "{full}");
    assert_eq!(
        (&full["struckOut"], &full["days"]),
        (&false.into(), &serde_json::json!([])),
        "nobody has watched from it"
    );

    let left = run(&["provider", "exit", "--config", &config]);
    assert!(left.status.success(), "{}", String::from_utf8_lossy(&left.stderr));
    let last = status(&config).unwrap();
    assert_eq!((&last["status"]["mode"], &last["status"]["neededCells"]), (&"leaving".into(), &0.into()), "{last}");
    assert_eq!((&last["registration"], &last["registered"]), (&"withdrawn".into(), &false.into()), "{last}");
    until("the registry without it", async || !is_named(&demo, account).await).await;

    // Who was told to leave does not forget it, until it is told to stay.
    running.stop();
    let mut running = give(&config);
    until("the page again", async || status(&config).is_some()).await;
    assert_eq!(status(&config).unwrap()["status"]["mode"], "leaving");
    until("a look at the registry", async || status(&config).unwrap()["registration"] == "withdrawn").await;
    assert!(!is_named(&demo, account).await, "who leaves does not register anew");
    assert!(run(&["provider", "stay", "--config", &config]).status.success());
    assert_eq!(status(&config).unwrap()["status"]["mode"], "open");
    until("the registration anew", async || status(&config).unwrap()["registered"] == true).await;
    until("the registry with it", async || is_named(&demo, account).await).await;

    // Without coins it may go all the same, and withdraws once it has some.
    let key = keys::read_account(&home.path().join("disk/account.key")).unwrap();
    empty(&demo.client(), &key, treasury.address()).await;
    let left = run(&["provider", "exit", "--config", &config]);
    let words = String::from_utf8_lossy(&left.stderr);
    assert!(left.status.success() && words.contains("the account needs a little CFX"), "{words}");
    assert!(String::from_utf8_lossy(&left.stdout).starts_with("may-go "));
    let last = status(&config).unwrap();
    assert_eq!((&last["registered"], &last["hindrance"]), (&true.into(), &"no-coins".into()), "{last}");
    assert!(is_named(&demo, account).await);
    send_transaction(&demo.client(), &treasury, Some(account), CFX, Vec::new()).await.unwrap();
    until("the withdrawal", async || status(&config).unwrap()["registration"] == "withdrawn").await;
    assert_eq!(status(&config).unwrap()["hindrance"], Value::Null);
    running.stop();
    assert!(demo.stop().success());
}

/// Sends away what the account has, but for less than the gas of a withdrawal.
async fn empty(client: &Client, from: &AccountKey, to: AccountAddress) {
    let fee_wei = 2 * client.next_base_fee().await.unwrap() + client.priority_fee().await.unwrap().max(1);
    let balance_wei: u128 = client.balance(from.address()).await.unwrap().to();
    // The transfer takes 21,000 of it, and may reserve a quarter more. A withdrawal takes more than 44,000.
    send_transaction(client, from, Some(to), balance_wei - 40_000 * fee_wei, Vec::new()).await.unwrap();
}
