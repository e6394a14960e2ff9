//! `cargo xtask test`: every check there is, cheapest first where the order is free.
//!
//! The web app is built before any Rust code, because the gateway carries it inside itself. The first step that fails
//! ends the run, and its name is the last line.

mod browser;
mod steps;

use crate::{machine, workspace::Workspace};
use anyhow::{Result, bail};
use clap::Args;
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct Test {
    /// Run this step alone; may be given several times
    #[arg(long, value_name = "STEP", value_parser = clap::builder::PossibleValuesParser::new(steps::ALL.map(|step| step.name)))]
    only: Vec<String>,
}

/// A check.
struct Step {
    name: &'static str,
    /// What it checks, for the heading.
    what: &'static str,
    run: fn(&Workspace) -> Result<()>,
}

impl Test {
    pub fn start(self, workspace: &Workspace) -> Result<()> {
        machine::node()?;
        machine::packages(&machine::TEST)?;
        let wanted = |step: &&Step| self.only.is_empty() || self.only.iter().any(|name| name == step.name);
        let began = Instant::now();
        let mut passed = 0;
        for step in steps::ALL.iter().filter(wanted) {
            eprintln!("\n== {}: {}", step.name, step.what);
            let step_began = Instant::now();
            if let Err(error) = (step.run)(workspace) {
                eprintln!("\n{error:#}");
                println!("steps: {passed} passed, 1 failed");
                bail!("failed: {}", step.name);
            }
            eprintln!("== {} passed in {}", step.name, minutes(step_began.elapsed()));
            passed += 1;
        }
        eprintln!("\nall of it took {}", minutes(began.elapsed()));
        println!("steps: {passed} passed, 0 failed");
        Ok(())
    }
}

fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_minutes() {
        assert_eq!(minutes(Duration::from_secs(59)), "59 s");
        assert_eq!(minutes(Duration::from_secs(754)), "12 min 34 s");
    }
}
