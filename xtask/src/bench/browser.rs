//! What watching costs a browser, where there is one: a script plays a film in 1080p with us and without us, in turns.

use crate::{
    machine,
    program::{self, find},
    web,
    workspace::Workspace,
};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{env, process::Command};

/// Adds what the script measures to `metrics`; nothing on a machine without Chromium or Node.
pub fn measure(workspace: &Workspace, metrics: &mut Value) -> Result<()> {
    let Some(chromium) = env::var_os("CHROMIUM").or_else(|| find("chromium").map(Into::into)) else {
        eprintln!("there is no Chromium here: what watching costs a browser is not measured");
        return Ok(());
    };
    machine::node()?;
    machine::packages(&machine::BUILD)?;
    workspace.build_core()?;
    web::build(workspace)?;
    program::run(workspace.cargo(&["build", "--workspace", "--bins"]))?;
    let mut script = Command::new("node");
    script.current_dir(workspace.root().join("web/apps/site")).arg("e2e/overhead.mjs");
    script.env("CHROMIUM", chromium).env("CHAINFLIX", workspace.chainflix());
    add(&program::output(script)?, metrics)
}

/// The script prints one line of JSON: the metric, and its parts.
fn add(printed: &str, metrics: &mut Value) -> Result<()> {
    let line = printed.lines().last().context("the browser's measurement printed nothing")?;
    let measured: Value = serde_json::from_str(line).context("the browser's measurement is not JSON")?;
    let key = "browser_overhead_core_percent";
    let percent = measured[key].as_f64().with_context(|| format!("the browser's measurement lacks {key}"))?;
    metrics[key] = percent.into();
    for (part, percent) in measured["parts"].as_object().into_iter().flatten() {
        metrics[format!("browser_{part}_core_percent")] = percent.clone();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_scripts_figures_join_the_others() {
        let mut metrics = json!({ "play_bytes": 480 });
        let printed = "{\"browser_overhead_core_percent\": 0.75, \"parts\": { \"core_proof\": 0.25 }}\n";
        add(printed, &mut metrics).unwrap();
        let all = json!({
            "play_bytes": 480, "browser_overhead_core_percent": 0.75, "browser_core_proof_core_percent": 0.25,
        });
        assert_eq!(metrics, all);
        assert!(add("", &mut metrics).is_err() && add("{}", &mut metrics).is_err());
    }
}
