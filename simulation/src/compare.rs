//! What would be otherwise: other rules, other parameters, other prices, and the farm on which each bears.

use crate::{
    economy::Proposal,
    farm::Farm,
    prices::Prices,
    table::{REFERENCE_USD, Sweep, dollars, grouped, row, significant},
};
use chainflix_primitives::ProtocolParams;

impl Sweep {
    /// What each rule against farms does: every farm that gains with or without it.
    pub fn by_rule(&self) -> String {
        let with = |change: fn(&mut ProtocolParams)| {
            let mut params = self.params.clone();
            change(&mut params);
            Self::new(params, self.prices.clone())
        };
        let worlds: Vec<_> = RULES.iter().map(|(name, change)| (*name, with(*change))).collect();
        columns(&worlds)
    }

    /// What rules that the protocol does not have would change.
    pub fn by_proposal(&self) -> String {
        let with = |(name, proposal): &(&'static str, Proposal)| (*name, Self { proposal: *proposal, ..self.again() });
        columns(&PROPOSALS.iter().map(with).collect::<Vec<_>>())
    }

    /// The same rules and prices; what was played through under them stands.
    fn again(&self) -> Self {
        Self { days: self.days.clone(), ..Self::new(self.params.clone(), self.prices.clone()) }
    }

    /// What each price, halved and doubled, does to the farms it bears on.
    pub fn by_price(&self) -> String {
        let mut table =
            String::from("| price | default | farm | now | halved | doubled |\n|---|--:|---|--:|--:|--:|\n");
        for (name, price) in Prices::named() {
            let with = |factor: f64| {
                let mut prices = self.prices.clone();
                *price(&mut prices) *= factor;
                Self { prices, ..self.again() }
            };
            let value = *price(&mut self.prices.clone());
            self.compare(&mut table, name, &significant(value), &with(0.5), &with(2.0));
        }
        table
    }

    /// What each parameter, halved and doubled, does to the farms it bears on.
    pub fn by_parameter(&self) -> String {
        let mut table =
            String::from("| parameter | default | farm | now | halved | doubled |\n|---|--:|---|--:|--:|--:|\n");
        for (name, parameter) in PARAMETERS {
            let with = |numerator: u64, denominator: u64| {
                let mut params = self.params.clone();
                parameter(&mut params, &|value| (value * numerator / denominator).max(1));
                Self::new(params, self.prices.clone())
            };
            let value = std::cell::Cell::new(0);
            parameter(&mut self.params.clone(), &|now| {
                value.set(now);
                now
            });
            let (half, twice) = (with(1, 2), with(2, 1));
            self.compare(&mut table, &format!("`{name}`"), &grouped(value.get()), &half, &twice);
        }
        table
    }

    /// One row: the farm on which the change bears most, or that it bears on none.
    fn compare(&self, table: &mut String, name: &str, value: &str, half: &Self, twice: &Self) {
        let threshold =
            |sweep: &Self, farm: &Farm| sweep.break_even_usd(&sweep.cheapest(farm)).unwrap_or(f64::INFINITY);
        let change = |farm: &Farm| {
            let (low, high) = (threshold(half, farm), threshold(twice, farm));
            if low == high { 0.0 } else { (low.min(1e9) / high.min(1e9)).ln().abs() }
        };
        let changes = Farm::ALL.iter().map(|farm| (change(farm), farm));
        let most = changes.max_by(|(one, _), (other, _)| one.total_cmp(other));
        let Some((_, farm)) = most.filter(|(change, _)| *change > 0.01) else {
            return row(table, &[name.into(), value.into(), "none".into(), "".into(), "".into(), "".into()]);
        };
        let shown = |sweep: &Self| match threshold(sweep, farm) {
            usd if usd.is_finite() => dollars(usd),
            _ => "never".into(),
        };
        let cells = [name.into(), value.into(), farm.name.to_owned(), shown(self), shown(half), shown(twice)];
        row(table, &cells);
    }
}

/// One column for each world, one row for each farm that gains in one of them.
fn columns(worlds: &[(&'static str, Sweep)]) -> String {
    let names: Vec<_> = worlds.iter().map(|(name, _)| *name).collect();
    let mut table = format!("| farm | {} |\n|---|{}\n", names.join(" | "), "--:|".repeat(worlds.len()));
    for farm in &Farm::ALL {
        let thresholds: Vec<_> = worlds.iter().map(|(_, sweep)| sweep.break_even_usd(&sweep.cheapest(farm))).collect();
        if thresholds.iter().flatten().any(|usd| *usd < REFERENCE_USD) {
            let cells = thresholds.into_iter().map(|usd| usd.map_or("never".into(), dollars));
            row(&mut table, &std::iter::once(farm.name.to_owned()).chain(cells).collect::<Vec<_>>());
        }
    }
    table
}

/// A rule, and the parameter that takes it away.
type Rule = (&'static str, fn(&mut ProtocolParams));

/// The rules against farms, each taken away, or with another number.
const RULES: [Rule; 9] = [
    ("as it is", |_| ()),
    ("viewers may be given 60 %", |params| params.split_bounds.most.viewer = 600),
    ("every film weighs the same", |params| params.weights.full_bits_per_second = 1),
    ("full weight from 1 Mbit/s on", |params| params.weights.full_bits_per_second = 1_000_000),
    ("full weight from 4 Mbit/s on", |params| params.weights.full_bits_per_second = 4_000_000),
    ("a home's day has no end", |params| params.plays_per_home_per_day = u32::MAX),
    ("allocations are not counted", |params| params.weights.allocation_plays_per_slot = u32::MAX),
    ("providers answer for nothing", |params| params.audit.provider_audits_min = u32::MAX),
    ("none of these rules", |params| {
        params.split_bounds.most.viewer = 600;
        params.weights.full_bits_per_second = 1;
        params.plays_per_home_per_day = u32::MAX;
        params.weights.allocation_plays_per_slot = u32::MAX;
        params.audit.provider_audits_min = u32::MAX;
    }),
];

/// Rules to judge.
const PROPOSALS: [(&str, Proposal); 4] = [
    ("as it is", Proposal { provider_network_plays_per_day: None }),
    ("6,000", Proposal { provider_network_plays_per_day: Some(6_000.0) }),
    ("3,000", Proposal { provider_network_plays_per_day: Some(3_000.0) }),
    ("1,440", Proposal { provider_network_plays_per_day: Some(1_440.0) }),
];

/// A parameter that can be changed by a function.
type Parameter = (&'static str, fn(&mut ProtocolParams, &dyn Fn(u64) -> u64));

/// Parameters that stand in a farm's way.
const PARAMETERS: [Parameter; 15] = [
    ("receiptCoveragePermille", |params, change| {
        params.receipt_coverage_permille = change(params.receipt_coverage_permille).min(1000);
    }),
    ("weights.freshPermille", |params, change| {
        // At most 1000.
        params.weights.fresh_permille = change(params.weights.fresh_permille.into()).min(1000) as u16;
    }),
    ("weights.matureViewBlocks", |params, change| {
        params.weights.mature_view_blocks = change(params.weights.mature_view_blocks);
    }),
    ("weights.bondFullCfx", |params, change| params.weights.bond_full_cfx = change(params.weights.bond_full_cfx)),
    ("weights.fullMsPerDay", |params, change| params.weights.full_ms_per_day = change(params.weights.full_ms_per_day)),
    ("weights.homePlaysPerSlot", |params, change| {
        // Small numbers.
        params.weights.home_plays_per_slot = change(params.weights.home_plays_per_slot.into()) as u32;
    }),
    ("weights.networkPlaysPerSlot", |params, change| {
        // Small numbers.
        params.weights.network_plays_per_slot = change(params.weights.network_plays_per_slot.into()) as u32;
    }),
    ("weights.creatorFullMsPerPeriod", |params, change| {
        params.weights.creator_full_ms_per_period = change(params.weights.creator_full_ms_per_period);
    }),
    ("audit.sharePermille", |params, change| {
        // At most 1000.
        params.audit.share_permille = change(params.audit.share_permille.into()).min(1000) as u16;
    }),
    ("audit.strikesMax", |params, change| {
        // Small numbers.
        params.audit.strikes_max = change(params.audit.strikes_max.into()) as u8;
    }),
    ("weights.allocationPlaysPerSlot", |params, change| {
        // Small numbers.
        params.weights.allocation_plays_per_slot = change(params.weights.allocation_plays_per_slot.into()) as u32;
    }),
    ("weights.fullBitsPerSecond", |params, change| {
        params.weights.full_bits_per_second = change(params.weights.full_bits_per_second);
    }),
    ("playsPerHomePerDay", |params, change| {
        // Small numbers.
        params.plays_per_home_per_day = change(params.plays_per_home_per_day.into()) as u32;
    }),
    ("splitBounds.most.viewer", |params, change| {
        // At most 1000.
        params.split_bounds.most.viewer = change(params.split_bounds.most.viewer.into()).min(1000) as u16;
    }),
    ("audit.providerAuditsMin", |params, change| {
        // Small numbers.
        params.audit.provider_audits_min = change(params.audit.provider_audits_min.into()) as u32;
    }),
];
