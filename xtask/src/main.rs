//! Builds, checks and starts everything, so that a contributor needs Rust, Node and npm, and nothing to remember.
//!
//! ```text
//! cargo xtask demo ─▶ packages ─▶ wasm ─▶ web ─▶ cargo build ─▶ chainflix demo
//! cargo xtask test ─▶ packages ─▶ one step after the other; the first that fails ends it
//! cargo xtask bench ─▶ cargo build ─▶ chainflix-bench on one core ─▶ a table
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`workspace`] | where things are, and cargo and npm there |
//! | [`program`] | runs a program and says what failed |
//! | [`machine`] | Debian packages and Node: checked, installed as root, or asked for in one line |
//! | [`tool`] | cargo's plugins that are not part of Rust |
//! | [`wasm`] | the browser core |
//! | [`web`] | the web app, built again only when a file of it changed |
//! | [`stamp`] | what "changed" means |
//! | [`test`] | the steps of `cargo xtask test` |
//! | [`bench`] | measurements, and what was promised |
//! | [`cheat`] | the cheater's bench |
//! | [`simulate`] | the economics of farms |
//! | [`tidy`] | documents that name what exists, code that keeps to the architecture |
//!
//! Every cargo command names the whole workspace: one set of features, so each dependency is built once.

mod bench;
mod cheat;
mod demo;
mod machine;
mod program;
mod simulate;
mod stamp;
mod test;
mod tidy;
mod tool;
mod wasm;
mod web;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Builds, checks and starts everything.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything and start a network on this machine, with a film to watch
    #[command(after_help = "Example: cargo xtask demo --port-base 9000")]
    Demo(demo::Demo),
    /// Check everything: format, lints, licences, tests of every kind
    #[command(after_help = "Example: cargo xtask test --only contracts")]
    Test(test::Test),
    /// Measure on this machine and print a table
    #[command(after_help = "Example: cargo xtask bench pov --json pov.json")]
    Bench(bench::Bench),
    /// Start a network and try to be paid for nothing on it, in every known way
    #[command(after_help = "Example: cargo xtask cheat --json cheat.json")]
    Cheat(cheat::Cheat),
    /// Sweep the economics of fake views into docs/security.md
    #[command(after_help = "Example: cargo xtask simulate --print")]
    Simulate(simulate::Simulate),
    /// Build the browser core
    #[command(after_help = "Example: cargo xtask wasm")]
    Wasm,
    /// Build the web app
    #[command(after_help = "Example: cargo xtask web")]
    Web,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(command: Command) -> Result<()> {
    let workspace = Workspace::find()?;
    match command {
        Command::Demo(demo) => demo.start(&workspace),
        Command::Test(test) => test.start(&workspace),
        Command::Bench(bench) => bench.start(&workspace),
        Command::Cheat(cheat) => cheat.start(&workspace),
        Command::Simulate(simulate) => simulate.start(&workspace),
        Command::Wasm => workspace.build_core(),
        Command::Web => {
            machine::node()?;
            workspace.build_core()?;
            web::build(&workspace)
        }
    }
}
