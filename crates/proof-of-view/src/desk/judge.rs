//! Judging: proofs (step 5) and votes (step 6).
//!
//! Who brings a proof matters for its time alone. The validator that a viewer asks is strict; the others, who hear of it a
//! moment later, allow for that moment: what one honest validator took, all of them hold true. A proof that is wrong is
//! refused and forgotten, and the play stays open until its time is over: if a wrong proof closed it, a viewer could set
//! honest validators against each other by sending each something else. Only what is much too early ends a play, and
//! everywhere, since its proof is passed on.

use super::{
    Catalogue, Desk, PlayStatus,
    plays::{Play, overlap_max_ms},
};
use crate::{
    CARRY_SLOTS_MAX, LedgerState, MinedCell, Refusal, ValidatorMessage, gossip::MESSAGE_BYTES_MAX, limits::Crowds,
    points,
};
use chainflix_primitives::{
    PlayCode, PlayData, PlayFactors, PlayId, PlayRecord, ProviderShare, Signed, SlotProposal, SlotVote,
    slot::OPERATION_MAX,
};

/// How far a viewer's view of the newest finalised block may differ from a validator's, in blocks.
const HEAD_SLACK_BLOCKS: u32 = 8;
/// How much more where another validator has judged it already.
const HEARD_SLACK_BLOCKS: u32 = 4;
/// Bytes of a proposal that are not plays: numbers, operation participants, signature.
const PROPOSAL_FRAME_BYTES: usize = 64 + 20 * OPERATION_MAX + 65;

/// Who brings a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    Viewer,
    /// A validator that took it.
    Validator,
}

impl Desk {
    /// Step 5: takes the proof of a play and judges it by this validator's clock.
    pub fn prove(
        &mut self,
        now_ms: u64,
        proof: Signed<PlayData>,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) -> Result<(), Refusal> {
        self.take_proof(now_ms, proof.clone(), Bearer::Viewer, ledger, catalogue)?;
        self.say(now_ms, ValidatorMessage::Proof(proof));
        Ok(())
    }

    pub(super) fn take_proof(
        &mut self,
        now_ms: u64,
        proof: Signed<PlayData>,
        bearer: Bearer,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) -> Result<(), Refusal> {
        let id = proof.body.play;
        let status = self.plays.status(&id).ok_or(Refusal::UnknownPlay)?;
        let Some(play) = self.plays.get(&id) else {
            return Err(if let PlayStatus::Refused(refusal) = status { refusal } else { Refusal::Replay });
        };
        if proof.signer().map_err(|_| Refusal::BadSignature)? != play.code.body.account {
            return Err(Refusal::OtherAccount);
        }
        // A viewer that tells each validator something else gets one answer all the same: all keep the same proof.
        let counts = |known: &Signed<PlayData>| bearer == Bearer::Validator && proof.signature.0 < known.signature.0;
        if !play.proof.as_ref().is_none_or(counts) {
            return Err(Refusal::Replay);
        }
        let account = play.code.body.account;
        if let Err(refusal) = self.judge(now_ms, play, &proof.body, bearer, ledger) {
            self.refuse(proof, bearer, &refusal);
            return Err(refusal);
        }
        // Other validators' receipts may still be on their way, and are looked at when the vote comes.
        if bearer == Bearer::Viewer
            && let Err(refusal) = self.shares(&play.code.body)
        {
            self.plays.mistake(&id, refusal.clone());
            return Err(refusal);
        }
        let (params, genesis_ms) = (&self.genesis.params, self.genesis.genesis_time_ms);
        self.plays.prove(params, genesis_ms, proof, catalogue.standing(&account));
        Ok(())
    }

    /// What a wrong proof does to its play.
    fn refuse(&mut self, proof: Signed<PlayData>, bearer: Bearer, refusal: &Refusal) {
        let params = &self.genesis.params;
        let id = proof.body.play;
        // Further from the limit than clocks and messages can be apart, so that all validators say the same.
        let much_ms = params.early_tolerance_ms + 2 * params.slot_grace_ms;
        match (refusal, bearer) {
            (Refusal::TooEarly { early_ms }, Bearer::Viewer) if *early_ms > much_ms => {
                self.plays.close(params, &id, PlayStatus::Refused(refusal.clone()));
                self.outbox.push_back(ValidatorMessage::Proof(proof));
            }
            (Refusal::TooEarly { .. }, Bearer::Validator) => {
                self.plays.close(params, &id, PlayStatus::Refused(refusal.clone()));
            }
            _ => self.plays.mistake(&id, refusal.clone()),
        }
    }

    fn judge(
        &self,
        now_ms: u64,
        play: &Play,
        data: &PlayData,
        bearer: Bearer,
        ledger: &LedgerState,
    ) -> Result<(), Refusal> {
        let params = &self.genesis.params;
        let code = &play.code.body;
        let slack_ms = if bearer == Bearer::Validator { params.slot_grace_ms } else { 0 };
        let due_ms = play.starts_ms + code.play_ms;
        let latest_ms = play.latest_ms(params);
        if now_ms + params.early_tolerance_ms + slack_ms < due_ms {
            return Err(Refusal::TooEarly { early_ms: due_ms - now_ms });
        }
        if now_ms > latest_ms + slack_ms {
            return Err(Refusal::TooLate { late_ms: now_ms - latest_ms });
        }
        self.judge_slot(now_ms, data.slot, bearer, ledger)?;
        if data.download_key != code.download_key {
            return Err(Refusal::WrongDownloadKey);
        }
        self.judge_points(play, data, bearer)?;
        if !points::nonce_is_right(code, &data.hash, data.nonce) {
            return Err(Refusal::WrongNonce);
        }
        Ok(())
    }

    /// A play belongs to the slot its proof comes in; the slot before is allowed while it is open.
    fn judge_slot(&self, now_ms: u64, slot: u64, bearer: Bearer, ledger: &LedgerState) -> Result<(), Refusal> {
        let current = self.genesis.params.slot_at(self.genesis.genesis_time_ms, now_ms);
        // The viewer's clock may be a little ahead: its slot may start here in a moment.
        let (apart_max, settled) = match bearer {
            Bearer::Viewer => (1, ledger.is_settled(slot)),
            Bearer::Validator => (2, ledger.is_closed(slot)),
        };
        if settled {
            return Err(Refusal::SlotFinished { slot });
        }
        if slot.abs_diff(current) > apart_max {
            return Err(Refusal::WrongSlot { slot });
        }
        Ok(())
    }

    /// Each point is fixed by a block that was the newest when the viewer can have reached it: who names older ones could
    /// have folded all chunks at the start.
    fn judge_points(&self, play: &Play, data: &PlayData, bearer: Bearer) -> Result<(), Refusal> {
        let (code, count) = (&play.code.body, self.genesis.params.play_points);
        let slack = HEAD_SLACK_BLOCKS + if bearer == Bearer::Validator { HEARD_SLACK_BLOCKS } else { 0 };
        let points = &data.point_blocks;
        if points.len() != usize::from(count) || !points.is_sorted() {
            return Err(Refusal::WrongHash);
        }
        let fresh = points.iter().zip(0..count).all(|(block, point)| {
            let reached_ms = play.starts_ms + points::position_ms(code.play_ms, point, count);
            let known = self.heads.at(reached_ms).max(play.head);
            block.saturating_add(slack) >= known
        });
        let known = points.last().is_some_and(|block| *block <= self.heads.newest().saturating_add(slack));
        if fresh && known { Ok(()) } else { Err(Refusal::WrongHash) }
    }

    fn shares(&self, code: &PlayCode) -> Result<Vec<ProviderShare>, Refusal> {
        self.grants.shares(&self.genesis.params, &code.account, &code.cell, code.size)
    }

    /// Step 6: lists the plays that ended in `slot`, and those of earlier slots that still wait: those first, should there
    /// be too many.
    pub(super) fn propose(
        &mut self,
        now_ms: u64,
        slot: u64,
        attempt: u32,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) {
        let mut plays = self.list(slot, ledger, catalogue);
        if plays.is_empty() {
            return;
        }
        let mut crowds = Crowds::default();
        let tag = |record: &PlayRecord| self.plays.get(&record.code.body.id).and_then(|play| play.tag);
        plays.iter().filter_map(tag).for_each(|tag| crowds.add(&tag));
        for record in &mut plays {
            let tag = self.plays.get(&record.code.body.id).and_then(|play| play.tag);
            record.factors.network_permille = crowds.network_permille(&self.genesis.params.weights, tag.as_ref());
        }
        plays.sort_by_key(|record| record.code.body.id);
        let operation = operation(catalogue);
        let proposal = Signed::new(SlotProposal { slot, attempt, plays, operation }, &self.key);
        if self.slots.open(&self.genesis, ledger, proposal.clone(), now_ms) {
            self.say(now_ms, ValidatorMessage::Proposal(proposal));
        }
    }

    /// As many plays as a slot and a message hold, without their network factors.
    fn list(&self, slot: u64, ledger: &LedgerState, catalogue: &dyn Catalogue) -> Vec<PlayRecord> {
        let mut bytes = PROPOSAL_FRAME_BYTES;
        let most = self.genesis.params.plays_per_slot_max as usize;
        let waiting = self.plays.proved(slot.saturating_sub(CARRY_SLOTS_MAX)..=slot);
        let records = waiting.filter_map(|id| self.record(id, slot, ledger, catalogue));
        let fitting = records.take_while(|record| {
            // Counting into nothing cannot fail.
            bytes += borsh::object_length(record).unwrap_or(MESSAGE_BYTES_MAX);
            bytes <= MESSAGE_BYTES_MAX
        });
        fitting.take(most).collect()
    }

    /// A play as this validator would list it in `slot`; `None` when it does not hold it true.
    fn record(&self, id: &PlayId, slot: u64, ledger: &LedgerState, catalogue: &dyn Catalogue) -> Option<PlayRecord> {
        let play = self.plays.get(id)?;
        let (data, providers) = self.holds(play, slot, ledger, catalogue)?;
        let factors = PlayFactors { standing_permille: play.standings.1, ..PlayFactors::STRANGER };
        Some(PlayRecord { code: play.code.clone(), data: data.clone(), providers, factors, issuer: play.issuer })
    }

    /// Whether this validator holds a play true, as one of `slot`: its proof, and who served it.
    fn holds<'a>(
        &self,
        play: &'a Play,
        slot: u64,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) -> Option<(&'a Signed<PlayData>, Vec<ProviderShare>)> {
        let params = &self.genesis.params;
        let code = &play.code.body;
        let data = play.proof.as_ref()?;
        let ended = data.body.slot;
        let in_time = slot.checked_sub(ended).is_some_and(|waited| waited <= CARRY_SLOTS_MAX);
        let mined = MinedCell { account: code.account, magnet: code.magnet, cell_index: code.cell_index };
        if !in_time || ledger.is_closed(ended) || ledger.is_mined(&mined) {
            return None;
        }
        if self.is_beyond_day(play) {
            return None;
        }
        // One play at a time.
        if self.plays.is_overlapped(code, overlap_max_ms(params)) {
            return None;
        }
        // The issuer wrote who is paid into the PlayCode: the chain must say the same.
        let facts = catalogue.video(&code.magnet, code.cell_index)?;
        let said = (code.creator, code.supervisor, code.split, Some((code.cell, code.size, code.play_ms)));
        let activators = code.activators.iter().all(|maker| catalogue.is_activator(&code.magnet, maker));
        if (facts.creator, facts.supervisor, facts.split, facts.cell) != said || facts.taken_down || !activators {
            return None;
        }
        Some((data, self.shares(code).ok()?))
    }

    /// Whether a home had its paid plays of the day before this one. Validators hear of plays in different order, and an
    /// issuer may hear of the others' a moment too late: a tenth more is forgiven.
    ///
    /// A validator that was restarted today does not know what a home played before. About its own plays beyond the tenth
    /// it leaves the word to the others, where they are enough: else anybody could make it contradict them.
    fn is_beyond_day(&self, play: &Play) -> bool {
        let params = &self.genesis.params;
        let slack = params.plays_per_home_per_day / 10;
        let others = self.genesis.validators.len() - 1;
        let knows_less = usize::from(play.issuer) == self.me
            && !self.plays.homes().is_whole(play.day)
            && others >= params.votes_needed(others + 1);
        let most = if knows_less { slack } else { params.plays_per_home_per_day.saturating_add(slack) };
        play.of_home > most
    }

    /// Votes on a proposal. One whose operation participants are not those of this validator's newest block gets no vote
    /// rather than false ones: one of the two sees an old block, and either this one catches up, or the next validator
    /// proposes.
    pub(super) fn vote(&mut self, now_ms: u64, ballot: (u64, u32), ledger: &LedgerState, catalogue: &dyn Catalogue) {
        let Some(ballot) = self.slots.get(ballot) else { return };
        let proposal = &ballot.proposal.body;
        if proposal.operation != operation(catalogue) {
            return;
        }
        let mut crowds = Crowds::default();
        let known = |record: &PlayRecord| self.plays.get(&record.code.body.id);
        let tags = proposal.plays.iter().filter_map(|record| known(record)?.tag);
        tags.for_each(|tag| crowds.add(&tag));
        let held = |record: &PlayRecord| {
            known(record).is_some_and(|play| self.agrees(play, record, proposal.slot, &crowds, ledger, catalogue))
        };
        let judgements: Vec<bool> = proposal.plays.iter().map(held).collect();
        let vote = Signed::new(SlotVote::new(proposal.slot, ballot.digest, &judgements), &self.key);
        self.slots.vote(&self.genesis, ledger, &vote, now_ms);
        self.say(now_ms, ValidatorMessage::Vote(vote));
    }

    /// Whether a listed play is true, and described as this validator would.
    fn agrees(
        &self,
        play: &Play,
        record: &PlayRecord,
        slot: u64,
        crowds: &Crowds,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) -> bool {
        let Some((data, providers)) = self.holds(play, slot, ledger, catalogue) else { return false };
        let PlayFactors { standing_permille, network_permille } = record.factors;
        // The proposer took the standing when the proof came. A change under way must not cost the play: what held when
        // it was issued, or holds by now, is as good.
        let standings = [play.standings.0, play.standings.1];
        let standing =
            standings.contains(&standing_permille) || catalogue.standing(&play.code.body.account) == standing_permille;
        standing
            && network_permille == crowds.network_permille(&self.genesis.params.weights, play.tag.as_ref())
            && (&play.code, data, &providers, play.issuer)
                == (&record.code, &record.data, &record.providers, record.issuer)
    }
}

/// Operation participants as a proposal lists them.
fn operation(catalogue: &dyn Catalogue) -> Vec<chainflix_primitives::AccountAddress> {
    let mut operation = catalogue.operation();
    operation.truncate(OPERATION_MAX);
    operation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::tests::key;
    use chainflix_primitives::AccountAddress;

    #[test]
    fn a_proposal_has_room_for_what_is_not_plays_and_for_little_more() {
        let operation = vec![AccountAddress([1; 20]); OPERATION_MAX];
        let proposal = SlotProposal { slot: 1, attempt: 0, plays: vec![], operation };
        let message = ValidatorMessage::Proposal(Signed::new(proposal, &key(1)));
        let bytes = message.encode().len();
        assert!((bytes..bytes + 64).contains(&PROPOSAL_FRAME_BYTES), "{bytes} bytes");
    }
}
