//! Where things are, and cargo and npm at work there.

use crate::wasm;
use anyhow::{Context as _, Result};
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The repository that this xtask was built from.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the workspace: the folder above this crate's.
    pub fn find() -> Result<Self> {
        // Cargo says it at run time too, so that a moved clone still finds itself.
        let crate_folder = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&crate_folder).parent().context("xtask lies in no workspace")?.to_owned();
        let target = target(&root, env::var_os("CARGO_TARGET_DIR"));
        Ok(Self { root, target })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Files that are made here and kept between runs.
    pub fn kept(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// The one command, as the last build left it.
    pub fn chainflix(&self) -> PathBuf {
        self.built("chainflix")
    }

    /// A program of ours, as the last build left it.
    pub fn built(&self, program: &str) -> PathBuf {
        self.target.join("debug").join(format!("{program}{}", env::consts::EXE_SUFFIX))
    }

    /// Cargo in the workspace.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root).args(arguments);
        cargo
    }

    /// npm in a folder of the workspace.
    pub fn npm(&self, folder: &str, arguments: &[&str]) -> Command {
        let mut npm = Command::new("npm");
        npm.current_dir(self.root.join(folder)).args(arguments);
        npm
    }

    /// Builds the browser core and puts it where the web app looks for it.
    pub fn build_core(&self) -> Result<()> {
        wasm::build(&self.root, &self.root.join("web/packages/core/src/chainflix.wasm"))
    }
}

/// Cargo's folder: what the environment says, or `target`.
fn target(root: &Path, configured: Option<OsString>) -> PathBuf {
    // Joining an absolute path replaces what is before it.
    root.join(configured.unwrap_or_else(|| "target".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_above_xtask() {
        let workspace = Workspace::find().unwrap();
        assert!(workspace.root().join("xtask/Cargo.toml").is_file());
        assert_eq!(target(Path::new("/w"), None), Path::new("/w/target"));
        assert_eq!(target(Path::new("/w"), Some("/c".into())), Path::new("/c"));
    }
}
