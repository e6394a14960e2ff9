//! The split: from a slot's reward to credits per account.
//!
//! Two divisions leave something over. Between plays, each takes the difference of two rounded running totals, so that
//! the parts add up to the whole by construction and no order of plays gains more than a gwei. Within a play every role is rounded
//! down and the creator takes the rest, absent roles included.

use chainflix_primitives::{AccountAddress, ProviderShare, RewardSplit};
use std::collections::BTreeMap;

/// Coins for one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Who is paid.
    pub account: AccountAddress,
    /// How much, in gwei.
    pub gwei: u64,
}

/// Who made one view possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayShares {
    /// Who watched.
    pub viewer: AccountAddress,
    /// Who published.
    pub creator: AccountAddress,
    /// Who vouches for the video.
    pub supervisor: AccountAddress,
    /// Who served the cell, by bytes.
    pub providers: Vec<ProviderShare>,
    /// Bytes of the cell: what no receipt covers is an absent provider's part.
    pub cell_bytes: u64,
    /// Whose votes carried the play.
    pub validators: Vec<AccountAddress>,
}

/// One accepted play and what it weighs against the others of its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedPlay {
    /// Relative weight; 0 earns nothing.
    pub weight: u64,
    /// Who shares.
    pub shares: PlayShares,
}

/// Shares `reward_gwei` over `plays`. The credits are one per account, in order of accounts, and add up to exactly
/// `reward_gwei` — or to nothing when no play has weight.
pub fn pay(reward_gwei: u64, split: &RewardSplit, plays: &[WeightedPlay]) -> Vec<Credit> {
    let total: u128 = plays.iter().map(|play| u128::from(play.weight)).sum();
    if total == 0 {
        return Vec::new();
    }
    // A u64 times a sum of u64 weights fits u128, and the quotient is at most the reward.
    let upto = |weight: u128| (u128::from(reward_gwei) * weight / total) as u64;
    let mut credits = BTreeMap::new();
    let mut before = 0u128;
    for play in plays {
        let after = before + u128::from(play.weight);
        pay_play(upto(after) - upto(before), split, &play.shares, &mut credits);
        before = after;
    }
    credits.into_iter().filter(|(_, gwei)| *gwei > 0).map(|(account, gwei)| Credit { account, gwei }).collect()
}

fn pay_play(amount: u64, split: &RewardSplit, shares: &PlayShares, credits: &mut BTreeMap<AccountAddress, u64>) {
    let part = |permille: u16| (u128::from(amount) * u128::from(permille) / 1000) as u64;
    let mut left = amount;
    let mut credit = |account: &AccountAddress, gwei: u64| {
        *credits.entry(*account).or_default() += gwei;
        left -= gwei;
    };
    credit(&shares.viewer, part(split.viewer));
    credit(&shares.supervisor, part(split.supervisor));
    let storage = u128::from(part(split.storage));
    let served = shares.providers.iter().map(|share| u128::from(share.bytes)).sum::<u128>();
    // Receipts never cover more than the cell; if a caller says otherwise the share is still not exceeded.
    let whole = served.max(u128::from(shares.cell_bytes)).max(1);
    for share in &shares.providers {
        credit(&share.provider, (storage * u128::from(share.bytes) / whole) as u64);
    }
    for validator in &shares.validators {
        credit(validator, part(split.validators) / shares.validators.len() as u64);
    }
    // What is left: the creator's own share, what was rounded off, and the shares of absent roles.
    *credits.entry(shares.creator).or_default() += left;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(n: u8) -> AccountAddress {
        AccountAddress([n; 20])
    }

    fn shares() -> PlayShares {
        PlayShares {
            viewer: account(1),
            creator: account(2),
            supervisor: account(3),
            providers: vec![
                ProviderShare { provider: account(4), bytes: 75 },
                ProviderShare { provider: account(5), bytes: 25 },
            ],
            cell_bytes: 100,
            validators: vec![account(6), account(7), account(8)],
        }
    }

    #[test]
    fn ninety_coins_reach_everybody_who_made_the_view_possible() {
        let credits = pay(90_000_000_000, &RewardSplit::DEFAULT, &[WeightedPlay { weight: 1, shares: shares() }]);
        let of = |n| credits.iter().find(|credit| credit.account == account(n)).unwrap().gwei;
        assert_eq!(of(1), 27_000_000_000);
        assert_eq!(of(3), 2_700_000_000);
        assert_eq!((of(4), of(5)), (10_125_000_000, 3_375_000_000));
        assert_eq!((of(6), of(7), of(8)), (2_400_000_000, 2_400_000_000, 2_400_000_000));
        // Its own 30 %, and the 10 % and 4 % of absent activators and operation participants.
        assert_eq!(of(2), 39_600_000_000);
        assert_eq!(credits.iter().map(|credit| credit.gwei).sum::<u64>(), 90_000_000_000);
    }

    #[test]
    fn no_view_no_coin() {
        assert_eq!(pay(90_000_000_000, &RewardSplit::DEFAULT, &[]), []);
        assert_eq!(pay(90_000_000_000, &RewardSplit::DEFAULT, &[WeightedPlay { weight: 0, shares: shares() }]), []);
    }

    proptest! {
        #[test]
        fn not_one_gwei_is_made_or_lost(
            reward in 0u64..=90_000_000_000,
            weights in prop::collection::vec(0u64..1_000_000, 1..40),
            served in prop::collection::vec(0u64..1_000, 0..4),
            validators in 0u8..8,
        ) {
            let shares = PlayShares {
                providers: served.iter().enumerate()
                    .map(|(n, bytes)| ProviderShare { provider: account(n as u8), bytes: *bytes }).collect(),
                cell_bytes: 1_500,
                validators: (0..validators).map(|n| account(100 + n)).collect(),
                ..shares()
            };
            let plays: Vec<_> = weights.iter().map(|weight| WeightedPlay { weight: *weight, shares: shares.clone() }).collect();
            let paid: u64 = pay(reward, &RewardSplit::DEFAULT, &plays).iter().map(|credit| credit.gwei).sum();
            prop_assert_eq!(paid, if weights.iter().any(|weight| *weight > 0) { reward } else { 0 });
        }

        #[test]
        fn a_play_gains_at_most_a_gwei_by_its_place(weights in prop::collection::vec(1u64..1_000, 2..10)) {
            let only_viewer = RewardSplit { viewer: 1000, creator: 0, activators: 0, storage: 0, validators: 0, supervisor: 0, operation: 0 };
            let total: u64 = weights.iter().sum();
            let plays: Vec<_> = weights.iter().enumerate().map(|(n, weight)| WeightedPlay {
                weight: *weight,
                shares: PlayShares { viewer: account(n as u8), ..shares() },
            }).collect();
            for credit in pay(1_000_000, &only_viewer, &plays) {
                let exact = 1_000_000 * weights[credit.account.0[0] as usize] / total;
                prop_assert!(credit.gwei.abs_diff(exact) <= 1);
            }
        }
    }
}
