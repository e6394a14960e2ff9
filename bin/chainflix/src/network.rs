//! Finds the network that a command is about.

use anyhow::{Context as _, Result};
use chainflix_node::network::Layout;
use clap::Args;
use std::path::{Path, PathBuf};

/// Where `chainflix demo` keeps its network inside of its folder.
pub const DEMO_NETWORK: &str = "network";

/// The network a command speaks to.
#[derive(Args)]
pub struct NetworkArgs {
    /// The network's folder: that of `chainflix demo` or `chainflix init`
    #[arg(long, value_name = "DIR", default_value = crate::demo::DATA)]
    network: PathBuf,
}

impl NetworkArgs {
    /// The network in the folder.
    pub fn open(&self) -> Result<Layout> {
        open(&self.network)
    }
}

/// The network in `folder`, or in the demo's folder inside of it.
pub fn open(folder: &Path) -> Result<Layout> {
    let inner = folder.join(DEMO_NETWORK);
    let found = [folder, &inner].into_iter().find(|folder| folder.join("genesis.json").is_file());
    let found = found.with_context(|| {
        format!(
            "no network in {}; start one with `chainflix demo`, or name its folder with --network",
            folder.display()
        )
    })?;
    // Absolute, because child processes may run elsewhere.
    let found = found.canonicalize().with_context(|| format!("cannot use {}", found.display()))?;
    Ok(Layout::open(&found)?)
}
