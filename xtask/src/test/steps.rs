//! The steps of `cargo xtask test`, in their order.

use super::{Step, browser};
use crate::{
    machine,
    program::run,
    tool::{DENY, NEXTEST},
    web,
    workspace::Workspace,
};
use anyhow::Result;
use std::process::Command;

/// Whole networks of processes: a step of their own.
const NETWORK_TESTS: &str = "binary(network)";

/// Every step.
pub const ALL: [Step; 13] = [
    Step { name: "format", what: "rustfmt", run: format },
    Step { name: "tidy", what: "documents name what exists, code keeps to the architecture", run: tidy },
    Step { name: "core", what: "the browser core, built", run: Workspace::build_core },
    Step { name: "web", what: "the web app: types, unit tests, core in Node, built within its budget", run: web_app },
    Step { name: "pages", what: "the web app in a browser, with a gateway that misbehaves on command", run: pages },
    Step { name: "licences", what: "licences and sources of all dependencies", run: licences },
    Step { name: "lints", what: "clippy", run: lints },
    Step { name: "rust", what: "unit, property and vector tests", run: rust },
    Step { name: "docs", what: "examples in the documentation", run: docs },
    Step { name: "contracts", what: "Solidity: unit, fuzz, invariant tests; generated files", run: contracts },
    Step { name: "network", what: "whole networks of processes: watching, kills, restarts", run: network },
    Step { name: "nat", what: "homes behind routers of every kind; root only", run: nat },
    Step { name: "browser", what: "a film from a real network in a browser", run: browser::play },
];

fn format(workspace: &Workspace) -> Result<()> {
    run(workspace.cargo(&["fmt", "--all", "--check"]))
}

fn tidy(workspace: &Workspace) -> Result<()> {
    crate::tidy::check(workspace.root())
}

fn web_app(workspace: &Workspace) -> Result<()> {
    web::install(workspace, "web")?;
    run(workspace.npm("web", &["run", "check"]))?;
    run(workspace.npm("web", &["test"]))?;
    let mut node = Command::new("node");
    run({
        node.current_dir(workspace.root().join("web")).args(["--test", "packages/core/test/"]);
        node
    })?;
    web::build(workspace)
}

fn pages(workspace: &Workspace) -> Result<()> {
    web::install(workspace, "web")?;
    run(workspace.npm("web", &["run", "e2e:pages"]))
}

/// Without advisories: they need a database that a machine may not reach. Run `cargo deny check` where it can.
fn licences(workspace: &Workspace) -> Result<()> {
    run(DENY.command(workspace, &["--workspace", "check", "bans", "licenses", "sources"])?)
}

fn lints(workspace: &Workspace) -> Result<()> {
    run(workspace.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn rust(workspace: &Workspace) -> Result<()> {
    let others = format!("not {NETWORK_TESTS}");
    run(NEXTEST.command(workspace, &["run", "--workspace", "-E", &others])?)
}

fn docs(workspace: &Workspace) -> Result<()> {
    run(workspace.cargo(&["test", "--workspace", "--doc", "--quiet"]))
}

fn contracts(workspace: &Workspace) -> Result<()> {
    web::install(workspace, "contracts")?;
    run(workspace.npm("contracts", &["test"]))?;
    run(workspace.npm("contracts", &["run", "check-generated"]))
}

fn network(workspace: &Workspace) -> Result<()> {
    run(NEXTEST.command(workspace, &["run", "--workspace", "-E", NETWORK_TESTS])?)
}

fn nat(workspace: &Workspace) -> Result<()> {
    if let Some(why) = machine::no_namespaces() {
        eprintln!("== nat SKIPPED: {why}");
        return Ok(());
    }
    machine::packages(&machine::NAT)?;
    // Marked as ignored, because only root may make namespaces; uncaptured, for the matrix.
    let how = ["run", "--workspace", "--test", "nat", "--run-ignored", "only", "--no-capture"];
    run(NEXTEST.command(workspace, &how)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_name_of_its_own() {
        for (index, step) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other.name != step.name), "{}", step.name);
        }
    }
}
