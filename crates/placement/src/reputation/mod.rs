//! How far a provider is trusted: heartbeats and audits through a vetting period, suspension, and the end.
//!
//! ```text
//!             100 audits, 21 days             lost cells, or away too much
//!  Vetting ──────────────────────▶ Vetted ───────────────────────────────▶ Suspended
//!     ▲                                                                      │      │ lost too many cells,
//!     └──────────── better again: vetted anew ───────────────────────────────┘      │ or 37 days without getting better
//!                                                                                   ▼
//!  a new node, vetted from the start ◀────────────── 90 days ─────────────────── Disqualified
//! ```
//!
//! The numbers are Storj's (`satellite/reputation`): memory 0.999, disqualified below 0.96, suspended below 60 % presence in
//! thirty days, a week to repair a disk and thirty days to show it. A late answer is asked again, and the third time it counts
//! as lost cells: a disk that is slow once is no liar. A disk is not judged on presence before it is known for three days.
//!
//! Call [`Reputation::tick`] at [`Reputation::deadline_ms`] at the latest. Challenges are in [`audit`]. Left out is pay: the chain
//! pays for what viewers confirm, and knows nothing of trust.

pub mod audit;
pub mod score;

use crate::{
    Standing,
    patience::{PatienceRules, Silence},
};
use audit::Outcome;
use borsh::{BorshDeserialize, BorshSerialize};
use score::{Presence, Score};

const DAY_MS: u64 = 86_400_000;

/// What trust takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReputationRules {
    /// How long a silent provider is waited for.
    pub patience: PatienceRules,
    /// Silence after which it is forgotten.
    pub forgotten_after_ms: u64,
    /// Audits and time until a provider is vetted.
    pub vetting_audits: u32,
    pub vetting_ms: u64,
    /// What is left of an old answer's weight after each new one, in thousandths.
    pub memory_permille: u64,
    /// Score below which a provider is suspended, in thousandths.
    pub suspended_permille: u64,
    /// Score below which it is disqualified.
    pub disqualified_permille: u64,
    /// Presence below which it is suspended, in thousandths.
    pub present_permille: u64,
    /// Time it must be known before its presence is judged.
    pub known_ms: u64,
    /// Time to get better, once suspended.
    pub suspension_ms: u64,
    /// Late answers to one challenge that count as a lost cell.
    pub late_max: u8,
    /// Time after which the account of a disqualified provider may enter with another node.
    pub banned_ms: u64,
}

impl Default for ReputationRules {
    fn default() -> Self {
        Self {
            patience: PatienceRules::default(),
            forgotten_after_ms: 7 * DAY_MS,
            vetting_audits: 100,
            vetting_ms: 21 * DAY_MS,
            memory_permille: 999,
            suspended_permille: 980,
            disqualified_permille: 960,
            present_permille: 600,
            known_ms: 3 * DAY_MS,
            suspension_ms: 37 * DAY_MS,
            late_max: 3,
            banned_ms: 90 * DAY_MS,
        }
    }
}

/// What a picture has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is silent, and waited for.
    Silent,
    /// It is waited for no more.
    Lost,
    /// It is heard again.
    Back,
    /// It is trusted otherwise.
    Trusted(Standing),
    /// It is out: its copies are worth nothing, and its account waits until `again_ms`.
    Disqualified { again_ms: u64 },
    /// It was silent for too long. As with [`Change::Disqualified`], but its account may come back at once.
    Forgotten,
}

/// One provider's record. Its encoding is for who keeps it over a restart ([`Self::resumed`]), and no wire format.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reputation {
    standing: Standing,
    silence: Silence,
    out: bool,
    heard_ms: u64,
    vetting_since_ms: u64,
    audits: u32,
    late: u8,
    score: Score,
    presence: Presence,
    suspended_ms: Option<u64>,
}

impl Reputation {
    /// Of a provider that is heard for the first time.
    pub fn new(now_ms: u64, rules: &ReputationRules) -> Self {
        Self {
            standing: Standing::Vetting,
            silence: Silence::Heard,
            out: false,
            heard_ms: now_ms,
            vetting_since_ms: now_ms,
            audits: 0,
            late: 0,
            score: Score::new(rules.memory_permille),
            presence: Presence::new(now_ms),
            suspended_ms: None,
        }
    }

    /// Goes on at `now_ms` with a record that was put away. The time between is cut out of its life, for nobody listened:
    /// silence, presence and the time to get better go on where they were. Age does not: the days of vetting have passed.
    pub fn resumed(mut self, now_ms: u64) -> Self {
        let unheard_ms = self.presence.unheard(now_ms);
        // A clock that was ahead has left times in the future.
        for since_ms in [Some(&mut self.heard_ms), self.suspended_ms.as_mut()].into_iter().flatten() {
            *since_ms = since_ms.saturating_add(unheard_ms).min(now_ms);
        }
        self.vetting_since_ms = self.vetting_since_ms.min(now_ms);
        self
    }

    /// When it was heard last, in milliseconds; later where the record was put away in between.
    pub fn heard_ms(&self) -> u64 {
        self.heard_ms
    }

    /// How far it is trusted.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Its answers to audits, in thousandths.
    pub fn score_permille(&self) -> u64 {
        self.score.permille()
    }

    /// The time it was heard in the last thirty days, in thousandths.
    pub fn presence_permille(&self) -> u64 {
        self.presence.permille()
    }

    /// When to call [`Self::tick`] next.
    pub fn deadline_ms(&self, rules: &ReputationRules) -> u64 {
        let patience_ms = match self.silence {
            Silence::Heard => rules.patience.noticed_after_ms(),
            Silence::Silent => rules.patience.lost_after_ms,
            Silence::Lost => rules.forgotten_after_ms,
        };
        let silent_ms = self.heard_ms.saturating_add(patience_ms).saturating_add(1);
        let suspended_ms = self.suspended_ms.map_or(u64::MAX, |since_ms| since_ms.saturating_add(rules.suspension_ms));
        silent_ms.min(suspended_ms)
    }

    /// A heartbeat, or any other word of it.
    pub fn heard(&mut self, now_ms: u64, rules: &ReputationRules) -> Vec<Change> {
        let mut changes = self.tick(now_ms, rules);
        if self.out {
            return changes;
        }
        self.heard_ms = now_ms;
        if std::mem::replace(&mut self.silence, Silence::Heard) != Silence::Heard {
            changes.push(Change::Back);
        }
        changes
    }

    /// What came of an audit.
    pub fn audited(&mut self, now_ms: u64, outcome: Outcome, rules: &ReputationRules) -> Vec<Change> {
        if self.out {
            return Vec::new();
        }
        match outcome {
            Outcome::Shown => {
                self.audits = self.audits.saturating_add(1);
                self.late = 0;
                self.score.add(true, rules.memory_permille);
            }
            Outcome::Late if self.late + 1 < rules.late_max => self.late += 1,
            Outcome::Late | Outcome::Wrong => {
                self.late = 0;
                self.score.add(false, rules.memory_permille);
            }
            // Presence counts it.
            Outcome::Away => {}
        }
        self.judge(now_ms, rules)
    }

    /// It moves its cells away and wants to go. Its copies stop to count; [`Change::Trusted`] says so.
    pub fn leaving(&mut self) -> Vec<Change> {
        // Whoever is suspended has nothing to hand over that anybody would count on.
        match self.standing {
            Standing::Vetting | Standing::Vetted if !self.out => self.trust(Standing::Leaving),
            _ => Vec::new(),
        }
    }

    /// It thinks better of leaving, and is trusted as it was.
    pub fn staying(&mut self, now_ms: u64, rules: &ReputationRules) -> Vec<Change> {
        if self.out || self.standing != Standing::Leaving {
            return Vec::new();
        }
        self.standing = Standing::Vetting;
        // What it had earned it earns again at once.
        match self.judge(now_ms, rules) {
            changes if changes.is_empty() => vec![Change::Trusted(Standing::Vetting)],
            changes => changes,
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now_ms: u64, rules: &ReputationRules) -> Vec<Change> {
        if self.out {
            return Vec::new();
        }
        let silent_ms = now_ms.saturating_sub(self.heard_ms);
        let mut changes = Vec::new();
        // It was there until it was missed, not until somebody looked.
        if self.silence == Silence::Heard {
            self.presence.until(now_ms.min(self.heard_ms.saturating_add(rules.patience.noticed_after_ms())), true);
        }
        self.presence.until(now_ms, false);
        let silence = rules.patience.silence(silent_ms);
        if silence > self.silence {
            self.silence = silence;
            changes.push(if silence == Silence::Lost { Change::Lost } else { Change::Silent });
        }
        if silent_ms > rules.forgotten_after_ms {
            self.out = true;
            changes.push(Change::Forgotten);
            return changes;
        }
        changes.extend(self.judge(now_ms, rules));
        changes
    }

    fn judge(&mut self, now_ms: u64, rules: &ReputationRules) -> Vec<Change> {
        let overdue = |since_ms: u64| now_ms.saturating_sub(since_ms) >= rules.suspension_ms;
        let absent = self.presence.known_ms() >= rules.known_ms && self.presence.permille() < rules.present_permille;
        let doubtful = absent || self.score.permille() < rules.suspended_permille;
        if self.score.permille() < rules.disqualified_permille || (doubtful && self.suspended_ms.is_some_and(overdue)) {
            self.out = true;
            return vec![Change::Disqualified { again_ms: now_ms.saturating_add(rules.banned_ms) }];
        }
        match self.standing {
            Standing::Vetting | Standing::Vetted if doubtful => {
                self.suspended_ms = Some(now_ms);
                self.trust(Standing::Suspended)
            }
            Standing::Suspended if !doubtful => {
                self.suspended_ms = None;
                (self.audits, self.vetting_since_ms) = (0, now_ms);
                self.trust(Standing::Vetting)
            }
            Standing::Vetting if self.is_vetted(now_ms, rules) => self.trust(Standing::Vetted),
            _ => Vec::new(),
        }
    }

    fn is_vetted(&self, now_ms: u64, rules: &ReputationRules) -> bool {
        self.audits >= rules.vetting_audits && now_ms.saturating_sub(self.vetting_since_ms) >= rules.vetting_ms
    }

    fn trust(&mut self, standing: Standing) -> Vec<Change> {
        self.standing = standing;
        vec![Change::Trusted(standing)]
    }
}

#[cfg(test)]
mod tests;
