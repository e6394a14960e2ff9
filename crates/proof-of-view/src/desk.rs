//! One validator's desk: it grants, issues, stamps, judges, votes and audits.
//!
//! ```text
//! viewer ──▶ grant() ──▶ play() ──▶ prove() ──▶ open()    answers at once: yes, or a Refusal
//! others ──▶ hear()                                       what other validators granted, issued, got, listed, voted
//! clock  ──▶ tick()                                       proposes when it is its turn, votes on what is open, forgets
//! blocks ──▶ finalized() ──▶ settled()                    what is final, and what it did to plays
//!            poll() ──▶ messages for the others;  payload() ──▶ what the next block should carry
//! ```
//!
//! **After any call, drain [`Desk::take_diary`] and make it durable, then drain [`Desk::poll`].** All times are this validator's clock in milliseconds since the Unix epoch and
//! never go back by more than a slot; `entropy` is 32 fresh random bytes per call. A play is judged by when its PlayCode
//! and its proof arrived *here*: nobody's word about time is taken.
//!
//! | module | does |
//! |---|---|
//! | `issue` | grants and PlayCodes, those of other validators as well |
//! | `judge` | proofs, proposals and votes |
//! | `audits` | openings and the votes on them |
//! | `plays` | finds plays by name, account, slot and time |
//! | `heads` | which final block was the newest when |
//! | `replay` | what is kept over a restart, and told again after it |

mod audits;
mod heads;
mod issue;
mod judge;
mod plays;
mod replay;
#[cfg(test)]
pub(crate) mod tests;

pub use plays::PLAYS_MAX;
pub use replay::Replay;

use crate::{
    Catalogue, Diary, DisputeState, EvidenceWanted, KeyService, LedgerState, OriginTag, Refusal, Settlement,
    ValidatorMessage, VideoFacts,
    diary::Mark,
    ledger::{AwardedBlock, MadeBlock, MinedCell},
    receipts::Grants,
    slots::Slots,
};
use audits::Audits;
use chainflix_primitives::{
    AccountAddress, AccountKey, BoxPublicKey, DownloadKey, Evidence, Grant, NetworkGenesis, NodeId, OriginKey,
    PlayCode, PlayId, Receipt, Signable, Signed, SlotPayload, ViewPayload, slot::holds_true,
};
use heads::Heads;
use judge::Bearer;
use plays::Plays;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
};

/// A provider that holds a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Who is paid.
    pub provider: AccountAddress,
    /// Where it is reached.
    pub node: NodeId,
    /// What its DownloadKeys are sealed to.
    pub box_key: BoxPublicKey,
}

/// How a play stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlayStatus {
    /// Issued, not proved yet.
    Running,
    /// Proved; the vote is to come.
    Proved,
    /// Carried by the vote; whether it is audited is not drawn yet, or others of its view block are.
    Pending {
        /// Number of the view block.
        view_block: u64,
    },
    /// Drawn for audit: the viewer must open its chunks.
    Auditing {
        /// Number of the view block.
        view_block: u64,
        /// By when, by this validator's clock, in milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// In a view block, and awarded.
    Accepted {
        /// Its number.
        view_block: u64,
    },
    /// Refused, for good.
    Refused(Refusal),
}

/// What the last payload was made of: made anew only when that changes.
type PayloadKey = (Option<((u64, u32), usize)>, Vec<(u64, usize)>);

/// The state machine of one validator.
pub struct Desk {
    genesis: Arc<NetworkGenesis>,
    me: usize,
    key: AccountKey,
    keys: Box<dyn KeyService>,
    /// The day's key of address tags, and which day it is.
    origin_key: Option<(u64, OriginKey)>,
    grants: Grants,
    plays: Plays,
    /// Plays of view blocks that are not awarded yet.
    carried: BTreeMap<u64, Vec<PlayId>>,
    slots: Slots,
    audits: Audits,
    heads: Heads,
    /// Providers whose plays weigh nothing, by the newest final block.
    struck_out: HashSet<AccountAddress>,
    payload: Option<(PayloadKey, Arc<ViewPayload>)>,
    outbox: VecDeque<ValidatorMessage>,
    diary: Diary,
}

impl Desk {
    /// The desk of the validator that owns `key`; `None` when the genesis does not name it.
    pub fn new(genesis: Arc<NetworkGenesis>, key: AccountKey, keys: Box<dyn KeyService>) -> Option<Self> {
        let me = genesis.validator_index(&key.address())?;
        Some(Self {
            genesis,
            me,
            key,
            keys,
            origin_key: None,
            grants: Grants::default(),
            plays: Plays::default(),
            carried: BTreeMap::new(),
            slots: Slots::default(),
            audits: Audits::default(),
            heads: Heads::default(),
            struck_out: HashSet::new(),
            payload: None,
            outbox: VecDeque::new(),
            diary: Diary::default(),
        })
    }

    /// The next message for all other validators.
    pub fn poll(&mut self) -> Option<ValidatorMessage> {
        self.outbox.pop_front().or_else(|| self.keys.poll().map(ValidatorMessage::Key))
    }

    /// Takes a viewer's or provider's receipt. Where the other side signed for something else, the receipt is kept and
    /// the answer is [`Refusal::ReceiptsDiffer`]: time for [`Desk::evidence`]. The same receipt again asks again.
    pub fn receipt(&mut self, now_ms: u64, receipt: Signed<Receipt>) -> Result<(), Refusal> {
        let received = self.grants.receive(&receipt)?;
        if received.is_new {
            self.say(now_ms, ValidatorMessage::Receipt(receipt));
        }
        if received.differs { Err(Refusal::ReceiptsDiffer) } else { Ok(()) }
    }

    /// Takes one side's evidence in a dispute about a delivery. The play it is about must be open: its PlayCode names the
    /// key that the evidence shows.
    pub fn evidence(&mut self, now_ms: u64, evidence: Signed<Evidence>) -> Result<DisputeState, Refusal> {
        let (state, is_news) = self.take_evidence(now_ms, &evidence)?;
        if is_news {
            self.say(now_ms, ValidatorMessage::Evidence(Box::new(evidence)));
        }
        Ok(state)
    }

    /// What a provider can show about its deliveries of which the viewers signed for something else, and whose plays are
    /// open: evidence about others is not heard.
    pub fn evidence_wanted(&self, provider: &AccountAddress) -> Vec<EvidenceWanted> {
        let plays = |grant: &Grant| self.plays.of(&grant.viewer).any(|play| play.code.body.cell == grant.cell);
        self.grants.wanted(provider, plays)
    }

    fn take_evidence(&mut self, now_ms: u64, evidence: &Signed<Evidence>) -> Result<(DisputeState, bool), Refusal> {
        let grant = self.grants.get(&evidence.body.grant).ok_or(Refusal::UnknownGrant)?;
        let key = DownloadKey::from_bytes(evidence.body.download_key);
        let names_key = |play: &plays::Play| {
            let code = &play.code.body;
            code.cell == grant.cell && code.download_key == key.id()
        };
        if !self.plays.of(&grant.viewer).any(names_key) {
            return Err(Refusal::UnknownPlay);
        }
        self.grants.dispute(&self.genesis.params, now_ms, evidence, &key)
    }

    /// Takes a message of another validator, `from`, as the transport proved it. What is not signed by whom it must be
    /// is dropped without a word.
    pub fn hear(
        &mut self,
        now_ms: u64,
        from: &AccountAddress,
        message: ValidatorMessage,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) {
        let note = self.note_heard(now_ms, &message);
        let is_news = self.take(now_ms, from, message, ledger, catalogue);
        if let Some(note) = note.filter(|_| !is_news) {
            self.diary.notes.retract(note);
        }
    }

    fn note_heard(&mut self, now_ms: u64, message: &ValidatorMessage) -> Option<Mark> {
        self.diary.notes.note(now_ms, self.heads.newest(), false, message)
    }

    /// Takes a message, and answers whether it changed anything.
    fn take(
        &mut self,
        now_ms: u64,
        from: &AccountAddress,
        message: ValidatorMessage,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) -> bool {
        match message {
            ValidatorMessage::Grant(grant) => {
                let is_new = self.grants.get(&grant.body.id).is_none() && self.is_validators(&grant);
                // A full house forgets nothing and takes nothing: the issuer still holds it.
                is_new && self.grants.add(&self.genesis.params, grant.body).is_ok()
            }
            ValidatorMessage::Play { code, request, origin } => {
                let origin = Some(origin).filter(|origin| *origin != OriginTag::UNKNOWN);
                self.hear_play(now_ms, from, (*code, &request, origin), catalogue)
            }
            // A refusal is for its sender, who heard it from the validator it asked. The same goes for those below.
            ValidatorMessage::Receipt(receipt) => self.grants.receive(&receipt).is_ok_and(|received| received.is_new),
            ValidatorMessage::Proof(proof) => {
                self.take_proof(now_ms, proof, Bearer::Validator, ledger, catalogue).is_ok()
            }
            ValidatorMessage::Evidence(evidence) => {
                self.take_evidence(now_ms, &evidence).is_ok_and(|(_, is_news)| is_news)
            }
            ValidatorMessage::Proposal(proposal) => self.slots.open(&self.genesis, ledger, proposal, now_ms),
            ValidatorMessage::Vote(vote) => self.slots.vote(&self.genesis, ledger, &vote, now_ms),
            ValidatorMessage::Opening(opening) => self.hear_opening(now_ms, *opening, ledger, catalogue),
            ValidatorMessage::AuditVote(vote) => self.hear_audit_vote(now_ms, &vote, ledger),
            ValidatorMessage::Key(message) => {
                self.keys.hear(now_ms, from, message, catalogue);
                false
            }
        }
    }

    /// Says something to the others that this validator must not forget.
    fn say(&mut self, now_ms: u64, message: ValidatorMessage) {
        self.diary.notes.note(now_ms, self.heads.newest(), true, &message);
        self.outbox.push_back(message);
    }

    fn is_validators<T: Signable>(&self, said: &Signed<T>) -> bool {
        said.signer().is_ok_and(|signer| self.genesis.validator_index(&signer).is_some())
    }

    /// Does what the clock asks for: proposes, votes, forgets. Call it a few times a second.
    pub fn tick(&mut self, now_ms: u64, ledger: &LedgerState, catalogue: &dyn Catalogue) {
        if let Some((slot, attempt)) = self.slots.turn(&self.genesis, ledger, self.me, now_ms) {
            self.propose(now_ms, slot, attempt, ledger, catalogue);
        }
        for ballot in self.slots.unvoted(&self.genesis, self.me, now_ms) {
            self.vote(now_ms, ballot, ledger, catalogue);
        }
        self.sit(now_ms, ledger, catalogue);
        self.plays.expire(&self.genesis.params, now_ms);
        self.grants.expire(now_ms);
        self.slots.expire(&self.genesis, ledger, now_ms);
    }

    /// What the next block should carry, on top of `ledger`: the oldest slot whose vote is over, and votes on audits.
    /// Asked again without news, it answers the same copy.
    pub fn payload(&mut self, now_ms: u64, ledger: &LedgerState) -> Option<Arc<ViewPayload>> {
        let ready = self.slots.ready(&self.genesis, ledger, now_ms);
        let audits = self.audits.payload(&self.genesis, ledger, now_ms);
        if ready.is_none() && audits.is_empty() {
            self.payload = None;
            return None;
        }
        let counts = audits.iter().map(|audit| (audit.view_block, audit.votes.len())).collect();
        let key = (ready, counts);
        if let Some((same, payload)) = &self.payload
            && *same == key
        {
            return Some(payload.clone());
        }
        let slot = ready.and_then(|(ballot, _)| self.slots.payload(ballot));
        let payload = Arc::new(ViewPayload { slot, audits });
        self.payload = Some((key, payload.clone()));
        Some(payload)
    }

    /// Learns of a finalised block.
    pub fn finalized(&mut self, now_ms: u64, number: u32) {
        self.heads.push(now_ms, number);
    }

    /// Learns what a finalised block settled: of every one, with or without a payload.
    pub fn settled(&mut self, payload: Option<&ViewPayload>, settlement: &Settlement) {
        if let (Some(slot), Some(made)) = (payload.and_then(|payload| payload.slot.as_ref()), &settlement.made) {
            self.made(slot, made, &settlement.next);
        }
        for awarded in &settlement.awarded {
            self.awarded(awarded);
        }
        self.learn_struck_out(settlement);
    }

    /// Learns which providers pay nobody: only a verdict makes one, and only a new period forgives.
    fn learn_struck_out(&mut self, settlement: &Settlement) {
        let answering = settlement.awarded.iter().flat_map(|awarded| &awarded.answering);
        self.struck_out.extend(answering);
        let params = &self.genesis.params;
        self.struck_out.retain(|provider| settlement.next.is_provider_struck_out(params, provider));
    }

    fn made(&mut self, slot: &SlotPayload, made: &MadeBlock, ledger: &LedgerState) {
        let params = &self.genesis.params;
        let carried: HashSet<usize> = made.accepted.iter().map(|play| play.index).collect();
        let ids = made.accepted.iter().map(|play| play.play).collect();
        self.carried.insert(made.view_block, ids);
        for (index, record) in slot.proposal.plays.iter().enumerate() {
            let code = &record.code.body;
            if carried.contains(&index) {
                self.plays.carry(params, code, made.view_block);
            } else if ledger.is_mined(&MinedCell::of(record)) {
                self.plays.close(params, &code.id, PlayStatus::Refused(Refusal::AlreadyMined));
            } else if self.is_outvoted(slot, index) {
                self.plays.close(params, &code.id, PlayStatus::Refused(Refusal::Outvoted));
            }
        }
    }

    /// Whether a majority contradicted this validator about a play. Where it was the description that was wrong, or votes
    /// were missing, the play waits for the next slot.
    fn is_outvoted(&self, slot: &SlotPayload, index: usize) -> bool {
        let held = |vote: &&chainflix_primitives::VoteEntry| holds_true(&vote.held_true, index);
        let mine = slot.votes.iter().find(|vote| usize::from(vote.validator) == self.me);
        let against = slot.votes.len() - slot.votes.iter().filter(held).count();
        mine.as_ref().is_some_and(held) && against >= self.genesis.params.votes_needed(self.genesis.validators.len())
    }

    fn awarded(&mut self, awarded: &AwardedBlock) {
        let voided: HashSet<PlayId> = awarded.voided.iter().map(|voided| voided.play).collect();
        for play in self.carried.remove(&awarded.view_block).unwrap_or_default() {
            let status = match voided.contains(&play) {
                true => PlayStatus::Refused(Refusal::Voided),
                false => PlayStatus::Accepted { view_block: awarded.view_block },
            };
            self.plays.settle(&play, status);
        }
    }

    /// How a play stands, as long as it is remembered (a few slots after its end, and while it is audited).
    pub fn status(&self, play: &PlayId) -> Option<PlayStatus> {
        match self.audits.of(play, self.genesis.params.audit.answer_ms) {
            Some((view_block, until_ms)) => Some(PlayStatus::Auditing { view_block, until_ms }),
            None => self.plays.status(play),
        }
    }

    /// The open plays of an account: running, or proved and not voted on.
    pub fn plays_of(&self, account: &AccountAddress) -> impl Iterator<Item = (&PlayCode, PlayStatus)> {
        self.plays.of(account).map(|play| (&play.code.body, play.status()))
    }

    /// Plays that are running, or proved and not voted on; grants are not counted.
    pub fn open_plays(&self) -> usize {
        self.plays.open()
    }
}
