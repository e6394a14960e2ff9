//! Two scores in integers: how often a provider had what it should have, and how much of the time it was there.

use borsh::{BorshDeserialize, BorshSerialize};

/// One, in the fixed point of scores.
const ONE: u64 = 1_000_000;

/// Answers to audits, the newer the heavier: Storj's beta reputation (its `satellite/reputation` package), in fixed point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Score {
    good: u64,
    bad: u64,
}

impl Score {
    /// Of somebody who always answered, for as long as `memory_permille` reaches back: one bad day is then not the end.
    pub fn new(memory_permille: u64) -> Self {
        Self { good: ONE * 1_000 / (1_000 - memory_permille.min(999)), bad: 0 }
    }

    /// Counts an answer; older ones weigh `memory_permille` of what they did.
    pub fn add(&mut self, right: bool, memory_permille: u64) {
        let memory = memory_permille.min(999);
        self.good = self.good * memory / 1_000 + if right { ONE } else { 0 };
        self.bad = self.bad * memory / 1_000 + if right { 0 } else { ONE };
    }

    /// The right part, in thousandths.
    pub fn permille(&self) -> u64 {
        self.good * 1_000 / (self.good + self.bad).max(1)
    }
}

/// Windows of a tracking period: sixty half days.
const WINDOWS: usize = 60;

/// How much of the last windows a provider was heard in.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Presence {
    /// Milliseconds heard in each window.
    heard_ms: Box<[u32; WINDOWS]>,
    /// Milliseconds of each window since it is known.
    known_ms: Box<[u32; WINDOWS]>,
    until_ms: u64,
}

/// Length of a window.
pub const WINDOW_MS: u64 = 12 * 3_600_000;

impl Presence {
    /// Of somebody who is heard for the first time.
    pub fn new(now_ms: u64) -> Self {
        Self { heard_ms: Box::new([0; WINDOWS]), known_ms: Box::new([0; WINDOWS]), until_ms: now_ms }
    }

    /// Counts the time until `now_ms` as heard or not.
    pub fn until(&mut self, now_ms: u64, heard: bool) {
        self.pass(now_ms, Some(heard));
    }

    /// Leaves the time until `now_ms` out, because nobody listened; answers how long that was, in milliseconds. What a clock
    /// that was ahead has counted is forgotten.
    pub fn unheard(&mut self, now_ms: u64) -> u64 {
        let unheard_ms = now_ms.saturating_sub(self.until_ms);
        if self.until_ms > now_ms {
            *self = Self::new(now_ms);
        }
        self.pass(now_ms, None);
        unheard_ms
    }

    /// Lets time pass in which it was heard, was not, or nobody listened.
    fn pass(&mut self, now_ms: u64, heard: Option<bool>) {
        let period_ms = WINDOW_MS * WINDOWS as u64;
        // Longer than a period ago is forgotten.
        self.until_ms = self.until_ms.max(now_ms.saturating_sub(period_ms));
        while self.until_ms < now_ms {
            let window = self.until_ms / WINDOW_MS;
            let end_ms = ((window + 1) * WINDOW_MS).min(now_ms);
            let at = (window % WINDOWS as u64) as usize;
            if self.until_ms == window * WINDOW_MS {
                (self.heard_ms[at], self.known_ms[at]) = (0, 0);
            }
            // A window has 43 million milliseconds.
            let part_ms = (end_ms - self.until_ms) as u32;
            self.known_ms[at] += if heard.is_some() { part_ms } else { 0 };
            self.heard_ms[at] += if heard == Some(true) { part_ms } else { 0 };
            self.until_ms = end_ms;
        }
    }

    /// The part of the known time in which it was heard, in thousandths.
    pub fn permille(&self) -> u64 {
        let sum = |parts: &[u32]| parts.iter().map(|part| u64::from(*part)).sum::<u64>();
        match sum(&*self.known_ms) {
            0 => 1_000,
            known_ms => sum(&*self.heard_ms) * 1_000 / known_ms,
        }
    }

    /// How long it is known within the period, in milliseconds.
    pub fn known_ms(&self) -> u64 {
        self.known_ms.iter().map(|part| u64::from(*part)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_lost_cells_in_a_thousand_are_too_many() {
        let mut score = Score::new(999);
        assert_eq!(score.permille(), 1_000);
        let failures = (1..).find(|_| {
            score.add(false, 999);
            score.permille() < 960
        });
        assert_eq!(failures, Some(41));
        (0..5_000).for_each(|_| score.add(true, 999));
        assert!(score.permille() >= 999, "long ago");
    }

    #[test]
    fn presence_forgets_after_a_month() {
        let mut presence = Presence::new(5);
        presence.until(10 * WINDOW_MS, true);
        presence.until(20 * WINDOW_MS, false);
        assert_eq!(presence.permille(), 499);
        presence.until(80 * WINDOW_MS, true);
        assert_eq!(presence.permille(), 1_000);
        presence.until(1_000_000 * WINDOW_MS, false);
        assert_eq!((presence.permille(), presence.known_ms()), (0, 60 * WINDOW_MS));
    }

    #[test]
    fn nobody_is_absent_while_nobody_listens() {
        let mut presence = Presence::new(0);
        presence.until(10 * WINDOW_MS, true);
        assert_eq!(presence.unheard(40 * WINDOW_MS + 5), 30 * WINDOW_MS + 5);
        assert_eq!((presence.permille(), presence.known_ms()), (1_000, 10 * WINDOW_MS));
        presence.until(50 * WINDOW_MS + 5, false);
        assert_eq!((presence.permille(), presence.known_ms()), (500, 20 * WINDOW_MS));
        presence.unheard(500 * WINDOW_MS);
        assert_eq!(presence.known_ms(), 0, "longer than a month ago");
        assert_eq!(presence.unheard(WINDOW_MS), 0, "the clock was ahead");
        presence.until(2 * WINDOW_MS, true);
        assert_eq!((presence.permille(), presence.known_ms()), (1_000, WINDOW_MS));
    }
}
