//! `vectors/store.json`: what a provider's folder looks like, file by file.
//!
//! A store writes the folder of the vectors, and reads one that was written from the vectors alone; what a crash or somebody
//! else left there is removed or left as they say. After a deliberate change of the format, `UPDATE_VECTORS=1` writes them
//! anew; the diff is then part of the review.

use chainflix_cell::ChunkHashes;
use chainflix_primitives::CellId;
use chainflix_provider::store::{Put, Store, StoreFolder};
use serde_json::{Map, Value, json};
use std::{fs, path::Path, sync::Arc};

/// Cells with one chunk, with whole chunks, and with a last one that is short.
const SIZES: [usize; 3] = [5, 32_768, 100_000];
const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/store.json");
const BYTE_AT: &str = "((i * 7) >> 3) as u8";

fn sealed(size: usize) -> (CellId, Vec<u8>) {
    let bytes: Vec<u8> = (0..size).map(|i| ((i * 7) >> 3) as u8).collect();
    (ChunkHashes::of(&bytes).root(), bytes)
}

fn golden() -> Value {
    serde_json::from_str(&fs::read_to_string(VECTORS).unwrap()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn put(store: &Arc<Store>, size: usize) {
    let (cell, bytes) = sealed(size);
    let Put::Write(mut incoming) = store.put(cell, size as u64).unwrap() else { panic!("the store is empty") };
    incoming.write(&bytes).unwrap();
    incoming.commit().unwrap();
}

/// All files below `folder` by their path, in order.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The folder that a store of these cells writes.
fn written() -> Value {
    let home = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| home.path().join(name));
    // A cell goes where most room is.
    let folders = [(&first, 4 << 20), (&second, 1 << 20)]
        .map(|(path, quota_bytes)| StoreFolder { path: path.clone(), quota_bytes });
    let store = Store::open_all(&folders).unwrap();
    SIZES.into_iter().for_each(|size| put(&store, size));
    drop(store);
    assert_eq!(files(&second), [("lock".to_owned(), Vec::new())]);
    let mut shown = Map::new();
    for (name, bytes) in files(&first) {
        let content = match name.as_str() {
            "folders" => {
                assert_eq!(bytes, format!("{}\n", second.display()).into_bytes());
                "<path of the second folder>\\n".into()
            }
            name if name.ends_with(".cell") => json!({ "byteAt": BYTE_AT, "size": bytes.len() }),
            _ => hex(&bytes).into(),
        };
        shown.insert(name, content);
    }
    shown.into()
}

/// What a start removes, and what it leaves, beside the whole cells.
fn left_behind() -> (Vec<String>, Vec<String>) {
    let [small, large] = [5, 100_000].map(|size| hex::encode(sealed(size).0.0));
    let (absent, _) = sealed(7);
    let absent = hex::encode(absent.0);
    let removed = [
        // A put that did not end.
        format!("tmp/{absent}.cell"),
        // Hashes whose cell did not follow; a cell whose hashes are gone.
        format!("cells/{}/{absent}.hashes", &absent[..2]),
        "cells/ff/ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff.cell".to_owned(),
        // Whatever else lies on a shelf.
        format!("cells/{}/notes.txt", &small[..2]),
    ];
    let kept = [format!("cells/notes/{large}.cell"), "mine.txt".to_owned()];
    (removed.to_vec(), kept.to_vec())
}

#[test]
fn a_folder_has_the_same_files_for_ever() {
    let (removed, kept) = left_behind();
    let cells = SIZES.map(sealed).map(|(cell, bytes)| json!({ "cell": cell, "size": bytes.len() }));
    let found = json!({ "cells": cells, "files": written(), "removedAtStart": removed, "leftAlone": kept });
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(VECTORS, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    assert_eq!(found, golden(), "the store's files changed; see the head of this file");
}

#[test]
fn a_folder_of_another_implementation_is_read_and_tidied() {
    let golden = golden();
    let home = tempfile::tempdir().unwrap();
    let place = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for (name, content) in golden["files"].as_object().unwrap() {
        match content {
            Value::Object(cell) => place(name, &sealed(cell["size"].as_u64().unwrap() as usize).1),
            Value::String(text) if name != "folders" => place(name, &hex::decode(&text[2..]).unwrap()),
            _ => {}
        }
    }
    let names = |key: &str| -> Vec<String> {
        golden[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    names("removedAtStart").iter().chain(&names("leftAlone")).for_each(|name| place(name, &[1; 32]));

    let store = Store::open(home.path(), 4 << 20).unwrap();
    let held: Vec<_> = store.cells().iter().map(|held| (held.cell, held.size as usize)).collect();
    let mut expected: Vec<_> = SIZES.into_iter().map(|size| (sealed(size).0, size)).collect();
    expected.sort();
    assert_eq!(held, expected);
    for (cell, size) in expected {
        assert_eq!(store.read(&cell).unwrap().unwrap().chunks(0, 64).unwrap(), sealed(size).1);
    }
    names("removedAtStart").iter().for_each(|name| assert!(!home.path().join(name).exists(), "{name}"));
    names("leftAlone").iter().for_each(|name| assert!(home.path().join(name).exists(), "{name}"));
}
