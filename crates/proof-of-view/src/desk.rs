//! One validator's desk: it grants, issues, stamps, judges and votes.
//!
//! ```text
//! viewer ──▶ grant() ──▶ play() ──▶ prove()          answers at once: yes, or a Refusal
//! others ──▶ hear()                                   what other validators granted, issued, got, listed, voted
//! clock  ──▶ tick()                                   proposes when it is its turn, votes on what is open, forgets
//! blocks ──▶ finalized()                              what was settled
//!            poll() ──▶ messages for the others;  payload() ──▶ what the next block should carry
//! ```
//!
//! **After any call, drain [`Desk::poll`].** All times are this validator's clock in milliseconds since the Unix epoch and
//! never go back by more than a slot; `entropy` is 32 fresh random bytes per call. A play is judged by when its PlayCode
//! and its proof arrived *here*: nobody's word about time is taken. What the desk holds is lost with the process; the
//! other validators' votes carry the plays that were under way.

mod issue;
mod judge;
#[cfg(test)]
pub(crate) mod tests;

use crate::{
    LedgerState, Refusal, Settlement, ValidatorMessage,
    limits::{Limits, Origin},
    receipts::Grants,
    slots::Slots,
};
use chainflix_primitives::{
    AccountAddress, AccountKey, BoxPublicKey, CellId, Magnet, NetworkGenesis, NetworkSecret, NodeId, PlayCode,
    PlayData, PlayId, Receipt, Signed, VideoSecret, ViewPayload,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

/// Most plays a desk holds at a time; a full desk answers "busy".
pub const PLAYS_MAX: usize = 1 << 20;

/// What the chain says of one cell of a video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFacts {
    /// Who published it.
    pub creator: AccountAddress,
    /// Who vouches for it.
    pub supervisor: AccountAddress,
    /// Whether a supervisor stopped it.
    pub taken_down: bool,
    /// The asked cell: identity, bytes, media time in milliseconds. `None` when the video has fewer.
    pub cell: Option<(CellId, u64, u64)>,
    /// What its CellKeys come from.
    pub secret: VideoSecret,
}

/// Reads videos as of the last finalised block.
pub trait Catalogue {
    /// The facts of one cell; `None` when the video is not registered or its manifest is not known here.
    fn video(&self, magnet: &Magnet, cell_index: u32) -> Option<VideoFacts>;
}

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
    /// In a view block.
    Accepted {
        /// Its number.
        view_block: u64,
    },
    /// Refused, for good.
    Refused(Refusal),
}

struct Play {
    code: Signed<PlayCode>,
    /// When its minute starts, by this validator's clock.
    starts_ms: u64,
    /// Newest finalised block when it was issued or heard of.
    head: u32,
    /// Where it comes from, while it counts against a limit. Known to the issuer only.
    origin: Option<Origin>,
    proof: Option<Signed<PlayData>>,
    status: PlayStatus,
}

/// The state machine of one validator.
pub struct Desk {
    genesis: Arc<NetworkGenesis>,
    me: usize,
    key: AccountKey,
    secret: NetworkSecret,
    grants: Grants,
    limits: Limits,
    plays: HashMap<PlayId, Play>,
    /// Plays that are neither settled nor refused, by account.
    open: HashMap<AccountAddress, Vec<PlayId>>,
    by_time: BTreeMap<u64, Vec<PlayId>>,
    slots: Slots,
    head: u32,
    outbox: VecDeque<ValidatorMessage>,
}

impl Desk {
    /// The desk of the validator that owns `key`; `None` when the genesis does not name it.
    pub fn new(genesis: Arc<NetworkGenesis>, key: AccountKey, secret: NetworkSecret) -> Option<Self> {
        let me = genesis.validator_index(&key.address())?;
        Some(Self {
            genesis,
            me,
            key,
            secret,
            grants: Grants::default(),
            limits: Limits::default(),
            plays: HashMap::new(),
            open: HashMap::new(),
            by_time: BTreeMap::new(),
            slots: Slots::default(),
            head: 0,
            outbox: VecDeque::new(),
        })
    }

    /// The next message for all other validators.
    pub fn poll(&mut self) -> Option<ValidatorMessage> {
        self.outbox.pop_front()
    }

    /// Takes a viewer's or provider's receipt.
    pub fn receipt(&mut self, receipt: Signed<Receipt>) -> Result<(), Refusal> {
        if self.grants.receive(&receipt)? {
            self.outbox.push_back(ValidatorMessage::Receipt(receipt));
        }
        Ok(())
    }

    /// Takes a message of another validator. What is not signed by whom it must be is dropped without a word.
    pub fn hear(&mut self, now_ms: u64, message: ValidatorMessage, ledger: &LedgerState) {
        match message {
            ValidatorMessage::Grant(grant) => {
                if self.is_validators(&grant) {
                    // A full house forgets nothing and takes nothing: the issuer still holds it.
                    let _full = self.grants.add(&self.genesis.params, grant.body);
                }
            }
            ValidatorMessage::Play { code, supersedes } => self.hear_play(now_ms, code, supersedes),
            ValidatorMessage::Receipt(receipt) => {
                // A refusal is for its sender, who heard it from the validator it asked.
                let _refused = self.grants.receive(&receipt);
            }
            ValidatorMessage::Proof(proof) => {
                // Likewise; the status keeps the reason.
                let _refused = self.take_proof(now_ms, proof, ledger);
            }
            ValidatorMessage::Proposal(proposal) => {
                let genesis = self.genesis.clone();
                self.slots.open(&genesis, ledger, proposal, now_ms);
            }
            ValidatorMessage::Vote(vote) => {
                let genesis = self.genesis.clone();
                self.slots.vote(&genesis, ledger, &vote, now_ms);
            }
        }
    }

    fn is_validators<T: chainflix_primitives::Signable>(&self, said: &Signed<T>) -> bool {
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
        self.expire(now_ms);
        self.grants.expire(now_ms);
        self.slots.expire(&self.genesis, ledger, now_ms);
    }

    /// What the next block should carry, on top of `ledger`.
    pub fn payload(&self, now_ms: u64, ledger: &LedgerState) -> Option<ViewPayload> {
        self.slots.payload(&self.genesis, ledger, now_ms)
    }

    /// Learns of a finalised block.
    pub fn finalized(&mut self, number: u32) {
        self.head = self.head.max(number);
    }

    /// Learns what a finalised view block settled.
    pub fn settled(&mut self, payload: &ViewPayload, settlement: &Settlement) {
        let accepted: HashSet<PlayId> = settlement.accepted.iter().map(|play| play.play).collect();
        for play in payload.proposal.plays.iter().map(|record| record.code.body.id) {
            let status = match accepted.contains(&play) {
                true => PlayStatus::Accepted { view_block: settlement.view_block },
                false => PlayStatus::Refused(Refusal::Outvoted),
            };
            self.close(&play, status);
        }
    }

    /// How a play stands, as long as it is remembered (a few slots after its end).
    pub fn status(&self, play: &PlayId) -> Option<&PlayStatus> {
        self.plays.get(play).map(|play| &play.status)
    }

    /// Plays that are neither settled nor refused, and grants are not counted.
    pub fn open_plays(&self) -> usize {
        self.open.values().map(Vec::len).sum()
    }

    /// Ends a play: it counts against no limit and no other play any more.
    fn close(&mut self, id: &PlayId, status: PlayStatus) {
        let Some(play) = self.plays.get_mut(id) else { return };
        if matches!(play.status, PlayStatus::Accepted { .. }) {
            return;
        }
        play.status = status;
        if let Some(origin) = play.origin.take() {
            self.limits.leave(&origin);
        }
        let account = play.code.body.account;
        if let Some(open) = self.open.get_mut(&account) {
            open.retain(|other| other != id);
            if open.is_empty() {
                self.open.remove(&account);
            }
        }
    }

    /// Remembers a play until nobody can ask for it any more.
    fn remember(&mut self, play: Play) {
        let params = &self.genesis.params;
        let code = &play.code.body;
        let last_proof_ms = play.starts_ms + code.play_ms * params.late_permille / 1000;
        let forget_ms = last_proof_ms + (crate::ledger::CARRY_SLOTS_MAX + 2) * params.slot_ms;
        self.by_time.entry(forget_ms).or_default().push(code.id);
        self.open.entry(code.account).or_default().push(code.id);
        self.plays.insert(code.id, play);
    }

    fn expire(&mut self, now_ms: u64) {
        while let Some(due) = self.by_time.first_entry().filter(|due| *due.key() <= now_ms) {
            for id in due.remove() {
                self.close(&id, PlayStatus::Refused(Refusal::UnknownPlay));
                self.plays.remove(&id);
            }
        }
        self.expire_unproved(now_ms);
    }

    /// Plays that nobody proved in time stop counting at once, though their story is remembered a while.
    fn expire_unproved(&mut self, now_ms: u64) {
        let permille = self.genesis.params.late_permille;
        let overdue = |play: &Play| {
            let last_ms = play.starts_ms + play.code.body.play_ms * permille / 1000;
            now_ms.checked_sub(last_ms).filter(|late_ms| *late_ms > 0 && play.status == PlayStatus::Running)
        };
        let late: Vec<_> =
            self.plays.iter().filter_map(|(id, play)| overdue(play).map(|late_ms| (*id, late_ms))).collect();
        for (id, late_ms) in late {
            self.close(&id, PlayStatus::Refused(Refusal::TooLate { late_ms }));
        }
    }
}
