//! The cheater's bench: real clients that try to be paid for nothing, on a network that is running.
//!
//! ```text
//! stage: validators (one of them a cheater's), providers, controller, gateway, relay: tasks of this process
//!   ├─ honest viewers
//!   └─ attacks ── what they did and heard ──▶ bench ◀── what the ledger paid
//!                                              └─▶ table, JSON, docs/security.md
//! ```
//!
//! | module | what |
//! |---|---|
//! | `stage` | the network |
//! | `rogue` | the validator that lies |
//! | `caller`, `client` | one account at one address, able to do any step wrong |
//! | `forge` | proofs that are made up |
//! | `attacks` | the attacks |
//! | `attempt` | what an attack did, and the verdict on it |
//! | `bench` | runs them, and reads the ledger |
//! | `report` | table and JSON |
//!
//! Nothing here says how an attack ends: refusals are the network's words, and earnings the ledger's.

mod attacks;
mod attempt;
mod bench;
mod caller;
mod client;
mod forge;
mod report;
mod rogue;
mod stage;

use anyhow::{Context as _, Result};
use clap::Parser;
use stage::Stage;
use std::{fs, path::PathBuf, time::Instant};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(
    name = "chainflix-cheat",
    about = "Tries every known way to be paid for nothing, on a network that it starts and stops.",
    after_help = "Example: chainflix-cheat --film film.mp4 --json cheat.json"
)]
struct Cli {
    /// A film of at least 45 seconds, to be watched
    #[arg(long, value_name = "FILE")]
    film: PathBuf,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Put the table into this document, between its markers
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// Only attacks with this in their name
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    let began = Instant::now();
    eprintln!("starting a network");
    let stage = Stage::start(&cli.film).await?;
    eprintln!("ready after {:.0} s", began.elapsed().as_secs_f64());
    let told = |name: &str| eprintln!("{:5.0} s  {name}", began.elapsed().as_secs_f64());
    let outcome = bench::run(&stage, cli.only.as_deref(), &told).await;
    let stopped = stage.stop().await;
    let outcome = outcome?;
    let table = report::table(&outcome);
    println!("{table}");
    let (watched, accepted) = outcome.honest;
    println!("honest plays beside them: {watched}, accepted: {accepted}");
    if let Some(path) = &cli.json {
        let figures = serde_json::to_string_pretty(&report::json(&outcome))?;
        fs::write(path, figures).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &cli.document {
        let page = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let page = chainflix_simulation::document::refresh(&page, &[("attacks", table)])?;
        fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    stopped
}
