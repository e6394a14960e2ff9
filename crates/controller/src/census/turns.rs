//! Which of several controllers may delete now.
//!
//! ```text
//! hour     |  A  A  A  A  A  A  A  A  A  |  B  B  B  B  B  B  B  B  B  |  A …     each for nine of ten minutes
//!                                      nobody: what A deleted is heard by B
//! ```
//!
//! Controllers share no database. Two that copy the same cell to two disks cost a copy too many for a day; two that delete
//! two copies of one cell, each thinking that the other one stays, would leave too few. So they take turns by the clock, and
//! between two turns there is time for everybody to hear what went. Clocks may differ by less than that. A controller that is
//! down lets its turns pass, and surplus waits for the next.

/// Length of a turn.
const TURN_MS: u64 = 600_000;
/// The end of each turn, in which nobody deletes.
const PAUSE_MS: u64 = 60_000;

/// One controller's place among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    mine: u64,
    all: u64,
}

impl Turns {
    /// The only controller: it is always its turn.
    pub const ALONE: Self = Self { mine: 0, all: 1 };

    /// Number `mine` of `all` controllers, in an order that all of them know; `None` where there is no such number.
    pub fn new(mine: usize, all: usize) -> Option<Self> {
        (mine < all).then_some(Self { mine: mine as u64, all: all as u64 })
    }

    /// Whether this controller may delete at `now_ms`.
    pub fn is_mine(&self, now_ms: u64) -> bool {
        let its_turn = now_ms / TURN_MS % self.all == self.mine;
        self.all == 1 || (its_turn && now_ms % TURN_MS < TURN_MS - PAUSE_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_two_at_once_and_nobody_between_turns() {
        let all: Vec<Turns> = (0..3).map(|mine| Turns::new(mine, 3).unwrap()).collect();
        let (mut last, mut changed_ms, mut turns) = (None, 0, 0);
        for now_ms in (0..12 * TURN_MS).step_by(7_000) {
            let mine: Vec<&Turns> = all.iter().filter(|turns| turns.is_mine(now_ms)).collect();
            assert!(mine.len() <= 1, "at {now_ms}");
            if let Some(turn) = mine.first().filter(|turn| last != Some(***turn)) {
                assert!(turns == 0 || now_ms - changed_ms >= PAUSE_MS, "at {now_ms}");
                (last, turns) = (Some(**turn), turns + 1);
            }
            changed_ms = if mine.is_empty() { changed_ms } else { now_ms };
        }
        assert_eq!(turns, 12);
        assert!((0..TURN_MS).all(|now_ms| Turns::ALONE.is_mine(now_ms)));
        assert_eq!(Turns::new(2, 2), None);
    }
}
