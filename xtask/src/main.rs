//! Builds, tests and shows Chainflix: `cargo xtask demo`, `cargo xtask test`.
//!
//! Ordinary Rust, so that a contributor needs cargo, Node and npm. Debian packages are installed when we are root; else
//! the one line to run is printed. Every cargo call selects the whole workspace: features are then the same everywhere,
//! and the heavy dependencies are built once.

mod demo;
mod machine;
mod program;
mod steps;
mod tidy;
mod wasm;
mod web;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, tests and shows Chainflix", after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:\n  cargo xtask demo\n  cargo xtask demo --headless --exit-after 120\n  \
                        cargo xtask test\n  cargo xtask test --only clippy";

#[derive(Subcommand)]
enum Command {
    /// Builds everything and starts a whole network on this machine, with a film in it.
    #[command(disable_help_flag = true)]
    Demo {
        /// Passed on to `chainflix demo`; see `cargo xtask demo --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Checks and tests everything; the last line names the step that failed.
    Test {
        /// Runs one step alone.
        #[arg(long, value_name = "STEP", value_parser = steps::names())]
        only: Option<String>,
    },
    /// Builds the browser core and the web app.
    Web,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo { arguments } => demo::run(&workspace(), &arguments),
        Command::Test { only } => steps::run(&workspace(), only.as_deref()),
        Command::Web => machine::need(&[machine::WEB]).and_then(|()| web::build(&workspace())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's root: cargo tells an xtask where its own manifest is.
fn workspace() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or(manifest.clone(), PathBuf::from)
}

/// Where cargo puts what it builds.
fn target_dir(workspace: &std::path::Path) -> Result<PathBuf> {
    Ok(workspace.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())))
}
