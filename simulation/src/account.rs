//! What one account's days weigh, play by play, under the protocol's own weights.

use crate::{
    farm::{Addresses, FILM_BYTES_PER_MINUTE, Farm, Films, Identity, Layout},
    rules::{Facts, play_weight},
};
use chainflix_primitives::ProtocolParams;
use std::{cell::RefCell, collections::HashMap};

/// Days that a throw-away account lives.
const FRESH_DAYS: u64 = 30;
/// Days after which days of a grown account repeat: three periods.
const GROWN_DAYS: u64 = 5;
const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: u64 = 60_000;
const MINUTES_PER_DAY: f64 = 1_440.0;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Creators that somebody who watches for pleasure watches in turn.
pub const CREATORS_WATCHED: u64 = 5;

/// An account's average day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Day {
    /// Hours played.
    pub hours: f64,
    /// Hours that they weigh: one for an hour of an account with full weight in everything.
    pub weight_hours: f64,
}

/// How an account plays. The network factor is left out: it is the same for all its plays, and multiplies the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Habit {
    /// Minutes a day, in one go.
    pub minutes_per_day: u32,
    /// View blocks since its first paid play, on the first day.
    pub age_view_blocks: u64,
    /// What bond and vouching give it, in thousandths.
    pub standing_permille: u16,
    /// How many creators it watches in turn.
    pub creators: u64,
    /// Bytes that it fetches, or has signed for, each minute.
    pub bytes_per_minute: u64,
}

impl Habit {
    /// Somebody who watches two hours a day, for long, alone at home.
    pub fn honest(params: &ProtocolParams) -> Self {
        Self {
            minutes_per_day: 120,
            age_view_blocks: params.weights.mature_view_blocks,
            standing_permille: 0,
            creators: CREATORS_WATCHED,
            bytes_per_minute: FILM_BYTES_PER_MINUTE,
        }
    }

    /// An account of a farm that has `creators` of its own, and that has so many bytes signed for each minute.
    pub fn of(params: &ProtocolParams, farm: &Farm, layout: &Layout, creators: u64, bytes_per_minute: u64) -> Self {
        let aged = farm.identity == Identity::Aged;
        let proven = matches!(farm.identity, Identity::Bonded | Identity::Vouched);
        Self {
            minutes_per_day: layout.minutes_per_day,
            age_view_blocks: if aged { params.weights.mature_view_blocks } else { 0 },
            standing_permille: if proven { 1000 } else { 0 },
            creators: if farm.films == Films::Own { creators.clamp(1, CREATORS_WATCHED) } else { CREATORS_WATCHED },
            bytes_per_minute,
        }
    }

    /// Plays `days` through.
    pub fn average_day(&self, params: &ProtocolParams, days: u64) -> Day {
        let mut creators_ms = vec![0; self.creators as usize];
        let mut weight = 0u128;
        for day in 0..days {
            let mut day_ms = 0;
            let mut played = 0;
            while day_ms < u64::from(self.minutes_per_day) * MINUTE_MS {
                let slot = (day * DAY_MS + day_ms) / params.slot_ms;
                let period = slot / params.period_view_blocks;
                let before = (day * DAY_MS + day_ms).saturating_sub(params.cell_ms) / params.slot_ms;
                if before / params.period_view_blocks != period {
                    creators_ms.fill(0);
                }
                let creator = (played % self.creators) as usize;
                let facts = Facts {
                    age_view_blocks: self.age_view_blocks + slot,
                    standing_permille: self.standing_permille,
                    network_permille: 1000,
                    day_ms,
                    creator_ms: creators_ms[creator],
                    moved_bytes: self.bytes_per_minute * params.cell_ms / MINUTE_MS,
                };
                weight += u128::from(play_weight(params, &facts));
                creators_ms[creator] += params.cell_ms;
                day_ms += params.cell_ms;
                played += 1;
            }
        }
        Day { hours: f64::from(self.minutes_per_day) / 60.0, weight_hours: weight as f64 / (days * HOUR_MS) as f64 }
    }
}

/// The average days of accounts under one set of rules, each played through once.
#[derive(Debug, Default)]
pub struct Days(RefCell<HashMap<Habit, Day>>);

impl Days {
    /// The average day of an account with this habit.
    pub fn of(&self, params: &ProtocolParams, habit: &Habit) -> Day {
        let known = self.0.borrow().get(habit).copied();
        known.unwrap_or_else(|| {
            let grown = habit.age_view_blocks >= params.weights.mature_view_blocks || habit.standing_permille >= 1000;
            let day = habit.average_day(params, if grown { GROWN_DAYS } else { FRESH_DAYS });
            self.0.borrow_mut().insert(*habit, day);
            day
        })
    }
}

/// The network factor of a farm's plays, when it spreads them over slots as evenly as can be, in thousandths.
pub fn network_permille(params: &ProtocolParams, farm: &Farm, layout: &Layout, homes: u64) -> u16 {
    let concurrent = f64::from(layout.accounts_per_home) * f64::from(layout.minutes_per_day) / MINUTES_PER_DAY;
    let home = concurrent * params.slot_ms as f64 / params.cell_ms as f64;
    let neighbours = match farm.addresses {
        Addresses::Rotating => 1,
        _ => farm.homes_per_network(layout).min(homes.max(1)),
    };
    let weights = &params.weights;
    let network = share(weights.network_plays_per_slot, home * neighbours as f64);
    let allocated = |most: u64| share(weights.allocation_plays_per_slot, home * most.min(homes.max(1)) as f64);
    let allocation = farm.homes_per_allocation(layout).map_or(1.0, allocated);
    let home = share(weights.home_plays_per_slot, home);
    // Below 1000.
    (home.min(network).min(allocation) * 1000.0) as u16
}

/// The average factor of `plays` plays a slot where `full` have full weight together: slots hold whole plays, so some
/// hold one more than others.
fn share(full: u32, plays: f64) -> f64 {
    let (few, many) = (plays.floor(), plays.floor() + 1.0);
    let factor = |count: f64| if count > 0.0 { (f64::from(full) / count).min(1.0) } else { 1.0 };
    let often = plays - few;
    ((1.0 - often) * few * factor(few) + often * many * factor(many)) / plays
}
