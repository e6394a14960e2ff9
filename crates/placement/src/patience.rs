//! How long a silent provider is waited for: nobody is sent there at once, and its copies are made anew much later.
//!
//! ```text
//! last word ──20 s──▶ silent ────────────── 6 h ──────────────▶ lost ──── a week ────▶ forgotten
//!                       nobody is sent there, nothing stored      │ its copies do not count:
//!                       there; its copies count for the floor     │ they are made elsewhere
//!                       └── as long as two others are heard: with fewer a cell is mended at once
//! ```
//!
//! Nearly every silence ends within the hour, and mending it moves whole disks for nothing. So a silent provider's copies
//! count as copies, but never as sources: what viewers need beyond the floor is topped up, and below
//! [`PatienceRules::reachable_min`] nobody relies on who says nothing. How the numbers were chosen is in
//! `docs/decisions/0010-patience-before-repair.md`.
//!
//! Patience is for silence alone. Who leaves, is suspended, or says or shows that a cell is gone is no silence: that counts at
//! once ([`Event`](crate::Event)). Left out: who is silent often. That costs it its standing
//! ([`reputation`](crate::reputation)), and copies on its disk do not count any more.

use borsh::{BorshDeserialize, BorshSerialize};

/// When a silent provider is not asked any more, when it is given up, and what is mended before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatienceRules {
    /// Silence after which nobody is sent to a provider, in milliseconds.
    pub silent_after_ms: u64,
    /// Silence after which its copies do not count, in milliseconds.
    pub lost_after_ms: u64,
    /// Copies of a cell at providers that are heard; where there are fewer, silent ones do not count. Of a floor that is not
    /// above it every silence is mended at once.
    pub reachable_min: u8,
}

impl Default for PatienceRules {
    fn default() -> Self {
        // Four heartbeats. Six hours outlast a power cut and a repair of the line, 99.75 % of absences of an hour on average.
        // Two: with one copy left the next silence is the end of every picture, and perhaps of the film.
        Self { silent_after_ms: 20_000, lost_after_ms: 6 * 3_600_000, reachable_min: 2 }
    }
}

/// What a provider's silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Silence {
    /// None: it is heard.
    Heard,
    /// Nobody is sent to it; its copies count for the floor.
    Silent,
    /// Its copies do not count.
    Lost,
}

impl PatienceRules {
    /// No patience: who is silent for so many milliseconds is lost.
    pub fn none(lost_after_ms: u64) -> Self {
        Self { silent_after_ms: lost_after_ms, lost_after_ms, ..Self::default() }
    }

    /// What a silence of so many milliseconds means.
    pub fn silence(&self, silent_ms: u64) -> Silence {
        match silent_ms {
            _ if silent_ms > self.lost_after_ms => Silence::Lost,
            _ if silent_ms > self.silent_after_ms => Silence::Silent,
            _ => Silence::Heard,
        }
    }

    /// When a provider that is heard is next looked at, after its last word, in milliseconds.
    pub fn noticed_after_ms(&self) -> u64 {
        self.silent_after_ms.min(self.lost_after_ms)
    }

    /// Copies too few, of a cell that should have `wanted` where everything has `floor`, when `heard` are at providers that
    /// are heard, or on their way there, and `silent` at silent ones.
    ///
    /// More than the floor is wanted for viewers, and only who is heard serves them.
    pub fn missing(&self, wanted: u8, floor: u8, heard: u8, silent: u8) -> u8 {
        let reachable = if wanted > floor { wanted } else { self.reachable_min.min(wanted) };
        let exist = heard.saturating_add(silent);
        wanted.saturating_sub(exist).max(reachable.saturating_sub(heard))
    }
}

#[cfg(test)]
mod tests;
