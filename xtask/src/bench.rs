//! `cargo xtask bench`: measures on this machine and prints a table.
//!
//! ```text
//! cargo build (the profile of the demo) ─▶ chainflix-bench, pinned to one core ─┬─▶ table, JSON
//!                            a browser that plays a film, where there is one ───┘
//! ```
//!
//! What is measured is what the demo runs: the same profile, the same features, no second set of dependencies.

mod browser;

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
const NAMES: [&str; 3] = ["pov", "keys", "placement"];

/// Metrics that the design promises something about, what they are, and what is promised.
const PROMISES: [Promise; 10] = [
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
        let file = folder.join(format!("{}.json", self.name));
        let mut bench = pinned(&workspace.built("chainflix-bench"));
        bench.arg(&self.name).arg("--folder").arg(&folder).arg("--json").arg(&file);
        program::run(bench)?;
        let mut report = read(&file)?;
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
    }

    #[test]
    fn a_bound_is_kept_or_not() {
        assert!(Bound::AtLeast(2.0).holds(2.0) && !Bound::AtLeast(2.0).holds(1.9));
        assert!(Bound::AtMost(2.0).holds(2.0) && !Bound::AtMost(2.0).holds(2.1));
        assert!(Bound::LessThan(2.0).holds(1.9) && !Bound::LessThan(2.0).holds(2.0));
        assert!(Bound::None.holds(f64::MAX));
    }
}
