//! Proof of View on one core: what a validator does for every play of a million viewers.
//!
//! | module | measures |
//! |---|---|
//! | `bare` | libsecp256k1's own verification: what everything else is compared with |
//! | `proofs` | one validator hears and checks everything about many plays |
//! | `issue` | it issues PlayCodes itself |
//! | `slot` | a full slot is voted on, settled, awarded and committed; in a process of its own |
//! | `bytes` | what a play takes on the ledger's disk |
//! | `world`, `watching`, `clerk` | a network, its viewers' messages, and a desk with its journal |

mod bare;
mod bytes;
mod clerk;
mod issue;
mod proofs;
mod slot;
mod watching;
mod world;

pub use slot::FullSlot;

use crate::report::Metrics;
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use std::{fs, path::Path, process::Command};

#[derive(Args)]
pub struct Pov {
    /// Plays under way while proofs are checked
    #[arg(long, default_value_t = 100_000)]
    plays: usize,
    /// PlayCodes to issue
    #[arg(long, default_value_t = 40_000)]
    codes: usize,
    /// Plays of the full slot
    #[arg(long, default_value_t = 240_000)]
    slot_plays: usize,
}

impl Pov {
    pub fn run(self, folder: &Path, metrics: &mut Metrics) -> Result<()> {
        bare::run(metrics);
        proofs::run(self.plays, folder, metrics)?;
        issue::run(self.codes, folder, metrics)?;
        bytes::run(folder, metrics)?;
        slot_alone(self.slot_plays, folder, metrics)
    }
}

/// The full slot in a new process: memory that other benches had does not count.
fn slot_alone(plays: usize, folder: &Path, metrics: &mut Metrics) -> Result<()> {
    let file = folder.join("bench-slot.json");
    let mut slot = Command::new(std::env::current_exe().context("this program is not to be found")?);
    slot.args(["slot", "--plays", &plays.to_string()]).arg("--folder").arg(folder).arg("--json").arg(&file);
    let status = slot.status().context("the full slot cannot be started")?;
    ensure!(status.success(), "the full slot failed: {status}");
    let report = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    metrics.extend(&serde_json::from_str(&report).context("the full slot reported no JSON")?);
    Ok(())
}
