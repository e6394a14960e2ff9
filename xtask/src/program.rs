//! Runs other programs and says in one line what failed.

use anyhow::{Context as _, Result, ensure};
use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

/// Runs a program in `folder`, with its output on ours.
pub fn call<A: AsRef<OsStr>>(folder: &Path, program: &str, arguments: impl IntoIterator<Item = A>) -> Result<()> {
    call_command(Command::new(program).args(arguments).current_dir(folder))
}

/// Runs a command that is already put together.
pub fn call_command(command: &mut Command) -> Result<()> {
    let line = shown(command);
    let status = command.status().with_context(|| format!("cannot start {line}"))?;
    ensure!(status.success(), "{line} failed ({status})");
    Ok(())
}

/// What a program prints; `None` when it cannot be started or fails.
pub fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Cargo, in the workspace.
pub fn cargo<A: AsRef<OsStr>>(workspace: &Path, arguments: impl IntoIterator<Item = A>) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    call_command(Command::new(cargo).args(arguments).current_dir(workspace))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
