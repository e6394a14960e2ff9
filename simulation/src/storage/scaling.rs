//! Copies follow a strategy through a trace, minute by minute.
//!
//! Every five minutes a strategy says how many viewers it reckons with, and the network's own [`Target`] turns them into
//! copies: a floor, more at once, fewer after a delay. New copies take time: their bytes come from the copies there are, each
//! at the rate that repair may take of a source, and reach a new disk at most at the rate of a target. A viewer beyond what the
//! copies can serve stalls for the minute. Viewers do not help each other here, and stay although they stall: both count
//! against every strategy alike.

use super::traces::Trace;
use chainflix_placement::{
    Region,
    forecast::{ForecastRules, Forecasts},
    repair::RepairRules,
    target::{Target, TargetRules},
};
use chainflix_primitives::Magnet;
use std::collections::BTreeMap;

/// Bytes of a film: ninety minutes of 3 Mbit/s.
const FILM_BYTES: f64 = 90.0 * 60.0 * 375_000.0;
/// Minutes between two decisions.
const DECISION: usize = 5;
/// Minutes of a forecaster's bin.
const BIN: usize = 15;
const MINUTE_MS: u64 = 60_000;

/// How a film's viewers are reckoned with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strategy {
    /// Not at all: the same number of copies all the time.
    Fixed(u8),
    /// Those who are there now, times a factor.
    Reactive(f64),
    /// The most that the forecast expects while copies are made, and never fewer than are there.
    Forecast,
}

/// The rules that are simulated: the network's defaults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Copies for viewers.
    pub target: TargetRules,
    /// How fast copies are made.
    pub repair: RepairRules,
    /// How the forecaster learns.
    pub forecast: ForecastRules,
}

/// What a strategy came to in a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Seconds in which somebody watched, stalled or not.
    pub watched_s: f64,
    /// Seconds of those in which he stalled.
    pub stalled_s: f64,
    /// Copies of all films that were stored, whole or in the making, on average over time.
    pub copies: f64,
    /// Copies that were made.
    pub made: f64,
}

impl Outcome {
    /// Stalled seconds for each copy stored: the less, the better each copy's place on a disk was used.
    pub fn stall_s_per_copy(&self) -> f64 {
        self.stalled_s / self.copies
    }

    /// The part of play time that was stalled, in percent.
    pub fn stalled_percent(&self) -> f64 {
        100.0 * self.stalled_s / self.watched_s
    }

    fn add(&mut self, other: &Self) {
        self.watched_s += other.watched_s;
        self.stalled_s += other.stalled_s;
        self.copies += other.copies;
        self.made += other.made;
    }
}

/// Runs a strategy through a trace.
pub fn run(trace: &Trace, strategy: Strategy, rules: &Rules) -> Outcome {
    let region: Region = "kr-11".parse().unwrap_or_default();
    let mut forecasts = Forecasts::new(rules.forecast);
    let mut films: Vec<Film> = trace.films.iter().map(|_| Film::new(strategy, rules)).collect();
    let minutes = trace.films.first().map_or(0, Vec::len);
    for minute in 0..minutes {
        if strategy == Strategy::Forecast && minute % BIN == 0 && minute > 0 {
            let counted = trace.films.iter().map(|viewers| mean(&viewers[minute - BIN..minute]));
            let counts: BTreeMap<_, _> =
                (0..).map(magnet).zip(counted).map(|(film, mean)| ((film, region), mean)).collect();
            // A quarter of an hour since midnight of the first day.
            forecasts.observe((minute / BIN) as u64 - 1, &counts);
        }
        for (number, (film, viewers)) in (0..).zip(films.iter_mut().zip(&trace.films)) {
            // A count is a minute old.
            let now = f64::from(viewers[minute.saturating_sub(1)]);
            if minute % DECISION == 0 {
                let expected = match strategy {
                    Strategy::Fixed(_) => 0.0,
                    Strategy::Reactive(factor) => now * factor,
                    Strategy::Forecast => forecasts.peak(&magnet(number), &region).unwrap_or_default().max(now),
                };
                film.decide(minute as u64 * MINUTE_MS, region, expected, rules);
            }
            film.minute(viewers[minute], rules);
        }
    }
    let mut sum = Outcome::default();
    films.iter().for_each(|film| sum.add(&film.outcome));
    sum.copies /= minutes.max(1) as f64;
    sum
}

fn mean(viewers: &[u32]) -> f64 {
    viewers.iter().map(|count| f64::from(*count)).sum::<f64>() / viewers.len().max(1) as f64
}

fn magnet(number: u32) -> Magnet {
    let mut magnet = [0; 32];
    magnet[..4].copy_from_slice(&number.to_le_bytes());
    Magnet(magnet)
}

/// One film's copies.
struct Film {
    target: Target,
    wanted: usize,
    least: usize,
    whole: usize,
    /// Bytes that each copy in the making still lacks, the oldest first.
    making: Vec<f64>,
    outcome: Outcome,
}

impl Film {
    fn new(strategy: Strategy, rules: &Rules) -> Self {
        let least = match strategy {
            Strategy::Fixed(copies) => copies,
            _ => rules.target.floor,
        };
        let (target, least) = (Target::default(), usize::from(least));
        Self { target, wanted: least, least, whole: least, making: Vec::new(), outcome: Outcome::default() }
    }

    fn decide(&mut self, now_ms: u64, region: Region, expected: f64, rules: &Rules) {
        // A count of people.
        let viewers = expected.ceil() as u32;
        let wants = self.target.update(now_ms, &[(region, viewers)], &rules.target);
        self.wanted = usize::from(wants.total).max(self.least);
        // Copies in the making are given up first: nobody is served by them.
        self.making.truncate(self.wanted.saturating_sub(self.whole));
        self.whole = self.whole.min(self.wanted);
        let begun = self.wanted - self.whole - self.making.len();
        self.making.extend(std::iter::repeat_n(FILM_BYTES, begun));
        self.outcome.made += begun as f64;
    }

    fn minute(&mut self, viewers: u32, rules: &Rules) {
        let served = self.whole as f64 * f64::from(rules.target.viewers_per_copy);
        self.outcome.watched_s += 60.0 * f64::from(viewers);
        self.outcome.stalled_s += 60.0 * (f64::from(viewers) - served).max(0.0);
        self.outcome.copies += (self.whole + self.making.len()) as f64;
        let mut sources = 60.0 * self.whole as f64 * rules.repair.source_bytes_per_s as f64;
        for lacking in &mut self.making {
            let part = (60.0 * rules.repair.target_bytes_per_s as f64).min(sources).min(*lacking);
            *lacking -= part;
            sources -= part;
        }
        let before = self.making.len();
        self.making.retain(|lacking| *lacking > 0.0);
        self.whole += before - self.making.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(viewers: u32, minutes: usize) -> Trace {
        Trace { name: "flat", films: vec![vec![viewers; minutes]] }
    }

    #[test]
    fn the_floor_serves_fifteen_and_no_more() {
        let rules = Rules::default();
        let none = run(&flat(15, 600), Strategy::Fixed(3), &rules);
        assert_eq!((none.stalled_s, none.copies, none.made), (0.0, 3.0, 0.0));
        let short = run(&flat(20, 600), Strategy::Fixed(3), &rules);
        assert_eq!((short.stalled_percent(), short.stall_s_per_copy()), (25.0, 5.0 * 60.0 * 200.0));
    }

    #[test]
    fn a_copy_takes_its_time() {
        let rules = Rules::default();
        let reactive = run(&flat(20, 600), Strategy::Reactive(1.0), &rules);
        // 2 GB at 10 Mbit/s are 27 minutes; then four copies serve twenty viewers.
        assert_eq!((reactive.stalled_s, reactive.made), (27.0 * 5.0 * 60.0, 1.0));
    }
}
