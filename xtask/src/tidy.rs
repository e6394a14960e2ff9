//! Keeps what no compiler checks: the documents name what exists, and the code keeps to the architecture.
//!
//! | part | what it holds |
//! |---|---|
//! | `documents` | paths and links lead somewhere, each crate is in `ARCHITECTURE.md`, the refusals in `docs/protocol.md` are those of the code |
//! | `ladder` | dependencies point down; a heavy dependency stays in the one crate that isolates it |
//! | `words` | each refusal has words for viewers in every language |
//! | `sources` | pure crates touch nothing outside, one crate starts ffmpeg, one opens UDP sockets; module docs; file length |
//!
//! Each rule is a function of texts, so it is tested on made-up ones; only this file and `ladder::read` touch the disk.
//! All findings are reported at once. Left out: formatting, lints and licences, which have tools of their own.

mod documents;
mod ladder;
mod sources;
mod words;

use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders with Rust code of ours.
const RUST: [&str; 4] = ["crates", "simulation", "bin", "xtask"];
/// The document in which every crate has its place.
const ARCHITECTURE: &str = "ARCHITECTURE.md";
/// The document with the table of refusals.
const PROTOCOL: &str = "docs/protocol.md";
/// The code that the table of refusals repeats.
const REFUSALS: &str = "crates/proof-of-view/src/refusal.rs";
/// What viewers are told of them.
const REFUSAL_WORDS: &str = "crates/proof-of-view/refusals.json";
/// Where the tests live that the table names.
const REFUSAL_TESTS: &str = "crates/proof-of-view/";

/// One text file of the repository.
pub struct File {
    /// Where it is, from the root, with `/` between the parts.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// Fails with the list of everything in `workspace` that breaks a rule.
pub fn check(workspace: &Path) -> Result<()> {
    let packages = ladder::read(workspace)?;
    let sources = files(workspace, &RUST, "rs")?;
    let mut documents = files(workspace, &["docs"], "md")?;
    for name in ["README.md", ARCHITECTURE] {
        documents.push(file(workspace, Path::new(name))?);
    }

    let mut findings = ladder::check(&packages);
    findings.extend(sources.iter().flat_map(sources::check));
    let exists = |path: &str| workspace.join(path).exists();
    findings.extend(documents.iter().flat_map(|document| documents::dangling(document, exists)));
    let architecture = find(&documents, ARCHITECTURE)?;
    findings.extend(documents::unnamed(architecture, packages.iter().map(|package| package.dir.as_str())));
    let tests: Vec<&str> = sources
        .iter()
        .filter(|source| source.path.starts_with(REFUSAL_TESTS))
        .map(|source| source.text.as_str())
        .collect();
    let refusals = &find(&sources, REFUSALS)?.text;
    findings.extend(documents::refusals(find(&documents, PROTOCOL)?, refusals, &tests));
    findings.extend(words::check(&file(workspace, Path::new(REFUSAL_WORDS))?, refusals));

    match findings.len() {
        0 => Ok(()),
        count => bail!("tidy has {count} finding(s):\n  {}", findings.join("\n  ")),
    }
}

fn find<'a>(files: &'a [File], path: &str) -> Result<&'a File> {
    files.iter().find(|file| file.path == path).with_context(|| format!("{path} is missing"))
}

/// All files below `folders` that end with `.extension`, in order of their paths.
fn files(workspace: &Path, folders: &[&str], extension: &str) -> Result<Vec<File>> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    while let Some(folder) = open.pop() {
        let entries =
            fs::read_dir(workspace.join(&folder)).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            // A link could lead out of the tree, or in circles.
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(file(workspace, &path)?);
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn file(workspace: &Path, path: &Path) -> Result<File> {
    let text = fs::read_to_string(workspace.join(path)).with_context(|| format!("cannot read {}", path.display()))?;
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    Ok(File { path: parts.join("/"), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        if let Err(error) = check(&workspace) {
            panic!("{error:#}");
        }
    }
}
