//! What `cargo xtask bench delivery` needs beside its own program: others to be measured against. None of them is a must.

use crate::{
    machine,
    program::{self, find},
    workspace::Workspace,
};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{fs, path::PathBuf, process::Command};

/// The last release that runs in Node without a native build: newer ones want WebRTC, which peers over TCP do not need.
const WEBTORRENT: &str = "1.9.7";

/// Installs what is missing, where that is possible, and says what is not; the arguments that tell where it is.
pub fn rivals(workspace: &Workspace) -> Vec<String> {
    for package in machine::DELIVERY {
        if let Err(error) = machine::packages(&[package]) {
            eprintln!("not measured against: {error:#}");
        }
    }
    match webtorrent(workspace) {
        Ok(folder) => vec!["--webtorrent".to_owned(), folder.display().to_string()],
        Err(error) => {
            eprintln!("not measured against webtorrent: {error:#}");
            Vec::new()
        }
    }
}

/// The folder with webtorrent in it.
fn webtorrent(workspace: &Workspace) -> Result<PathBuf> {
    ensure!(find("node").is_some() && find("npm").is_some(), "node or npm is missing");
    let folder = workspace.kept().join(format!("webtorrent-{WEBTORRENT}"));
    if !folder.join("node_modules/webtorrent/package.json").is_file() {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--prefix"]);
        npm.arg(&folder).arg(format!("webtorrent@{WEBTORRENT}"));
        program::run(npm)?;
    }
    Ok(folder)
}

/// Adds what another bench measured to `report`.
pub fn join(report: &mut Value, other: &Value) -> Result<()> {
    let others = other["metrics"].as_object().context("the other report has no metrics")?;
    let metrics = report["metrics"].as_object_mut().context("the report has no metrics")?;
    metrics.extend(others.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn two_reports_become_one() {
        let mut report = json!({ "metrics": { "cell_vs_raw_iroh": 0.9 } });
        join(&mut report, &json!({ "metrics": { "replan_s": 3.0 } })).unwrap();
        assert_eq!(report["metrics"], json!({ "cell_vs_raw_iroh": 0.9, "replan_s": 3.0 }));
        assert!(join(&mut report, &json!({})).is_err());
    }
}
