//! Rules for dependencies: they point down, and heavy ones stay where they are isolated.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

/// Our crates from the bottom up. A crate may use what is on lower steps; its tests may also use its own step.
const LADDER: &[&[&str]] = &[
    &["primitives"],
    &["token", "cell", "contracts", "placement", "parity"],
    &["proof-of-view"],
    &["viewer", "key-service", "simulation"],
    &["chain", "overlay", "media"],
    &["consensus", "rpc", "provider", "controller"],
    &["gateway", "browser"],
    &["node"],
    &["bench", "chainflix", "cheat"],
    &["xtask"],
];

/// Families of dependencies that few crates may have. `key-service` uses commonware's curve, and nothing of its runtime;
/// `bench` measures the overlay against bare iroh.
const ISOLATED: &[(&str, &[&str])] =
    &[("ethrex", &["chain"]), ("commonware", &["consensus", "key-service"]), ("iroh", &["overlay", "bench"])];

/// Crates that are data and decisions only: no clock, no socket, no disk, no task, no random source.
pub const PURE: &[&str] =
    &["primitives", "token", "cell", "placement", "parity", "proof-of-view", "viewer", "key-service"];

/// What would bring a clock, a socket, a disk, a task or a random source into a pure crate.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "futures",
    "async-std",
    "rand",
    "getrandom",
    "reqwest",
    "hyper",
    "axum",
    "redb",
    "tempfile",
];

/// One crate of the workspace.
pub struct Package {
    /// As the ladder calls it.
    pub name: String,
    /// Its folder, from the root.
    pub dir: String,
    /// What its manifest asks for.
    pub dependencies: Vec<Dependency>,
}

/// One entry of a manifest.
pub struct Dependency {
    /// As the ladder calls it, where it is ours.
    pub name: String,
    /// Whether only tests have it.
    pub dev: bool,
}

/// Reads all manifests, as cargo understands them.
pub fn read(workspace: &Path) -> Result<Vec<Package>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(workspace);
    let output = cargo.stdin(Stdio::null()).output().context("cargo cannot be started")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    parse(&serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?)
}

fn parse(metadata: &Value) -> Result<Vec<Package>> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("cargo metadata lacks a name");
    let list = |value: &Value| value.as_array().cloned().context("cargo metadata lacks a list");
    let root = text(&metadata["workspace_root"])?;
    let dependency = |entry: &Value| -> Result<Dependency> {
        Ok(Dependency { name: short(&text(&entry["name"])?), dev: entry["kind"].as_str() == Some("dev") })
    };
    let package = |entry: &Value| -> Result<Package> {
        let manifest = text(&entry["manifest_path"])?;
        let folder = Path::new(&manifest).parent().and_then(|folder| folder.strip_prefix(&root).ok());
        let dir = folder
            .with_context(|| format!("{manifest} is outside the workspace"))?
            .to_string_lossy()
            .replace('\\', "/");
        let dependencies = list(&entry["dependencies"])?.iter().map(dependency).collect::<Result<_>>()?;
        Ok(Package { name: short(&text(&entry["name"])?), dir, dependencies })
    };
    list(&metadata["packages"])?.iter().map(package).collect()
}

fn short(name: &str) -> String {
    name.strip_prefix("chainflix-").unwrap_or(name).to_owned()
}

/// Everything about the manifests that breaks a rule.
pub fn check(packages: &[Package]) -> Vec<String> {
    packages.iter().flat_map(|package| upward(package).into_iter().chain(misplaced(package))).collect()
}

fn step(name: &str) -> Option<usize> {
    LADDER.iter().position(|step| step.contains(&name))
}

fn upward(package: &Package) -> Vec<String> {
    let Package { name, dir, dependencies } = package;
    let Some(own) = step(name) else {
        return vec![format!("{dir}/Cargo.toml: `{name}` has no step on the ladder in xtask/src/tidy/ladder.rs")];
    };
    let allowed = |dependency: &Dependency| match step(&dependency.name) {
        Some(below) => below < own || (dependency.dev && below == own),
        // Not ours.
        None => true,
    };
    let upward = dependencies.iter().filter(|dependency| !allowed(dependency));
    upward
        .map(|dependency| {
            format!("{dir}/Cargo.toml: `{name}` must not use `{}`, which is not below it", dependency.name)
        })
        .collect()
}

fn misplaced(package: &Package) -> Vec<String> {
    let Package { name, dir, dependencies } = package;
    let mut findings = Vec::new();
    for Dependency { name: dependency, dev } in dependencies {
        for (family, homes) in ISOLATED {
            let related = dependency.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
            if related && !homes.contains(&name.as_str()) {
                findings.push(format!("{dir}/Cargo.toml: only `{}` may use `{dependency}`", homes.join("`, `")));
            }
        }
        if PURE.contains(&name.as_str()) && !dev && IMPURE.contains(&dependency.as_str()) {
            findings.push(format!("{dir}/Cargo.toml: `{name}` is pure and must not use `{dependency}`"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, normal: &[&str], dev: &[&str]) -> Package {
        let entry = |dev| move |name: &&str| Dependency { name: (*name).to_owned(), dev };
        let dependencies = normal.iter().map(entry(false)).chain(dev.iter().map(entry(true))).collect();
        Package { name: name.into(), dir: format!("crates/{name}"), dependencies }
    }

    fn found(name: &str, normal: &[&str], dev: &[&str]) -> usize {
        check(&[package(name, normal, dev)]).len()
    }

    #[test]
    fn dependencies_point_down() {
        assert_eq!(found("proof-of-view", &["cell", "token", "primitives", "blake3"], &["proptest"]), 0);
        assert_eq!(found("cell", &["proof-of-view"], &[]), 1);
        assert_eq!(found("cell", &["token"], &[]), 1, "not even sideways");
        assert_eq!(found("controller", &[], &["provider"]), 0, "tests may play a whole network");
        assert_eq!(found("controller", &[], &["node"]), 1);
        assert_eq!(found("stranger", &[], &[]), 1);
    }

    #[test]
    fn heavy_dependencies_stay_at_home() {
        assert_eq!(found("chain", &["ethrex-storage"], &[]), 0);
        assert_eq!(found("key-service", &["commonware-cryptography"], &[]), 0);
        assert_eq!(found("node", &["ethrex-storage", "commonware-p2p"], &["iroh"]), 3);
        assert_eq!(found("node", &["irohs"], &[]), 0, "another family");
    }

    #[test]
    fn pure_crates_stay_pure_but_for_their_tests() {
        assert_eq!(found("viewer", &["tokio"], &[]), 1);
        assert_eq!(found("viewer", &[], &["tokio"]), 0);
        assert_eq!(found("overlay", &["tokio"], &[]), 0);
    }

    #[test]
    fn cargo_is_understood() {
        let metadata = json!({ "workspace_root": "/w", "packages": [{
            "name": "chainflix-cell",
            "manifest_path": "/w/crates/cell/Cargo.toml",
            "dependencies": [{ "name": "chainflix-primitives", "kind": null }, { "name": "proptest", "kind": "dev" }],
        }]});
        let packages = parse(&metadata).unwrap();
        assert_eq!((packages[0].name.as_str(), packages[0].dir.as_str()), ("cell", "crates/cell"));
        let dependencies = packages[0].dependencies.iter().map(|entry| (entry.name.as_str(), entry.dev));
        assert_eq!(dependencies.collect::<Vec<_>>(), [("primitives", false), ("proptest", true)]);
        assert!(parse(&json!({})).is_err());
    }
}
