//! From viewers to wanted copies: forecasts and targets of all films, as one state machine.
//!
//! ```text
//! every quarter of an hour   counts ─▶ observe ─▶ forecasts
//! every few minutes          counts ─▶ wanted ──▶ the larger of forecast and count ─▶ targets ─▶ Event::Wanted, where it changed
//! ```
//!
//! A film that nobody watches any more is back at the floor when its delays are over, and then forgotten. So there are never
//! more films than are watched now, are in the forecasts, or wait for a delay to end.

use crate::{
    Event, Region, Wants,
    forecast::{ForecastRules, Forecasts},
    target::{Target, TargetRules},
};
use chainflix_primitives::Magnet;
use std::collections::{BTreeMap, BTreeSet};

/// The demand for all films.
#[derive(Clone, Debug)]
pub struct Demand {
    rules: TargetRules,
    forecasts: Forecasts,
    films: BTreeMap<Magnet, (Target, Wants)>,
}

impl Demand {
    /// Of films that nobody has watched yet.
    pub fn new(target: TargetRules, forecast: ForecastRules) -> Self {
        Self { rules: target, forecasts: Forecasts::new(forecast), films: BTreeMap::new() }
    }

    /// Learns who watched on average in a whole bin ([`Forecasts::observe`]).
    pub fn observe(&mut self, bin: u64, counts: &BTreeMap<(Magnet, Region), f64>) {
        self.forecasts.observe(bin, counts);
    }

    /// The films that want another number of copies than before, when so many watch at `now_ms`.
    pub fn wanted(&mut self, now_ms: u64, counts: &BTreeMap<(Magnet, Region), u32>) -> Vec<Event> {
        let places: BTreeSet<(Magnet, Region)> = counts.keys().copied().chain(self.forecasts.films()).collect();
        let mut demand: BTreeMap<Magnet, Vec<(Region, u32)>> = BTreeMap::new();
        for (magnet, region) in places {
            let now = counts.get(&(magnet, region)).copied().unwrap_or_default();
            // People are counted in whole numbers.
            let expected = self.forecasts.peak(&magnet, &region).unwrap_or_default().ceil() as u32;
            demand.entry(magnet).or_default().push((region, now.max(expected)));
        }
        let films: BTreeSet<Magnet> = self.films.keys().chain(demand.keys()).copied().collect();
        let changed = |magnet| self.change(now_ms, magnet, demand.get(&magnet).map_or(&[][..], Vec::as_slice));
        films.into_iter().filter_map(changed).collect()
    }

    fn change(&mut self, now_ms: u64, magnet: Magnet, demand: &[(Region, u32)]) -> Option<Event> {
        let floor = Wants { total: self.rules.floor, regional: Vec::new() };
        let (target, before) = self.films.entry(magnet).or_insert_with(|| (Target::default(), floor.clone()));
        let wants = target.update(now_ms, demand, &self.rules);
        let changed = (wants != *before).then(|| Event::Wanted { magnet, wants: wants.clone() });
        *before = wants;
        if *before == floor && demand.is_empty() {
            self.films.remove(&magnet);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn only_changes_are_told_and_the_forgotten_leave_nothing() {
        let mut demand = Demand::new(TargetRules::default(), ForecastRules::default());
        let (film, kr): (Magnet, Region) = (Magnet([1; 32]), "kr".parse().unwrap());
        let counts = |viewers| BTreeMap::from([((film, kr), viewers)]);
        assert_eq!(demand.wanted(0, &counts(10)), [], "the floor serves them");
        let wants = Wants { total: 8, regional: vec![(kr, 8)] };
        assert_eq!(demand.wanted(1, &counts(40)), [Event::Wanted { magnet: film, wants }]);
        assert_eq!(demand.wanted(2, &counts(40)), []);
        assert_eq!(demand.wanted(HOUR_MS, &BTreeMap::new()), [], "the delay");
        let floor = Event::Wanted { magnet: film, wants: Wants { total: 3, regional: vec![] } };
        assert_eq!(demand.wanted(5 * HOUR_MS, &BTreeMap::new()), [floor]);
        assert!(demand.films.is_empty());
    }

    #[test]
    fn what_is_expected_counts_like_who_is_there() {
        let mut demand = Demand::new(TargetRules::default(), ForecastRules::default());
        let place = (Magnet([1; 32]), "kr".parse().unwrap());
        (0..8u32).for_each(|bin| demand.observe(bin.into(), &BTreeMap::from([(place, f64::from(10 * bin))])));
        let Some(Event::Wanted { wants, .. }) = demand.wanted(0, &BTreeMap::from([(place, 70)])).pop() else {
            panic!("it is watched by many");
        };
        assert!(wants.total > 14, "seventy are there, and more will come: {wants:?}");
    }
}
