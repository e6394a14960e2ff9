//! How many paid plays each home had on a day, as one validator counts.
//!
//! A play counts from when its PlayCode is issued or heard of, and no more once it is refused: what was given up, or never
//! proved, costs a home nothing. Homes are known by the tags of their day, in memory alone; a restart forgets them.

use std::collections::{BTreeMap, HashMap};

/// What validators know a home by on one day.
pub type HomeTag = [u8; 8];

/// Most homes that are counted on a day, at some 20 bytes each. Those beyond are not: rather a farm that is paid than an
/// honest home that is not.
const HOMES_MAX: usize = 1 << 20;
/// Days that are counted at a time: plays of the last minutes before midnight are voted on after it.
const DAYS: u64 = 2;

/// The counts of the running day and of the one before.
#[derive(Debug)]
pub struct HomeDays {
    /// [`HOMES_MAX`], or less in a test.
    most: usize,
    /// The day of the first play that was counted: what was played on it before is not known.
    first: Option<u64>,
    days: BTreeMap<u64, HashMap<HomeTag, u32>>,
}

impl Default for HomeDays {
    fn default() -> Self {
        Self::with_room(HOMES_MAX)
    }
}

impl HomeDays {
    /// Room for `most` homes on each day.
    pub fn with_room(most: usize) -> Self {
        Self { most, first: None, days: BTreeMap::new() }
    }

    /// Plays of a home on `day`.
    pub fn count(&self, day: u64, home: &HomeTag) -> u32 {
        self.days.get(&day).and_then(|homes| homes.get(home)).copied().unwrap_or_default()
    }

    /// Whether all of `day` was counted. The first day of a network begins with its first block: there is nothing before.
    pub fn is_whole(&self, day: u64) -> bool {
        day == 0 || self.first.is_some_and(|first| first < day)
    }

    /// Counts a play, and answers its number among those of its home and day; 0 for one that is not counted.
    pub fn enter(&mut self, day: u64, home: &HomeTag) -> u32 {
        self.first.get_or_insert(day);
        let newest = self.days.last_key_value().map_or(day, |(newest, _)| day.max(*newest));
        self.days = self.days.split_off(&(newest + 1).saturating_sub(DAYS));
        if day + DAYS <= newest {
            return 0;
        }
        let homes = self.days.entry(day).or_default();
        if homes.len() >= self.most && !homes.contains_key(home) {
            return 0;
        }
        let count = homes.entry(*home).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// A play that was counted is refused: it counts no more.
    pub fn leave(&mut self, day: u64, home: &HomeTag) {
        let Some(homes) = self.days.get_mut(&day) else { return };
        if let Some(count) = homes.get_mut(home) {
            *count -= 1;
            if *count == 0 {
                homes.remove(home);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOME: HomeTag = [1; 8];

    #[test]
    fn two_days_are_counted() {
        let mut homes = HomeDays::default();
        assert_eq!([5, 5, 6, 5].map(|day| homes.enter(day, &HOME)), [1, 2, 1, 3]);
        assert_eq!(homes.enter(7, &HOME), 1);
        assert_eq!([5, 6, 7].map(|day| homes.count(day, &HOME)), [0, 1, 1], "the day before yesterday is forgotten");
        assert_eq!(homes.enter(5, &HOME), 0, "and not counted anew");
    }

    #[test]
    fn a_day_that_began_before_the_first_play_is_not_whole() {
        let mut homes = HomeDays::default();
        assert!(homes.is_whole(0) && !homes.is_whole(5));
        homes.enter(5, &HOME);
        assert!(!homes.is_whole(5) && homes.is_whole(6));
    }

    #[test]
    fn homes_beyond_the_room_are_not_counted() {
        let mut homes = HomeDays::with_room(1);
        assert_eq!([homes.enter(1, &HOME), homes.enter(1, &[2; 8]), homes.enter(1, &HOME)], [1, 0, 2]);
        homes.leave(1, &[2; 8]);
        homes.leave(1, &HOME);
        homes.leave(1, &HOME);
        assert_eq!(homes.enter(1, &[2; 8]), 1, "who has no play left has no place");
    }

    proptest! {
        #[test]
        fn a_home_has_as_many_plays_as_came_and_stayed(steps in prop::collection::vec((0..3u8, any::<bool>()), 0..60)) {
            let mut homes = HomeDays::default();
            let mut expected = [0u32; 3];
            for (home, comes) in steps {
                let count = &mut expected[usize::from(home)];
                if comes {
                    *count += 1;
                    prop_assert_eq!(homes.enter(9, &[home; 8]), *count);
                } else {
                    *count = count.saturating_sub(1);
                    homes.leave(9, &[home; 8]);
                }
                prop_assert_eq!(homes.count(9, &[home; 8]), *count);
            }
        }
    }
}
