//! Measures time on a machine that has other things to do as well.
//!
//! What counts is the time in which this program ran or waited for its disk. Time in which it could have run and another
//! program had its core does not count: the scheduler keeps account of it. On a quiet machine there is none.

use std::{
    fs,
    time::{Duration, Instant},
};

/// A running measurement of this thread.
pub struct Stopwatch {
    began: Instant,
    waited: Duration,
}

impl Stopwatch {
    /// Starts one.
    pub fn start() -> Self {
        Self { began: Instant::now(), waited: waited() }
    }

    /// The time since then, as described above.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed().saturating_sub(waited() - self.waited)
    }
}

/// How long this thread has waited for a core since it began; nothing where the system does not tell.
fn waited() -> Duration {
    // Three numbers: nanoseconds on a core, nanoseconds waiting for one, times it was given one.
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time() {
        let watch = Stopwatch::start();
        let mut sum = 0u64;
        while watch.elapsed() < Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0 && watch.began.elapsed() >= Duration::from_millis(5));
    }
}
