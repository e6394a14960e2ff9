//! Whole copies of one cell, and what a controller can tell of them.
//!
//! ```text
//!             silent              patience runs out
//!  present ──────────▶ silent ──────────────────────▶ away          noticed as gone: no copy any more
//!    │  ▲ ▲──────back────┘ │                          │ │ ▲
//!    │  └──────────────────┼────────────back──────────┘ │ │ patience runs out
//!    └────gone for good────┴──▶ dead, and as silent ────┼─┘
//!                                                       └─ gone for good
//! ```
//!
//! Who is *silent* and who is *dead* look the same: a controller counts both until its patience runs out. Only what is
//! present, silent or away exists. The patience of those who come back has the rate at which as many absences outlast it as
//! outlast the true one, which is a fixed time; for the dead it is exponential, with the same mean.

use super::{
    churn::Churn,
    scheme::{Network, State, Step},
};
use chainflix_placement::patience::PatienceRules;

/// Copies of a cell that exist beyond which no more are made here; nobody gets there.
pub(super) const COPIES_MAX: u8 = 10;

/// All states of a cell that should have `wanted` copies; the first is the one in which nothing lacks. More than `wanted` dead
/// copies that are not noticed yet are as many.
pub(super) fn states(wanted: u8) -> Vec<State> {
    let first = State { present: wanted, ..State::default() };
    let of = |existing: u8| {
        let parts =
            (0..=existing).flat_map(move |present| (0..=existing - present).map(move |silent| (present, silent)));
        parts.flat_map(move |(present, silent)| {
            (0..=wanted).map(move |dead| State { present, silent, dead, away: existing - present - silent })
        })
    };
    let others = (1..=COPIES_MAX).rev().flat_map(of).filter(|state| *state != first);
    std::iter::once(first).chain(others).collect()
}

/// How many copies count when turns are given: those that lack most come first, and whoever lacks nothing but words, last.
pub(super) fn turn(state: State, wanted: u8) -> u8 {
    (state.present + state.silent + state.dead).min(wanted)
}

/// Where a state leads, when it waits `wait_s` for a turn of repair.
pub(super) fn steps(state: State, wanted: u8, churn: &Churn, network: &Network, wait_s: f64) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |to: State, rate: f64| steps.push(Step { to: to.exists(1), rate, moved: 0.0 });
    let State { present, silent, dead, away } = state;
    let (rules, gone) = (&network.patience, churn.gone_per_s());
    let missed = (dead + 1).min(wanted);
    if present > 0 {
        let (rest, rate) = (State { present: present - 1, ..state }, f64::from(present));
        step(State { dead: missed, ..rest }, rate * gone);
        let left = match waits(rules) {
            true => State { silent: silent + 1, ..rest },
            false => State { away: away + 1, ..rest },
        };
        step(left, rate * churn.leaving_per_s(rules.noticed_after_ms() as f64 / 1e3));
    }
    if silent > 0 {
        let (rest, rate) = (State { silent: silent - 1, ..state }, f64::from(silent));
        step(State { present: present + 1, ..rest }, rate * churn.returning_per_s());
        step(State { dead: missed, ..rest }, rate * gone);
        if waits(rules) {
            step(State { away: away + 1, ..rest }, rate * expiring_per_s(churn, rules));
        }
    }
    if dead > 0 {
        step(State { dead: dead - 1, ..state }, f64::from(dead) * 1e3 / rules.lost_after_ms as f64);
    }
    if away > 0 {
        let (rest, rate) = (State { away: away - 1, ..state }, f64::from(away));
        step(State { present: present + 1, ..rest }, rate * churn.returning_per_s());
        step(rest, rate * gone);
    }
    if present > wanted {
        step(State { present: wanted, ..state }, 1e3 / network.trim.delay_ms as f64);
    }
    steps.extend(mending(state, wanted, network, wait_s));
    steps
}

/// Whether there is a patience beyond noticing.
fn waits(rules: &PatienceRules) -> bool {
    rules.lost_after_ms > rules.noticed_after_ms()
}

/// The rate at which patience runs out with one who comes back.
fn expiring_per_s(churn: &Churn, rules: &PatienceRules) -> f64 {
    let left_s = (rules.lost_after_ms - rules.noticed_after_ms()) as f64 / 1e3;
    let outlasted = (-left_s * churn.returning_per_s()).exp();
    churn.returning_per_s() * outlasted / (1.0 - outlasted)
}

/// A copy more, where the network's own rule says that one is missing.
fn mending(state: State, wanted: u8, network: &Network, wait_s: f64) -> Option<Step> {
    let State { present, silent, dead, away } = state;
    let rules = &network.patience;
    let known = silent + dead;
    if present == 0 || present + silent + away >= COPIES_MAX || rules.missing(wanted, wanted, present, known) == 0 {
        return None;
    }
    // What is short in spite of the silent ones is noticed when they fall silent; patience is over for the others.
    let notice_s = if present + known < wanted { 0.0 } else { rules.noticed_after_ms() as f64 / 1e3 };
    let rate = 1.0 / (notice_s + network.copying_s() + wait_s);
    Some(Step { to: Some(State { present: present + 1, ..state }), rate, moved: 1.0 })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{churn::PAID, scheme::Scheme},
        *,
    };

    #[test]
    fn patience_outlasts_as_many_absences_as_it_should() {
        let rules = PatienceRules::default();
        let (back, over) = (PAID.returning_per_s(), expiring_per_s(&PAID, &rules));
        let expected = (-(21_600.0 - 20.0) / 3_600.0_f64).exp();
        assert!((over / (over + back) / expected - 1.0).abs() < 1e-9);
    }

    #[test]
    fn patience_moves_little_and_its_minimum_keeps_what_it_would_lose() {
        let outlook = |patience| {
            let network = Network { patience, ..Network::default() };
            Scheme::Copies { wanted: 3 }.outlook(&PAID, &network)
        };
        let rule = PatienceRules::default();
        let [none, rule, bare] =
            [PatienceRules::none(20_000), rule, PatienceRules { reachable_min: 0, ..rule }].map(outlook);
        assert!(rule.moved_per_s * 20.0 < none.moved_per_s, "{rule:?} against {none:?}");
        assert!(rule.lost_per_s * 100.0 < bare.lost_per_s, "{rule:?} against {bare:?}");
        assert!(rule.stored < 3.05 && !rule.waits);
    }

    #[test]
    fn a_copy_is_made_where_the_rule_says_so_and_somebody_is_there() {
        let network = Network::default();
        let mends = |present, silent, dead| {
            let state = State { present, silent, dead, away: 1 };
            mending(state, 3, &network, 0.0).is_some()
        };
        assert!(mends(2, 0, 0) && mends(1, 1, 1) && mends(1, 4, 0));
        assert!(!mends(2, 1, 0) && !mends(2, 0, 1) && !mends(3, 0, 0) && !mends(0, 1, 1));
    }
}
