//! The wall clock as an argument, so that expiry can be tested without waiting for it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Milliseconds since the Unix epoch, from the system or from a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// This machine's clock.
    pub fn system() -> Self {
        // Before 1970 and after the year 500 million are both answered with the nearest end.
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Self(Arc::new(move || u64::try_from(now()).unwrap_or(u64::MAX)))
    }

    /// A clock that shows what `hand` holds.
    pub fn by_hand(hand: Arc<AtomicU64>) -> Self {
        Self(Arc::new(move || hand.load(Ordering::SeqCst)))
    }

    /// Now, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now_ms())
    }
}
