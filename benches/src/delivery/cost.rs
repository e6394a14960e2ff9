//! What something cost: bytes, time, and the processor's time of this process.

use anyhow::{Context as _, Result};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Ticks of a second in /proc: the same on every Linux, whatever the kernel's own are (proc(5), `USER_HZ`).
const TICKS_PER_S: u64 = 100;

/// A running measurement.
pub struct Meter {
    began: Instant,
    cpu: Duration,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub bytes: u64,
    pub time: Duration,
    /// Of all threads of this process, in the kernel and outside.
    pub cpu: Duration,
}

impl Meter {
    pub fn start() -> Result<Self> {
        Ok(Self { began: Instant::now(), cpu: cpu()? })
    }

    /// The cost of `bytes` since then.
    pub fn stop(self, bytes: u64) -> Result<Cost> {
        Ok(Cost { bytes, time: self.began.elapsed(), cpu: cpu()?.saturating_sub(self.cpu) })
    }
}

impl Cost {
    pub fn mb_per_s(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.time.as_secs_f64()
    }

    pub fn cpu_s_per_gb(&self) -> f64 {
        self.cpu.as_secs_f64() / (self.bytes as f64 / 1e9)
    }
}

/// The middle one; of an even number the upper of the two. `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn cpu() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").context("the system does not tell a process' time")?;
    ticks(&stat)
        .map(|ticks| Duration::from_millis(ticks * 1_000 / TICKS_PER_S))
        .with_context(|| format!("not a process' state: {stat}"))
}

/// User and system time of `/proc/<pid>/stat`, which is fields 14 and 15; the name, field 2, may hold spaces.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_state_is_read_behind_its_name() {
        let stat = "7 (a name) 1) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 1";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("7 (name) S 1"), None);
        assert!(cpu().is_ok());
    }

    #[test]
    fn a_median_is_one_of_them() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
