//! Which final block was the newest when: what a viewer can have known at a play point.

use std::collections::VecDeque;

/// Most blocks remembered: two hours of two-second blocks, more than the longest cell takes to be proved.
const HEADS_MAX: usize = 4_096;

/// The newest final blocks, each with the moment this validator learned of it.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// Rising in both.
    seen: VecDeque<(u64, u32)>,
}

impl Heads {
    /// A block is final.
    pub fn push(&mut self, now_ms: u64, number: u32) {
        let (last_ms, last) = self.seen.back().copied().unwrap_or_default();
        if last >= number {
            return;
        }
        if self.seen.len() >= HEADS_MAX {
            self.seen.pop_front();
        }
        // A clock that was set back stands still until it is where it was.
        self.seen.push_back((now_ms.max(last_ms), number));
    }

    /// The newest final block; 0 before the first.
    pub fn newest(&self) -> u32 {
        self.seen.back().map_or(0, |(_, number)| *number)
    }

    /// The newest final block at a moment; 0 where that is longer ago than remembered.
    pub fn at(&self, ms: u64) -> u32 {
        let later = self.seen.partition_point(|(at_ms, _)| *at_ms <= ms);
        later.checked_sub(1).map_or(0, |place| self.seen[place].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_block_of_a_moment() {
        let mut heads = Heads::default();
        assert_eq!((heads.newest(), heads.at(u64::MAX)), (0, 0));
        for number in 1..=HEADS_MAX as u32 + 1 {
            heads.push(u64::from(number) * 10, number);
        }
        heads.push(u64::MAX, 7);
        assert_eq!(heads.newest(), 4_097, "an old block is no news");
        assert_eq!((heads.at(19), heads.at(20), heads.at(29), heads.at(30)), (0, 2, 2, 3));
        assert_eq!(heads.seen.len(), HEADS_MAX);
        heads.push(0, 5_000);
        assert_eq!((heads.newest(), heads.at(40_969), heads.at(40_970)), (5_000, 4_096, 5_000), "a clock set back");
    }
}
