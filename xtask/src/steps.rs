//! The steps of `cargo xtask test`, cheapest first; each prints its name and its time.

use crate::{
    demo, machine,
    program::{answer, call, call_command, cargo},
    target_dir, tidy, web,
};
use anyhow::{Context as _, Result};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

type Step = (&'static str, fn(&Path) -> Result<()>);

const STEPS: [Step; 11] = [
    ("fmt", |workspace| cargo(workspace, ["fmt", "--all", "--check"])),
    ("tidy", tidy::check),
    ("solidity", solidity),
    ("web", web_checks),
    ("clippy", clippy),
    ("rust", rust),
    ("docs", |workspace| cargo(workspace, ["test", "--workspace", "--doc", "--quiet"])),
    ("pages", pages),
    ("network", network),
    ("browser", browser),
    ("deny", deny),
];

/// The steps' names.
pub fn names() -> Vec<&'static str> {
    STEPS.iter().map(|(name, _)| *name).collect()
}

/// Runs all steps, or one.
pub fn run(workspace: &Path, only: Option<&str>) -> Result<()> {
    machine::need(&[machine::CLANG, machine::FFMPEG, machine::CHROMIUM, machine::WEB])?;
    let mut times = Vec::new();
    for (name, step) in STEPS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        println!("\n==> {name}");
        let started = Instant::now();
        step(workspace).with_context(|| format!("step {name} failed"))?;
        times.push((name, started.elapsed()));
    }
    println!("\nall steps passed");
    for (name, time) in times {
        println!("{name:>10} {:>7.1} s", time.as_secs_f64());
    }
    Ok(())
}

/// The web app is embedded into the gateway: it has to be there before anything is compiled.
fn clippy(workspace: &Path) -> Result<()> {
    cargo(workspace, ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn rust(workspace: &Path) -> Result<()> {
    nextest(workspace, "not test(/whole_network/)")
}

/// Tests that start a whole network, one at a time.
fn network(workspace: &Path) -> Result<()> {
    nextest(workspace, "test(/whole_network/)")
}

fn nextest(workspace: &Path, filter: &str) -> Result<()> {
    if answer("cargo", &["nextest", "--version"]).is_none() {
        cargo(workspace, ["install", "cargo-nextest", "--locked"])?;
    }
    cargo(workspace, ["nextest", "run", "--workspace", "-E", filter])
}

fn solidity(workspace: &Path) -> Result<()> {
    let contracts = workspace.join("contracts");
    web::install(&contracts)?;
    call(&contracts, "npm", ["test", "--silent"])?;
    call(&contracts, "npm", ["run", "--silent", "check-generated"])
}

fn web_checks(workspace: &Path) -> Result<()> {
    web::build(workspace)?;
    let folder = workspace.join("web");
    call(&folder, "npm", ["run", "--silent", "check"])?;
    call(&folder, "npm", ["test", "--silent"])?;
    call(&folder, "node", ["--test", "packages/core/test/"])
}

/// The pages in Chromium, against a gateway made of paper.
fn pages(workspace: &Path) -> Result<()> {
    call(&workspace.join("web"), "npm", ["run", "--silent", "e2e:pages"])
}

/// A real network, a real browser: a film is played and mined.
fn browser(workspace: &Path) -> Result<()> {
    let binary = demo::build(workspace)?;
    let network = DemoNetwork::start(workspace, &binary)?;
    let mut e2e = Command::new("npm");
    e2e.args(["run", "--silent", "e2e"]).current_dir(workspace.join("web"));
    e2e.env("DEMO_JSON", network.folder.join("demo.json"));
    call_command(&mut e2e)
}

/// A demo that runs until it is dropped.
struct DemoNetwork {
    process: std::process::Child,
    folder: PathBuf,
}

impl DemoNetwork {
    fn start(workspace: &Path, binary: &Path) -> Result<Self> {
        let folder = target_dir(workspace)?.join("browser-test");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        let mut command = Command::new(binary);
        command.args(["demo", "--fast", "10", "--port-base", "21000", "--data"]).arg(&folder);
        command.stdout(std::process::Stdio::piped());
        let mut process = command.spawn().context("cannot start the demo")?;
        let output = process.stdout.take().context("the demo has no output")?;
        let network = Self { process, folder };
        let lines = std::io::BufRead::lines(std::io::BufReader::new(output));
        for line in lines {
            let line = line.context("the demo's output ended")?;
            println!("{line}");
            if line.starts_with("ready ") {
                return Ok(network);
            }
        }
        anyhow::bail!("the demo ended before it was ready")
    }
}

impl Drop for DemoNetwork {
    fn drop(&mut self) {
        // It ends all of its processes itself.
        let stopped = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        if stopped.is_ok_and(|status| status.success()) && self.process.wait().is_ok() {
            return;
        }
        if let Err(error) = self.process.kill() {
            eprintln!("the demo network may still be running: {error}");
        }
    }
}

/// Licences, sources and duplicates; advisories need a database that is fetched, and are for a machine with one.
fn deny(workspace: &Path) -> Result<()> {
    if answer("cargo", &["deny", "--version"]).is_none() {
        println!("installing cargo-deny (once)");
        cargo(workspace, ["install", "cargo-deny", "--locked", "--quiet"])?;
    }
    cargo(workspace, ["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])
}
