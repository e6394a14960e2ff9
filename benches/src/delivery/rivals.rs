//! BitTorrent on the same lines: libtorrent and WebTorrent, with as many seeds as we have providers.
//!
//! ```text
//! same places, same lines, same film ─▶ ours, libtorrent, WebTorrent, one after the other ─▶ first frame, stalls
//! ```
//!
//! Their viewers have the torrent and everybody's address before they begin, ours asks for manifest, key and source; their
//! viewers share pieces, ours whole cells. What is not installed is left out, with the reason.

use super::{
    Delivery,
    film::{Film, Shape},
    lines::Lines,
    party::{Party, perform},
    swarm::{Outcome, Plan},
};
use crate::report::Metrics;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// BitTorrent's usual port; each place is a network of its own.
const PORT: u16 = 6_881;
/// Time beyond the film that a viewer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Debian's own, whatever else is on the path: its packages are for this one.
const PYTHON: &str = "/usr/bin/python3";

/// Another way to watch the same film.
struct Rival {
    name: &'static str,
    program: PathBuf,
    script: PathBuf,
    /// What its script is told beside the rest.
    told: Value,
    folder: PathBuf,
}

/// Lets everybody watch the same film on the same lines.
pub fn run(bench: &Delivery, lines: &Lines, folder: &Path, metrics: &mut Metrics) -> Result<()> {
    let shape = Shape::minutes(1, bench.rival_film_kbit_per_s);
    let (providers, viewers) = (bench.providers, bench.rival_viewers);
    let plan = Plan { providers, viewers, film: shape, arrive_ms: 0, share: true };
    let ours = plan.perform(lines, folder)?;
    let first_frame_ms = note("lab", &ours, metrics)?;
    for (name, rival) in [("libtorrent", Rival::libtorrent(folder)), ("webtorrent", Rival::webtorrent(bench, folder))] {
        let theirs = rival.and_then(|rival| rival.perform(&plan, lines));
        match theirs {
            Ok(theirs) => {
                let theirs_ms = note(name, &theirs, metrics)?;
                metrics.add(&format!("first_frame_vs_{name}"), first_frame_ms / theirs_ms.max(1.0));
            }
            Err(error) => metrics.skip(&format!("first_frame_vs_{name}"), &format!("{error:#}")),
        }
    }
    Ok(())
}

/// Notes how `name` did; its time to the first frame, of the middle viewer.
fn note(name: &str, outcome: &Outcome, metrics: &mut Metrics) -> Result<f64> {
    let first_frame_ms = outcome.first_frame_ms(50)?;
    metrics.add(&format!("{name}_first_frame_ms"), first_frame_ms);
    metrics.add(&format!("{name}_stall_percent"), outcome.stall_percent());
    Ok(first_frame_ms)
}

impl Rival {
    fn libtorrent(folder: &Path) -> Result<Self> {
        let mut ask = Command::new(PYTHON);
        let found = ask.args(["-c", "import libtorrent"]).output().context("Debian's Python is not installed")?;
        ensure!(found.status.success(), "python3-libtorrent is not installed");
        let script = include_str!("../../rivals/libtorrent_peer.py");
        Self::new("libtorrent", PYTHON.into(), ("peer.py", script), json!({}), folder)
    }

    fn webtorrent(bench: &Delivery, folder: &Path) -> Result<Self> {
        let installed = bench.webtorrent.as_ref().context("--webtorrent does not say where npm installed it")?;
        ensure!(installed.join("node_modules/webtorrent").is_dir(), "no webtorrent in {}", installed.display());
        let installed = fs::canonicalize(installed)?;
        let script = include_str!("../../rivals/webtorrent_peer.cjs");
        Self::new("webtorrent", "node".into(), ("peer.cjs", script), json!({ "webtorrent": installed }), folder)
    }

    fn new(
        name: &'static str,
        program: PathBuf,
        (file, script): (&str, &str),
        told: Value,
        folder: &Path,
    ) -> Result<Self> {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        let path = folder.join(file);
        fs::write(&path, script)?;
        Ok(Self { name, program, script: path, told, folder })
    }

    fn perform(&self, plan: &Plan, lines: &Lines) -> Result<Outcome> {
        let film = self.folder.join("seed/film");
        fs::create_dir_all(self.folder.join("seed"))?;
        fs::write(&film, Film::new(&plan.film)?.sealed.concat())?;
        self.make(plan)?;
        let places = plan.providers + plan.viewers;
        let start = |number: u16| {
            let role = if number <= plan.providers { "seed" } else { "watch" };
            let peers = (1..=places).filter(|other| *other != number).map(Lines::address);
            let told = self.told(plan, role, number, peers.map(|peer| peer.to_string()).collect())?;
            let mut command = lines.command(number, &self.program);
            command.arg(&self.script).arg(told.to_string());
            Party::start(format!("{} at place {number}", self.name), command)
        };
        let mut seeds = (1..=plan.providers).map(start).collect::<Result<Vec<_>>>()?;
        let mut viewers = (plan.providers + 1..=places).map(start).collect::<Result<Vec<_>>>()?;
        let longest = Duration::from_millis(plan.film.play_ms()) + PATIENCE;
        Ok(Outcome::new(perform(&mut seeds, &mut viewers, longest)?, plan.film.play_ms()))
    }

    fn make(&self, plan: &Plan) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.arg(&self.script).arg(self.told(plan, "make", 0, Vec::new())?.to_string());
        let output = command.output().with_context(|| format!("{} does not start", self.name))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} makes no torrent: {}", self.name, said.trim());
        Ok(())
    }

    /// Everything that a peer's script is told.
    fn told(&self, plan: &Plan, role: &str, number: u16, peers: Vec<String>) -> Result<Value> {
        // Seeds share the film's file; each viewer writes one of its own.
        let folder = self.folder.join(if role == "watch" { format!("viewer-{number}") } else { "seed".into() });
        fs::create_dir_all(&folder)?;
        let mut told = json!({
            "role": role,
            "address": Lines::address(number).to_string(),
            "port": PORT,
            "torrent": self.folder.join("film.torrent"),
            "film": self.folder.join("seed/film"),
            "folder": folder,
            "peers": peers,
            "bytes": plan.film.bytes(),
            "first_bytes": plan.film.fragment_bytes(),
            "play_ms": plan.film.play_ms(),
        });
        for (key, value) in self.told.as_object().into_iter().flatten() {
            told[key] = value.clone();
        }
        Ok(told)
    }
}
