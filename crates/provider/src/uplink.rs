//! How much of its line a provider gives, and when.
//!
//! One limit for all deliveries together (the generic cell rate algorithm, by `governor`): each frame waits for its turn,
//! so deliveries share the line frame by frame. In quiet hours no delivery begins and nothing is stored; what runs ends.

use chrono::{NaiveTime, Timelike as _};
use governor::{DefaultDirectRateLimiter, Quota, clock::Clock as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, num::NonZeroU32, str::FromStr};

/// The most that is ever sent at once: the frames of a delivery fit.
const BURST_BYTES: u32 = 256 << 10;
/// Minutes of a day.
const DAY_MINUTES: u32 = 24 * 60;

/// A limit on what is sent.
pub(crate) struct Uplink(Option<DefaultDirectRateLimiter>);

impl Uplink {
    /// So many bytes a second; 0 for no limit.
    pub fn new(bytes_per_s: u64) -> Self {
        let rate = NonZeroU32::new(u32::try_from(bytes_per_s).unwrap_or(u32::MAX));
        let burst = NonZeroU32::new(BURST_BYTES).unwrap_or(NonZeroU32::MAX);
        Self(rate.map(|rate| DefaultDirectRateLimiter::direct(Quota::per_second(rate).allow_burst(burst))))
    }

    /// Waits until `bytes` may be sent.
    pub async fn ready(&self, bytes: usize) {
        let Some(limiter) = &self.0 else { return };
        // Frames are smaller than the burst; a larger one would be told so at once, and goes in parts.
        let mut left = u32::try_from(bytes).unwrap_or(u32::MAX);
        while let Some(part) = NonZeroU32::new(left.min(BURST_BYTES)) {
            match limiter.check_n(part) {
                Ok(Ok(())) => left -= part.get(),
                Ok(Err(wait)) => tokio::time::sleep(wait.wait_time_from(limiter.clock().now())).await,
                // Not more than the burst, as above.
                Err(_) => return,
            }
        }
    }
}

/// Hours of each day in which a provider rests, by its own clock: `22:30-06:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    from_minute: u32,
    to_minute: u32,
}

/// A text is not a span of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("quiet hours are written like 22:30-06:00")]
pub struct QuietHoursError;

impl QuietHours {
    /// Whether `time` is within.
    pub fn contain(&self, time: NaiveTime) -> bool {
        let since = (time.hour() * 60 + time.minute() + DAY_MINUTES - self.from_minute) % DAY_MINUTES;
        since < (self.to_minute + DAY_MINUTES - self.from_minute) % DAY_MINUTES
    }
}

impl FromStr for QuietHours {
    type Err = QuietHoursError;

    fn from_str(text: &str) -> Result<Self, QuietHoursError> {
        let minute = |text: &str| {
            let time = NaiveTime::parse_from_str(text.trim(), "%H:%M").map_err(|_| QuietHoursError)?;
            Ok(time.hour() * 60 + time.minute())
        };
        let (from, to) = text.split_once('-').ok_or(QuietHoursError)?;
        let (from_minute, to_minute) = (minute(from)?, minute(to)?);
        // An empty span is a mistake; a whole day would be a provider that is none.
        if from_minute == to_minute { Err(QuietHoursError) } else { Ok(Self { from_minute, to_minute }) }
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_minute, to_minute } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from_minute / 60, from_minute % 60, to_minute / 60, to_minute % 60)
    }
}

impl Serialize for QuietHours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for QuietHours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn at(text: &str) -> NaiveTime {
        NaiveTime::parse_from_str(text, "%H:%M").unwrap()
    }

    #[test]
    fn quiet_hours_cross_midnight_and_come_back_as_text() {
        let night: QuietHours = "22:30-06:00".parse().unwrap();
        let day: QuietHours = " 09:00 - 17:15 ".parse().unwrap();
        for (time, quiet) in [("22:29", false), ("22:30", true), ("00:00", true), ("05:59", true), ("06:00", false)] {
            assert_eq!(night.contain(at(time)), quiet, "{time}");
        }
        assert!(day.contain(at("17:14")) && !day.contain(at("17:15")) && !day.contain(at("08:59")));
        assert_eq!((night.to_string(), day.to_string()), ("22:30-06:00".into(), "09:00-17:15".into()));
        for wrong in ["", "22:30", "25:00-06:00", "06:00-06:00", "six-seven"] {
            assert_eq!(wrong.parse::<QuietHours>(), Err(QuietHoursError), "{wrong}");
        }
    }

    #[tokio::test]
    async fn all_senders_together_keep_to_the_limit() {
        let uplink = Uplink::new(4 << 20);
        let started = Instant::now();
        // Two senders of a MiB each: beyond the burst it takes 448 ms at least, however fast the machine is.
        let send = async || {
            for _ in 0..8 {
                uplink.ready(128 << 10).await;
            }
        };
        tokio::join!(send(), send());
        assert!(started.elapsed() >= Duration::from_millis(430), "{:?}", started.elapsed());
        Uplink::new(0).ready(usize::MAX).await;
    }
}
