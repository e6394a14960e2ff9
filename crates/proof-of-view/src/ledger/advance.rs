//! From one state to the next: the order in which a block's votes, draws, verdicts and awards take effect.

use super::{
    Audit, BlockPlace, LedgerState, OpenAudit, PendingBlock, PendingHead, PendingPlay, SettleError, Withheld, award,
    providers::{Providers, answering},
    root,
    standing::period_of,
    tally::{Tally, check_parts},
    verdict::{self, Void},
    weigh::Scale,
};
use crate::audit::draw::Draw;
use chainflix_primitives::{AccountAddress, NetworkGenesis, PlayId, SlotPayload, ViewPayload};
use chainflix_token::{Credit, Paid, reward_gwei};
use std::{collections::BTreeSet, sync::Arc};

/// A play that the vote carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedPlay {
    /// Its place in the proposal.
    pub index: usize,
    /// Its name.
    pub play: PlayId,
    /// What it weighs against the others; 0 earns nothing.
    pub weight: u64,
}

/// A view block that a block's votes made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeBlock {
    /// Its number.
    pub view_block: u64,
    /// What it will pay, in gwei, unless every play is void.
    pub reward_gwei: u64,
    /// The plays that were carried. Other listed plays may be listed again while they are not too old.
    pub accepted: Vec<AcceptedPlay>,
}

/// An audit that a block's parent drew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnAudit {
    /// Of which view block.
    pub view_block: u64,
    /// The plays that must open their chunks, in the order of the votes' bits.
    pub plays: Vec<PlayId>,
}

/// A play that the audit voided, or that its provider's audits voided: it is paid nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoidedPlay {
    /// Its place in the proposal.
    pub index: usize,
    /// Its name.
    pub play: PlayId,
    /// Who played it.
    pub account: AccountAddress,
    /// Whether it was voted down, which is a strike, rather than left without enough votes or served by a provider that is
    /// struck out.
    pub voted_down: bool,
}

/// A view block whose reward was awarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwardedBlock {
    /// Its number.
    pub view_block: u64,
    /// Who is awarded what; adds up to the block's reward, or to nothing when no play has weight.
    pub paid: Arc<Paid>,
    /// What of that is held back, and what of the held is paid with it, in order of accounts.
    pub withheld: Vec<Withheld>,
    /// Plays that are paid nothing, by their places.
    pub voided: Vec<VoidedPlay>,
    /// Providers that answer for one of its audited plays, each once, in order of accounts.
    pub answering: Vec<AccountAddress>,
}

/// What one block does to the ledger.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The state after it.
    pub next: LedgerState,
    /// The view block it makes, if it carries a slot.
    pub made: Option<MadeBlock>,
    /// The audits it opens.
    pub drawn: Vec<DrawnAudit>,
    /// The view blocks it awards.
    pub awarded: Vec<AwardedBlock>,
    /// What becomes spendable with it: vested awards, in order of accounts; at most
    /// [`CREDITS_PER_BLOCK_MAX`](super::CREDITS_PER_BLOCK_MAX).
    pub credits: Vec<Credit>,
}

impl Settlement {
    /// Whether nothing happened that anybody needs to hear of. Votes of an audit that is not decided are nothing.
    pub fn is_empty(&self) -> bool {
        self.made.is_none() && self.drawn.is_empty() && self.awarded.is_empty() && self.credits.is_empty()
    }
}

impl LedgerState {
    /// Checks a final or candidate block's payload and computes what the block does. Every block counts, also one without
    /// a payload: draws and deadlines come with height and time.
    pub fn advance(
        &self,
        genesis: &NetworkGenesis,
        at: &BlockPlace,
        payload: Option<&Arc<ViewPayload>>,
    ) -> Result<Settlement, SettleError> {
        let next = Settlement { next: self.clone(), made: None, drawn: vec![], awarded: vec![], credits: vec![] };
        let mut step = Step { genesis, at, done: next };
        if let Some(payload) = payload {
            check_parts(payload)?;
            step.hear_audits(payload)?;
            if let Some(slot) = &payload.slot {
                step.settle_slot(payload, slot)?;
            }
        }
        step.close_audits();
        step.draw_lots();
        step.pay_out();
        step.hear_moves();
        Ok(step.done)
    }
}

/// One block's way from state to state.
struct Step<'a> {
    genesis: &'a NetworkGenesis,
    at: &'a BlockPlace,
    done: Settlement,
}

impl Step<'_> {
    fn state(&mut self) -> &mut LedgerState {
        &mut self.done.next
    }

    fn hear_audits(&mut self, payload: &ViewPayload) -> Result<(), SettleError> {
        for audit in &payload.audits {
            let view_block = audit.view_block;
            let block = self.done.next.pending_block(view_block).ok_or(SettleError::NotAudited { view_block })?;
            let heard = verdict::add_votes(self.genesis, block, audit)?;
            self.state().pending.insert(view_block, Arc::new(heard));
        }
        Ok(())
    }

    /// Makes a view block of the plays that the votes carry.
    fn settle_slot(&mut self, payload: &Arc<ViewPayload>, slot: &SlotPayload) -> Result<(), SettleError> {
        let (genesis, number) = (self.genesis, slot.proposal.slot);
        let tally = Tally::new(genesis, &self.done.next, slot, self.at.time_ms)?;
        let view_block = self.done.next.head.view_blocks + 1;
        self.enter_period(view_block);
        let (plays, struck_out) = self.carry(&tally, slot, view_block);
        if plays.is_empty() {
            return Err(SettleError::NothingAccepted { slot: number });
        }
        self.hold_issuers(&tally, slot);
        let listed = &slot.proposal.plays;
        let accepted = plays.iter().map(|play| {
            let index = play.index as usize;
            AcceptedPlay { index, play: listed[index].code.body.id, weight: play.weight }
        });
        let accepted = accepted.collect();
        let reward_gwei = reward_gwei(&genesis.params, view_block);
        let head = PendingHead { view_block, height: self.at.height, reward_gwei, struck_out, audit: Audit::NotDrawn };
        // The payload has a slot: it is at hand here.
        let block = PendingBlock::new(head, payload.clone(), plays).expect("the payload has a slot");
        let state = self.state();
        state.head.root = root::after_vote(&state.head.root, &block);
        state.head.view_blocks = view_block;
        state.head.last_slot = Some(number);
        state.pending.insert(view_block, Arc::new(block));
        self.done.made = Some(MadeBlock { view_block, reward_gwei, accepted });
        Ok(())
    }

    /// Forgets, at the first view block of a period, what counts per period.
    fn enter_period(&mut self, view_block: u64) {
        let params = &self.genesis.params;
        if period_of(params, view_block) != period_of(params, view_block - 1) {
            let state = self.state();
            state.mined = imbl::HashSet::new();
            state.creator_times = imbl::HashMap::new();
            state.providers = Providers::default();
            state.head.issuers.clear();
            state.head.closed_slot = state.head.last_slot;
            let left = state.held.leave(period_of(params, view_block));
            state.vest(view_block - 1, left);
        }
    }

    /// The plays that the votes carry, weighed; and the validators that are struck out.
    fn carry(&mut self, tally: &Tally<'_>, slot: &SlotPayload, view_block: u64) -> (Vec<PendingPlay>, u128) {
        let params = &self.genesis.params;
        let state = &mut self.done.next;
        let struck_out = state.issuers_struck_out(params);
        let scale = Scale::new(params, view_block, slot.proposal.slot, struck_out);
        let mut plays = Vec::with_capacity(slot.proposal.plays.len());
        for (index, record) in slot.proposal.plays.iter().enumerate() {
            if let Some(mined) = tally.carries(state, index, record) {
                state.mined.insert(mined);
                let weight = scale.weigh(state, record);
                // A slot has at most 2^20 plays.
                plays.push(PendingPlay { index: index as u32, weight, carriers: tally.carriers(index) });
                state.head.issuers.entry(record.issuer).or_default().carried += 1;
            }
        }
        (plays, struck_out)
    }

    /// Counts plays that their issuers held true and the majority held false; one strike a slot.
    fn hold_issuers(&mut self, tally: &Tally<'_>, slot: &SlotPayload) {
        let issuers = &mut self.done.next.head.issuers;
        let mut struck = 0u128;
        for (index, record) in slot.proposal.plays.iter().enumerate() {
            if tally.contradicts_issuer(index, record) {
                let held = issuers.entry(record.issuer).or_default();
                held.contradicted += 1;
                // The issuer's vote is there, so its number is known and below 128.
                if struck >> record.issuer & 1 == 0 {
                    held.strikes = held.strikes.saturating_add(1);
                    struck |= 1 << record.issuer;
                }
            }
        }
    }

    /// Awards the audited blocks on which there is a verdict.
    fn close_audits(&mut self) {
        let audits: Vec<_> = self.done.next.pending.values().filter(|block| block.audit().is_some()).cloned().collect();
        for block in audits {
            let verdict = block.audit().and_then(|audit| verdict::verdict(self.genesis, audit, self.at.time_ms));
            if let Some(void) = verdict {
                self.strike(&block, &void);
                self.hold_providers(&block, &void);
                self.award(&block, &void);
            }
        }
    }

    fn strike(&mut self, block: &PendingBlock, void: &[Void]) {
        let period = self.done.next.period(&self.genesis.params);
        for void in void.iter().filter(|void| void.voted_down) {
            let account = block.record(void.index).code.body.account;
            if let Some(standing) = self.state().standings.get_mut(&account) {
                standing.strike(period);
            }
        }
    }

    /// Counts the audited plays of a block for who served them, and takes a part of what is held back from those who are
    /// struck out by it. What was left without enough votes says nothing.
    fn hold_providers(&mut self, block: &PendingBlock, void: &[Void]) {
        let params = &self.genesis.params;
        let mut struck: BTreeSet<_> = block.drawn().flat_map(answering).collect();
        struck.retain(|account| self.done.next.is_provider_struck_out(params, account));
        let drawn = block.audit().map_or(&[][..], |audit| &audit.drawn);
        for play in block.plays().iter().filter(|play| drawn.binary_search(&play.index).is_ok()) {
            let failed = void.binary_search_by_key(&play.index, |void| void.index).map(|place| void[place].voted_down);
            if failed != Ok(false) {
                self.state().providers.count(block.record(play.index), play.weight, failed.is_ok());
            }
        }
        // Once a period: who was struck out before has lost its part.
        for account in block.drawn().flat_map(answering) {
            if self.done.next.is_provider_struck_out(params, &account) && struck.insert(account) {
                let state = self.state();
                state.head.forfeited_gwei += u128::from(state.held.forfeit(&params.held_pay, &account));
            }
        }
    }

    /// `failed`, and the plays of a block that a provider served which was struck out since they were weighed.
    fn void(&self, block: &PendingBlock, failed: &[Void]) -> Vec<Void> {
        let (params, providers) = (&self.genesis.params.audit, &self.done.next.providers);
        let mut void = failed.to_vec();
        if !providers.is_empty() {
            let served = |play: &&PendingPlay| providers.is_served_by_struck_out(params, block.record(play.index));
            let fresh = |play: &&PendingPlay| failed.binary_search_by_key(&play.index, |void| void.index).is_err();
            let more = block.plays().iter().filter(|play| play.weight > 0).filter(fresh).filter(served);
            void.extend(more.map(|play| Void { index: play.index, voted_down: false }));
            void.sort_unstable_by_key(|void| void.index);
        }
        void
    }

    /// Draws the blocks whose time has come, and awards those of which no play is drawn.
    fn draw_lots(&mut self) {
        let (height, share_permille) = (self.at.height, self.genesis.params.audit.share_permille);
        let due = |block: &&Arc<PendingBlock>| {
            block.head.audit == Audit::NotDrawn && height >= block.head.height.saturating_add(2)
        };
        let due: Vec<_> = self.done.next.pending.values().filter(due).cloned().collect();
        for block in due {
            let draw = Draw::new(&self.at.parent, block.view_block());
            // What weighs nothing has nothing to lose.
            let hit =
                block.plays().iter().filter(|play| play.weight > 0 && draw.hits(&block.id(play.index), share_permille));
            let drawn: Vec<u32> = hit.map(|play| play.index).collect();
            match drawn.is_empty() {
                true => self.award(&block, &[]),
                false => self.open(&block, drawn),
            }
        }
    }

    fn open(&mut self, block: &PendingBlock, drawn: Vec<u32>) {
        let view_block = block.view_block();
        let plays = drawn.iter().map(|index| block.id(*index)).collect();
        self.done.drawn.push(DrawnAudit { view_block, plays });
        let BlockPlace { height: opened_height, time_ms: opened_ms, .. } = *self.at;
        let audit = OpenAudit { opened_height, opened_ms, drawn, votes: Default::default() };
        let opened = Arc::new(block.with_audit(Audit::Open(audit)));
        self.state().pending.insert(view_block, opened);
    }

    fn award(&mut self, block: &PendingBlock, failed: &[Void]) {
        let view_block = block.view_block();
        let void = self.void(block, failed);
        let paid: Arc<Paid> = match &void[..] {
            [] => block.expected(self.genesis).clone(),
            void => {
                let voided: Vec<_> = void.iter().map(|void| void.index).collect();
                Arc::new(award::awards(self.genesis, block, &voided))
            }
        };
        let voided = void.iter().map(|&Void { index, voted_down }| {
            let code = &block.record(index).code.body;
            VoidedPlay { index: index as usize, play: code.id, account: code.account, voted_down }
        });
        let voided: Vec<_> = voided.collect();
        let params = &self.genesis.params;
        let state = self.state();
        let credits = &paid.credits;
        state.head.root = root::after_award(&state.head.root, view_block, credits, voided.iter().map(|void| void.play));
        state.head.issued_gwei += credits.iter().map(|credit| u128::from(credit.gwei)).sum::<u128>();
        state.pending.remove(&view_block);
        let withheld = state.held.earn(&params.held_pay, period_of(params, view_block), &paid.storage);
        state.vest(view_block, award::net(credits, &withheld));
        let mut answering: Vec<_> = block.drawn().flat_map(answering).collect();
        answering.sort_unstable();
        answering.dedup();
        self.done.awarded.push(AwardedBlock { view_block, paid, withheld, voided, answering });
    }

    fn pay_out(&mut self) {
        let vesting_view_blocks = self.genesis.params.vesting_view_blocks;
        let state = self.state();
        let credits = award::mature(&mut state.vesting, state.head.view_blocks, vesting_view_blocks);
        state.head.withdrawals += credits.len() as u64;
        self.done.credits = credits;
    }

    /// Last: what the registry said counts from the next block on.
    fn hear_moves(&mut self) {
        let (params, at) = (&self.genesis.params, self.at);
        let period = period_of(params, self.done.next.head.view_blocks);
        at.moves.iter().for_each(|moved| self.state().held.hear(&params.held_pay, period, *moved));
    }
}
