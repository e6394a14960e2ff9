//! What delivery costs: a cell's way from disk to viewer against plainer ways, and many viewers on slow lines.
//!
//! ```text
//! transfer   one viewer over loopback: ours, a bare iroh stream, nginx with curl
//! swarm      200 viewers of one film at once, every line shaped
//! rivals     8 viewers: ours, libtorrent, WebTorrent, on the same lines
//! ```
//!
//! Everything of ours is the code of the roles: store, provider, overlay, viewer. What is played is the chain: one key
//! signs what a validator would. Unlike the other benches this one uses all cores: both ends of a delivery are here.
//!
//! | module | what |
//! |---|---|
//! | [`film`] | a film from a seed, sealed |
//! | [`chain`] | what a validator signs, without a chain |
//! | [`provider`] | a provider with the film on its disk |
//! | [`transfer`] | throughput, processor time, time to the first bytes |
//! | [`raw`], [`nginx`] | what it is measured against |
//! | [`cost`] | bytes, time and processor time |
//! | [`lines`] | network namespaces with shaped lines |
//! | [`party`] | programs that begin together |
//! | [`swarm`], [`member`], [`town`] | viewers of one film at once, their providers, and whom they ask |
//! | [`rivals`] | BitTorrent on the same lines |

mod chain;
mod cost;
mod film;
mod lines;
mod member;
mod nginx;
mod party;
mod provider;
mod raw;
mod rivals;
mod swarm;
mod town;
mod transfer;

pub use member::Member;

use crate::report::Metrics;
use anyhow::{Context as _, Result};
use clap::Args;
use film::Shape;
use lines::Lines;
use std::path::{Path, PathBuf};
use swarm::Plan;

#[derive(Args)]
pub struct Delivery {
    /// MiB that each way carries in one turn
    #[arg(long, default_value_t = 256)]
    transfer_mib: u64,
    /// Turns that are measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Requests whose first bytes are waited for
    #[arg(long, default_value_t = 300)]
    requests: usize,
    /// Providers on shaped lines
    #[arg(long, default_value_t = 4)]
    providers: u16,
    /// Viewers of one film at once, on shaped lines
    #[arg(long, default_value_t = 200)]
    viewers: u16,
    /// Rate of their film: four lines of 5 Mbit/s carry 100 kbit/s for each of 200 viewers at most
    #[arg(long, default_value_t = 64)]
    film_kbit_per_s: u64,
    /// Time within which they come, in seconds
    #[arg(long, default_value_t = 30)]
    arrive_s: u64,
    /// Viewers that are compared with BitTorrent's
    #[arg(long, default_value_t = 8)]
    rival_viewers: u16,
    /// Rate of the film that they watch
    #[arg(long, default_value_t = 1_500)]
    rival_film_kbit_per_s: u64,
    /// Folder in which npm installed webtorrent
    #[arg(long)]
    webtorrent: Option<PathBuf>,
}

impl Delivery {
    pub fn run(self, folder: &Path, metrics: &mut Metrics) -> Result<()> {
        transfer::run(&self, folder, metrics)?;
        match Lines::lay(self.providers + self.viewers.max(self.rival_viewers)) {
            Ok(lines) => self.on_lines(&lines, folder, metrics),
            Err(error) => {
                let why = format!("lines cannot be shaped here, which only root can: {error:#}");
                for key in ["swarm_stall_percent", "swarm_first_source_percent"] {
                    metrics.skip(key, &why);
                }
                for key in ["first_frame_vs_libtorrent", "first_frame_vs_webtorrent"] {
                    metrics.skip(key, &why);
                }
                Ok(())
            }
        }
    }

    fn on_lines(&self, lines: &Lines, folder: &Path, metrics: &mut Metrics) -> Result<()> {
        let scratch = tempfile::tempdir_in(folder).context("no folder to work in")?;
        // Another process' working folder may differ.
        let scratch = scratch.path().canonicalize().map(|path| (scratch, path))?;
        let (providers, viewers) = (self.providers, self.viewers);
        let film = Shape::minutes(2, self.film_kbit_per_s);
        // All in one moment, when nobody has anything to share yet, and within half a minute.
        for (name, arrive_ms) in [("crowd", 0), ("swarm", self.arrive_s * 1_000)] {
            let plan = Plan { providers, viewers, film, arrive_ms, share: true };
            let outcome = plan.perform(lines, &scratch.1)?;
            metrics.add(&format!("{name}_stall_percent"), outcome.stall_percent());
            metrics.add(&format!("{name}_first_source_percent"), outcome.first_source_percent());
            metrics.add(&format!("{name}_shared_percent"), outcome.shared_percent());
            metrics.add(&format!("{name}_first_frame_p50_ms"), outcome.first_frame_ms(50)?);
            metrics.add(&format!("{name}_first_frame_p95_ms"), outcome.first_frame_ms(95)?);
            metrics.add(&format!("{name}_viewers_failed"), outcome.failed as f64);
        }
        rivals::run(self, lines, &scratch.1, metrics)
    }
}
