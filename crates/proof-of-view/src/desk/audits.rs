//! Audits (step 7): who must open its chunks, who did, and what this validator and the others say of it.
//!
//! ```text
//! the chain draws ─▶ sitting opens ─▶ openings: verified, told to the others ─┬─ all are there ─┐
//!                                                                             └─ time is over ──┴─▶ vote ─▶ payload
//! the chain has its verdict ─▶ sitting closes
//! ```
//!
//! What is drawn and what is decided is the ledger's word; nothing here outlives it. Openings and votes may come before
//! this validator's own chain has drawn: they wait, in bounded number, the oldest giving way.

use super::{Catalogue, Desk};
use crate::{LedgerState, PENDING_MAX, PendingBlock, Refusal, ValidatorMessage, audit};
use chainflix_primitives::{AuditPayload, AuditVote, Digest, NetworkGenesis, Opening, PlayId, Signed, VoteEntry};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Most openings that wait for the draw: about 7 MiB.
const EARLY_OPENINGS_MAX: usize = 64;

/// One view block under audit.
#[derive(Debug)]
struct Sitting {
    /// Names the drawn plays.
    drawn: Digest,
    plays: Vec<PlayId>,
    passed: Vec<bool>,
    /// When it was first seen here: a viewer's time counts from then.
    seen_ms: u64,
    votes: BTreeMap<u16, VoteEntry>,
    /// When the last vote came: what is enough for a verdict waits a little for the rest.
    last_vote_ms: u64,
    /// This validator's vote, and when it was last said.
    mine: Option<(Signed<AuditVote>, u64)>,
}

/// The view blocks under audit.
#[derive(Debug, Default)]
pub(super) struct Audits {
    sittings: BTreeMap<u64, Sitting>,
    /// Drawn plays: view block and place in it.
    plays: HashMap<PlayId, (u64, usize)>,
    early_votes: BTreeMap<(u64, u16), (Digest, VoteEntry)>,
    early_openings: VecDeque<Signed<Opening>>,
}

impl Audits {
    /// Opens and closes sittings as the ledger says.
    fn follow(&mut self, now_ms: u64, ledger: &LedgerState) {
        let Self { sittings, plays, .. } = self;
        sittings.retain(|view_block, sitting| {
            let is_open = ledger.pending_block(*view_block).is_some_and(|block| block.audit().is_some());
            if !is_open {
                for play in &sitting.plays {
                    plays.remove(play);
                }
            }
            is_open
        });
        for block in ledger.open_audits() {
            if !self.sittings.contains_key(&block.view_block()) {
                self.sit(now_ms, block);
            }
        }
    }

    fn sit(&mut self, now_ms: u64, block: &PendingBlock) {
        let view_block = block.view_block();
        let plays: Vec<_> = block.drawn().map(|record| record.code.body.id).collect();
        for (place, play) in plays.iter().enumerate() {
            self.plays.insert(*play, (view_block, place));
        }
        let mut sitting = Sitting {
            drawn: block.drawn_digest(),
            passed: vec![false; plays.len()],
            plays,
            seen_ms: now_ms,
            votes: BTreeMap::new(),
            last_vote_ms: now_ms,
            mine: None,
        };
        let later = self.early_votes.split_off(&(view_block, 0));
        // Votes on view blocks before this one: their audits are over, or never were.
        self.early_votes = later;
        while let Some(entry) = self.early_votes.first_entry().filter(|entry| entry.key().0 == view_block) {
            let ((_, validator), (drawn, vote)) = entry.remove_entry();
            if drawn == sitting.drawn && vote.held_true.len() == sitting.plays.len().div_ceil(8) {
                sitting.votes.insert(validator, vote);
            }
        }
        self.sittings.insert(view_block, sitting);
    }

    /// The view block that drew `play`, and until when its viewer may answer.
    pub fn of(&self, play: &PlayId, answer_ms: u64) -> Option<(u64, u64)> {
        let (view_block, _) = self.plays.get(play)?;
        Some((*view_block, self.sittings.get(view_block)?.seen_ms + answer_ms))
    }

    /// Counts a vote, the first of each validator on each audit. Answers whether it is news.
    fn vote(&mut self, now_ms: u64, validator: u16, vote: &Signed<AuditVote>) -> bool {
        let said = &vote.body;
        let entry = VoteEntry { validator, held_true: said.passed.clone(), signature: vote.signature };
        match self.sittings.get_mut(&said.view_block) {
            Some(sitting) => {
                let fits = said.drawn == sitting.drawn && said.passed.len() == sitting.plays.len().div_ceil(8);
                let is_news = fits && !sitting.votes.contains_key(&validator);
                if is_news {
                    sitting.votes.insert(validator, entry);
                    sitting.last_vote_ms = now_ms;
                }
                is_news
            }
            None => {
                let held = self.early_votes.keys().filter(|(_, by)| *by == validator).count();
                let has_room = held < PENDING_MAX;
                has_room && self.early_votes.insert((said.view_block, validator), (said.drawn, entry)).is_none()
            }
        }
    }

    /// Keeps an opening until the draw is known here, too.
    fn keep(&mut self, opening: Signed<Opening>) {
        if self.early_openings.len() >= EARLY_OPENINGS_MAX {
            self.early_openings.pop_front();
        }
        self.early_openings.push_back(opening);
    }

    /// Votes that the next block should carry on top of `ledger`: enough for a verdict, once all are there or had the
    /// grace time; after the first ones, all that come.
    pub fn payload(&self, genesis: &NetworkGenesis, ledger: &LedgerState, now_ms: u64) -> Vec<AuditPayload> {
        let all = genesis.validators.len();
        let needed = genesis.params.votes_needed(all);
        let of = |(view_block, sitting): (&u64, &Sitting)| {
            let block = ledger.pending_block(*view_block)?;
            let votes: Vec<_> =
                sitting.votes.values().filter(|vote| !block.has_vote(vote.validator)).cloned().collect();
            let carried = block.audit().map_or(0, |audit| audit.votes.len());
            let known = carried + votes.len();
            let waited = now_ms >= sitting.last_vote_ms + genesis.params.slot_grace_ms;
            let is_ready = carried > 0 || known == all || (known >= needed && waited);
            (!votes.is_empty() && is_ready).then_some(AuditPayload { view_block: *view_block, votes })
        };
        self.sittings.iter().filter_map(of).collect()
    }
}

impl Desk {
    /// Step 7: takes a viewer's opening of an audited play, and tells the others. The same opening again is taken again.
    pub fn open(
        &mut self,
        now_ms: u64,
        opening: Signed<Opening>,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) -> Result<(), Refusal> {
        self.audits.follow(now_ms, ledger);
        if self.take_opening(now_ms, &opening, ledger, catalogue)? {
            self.say(now_ms, ValidatorMessage::Opening(Box::new(opening)));
        }
        Ok(())
    }

    /// Takes an opening that another validator took. What came there in time may be a little late here. Answers whether it
    /// is news.
    pub(super) fn hear_opening(
        &mut self,
        now_ms: u64,
        opening: Signed<Opening>,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) -> bool {
        self.audits.follow(now_ms, ledger);
        let heard_ms = now_ms.saturating_sub(self.genesis.params.slot_grace_ms);
        match self.take_opening(heard_ms, &opening, ledger, catalogue) {
            Ok(is_news) => is_news,
            Err(refusal) => {
                // Any other refusal is for its sender, who heard it from the validator it asked.
                if refusal == Refusal::NotAudited {
                    self.audits.keep(opening);
                }
                false
            }
        }
    }

    /// Verifies an opening. Answers whether it is news.
    fn take_opening(
        &mut self,
        now_ms: u64,
        opening: &Signed<Opening>,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) -> Result<bool, Refusal> {
        let &(view_block, place) = self.audits.plays.get(&opening.body.play).ok_or(Refusal::NotAudited)?;
        let sitting = self.audits.sittings.get_mut(&view_block).ok_or(Refusal::NotAudited)?;
        let record = ledger.pending_block(view_block).and_then(|block| block.drawn().nth(place));
        let record = record.ok_or(Refusal::NotAudited)?;
        let (code, data) = (&record.code.body, &record.data.body);
        if opening.signer().map_err(|_| Refusal::BadSignature)? != code.account {
            return Err(Refusal::OtherAccount);
        }
        if sitting.passed[place] {
            return Ok(false);
        }
        if now_ms > sitting.seen_ms + self.genesis.params.audit.answer_ms || sitting.mine.is_some() {
            return Err(Refusal::NotAudited);
        }
        audit::verify(code, data, &opening.body, |number| catalogue.block_hash(number)).map_err(Refusal::BadOpening)?;
        sitting.passed[place] = true;
        Ok(true)
    }

    /// Counts another validator's judgement of an audit. Answers whether it is news.
    pub(super) fn hear_audit_vote(&mut self, now_ms: u64, vote: &Signed<AuditVote>, ledger: &LedgerState) -> bool {
        let Ok(signer) = vote.signer() else { return false };
        let Some(validator) = self.genesis.validator_index(&signer) else { return false };
        self.audits.follow(now_ms, ledger);
        // At most 128 validators.
        self.audits.vote(now_ms, validator as u16, vote)
    }

    /// Learns again how it voted before a restart: once and for all.
    pub(super) fn remember_audit_vote(&mut self, said_ms: u64, vote: Signed<AuditVote>) {
        if let Some(sitting) = self.audits.sittings.get_mut(&vote.body.view_block)
            && sitting.drawn == vote.body.drawn
        {
            sitting.mine = Some((vote, said_ms));
        }
    }

    /// Follows the ledger, and votes where all is known or the time is over. A vote that no block carries is said again
    /// after a slot: what is lost between validators would delay everybody's pay.
    pub(super) fn sit(&mut self, now_ms: u64, ledger: &LedgerState, catalogue: &dyn Catalogue) {
        self.audits.follow(now_ms, ledger);
        for opening in std::mem::take(&mut self.audits.early_openings) {
            if self.audits.plays.contains_key(&opening.body.play) {
                // As in `hear_opening`.
                let taken = self.take_opening(now_ms, &opening, ledger, catalogue);
                if taken.is_ok_and(|is_news| is_news) {
                    self.note_heard(now_ms, &ValidatorMessage::Opening(Box::new(opening)));
                }
            } else {
                self.audits.keep(opening);
            }
        }
        // The numbers of the view blocks, because voting needs the whole desk.
        let open: Vec<u64> = self.audits.sittings.keys().copied().collect();
        open.into_iter().for_each(|view_block| self.judge_sitting(now_ms, view_block, ledger));
    }

    fn judge_sitting(&mut self, now_ms: u64, view_block: u64, ledger: &LedgerState) {
        let params = &self.genesis.params;
        let Some(sitting) = self.audits.sittings.get_mut(&view_block) else { return };
        // At most 128 validators.
        let me = self.me as u16;
        if ledger.pending_block(view_block).is_none_or(|block| block.has_vote(me)) {
            return;
        }
        match &mut sitting.mine {
            Some((vote, said_ms)) if now_ms >= *said_ms + params.slot_ms => {
                *said_ms = now_ms;
                self.outbox.push_back(ValidatorMessage::AuditVote(vote.clone()));
            }
            Some(_) => {}
            None => {
                // What another validator took in the last moment is still on its way.
                let over_ms = sitting.seen_ms + params.audit.answer_ms + params.slot_grace_ms;
                if now_ms < over_ms && !sitting.passed.iter().all(|passed| *passed) {
                    return;
                }
                let vote = AuditVote::new(view_block, sitting.drawn, &sitting.passed);
                let vote = Signed::new(vote, &self.key);
                sitting.mine = Some((vote.clone(), now_ms));
                self.audits.vote(now_ms, me, &vote);
                self.say(now_ms, ValidatorMessage::AuditVote(vote));
            }
        }
    }
}
