//! Which films are watched so little that they are kept as stripes instead of copies.
//!
//! ```text
//! copies ── never more than five viewers at a time for twelve months ──▶ stripes
//!   ▲────────────── more than fifteen expected ──────────────────────────────┘
//! ```
//!
//! Stripes take fewer bytes and are lost less often than three copies, and one copy of each cell serves five viewers. What it
//! costs to change is what draws the line: coding a film and copying it again moves four and a half times its bytes, and pays
//! after seven months (`docs/decisions/0009-cold-films-as-stripes.md`). Between five and fifteen a film that is kept as stripes
//! gets more copies of its cells, like any other.
//!
//! A controller that knows nothing of a film begins to count when it hears of it; one that finds its parity on disks takes
//! over what others decided, unless it has seen a crowd itself. Time in which nobody counted is cut out. Left out: what is done with such a
//! film ([`picture`](crate::picture)).

use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::Magnet;
use std::collections::{BTreeMap, BTreeSet};

/// When a film becomes stripes, and copies again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColdRules {
    /// Most viewers at a time of a film that gets cold.
    pub viewers_max: u32,
    /// How long it must have had no more, in milliseconds.
    pub after_ms: u64,
    /// Viewers at a time above which it is kept as copies again.
    pub warm_viewers: u32,
}

impl Default for ColdRules {
    fn default() -> Self {
        // What one copy serves, and what the floor of three does; a year.
        Self { viewers_max: 5, after_ms: 365 * 86_400_000, warm_viewers: 15 }
    }
}

/// What is known of one film's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Quiet {
    /// Since when it never had more viewers than a cold film has, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Whether it is kept as stripes.
    pub coded: bool,
    /// Whether it was kept as stripes, and then too many came.
    pub warmed: bool,
}

/// All films that have parity.
#[derive(Clone, Debug)]
pub struct Cold {
    rules: ColdRules,
    films: BTreeMap<Magnet, Quiet>,
    /// Those that are kept as copies, in the order in which they get cold.
    next: BTreeSet<(u64, Magnet)>,
}

impl Cold {
    /// No films yet.
    pub fn new(rules: ColdRules) -> Self {
        Self { rules, films: BTreeMap::new(), next: BTreeSet::new() }
    }

    /// A film that has parity is known from now on, and counts as cold from `now_ms` on; nothing happens where it is known.
    pub fn enter(&mut self, now_ms: u64, magnet: Magnet) {
        if !self.films.contains_key(&magnet) {
            self.set(magnet, Quiet { since_ms: now_ms, coded: false, warmed: false });
        }
    }

    /// What was known of a film before a restart; it counts when nothing newer does.
    pub fn recall(&mut self, magnet: Magnet, quiet: Quiet) {
        self.set(magnet, quiet);
    }

    /// All that is known, by film.
    pub fn records(&self) -> impl ExactSizeIterator<Item = (&Magnet, &Quiet)> {
        self.films.iter()
    }

    /// Whether a film is kept as stripes.
    pub fn is_coded(&self, magnet: &Magnet) -> bool {
        self.films.get(magnet).is_some_and(|film| film.coded)
    }

    /// So many viewers of a film are there or expected. Says whether it is to be kept as copies again.
    pub fn watched(&mut self, now_ms: u64, magnet: &Magnet, viewers: u32) -> bool {
        let Some(before) = self.films.get(magnet).copied() else { return false };
        let warms = before.coded && viewers > self.rules.warm_viewers;
        if warms || (!before.coded && viewers > self.rules.viewers_max) {
            self.set(*magnet, Quiet { since_ms: now_ms, coded: false, warmed: before.warmed || warms });
        }
        warms
    }

    /// Films that have just become cold: kept as stripes from now on. At most `most`.
    pub fn ripe(&mut self, now_ms: u64, most: usize) -> Vec<Magnet> {
        let mut ripe = Vec::new();
        while let Some((since_ms, magnet)) = self.next.first().copied().filter(|_| ripe.len() < most) {
            if since_ms.saturating_add(self.rules.after_ms) > now_ms {
                break;
            }
            self.set(magnet, Quiet { since_ms, coded: true, warmed: false });
            ripe.push(magnet);
        }
        ripe
    }

    /// A film's parity lies on disks: somebody keeps it as stripes. Says whether it is to be kept so here too.
    pub fn adopt(&mut self, magnet: &Magnet) -> bool {
        let Some(film) = self.films.get(magnet).copied().filter(|film| !film.coded && !film.warmed) else {
            return false;
        };
        self.set(*magnet, Quiet { coded: true, ..film });
        true
    }

    /// The parity that a film lists is not that of its cells: it stays copies for ever. Says whether it was not until now.
    pub fn refuse(&mut self, magnet: &Magnet) -> bool {
        let coded = self.is_coded(magnet);
        if self.films.contains_key(magnet) {
            self.set(*magnet, Quiet { since_ms: u64::MAX, coded: false, warmed: true });
        }
        coded
    }

    fn set(&mut self, magnet: Magnet, quiet: Quiet) {
        if let Some(before) = self.films.insert(magnet, quiet) {
            self.next.remove(&(before.since_ms, magnet));
        }
        if !quiet.coded {
            self.next.insert((quiet.since_ms, magnet));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILM: Magnet = Magnet([1; 32]);
    const DAY_MS: u64 = 86_400_000;

    fn cold() -> Cold {
        let mut cold = Cold::new(ColdRules::default());
        cold.enter(0, FILM);
        cold
    }

    #[test]
    fn a_year_without_a_crowd_makes_a_film_cold_and_a_crowd_makes_it_warm() {
        let mut cold = cold();
        assert!(!cold.watched(100 * DAY_MS, &FILM, 5));
        assert!(!cold.watched(200 * DAY_MS, &FILM, 6), "the year begins anew");
        assert_eq!(cold.ripe(565 * DAY_MS - 1, 9), []);
        assert_eq!(cold.ripe(565 * DAY_MS, 9), [FILM]);
        assert_eq!((cold.ripe(566 * DAY_MS, 9), cold.is_coded(&FILM)), (vec![], true));
        assert!(!cold.watched(600 * DAY_MS, &FILM, 15), "a few more copies do");
        assert!(cold.watched(601 * DAY_MS, &FILM, 16));
        assert!(!cold.is_coded(&FILM));
        assert_eq!(cold.ripe(601 * DAY_MS + 364 * DAY_MS, 9), []);
        assert_eq!(cold.ripe(601 * DAY_MS + 365 * DAY_MS, 9), [FILM]);
    }

    #[test]
    fn what_others_decided_is_taken_over_unless_a_crowd_was_seen() {
        let mut cold = cold();
        assert!(cold.adopt(&FILM) && cold.is_coded(&FILM));
        assert!(!cold.adopt(&FILM), "once");
        assert!(cold.watched(1, &FILM, 16));
        assert!(!cold.adopt(&FILM), "its parity has not been deleted yet");
        assert!(!cold.adopt(&Magnet([2; 32])), "of an unknown film");
        cold.refuse(&FILM);
        assert!(!cold.adopt(&FILM) && cold.ripe(u64::MAX - 1, 9).is_empty(), "its parity is wrong");
        let mut at_once = Cold::new(ColdRules { after_ms: 0, ..ColdRules::default() });
        at_once.enter(0, FILM);
        at_once.refuse(&FILM);
        assert_eq!(at_once.ripe(5, 9), []);
    }

    #[test]
    fn what_was_known_is_known_again_and_the_first_come_first() {
        let mut before = cold();
        before.adopt(&FILM);
        let mut after = Cold::new(ColdRules::default());
        before.records().for_each(|(magnet, quiet)| after.recall(*magnet, *quiet));
        after.enter(5, FILM);
        assert!(after.is_coded(&FILM));
        let films: Vec<Magnet> = (2..6).map(|film| Magnet([film; 32])).collect();
        films.iter().rev().zip(10..).for_each(|(film, at_ms)| after.enter(at_ms, *film));
        let late_ms = 400 * DAY_MS;
        assert_eq!(after.ripe(late_ms, 3), [films[3], films[2], films[1]]);
        assert_eq!(after.ripe(late_ms, 3), [films[0]]);
    }
}
