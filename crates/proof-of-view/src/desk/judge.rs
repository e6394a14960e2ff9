//! Judging: proofs (step 5) and votes (step 6).

use super::{Catalogue, Desk, Play, PlayStatus};
use crate::{LedgerState, MinedCell, Refusal, ValidatorMessage, ledger::CARRY_SLOTS_MAX, points};
use chainflix_primitives::{
    PlayData, PlayId, PlayRecord, ProviderShare, Signed, SlotProposal, SlotVote, slot::PLAYS_PER_SLOT_MAX,
};

/// How far a viewer's view of the newest finalised block may differ from a validator's, in blocks.
const HEAD_SLACK_BLOCKS: u32 = 8;

impl Desk {
    /// Step 5: takes the proof of a play and judges it by this validator's clock. A refusal is final.
    pub fn prove(&mut self, now_ms: u64, proof: Signed<PlayData>, ledger: &LedgerState) -> Result<(), Refusal> {
        let id = proof.body.play;
        self.take_proof(now_ms, proof.clone(), ledger)?;
        // Receipts travel ahead of the proof, so what is missing now will not come.
        if let Err(refusal) = self.shares(&id) {
            self.close(&id, PlayStatus::Refused(refusal.clone()));
            return Err(refusal);
        }
        self.outbox.push_back(ValidatorMessage::Proof(proof));
        Ok(())
    }

    /// Judges all of a proof but its receipts, which may still be on their way between validators.
    pub(super) fn take_proof(
        &mut self,
        now_ms: u64,
        proof: Signed<PlayData>,
        ledger: &LedgerState,
    ) -> Result<(), Refusal> {
        let id = proof.body.play;
        let play = self.plays.get(&id).ok_or(Refusal::UnknownPlay)?;
        let signer = proof.signer().map_err(|_| Refusal::BadSignature)?;
        if signer != play.code.body.account {
            return Err(Refusal::OtherAccount);
        }
        match &play.status {
            PlayStatus::Running => {}
            PlayStatus::Refused(refusal) => return Err(refusal.clone()),
            PlayStatus::Proved | PlayStatus::Accepted { .. } => return Err(Refusal::Replay),
        }
        if let Err(refusal) = self.judge(now_ms, play, &proof.body, ledger) {
            self.close(&id, PlayStatus::Refused(refusal.clone()));
            return Err(refusal);
        }
        if let Some(play) = self.plays.get_mut(&id) {
            play.proof = Some(proof);
            play.status = PlayStatus::Proved;
        }
        Ok(())
    }

    fn judge(&self, now_ms: u64, play: &Play, data: &PlayData, ledger: &LedgerState) -> Result<(), Refusal> {
        let params = &self.genesis.params;
        let code = &play.code.body;
        let due_ms = play.starts_ms + code.play_ms;
        let earliest_ms = due_ms.saturating_sub(params.early_tolerance_ms);
        let latest_ms = play.starts_ms + code.play_ms * params.late_permille / 1000;
        if now_ms < earliest_ms {
            return Err(Refusal::TooEarly { early_ms: due_ms - now_ms });
        }
        if now_ms > latest_ms {
            return Err(Refusal::TooLate { late_ms: now_ms - latest_ms });
        }
        self.judge_slot(now_ms, data.slot, ledger)?;
        if data.download_key != self.secret.download_key(&code.account, &code.cell).id() {
            return Err(Refusal::WrongDownloadKey);
        }
        let points = &data.point_blocks;
        let first = points.first().is_some_and(|block| *block + HEAD_SLACK_BLOCKS >= play.head);
        let last = points.last().is_some_and(|block| *block <= self.head.saturating_add(HEAD_SLACK_BLOCKS));
        if points.len() != usize::from(params.play_points) || !points.is_sorted() || !first || !last {
            return Err(Refusal::WrongHash);
        }
        if !points::nonce_is_right(code, &data.hash, data.nonce) {
            return Err(Refusal::WrongNonce);
        }
        Ok(())
    }

    /// A play belongs to the slot its proof comes in; the slot before is allowed while it is open.
    fn judge_slot(&self, now_ms: u64, slot: u64, ledger: &LedgerState) -> Result<(), Refusal> {
        let current = self.genesis.params.slot_at(self.genesis.genesis_time_ms, now_ms);
        if ledger.is_settled(slot) {
            return Err(Refusal::SlotFinished { slot });
        }
        // The viewer's clock may be a little ahead: its slot may start here in a moment.
        if slot.abs_diff(current) > 1 {
            return Err(Refusal::WrongSlot { slot });
        }
        Ok(())
    }

    fn shares(&self, id: &PlayId) -> Result<Vec<ProviderShare>, Refusal> {
        let code = &self.plays.get(id).ok_or(Refusal::UnknownPlay)?.code.body;
        self.grants.shares(&self.genesis.params, &code.account, &code.cell, code.size)
    }

    /// Step 6: lists the plays that ended in `slot`, and those of earlier slots that still wait.
    pub(super) fn propose(
        &mut self,
        now_ms: u64,
        slot: u64,
        attempt: u32,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) {
        let mut plays: Vec<PlayRecord> =
            self.plays.keys().filter_map(|id| self.record(id, slot, ledger, catalogue)).collect();
        if plays.is_empty() {
            return;
        }
        // Those that waited longest first, should there be too many; then in the order the ledger wants.
        plays.sort_by_key(|record| (record.data.body.slot, record.code.body.id));
        plays.truncate(PLAYS_PER_SLOT_MAX);
        plays.sort_by_key(|record| record.code.body.id);
        let proposal = Signed::new(SlotProposal { slot, attempt, plays }, &self.key);
        if self.slots.open(&self.genesis, ledger, proposal.clone(), now_ms) {
            self.outbox.push_back(ValidatorMessage::Proposal(proposal));
        }
    }

    /// A play as this validator would have it in the block of `slot`; `None` when it does not hold it true.
    fn record(&self, id: &PlayId, slot: u64, ledger: &LedgerState, catalogue: &dyn Catalogue) -> Option<PlayRecord> {
        let play = self.plays.get(id)?;
        let code = &play.code.body;
        let data = play.proof.as_ref().filter(|_| play.status == PlayStatus::Proved)?;
        let waited = slot.checked_sub(data.body.slot)?;
        let mined = MinedCell { account: code.account, magnet: code.magnet, cell_index: code.cell_index };
        if waited > CARRY_SLOTS_MAX || ledger.is_mined(&mined) {
            return None;
        }
        // The issuer wrote who is paid into the PlayCode: the chain must say the same.
        let facts = catalogue.video(&code.magnet, code.cell_index)?;
        let said = (code.creator, code.supervisor, Some((code.cell, code.size, code.play_ms)));
        if (facts.creator, facts.supervisor, facts.cell) != said || facts.taken_down {
            return None;
        }
        let providers = self.shares(id).ok()?;
        Some(PlayRecord { code: play.code.clone(), data: data.clone(), providers })
    }

    pub(super) fn vote(&mut self, now_ms: u64, ballot: (u64, u32), ledger: &LedgerState, catalogue: &dyn Catalogue) {
        let Some(ballot) = self.slots.get(ballot) else { return };
        let proposal = &ballot.proposal.body;
        let held = |record: &PlayRecord| {
            self.record(&record.code.body.id, proposal.slot, ledger, catalogue).as_ref() == Some(record)
        };
        let judgements: Vec<bool> = proposal.plays.iter().map(held).collect();
        let vote = Signed::new(SlotVote::new(proposal.slot, ballot.digest, &judgements), &self.key);
        self.slots.vote(&self.genesis, ledger, &vote, now_ms);
        self.outbox.push_back(ValidatorMessage::Vote(vote));
    }
}
