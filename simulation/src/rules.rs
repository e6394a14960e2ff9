//! The protocol's own rules, as the model asks for them: weights from `chainflix-proof-of-view`, shares and schedule from
//! `chainflix-token`. Nothing of them is written again here.

use chainflix_primitives::{AccountAddress, ProtocolParams, ProviderShare, RewardSplit};
use chainflix_proof_of_view::weight::{Factors, identity_permille, rate_permille, saturation_permille};
use chainflix_token::{GWEI_PER_CFX, Parties, WeightedPlay, pay, reward_gwei};

const DAY_MS: u64 = 86_400_000;

/// What the ledger knows of an account when a play of it is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// View blocks since its first paid play.
    pub age_view_blocks: u64,
    /// What bond and vouching give it, in thousandths.
    pub standing_permille: u16,
    /// The network factor as voted on, in thousandths.
    pub network_permille: u16,
    /// What it played before on this day, in milliseconds.
    pub day_ms: u64,
    /// What it played before of this creator in this period, in milliseconds.
    pub creator_ms: u64,
    /// Bytes that were delivered for it.
    pub moved_bytes: u64,
}

/// The weight of one whole cell.
pub fn play_weight(params: &ProtocolParams, facts: &Facts) -> u64 {
    let (weights, play_ms) = (&params.weights, params.cell_ms);
    let factors = Factors {
        identity: identity_permille(weights, facts.age_view_blocks, facts.standing_permille),
        saturation: saturation_permille(weights.full_ms_per_day, facts.day_ms, play_ms),
        network: facts.network_permille.into(),
        creator_cap: saturation_permille(weights.creator_full_ms_per_period, facts.creator_ms, play_ms),
        rate: rate_permille(weights.full_bits_per_second, facts.moved_bytes, play_ms),
    };
    factors.weigh(play_ms)
}

/// Bytes that give a minute just full weight.
pub fn full_bytes_per_minute(params: &ProtocolParams) -> u64 {
    (params.weights.full_bits_per_second * 60).div_ceil(8)
}

/// Minutes a day that accounts on one line are paid for in full when the line has so many homes of one network.
pub fn line_minutes_per_day(params: &ProtocolParams, homes: u64) -> f64 {
    let weights = &params.weights;
    let by_day = homes * u64::from(params.plays_per_home_per_day);
    let by_home = homes * u64::from(weights.home_plays_per_slot) * weights.day_slots;
    let by_network = u64::from(weights.network_plays_per_slot) * weights.day_slots;
    by_day.min(by_home).min(by_network) as f64 * params.cell_ms as f64 / 60_000.0
}

/// Coins of a day in which every slot has a view, before the halving.
pub fn coins_per_day(params: &ProtocolParams) -> f64 {
    let slots = DAY_MS / params.slot_ms;
    (reward_gwei(params, 1) * slots) as f64 / GWEI_PER_CFX as f64
}

/// Who takes which part of a play's coins (0 to 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// Whoever makes the play.
    pub taken: f64,
    /// Whoever served the cell.
    pub storage: f64,
}

/// The shares that a farm can choose between by what it "watches".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Splits {
    /// Films under the network's own split.
    pub usual: Shares,
    /// Films whose creators give viewers the most they may.
    pub generous: Shares,
    /// Its own films.
    pub own: Shares,
}

impl Splits {
    /// The splits that these rules allow.
    pub fn of(params: &ProtocolParams) -> Self {
        Self {
            usual: paid(&params.split, false),
            generous: paid(&generous(params), false),
            own: paid(&greedy(params), true),
        }
    }
}

/// The split that gives viewers the most, taken from the creator first, as a creator that buys views would.
fn generous(params: &ProtocolParams) -> RewardSplit {
    let (least, most) = (params.split_bounds.least, params.split_bounds.most);
    // Both sums are at most 1000, or the genesis would not stand.
    let spare = 1000 - least.sum() as u16;
    let viewer = (least.viewer + spare).min(most.viewer);
    RewardSplit { viewer, creator: least.creator + spare - (viewer - least.viewer), ..least }
}

/// The split that leaves least to others, of those a creator may choose.
fn greedy(params: &ProtocolParams) -> RewardSplit {
    let least = params.split_bounds.least;
    let fixed = least.sum() - u32::from(least.creator);
    // Below 1000, and what others must not have more of, the creator or its own viewers take: it is one purse.
    let rest = 1000 - fixed as u16;
    let creator = rest.min(params.split_bounds.most.creator);
    RewardSplit { creator, viewer: least.viewer + (rest - creator), ..least }
}

/// Lets the token's own code pay one play, and looks what the farm has.
fn paid(split: &RewardSplit, own_films: bool) -> Shares {
    const GWEI: u64 = 1_000_000_000;
    let account = |number| AccountAddress([number; 20]);
    let (farm, creator, provider) = (account(1), account(2), account(3));
    let parties = Parties { validators: &[account(4)], struck_out: 0, operation: &[account(5)] };
    let play = WeightedPlay {
        weight: 1,
        split,
        viewer: farm,
        creator: if own_films { farm } else { creator },
        supervisor: account(6),
        activators: &[if own_films { farm } else { account(7) }],
        providers: &[ProviderShare { provider, bytes: 1 }],
        cell_bytes: 1,
        carriers: 1,
    };
    let credits = pay(GWEI, &parties, std::iter::once(play)).credits;
    let of = |who: AccountAddress| {
        let gwei: u64 = credits.iter().filter(|credit| credit.account == who).map(|credit| credit.gwei).sum();
        gwei as f64 / GWEI as f64
    };
    Shares { taken: of(farm), storage: of(provider) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_film_takes_what_the_bounds_leave() {
        let params = ProtocolParams::default();
        let splits = Splits::of(&params);
        assert_eq!(splits.usual, Shares { taken: 0.3, storage: 0.15 });
        assert_eq!(splits.generous, Shares { taken: 0.4, storage: 0.1 });
        // All but the least for storage, and what validators, supervisor and operation always have.
        assert_eq!(splits.own, Shares { taken: 0.75, storage: 0.1 });
        for split in [greedy(&params), generous(&params)] {
            params.split_bounds.check(&split).unwrap();
        }
    }

    #[test]
    fn a_film_is_just_heavy_enough() {
        let params = ProtocolParams::default();
        let rate = |bytes| rate_permille(params.weights.full_bits_per_second, bytes, 60_000);
        let full = full_bytes_per_minute(&params);
        assert_eq!([rate(full), rate(full - 1)], [1000, 999]);
    }

    #[test]
    fn a_line_has_eight_hours_for_each_of_its_homes_and_no_more_than_its_network() {
        let hours = |homes| line_minutes_per_day(&ProtocolParams::default(), homes) / 60.0;
        assert_eq!([hours(1), hours(2), hours(256)], [8.0, 16.0, 800.0]);
    }

    #[test]
    fn a_day_has_six_thousand_slots() {
        assert_eq!(coins_per_day(&ProtocolParams::default()), 540_000.0);
    }
}
