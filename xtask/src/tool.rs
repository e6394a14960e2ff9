//! Cargo's plugins that are not part of Rust: taken from the path, from what an earlier run installed, or installed.
//!
//! ```text
//! on the path? ──yes──▶ use it
//!      │ no
//! installed here before? ──yes──▶ use it
//!      │ no
//! cargo install ──────────────▶ some minutes
//! ```

use crate::{
    program::{self, find},
    workspace::Workspace,
};
use anyhow::{Context as _, Result};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// A plugin of cargo.
pub struct Tool {
    /// Name of crate and program.
    name: &'static str,
    version: &'static str,
}

/// Runs tests, each in a process of its own.
pub const NEXTEST: Tool = Tool { name: "cargo-nextest", version: "0.9.148" };
/// Checks licences and sources of dependencies.
pub const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

impl Tool {
    /// The plugin's command in the workspace: `cargo NAME …`.
    pub fn command(&self, workspace: &Workspace, arguments: &[&str]) -> Result<Command> {
        let mut cargo = workspace.cargo(&[]);
        if find(self.name).is_none() {
            let installed = self.installed(workspace)?;
            let path = env::var_os("PATH").unwrap_or_default();
            let folders = std::iter::once(installed).chain(env::split_paths(&path));
            cargo.env("PATH", env::join_paths(folders).context("the path of the kept tools holds a colon")?);
        }
        // `cargo-deny` is called as `cargo deny`.
        cargo.arg(self.name.trim_start_matches("cargo-")).args(arguments);
        Ok(cargo)
    }

    /// The folder of the installed program.
    fn installed(&self, workspace: &Workspace) -> Result<PathBuf> {
        let root = workspace.kept().join(self.name).join(self.version);
        let bin = root.join("bin");
        if bin.join(self.name).is_file() {
            return Ok(bin);
        }
        eprintln!("building {} {}, which takes some minutes, once", self.name, self.version);
        program::run(self.cargo_install(workspace, &root))?;
        Ok(bin)
    }

    fn cargo_install(&self, workspace: &Workspace, root: &Path) -> Command {
        let mut cargo = workspace.cargo(&["install", "--locked", self.name, "--version", self.version, "--root"]);
        // In a folder of its own: its dependencies are not ours.
        cargo.arg(root).env_remove("CARGO_TARGET_DIR");
        cargo
    }
}
