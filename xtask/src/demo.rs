//! `cargo xtask demo`: builds everything, then becomes `chainflix demo`.

use crate::{machine, program, web, workspace::Workspace};
use anyhow::{Context as _, Result};
use clap::Args;
use std::{ffi::OsString, os::unix::process::CommandExt as _, process::Command, time::Instant};

#[derive(Args)]
pub struct Demo {
    /// What `chainflix demo` takes; `--help` shows it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

impl Demo {
    pub fn start(self, workspace: &Workspace) -> Result<()> {
        machine::node()?;
        machine::packages(&machine::BUILD)?;
        step("browser core (the first time takes a few minutes)", || workspace.build_core())?;
        step("web app", || web::build(workspace))?;
        step("chainflix (the first time takes some ten minutes)", || {
            program::run(workspace.cargo(&["build", "--workspace", "--bins"]))
        })?;
        let mut demo = Command::new(workspace.chainflix());
        demo.arg("demo").args(self.arguments);
        // Takes this process over, so that Ctrl-C and signals reach the demo alone. Returns only when it fails.
        Err(demo.exec()).with_context(|| format!("cannot start {}", workspace.chainflix().display()))
    }
}

fn step(what: &str, build: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("building the {what}");
    let began = Instant::now();
    build()?;
    eprintln!("built in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}
