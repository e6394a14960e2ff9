//! `chainflix init`: a new network in a folder, ready to be started or to be spread over machines.
//!
//! The folder appears whole or not at all: it is filled under another name and renamed.

use crate::output::{say, wrong_use};
use anyhow::{Context as _, Result, bail};
use chainflix_node::network::{KeyMode, Layout, Plan, Ports};
use chainflix_primitives::{NetworkKeys, ProtocolParams};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Lay out a new network: genesis, keys, one configuration per process
#[derive(Args)]
#[command(after_help = "Example: chainflix init my-network --validators 4 --providers 3")]
pub struct Init {
    /// The folder, which must be new or empty
    dir: PathBuf,
    /// How many validators
    #[arg(long, default_value_t = 4)]
    validators: u16,
    /// How many controllers; the network goes on while one is left
    #[arg(long, default_value_t = 2)]
    controllers: u16,
    /// How many storage providers; each cell is kept by two
    #[arg(long, default_value_t = 3)]
    providers: u16,
    /// Port of the web app
    #[arg(long, default_value_t = Ports::default().web)]
    web_port: u16,
    /// Port of the first validator's JSON-RPC; the others take the next ones
    #[arg(long, default_value_t = Ports::default().rpc)]
    rpc_port: u16,
    /// First of the ports that the processes use among themselves
    #[arg(long, default_value_t = Ports::default().inner)]
    inner_port: u16,
    /// Most gigabytes each provider may use
    #[arg(long, value_name = "GB", default_value_t = 10)]
    quota_gb: u64,
    /// Who can release keys: every validator (shared), or only a quorum of them together (threshold)
    #[arg(long, value_enum, default_value_t)]
    keys: Keys,
    /// How many times as fast as real time the protocol's clock runs
    #[arg(long, hide = true)]
    fast: Option<u64>,
    /// Say what was laid out as JSON
    #[arg(long)]
    json: bool,
}

/// Who can release keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Keys {
    /// Every validator holds the whole secret
    #[default]
    Shared,
    /// Every validator holds a share; a quorum of them together releases keys
    Threshold,
}

impl Keys {
    /// Whether a network that was laid out before has its keys this way.
    pub fn is(self, keys: &NetworkKeys) -> bool {
        matches!(
            (self, keys),
            (Self::Shared, NetworkKeys::Shared { .. }) | (Self::Threshold, NetworkKeys::Threshold { .. })
        )
    }
}

impl From<Keys> for KeyMode {
    fn from(keys: Keys) -> Self {
        match keys {
            Keys::Shared => Self::Shared,
            Keys::Threshold => Self::Threshold,
        }
    }
}

impl Init {
    pub fn start(self) -> Result<()> {
        let plan = Plan {
            validators: self.validators,
            controllers: self.controllers,
            providers: self.providers,
            params: params(self.fast)?,
            ports: Ports { web: self.web_port, rpc: self.rpc_port, inner: self.inner_port },
            quota_bytes: self.quota_gb.saturating_mul(1_000_000_000),
            keys: self.keys.into(),
        };
        check_ports(&plan)?;
        let layout = lay_out(&plan, &self.dir, |_| Ok(()))?;
        if self.json {
            say(summary(&layout))
        } else {
            tell(&layout)
        }
        Ok(())
    }
}

/// The protocol's numbers, with its clock running `fast` times as fast.
pub fn params(fast: Option<u64>) -> Result<ProtocolParams> {
    match fast {
        None => Ok(ProtocolParams::default()),
        // Faster than this a cell is shorter than two pictures can be decoded reliably.
        Some(factor @ 1..=60) => Ok(ProtocolParams::accelerated(factor)),
        Some(factor) => Err(wrong_use(format!("--fast {factor} is out of range; allowed are 1 to 60"))),
    }
}

/// Refuses ports that run over the last one or into each other.
pub fn check_ports(plan: &Plan) -> Result<()> {
    let Ports { web, rpc, inner } = plan.ports;
    // Validators, relay, controllers, gateway, providers.
    let inner_count = [plan.validators, 1, plan.controllers, 1, plan.providers].into_iter().map(u32::from).sum();
    let spans =
        [("web", span(web, 1)), ("JSON-RPC", span(rpc, plan.validators.into())), ("inner", span(inner, inner_count))];
    for (index, (name, ports)) in spans.iter().enumerate() {
        if ports.start == 0 || ports.end > 1 << 16 {
            return Err(wrong_use(format!("the {name} ports {} to {} do not exist", ports.start, ports.end - 1)));
        }
        if let Some((other, _)) = spans[..index].iter().find(|(_, other)| overlap(other, ports)) {
            return Err(wrong_use(format!("the {name} ports run into the {other} ports; choose others")));
        }
    }
    Ok(())
}

fn span(first: u16, count: u32) -> Range<u32> {
    u32::from(first)..u32::from(first) + count
}

fn overlap(one: &Range<u32>, other: &Range<u32>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Writes a new network into `dir`, after `check` approved of it.
pub fn lay_out(plan: &Plan, dir: &Path, check: impl FnOnce(&Layout) -> Result<()>) -> Result<Layout> {
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; name a new folder", dir.display());
    }
    let folder = |path: &Path| format!("cannot use {}", path.display());
    let partial = partial_name(dir)?;
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| folder(&partial))?;
    }
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    // Fits until the year 584,542,046.
    let written = plan.write(&partial, now_ms as u64).map_err(Into::into).and_then(|layout| check(&layout));
    if let Err(error) = written {
        let _keys_nobody_uses = fs::remove_dir_all(&partial);
        return Err(error);
    }
    fs::rename(&partial, dir).with_context(|| folder(dir))?;
    let dir = dir.canonicalize().with_context(|| folder(dir))?;
    Ok(Layout::open(&dir)?)
}

/// A name beside `dir`, the same each time, so that what an interrupted attempt left is found and removed.
fn partial_name(dir: &Path) -> Result<PathBuf> {
    let name = dir.file_name().with_context(|| format!("{} names no folder", dir.display()))?;
    let mut partial = name.to_owned();
    partial.push(".partial");
    Ok(dir.with_file_name(partial))
}

fn tell(layout: &Layout) {
    say(format_args!(
        "a network of {} processes is in {}; start each with",
        layout.processes.len(),
        layout.dir.display()
    ));
    for (name, config) in &layout.processes {
        let role = name.split('-').next().unwrap_or(name);
        say(format_args!("  chainflix run {role} --config {}", config.display()));
    }
    say(format_args!("web app {}, JSON-RPC {}", layout.web_url, layout.rpcs.first().map_or("", String::as_str)));
}

fn summary(layout: &Layout) -> serde_json::Value {
    let processes = layout.processes.iter().map(|(name, config)| json!({"name": name, "config": config}));
    json!({
        "dir": layout.dir,
        "chainId": layout.genesis.chain_id,
        "genesisTimeMs": layout.genesis.genesis_time_ms,
        "web": layout.web_url,
        "rpcs": layout.rpcs,
        "keyQuorum": layout.genesis.keys.quorum(),
        "processes": processes.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(web: u16, rpc: u16, inner: u16) -> Plan {
        let ports = Ports { web, rpc, inner };
        let (params, keys) = (ProtocolParams::default(), KeyMode::Shared);
        Plan { validators: 4, controllers: 2, providers: 3, params, ports, quota_bytes: 1 << 30, keys }
    }

    #[test]
    fn ports_must_exist_and_be_apart() {
        assert!(check_ports(&plan(8080, 8545, 28_000)).is_ok());
        assert!(check_ports(&plan(8080, 8545, 65_526)).is_err(), "eleven inner ports end beyond the last one");
        assert!(check_ports(&plan(8080, 8545, 65_525)).is_ok());
        assert!(check_ports(&plan(8546, 8545, 28_000)).is_err());
        assert!(check_ports(&plan(0, 8545, 28_000)).is_err());
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("network");
        assert!(lay_out(&plan(8080, 8545, 28_000), &dir, |_| bail!("no")).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::create_dir_all(folder.path().join("network.partial/keys")).unwrap();
        let layout = lay_out(&plan(8080, 8545, 28_000), &dir, |_| Ok(())).unwrap();
        assert_eq!(layout.processes.len(), 11);
        assert!(lay_out(&plan(8080, 8545, 28_000), &dir, |_| Ok(())).is_err(), "never overwritten");
    }

    #[test]
    fn the_clock_is_not_sped_up_beyond_reason() {
        assert_eq!(params(Some(20)).unwrap().cell_ms, 3_000);
        assert!(params(Some(0)).is_err());
        assert!(params(Some(61)).is_err());
    }
}
