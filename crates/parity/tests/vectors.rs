//! `vectors/parity.json`: the stripe of a few tiny cells, and its parity, as bytes.
//!
//! After a deliberate change of the code, which gives every film other parity, `UPDATE_VECTORS=1` writes the file anew; the
//! diff is then part of the review.

use chainflix_parity::{CELL_PIECES, PARITY_PIECES, PIECES, Recovery, padded_slice};
use chainflix_primitives::{
    CellId,
    stripe::{STRIPE_CELLS, Stripe},
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Bytes of the cells, in playing order: the second and the last are in no stripe.
const SIZES: [usize; 6] = [65, 3, 190, 64, 65, 1];

fn text(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn named(bytes: &[u8]) -> Value {
    json!({ "id": CellId(blake3::hash(bytes).into()), "bytes": text(bytes) })
}

fn cell(number: usize) -> Vec<u8> {
    (0..SIZES[number]).map(|at| (number * 83 + at * 7 + at * at) as u8).collect()
}

fn vectors() -> Value {
    let cells: Vec<Vec<u8>> = (0..SIZES.len()).map(cell).collect();
    let stripes: Vec<Value> =
        Stripe::of(&SIZES.map(|size| size as u64)).iter().map(|stripe| coded(stripe, &cells)).collect();
    json!({ "cells": cells.iter().map(|cell| named(cell)).collect::<Vec<_>>(), "stripes": stripes })
}

fn coded(stripe: &Stripe, cells: &[Vec<u8>]) -> Value {
    let length = stripe.parity_bytes as usize;
    let pieces = stripe.cells.map(|cell| padded_slice(&cells[cell as usize], 0, length));
    let parity = Recovery::new(CELL_PIECES, &PARITY_PIECES).unwrap().slice(pieces.each_ref().map(|piece| &piece[..]));
    json!({
        "cells": stripe.cells,
        "parityBytes": stripe.parity_bytes,
        "parity": parity.unwrap().iter().map(|bytes| named(bytes)).collect::<Vec<_>>(),
    })
}

fn bytes(entry: &Value) -> Vec<u8> {
    hex::decode(entry["bytes"].as_str().unwrap().strip_prefix("0x").unwrap()).unwrap()
}

#[test]
fn parity_has_the_same_bytes_for_ever() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/parity.json");
    let found = vectors();
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(found, golden, "the code's bytes changed; see the head of this file");

    // What the file says, given back by its last four pieces.
    let stripe = &golden["stripes"][0];
    let parity: Vec<Vec<u8>> = stripe["parity"].as_array().unwrap().iter().map(bytes).collect();
    let given = [0, 1, 2, 3].map(|at| PIECES - STRIPE_CELLS + at);
    let slices = given.map(|piece| &parity[piece - STRIPE_CELLS][..]);
    let cells = Recovery::new(given, &CELL_PIECES).unwrap().slice(slices).unwrap();
    for (place, piece) in cells.iter().enumerate() {
        let number = stripe["cells"][place].as_u64().unwrap() as usize;
        let (cell, rest) = piece.split_at(SIZES[number]);
        assert_eq!(cell, bytes(&golden["cells"][number]));
        assert!(rest.iter().all(|byte| *byte == 0));
    }
}
