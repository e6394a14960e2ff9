//! What a desk keeps over a restart, and how it is told again.
//!
//! ```text
//! before   every call ──▶ take_diary() ──▶ kept durably ──▶ answers, poll()
//! after    new() ──▶ replay() ──▶ tell(note) … oldest first ──▶ end() ──▶ as before
//! ```
//!
//! A note is heard again at the time at which it came: the same message at the same time is judged the same, whether it
//! was this validator's or another's. What this validator had just said, it says again, because it may have been lost on
//! the way. Limits and the days of homes count anew: where a play came from is not written down, and for the crowd of its
//! home the proposer is believed.

use super::{Desk, PlayStatus};
use crate::{Catalogue, Diary, LedgerState, Note, Refusal, RefusedPlay, ValidatorMessage};
use chainflix_primitives::{PlayId, PlayRequest};
use std::collections::VecDeque;

/// What was said so long before the last note may not have reached the others, in milliseconds.
const UNDERWAY_MS: u64 = 5_000;

/// A desk that is learning again what it knew.
pub struct Replay<'a> {
    desk: &'a mut Desk,
    /// What it said last, and when.
    underway: VecDeque<(u64, ValidatorMessage)>,
}

impl Desk {
    /// What must be kept durably before any answer is given and [`Desk::poll`] is drained.
    pub fn take_diary(&mut self, now_ms: u64) -> Diary {
        let mut diary = std::mem::take(&mut self.diary);
        diary.refused.extend(self.plays.take_refused(now_ms));
        diary
    }

    /// Notes a play that is watched without pay.
    pub(super) fn note_unpaid(&mut self, now_ms: u64, wanted: &PlayRequest, refusal: &Refusal) {
        let PlayRequest { account, magnet, cell_index, .. } = *wanted;
        let refusal = refusal.clone();
        self.diary.refused.push(RefusedPlay { at_ms: now_ms, account, play: None, magnet, cell_index, refusal });
    }

    /// Begins to tell a new desk what it knew before a restart.
    pub fn replay(&mut self) -> Replay<'_> {
        Replay { desk: self, underway: VecDeque::new() }
    }
}

impl Replay<'_> {
    /// Tells the next note. `ledger` is that of the last final block.
    pub fn tell(&mut self, note: Note, ledger: &LedgerState, catalogue: &dyn Catalogue) {
        let Note { at_ms, head, own, message } = note;
        let desk = &mut *self.desk;
        desk.heads.push(at_ms, head);
        let me = desk.key.address();
        let from = match &message {
            // The only message that counts by its messenger. There is a note of it because that was its issuer.
            ValidatorMessage::Play { code, .. } => code.signer().unwrap_or(me),
            _ => me,
        };
        let again = own.then(|| message.clone());
        desk.take(at_ms, &from, message, ledger, catalogue);
        if let Some(ValidatorMessage::AuditVote(vote)) = &again {
            desk.remember_audit_vote(at_ms, vote.clone());
        }
        while self.underway.front().is_some_and(|(said_ms, _)| said_ms + UNDERWAY_MS < at_ms) {
            self.underway.pop_front();
        }
        self.underway.extend(again.map(|message| (at_ms, message)));
    }

    /// Ends the replay: what the ledger has settled is settled, and what was `refused` stays refused. `settled` says what
    /// became of a play that is in the ledger.
    pub fn end(
        self,
        refused: Vec<RefusedPlay>,
        ledger: &LedgerState,
        mut settled: impl FnMut(&PlayId) -> Option<PlayStatus>,
    ) {
        let Self { desk, underway } = self;
        let params = &desk.genesis.params;
        desk.struck_out = ledger.providers_struck_out(params).collect();
        for block in ledger.pending() {
            let (plays, view_block) = (&block.slot().proposal.plays, block.view_block());
            let codes = block.plays().iter().filter_map(|play| plays.get(play.index as usize));
            let codes: Vec<_> = codes.map(|record| &record.code.body).collect();
            codes.iter().for_each(|code| desk.plays.carry(params, code, view_block));
            desk.carried.insert(view_block, codes.iter().map(|code| code.id).collect());
        }
        let known: Vec<PlayId> = desk.plays.ids().copied().collect();
        for play in known {
            if let Some(status) = settled(&play) {
                desk.plays.close(params, &play, status);
            }
        }
        for RefusedPlay { play, refusal, .. } in refused {
            if let Some(play) = play {
                desk.plays.close(params, &play, PlayStatus::Refused(refusal));
            }
        }
        // All of it was written down before, and most of it was heard.
        desk.diary = Diary::default();
        drop(desk.plays.take_refused(0));
        desk.outbox = underway.into_iter().map(|(_, message)| message).collect();
    }
}
