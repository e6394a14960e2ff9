//! How many viewers a film will have in the next hours: Holt and Winters' exponential smoothing with the shape of a day.
//!
//! ```text
//! viewers ─÷ season[time of day]─▶ level, growth ─ ahead ─× season[then] + spread ─▶ expected peak
//!    │            ▲ learns what each bin is against the day; begins with the shape of all films in the region
//!    └─ mean of a day
//! ```
//!
//! *Level* is how many watch apart from the time of day, *growth* how fast that changes (damped, so that a rush is not drawn
//! out into the sky), *season* what each quarter of an hour is against the mean of the last day, *spread* how wrong the
//! forecast was lately. The season is learnt against the slow mean and not, as Winters has it, against the level: a level
//! that follows a rush within half an hour swallows the evenings, too. A forecast is the highest value within the time that copies take to make, plus the spread. A new film has no day of
//! its own: it begins with its region's.
//!
//! Own code, because it is a page, and the one maintained Rust crate for this family (`augurs-ets`) has no seasons and fits
//! whole series; ours must take one number at a time for a hundred thousand films. Additions, multiplications and divisions
//! only: the same numbers give the same forecast in native code and in WASM.

use crate::Region;
use chainflix_primitives::Magnet;
use std::collections::BTreeMap;

/// Bins of a day: quarters of an hour.
pub const BINS: usize = 96;

/// Milliseconds of a bin.
pub const BIN_MS: u64 = 86_400_000 / BINS as u64;

/// How fast a forecaster learns. Parts are between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForecastRules {
    /// Part of a surprise that goes into the level.
    pub level: f64,
    /// Part of a change of level that goes into the growth.
    pub growth: f64,
    /// What is left of the growth a bin later.
    pub damping: f64,
    /// Part of a surprise that goes into the season.
    pub season: f64,
    /// Part of a surprise that goes into the spread.
    pub spread: f64,
    /// Spreads that are added to a forecast; counts of people jitter besides, by their square root.
    pub margin: f64,
    /// Bins that a forecast looks ahead: as long as copies take to make, and one for the counting.
    pub ahead: usize,
    /// Most films and regions with a forecaster; those beyond it are served by what is counted now.
    pub forecasters_max: usize,
}

impl Default for ForecastRules {
    fn default() -> Self {
        // Found by trying thirty sets on simulated traces (seeds 11 and 12; `docs/storage.md` has others).
        Self {
            level: 0.5,
            growth: 0.3,
            damping: 0.8,
            season: 0.3,
            spread: 0.1,
            margin: 1.5,
            ahead: 6,
            forecasters_max: 200_000,
        }
    }
}

/// The shape of a day: each bin against the mean of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Season(Box<[f32; BINS]>);

impl Default for Season {
    fn default() -> Self {
        Self(Box::new([1.0; BINS]))
    }
}

impl Season {
    fn at(&self, bin: u64) -> f64 {
        f64::from(self.0[(bin % BINS as u64) as usize])
    }

    fn learn(&mut self, bin: u64, seen: f64, part: f64) {
        let place = &mut self.0[(bin % BINS as u64) as usize];
        let known = f64::from(*place);
        // One rush, or one silent hour, is no habit.
        let learnt = known + part * (seen.clamp(known / 2.0, known * 2.0) - known);
        *place = learnt.clamp(0.1, 4.0) as f32;
    }
}

/// The forecaster of one film in one region, or of a whole region.
#[derive(Clone, Debug, Default)]
pub struct Forecaster {
    level: f64,
    growth: f64,
    spread: f64,
    season: Season,
    /// The mean of the last day, and how many of its bins there were.
    mean: f64,
    bins: u32,
    /// The bin after the last that was counted.
    next: u64,
}

impl Forecaster {
    /// One that begins with a day like `season`.
    pub fn new(season: Season) -> Self {
        Self { season, ..Self::default() }
    }

    /// Learns that `viewers` watched on average in `bin` (quarters of an hour since the epoch).
    pub fn observe(&mut self, bin: u64, viewers: f64, rules: &ForecastRules) {
        let expected = (self.level + self.growth) * self.season.at(bin);
        let plain = viewers / self.season.at(bin);
        let surprise = plain - (self.level + self.growth);
        let before = self.level;
        self.level = (before + self.growth + rules.level * surprise).max(0.0);
        self.growth = rules.damping * (self.growth + rules.growth * (self.level - before - self.growth));
        self.spread += rules.spread * ((viewers - expected).abs() - self.spread);
        self.bins = (self.bins + 1).min(BINS as u32);
        self.mean += (viewers - self.mean) / f64::from(self.bins);
        // Half a day has no mean, and a handful of viewers no shape.
        if self.bins == BINS as u32 && self.mean >= 2.0 {
            self.season.learn(bin, viewers / self.mean, rules.season);
        }
        self.next = bin + 1;
    }

    /// The most viewers to be expected in the next [`ForecastRules::ahead`] bins.
    pub fn peak(&self, rules: &ForecastRules) -> f64 {
        let (mut level, mut growth) = (self.level, self.growth);
        let mut peak = 0.0f64;
        for bin in self.next..self.next + rules.ahead as u64 {
            level += growth;
            growth *= rules.damping;
            peak = peak.max(level * self.season.at(bin));
        }
        // Counts of people jitter by their square root, even around a mean that is known.
        peak + rules.margin * (self.spread * self.spread + peak).sqrt()
    }

    /// What it takes for the shape of a day.
    pub fn season(&self) -> &Season {
        &self.season
    }

    fn is_idle(&self) -> bool {
        self.level < 0.01
    }
}

/// All forecasters of a controller.
#[derive(Clone, Debug)]
pub struct Forecasts {
    rules: ForecastRules,
    regions: BTreeMap<Region, Forecaster>,
    films: BTreeMap<(Magnet, Region), Forecaster>,
}

impl Forecasts {
    /// None yet.
    pub fn new(rules: ForecastRules) -> Self {
        Self { rules, regions: BTreeMap::new(), films: BTreeMap::new() }
    }

    /// Learns a whole bin: how many watched each film in each region. Who is not named had no viewer.
    pub fn observe(&mut self, bin: u64, counts: &BTreeMap<(Magnet, Region), f64>) {
        let mut sums: BTreeMap<Region, f64> = self.regions.keys().map(|region| (*region, 0.0)).collect();
        counts.iter().for_each(|((_, region), viewers)| *sums.entry(*region).or_default() += viewers);
        for (region, viewers) in sums {
            self.regions.entry(region).or_default().observe(bin, viewers, &self.rules);
        }
        for (key, forecaster) in &mut self.films {
            forecaster.observe(bin, counts.get(key).copied().unwrap_or_default(), &self.rules);
        }
        self.films.retain(|_, forecaster| !forecaster.is_idle());
        for ((magnet, region), viewers) in counts {
            if self.films.len() < self.rules.forecasters_max && !self.films.contains_key(&(*magnet, *region)) {
                let season = self.regions.get(region).map(|all| all.season.clone()).unwrap_or_default();
                let mut forecaster = Forecaster::new(season);
                forecaster.observe(bin, *viewers, &self.rules);
                self.films.insert((*magnet, *region), forecaster);
            }
        }
    }

    /// All that have a forecaster.
    pub fn films(&self) -> impl Iterator<Item = (Magnet, Region)> + '_ {
        self.films.keys().copied()
    }

    /// The most viewers of a film to be expected in a region; `None` where nobody watched it, or there are too many films.
    pub fn peak(&self, magnet: &Magnet, region: &Region) -> Option<f64> {
        Some(self.films.get(&(*magnet, *region))?.peak(&self.rules))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten viewers at night, a hundred in the evening.
    fn day(bin: u64) -> f64 {
        if (72..88).contains(&(bin % BINS as u64)) { 100.0 } else { 10.0 }
    }

    #[test]
    fn an_evening_is_expected_before_it_comes() {
        let rules = ForecastRules::default();
        let mut forecaster = Forecaster::default();
        let peak_before_evening = |forecaster: &mut Forecaster, day_number: u64| {
            (day_number * 96..day_number * 96 + 70).for_each(|bin| forecaster.observe(bin, day(bin), &rules));
            let peak = forecaster.peak(&rules);
            (day_number * 96 + 70..(day_number + 1) * 96).for_each(|bin| forecaster.observe(bin, day(bin), &rules));
            peak
        };
        let peaks: Vec<f64> = (0..14).map(|day_number| peak_before_evening(&mut forecaster, day_number)).collect();
        assert!(peaks[0] < 30.0, "nothing is known yet: {peaks:?}");
        assert!(peaks[13] > 70.0, "half an hour before: {peaks:?}");
    }

    #[test]
    fn growth_is_carried_on_and_ends() {
        let rules = ForecastRules::default();
        let mut forecaster = Forecaster::default();
        (0..6).for_each(|bin| forecaster.observe(bin, 20.0 * bin as f64, &rules));
        assert!(forecaster.peak(&rules) > 100.0, "{}", forecaster.peak(&rules));
        (6..200).for_each(|bin| forecaster.observe(bin, 100.0, &rules));
        assert!((100.0..120.0).contains(&forecaster.peak(&rules)), "and the jitter: {}", forecaster.peak(&rules));
        (200..400).for_each(|bin| forecaster.observe(bin, 0.0, &rules));
        assert!(forecaster.is_idle() && forecaster.peak(&rules) < 2.0);
    }

    #[test]
    fn a_new_film_begins_with_its_regions_day_and_the_forgotten_make_room() {
        let rules = ForecastRules { forecasters_max: 2, ..ForecastRules::default() };
        let mut forecasts = Forecasts::new(rules);
        let (kr, films) = ("kr".parse().unwrap(), [1, 2, 3].map(|number| Magnet([number; 32])));
        for bin in 0..96 * 10 {
            forecasts.observe(bin, &BTreeMap::from([((films[0], kr), day(bin))]));
        }
        // The film of the first ten days is seen no more; a new one comes an hour before the evening.
        for bin in 960..960 + 71 {
            let counts = (bin >= 960 + 67).then_some(((films[1], kr), 10.0));
            forecasts.observe(bin, &counts.into_iter().collect());
        }
        assert_eq!(forecasts.peak(&films[0], &kr), None);
        assert!(forecasts.peak(&films[1], &kr).unwrap() > 20.0, "{:?}", forecasts.peak(&films[1], &kr));
        let counts = films.map(|film| ((film, kr), 1.0)).into_iter().collect();
        forecasts.observe(1_031, &counts);
        assert_eq!(forecasts.films.len(), 2);
    }
}
