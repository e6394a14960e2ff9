//! A film that few watch lies as a stripe, and plays on when every copy of a minute is gone.

use crate::{
    demo::{Demo, film, until},
    giving::{CFX, Running, give, join, status},
    kills::await_more,
};
use chainflix_node::keys;
use chainflix_primitives::{CellId, Manifest};
use chainflix_rpc::send_transaction;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Beside the three of the demo: each piece of a stripe lies with somebody else, and what is made anew needs a place too.
const STRANGERS: usize = 9;

/// Disks that are given to the demo by strangers, each with an account of its own.
async fn give_disks(demo: &Demo, data: &Path, home: &Path) -> Vec<(Running, String)> {
    let treasury = keys::read_account(&data.join("network/keys/treasury.key")).unwrap();
    let mut given = Vec::new();
    for number in 0..STRANGERS {
        let (config, account) = join(data, &home.join(format!("disk-{number}")));
        send_transaction(&demo.client(), &treasury, Some(account), CFX, Vec::new()).await.unwrap();
        given.push((give(&config), config));
    }
    for (_, config) in &given {
        until("the registration", async || status(config).is_some_and(|status| status["registered"] == true)).await;
    }
    given
}

/// Has films get cold at once.
async fn hurry(demo: &Demo, data: &Path) {
    for name in ["controller-0", "controller-1"] {
        let path = data.join("network").join(name).join("config.toml");
        let config = fs::read_to_string(&path).unwrap().replacen("copies =", "cold-after-s = 0\ncopies =", 1);
        assert!(config.contains("cold-after-s"));
        fs::write(&path, config).unwrap();
        demo.kill_and_await(name).await;
        // The other one serves meanwhile, and must not go before this one is heard.
        await_more(demo, 2).await;
    }
}

/// Files of a cell below a folder.
fn files(folder: &Path, cell: &CellId) -> Vec<PathBuf> {
    let name = format!("{}.cell", &cell.to_string()[2..]);
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // What is being written now may be gone in the next moment.
        for entry in fs::read_dir(&folder).into_iter().flatten().map_while(Result::ok) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && entry.file_name() != "tmp" => folders.push(entry.path()),
                Ok(_) if entry.file_name() == *name => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_that_few_watch_plays_on_when_every_copy_of_a_minute_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("demo");
    let demo = Demo::first(&data, &film(home.path(), 12), &["--headless"]);
    let _disks = give_disks(&demo, &data, home.path()).await;
    let magnet = demo.magnet().parse().unwrap();
    let manifest = demo.client().manifest(magnet).await.unwrap().unwrap();
    let manifest = Manifest::decode(&manifest, &magnet).unwrap();
    assert_eq!((manifest.cells.len(), manifest.parity.len()), (4, 1), "four minutes, one stripe");

    hurry(&demo, &data).await;
    let made = |cell: &CellId| files(home.path(), cell).len() == 1;
    // A controller that starts waits half a minute for everybody, and between two turns a minute is nobody's.
    for _ in 0..2 {
        let patience = until("parity on six disks", async || manifest.parity[0].iter().all(made));
        if tokio::time::timeout(std::time::Duration::from_secs(80), patience).await.is_ok() {
            break;
        }
    }
    assert!(manifest.parity[0].iter().all(made), "parity on six disks");

    let lost = manifest.cells[2].id;
    let copies = files(home.path(), &lost);
    assert!(copies.len() >= 2, "and those that newcomers were given");
    copies.iter().for_each(|copy| fs::remove_file(copy).unwrap());
    until("the minute that nobody had", async || !files(home.path(), &lost).is_empty()).await;
    // A provider keeps nothing of another name.
    assert_eq!(fs::metadata(&files(home.path(), &lost)[0]).unwrap().len(), manifest.cells[2].size);
    await_more(&demo, 5).await;
    assert!(demo.stop().success());
}
