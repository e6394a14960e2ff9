//! What one other controller wants to be told of which provider.
//!
//! ```text
//!            ┌─ "heard": it has it from elsewhere ─▶ content ── a minute, then a heartbeat is offered again ──┐
//! offered ───┼─ done ──▶ follows this announcement                                                            │
//!    ▲       └─ "unknown", or a word was lost ─▶ lacks: at most every ten minutes the provider announces anew │
//!    └────────────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Pure: time is an argument. Bounded by [`ROWS_MAX`]: the table that is full begins anew, and everything is offered again.

use chainflix_overlay::control::{ProviderWords, Told};
use chainflix_primitives::NodeId;
use std::collections::HashMap;

/// Providers that are remembered: as many as a census has.
const ROWS_MAX: usize = 100_000;
/// How long nothing is offered of a provider that the other one hears itself.
const CONTENT_MS: u64 = 60_000;
/// How long nothing is offered of a provider that the other one does not take.
const REFUSED_MS: u64 = 600_000;
/// Least time between two announcements of one provider for the other one's sake: an inventory may be long.
const AGAIN_MS: u64 = 600_000;
/// How long a controller that cannot be reached is left alone.
const DOWN_MS: u64 = 30_000;

/// What came of words that were passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Taken,
    Lacking,
    Needless,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Offered,
    Follows { sequence: u64 },
    Lacks { sequence: u64 },
    Content { until_ms: u64 },
}

#[derive(Debug)]
struct Row {
    state: State,
    /// When the provider may be asked to announce itself again.
    again_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct Wants {
    rows: HashMap<NodeId, Row>,
    down_until_ms: u64,
}

impl Wants {
    /// Whether to pass these words on.
    pub fn want(&mut self, told: &Told, now_ms: u64) -> bool {
        if now_ms < self.down_until_ms {
            return false;
        }
        if self.rows.len() >= ROWS_MAX && !self.rows.contains_key(&told.node) {
            self.rows.clear();
        }
        let row = self.rows.entry(told.node).or_insert(Row { state: State::Offered, again_ms: 0 });
        let begins = matches!(told.words, ProviderWords::Announce(_));
        let offers = begins || matches!(told.words, ProviderWords::Heartbeat(_));
        let sequence = told.words.sequence();
        let wanted = match row.state {
            State::Offered => offers,
            State::Follows { sequence: known } => begins || known == sequence,
            State::Lacks { sequence: known } => begins && sequence > known,
            State::Content { until_ms } => offers && now_ms >= until_ms,
        };
        if wanted && begins {
            row.state = State::Follows { sequence };
        }
        wanted
    }

    /// Whether words that waited are still to be passed on.
    pub fn still_want(&self, told: &Told, now_ms: u64) -> bool {
        let state = self.rows.get(&told.node).map(|row| row.state);
        now_ms >= self.down_until_ms
            && match state {
                None | Some(State::Offered) => true,
                Some(State::Follows { sequence }) => sequence <= told.words.sequence(),
                Some(State::Lacks { sequence }) => sequence < told.words.sequence(),
                Some(State::Content { until_ms }) => now_ms >= until_ms,
            }
    }

    /// What the other one says to words of that announcement.
    pub fn answered(&mut self, node: &NodeId, sequence: u64, answer: Answer, now_ms: u64) {
        let Some(row) = self.rows.get_mut(node) else { return };
        if let State::Follows { sequence: newer } | State::Lacks { sequence: newer } = row.state
            && newer > sequence
        {
            return;
        }
        row.state = match answer {
            Answer::Taken => State::Follows { sequence },
            Answer::Lacking => State::Lacks { sequence },
            Answer::Needless => State::Content { until_ms: now_ms.saturating_add(CONTENT_MS) },
            Answer::Refused => State::Content { until_ms: now_ms.saturating_add(REFUSED_MS) },
        };
    }

    /// Nobody answers there.
    pub fn is_down(&mut self, now_ms: u64) {
        self.down_until_ms = now_ms.saturating_add(DOWN_MS);
    }

    /// Whether a provider that sends a heartbeat shall announce itself again. Says it once, and then not for a while.
    pub fn wants_again(&mut self, told: &Told, now_ms: u64) -> bool {
        let waits_until_ms = self.down_until_ms;
        let lacks = |row: &&mut Row| row.state == State::Lacks { sequence: told.words.sequence() };
        let is_due = |row: &&mut Row| row.again_ms.max(waits_until_ms) <= now_ms;
        let row = self.rows.get_mut(&told.node).filter(lacks).filter(is_due);
        let asked = row.map(|row| row.again_ms = now_ms.saturating_add(AGAIN_MS));
        asked.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_overlay::control::{Heartbeat, InventoryPage, ProviderMode};

    const NODE: NodeId = NodeId([1; 32]);

    fn told(words: ProviderWords) -> Told {
        Told { node: NODE, number: 0, at_ms: 0, words }
    }

    fn beat(sequence: u64) -> Told {
        let mode = ProviderMode::Open;
        told(ProviderWords::Heartbeat(Heartbeat { sequence, mode, quota_bytes: 1, used_bytes: 0 }))
    }

    fn page(sequence: u64) -> Told {
        told(ProviderWords::Inventory(InventoryPage { sequence, cells: Vec::new(), last: true }))
    }

    fn announcement(sequence: u64) -> Told {
        told(ProviderWords::Announce(crate::tests::announcement(1, sequence)))
    }

    #[test]
    fn who_hears_a_provider_itself_is_asked_once_a_minute() {
        let mut wants = Wants::default();
        assert!(!wants.want(&page(5), 0), "half an inventory is nothing");
        assert!(wants.want(&beat(5), 0));
        wants.answered(&NODE, 5, Answer::Needless, 0);
        assert!(!wants.want(&beat(5), 59_999) && !wants.want(&announcement(6), 59_999));
        assert!(!wants.still_want(&page(6), 59_999), "nor what waited meanwhile");
        assert!(wants.want(&beat(6), 60_000));
        wants.answered(&NODE, 6, Answer::Refused, 60_000);
        assert!(!wants.want(&beat(6), 659_999) && wants.want(&beat(6), 660_000));
    }

    #[test]
    fn who_lacks_an_announcement_gets_the_next_one_and_not_too_soon() {
        let mut wants = Wants::default();
        assert!(wants.want(&beat(5), 0) && !wants.wants_again(&beat(5), 0));
        wants.answered(&NODE, 5, Answer::Lacking, 0);
        assert!(!wants.want(&beat(5), 10));
        assert!(wants.wants_again(&beat(5), 10) && !wants.wants_again(&beat(5), 20), "said once");
        assert!(wants.want(&announcement(6), 30) && wants.want(&page(6), 30));
        wants.answered(&NODE, 5, Answer::Lacking, 40);
        assert!(wants.want(&beat(6), 50), "that answer was to the one before");
        wants.answered(&NODE, 6, Answer::Taken, 60);
        assert!(!wants.want(&page(5), 70) && wants.want(&beat(6), 70));
        // One that always lacks something wins no more than an inventory in ten minutes.
        wants.answered(&NODE, 6, Answer::Lacking, 80);
        assert!(!wants.wants_again(&beat(6), 600_009) && wants.wants_again(&beat(6), 600_010));
    }

    #[test]
    fn who_is_down_is_left_alone_and_misses_what_came() {
        let mut wants = Wants::default();
        assert!(wants.want(&announcement(5), 0));
        wants.is_down(0);
        assert!(!wants.want(&beat(5), 29_999) && !wants.still_want(&beat(5), 29_999));
        assert!(wants.want(&beat(5), 30_000));
        wants.answered(&NODE, 5, Answer::Lacking, 30_000);
        wants.is_down(30_000);
        assert!(!wants.wants_again(&beat(5), 59_999) && wants.wants_again(&beat(5), 60_000));
    }
}
