//! What cannot work is said in one line, with an exit code, and nothing is left running.

use crate::demo::{chainflix, run};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, process::Output};

/// The one line of an error.
#[track_caller]
fn refused(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("error:")).collect();
    assert_eq!((output.status.code(), lines.len()), (Some(code), 1), "{text}");
    for word in words {
        assert!(lines[0].contains(word), "{word:?} is not in {}", lines[0]);
    }
}

fn laid_out(folder: &Path) -> String {
    let dir = folder.join("network").to_str().unwrap().to_owned();
    let output = run(&["init", &dir, "--web-port", "20080", "--rpc-port", "20545", "--inner-port", "20600", "--json"]);
    assert!(output.status.success());
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["processes"].as_array().unwrap().len(), 11);
    dir
}

#[test]
fn a_demo_that_cannot_start_says_why_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let demo = |more: &[&str]| run(&[&["demo", "--data", data.to_str().unwrap()], more].concat());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // The port of the web app, with room for the others above it.
    let base = if port < 65_000 { port } else { port - 202 };
    refused(&demo(&["--port-base", &base.to_string()]), 1, &[&port.to_string(), "--port-base"]);
    assert!(!data.join("network").exists(), "a network that never ran is not kept");

    refused(&demo(&["--port-base", "65500"]), 2, &["no room"]);
    refused(&demo(&["--film", "/nowhere.mp4"]), 2, &["/nowhere.mp4"]);
    refused(&run(&["demo", "--data", "/dev/null/demo"]), 1, &["/dev/null/demo", "--data"]);
    let output = chainflix(&["demo", "--data", data.to_str().unwrap()]).env("PATH", "").output().unwrap();
    refused(&output, 1, &["apt-get install -y ffmpeg"]);
}

#[test]
fn a_network_is_laid_out_once_and_its_roles_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let dir = laid_out(folder.path());
    refused(&run(&["init", &dir]), 1, &["not empty"]);
    refused(&run(&["init", "x", "--inner-port", "8546"]), 2, &["ports"]);
    let relay = format!("{dir}/relay/config.toml");
    refused(&run(&["run", "provider", "--config", &relay]), 2, &["configures a relay", "chainflix run relay"]);
    refused(&run(&["run", "relay", "--config", "/nowhere.toml"]), 1, &["/nowhere.toml"]);
    fs::write(folder.path().join("bad.toml"), "role = \"relay\"\nlisten = 7\n").unwrap();
    let bad = folder.path().join("bad.toml");
    refused(&run(&["run", "relay", "--config", bad.to_str().unwrap()]), 1, &["bad.toml"]);
}

#[test]
fn a_validator_starts_with_its_own_share_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let dir = laid_out(folder.path());
    let other = folder.path().to_str().unwrap();
    refused(&run(&["demo", "--data", other, "--keys", "threshold"]), 2, &["--keys"]);

    let dir = format!("{dir}-of-shares");
    let output = run(&["init", &dir, "--keys", "threshold", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["keyQuorum"], 3);
    assert!(!Path::new(&dir).join("keys/network.key").exists());
    let share = |number: u8| format!("{dir}/validator-{number}/share.key");
    assert_eq!(fs::metadata(share(0)).unwrap().permissions().mode() & 0o777, 0o600);
    fs::copy(share(1), share(0)).unwrap();
    let config = format!("{dir}/validator-0/config.toml");
    refused(&run(&["run", "validator", "--config", &config]), 1, &["share.key", "not the share of validator 0"]);
}

#[test]
fn commands_without_their_network_or_key_say_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = laid_out(folder.path());
    let nowhere = folder.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let magnet = "ab".repeat(32);
    refused(&run(&["watch", "urn:rubbish", "--network", &dir]), 2, &["magnet"]);
    refused(&run(&["watch", &magnet, "--network", nowhere]), 1, &["no network", "chainflix demo"]);
    let output = chainflix(&["watch", &magnet, "--network", &dir]).env("XDG_DATA_HOME", nowhere).output().unwrap();
    refused(&output, 2, &["no wallet", "chainflix wallet new"]);
    let key = format!("{dir}/keys/creator.key");
    refused(&run(&["watch", &magnet, "--network", &dir, "--key", &key]), 1, &["no validator answers"]);
    refused(&run(&["publish", "/nowhere.mp4", "--network", nowhere]), 1, &["no network"]);
    let publish = |split: &str| run(&["publish", "/nowhere.mp4", "--network", &dir, "--split", split]);
    refused(&publish("creator=90"), 2, &["creator 90 %", "10 to 60 %"]);
    refused(&publish("viewer=25"), 2, &["95 %", "viewer 25"]);
    let admit = ["supervise", "admit", "0x00000000000000000000000000000000000000C1"];
    refused(&run(&[&admit[..], &["--network", nowhere]].concat()), 1, &["no network"]);
    refused(&run(&[&admit[..], &["--network", &dir]].concat()), 1, &["did not go through"]);
    refused(
        &run(&[
            "wallet",
            "balance",
            &"0x".chars().chain("11".repeat(20).chars()).collect::<String>(),
            "--rpc",
            "http://127.0.0.1:9",
        ]),
        1,
        &["balance"],
    );
}

#[test]
fn a_wallet_is_made_once_shown_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (wallet, restored, passphrase) = (path("a/wallet.json"), path("restored.json"), path("passphrase"));
    fs::write(&passphrase, "correct horse battery").unwrap();
    let made = run(&["wallet", "new", "--wallet", &wallet, "--passphrase-file", &passphrase, "--json"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let (words, address) = (made["words"].as_str().unwrap(), made["address"].as_str().unwrap());
    assert!(!fs::read_to_string(&wallet).unwrap().contains(words.split(' ').next().unwrap()));

    let shown = run(&["wallet", "show", "--wallet", &wallet]);
    assert_eq!(String::from_utf8(shown.stdout).unwrap().trim(), address);
    let again = run(&["wallet", "new", "--wallet", &wallet, "--passphrase-file", &passphrase]);
    refused(&again, 1, &["there is a wallet"]);

    let input = folder.path().join("words");
    fs::write(&input, words).unwrap();
    let mut restore =
        chainflix(&["wallet", "new", "--restore", "--wallet", &restored, "--passphrase-file", &passphrase]);
    let output = restore.stdin(fs::File::open(input).unwrap()).output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), address);
}
