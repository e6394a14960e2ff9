//! Rules for the documents: what they name exists.

use super::File;
use std::collections::BTreeSet;

/// First parts of what is taken for a path of this repository.
const TOPS: [&str; 12] =
    ["crates", "bin", "contracts", "web", "vectors", "docs", "xtask", "simulation", "fuzz", "benches", ".ci", ".cargo"];
/// The section of the protocol's document that lists the refusals.
const REFUSALS_HEADING: &str = "## What a validator refuses";

/// Paths and links of a document that lead nowhere.
pub fn dangling(document: &File, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = document.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (number, line) in prose(&document.text) {
        let named = spans(line).into_iter().filter(|span| is_path(span)).map(str::to_owned);
        let linked = links(line).into_iter().map(|link| resolve(folder, link));
        for path in named.chain(linked).filter(|path| !exists(path)) {
            findings.push(format!("{}:{number}: there is no {path}", document.path));
        }
    }
    findings
}

/// Folders of crates that a document does not name in backticks.
pub fn unnamed<'a>(document: &File, folders: impl Iterator<Item = &'a str>) -> Vec<String> {
    let unnamed = |folder: &&str| !document.text.contains(&format!("`{folder}`"));
    folders.filter(unnamed).map(|folder| format!("{}: does not name `{folder}`", document.path)).collect()
}

/// Differences between the table of refusals and the code, and tests that the table names and nobody wrote.
pub fn refusals(document: &File, source: &str, tests: &[&str]) -> Vec<String> {
    let path = &document.path;
    let rows = rows(&document.text);
    let written: BTreeSet<_> = rows.iter().map(|row| row.code).collect();
    let real = codes(source);
    let mut findings: Vec<_> = real
        .difference(&written)
        .map(|code| format!("{path}: the table of refusals lacks `{code}`"))
        .chain(written.difference(&real).map(|code| format!("{path}: no refusal has the code `{code}`")))
        .collect();
    if written.len() < rows.len() {
        findings.push(format!("{path}: the table of refusals lists a code twice"));
    }
    for Row { code, tests: named } in rows {
        let unwritten = |name: &&str| !tests.iter().any(|text| text.contains(&format!("fn {name}()")));
        findings
            .extend(named.into_iter().filter(unwritten).map(|name| format!("{path}: `{code}` has no test `{name}`")));
    }
    findings
}

/// Numbered lines outside fenced blocks.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let outside = |(_, line): &(usize, &str)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    };
    (1..).zip(text.lines()).filter(outside).collect()
}

/// What stands between single backticks.
fn spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

fn is_path(span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if !span.chars().all(plain) {
        return false;
    }
    match span.split_once('/') {
        Some((top, _)) => TOPS.contains(&top),
        // At the root only documents and manifests are told from ordinary words.
        None => {
            span.starts_with(|c: char| c.is_ascii_uppercase())
                && [".md", ".toml", ".lock"].iter().any(|end| span.ends_with(end))
        }
    }
}

/// Targets of links inside the repository, without their anchors. Images are not documents.
fn links(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("](") {
        let image = line[..at].rfind('[').is_some_and(|open| line[..open].ends_with('!'));
        let rest = &line[at + 2..];
        let target = rest.split(')').next().unwrap_or(rest);
        let target = target.split('#').next().unwrap_or(target);
        if !image && !target.is_empty() && !target.contains(':') {
            found.push(target);
        }
    }
    found
}

/// The path from the root of a link in a document of `folder`.
fn resolve(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

struct Row<'a> {
    code: &'a str,
    tests: Vec<&'a str>,
}

/// The table of refusals: the code in the first column, its tests in the last.
fn rows(text: &str) -> Vec<Row<'_>> {
    let section = text.lines().skip_while(|line| *line != REFUSALS_HEADING).skip(1);
    let lines = section.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `"));
    let row = |line| {
        let cells: Vec<&str> = str::trim(line).trim_matches('|').split('|').collect();
        let code = cells.first().and_then(|cell| spans(cell).first().copied())?;
        Some(Row { code, tests: cells.last().map(|cell| spans(cell)).unwrap_or_default() })
    };
    lines.filter_map(row).collect()
}

/// The codes that `Refusal::code` answers.
pub(super) fn codes(source: &str) -> BTreeSet<&str> {
    let function = source.split("fn code(").nth(1).and_then(|rest| rest.split("fn ").next()).unwrap_or_default();
    function.lines().filter_map(|line| line.split_once("=> \"")?.1.split('"').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> File {
        File { path: "docs/page.md".into(), text: text.into() }
    }

    #[test]
    fn a_path_that_does_not_exist_is_found_and_other_words_are_not() {
        let text = "See `crates/old/src` and `crates/new/src`, not `a/b`, `crates/*/src` or `fn x()`.\n\
                    ```text\n`crates/drawn`\n```\n`Cargo.toml` and `Gone.md`, but not `config.toml`.";
        let exists = |path: &str| ["crates/new/src", "Cargo.toml"].contains(&path);
        let found = dangling(&document(text), exists);
        assert_eq!(found, ["docs/page.md:1: there is no crates/old/src", "docs/page.md:5: there is no Gone.md"]);
    }

    #[test]
    fn a_link_is_followed_from_its_page() {
        let text = "[up](../README.md#map) [here](./other.md) [web](https://example.org) [same](#there) ![](film.png)";
        let found = dangling(&document(text), |path| path == "README.md");
        assert_eq!(found, ["docs/page.md:1: there is no docs/other.md"]);
    }

    #[test]
    fn a_crate_that_the_page_forgets_is_found() {
        let page = document("| `crates/cell` | seals |");
        let found = unnamed(&page, ["crates/cell", "crates/cellar"].into_iter());
        assert_eq!(found, ["docs/page.md: does not name `crates/cellar`"]);
    }

    const SOURCE: &str = "pub fn code(&self) -> &'static str {\n match self {\n Self::A => \"a\",\n \
                          Self::B { .. } => \"b-b\",\n }\n}\nfn advice() { Self::C => \"c\" }";

    #[test]
    fn the_codes_are_those_of_one_function() {
        assert_eq!(codes(SOURCE), BTreeSet::from(["a", "b-b"]));
    }

    #[test]
    fn table_and_code_must_agree() {
        let table = |rows: &str| {
            document(&format!(
                "# Page\n\n{REFUSALS_HEADING}\n\n| code | test |\n|---|---|\n{rows}\n\n## Next\n| `x` | |"
            ))
        };
        let tests = ["#[test]\nfn first() {}", "fn second() {}"];
        let good = table("| `a` | `first` |\n| `b-b` | `first`, `second` |");
        assert_eq!(refusals(&good, SOURCE, &tests), [""; 0]);
        let bad = table("| `a` | `third` |\n| `a` | |\n| `z` | none |");
        let found = refusals(&bad, SOURCE, &tests);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].ends_with("lacks `b-b`") && found[1].ends_with("code `z`"), "{found:?}");
        assert!(found[2].ends_with("twice") && found[3].ends_with("no test `third`"), "{found:?}");
    }
}
