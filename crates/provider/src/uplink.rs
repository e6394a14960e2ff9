//! How much of its line a provider gives, to whom first, and when.
//!
//! ```text
//! deliveries ─ turn(due, bytes) ─▶ waiting, the earliest due first ─▶ when the line is free ─▶ it may write
//! ```
//!
//! One limit for all deliveries together (the generic cell rate algorithm, by `governor`), and one queue before it. A
//! frame is due when its fragment would be played, had its viewer begun to watch when it asked: so the first picture of one
//! goes before what another has to spare, and everybody is equally far ahead. That counts for a second either way and no
//! more: a viewer that hears nothing for long goes elsewhere. In quiet hours no delivery begins and nothing
//! is stored; what runs ends. Without a limit there is no queue: then the line is shared by whoever is below us.

use chainflix_primitives::CHUNK_BYTES;
use chrono::{NaiveTime, Timelike as _};
use governor::{DefaultDirectRateLimiter, Quota, clock::Clock as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroU32,
    str::FromStr,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Most chunks that go out in one turn.
const FRAME_CHUNKS: u64 = 16;
/// A turn keeps the next one waiting for no longer than this, where a chunk is not longer.
const TURN_MS: u64 = 40;
/// How much earlier or later than asked for a turn may be due.
const HURRY: Duration = Duration::from_secs(1);
/// Longest round in which everybody gets a turn; with more deliveries than that their viewers would think we are gone.
const ROUND_MS: u64 = 2_000;
/// Of every 16 bytes that are sent, headers of Ethernet, IP, UDP and QUIC cost another one at most.
const PAYLOAD_PER_HEADER: usize = 16;
/// Turns that are asked for and not looked at yet. One more waits with its question.
const TURNS_MAX: usize = 64;
/// Minutes of a day.
const DAY_MINUTES: u32 = 24 * 60;

/// A limit on what is sent. Dropping it ends its queue.
pub(crate) struct Uplink(Option<Line>);

struct Line {
    turns: mpsc::Sender<Turn>,
    queue: JoinHandle<()>,
    frame_chunks: u64,
    deliveries_max: usize,
}

/// Somebody's wish to send.
struct Turn {
    due: Instant,
    bytes: NonZeroU32,
    granted: oneshot::Sender<()>,
}

impl Uplink {
    /// So many bytes a second, headers included; 0 for no limit.
    pub fn new(bytes_per_s: u64) -> Self {
        let Some(rate) = NonZeroU32::new(u32::try_from(bytes_per_s).unwrap_or(u32::MAX)) else { return Self(None) };
        let bytes_per_s = u64::from(rate.get());
        let frame_chunks = (bytes_per_s * TURN_MS / 1_000 / CHUNK_BYTES).clamp(1, FRAME_CHUNKS);
        // Two turns at once: the line does not stand still between them.
        let burst_bytes = 2 * on_the_line((frame_chunks * CHUNK_BYTES) as usize).get();
        let burst = NonZeroU32::new(burst_bytes).unwrap_or(NonZeroU32::MIN);
        let limiter = DefaultDirectRateLimiter::direct(Quota::per_second(rate).allow_burst(burst));
        let (turns, asked) = mpsc::channel(TURNS_MAX);
        let round_bytes = bytes_per_s * ROUND_MS / 1_000;
        let deliveries_max = usize::try_from(round_bytes / (frame_chunks * CHUNK_BYTES)).unwrap_or(usize::MAX).max(1);
        let queue = tokio::spawn(take_turns(limiter, asked));
        Self(Some(Line { turns, queue, frame_chunks, deliveries_max }))
    }

    /// Chunks that may go out in one turn.
    pub fn frame_chunks(&self) -> u64 {
        self.0.as_ref().map_or(FRAME_CHUNKS, |line| line.frame_chunks)
    }

    /// Deliveries that the line carries at a time.
    pub fn deliveries_max(&self) -> usize {
        self.0.as_ref().map_or(usize::MAX, |line| line.deliveries_max)
    }

    /// Waits until `bytes`, a frame at most, may be sent, which are due at `due`.
    pub async fn turn(&self, due: Instant, bytes: usize) {
        let Some(line) = &self.0 else { return };
        let (granted, turn) = oneshot::channel();
        let due = counted(due, Instant::now());
        // The queue ends with this.
        let _asked = line.turns.send(Turn { due, bytes: on_the_line(bytes), granted }).await;
        let _granted = turn.await;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.queue.abort();
    }
}

/// What counts of when a turn is due, where it is asked for `now`: whoever fell behind by more than [`HURRY`] goes no more before
/// the others than that, and whoever is ahead by more waits no longer.
fn counted(due: Instant, now: Instant) -> Instant {
    due.clamp(now.checked_sub(HURRY).unwrap_or(now), now + HURRY)
}

/// What `bytes` take of a line, with their headers.
fn on_the_line(bytes: usize) -> NonZeroU32 {
    let with_headers = bytes + bytes.div_ceil(PAYLOAD_PER_HEADER);
    u32::try_from(with_headers).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

/// Grants turns, the earliest due first, until nobody can ask any more.
async fn take_turns(limiter: DefaultDirectRateLimiter, mut asked: mpsc::Receiver<Turn>) {
    let mut waiting = Waiting::default();
    loop {
        while let Ok(turn) = asked.try_recv() {
            waiting.add(turn);
        }
        let wait = match waiting.next_bytes().map(|bytes| limiter.check_n(bytes)) {
            Some(Ok(Err(wait))) => wait.wait_time_from(limiter.clock().now()),
            // More than the burst is no frame of ours: nothing is gained by keeping it.
            Some(Ok(Ok(())) | Err(_)) => {
                waiting.grant_next();
                continue;
            }
            None => Duration::MAX,
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            turn = asked.recv() => match turn {
                Some(turn) => waiting.add(turn),
                None => return,
            },
        }
    }
}

/// Who waits, in the order of their turns: as many as there are deliveries.
#[derive(Default)]
struct Waiting {
    turns: BTreeMap<(Instant, u64), Turn>,
    asked: u64,
}

impl Waiting {
    /// Of two that are due at once, the first to ask goes first.
    fn add(&mut self, turn: Turn) {
        self.asked += 1;
        self.turns.insert((turn.due, self.asked), turn);
    }

    /// What goes out next; whoever does not wait any more is left out.
    fn next_bytes(&mut self) -> Option<NonZeroU32> {
        while let Some(first) = self.turns.first_entry() {
            if !first.get().granted.is_closed() {
                return Some(first.get().bytes);
            }
            first.remove();
        }
        None
    }

    fn grant_next(&mut self) {
        if let Some((_, turn)) = self.turns.pop_first() {
            let _gone = turn.granted.send(());
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
        // Two senders of a MiB each: beyond the burst it takes 440 ms at least, however fast the machine is.
        let send = async || {
            for _ in 0..8 {
                uplink.turn(started, 128 << 10).await;
            }
        };
        tokio::join!(send(), send());
        assert!(started.elapsed() >= Duration::from_millis(440), "{:?}", started.elapsed());
        Uplink::new(0).turn(started, usize::MAX).await;
    }

    #[test]
    fn a_slow_line_sends_small_frames_to_few() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _inside = runtime.enter();
        let of = |bytes_per_s| {
            let uplink = Uplink::new(bytes_per_s);
            (uplink.frame_chunks(), uplink.deliveries_max())
        };
        assert_eq!([0, 1_000, 600_000, 2_000_000].map(of), [(FRAME_CHUNKS, usize::MAX), (1, 1), (1, 73), (4, 61)]);
        assert_eq!(of(1 << 30).0, FRAME_CHUNKS);
    }

    #[test]
    fn an_hour_behind_counts_as_much_as_a_second() {
        let (now, hour) = (Instant::now() + Duration::from_secs(7_200), Duration::from_secs(3_600));
        for (due, as_if) in [(now - hour, now - HURRY), (now + hour, now + HURRY), (now + HURRY / 2, now + HURRY / 2)] {
            assert_eq!(counted(due, now), as_if);
        }
        // So a newcomer that has waited for two seconds goes before somebody who fell behind for good.
        assert!(counted(now, now) < counted(now - hour, now + 2 * HURRY));
    }

    #[test]
    fn the_earliest_due_goes_first_and_who_left_is_left_out() {
        let (now, mut waiting) = (Instant::now(), Waiting::default());
        let mut turns: Vec<_> = [3, 1, 2, 1]
            .map(|due_s| {
                let (granted, turn) = oneshot::channel();
                waiting.add(Turn { due: now + Duration::from_secs(due_s), bytes: on_the_line(16), granted });
                turn
            })
            .into();
        // The first of the two that are due after a second goes away.
        drop(turns.remove(1));
        let order: Vec<_> = std::iter::from_fn(|| {
            waiting.next_bytes()?;
            waiting.grant_next();
            turns.iter_mut().position(|turn| turn.try_recv().is_ok())
        })
        .collect();
        assert_eq!(order, [2, 1, 0]);
    }
}
