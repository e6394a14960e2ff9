//! Builds the web app, which the gateway carries inside itself.

use crate::{program::run, stamp::Stamp, workspace::Workspace};
use anyhow::Result;

/// Folders of `web/` that are made, not written.
const MADE: [&str; 4] = ["node_modules", "dist", "dist-mock", ".svelte-kit"];

/// Installs what the lock file names, if that is not what is installed.
pub fn install(workspace: &Workspace, folder: &str) -> Result<()> {
    let root = workspace.root().join(folder);
    // Kept inside, so that it goes when `node_modules` goes.
    let kept = root.join("node_modules/.chainflix-installed");
    let stamp = Stamp::of(kept, &[root.join("package-lock.json")], &[])?;
    if stamp.is_fresh() {
        return Ok(());
    }
    run(workspace.npm(folder, &["ci", "--no-audit", "--no-fund"]))?;
    stamp.keep()
}

/// Builds the web app, if a file of it changed. The browser core must be there.
pub fn build(workspace: &Workspace) -> Result<()> {
    install(workspace, "web")?;
    let web = workspace.root().join("web");
    let dist = web.join("apps/site/dist");
    // Kept inside as well: a build that fails empties the folder first.
    let stamp = Stamp::of(workspace.kept().join("web.stamp"), &[web], &MADE)?;
    if stamp.is_fresh() && dist.join("index.html").is_file() {
        return Ok(());
    }
    run(workspace.npm("web", &["run", "build"]))?;
    stamp.keep()
}
