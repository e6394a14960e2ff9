//! What this machine must have beside Rust: checked by what is there, not by how it came there.
//!
//! As root on Debian, what is missing is installed; elsewhere the one line to run is the error.

use crate::program::{self, find};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Least version of Node (`engines` in web/package.json).
const NODE_MIN: (u32, u32) = (20, 19);

/// Something to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    /// RocksDB, AES and ring are C++ and C.
    Compiler,
    /// RocksDB's bindings are made from its headers while building.
    Libclang,
    /// Films are converted by it.
    Ffmpeg,
    /// The browser of the browser tests.
    Chromium,
    /// Network namespaces, and the rate of a link.
    Iproute,
    /// The home routers of the NAT tests.
    Nftables,
    /// Opens ports on them.
    Miniupnpd,
    /// Serves files over TLS; deliveries are measured against it.
    Nginx,
    /// Fetches them.
    Curl,
    /// BitTorrent; deliveries are measured against it.
    Libtorrent,
}

/// To build.
pub const BUILD: [Package; 3] = [Package::Compiler, Package::Libclang, Package::Ffmpeg];
/// To build and to test.
pub const TEST: [Package; 4] = [Package::Compiler, Package::Libclang, Package::Ffmpeg, Package::Chromium];

/// To test behind NATs, beside those of [`TEST`].
pub const NAT: [Package; 3] = [Package::Iproute, Package::Nftables, Package::Miniupnpd];

/// What deliveries are measured with and against; none is a must.
pub const DELIVERY: [Package; 4] = [Package::Iproute, Package::Nginx, Package::Curl, Package::Libtorrent];

impl Package {
    /// Debian's name.
    fn name(self) -> &'static str {
        match self {
            Self::Compiler => "g++",
            Self::Libclang => "libclang-dev",
            Self::Ffmpeg => "ffmpeg",
            Self::Chromium => "chromium",
            Self::Iproute => "iproute2",
            Self::Nftables => "nftables",
            Self::Miniupnpd => "miniupnpd",
            Self::Nginx => "nginx-light",
            Self::Curl => "curl",
            Self::Libtorrent => "python3-libtorrent",
        }
    }

    fn is_here(self) -> bool {
        match self {
            Self::Compiler => find("c++").is_some() && find("cc").is_some(),
            Self::Libclang => library_folders().iter().any(|folder| holds_libclang(folder)),
            Self::Ffmpeg => find("ffmpeg").is_some() && find("ffprobe").is_some(),
            Self::Chromium => env::var_os("CHROMIUM").is_some() || find("chromium").is_some(),
            Self::Iproute => find("ip").is_some() && find("tc").is_some(),
            Self::Nftables => find("nft").is_some(),
            Self::Miniupnpd => find("miniupnpd").is_some(),
            Self::Nginx => find("nginx").is_some(),
            Self::Curl => find("curl").is_some(),
            Self::Libtorrent => imports_libtorrent(),
        }
    }
}

/// Debian's packages are for Debian's own Python, whatever else is on the path.
fn imports_libtorrent() -> bool {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", "import libtorrent"]);
    program::output(python).is_ok()
}

/// Makes sure that `packages` are here.
pub fn packages(packages: &[Package]) -> Result<()> {
    let missing: Vec<_> = packages.iter().filter(|package| !package.is_here()).map(|package| package.name()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let by_hand = format!("missing: {names}; run: sudo apt-get install -y {names}");
    ensure!(is_root() && find("apt-get").is_some(), by_hand);
    eprintln!("installing {names}");
    program::run(apt(&["update", "-qq"])).context(by_hand.clone())?;
    program::run(apt(&[&["install", "-y", "--no-install-recommends"], &missing[..]].concat())).context(by_hand)
}

fn apt(arguments: &[&str]) -> Command {
    let mut apt = Command::new("apt-get");
    // Servers that are installed here are started by whoever needs them, not by Debian (invoke-rc.d(8)).
    apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    apt
}

fn is_root() -> bool {
    let mut id = Command::new("id");
    id.arg("-u");
    program::output(id).is_ok_and(|user| user.trim() == "0")
}

/// Why network namespaces cannot be made here; `None` where they can.
pub fn no_namespaces() -> Option<String> {
    if !is_root() {
        return Some("only root may make network namespaces; run: sudo cargo xtask test --only nat".to_owned());
    }
    // With a network of its own, but without a name: nothing has to be removed.
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "true"]);
    program::output(unshare).err().map(|error| format!("no network namespaces here: {error:#}"))
}

/// Where the loader, Debian's versioned packages and the user's own wish put libraries.
fn library_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("LIBCLANG_PATH").map(Into::into).into_iter().collect();
    folders.extend(["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from));
    for folder in entries(Path::new("/usr/lib")) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("llvm-") {
            folders.push(folder.join("lib"));
        } else if name.ends_with("-linux-gnu") {
            folders.push(folder);
        }
    }
    folders
}

fn holds_libclang(folder: &Path) -> bool {
    let name = |path: PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    entries(folder)
        .map(name)
        .any(|name| name.starts_with("libclang") && !name.starts_with("libclang-cpp") && name.contains(".so"))
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Makes sure that Node and npm are here, and new enough.
pub fn node() -> Result<()> {
    let (major, minor) = NODE_MIN;
    let wanted = format!("Node {major}.{minor} or newer with npm is needed to build the web app");
    let mut node = Command::new("node");
    node.arg("--version");
    let version = program::output(node).ok().with_context(|| format!("node is missing: {wanted}"))?;
    ensure!(find("npm").is_some(), "npm is missing: {wanted}");
    match node_version(&version) {
        Some(found) if found >= NODE_MIN => Ok(()),
        _ => bail!("node is {}: {wanted}", version.trim()),
    }
}

/// Reads `v20.19.1`.
fn node_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_says_its_version() {
        assert_eq!(node_version("v20.19.1\n"), Some((20, 19)));
        assert_eq!(node_version("20.19.1"), None);
        assert_eq!(node_version("v20"), None);
        assert!(node_version("v22.1.0").unwrap() >= NODE_MIN);
        assert!(node_version("v18.20.4").unwrap() < NODE_MIN);
    }

    #[test]
    fn libclang_is_told_from_its_neighbours() {
        let folder = tempfile::tempdir().unwrap();
        for neighbour in ["libclang-cpp.so.14", "libclang.a", "libc.so.6"] {
            fs::write(folder.path().join(neighbour), "").unwrap();
        }
        assert!(!holds_libclang(folder.path()));
        fs::write(folder.path().join("libclang-14.so.1"), "").unwrap();
        assert!(holds_libclang(folder.path()));
    }
}
