//! Metrics, and the machine they are of.

use serde_json::{Map, Value, json};
use std::{fs, time::Duration};

/// What was measured, in the order in which it was.
#[derive(Default)]
pub struct Metrics {
    measured: Map<String, Value>,
    /// What was left out, and why.
    skipped: Map<String, Value>,
}

impl Metrics {
    /// Notes a figure, and tells it to whoever watches.
    pub fn add(&mut self, key: &str, value: f64) {
        eprintln!("{key} {value:.3}");
        self.measured.insert(key.to_owned(), json!(value));
    }

    /// Notes that a figure is left out, and tells it to whoever watches.
    pub fn skip(&mut self, key: &str, why: &str) {
        eprintln!("{key} SKIPPED: {why}");
        self.skipped.insert(key.to_owned(), json!(why));
    }

    /// Notes how many of something are done in a second.
    pub fn add_rate(&mut self, key: &str, count: usize, time: Duration) {
        self.add(key, count as f64 / time.as_secs_f64());
    }

    /// Takes over what another run measured.
    pub fn extend(&mut self, report: &Value) {
        if let Some(metrics) = report["metrics"].as_object() {
            self.measured.extend(metrics.clone());
        }
    }

    /// A figure that was noted.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.measured.get(key)?.as_f64()
    }

    /// Everything, as JSON.
    pub fn report(self, name: &str) -> String {
        let mut report = json!({ "name": name, "machine": machine(), "metrics": self.measured });
        if !self.skipped.is_empty() {
            report["skipped"] = Value::Object(self.skipped);
        }
        format!("{report:#}\n")
    }
}

/// Processor, cores and system, as they call themselves.
fn machine() -> String {
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".into());
    let cores = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{processor}, cores {}, Linux {}", cores.trim(), system.trim())
}

/// The first value of `name` in one of the system's tables.
pub fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
