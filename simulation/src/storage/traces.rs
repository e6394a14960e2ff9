//! How many watch, minute by minute: three shapes that recorded traffic of video services has.
//!
//! No recording is in the tree. The day is that of a large service in China (Yu, Zheng, Zhao, Zheng, "Understanding user
//! behavior in large-scale video-on-demand systems", EuroSys 2006: lowest at five in the morning, a hump at noon, highest at
//! nine in the evening). A rush doubles every few minutes and dies away as a power of time (Crane and Sornette, "Robust
//! dynamic classes revealed by measuring the response function of a social system", PNAS 2008). Films of a catalogue follow
//! Zipf's law (Gill, Arlitt, Li, Mahanti, "YouTube traffic characterization", IMC 2007). Arrivals are Poisson, half an hour
//! is a stay: real counts jitter, and so do these.

use chainflix_placement::draw::Lot;
use chainflix_primitives::BlockHash;

/// Minutes of a day.
pub const DAY: usize = 1_440;
/// Days of a trace.
pub const DAYS: usize = 14;
/// Mean stay of a viewer, in minutes.
const STAY: f64 = 30.0;

/// A part of the evening's peak, by the hour.
const HOURS: [f64; 24] = [
    0.62, 0.42, 0.28, 0.19, 0.14, 0.12, 0.14, 0.20, 0.28, 0.35, 0.42, 0.50, 0.60, 0.62, 0.55, 0.50, 0.49, 0.52, 0.62,
    0.78, 0.93, 1.00, 0.97, 0.82,
];

/// Viewers of some films in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What a table calls it.
    pub name: &'static str,
    /// For each film, its viewers in each minute.
    pub films: Vec<Vec<u32>>,
}

/// All traces of a seed.
pub fn all(seed: u8) -> [Trace; 3] {
    let seed = BlockHash([seed; 32]);
    [
        Trace {
            name: "diurnal",
            films: (0..4).map(|film| watch(&seed, "diurnal", film, |at| 200.0 * hour(at))).collect(),
        },
        Trace { name: "flash crowd", films: (0..4).map(|film| flash_crowd(&seed, film)).collect() },
        Trace { name: "long tail", films: (0..200).map(|film| long_tail(&seed, film)).collect() },
    ]
}

/// A quiet film with a rush on one day, at any hour.
fn flash_crowd(seed: &BlockHash, film: u32) -> Vec<u32> {
    let lot = lot(seed, "rush", film);
    let start = 2 * DAY + lot.below(0, 9 * DAY as u64) as usize;
    // It doubles every 12 to 32 minutes, up to 300 to 900 viewers.
    let (doubling, top) = (12.0 + lot.below(1, 21) as f64, 300.0 + lot.below(2, 601) as f64);
    let rising = doubling * (top / 5.0).log2();
    let rush = move |at: usize| match at.checked_sub(start) {
        None => 0.0,
        Some(minutes) if (minutes as f64) < rising => 5.0 * (minutes as f64 / doubling).exp2(),
        // Half of it after two hours.
        Some(minutes) => top * (1.0 + (minutes as f64 - rising) / 60.0).powf(-0.63),
    };
    watch(seed, "flash crowd", film, move |at| 5.0 * hour(at) + rush(at))
}

/// A film of a catalogue: the first has 60 viewers in the evening, the others ever fewer.
fn long_tail(seed: &BlockHash, film: u32) -> Vec<u32> {
    let peak = 60.0 * f64::from(film + 1).powf(-0.8);
    watch(seed, "long tail", film, move |at| peak * hour(at))
}

/// Viewers who come by chance, so that `mean` are there on average, and stay for a while.
fn watch(seed: &BlockHash, name: &str, film: u32, mean: impl Fn(usize) -> f64) -> Vec<u32> {
    let lot = lot(seed, name, film);
    let mut draws = (0u64..).map(|number| (lot.of(number) >> 11) as f64 / (1u64 << 53) as f64);
    let mut there = poisson(mean(0), &mut draws);
    let minute = |at| {
        let leaving = poisson(f64::from(there) / STAY, &mut draws).min(there);
        there = there - leaving + poisson(arrivals(&mean, at), &mut draws);
        there
    };
    (0..DAYS * DAY).map(minute).collect()
}

/// What must come in a minute for the mean to move as it shall.
fn arrivals(mean: &impl Fn(usize) -> f64, at: usize) -> f64 {
    (mean(at) / STAY + mean(at + 1) - mean(at)).max(0.0)
}

/// The time of day's part, drawn out between the hours.
fn hour(at: usize) -> f64 {
    let minutes = at % DAY;
    let (this, next) = (HOURS[minutes / 60], HOURS[(minutes / 60 + 1) % 24]);
    this + (next - this) * (minutes % 60) as f64 / 60.0
}

/// Knuth's method, in steps that a double can hold.
fn poisson(mean: f64, draws: &mut impl Iterator<Item = f64>) -> u32 {
    let mut count = 0;
    let mut left = mean;
    while left > 0.0 {
        let step = left.min(500.0);
        left -= step;
        let end = (-step).exp();
        let mut product = draws.next().unwrap_or_default();
        while product > end {
            count += 1;
            product *= draws.next().unwrap_or_default();
        }
    }
    count
}

fn lot(seed: &BlockHash, name: &str, film: u32) -> Lot {
    Lot::new("chainflix 2026 simulation traces v1", seed, &[name.as_bytes(), &film.to_le_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_have_their_shapes() {
        let [diurnal, crowd, tail] = all(1);
        let mean = |film: &[u32], from: usize, to: usize| {
            let days = (0..DAYS).flat_map(|day| &film[day * DAY + from * 60..day * DAY + to * 60]);
            days.map(|viewers| f64::from(*viewers)).sum::<f64>() / (DAYS * (to - from) * 60) as f64
        };
        let (night, evening) = (mean(&diurnal.films[0], 4, 6), mean(&diurnal.films[0], 20, 22));
        assert!((180.0..210.0).contains(&evening) && (20.0..40.0).contains(&night), "{night} {evening}");
        for film in &crowd.films {
            let top = film.iter().max().copied().unwrap_or_default();
            assert!((250..1_000).contains(&top) && film[..2 * DAY].iter().all(|viewers| *viewers < 25), "{top}");
        }
        assert!(mean(&tail.films[199], 0, 24) < 1.0 && mean(&tail.films[0], 0, 24) > 25.0);
        assert_eq!(all(1)[2], tail, "the same seed");
        assert_ne!(all(2)[2], tail);
    }
}
