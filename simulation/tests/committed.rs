//! The committed page says what the code says now.

use chainflix_simulation::{
    document,
    table::{REFERENCE_USD, Sweep},
};

const STORAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/storage.md");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");

#[test]
fn the_tables_in_the_page_are_those_of_the_code() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    for (name, text) in document::parts(&Sweep::standard()) {
        assert_eq!(document::part(&page, name), Some(text.trim()), "{name}: run `cargo xtask simulate`");
    }
}

#[test]
fn the_page_names_every_farm_that_gains() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let uncovered = page.split("## What is not covered").nth(1).unwrap();
    for farm in Sweep::standard().verdict().gaining {
        assert!(uncovered.contains(farm), "{farm} gains at {REFERENCE_USD} dollars and is not in \"not covered\"");
    }
}

#[test]
fn the_tables_of_the_storage_page_are_those_of_the_code() {
    let page = std::fs::read_to_string(STORAGE).unwrap();
    for (name, text) in document::storage_parts() {
        assert_eq!(document::part(&page, name), Some(text.trim()), "{name}: run `cargo xtask simulate`");
        // What the page says in words.
        assert!(!text.contains("**worse**"), "the forecast does not beat counting and doing nothing everywhere");
    }
}
