//! What a play weighs against the others of its slot (protocol page, "Weight: why faking does not pay").
//!
//! ```text
//! weight = minutes played × identity × saturation × network × creator cap × rate
//! ```
//!
//! | factor | what it makes expensive |
//! |---|---|
//! | identity | fresh accounts: full weight comes with age, a bond, or a supervisor's word |
//! | saturation | accounts that play day and night |
//! | network | many accounts behind one connection; counted by the validators, who alone see addresses |
//! | creator cap | rings of accounts that watch their own creator |
//! | rate | minutes for which next to no bytes were fetched |
//!
//! Integers only: factors in thousandths, products in 128 bits, rounded down once at the end. What the factors are taken
//! from is the ledger's business; what each costs an attacker is measured in `docs/security.md`.

use chainflix_primitives::WeightParams;

/// A factor that takes nothing away, in thousandths.
pub const FULL_PERMILLE: u64 = 1000;

/// What lowers the weight of one play, each factor in thousandths, 0 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factors {
    /// By age, bond or vouching: [`identity_permille`].
    pub identity: u64,
    /// By the account's play time of the day: [`saturation_permille`].
    pub saturation: u64,
    /// By the plays of the same home, network and allocation in the slot, as voted on.
    pub network: u64,
    /// By the account's play time on this creator's videos in the period: [`saturation_permille`].
    pub creator_cap: u64,
    /// By the bytes that were delivered: [`rate_permille`].
    pub rate: u64,
}

impl Factors {
    /// Nothing is taken away.
    pub const FULL: Self = Self {
        identity: FULL_PERMILLE,
        saturation: FULL_PERMILLE,
        network: FULL_PERMILLE,
        creator_cap: FULL_PERMILLE,
        rate: FULL_PERMILLE,
    };

    /// The weight of a play of `play_ms`: at least 1, at most `play_ms` (or 1).
    pub fn weigh(&self, play_ms: u64) -> u64 {
        let Self { identity, saturation, network, creator_cap, rate } = *self;
        let product = [identity, saturation, network, creator_cap, rate]
            .into_iter()
            // A u64 and five factors of at most 1000 stay below 2^114.
            .fold(u128::from(play_ms), |product, factor| product * u128::from(factor.min(FULL_PERMILLE)));
        // Divided by 1000 for each factor, it is at most `play_ms`.
        (product / u128::from(FULL_PERMILLE).pow(5)).max(1) as u64
    }
}

/// The identity factor of an account whose first carried play is `age_view_blocks` old: rises from fresh to full, and is
/// never below what bond and vouching give.
pub fn identity_permille(params: &WeightParams, age_view_blocks: u64, standing_permille: u16) -> u64 {
    let fresh = u64::from(params.fresh_permille).min(FULL_PERMILLE);
    let mature = params.mature_view_blocks.max(1);
    let age = u128::from(age_view_blocks.min(mature));
    // A part of at most 1000.
    let grown = (u128::from(FULL_PERMILLE - fresh) * age / u128::from(mature)) as u64;
    (fresh + grown).max(u64::from(standing_permille).min(FULL_PERMILLE))
}

/// What is left of the weight of a play of `play_ms` after `before_ms` were played, when `full_ms` have full weight: the
/// part beyond weighs `full / played`, so that ever more time adds ever less.
pub fn saturation_permille(full_ms: u64, before_ms: u64, play_ms: u64) -> u64 {
    let within = full_ms.saturating_sub(before_ms).min(play_ms);
    if within == play_ms {
        return FULL_PERMILLE;
    }
    let (full, within, play) = (u128::from(full_ms), u128::from(within), u128::from(play_ms));
    let played = u128::from(before_ms) + play;
    let beyond = (play - within) * full / played;
    // `within + beyond` is at most `play`.
    ((within + beyond) * u128::from(FULL_PERMILLE) / play) as u64
}

/// What `moved` bytes of a cell are worth, for which its viewer and its providers signed: full from `full_bits_per_second`
/// of its play time on, below in proportion. Who invents views chooses what to "watch" and leaves out what it may: the
/// fewer bytes, the less is proved. Among films of one kind it is the same for all, and nobody's part of a slot changes.
pub fn rate_permille(full_bits_per_second: u64, moved: u64, play_ms: u64) -> u64 {
    // Bits in thousandths of a second and factor, of 64 + 23 bits, against 128.
    let moved = u128::from(moved) * 8 * 1000 * u128::from(FULL_PERMILLE);
    let full = u128::from(full_bits_per_second) * u128::from(play_ms);
    if full == 0 {
        return FULL_PERMILLE;
    }
    // At most 1000.
    (moved / full).min(u128::from(FULL_PERMILLE)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn a_stranger_grows_up_in_thirty_days_of_slots() {
        let params = WeightParams::default();
        let identity = |age, standing| identity_permille(&params, age, standing);
        assert_eq!([0, 90_000, 180_000, u64::MAX].map(|age| identity(age, 0)), [100, 550, 1000, 1000]);
        assert_eq!(identity(0, 400), 400, "a bond of 400 CFX");
        assert_eq!(identity(90_000, 400), 550, "the better of the two counts");
        assert_eq!(identity(0, u16::MAX), 1000);
    }

    #[test]
    fn two_hours_a_day_have_full_weight() {
        let minute = |before_ms| saturation_permille(2 * HOUR_MS, before_ms, 60_000);
        assert_eq!(minute(0), 1000);
        assert_eq!(minute(2 * HOUR_MS - 60_000), 1000, "the last full minute");
        assert_eq!(minute(2 * HOUR_MS - 30_000), 997, "half of it is beyond");
        assert_eq!(minute(4 * HOUR_MS - 60_000), 500, "twice as much, half the weight");
        assert_eq!(minute(24 * HOUR_MS - 60_000), 83);
        assert_eq!(saturation_permille(2 * HOUR_MS, 0, 0), 1000);
    }

    #[test]
    fn factors_multiply_and_leave_at_least_one() {
        assert_eq!(Factors::FULL.weigh(60_000), 60_000);
        let half = Factors { identity: 500, network: 500, ..Factors::FULL };
        assert_eq!(half.weigh(60_000), 15_000);
        let least = Factors { identity: 1, saturation: 1, network: 1, creator_cap: 1, rate: 0 };
        assert_eq!(least.weigh(60_000), 1);
        assert_eq!(Factors::FULL.weigh(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_light_film_weighs_its_part() {
        let minute = |size| rate_permille(2_000_000, size, 60_000);
        assert_eq!([0, 1, 7_500_000, 14_999_999].map(minute), [0, 0, 500, 999]);
        assert_eq!([15_000_000, 30_000_000, u64::MAX].map(minute), [1000; 3]);
        assert_eq!(rate_permille(2_000_000, 5, 0), 1000, "what takes no time weighs nothing anyway");
        assert_eq!(rate_permille(u64::MAX, u64::MAX, u64::MAX), 0);
    }

    proptest! {
        #[test]
        fn more_bytes_never_weigh_less(full in 1..1u64 << 40, size in 0..1u64 << 40, play in 1..1u64 << 24) {
            let now = rate_permille(full, size, play);
            prop_assert!(now <= rate_permille(full, size + 1, play) && now <= FULL_PERMILLE);
        }

        #[test]
        fn a_cell_cannot_claim_more_weight_by_claiming_another_play_time(size in 1..1u64 << 32, play in 1..1u64 << 22) {
            let full = 2_000_000;
            let weight = |play_ms: u64| play_ms * rate_permille(full, size, play_ms) / FULL_PERMILLE;
            // Never more milliseconds than its bytes fill at the full rate.
            prop_assert!(weight(play) <= size * 8 * 1000 / full);
        }

        #[test]
        fn a_factor_never_adds(before in 0..1u64 << 50, play in 0..1u64 << 50, full in 1..1u64 << 40) {
            prop_assert!(saturation_permille(full, before, play) <= FULL_PERMILLE);
        }

        #[test]
        fn playing_more_weighs_less_per_minute(before in 0..100 * HOUR_MS) {
            let full = 2 * HOUR_MS;
            prop_assert!(saturation_permille(full, before + 60_000, 60_000) <= saturation_permille(full, before, 60_000));
        }

        #[test]
        fn age_never_hurts(age in 0..400_000u64, standing in 0..1200u16) {
            let params = WeightParams::default();
            let now = identity_permille(&params, age, standing);
            prop_assert!(now <= identity_permille(&params, age + 1, standing));
            prop_assert!((u64::from(params.fresh_permille)..=FULL_PERMILLE).contains(&now));
        }
    }
}
