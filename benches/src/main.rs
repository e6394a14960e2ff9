//! Measures what the protocol promises, on one core where one is enough.
//!
//! Started by `cargo xtask bench`, which pins it to a core, in the profile that the demo runs in. One thread does
//! everything, the waiting for the disk included; but for [`delivery`], which has all cores. Everything is made from seeds,
//! so two runs do the same work.
//!
//! | module | what |
//! |---|---|
//! | [`pov`] | Proof of View: proofs, PlayCodes, a full slot, bytes on the disk |
//! | [`keys`] | releasing keys, with a shared secret and with a quorum |
//! | [`placement`] | the storage controller: memory, naming sources, a re-plan after losses |
//! | [`parity`] | the pieces of a stripe: coding, and recovering cells |
//! | [`delivery`] | a cell's way from disk to viewer, and many viewers on slow lines |
//! | [`draw`] | bytes from a seed |
//! | [`report`] | metrics and the machine they are of |
//! | [`stopwatch`] | time that this program had its core, or waited for its disk |

mod delivery;
mod draw;
mod keys;
mod parity;
mod placement;
mod pov;
mod report;
mod stopwatch;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use report::Metrics;
use std::{fs, path::PathBuf, process::ExitCode};

#[derive(Parser)]
#[command(name = "chainflix-bench", about = "Measures what the protocol promises.")]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
    /// Where databases are written: on the disk that is to be measured
    #[arg(long, global = true, default_value = ".")]
    folder: PathBuf,
    /// Where the metrics go
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Bench {
    /// Proof of View: checking, issuing, settling, storing
    Pov(pov::Pov),
    /// Releasing keys: a shared secret against a quorum
    Keys(keys::Keys),
    /// The storage controller at full size: memory, sources, a re-plan
    Placement(placement::Placement),
    /// The pieces of a stripe: coding, and recovering cells
    Parity(parity::Parity),
    /// A cell's way from disk to viewer, many viewers at once, BitTorrent beside them
    Delivery(delivery::Delivery),
    /// One process of a swarm at its place; `delivery` starts it
    #[command(hide = true)]
    Member(delivery::Member),
    /// One full slot alone, so that its memory is its own; `pov` starts it
    Slot(pov::FullSlot),
}

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<()> {
    let mut metrics = Metrics::default();
    let name = match cli.bench {
        Bench::Pov(bench) => bench.run(&cli.folder, &mut metrics).map(|()| "pov")?,
        Bench::Keys(bench) => bench.run(&mut metrics).map(|()| "keys")?,
        Bench::Placement(bench) => bench.run(&mut metrics).map(|()| "placement")?,
        Bench::Parity(bench) => bench.run(&mut metrics).map(|()| "parity")?,
        Bench::Delivery(bench) => bench.run(&cli.folder, &mut metrics).map(|()| "delivery")?,
        // What it has to say is for the one that started it.
        Bench::Member(member) => return member.run(&cli.folder),
        Bench::Slot(bench) => bench.run(&cli.folder, &mut metrics).map(|()| "slot")?,
    };
    let report = metrics.report(name);
    match cli.json {
        Some(path) => fs::write(&path, report).with_context(|| format!("cannot write {}", path.display())),
        None => {
            print!("{report}");
            Ok(())
        }
    }
}
