//! `cargo xtask simulate`: sweeps the economics of farms, into `docs/security.md` and its picture, and compares how copies
//! follow demand and how long they last, into `docs/storage.md`.

use crate::{program, workspace::Workspace};
use anyhow::Result;
use clap::Args;
use std::process::Command;

#[derive(Args)]
pub struct Simulate {
    /// Print the tables instead of writing them
    #[arg(long)]
    print: bool,
}

impl Simulate {
    pub fn start(self, workspace: &Workspace) -> Result<()> {
        program::run(workspace.cargo(&["build", "--workspace", "--bins"]))?;
        let mut simulation = Command::new(workspace.built("chainflix-simulation"));
        if !self.print {
            simulation.arg("--write").arg(workspace.root().join("docs"));
        }
        program::run(simulation)
    }
}
