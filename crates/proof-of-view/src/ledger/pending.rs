//! View blocks that are voted and not awarded yet.

use super::{award, tally};
use crate::audit::draw::drawn_digest;
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{Digest, NetworkGenesis, PlayId, PlayRecord, SlotPayload, ViewPayload};
use chainflix_token::Paid;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

/// How far the audit of a pending view block is.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Audit {
    /// The block whose hash draws is not there yet.
    NotDrawn,
    /// Some plays must open their chunks.
    Open(OpenAudit),
}

/// An audit that waits for votes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OpenAudit {
    /// Height of the block that made the draw known.
    pub opened_height: u64,
    /// Its time, in milliseconds since the Unix epoch.
    pub opened_ms: u64,
    /// The drawn plays, by their places in the payload, ascending.
    pub drawn: Vec<u32>,
    /// The votes so far, by validator: bit `i` says that drawn play `i` passed.
    pub votes: BTreeMap<u16, Vec<u8>>,
}

/// The numbers of a pending view block: with its payload and its plays' weights enough to restore it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PendingHead {
    /// Its number.
    pub view_block: u64,
    /// Height of the block that carried the votes.
    pub height: u64,
    /// What it will pay, in gwei, unless every play is void.
    pub reward_gwei: u64,
    /// Bit `v` says that validator `v` was struck out when the block was made, and has no share in it.
    pub struck_out: u128,
    /// How far its audit is.
    pub audit: Audit,
}

/// A carried play, as it waits for its pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingPlay {
    /// Its place in the payload.
    pub index: u32,
    /// What it weighs.
    pub weight: u64,
    /// Bit `v` says that validator `v` held it true.
    pub carriers: u128,
}

/// A view block that is voted and not awarded yet.
#[derive(Clone, Debug)]
pub struct PendingBlock {
    pub(super) head: PendingHead,
    /// Its slot is there: [`PendingBlock::restore`] and the tally make no other.
    payload: Arc<ViewPayload>,
    pub(super) plays: Arc<Vec<PendingPlay>>,
    /// What it pays if no play is void; computed when somebody asks.
    expected: OnceLock<Arc<Paid>>,
}

impl PendingBlock {
    pub(super) fn new(head: PendingHead, payload: Arc<ViewPayload>, plays: Vec<PendingPlay>) -> Option<Self> {
        payload.slot.as_ref()?;
        Some(Self { head, payload, plays: Arc::new(plays), expected: OnceLock::new() })
    }

    /// Puts a block together again from what a store kept: its numbers, the payload that carried it, and for each
    /// carried play its place in the payload and its weight. `None` when they do not belong together.
    pub fn restore(head: PendingHead, payload: Arc<ViewPayload>, weights: &[(u32, u64)]) -> Option<Self> {
        let slot = payload.slot.as_ref()?;
        let carriers = tally::carriers(slot);
        let play = |&(index, weight): &(u32, u64)| {
            Some(PendingPlay { index, weight, carriers: *carriers.get(index as usize)? })
        };
        let plays = weights.iter().map(play).collect::<Option<Vec<_>>>()?;
        let listed = |index: &u32| (*index as usize) < slot.proposal.plays.len();
        if let Audit::Open(audit) = &head.audit
            && !audit.drawn.iter().all(listed)
        {
            return None;
        }
        Self::new(head, payload, plays)
    }

    /// Its numbers.
    pub fn head(&self) -> &PendingHead {
        &self.head
    }

    /// Its number.
    pub fn view_block(&self) -> u64 {
        self.head.view_block
    }

    /// The list and the votes that made it.
    pub fn slot(&self) -> &SlotPayload {
        // Both constructors refuse a payload without a slot.
        self.payload.slot.as_ref().expect("a pending block has a slot")
    }

    /// Its carried plays, by their places in the payload.
    pub fn plays(&self) -> &[PendingPlay] {
        &self.plays
    }

    /// What was listed at place `index` of the payload; for places that [`PendingBlock::plays`] or the audit name.
    pub(super) fn record(&self, index: u32) -> &PlayRecord {
        &self.slot().proposal.plays[index as usize]
    }

    pub(super) fn id(&self, index: u32) -> PlayId {
        self.record(index).code.body.id
    }

    /// Its open audit.
    pub fn audit(&self) -> Option<&OpenAudit> {
        match &self.head.audit {
            Audit::NotDrawn => None,
            Audit::Open(audit) => Some(audit),
        }
    }

    /// The plays that must open their chunks, in the order of the votes' bits; none before the draw.
    pub fn drawn(&self) -> impl ExactSizeIterator<Item = &PlayRecord> {
        let drawn = self.audit().map_or(&[][..], |audit| &audit.drawn);
        drawn.iter().map(|index| self.record(*index))
    }

    /// Names the drawn plays: what an [`AuditVote`](chainflix_primitives::AuditVote) speaks of.
    pub fn drawn_digest(&self) -> Digest {
        drawn_digest(self.head.view_block, self.drawn().map(|record| &record.code.body.id))
    }

    /// Whether the chain has this validator's vote on its audit: it need not be carried again.
    pub fn has_vote(&self, validator: u16) -> bool {
        self.audit().is_some_and(|audit| audit.votes.contains_key(&validator))
    }

    /// What it will award if no play is void.
    pub fn expected(&self, genesis: &NetworkGenesis) -> &Arc<Paid> {
        self.expected.get_or_init(|| Arc::new(award::awards(genesis, self, &[])))
    }

    /// The same block with its audit at another point.
    pub(super) fn with_audit(&self, audit: Audit) -> Self {
        Self { head: PendingHead { audit, ..self.head.clone() }, ..self.clone() }
    }
}
