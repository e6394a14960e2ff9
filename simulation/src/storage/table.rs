//! The generated tables of `docs/storage.md`.

use super::{
    scaling::{Outcome, Rules, Strategy, run},
    traces::{self, Trace},
};
use crate::table::grouped;
use std::fmt::Write as _;

/// The seed of the long table, and others that must not say anything else. None is one that the forecast was tuned on.
pub const SEEDS: [u8; 3] = [1, 2, 3];

/// Every strategy on one trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The trace's name.
    pub trace: &'static str,
    /// Which of all possible ones.
    pub seed: u8,
    /// The floor, all the time.
    pub floor: Outcome,
    /// As many copies of each film as the forecast has on average, all the time; and how many those are.
    pub even: (u8, Outcome),
    /// Copies for those who are there.
    pub reactive: Outcome,
    /// Copies for so many times those who are there that it takes the forecast's storage; and the factor.
    pub padded: (f64, Outcome),
    /// Copies for those who are expected.
    pub forecast: Outcome,
}

impl Comparison {
    /// Runs all strategies.
    pub fn of(trace: &Trace, seed: u8, rules: &Rules) -> Self {
        let forecast = run(trace, Strategy::Forecast, rules);
        let copies = forecast.copies / trace.films.len().max(1) as f64;
        let even = copies.round().clamp(0.0, 255.0) as u8;
        Self {
            trace: trace.name,
            seed,
            floor: run(trace, Strategy::Fixed(rules.target.floor), rules),
            even: (even, run(trace, Strategy::Fixed(even), rules)),
            reactive: run(trace, Strategy::Reactive(1.0), rules),
            padded: padded(trace, forecast.copies, rules),
            forecast,
        }
    }

    /// Whether the forecast stalls less for each copy stored than the floor and plain counting do.
    pub fn forecast_wins(&self) -> bool {
        let score = self.forecast.stall_s_per_copy();
        score < self.floor.stall_s_per_copy() && score < self.reactive.stall_s_per_copy()
    }

    /// The forecast's stalls against those of counting with as much storage: below 1 it is better.
    pub fn against_padded(&self) -> f64 {
        self.forecast.stall_s_per_copy() / self.padded.1.stall_s_per_copy()
    }
}

/// The factor on what is counted that stores as many copies, and what it comes to.
fn padded(trace: &Trace, copies: f64, rules: &Rules) -> (f64, Outcome) {
    let (mut low, mut high) = (1.0, 4.0);
    let mut middle = (low, Outcome::default());
    // A thousandth.
    for _ in 0..12 {
        let factor = (low + high) / 2.0;
        middle = (factor, run(trace, Strategy::Reactive(factor), rules));
        if middle.1.copies < copies { low = factor } else { high = factor }
    }
    middle
}

/// All traces of all seeds, compared.
pub fn compare() -> Vec<Comparison> {
    let rules = Rules::default();
    let of_seed = |seed| traces::all(seed).into_iter().map(move |trace| Comparison::of(&trace, seed, &rules));
    SEEDS.into_iter().flat_map(of_seed).collect()
}

/// The strategies of the first seed, one line for each.
pub fn scaling(comparisons: &[Comparison]) -> String {
    let mut table = String::from(
        "| trace | copies follow | stalled, of play time | stalled seconds | copies stored, on average | copies made | \
         stalled seconds for each copy stored |\n|---|---|--:|--:|--:|--:|--:|\n",
    );
    for comparison in comparisons.iter().filter(|comparison| comparison.seed == SEEDS[0]) {
        let Comparison { floor, even, reactive, padded, forecast, .. } = comparison;
        let rows = [
            ("nothing: the floor".to_owned(), floor),
            (format!("nothing: {} of each film", even.0), &even.1),
            ("who is there".to_owned(), reactive),
            (format!("{:.2} times who is there", padded.0), &padded.1),
            ("the forecast".to_owned(), forecast),
        ];
        for (name, outcome) in rows {
            // Writing into a string cannot fail.
            let _ = writeln!(
                table,
                "| {} | {name} | {:.2} % | {} | {:.1} | {} | {} |",
                comparison.trace,
                outcome.stalled_percent(),
                whole(outcome.stalled_s),
                outcome.copies,
                whole(outcome.made),
                whole(outcome.stall_s_per_copy()),
            );
        }
    }
    table
}

/// Stalled seconds for each copy stored, and whether the forecast has the fewest, by trace and seed.
pub fn by_seed(comparisons: &[Comparison]) -> String {
    let mut table = String::from(
        "| trace | seed | nothing | who is there | the forecast | against both | against counting with as much storage |\n\
         |---|--:|--:|--:|--:|---|--:|\n",
    );
    for comparison in comparisons {
        let score = |outcome: &Outcome| whole(outcome.stall_s_per_copy());
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {:.2} |",
            comparison.trace,
            comparison.seed,
            score(&comparison.floor),
            score(&comparison.reactive),
            score(&comparison.forecast),
            if comparison.forecast_wins() { "better" } else { "**worse**" },
            comparison.against_padded(),
        );
    }
    table
}

fn whole(value: f64) -> String {
    grouped(value.round() as u64)
}
