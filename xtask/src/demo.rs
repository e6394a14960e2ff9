//! Builds everything and becomes `chainflix demo`.

use crate::{machine, program, target_dir, web};
use anyhow::{Context as _, Result};
use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds, then replaces this process, so that Ctrl-C and exit codes are the demo's own.
pub fn run(workspace: &Path, arguments: &[String]) -> Result<()> {
    let binary = build(workspace)?;
    let error = Command::new(&binary).arg("demo").args(arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", binary.display()))
}

/// Builds the browser core, the web app and the `chainflix` command, in this order: the command carries the web app.
pub fn build(workspace: &Path) -> Result<PathBuf> {
    machine::need(&[machine::CLANG, machine::FFMPEG, machine::WEB])?;
    eprintln!("building the web app");
    web::build(workspace)?;
    eprintln!("building chainflix (the first time takes a while: an Ethereum client and a database come with it)");
    program::cargo(workspace, ["build", "--workspace", "--bins"])?;
    Ok(target_dir(workspace)?.join("debug/chainflix"))
}
