//! Pay that is held back from young providers, as Storj does it: who stays gets it, who breaks his word loses it.
//!
//! | month of service | held back |
//! |---|--:|
//! | 1 to 3 | 75 % |
//! | 4 to 6 | 50 % |
//! | 7 to 9 | 25 % |
//! | from 10 | nothing |
//!
//! After month 15 half of what was held back is paid; the other half on a graceful exit, whenever that is. A provider that is
//! disqualified, or leaves without a word, forfeits what is still held: it pays for the repair. Source: storj/storj
//! `satellite/compensation` (`WithheldPercents` 75,75,75,50,50,50,25,25,25,0,0,0,0,0,0 and `DisposePercent` 50).

/// A month of service: thirty days.
pub const MONTH_MS: u64 = 30 * 86_400_000;

/// Percent held back in each month; nothing after it.
pub const HELD_PERCENT: [u64; 9] = [75, 75, 75, 50, 50, 50, 25, 25, 25];

/// Months after which half is paid.
pub const RETURN_AFTER_MONTHS: u64 = 15;

/// Percent that is paid then.
pub const RETURN_PERCENT: u64 = 50;

/// What is held of one provider's pay, in gwei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Escrow {
    held_gwei: u64,
    returned: bool,
}

impl Escrow {
    /// Takes pay for work in a month of service (the first is 0), and answers what is paid out now.
    ///
    /// The sum of all that is paid out and held is always what was earned.
    pub fn earn(&mut self, gwei: u64, month: u64) -> u64 {
        let percent =
            usize::try_from(month).ok().and_then(|month| HELD_PERCENT.get(month)).copied().unwrap_or_default();
        // What does not fit is paid out.
        let hold_gwei = (gwei / 100 * percent + gwei % 100 * percent / 100).min(u64::MAX - self.held_gwei);
        self.held_gwei += hold_gwei;
        gwei - hold_gwei + self.return_half(month)
    }

    /// What is due at the start of a month without work.
    pub fn return_half(&mut self, month: u64) -> u64 {
        if self.returned || month < RETURN_AFTER_MONTHS {
            return 0;
        }
        self.returned = true;
        let gwei = self.held_gwei / 100 * RETURN_PERCENT + self.held_gwei % 100 * RETURN_PERCENT / 100;
        self.held_gwei -= gwei;
        gwei
    }

    /// All that is held: to the provider on a graceful exit, to the network when it is disqualified.
    pub fn close(&mut self) -> u64 {
        std::mem::take(&mut self.held_gwei)
    }

    /// What is held, in gwei.
    pub fn held_gwei(&self) -> u64 {
        self.held_gwei
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_schedule_is_storjs() {
        let mut escrow = Escrow::default();
        let paid: Vec<u64> = (0..18).map(|month| escrow.earn(1_000, month)).collect();
        assert_eq!(paid[..10], [250, 250, 250, 500, 500, 500, 750, 750, 750, 1_000]);
        // 4,500 were held.
        assert_eq!(paid[14..], [1_000, 3_250, 1_000, 1_000]);
        assert_eq!((escrow.close(), escrow.held_gwei()), (2_250, 0));
    }

    proptest! {
        #[test]
        fn not_one_gwei_is_lost(earned in prop::collection::vec((any::<u64>(), 0u64..30), 0..40)) {
            let mut escrow = Escrow::default();
            let mut paid = 0u128;
            let mut sum = 0u128;
            for (gwei, month) in earned {
                let gwei = gwei / 64;
                paid += u128::from(escrow.earn(gwei, month));
                sum += u128::from(gwei);
                prop_assert_eq!(paid + u128::from(escrow.held_gwei()), sum);
            }
        }
    }
}
