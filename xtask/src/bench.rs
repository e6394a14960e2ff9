//! `cargo xtask bench`: measures on this machine and prints a table.
//!
//! ```text
//! cargo build (the profile of the demo) ─▶ chainflix-bench, pinned to one core ─┬─▶ table, JSON
//!                            a browser that plays a film, where there is one ───┤   pov
//!   nginx, libtorrent, WebTorrent beside it, on all cores, where they are here ─┘   delivery, and placement with it
//! ```
//!
//! What is measured is what the demo runs: the same profile, the same features, no second set of dependencies.

mod browser;
mod delivery;

use crate::{
    program::{self, find},
    workspace::Workspace,
};
use anyhow::{Context as _, Result};
use clap::{Args, builder::PossibleValuesParser};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

/// What can be measured.
const NAMES: [&str; 5] = ["pov", "keys", "placement", "parity", "delivery"];

/// Metrics that the design promises something about, what they are, and what is promised.
const PROMISES: [Promise; 18] = [
    Promise {
        key: "proof_check_per_core_per_s",
        what: "proofs checked and durably recorded, per second and core",
        bound: Bound::AtLeast(17_000.0),
    },
    Promise {
        key: "proof_check_vs_bare_signature",
        what: "the same, as a part of bare libsecp256k1 verifications",
        bound: Bound::None,
    },
    Promise {
        key: "playcode_issue_per_core_per_s",
        what: "PlayCodes issued and durably recorded, per second and core",
        bound: Bound::AtLeast(17_000.0),
    },
    Promise {
        key: "slot_240k_settle_s",
        what: "a slot of 240,000 plays: voted on, settled, awarded, committed, in seconds",
        bound: Bound::LessThan(7.0),
    },
    Promise {
        key: "slot_240k_rss_mib",
        what: "most memory of the process that did so, in MiB",
        bound: Bound::LessThan(1_907.0),
    },
    Promise {
        key: "play_bytes",
        what: "growth of the ledger's file per play, 8,192 plays a slot, in bytes",
        bound: Bound::AtMost(500.0),
    },
    Promise {
        key: "cell_vs_raw_iroh",
        what: "cells from a disk to an opened file, as a part of a bare iroh stream's rate",
        bound: Bound::AtLeast(0.9),
    },
    Promise {
        key: "cell_vs_nginx_tls",
        what: "the same, as a part of the rate of nginx and curl over TLS",
        bound: Bound::AtLeast(1.0),
    },
    Promise {
        key: "cpu_vs_raw_iroh",
        what: "processor time of both ends, in those of a bare iroh stream",
        bound: Bound::AtMost(1.5),
    },
    Promise {
        key: "first_64k_p95_ms",
        what: "from a request to 64 KiB that are verified, 95th percentile, in milliseconds",
        bound: Bound::LessThan(20.0),
    },
    Promise {
        key: "swarm_stall_percent",
        what: "200 viewers, 4 providers, lines of 5 Mbit/s by tc: stood still, of play time",
        bound: Bound::LessThan(0.2),
    },
    Promise {
        key: "swarm_first_source_percent",
        what: "their bytes that came from the first provider",
        bound: Bound::LessThan(10.0),
    },
    Promise {
        key: "first_frame_vs_webtorrent",
        what: "time to the first fragment on such lines, in those of WebTorrent",
        bound: Bound::LessThan(1.0),
    },
    Promise { key: "first_frame_vs_libtorrent", what: "the same, in those of libtorrent", bound: Bound::LessThan(1.0) },
    Promise {
        key: "controller_rss_mib",
        what: "most memory of a controller's picture: a million cells, 20,000 providers, in MiB",
        bound: Bound::LessThan(1_907.0),
    },
    Promise {
        key: "source_answer_p99_ms",
        what: "naming a viewer's sources in it, 99th percentile, in milliseconds",
        bound: Bound::LessThan(1.0),
    },
    Promise {
        key: "replan_s",
        what: "planning all repair after 5 % of the providers are lost, in seconds",
        bound: Bound::LessThan(30.0),
    },
    Promise {
        key: "browser_overhead_core_percent",
        what: "work beside plain playback of 1080p, in percent of a core",
        bound: Bound::AtMost(1.0),
    },
];

struct Promise {
    key: &'static str,
    what: &'static str,
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    None,
    AtLeast(f64),
    AtMost(f64),
    LessThan(f64),
}

impl Bound {
    fn words(self) -> String {
        match self {
            Self::None => String::new(),
            Self::AtLeast(bound) => format!(">= {}", number(bound)),
            Self::AtMost(bound) => format!("<= {}", number(bound)),
            Self::LessThan(bound) => format!("< {}", number(bound)),
        }
    }

    fn holds(self, value: f64) -> bool {
        match self {
            Self::None => true,
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
            Self::LessThan(bound) => value < bound,
        }
    }
}

#[derive(Args)]
pub struct Bench {
    /// What to measure
    #[arg(value_parser = PossibleValuesParser::new(NAMES))]
    name: String,
    /// Also write {"name", "machine", "metrics"} here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave out what a browser does: it takes several minutes
    #[arg(long)]
    without_browser: bool,
}

impl Bench {
    pub fn start(self, workspace: &Workspace) -> Result<()> {
        // The whole workspace is named, so that its dependencies are those of the demo; one program is built.
        program::run(workspace.cargo(&["build", "--workspace", "--bin", "chainflix-bench"]))?;
        let folder = workspace.kept().join("bench");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let program = workspace.built("chainflix-bench");
        let mut report = match self.name.as_str() {
            "delivery" => {
                let mut bench = Command::new(&program);
                // Behind the name of the bench, whose arguments they are.
                bench.arg("delivery").args(delivery::rivals(workspace));
                let mut report = measure(bench, &folder, "delivery")?;
                delivery::join(&mut report, &measure_alone(&program, &folder, "placement")?)?;
                report
            }
            name => measure_alone(&program, &folder, name)?,
        };
        if self.name == "pov" && !self.without_browser {
            browser::measure(workspace, &mut report["metrics"])?;
        }
        print!("{}", table(&report)?);
        match &self.json {
            Some(path) => {
                fs::write(path, format!("{report:#}\n")).with_context(|| format!("cannot write {}", path.display()))
            }
            None => Ok(()),
        }
    }
}

/// What a bench on one core says.
fn measure_alone(program: &Path, folder: &Path, name: &str) -> Result<Value> {
    let mut bench = pinned(program);
    bench.arg(name);
    measure(bench, folder, name)
}

/// Runs a bench, and reads what it wrote.
fn measure(mut bench: Command, folder: &Path, name: &str) -> Result<Value> {
    let file = folder.join(format!("{name}.json"));
    bench.arg("--folder").arg(folder).arg("--json").arg(&file);
    program::run(bench)?;
    read(&file)
}

/// The program on one core: the last, because the first serves most interrupts.
fn pinned(program: &Path) -> Command {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    match find("taskset") {
        Some(taskset) => {
            let mut command = Command::new(taskset);
            command.arg("-c").arg((cores - 1).to_string()).arg(program);
            command
        }
        None => Command::new(program),
    }
}

fn read(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

/// Promised metrics first, then the others as they are called.
fn table(report: &Value) -> Result<String> {
    let metrics = report["metrics"].as_object().context("the report has no metrics")?;
    let mut rows = vec![["metric".to_owned(), "measured".to_owned(), "promised".to_owned(), String::new()]];
    for Promise { key, what, bound } in &PROMISES {
        let Some(value) = metrics.get(*key).and_then(Value::as_f64) else { continue };
        let verdict = if bound.holds(value) { bound.words() } else { format!("{} MISSED", bound.words()) };
        rows.push([(*key).to_owned(), number(value), verdict, (*what).to_owned()]);
    }
    for (key, value) in metrics.iter().filter(|(key, _)| PROMISES.iter().all(|promise| promise.key != *key)) {
        let value = value.as_f64().with_context(|| format!("{key} is no number"))?;
        rows.push([key.clone(), number(value), String::new(), String::new()]);
    }
    for (key, why) in report["skipped"].as_object().into_iter().flatten() {
        let why = why.as_str().with_context(|| format!("{key} was left out without a reason"))?;
        rows.push([key.clone(), "-".to_owned(), "SKIPPED".to_owned(), why.to_owned()]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut text = format!("{}\n\n", report["machine"].as_str().unwrap_or("an unknown machine"));
    for [key, value, promised, what] in rows {
        let row = format!("{key:<0$}  {value:>1$}  {promised:<2$}  {what}", widths[0], widths[1], widths[2]);
        text.push_str(row.trim_end());
        text.push('\n');
    }
    Ok(text)
}

/// Digits that say something: none behind the point of large numbers.
fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_missed_promise_is_seen() {
        let metrics = json!({ "slot_240k_settle_s": 7.25, "proof_check_per_core_per_s": 20_000.4, "other": 3 });
        let text = table(&json!({ "machine": "two cores", "metrics": metrics })).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "two cores");
        assert!(lines[3].starts_with("proof_check_per_core_per_s     20000  >= 17000"), "{text}");
        assert!(lines[4].contains("7.25  < 7.00 MISSED"), "{text}");
        assert!(lines[5].starts_with("other"), "{text}");
        assert!(table(&json!({})).is_err());
        let text = table(&json!({ "metrics": {}, "skipped": { "cell_vs_nginx_tls": "no nginx" } })).unwrap();
        let row: Vec<_> = text.lines().last().unwrap_or_default().split_whitespace().collect();
        assert_eq!(row, ["cell_vs_nginx_tls", "-", "SKIPPED", "no", "nginx"]);
    }

    #[test]
    fn a_bound_is_kept_or_not() {
        assert!(Bound::AtLeast(2.0).holds(2.0) && !Bound::AtLeast(2.0).holds(1.9));
        assert!(Bound::AtMost(2.0).holds(2.0) && !Bound::AtMost(2.0).holds(2.1));
        assert!(Bound::LessThan(2.0).holds(1.9) && !Bound::LessThan(2.0).holds(2.0));
        assert!(Bound::None.holds(f64::MAX));
    }
}
