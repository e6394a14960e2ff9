//! What an attack did, what the network said, and what it came to: facts first, the verdict computed from them.

use crate::{caller::No, client::End};
use chainflix_primitives::PlayId;
use serde::Serialize;
use std::collections::BTreeMap;

/// Above this much of what an honest viewer earned in the same time, an attack has paid. Shares are whole gwei and
/// milliseconds; five percent are no rounding.
const PAID_PERMILLE: u64 = 1_050;

/// What one attack did.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// Minutes (cells) that its accounts spent, added up.
    pub minutes: u64,
    /// Accounts.
    pub accounts: u64,
    /// Bytes that it downloaded, in thousandths of what its plays claim.
    pub downloaded_permille: u64,
    /// Plays that it wants to be paid for.
    pub plays: Vec<PlayId>,
    /// What the network answered, and how often.
    pub answers: BTreeMap<String, u64>,
    /// Honest plays that ended beside it and should not have suffered, and how many of them did.
    pub honest: (u64, u64),
}

impl Attempt {
    /// An attack by `accounts` accounts.
    pub fn by(accounts: u64) -> Self {
        Self { accounts, ..Self::default() }
    }

    /// Spent a minute.
    pub fn spend(&mut self) {
        self.minutes += 1;
    }

    /// Heard a no.
    pub fn hear(&mut self, no: &No) {
        self.note(no.to_string());
    }

    /// Heard or saw something.
    pub fn note(&mut self, what: impl Into<String>) {
        *self.answers.entry(what.into()).or_default() += 1;
    }

    /// A play came to its end.
    pub fn end(&mut self, play: PlayId, end: &End) {
        self.plays.push(play);
        match end {
            End::Accepted => {}
            End::Refused(code) => self.note(code.clone()),
            End::Open => self.note("no verdict"),
        }
    }

    /// Takes over what a part of the attack did.
    pub fn add(&mut self, part: Self) {
        self.minutes += part.minutes;
        self.plays.extend(part.plays);
        for (answer, count) in part.answers {
            *self.answers.entry(answer).or_default() += count;
        }
    }
}

/// What came of an attack.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Its name.
    pub attack: &'static str,
    /// What it tried.
    pub tried: &'static str,
    /// Accounts.
    pub accounts: u64,
    /// Minutes that they spent.
    pub minutes: u64,
    /// Plays that are in view blocks with a weight.
    pub paid_plays: u64,
    /// What its minutes earned, in thousandths of an honest viewer's minutes.
    pub earned_permille: u64,
    /// Bytes downloaded, in thousandths of what it claims.
    pub downloaded_permille: u64,
    /// What the network answered, most often first.
    pub stopped_by: Vec<String>,
    /// Whether it earned more than an honest viewer did.
    pub paid: bool,
    /// Honest plays beside it, and those of them that were not accepted.
    pub honest_plays: u64,
    pub honest_hurt: u64,
}

impl Verdict {
    /// Judges an attempt, of which each play earned so many thousandths of an honest one.
    pub fn of(attack: &'static str, tried: &'static str, attempt: Attempt, earned: &[u64]) -> Self {
        let total: u64 = earned.iter().sum();
        let earned_permille = total / attempt.minutes.max(1);
        let mut answers: Vec<_> = attempt.answers.into_iter().collect();
        answers.sort_by_key(|(answer, count)| (std::cmp::Reverse(*count), answer.clone()));
        Self {
            attack,
            tried,
            accounts: attempt.accounts,
            minutes: attempt.minutes,
            paid_plays: earned.iter().filter(|earned| **earned > 0).count() as u64,
            earned_permille,
            downloaded_permille: attempt.downloaded_permille,
            stopped_by: answers.into_iter().map(|(answer, count)| format!("{answer} ×{count}")).collect(),
            paid: earned_permille > PAID_PERMILLE,
            honest_plays: attempt.honest.0,
            honest_hurt: attempt.honest.1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_more_than_an_honest_viewer_is_paid() {
        let verdict = |earned: &[u64]| {
            let attempt = Attempt { minutes: 2, accounts: 1, ..Attempt::default() };
            Verdict::of("a", "b", attempt, earned)
        };
        assert!(!verdict(&[]).paid);
        assert!(!verdict(&[1_000, 1_000]).paid, "an honest viewer earns as much");
        assert!(verdict(&[1_500, 1_000]).paid);
        assert_eq!((verdict(&[0, 500]).earned_permille, verdict(&[0, 500]).paid_plays), (250, 1));
    }

    #[test]
    fn the_most_frequent_answer_comes_first() {
        let mut attempt = Attempt::by(1);
        for no in [No::Silent, No::Refused("too-early".into()), No::Refused("too-early".into())] {
            attempt.hear(&no);
        }
        let verdict = Verdict::of("a", "b", attempt, &[]);
        assert_eq!(verdict.stopped_by, ["too-early ×2", "connection closed ×1"]);
    }
}
