//! Viewers of one film at once, each on a line of its own: how long the picture stands still, and whose bytes they get.
//!
//! ```text
//! place 0         town: answers of a validator and a controller                     not shaped
//! place 1 …       providers with the film on their disk                             5 Mbit/s each way
//! the others      viewers: `chainflix watch`, as it is, without proofs of view      5 Mbit/s each way
//! ```
//!
//! Viewers come one after the other within [`Plan::arrive_ms`], and all of them watch at once after that. What they share
//! are whole cells, once they have them: where everybody comes in the same moment, the providers' lines carry every byte.

use super::{
    film::Shape,
    lines::Lines,
    party::{Party, perform},
};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{env, path::Path, time::Duration};

/// Time beyond the film that a viewer may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Who is there, and what they watch.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub providers: u16,
    pub viewers: u16,
    pub film: Shape,
    /// Time within which the viewers come, evenly; 0 for all at once.
    pub arrive_ms: u64,
    /// Whether viewers share what they have.
    pub share: bool,
}

/// How one viewer saw the film.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// From the request to the first fragment.
    pub first_frame_ms: u64,
    /// Time that the picture stood still after it first moved.
    pub stalled_ms: u64,
    /// Bytes by provider, those of viewers behind them; nothing where nobody counts them.
    #[serde(default)]
    pub source_bytes: Vec<u64>,
}

/// What all viewers saw together.
pub struct Outcome {
    pub seen: Vec<Seen>,
    /// Viewers that did not see the film to its end.
    pub failed: usize,
    play_ms: u64,
}

impl Outcome {
    /// Reads what viewers of a film of `play_ms` told.
    pub fn new(told: Vec<Result<Value>>, play_ms: u64) -> Self {
        let (mut seen, mut failed) = (Vec::new(), 0);
        for one in told {
            match one.and_then(|told| Ok(serde_json::from_value(told)?)) {
                Ok(one) => seen.push(one),
                Err(error) => {
                    eprintln!("a viewer did not see the film: {error:#}");
                    failed += 1;
                }
            }
        }
        Self { seen, failed, play_ms }
    }

    /// Of all play time. Who did not see the film is counted as if it had stood still all the time.
    pub fn stall_percent(&self) -> f64 {
        let stalled_ms = self.seen.iter().map(|seen| seen.stalled_ms).sum::<u64>() + self.failed as u64 * self.play_ms;
        let play_ms = (self.seen.len() + self.failed) as u64 * self.play_ms;
        stalled_ms as f64 * 100.0 / play_ms as f64
    }

    /// Time to the first frame of the viewer at `percent` of all that saw it.
    pub fn first_frame_ms(&self, percent: usize) -> Result<f64> {
        let mut times: Vec<u64> = self.seen.iter().map(|seen| seen.first_frame_ms).collect();
        times.sort_unstable();
        times.get(times.len() * percent / 100).map(|ms| *ms as f64).context("nobody saw the film")
    }

    /// Of all bytes, those from the first provider.
    pub fn first_source_percent(&self) -> f64 {
        self.percent(|sources| sources.first())
    }

    /// Of all bytes, those from viewers.
    pub fn shared_percent(&self) -> f64 {
        self.percent(|sources| sources.last())
    }

    fn percent(&self, of: fn(&[u64]) -> Option<&u64>) -> f64 {
        let bytes = self.seen.iter().filter_map(|seen| of(&seen.source_bytes)).sum::<u64>();
        bytes as f64 * 100.0 / self.seen.iter().flat_map(|seen| &seen.source_bytes).sum::<u64>() as f64
    }
}

impl Plan {
    /// Lets everybody watch.
    pub fn perform(&self, lines: &Lines, folder: &Path) -> Result<Outcome> {
        let mut servers = vec![self.member(lines, 0, folder)?];
        for number in 1..=self.providers {
            servers.push(self.member(lines, number, folder)?);
        }
        let places = self.providers + 1..=self.providers + self.viewers;
        let mut viewers = places.map(|number| self.member(lines, number, folder)).collect::<Result<Vec<_>>>()?;
        let longest = Duration::from_millis(self.film.play_ms() + self.arrive_ms) + PATIENCE;
        Ok(Outcome::new(perform(&mut servers, &mut viewers, longest)?, self.film.play_ms()))
    }

    /// How long after the first one a viewer comes.
    pub fn arrival(&self, number: u16) -> Duration {
        let before = u64::from(number.saturating_sub(self.providers + 1));
        Duration::from_millis(self.arrive_ms * before / u64::from(self.viewers.max(1)))
    }

    fn member(&self, lines: &Lines, number: u16, folder: &Path) -> Result<Party> {
        let mut command = lines.command(number, env::current_exe().context("this program has no path")?);
        command.args(["member", "--plan", &serde_json::to_string(self)?, "--number", &number.to_string()]);
        command.arg("--folder").arg(folder);
        Party::start(format!("member {number}"), command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;
    use serde_json::json;

    #[test]
    fn who_saw_nothing_stood_still() {
        let one = json!({"first_frame_ms": 300, "stalled_ms": 0, "source_bytes": [10, 90]});
        let other = json!({"first_frame_ms": 100, "stalled_ms": 500, "source_bytes": [40, 60]});
        let told = || vec![Ok(one.clone()), Ok(other.clone())];
        let outcome = Outcome::new(told(), 10_000);
        assert_eq!((outcome.stall_percent(), outcome.first_source_percent()), (2.5, 25.0));
        assert_eq!(outcome.shared_percent(), 75.0);
        assert_eq!((outcome.first_frame_ms(0).unwrap(), outcome.first_frame_ms(50).unwrap()), (100.0, 300.0));
        let failed = (|| bail!("gone"))();
        let outcome = Outcome::new(told().into_iter().chain([failed, Ok(json!({}))]).collect(), 10_000);
        assert_eq!((outcome.failed, outcome.stall_percent()), (2, 51.25));
    }
}
