//! From viewers to wanted copies: forecasts and targets of all films, as one state machine.
//!
//! ```text
//! every quarter of an hour   counts ─▶ observe ─▶ forecasts
//! every few minutes          counts ─▶ wanted ──▶ the larger of forecast and count ─┬▶ targets ─▶ Event::Wanted, where it changed
//!                                                                                   └▶ cold ────▶ Event::Coded: too many
//! as often as one likes               ripe ────▶ a year without a crowd ───────────────▶ cold ────▶ Event::Coded
//! ```
//!
//! A film that is kept as stripes wants as many copies of its cells as its viewers need, anywhere, and none without viewers.
//!
//! A film that nobody watches any more is back at the floor when its delays are over, and then forgotten. So there are never
//! more films than are watched now, are in the forecasts, or wait for a delay to end.

use crate::{
    Event, Region, Wants,
    cold::{Cold, ColdRules, Quiet},
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
    cold: Cold,
}

/// Films that become stripes in one step: the picture weighs all their cells.
const RIPE_MAX: usize = 64;

impl Demand {
    /// Of films that nobody has watched yet.
    pub fn new(target: TargetRules, forecast: ForecastRules, cold: ColdRules) -> Self {
        Self { rules: target, forecasts: Forecasts::new(forecast), films: BTreeMap::new(), cold: Cold::new(cold) }
    }

    /// A film that has parity is there to be watched. Answers what follows for one that was cold before a restart.
    pub fn enter(&mut self, now_ms: u64, magnet: Magnet) -> Option<Event> {
        self.cold.enter(now_ms, magnet);
        self.cold.is_coded(&magnet).then_some(Event::Coded { magnet, coded: true })
    }

    /// What is known of films that have parity.
    pub fn quiet(&self) -> impl ExactSizeIterator<Item = (&Magnet, &Quiet)> {
        self.cold.records()
    }

    /// What was known of a film before a restart.
    pub fn recall(&mut self, magnet: Magnet, quiet: Quiet) {
        self.cold.recall(magnet, quiet);
    }

    /// A film's parity lies on disks.
    pub fn adopt(&mut self, magnet: Magnet) -> Option<Event> {
        self.cold.adopt(&magnet).then(|| self.turn(magnet, true))
    }

    /// A film's parity is not that of its cells.
    pub fn refuse(&mut self, magnet: Magnet) -> Option<Event> {
        self.cold.refuse(&magnet).then(|| self.turn(magnet, false))
    }

    /// Somebody asks for a film that is kept as stripes and wanted by nobody so far: each of its cells has to be there now.
    pub fn rouse(&mut self, now_ms: u64, magnet: Magnet) -> Option<Event> {
        let calm = self.cold.is_coded(&magnet) && !self.films.contains_key(&magnet);
        if calm { self.change(now_ms, magnet, &[(Region::UNKNOWN, 1)]) } else { None }
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
        let mut events = Vec::new();
        for magnet in films {
            let demand = demand.get(&magnet).map_or(&[][..], Vec::as_slice);
            let viewers = demand.iter().fold(0u32, |sum, (_, viewers)| sum.saturating_add(*viewers));
            if self.cold.watched(now_ms, &magnet, viewers) {
                events.push(self.turn(magnet, false));
            }
            // Where they are does not matter for the few that stripes serve.
            let anywhere = [(Region::UNKNOWN, viewers)];
            let few = if viewers > 0 { &anywhere[..] } else { &[] };
            events.extend(self.change(now_ms, magnet, if self.cold.is_coded(&magnet) { few } else { demand }));
        }
        events
    }

    /// Films that were watched by few for so long that they are kept as stripes from now on; some of them, where there are many.
    pub fn ripe(&mut self, now_ms: u64) -> Vec<Event> {
        let ripe = self.cold.ripe(now_ms, RIPE_MAX);
        ripe.into_iter().map(|magnet| self.turn(magnet, true)).collect()
    }

    /// A film is kept otherwise from now on; what was wanted of it begins anew.
    fn turn(&mut self, magnet: Magnet, coded: bool) -> Event {
        self.films.remove(&magnet);
        Event::Coded { magnet, coded }
    }

    fn change(&mut self, now_ms: u64, magnet: Magnet, demand: &[(Region, u32)]) -> Option<Event> {
        let floor = if self.cold.is_coded(&magnet) { 0 } else { self.rules.floor };
        let rules = TargetRules { floor, ..self.rules };
        let least = Wants { total: floor, regional: Vec::new() };
        let (target, before) = self.films.entry(magnet).or_insert_with(|| (Target::default(), least.clone()));
        let wants = target.update(now_ms, demand, &rules);
        let changed = (wants != *before).then(|| Event::Wanted { magnet, wants: wants.clone() });
        *before = wants;
        if *before == least && demand.is_empty() {
            self.films.remove(&magnet);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    fn demand() -> Demand {
        Demand::new(TargetRules::default(), ForecastRules::default(), ColdRules::default())
    }

    #[test]
    fn a_cold_film_wants_what_its_viewers_need_and_a_crowd_makes_it_copies_again() {
        let mut demand = demand();
        let film = Magnet([1; 32]);
        let wanted = |total| Event::Wanted { magnet: film, wants: Wants { total, regional: vec![] } };
        let counts = |viewers| BTreeMap::from([((film, "kr".parse().unwrap()), viewers)]);
        let year_ms = ColdRules::default().after_ms;
        assert_eq!(demand.enter(0, film), None);
        assert_eq!(demand.ripe(year_ms - 1), []);
        assert_eq!(demand.ripe(year_ms), [Event::Coded { magnet: film, coded: true }]);
        assert_eq!(demand.rouse(year_ms, film), Some(wanted(1)));
        assert_eq!(demand.rouse(year_ms, film), None, "it is awake");
        assert_eq!(demand.wanted(year_ms + 1, &counts(3)), []);
        assert_eq!(demand.wanted(year_ms + 2, &counts(7)), [wanted(2)]);
        assert_eq!(demand.wanted(year_ms + 3, &BTreeMap::new()), []);
        assert_eq!(demand.wanted(year_ms + 5 * HOUR_MS, &BTreeMap::new()), [wanted(0)]);
        let crowd = demand.wanted(year_ms + 6 * HOUR_MS, &counts(40));
        let wants = Wants { total: 8, regional: vec![("kr".parse().unwrap(), 8)] };
        assert_eq!(crowd, [Event::Coded { magnet: film, coded: false }, Event::Wanted { magnet: film, wants }]);
        assert_eq!((demand.adopt(film), demand.rouse(year_ms + 7 * HOUR_MS, film)), (None, None));
    }

    #[test]
    fn only_changes_are_told_and_the_forgotten_leave_nothing() {
        let mut demand = demand();
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
        let mut demand = demand();
        let place = (Magnet([1; 32]), "kr".parse().unwrap());
        (0..8u32).for_each(|bin| demand.observe(bin.into(), &BTreeMap::from([(place, f64::from(10 * bin))])));
        let Some(Event::Wanted { wants, .. }) = demand.wanted(0, &BTreeMap::from([(place, 70)])).pop() else {
            panic!("it is watched by many");
        };
        assert!(wants.total > 14, "seventy are there, and more will come: {wants:?}");
    }
}
