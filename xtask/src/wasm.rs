//! Builds the browser core (`crates/browser`) as one WebAssembly file.
//!
//! ```text
//!  active toolchain has wasm32-unknown-unknown? ──yes──────────────────> plain cargo
//!        │ no
//!  Debian's rustc already unpacked in the cache? ──yes──> build-std ───> cargo with that rustc
//!        │ no                                               ^
//!  apt-get is here ──yes──> [`debian`]: download and unpack ┘
//!        │ no
//!  rustup target add ──────────────────────────────────────────────────> plain cargo
//! ```
//!
//! Nothing is installed system-wide except the target that rustup adds to its own toolchain. The build has a target
//! folder of its own, so it neither waits for nor holds up a native build, and cargo decides what is up to date.

mod debian;

use anyhow::{Context, Result, bail, ensure};
use debian::Unpacked;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGE: &str = "chainflix-browser";
/// What cargo calls the file.
const ARTIFACT: &str = "chainflix_browser.wasm";
/// Profile of the root manifest, which only this build uses.
const PROFILE: &str = "wasm";
/// SIMD is in every browser since 2023, and BLAKE3 makes use of it.
const RUSTFLAGS: &str = "-C target-feature=+simd128";

/// The compiler that can build for [`TARGET`] here.
enum Toolchain {
    /// The active one has the target.
    Active,
    /// Debian's, which builds the standard library as well.
    Debian(Unpacked),
}

/// Builds the browser core of `workspace` and puts the module at `out`, which is left alone when nothing changed.
///
/// The first build on a machine may download a compiler (see above), which takes minutes; a repeated one takes seconds.
pub fn build(workspace: &Path, out: &Path) -> Result<()> {
    let toolchain = choose()?;
    let target_dir = target_dir(workspace, env::var_os("CARGO_TARGET_DIR").map(PathBuf::from));
    let mut cargo = cargo(workspace, &target_dir);
    if let Toolchain::Debian(unpacked) = &toolchain {
        build_std(&mut cargo, unpacked)?;
    }
    let status = cargo.status().context("cargo cannot be started")?;
    ensure!(status.success(), "the browser core does not build ({status})");
    place(&target_dir.join(TARGET).join(PROFILE).join(ARTIFACT), out)
}

fn choose() -> Result<Toolchain> {
    if has_target()? {
        return Ok(Toolchain::Active);
    }
    let cache = debian::cache_dir(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))?;
    if let Some(unpacked) = Unpacked::find(&cache) {
        return Ok(Toolchain::Debian(unpacked));
    }
    // Where both would do, the packages: they come from where the rest of the machine comes from.
    if debian::is_here() {
        return debian::unpack(&cache).map(Toolchain::Debian);
    }
    ensure!(add_target() && has_target()?, "no compiler for {TARGET}: run `rustup target add {TARGET}` and try again");
    Ok(Toolchain::Active)
}

fn has_target() -> Result<bool> {
    Ok(sysroot()?.join("lib/rustlib").join(TARGET).join("lib").is_dir())
}

/// Quiet, because a refusal (no rustup, no network) only means that the next way is tried.
fn add_target() -> bool {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    rustup.status().is_ok_and(|status| status.success())
}

fn cargo(workspace: &Path, target_dir: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace)
        // `rustc --crate-type`, because cargo skips link-time optimisation of a library that is also an rlib.
        .args(["rustc", "--package", PACKAGE, "--lib", "--crate-type", "cdylib"])
        .args(["--profile", PROFILE, "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        .env("RUSTFLAGS", RUSTFLAGS)
        // It would win over RUSTFLAGS, and a native build's flags mean nothing here.
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo
}

/// Debian's compiler comes with the sources of the standard library, not with the library for this target.
fn build_std(cargo: &mut Command, unpacked: &Unpacked) -> Result<()> {
    let linker = sysroot()?.join("lib/rustlib").join(host()?).join("bin/rust-lld");
    ensure!(linker.is_file(), "{} is missing: install Rust with rustup", linker.display());
    cargo
        .args(["-Z", "build-std=std,panic_abort"])
        .env("RUSTC", unpacked.rustc())
        .env("LD_LIBRARY_PATH", unpacked.libraries())
        // build-std is not stable yet; the compiler it is used with is pinned by Debian.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
        // A wrapper such as sccache, or clippy's, knows another compiler.
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    Ok(())
}

/// Copies `built` to `out` if it differs, so that a web bundler watching `out` is not woken for nothing.
fn place(built: &Path, out: &Path) -> Result<()> {
    let bytes = fs::read(built).with_context(|| format!("cargo left no {}", built.display()))?;
    if fs::read(out).is_ok_and(|placed| placed == bytes) {
        return Ok(());
    }
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(out, bytes).with_context(|| format!("cannot write {}", out.display()))
}

/// A folder inside the native build's one, with a lock of its own.
fn target_dir(workspace: &Path, configured: Option<PathBuf>) -> PathBuf {
    // Joining an absolute path replaces what is before it.
    workspace.join(configured.unwrap_or_else(|| "target".into())).join("wasm")
}

fn sysroot() -> Result<PathBuf> {
    Ok(PathBuf::from(output(Command::new("rustc").args(["--print", "sysroot"]))?.trim()))
}

fn host() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not name its host")
}

/// Runs `command` to its end and returns what it printed.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{name} cannot be started"))?;
    if !output.status.success() {
        bail!("{name} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} printed no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_below_the_configured_one() {
        let workspace = Path::new("/w");
        assert_eq!(target_dir(workspace, None), Path::new("/w/target/wasm"));
        assert_eq!(target_dir(workspace, Some("built".into())), Path::new("/w/built/wasm"));
        assert_eq!(target_dir(workspace, Some("/c/t".into())), Path::new("/c/t/wasm"));
    }

    #[test]
    fn an_unchanged_module_is_not_written_again() {
        let folder = env::temp_dir().join(format!("chainflix-place-{}", std::process::id()));
        let (built, out) = (folder.join("built.wasm"), folder.join("src/out.wasm"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(&built, b"one").unwrap();
        place(&built, &out).unwrap();
        let written = fs::metadata(&out).unwrap().modified().unwrap();
        place(&built, &out).unwrap();
        assert_eq!(fs::metadata(&out).unwrap().modified().unwrap(), written);
        fs::write(&built, b"two").unwrap();
        place(&built, &out).unwrap();
        assert_eq!(fs::read(&out).unwrap(), b"two");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_failed_command_says_what_it_printed() {
        let error = output(Command::new("sh").args(["-c", "echo no such thing >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("no such thing"));
    }
}
