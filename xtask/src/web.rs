//! Builds the browser core and the web app, each only when something it is made of changed.

use crate::{program::call, wasm};
use anyhow::{Context as _, Result};
use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
};

/// Where the browser core goes.
const CORE: &str = "web/packages/core/src/chainflix.wasm";
/// Where the web app goes.
const DIST: &str = "web/apps/site/dist";
/// Remembers what the web app was built from.
const STAMP: &str = ".built-from";

/// Builds both.
pub fn build(workspace: &Path) -> Result<()> {
    wasm::build(workspace, &workspace.join(CORE))?;
    install(&workspace.join("web"))?;
    let (dist, inputs) = (workspace.join(DIST), fingerprint(&workspace.join("web"))?);
    let stamp = dist.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|built| built == inputs) {
        return Ok(());
    }
    call(&workspace.join("web"), "npm", ["run", "--silent", "build"])?;
    fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Installs a project's npm packages, unless they are there.
pub fn install(project: &Path) -> Result<()> {
    let lock = project.join("package-lock.json");
    let wanted = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let stamp = project.join("node_modules").join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    call(project, "npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"])?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// A hash of every file the web app is made of.
fn fingerprint(web: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(web, &mut files)?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let made =
            name.starts_with('.') || ["node_modules", "dist", "dist-mock", "e2e", "test"].contains(&name.as_str());
        match path.is_dir() {
            _ if made => {}
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}
