//! The generated tables of `docs/storage.md`.

use super::{
    churn::{CUT, Churn, PAID, POPULATIONS, VOLUNTEERS, YEAR_H},
    replay::{self, Trial},
    scheme::{Network, Outlook, Scheme},
};
use chainflix_placement::patience::PatienceRules;
use std::fmt::Write as _;

/// Cells of a film: two hours.
const CELLS: f64 = 120.0;
const YEAR_S: f64 = YEAR_H * 3_600.0;
const YEARS: f64 = 5.0;
/// The network's own floor.
const FLOOR: Scheme = Scheme::Copies { wanted: 3 };
/// What decision 0009 is about.
const BEST: Scheme = Scheme::Coded { needed: 4, pieces: 10, rebuild_at: 7 };
/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;
/// Parts of all disks that go at once, in percent.
const AT_ONCE: [f64; 4] = [0.1, 1.0, 5.0, 20.0];
/// What Storj pays since December 2023, in dollars: for a terabyte stored for a month, and for one that repair moves.
const STORED_USD: f64 = 1.5;
const MOVED_USD: f64 = 2.0;

/// What is compared.
const SCHEMES: [Scheme; 9] = [
    Scheme::Copies { wanted: 2 },
    FLOOR,
    Scheme::Copies { wanted: 4 },
    Scheme::Coded { needed: 4, pieces: 8, rebuild_at: 7 },
    Scheme::Coded { needed: 4, pieces: 10, rebuild_at: 9 },
    BEST,
    Scheme::Coded { needed: 4, pieces: 12, rebuild_at: 8 },
    Scheme::Coded { needed: 8, pieces: 12, rebuild_at: 11 },
    Scheme::Coded { needed: 8, pieces: 16, rebuild_at: 12 },
];

/// Every part: the name in its marker, and its text.
pub fn parts() -> [(&'static str, String); 5] {
    let network = Network::default();
    [
        ("durability", floor(&network)),
        ("durability-at-once", at_once(&network)),
        ("durability-check", check()),
        ("durability-patience", patience()),
        ("coding", coding(&network)),
    ]
}

/// Five years of a film under the floor, by population.
fn floor(network: &Network) -> String {
    let mut table = String::from(
        "| disks | gone for good, a year | away | copies of a cell, on average | repair moves, a year | cells that lack a copy | \
         nobody present has a cell, of the time | **film lost in 5 years** |\n|---|--:|--:|--:|--:|---|--:|--:|\n",
    );
    for churn in POPULATIONS {
        let outlook = FLOOR.outlook(&churn, network);
        // Writing into a string cannot fail.
        let _ = writeln!(
            table,
            "| {} | {:.0} % | {:.1} % | {:.2} | {:.1} × the film | {} | {} | **{}** |",
            churn.name,
            churn.gone_per_year * 100.0,
            (1.0 - churn.presence()) * 100.0,
            outlook.stored,
            outlook.moved_per_s * YEAR_S,
            if outlook.waits { "wait: the lines are full" } else { "are mended at once" },
            small(outlook.unplayable),
            small(lost(&outlook)),
        );
    }
    table
}

/// What goes at once, against copies and pieces.
fn at_once(network: &Network) -> String {
    let shown = [FLOOR, Scheme::Copies { wanted: 4 }, SCHEMES[3], BEST, SCHEMES[8]];
    let mut table = String::from("| gone at once |");
    shown.iter().for_each(|scheme| _ = write!(table, " {} |", name(*scheme)));
    table.push_str("\n|--:|--:|--:|--:|--:|--:|\n");
    let outlooks = shown.map(|scheme| scheme.outlook(&PAID, network));
    for percent in AT_ONCE {
        let _ = write!(table, "| {percent} % of all disks |");
        for outlook in &outlooks {
            let _ = write!(table, " {} |", small(outlook.film_lost_at_once(CELLS, percent / 100.0)));
        }
        table.push('\n');
    }
    table
}

/// The chain beside the network's own code, where disks die so fast that losses can be counted.
fn check() -> String {
    let mut table = String::from(
        "| mean life of a disk | repair waits | lost by the chain, a cell and hour | lost by the network's own code | losses \
         counted |\n|--:|---|--:|--:|--:|\n",
    );
    let none = ("20 s", PatienceRules::none(20_000));
    let some = ("5 min, if two are heard", PatienceRules { lost_after_ms: 300_000, ..PatienceRules::default() });
    for (minutes, hours, (waits, patience)) in
        [(30.0, 4, none), (45.0, 12, none), (60.0, 24, none), (30.0, 4, some), (45.0, 12, some), (60.0, 24, some)]
    {
        let life_s = 60.0 * minutes;
        let length_s = hours * 3_600;
        let seen = replay::run(&Trial { providers: 600, cells: 1_200, life_s, length_s, patience, seed: 1 });
        let churn = Churn { gone_per_year: YEAR_S / life_s, session_h: f64::INFINITY, ..PAID };
        let network = Network { held_bytes: 1e6, patience, ..Network::default() };
        let chain = FLOOR.outlook(&churn, &network);
        let _ = writeln!(
            table,
            "| {minutes} min | {waits} | {} | {} | {} |",
            small(chain.lost_per_s * 3_600.0),
            small(seen.lost_per_s * 3_600.0),
            seen.lost,
        );
    }
    table
}

/// What it changes to wait for those who are silent, with and without a hard minimum.
fn patience() -> String {
    let mut table = String::from(
        "| repair waits | but not below | paid disks: copies of a cell | moved a year | film lost in 5 years | after a pay cut | \
         volunteers: copies of a cell | moved a year | film lost in 5 years |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let rule = PatienceRules::default();
    let without = |patience| PatienceRules { reachable_min: 0, ..patience };
    let of = |hours: u64| PatienceRules { lost_after_ms: hours * HOUR_MS, ..rule };
    for (name, patience) in [
        ("20 s (as it was)", without(PatienceRules::none(20_000))),
        ("1 h", without(of(1))),
        ("1 h", of(1)),
        ("6 h", without(of(6))),
        ("6 h (the rule)", rule),
        ("1 day", without(of(24))),
        ("1 day", of(24)),
    ] {
        let network = Network { patience, ..Network::default() };
        let [paid, cut, volunteers] = [PAID, CUT, VOLUNTEERS].map(|churn| FLOOR.outlook(&churn, &network));
        let bound = if patience.reachable_min == 0 { "" } else { "2 heard" };
        let _ = writeln!(
            table,
            "| {name} | {bound} | {:.2} | {:.1} × | {} | {} | {:.2} | {:.1} × | {} |",
            paid.stored,
            paid.moved_per_s * YEAR_S,
            small(lost(&paid)),
            small(lost(&cut)),
            volunteers.stored,
            volunteers.moved_per_s * YEAR_S,
            small(lost(&volunteers)),
        );
    }
    table
}

/// Copies and pieces side by side.
fn coding(network: &Network) -> String {
    let mut table = String::from(
        "| a cell lies as | stored | repair moves, a year | dollars for a TB of films, a month | lost in 5 years: paid disks | after \
         a pay cut | volunteers | 1 % gone at once | 5 % gone at once | copies that serve a cell | pays after |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let whole = FLOOR.outlook(&PAID, network);
    for scheme in SCHEMES {
        let [paid, cut, volunteers] = [PAID, CUT, VOLUNTEERS].map(|churn| scheme.outlook(&churn, network));
        let _ = writeln!(
            table,
            "| {} | {:.2} × | {:.1} × | {:.2} | {} | {} | {} | {} | {} | {} | {} |",
            name(scheme),
            scheme.expansion(),
            paid.moved_per_s * YEAR_S,
            price_usd(&paid),
            small(lost(&paid)),
            small(lost(&cut)),
            small(lost(&volunteers)),
            small(paid.film_lost_at_once(CELLS, 0.01)),
            small(paid.film_lost_at_once(CELLS, 0.05)),
            scheme.serving(),
            pays_after(scheme, price_usd(&whole) - price_usd(&paid)),
        );
    }
    table
}

/// Months until what pieces save has paid for making them, and for making copies again later.
fn pays_after(scheme: Scheme, saved_usd: f64) -> String {
    let Scheme::Coded { needed, pieces, .. } = scheme else { return "".to_owned() };
    if saved_usd <= 0.0 {
        return "never".to_owned();
    }
    // The cells are read and parity is sent; later two more copies of each are made.
    let moved = 1.0 + f64::from(pieces - needed) / f64::from(needed) + 2.0;
    format!("{:.0} months", (moved * MOVED_USD / saved_usd).ceil())
}

/// What a terabyte of films costs in a month.
fn price_usd(outlook: &Outlook) -> f64 {
    outlook.stored * STORED_USD + outlook.moved_per_s * YEAR_S / 12.0 * MOVED_USD
}

fn lost(outlook: &Outlook) -> f64 {
    outlook.film_lost(CELLS, YEARS * YEAR_S)
}

fn name(scheme: Scheme) -> String {
    match scheme {
        Scheme::Copies { wanted } => format!("{wanted} copies"),
        Scheme::Coded { needed, pieces, rebuild_at } if rebuild_at + 1 == pieces => {
            format!("any {needed} of {pieces} pieces")
        }
        Scheme::Coded { needed, pieces, rebuild_at } => {
            format!("any {needed} of {pieces} pieces, rebuilt at {rebuild_at}")
        }
    }
}

/// A chance or a share of time.
fn small(value: f64) -> String {
    match value {
        value if value >= 0.01 => format!("{:.1} %", value * 100.0),
        value if value < 1e-30 => "below 10⁻³⁰".to_owned(),
        value => {
            let text = format!("{value:.1e}");
            let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{digits} · 10{}", superscript(power))
        }
    }
}

fn superscript(power: &str) -> String {
    let raise = |digit: char| match digit {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => digit.to_digit(10).and_then(|digit| char::from_u32('⁰' as u32 + digit)).unwrap_or(digit),
    };
    power.chars().map(raise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_read_as_people_write_them() {
        assert_eq!([0.123, 3.21e-5, 4.04e-12].map(small), ["12.3 %", "3.2 · 10⁻⁵", "4.0 · 10⁻¹²"]);
    }
}
