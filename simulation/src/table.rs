//! The generated tables of `docs/security.md`.
//!
//! One unit runs through them: what all coins together are worth for each person who watches honestly on a day. It is the
//! price of the coin made comparable between small and large networks, and with the market value of other companies.

use crate::{
    account::Days,
    economy::{Outcome, Proposal, World},
    farm::Farm,
    prices::{DAYS_PER_MONTH, Prices},
    rules::{Splits, coins_per_day, line_minutes_per_day},
};
use chainflix_primitives::ProtocolParams;
use std::{fmt::Write as _, rc::Rc};

/// Sizes that are tried, in accounts.
pub const SIZES: [u64; 6] = [1, 10, 100, 1_000, 10_000, 100_000];
/// Honest populations that are tried, in viewers a day.
pub const POPULATIONS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The population of the tables that name none.
pub const VIEWERS: u64 = 100_000;
/// The value of all coins for each daily viewer at which a farm is called losing or gaining, in dollars.
///
/// Companies that live on viewers are worth 35 to 200 dollars for each person a day (Snap, Twitter when it was sold,
/// Spotify), the largest a few hundred. A network whose coins are worth more than this should look at the table again.
pub const REFERENCE_USD: f64 = 100.0;
/// Coins at the start (white paper); a year of views adds three percent.
const SUPPLY_CFX: f64 = 6e9;

/// Everything the tables are made from.
pub struct Sweep {
    /// The protocol's numbers.
    pub params: ProtocolParams,
    /// What things cost.
    pub prices: Prices,
    pub(crate) days: Rc<Days>,
    pub(crate) shares: Splits,
    pub(crate) proposal: Proposal,
}

/// Where the default parameters stand against every farm.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Farms that were tried.
    pub tried: usize,
    /// Those that gain at [`REFERENCE_USD`].
    pub gaining: Vec<&'static str>,
}

impl Sweep {
    /// The network's defaults at today's prices.
    pub fn standard() -> Self {
        Self::new(ProtocolParams::default(), Prices::default())
    }

    /// Other defaults, or other prices.
    pub fn new(params: ProtocolParams, prices: Prices) -> Self {
        Self { shares: Splits::of(&params), params, prices, days: Rc::default(), proposal: Proposal::default() }
    }

    /// A network of `viewers` honest viewers under these rules and prices.
    pub fn world(&self, viewers: u64) -> World<'_> {
        World {
            params: &self.params,
            prices: &self.prices,
            days: &self.days,
            shares: &self.shares,
            viewers,
            proposal: self.proposal,
        }
    }

    /// What an honest hour pays to all who share in it, in dollars, when all coins are worth `usd` for each viewer.
    pub fn usd_per_honest_hour(&self, usd: f64) -> f64 {
        usd / SUPPLY_CFX * coins_per_day(&self.params) / (self.world(1).honest_hours())
    }

    /// The value of all coins for each viewer, in dollars, at which a farm breaks even; `None` when it never does.
    pub(crate) fn break_even_usd(&self, outcome: &Outcome) -> Option<f64> {
        outcome.break_even_usd.map(|usd| usd / self.usd_per_honest_hour(1.0))
    }

    /// A farm of every size among [`VIEWERS`].
    fn sizes(&self, farm: &Farm) -> Vec<Outcome> {
        let world = self.world(VIEWERS);
        let pay = self.usd_per_honest_hour(REFERENCE_USD);
        SIZES.iter().map(|accounts| world.farm(farm, *accounts, pay)).collect()
    }

    /// The size at which a farm breaks even first.
    pub(crate) fn cheapest(&self, farm: &Farm) -> Outcome {
        let threshold = |outcome: &Outcome| self.break_even_usd(outcome).unwrap_or(f64::INFINITY);
        let sizes = self.sizes(farm).into_iter();
        // There are six sizes.
        sizes.min_by(|one, other| threshold(one).total_cmp(&threshold(other))).unwrap_or_else(|| unreachable!("sizes"))
    }

    /// Which farms gain at the reference.
    pub fn verdict(&self) -> Verdict {
        let gains = |farm: &&Farm| self.break_even_usd(&self.cheapest(farm)).is_some_and(|usd| usd < REFERENCE_USD);
        Verdict { tried: Farm::ALL.len(), gaining: Farm::ALL.iter().filter(gains).map(|farm| farm.name).collect() }
    }

    /// Every farm at the size that breaks even first.
    pub fn farms(&self) -> String {
        let mut table = String::from(
            "| farm | accounts, minutes a day, accounts an address | a fake minute weighs | and earns its owner | costs an \
             hour | gains when an honest hour pays | and all coins are worth, for each viewer | at the reference |\n\
             |---|--:|--:|--:|--:|--:|--:|---|\n",
        );
        for farm in &Farm::ALL {
            let best = self.cheapest(farm);
            let threshold = self.break_even_usd(&best);
            let verdict = if threshold.is_some_and(|usd| usd < REFERENCE_USD) { "**gains**" } else { "loses" };
            let layout = best.layout;
            row(
                &mut table,
                &[
                    farm.name.to_owned(),
                    format!("{}, {}, {}", grouped(best.accounts), layout.minutes_per_day, layout.accounts_per_home),
                    ratio(best.weight_ratio),
                    ratio(best.income_ratio),
                    cents(best.usd_per_hour),
                    best.break_even_usd.map_or("never".into(), cents),
                    threshold.map_or("never".into(), dollars),
                    verdict.to_owned(),
                ],
            );
        }
        table
    }

    /// Where each farm breaks even, by its size.
    pub fn by_size(&self) -> String {
        let head: Vec<_> = SIZES.iter().map(|size| grouped(*size)).collect();
        let mut table = format!("| farm | {} |\n|---|{}\n", head.join(" | "), "--:|".repeat(SIZES.len()));
        for farm in &Farm::ALL {
            let sizes = self.sizes(farm);
            let thresholds = sizes.iter().map(|outcome| self.break_even_usd(outcome).map_or("never".into(), dollars));
            let cells: Vec<_> = std::iter::once(farm.name.to_owned()).chain(thresholds).collect();
            row(&mut table, &cells);
        }
        table
    }

    /// The price of one coin at which each farm starts to gain, by honest population.
    pub fn by_population(&self) -> String {
        let head: Vec<_> = POPULATIONS.iter().map(|viewers| format!("{} viewers", grouped(*viewers))).collect();
        let mut table = format!("| farm | {} |\n|---|{}\n", head.join(" | "), "--:|".repeat(POPULATIONS.len()));
        for farm in &Farm::ALL {
            let price = |viewers: &u64| {
                let (world, pay) = (self.world(*viewers), self.usd_per_honest_hour(REFERENCE_USD));
                let prices = SIZES.iter().filter_map(|size| world.farm(farm, *size, pay).break_even_coin_usd);
                prices.min_by(f64::total_cmp).map_or("never".into(), cents)
            };
            let cells: Vec<_> = std::iter::once(farm.name.to_owned()).chain(POPULATIONS.iter().map(price)).collect();
            row(&mut table, &cells);
        }
        table
    }

    /// What a household can be paid for at the reference, by what its line has.
    pub fn household(&self) -> String {
        let mut table = String::from(
            "| a line at home with | hours a day that are paid | a month, as a viewer | a month, a creator with own films |\n\
             |---|--:|--:|--:|\n",
        );
        let hours = |homes| line_minutes_per_day(&self.params, homes) / 60.0;
        let lines = [
            ("an IPv4 address", hours(1)),
            ("an IPv4 address and an IPv6 /56", hours(1) + hours(1)),
            ("an IPv4 address and an IPv6 /48", hours(1) + hours(256)),
        ];
        for (name, hours) in lines {
            let month = hours * DAYS_PER_MONTH * self.usd_per_honest_hour(REFERENCE_USD);
            let cells = [self.shares.usual, self.shares.own].map(|shares| dollars(month * shares.taken));
            row(&mut table, &[&[name.to_owned(), grouped(hours as u64)], &cells[..]].concat());
        }
        table
    }
}

pub(crate) fn row(table: &mut String, cells: &[String]) {
    // Writing into a string cannot fail.
    let _ = writeln!(table, "| {} |", cells.join(" | "));
}

fn ratio(value: f64) -> String {
    format!("{value:.2}")
}

fn cents(usd: f64) -> String {
    format!("{} c", significant(usd * 100.0))
}

pub(crate) fn dollars(usd: f64) -> String {
    format!("${}", significant(usd))
}

/// About three digits, without exponents.
pub(crate) fn significant(value: f64) -> String {
    match value {
        value if value >= 100.0 => grouped(value.round() as u64),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value if value >= 0.01 => format!("{value:.3}"),
        value => format!("{value:.5}"),
    }
}

/// A whole number with commas.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_reading() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1234.4, 12.34, 1.234, 0.1234].map(significant), ["1,234", "12.3", "1.23", "0.123"]);
    }

    #[test]
    fn the_unit_is_the_price_of_the_coin() {
        let sweep = Sweep::standard();
        // All coins worth 100 dollars for each of 100,000 viewers: 10 million dollars, a sixth of a cent a coin.
        let coin = REFERENCE_USD * VIEWERS as f64 / SUPPLY_CFX;
        let hour = coin * coins_per_day(&sweep.params) / sweep.world(VIEWERS).honest_hours();
        assert!((hour / sweep.usd_per_honest_hour(REFERENCE_USD) - 1.0).abs() < 1e-9);
    }
}
