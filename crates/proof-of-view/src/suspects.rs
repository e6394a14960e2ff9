//! Accounts that were proved wrong about deliveries, and for how long that is held against them.
//!
//! A mark costs nothing by itself: broken disks lie too. Several within a day cost an account its paid plays, and a
//! provider its draws, at the validators that remember them.

use chainflix_primitives::AccountAddress;
use std::collections::{HashMap, VecDeque};

/// Lost disputes within a day from which on an account is suspect.
pub const LOST_MAX: u32 = 3;
/// How long a mark lasts.
const MARK_MS: u64 = 24 * 3_600_000;
/// Most marks kept; the oldest gives way.
const MARKS_MAX: usize = 1 << 16;

/// Marks by account, in memory.
#[derive(Debug, Default)]
pub struct Suspects {
    marks: VecDeque<(u64, AccountAddress)>,
    lost: HashMap<AccountAddress, u32>,
}

impl Suspects {
    /// An account lost a dispute.
    pub fn mark(&mut self, account: AccountAddress, now_ms: u64) {
        if self.marks.len() >= MARKS_MAX {
            self.forget_oldest();
        }
        self.marks.push_back((now_ms.saturating_add(MARK_MS), account));
        *self.lost.entry(account).or_default() += 1;
    }

    /// How often an account lost within a day.
    pub fn lost(&self, account: &AccountAddress) -> u32 {
        self.lost.get(account).copied().unwrap_or_default()
    }

    /// Forgets marks that are a day old.
    pub fn expire(&mut self, now_ms: u64) {
        while self.marks.front().is_some_and(|(until_ms, _)| *until_ms <= now_ms) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, account)) = self.marks.pop_front() else { return };
        if let Some(lost) = self.lost.get_mut(&account) {
            *lost -= 1;
            if *lost == 0 {
                self.lost.remove(&account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_lasts_a_day() {
        let (mut suspects, account) = (Suspects::default(), AccountAddress([1; 20]));
        suspects.mark(account, 0);
        suspects.mark(account, 1_000);
        assert_eq!(suspects.lost(&account), 2);
        suspects.expire(86_399_999);
        assert_eq!(suspects.lost(&account), 2);
        suspects.expire(86_400_000);
        assert_eq!(suspects.lost(&account), 1);
        suspects.expire(86_400_000 + 1_000);
        assert_eq!((suspects.lost(&account), suspects.lost.len()), (0, 0));
    }

    #[test]
    fn the_oldest_mark_gives_way() {
        let mut suspects = Suspects::default();
        suspects.mark(AccountAddress([1; 20]), 0);
        for _ in 0..MARKS_MAX {
            suspects.mark(AccountAddress([2; 20]), 1);
        }
        assert_eq!(suspects.lost(&AccountAddress([1; 20])), 0);
        assert_eq!(suspects.marks.len(), MARKS_MAX);
    }
}
