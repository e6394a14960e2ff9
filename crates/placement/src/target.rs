//! How many copies a film should have: a floor, more where many watch, fewer again after a delay.
//!
//! ```text
//! copies  │      ┌────────────┐                  up at once,
//!         │   ┌──┘· · · · · · └────┐             down when it was too many for the whole delay,
//!  floor  │───┘  viewers · · · · · └──────       and then to the most that the delay has seen
//! ```
//!
//! The floor can be anywhere and serves as many viewers as it can. Above that, each region with viewers gets copies of its
//! own, so that traffic stays near. Viewers are those a forecast expects ([`crate::forecast`]) or those that are there.

use crate::{Region, WANTED_REGIONS_MAX, Wants};
use std::collections::BTreeMap;

/// What decides the number of copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetRules {
    /// Copies of every film, whatever its traffic.
    pub floor: u8,
    /// Simultaneous viewers that one copy serves without a stall.
    pub viewers_per_copy: u32,
    /// Most copies in one region.
    pub copies_max: u8,
    /// How long a copy must have been too many before it is given up, in milliseconds.
    pub falling_ms: u64,
}

impl Default for TargetRules {
    fn default() -> Self {
        // A home uplink of 20 Mbit/s carries five viewers of 3 Mbit/s and a quarter of repair. An evening ends after hours.
        Self { floor: 3, viewers_per_copy: 5, copies_max: 200, falling_ms: 4 * 3_600_000 }
    }
}

/// The copies that one film should have, over time.
#[derive(Clone, Debug, Default)]
pub struct Target {
    regions: BTreeMap<Region, Regional>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Regional {
    copies: u8,
    /// Since when fewer are enough, and the most that were needed since.
    falling: Option<(u64, u8)>,
}

impl Target {
    /// What the film wants at `now_ms`, when so many viewers are expected in each region.
    pub fn update(&mut self, now_ms: u64, demand: &[(Region, u32)], rules: &TargetRules) -> Wants {
        let all: u64 = demand.iter().map(|(_, viewers)| u64::from(*viewers)).sum();
        let floor_serves = all <= u64::from(rules.floor) * u64::from(rules.viewers_per_copy);
        let needs: BTreeMap<Region, u8> = match floor_serves {
            true => BTreeMap::new(),
            false => demand.iter().map(|(region, viewers)| (*region, copies_for(*viewers, rules))).collect(),
        };
        for region in needs.keys() {
            self.regions.entry(*region).or_default();
        }
        for (region, state) in &mut self.regions {
            state.step(now_ms, needs.get(region).copied().unwrap_or_default(), rules);
        }
        self.regions.retain(|_, state| state.copies > 0);
        self.wants(rules)
    }

    fn wants(&self, rules: &TargetRules) -> Wants {
        let together = self.regions.values().fold(0u8, |sum, state| sum.saturating_add(state.copies));
        // Viewers who did not say where they are want their copies anywhere.
        let told = self.regions.iter().filter(|(region, _)| **region != Region::UNKNOWN);
        let mut regional: Vec<_> = told.map(|(region, state)| (*region, state.copies)).collect();
        // Where most is watched; the others share the floor.
        regional.sort_by_key(|(region, copies)| (std::cmp::Reverse(*copies), *region));
        regional.truncate(WANTED_REGIONS_MAX);
        regional.sort_unstable();
        Wants { total: together.max(rules.floor), regional }
    }
}

impl Regional {
    fn step(&mut self, now_ms: u64, need: u8, rules: &TargetRules) {
        if need >= self.copies {
            *self = Self { copies: need, falling: None };
            return;
        }
        let (since_ms, most) = self.falling.map_or((now_ms, need), |(since_ms, most)| (since_ms, most.max(need)));
        self.falling = Some((since_ms, most));
        if now_ms.saturating_sub(since_ms) >= rules.falling_ms {
            // What was needed at the start of the delay may be long ago: the next step down takes another one.
            *self = Self { copies: most, falling: (need < most).then_some((now_ms, need)) };
        }
    }
}

/// Copies that so many viewers of one region need.
fn copies_for(viewers: u32, rules: &TargetRules) -> u8 {
    let copies = viewers.div_ceil(rules.viewers_per_copy.max(1));
    u8::try_from(copies).unwrap_or(u8::MAX).min(rules.copies_max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR_MS: u64 = 3_600_000;

    fn region(text: &str) -> Region {
        text.parse().unwrap()
    }

    #[test]
    fn traffic_raises_copies_at_once_and_where_it_is() {
        let rules = TargetRules::default();
        let mut target = Target::default();
        assert_eq!(target.update(0, &[(region("kr"), 15)], &rules), Wants { total: 3, regional: vec![] });
        let wants = target.update(1, &[(region("kr"), 50), (region("de"), 7)], &rules);
        assert_eq!(wants, Wants { total: 12, regional: vec![(region("de"), 2), (region("kr"), 10)] });
        let wants = target.update(2, &[(region("kr"), 1_000_000)], &rules);
        assert_eq!(wants.regional, [(region("de"), 2), (region("kr"), 200)], "bounded");
    }

    #[test]
    fn viewers_from_nobody_knows_where_want_copies_anywhere() {
        let rules = TargetRules::default();
        let wants = Target::default().update(0, &[(region("kr"), 50), (Region::UNKNOWN, 20)], &rules);
        assert_eq!(wants, Wants { total: 14, regional: vec![(region("kr"), 10)] });
    }

    #[test]
    fn copies_fall_after_the_delay_to_what_it_has_seen() {
        let rules = TargetRules::default();
        let mut target = Target::default();
        let mut copies = |hour: u64, viewers| target.update(hour * HOUR_MS, &[(region("kr"), viewers)], &rules).total;
        assert_eq!([copies(0, 100), copies(1, 20), copies(2, 50), copies(4, 20)], [20; 4]);
        assert_eq!(copies(5, 20), 10, "the most of these four hours");
        assert_eq!(copies(8, 20), 10);
        assert_eq!(copies(9, 20), 4);
        assert_eq!([copies(10, 0), copies(14, 0)], [4, 3]);
    }

    proptest! {
        #[test]
        fn never_below_the_floor_nor_below_what_is_needed(viewers in prop::collection::vec(0u32..2_000, 1..60)) {
            let rules = TargetRules::default();
            let mut target = Target::default();
            for (hour, viewers) in viewers.into_iter().enumerate() {
                let wants = target.update(hour as u64 * HOUR_MS, &[(region("kr"), viewers)], &rules);
                prop_assert!(wants.total >= rules.floor);
                prop_assert!(u32::from(wants.total) >= viewers.div_ceil(5).min(200));
            }
        }
    }
}
