//! What this machine must have before anything is built: Node, npm and Debian packages.

use crate::program::{answer, call};
use anyhow::{Result, bail};
use std::path::Path;

/// A program or library that comes with a Debian package.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The package.
    package: &'static str,
    /// Whether the machine has it, whoever installed it.
    present: fn() -> bool,
}

/// RocksDB's bindings are generated with it.
pub const CLANG: Need = Need { package: "libclang-dev", present: has_clang };
/// Films are cut with it.
pub const FFMPEG: Need = Need { package: "ffmpeg", present: || has("ffmpeg", "-version") };
/// The browser test plays in it.
pub const CHROMIUM: Need = Need { package: "chromium", present: || has("chromium", "--version") };
/// The web app is built with it; checked apart, because Debian's may be too old.
pub const WEB: Need = Need { package: "nodejs npm", present: has_node };

/// Oldest Node that the web app's tools run on.
const NODE_MAJOR: u32 = 20;

fn has(program: &str, version: &str) -> bool {
    answer(program, &[version]).is_some()
}

fn has_clang() -> bool {
    let folders =
        ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib"];
    let named = |folder: &Path| {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libclang"))
    };
    let llvm = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path().join("lib"));
    std::env::var_os("LIBCLANG_PATH").is_some()
        || folders.iter().any(|folder| named(Path::new(folder)))
        || llvm.into_iter().any(|folder| folder.to_string_lossy().contains("llvm") && named(&folder))
}

fn has_node() -> bool {
    let version = answer("node", &["--version"]).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= NODE_MAJOR) && answer("npm", &["--version"]).is_some()
}

/// Makes sure that everything is there: installs Debian packages when we are root, else says what to run.
pub fn need(needs: &[Need]) -> Result<()> {
    let missing: Vec<_> = needs.iter().filter(|need| !(need.present)()).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if missing.contains(&WEB.package) {
        bail!("Node {NODE_MAJOR} or newer and npm are needed; install them and try again");
    }
    let packages = missing.join(" ");
    let root = answer("id", &["-u"]).as_deref() == Some("0");
    if !root || answer("apt-get", &["--version"]).is_none() {
        bail!("something is missing; run: sudo apt-get install -y {packages}");
    }
    eprintln!("installing {packages}");
    let here = Path::new("/");
    call(here, "apt-get", ["update", "-qq"])?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    call(here, "apt-get", install.into_iter().chain(missing.iter().flat_map(|package| package.split(' '))))
}
