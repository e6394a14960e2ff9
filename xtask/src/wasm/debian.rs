//! Unpacks Debian's `rustc-web` into the user's cache: a compiler for WebAssembly where rustup cannot fetch one.
//!
//! ```text
//!  apt-cache ──> names ──apt-get download──> debs/ ──dpkg -x──> root.partial-PID ──rename──> root/
//! ```
//!
//! Nothing is installed and root is not needed, except to refresh apt's lists when they are too old or absent. The
//! rename comes last, so `root/` is complete whenever it exists; an interrupted run is repeated, and apt keeps the
//! packages that arrived. Debian raises the compiler's version with each browser release, so names that carry a
//! version are asked for, not written here.

use super::output;
use anyhow::{Context, Result, bail};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

/// Compiler and sources of the standard library; the rest follows from what these depend on.
const PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// The workspace's minimum, which Debian's compiler must reach.
const RUST_VERSION: &str = env!("CARGO_PKG_RUST_VERSION");

const HOW_ELSE: &str = "the browser core needs the Rust target wasm32-unknown-unknown: run \
                        `rustup target add wasm32-unknown-unknown` where rustup has a network";

/// A complete, unpacked compiler.
pub struct Unpacked {
    root: PathBuf,
}

impl Unpacked {
    /// The compiler in `cache`, if it was unpacked there.
    pub fn find(cache: &Path) -> Option<Self> {
        let root = cache.join("root");
        root.join("usr/bin/rustc").is_file().then_some(Self { root })
    }

    pub fn rustc(&self) -> PathBuf {
        self.root.join("usr/bin/rustc")
    }

    /// Search path of the compiler's shared libraries, which lie in one folder per architecture.
    pub fn libraries(&self) -> OsString {
        let library = self.root.join("usr/lib");
        let folders = fs::read_dir(&library).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut folders: Vec<_> = folders.filter(|folder| folder.to_string_lossy().ends_with("-linux-gnu")).collect();
        folders.push(library);
        // Only a path with a colon cannot be joined, and then the compiler says what it misses.
        std::env::join_paths(folders).unwrap_or_default()
    }

    fn check(&self) -> Result<()> {
        let mut rustc = Command::new(self.rustc());
        output(rustc.arg("-vV").env("LD_LIBRARY_PATH", self.libraries()))
            .map(drop)
            .context("Debian's rustc does not start")
    }
}

/// Where the compiler is kept: `$XDG_CACHE_HOME`, or `$HOME/.cache`, then `chainflix/rust-web`.
pub fn cache_dir(xdg_cache_home: Option<OsString>, home: Option<OsString>) -> Result<PathBuf> {
    // The XDG base directory specification has relative paths ignored.
    let xdg = xdg_cache_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = xdg.or_else(|| home.map(|home| Path::new(&home).join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("chainflix/rust-web"))
}

/// Whether this machine has Debian's package tools.
pub fn is_here() -> bool {
    ["apt-get", "apt-cache", "dpkg", "dpkg-query"].iter().all(|tool| on_path(tool))
}

/// Downloads and unpacks the compiler into `cache`.
pub fn unpack(cache: &Path) -> Result<Unpacked> {
    refresh_lists()?;

    let debs = cache.join("debs");
    fs::create_dir_all(&debs).with_context(|| format!("cannot make {}", debs.display()))?;
    eprintln!("fetching Debian's Rust compiler for WebAssembly (about 140 MB, once)");
    let names = missing_packages()?;
    output(Command::new("apt-get").args(["download", "--quiet"]).args(&names).current_dir(&debs)).context(HOW_ELSE)?;

    let partial = cache.join(format!("root.partial-{}", process::id()));
    for deb in debs_in(&debs)? {
        output(Command::new("dpkg").arg("-x").arg(&deb).arg(&partial))?;
    }
    drop_compiler_sources(&partial);
    Unpacked { root: partial.clone() }.check()?;
    let root = cache.join("root");
    if fs::rename(&partial, &root).is_err() {
        // Another build was faster, so the folder is there and full.
        fs::remove_dir_all(&partial).ok();
    }
    fs::remove_dir_all(&debs).ok();
    Unpacked::find(cache).with_context(|| format!("{} holds no compiler", root.display()))
}

/// Makes sure that apt knows a compiler that is new enough, asking its servers only when it does not.
fn refresh_lists() -> Result<()> {
    if known_version()?.is_some_and(|version| version >= minimum()) {
        return Ok(());
    }
    // Without root this fails, and the check below says what to do.
    let updated = output(Command::new("apt-get").args(["update", "--quiet"]));
    match known_version()? {
        Some(version) if version >= minimum() => Ok(()),
        Some((major, minor)) => {
            bail!("Debian's rustc-web is {major}.{minor}, at least {RUST_VERSION} is needed; {HOW_ELSE}")
        }
        None if updated.is_err() => bail!("apt does not know rustc-web: run `apt-get update` as root; or {HOW_ELSE}"),
        None => bail!("this Debian has no rustc-web; {HOW_ELSE}"),
    }
}

fn known_version() -> Result<Option<(u32, u32)>> {
    Ok(candidate(&output(Command::new("apt-cache").args(["policy", PACKAGES[0]]))?))
}

fn minimum() -> (u32, u32) {
    // The manifest's `rust-version` is two numbers, or nothing would build.
    version(RUST_VERSION).unwrap_or_default()
}

/// Reads the version that apt would install from what `apt-cache policy` prints.
fn candidate(policy: &str) -> Option<(u32, u32)> {
    policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: ")).and_then(version)
}

/// Reads `1.96` from `1.96.0+dfsg1-1~deb12u2`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The packages, and the libraries they need that this machine does not have.
fn missing_packages() -> Result<Vec<String>> {
    let mut depends = Command::new("apt-cache");
    depends.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"]);
    depends.args(["--no-replaces", "--no-enhances"]).args(PACKAGES);
    let needed = libraries(&output(&mut depends)?);
    Ok(needed.into_iter().filter(|name| PACKAGES.contains(&name.as_str()) || !installed(name)).collect())
}

/// Keeps the two packages and shared libraries: the C toolchain that they also name is the native build's matter.
fn libraries(depends: &str) -> Vec<String> {
    let wanted = |name: &&str| PACKAGES.contains(name) || (name.starts_with("lib") && !is_c_development(name));
    let names = depends.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphanumeric()));
    let mut names: Vec<_> = names.filter(wanted).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

fn is_c_development(name: &str) -> bool {
    name.ends_with("-dev") && !name.starts_with("libstd-rust-web")
}

fn installed(name: &str) -> bool {
    let query = output(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}\n", name]));
    query.is_ok_and(|statuses| statuses.lines().any(|status| status == "installed"))
}

fn debs_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut debs = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            debs.push(path);
        }
    }
    Ok(debs)
}

/// Only `library/` is built; the compiler's own sources are four fifths of the package. Failing costs disk, no more.
fn drop_compiler_sources(root: &Path) {
    let sources = fs::read_dir(root.join("usr/src")).into_iter().flatten().flatten();
    for source in sources {
        for unused in ["compiler", "src", "debian"] {
            fs::remove_dir_all(source.path().join(unused)).ok();
        }
    }
}

fn on_path(tool: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_follows_the_xdg_specification() {
        let cache = |xdg: Option<&str>, home: Option<&str>| cache_dir(xdg.map(Into::into), home.map(Into::into));
        assert_eq!(cache(Some("/x"), Some("/h")).unwrap(), Path::new("/x/chainflix/rust-web"));
        assert_eq!(cache(None, Some("/h")).unwrap(), Path::new("/h/.cache/chainflix/rust-web"));
        assert_eq!(cache(Some("x"), Some("/h")).unwrap(), Path::new("/h/.cache/chainflix/rust-web"));
        assert!(cache(None, None).is_err());
    }

    #[test]
    fn the_candidate_is_read_from_the_policy() {
        let policy = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n  Version table:\n";
        assert_eq!(candidate(policy), Some((1, 96)));
        assert_eq!(candidate("rustc-web:\n  Installed: (none)\n  Candidate: (none)\n"), None);
        assert_eq!(candidate(""), None);
        assert!(minimum() >= (1, 95));
        assert!((1, 100) > (1, 96));
    }

    #[test]
    fn libraries_are_taken_and_the_c_toolchain_is_not() {
        let depends = "rustc-web\n  Depends: libc6\n |Depends: gcc\nlibstd-rust-web-dev\n<libc-dev>\ngcc-12\nlibc6-dev\n\
                       libgcc-12-dev\nlibllvm22\nlibllvm22\nlibstd-rust-web-1.96\nrust-web-src\n";
        let wanted = ["libllvm22", "libstd-rust-web-1.96", "libstd-rust-web-dev", "rust-web-src", "rustc-web"];
        assert_eq!(libraries(depends), wanted);
    }

    #[test]
    fn a_cache_without_a_compiler_has_none() {
        assert!(Unpacked::find(Path::new("/nonexistent")).is_none());
    }
}
