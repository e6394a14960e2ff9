//! Random histories against a model: lists, votes, audits, idle blocks and restarts in any order.
//!
//! The model knows nothing of trees, roots and shared structure. It keeps flat lists, and says after each block which plays
//! must be carried, which void, which providers answer, what is held back from them, and how many coins there must be. A second ledger is put
//! together again from its parts after each restart and must stay the same to the last bit.

use super::*;
use chainflix_token::issued_gwei;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const VALIDATORS: usize = 4;
const NEEDED: usize = 3;
const PERIOD: u64 = 4;
const PROVIDER_AUDITS: u32 = 2;
const HELD_PAY: HeldPayParams = HeldPayParams {
    quarter_permille: [750, 500, 250],
    quarter_periods: 1,
    leave_periods: 2,
    half_periods: 3,
    strike_permille: 250,
};

/// A play of the pool: who watches which cell. Its name is its number, and it ended in the slot it was first listed in.
const POOL: usize = 24;

#[derive(Clone, Debug)]
enum Operation {
    /// A list of plays of the pool, with votes: for each validator whether it votes at all, and a mask of what it holds true.
    Slot {
        ahead: i8,
        plays: Vec<usize>,
        votes: [(bool, u32); VALIDATORS],
    },
    /// Votes on the `nth` open audit.
    Audit {
        nth: usize,
        votes: [(bool, u32); VALIDATORS],
    },
    Idle(u8),
    /// Time passes in one block.
    Pause,
    /// The registry says of a provider that it came or left.
    Move {
        provider: u8,
        left: bool,
    },
    Restart,
}

fn votes() -> impl Strategy<Value = [(bool, u32); VALIDATORS]> {
    // Mostly present and in favour: otherwise hardly anything is ever carried.
    prop::array::uniform4((prop::bool::weighted(0.9), prop_oneof![3 => Just(u32::MAX), 1 => any::<u32>()]))
}

fn operation() -> impl Strategy<Value = Operation> {
    let plays = prop::collection::vec(0..POOL, 1..6);
    prop_oneof![
        5 => (-2i8..4, plays, votes()).prop_map(|(ahead, plays, votes)| Operation::Slot { ahead, plays, votes }),
        4 => (0usize..4, votes()).prop_map(|(nth, votes)| Operation::Audit { nth, votes }),
        2 => (1u8..4).prop_map(Operation::Idle),
        1 => Just(Operation::Pause),
        1 => Just(Operation::Restart),
        1 => (70u8..73, prop::bool::weighted(0.8)).prop_map(|(provider, left)| Operation::Move { provider, left }),
    ]
}

/// A view block in the model.
#[derive(Debug)]
struct Block {
    made_at: u64,
    plays: Vec<usize>,
    drawn: Option<Vec<usize>>,
    opened_ms: u64,
    votes: BTreeMap<usize, u32>,
}

/// What is held back from a provider in the model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Purse {
    gwei: u64,
    service: u32,
    last: Option<u64>,
    left: Option<u64>,
}

#[derive(Default)]
struct Model {
    /// When each play of the pool ended.
    ended: BTreeMap<usize, u64>,
    last_slot: Option<u64>,
    closed: Option<u64>,
    view_blocks: u64,
    mined: BTreeSet<(u8, u32)>,
    pending: BTreeMap<u64, Block>,
    /// Names of plays that were paid, or void: each at most once.
    done: BTreeSet<usize>,
    /// What plays weighed when they were carried.
    weights: BTreeMap<usize, u64>,
    /// Of each provider in this period: audited plays, what they weighed, and how much of that was voted down.
    providers: BTreeMap<u8, (u32, u64, u64)>,
    /// Plays paid, by account, cell and period.
    paid: BTreeSet<(u8, u32, u64)>,
    settled_slots: BTreeSet<u64>,
    held: BTreeMap<u8, Purse>,
    forfeited: u128,
    awarded: u128,
    credited: u128,
}

fn viewer(name: usize) -> u8 {
    (name % 5) as u8 + 1
}

fn cell(name: usize) -> u32 {
    (name / 5 % 3) as u32
}

/// Who served it.
fn provider(name: usize) -> u8 {
    (name % 3) as u8 + 70
}

impl Model {
    fn record(&self, name: usize) -> PlayRecord {
        let providers = vec![ProviderShare { provider: account(provider(name)), bytes: SIZE }];
        PlayRecord { providers, ..play(name as u32, viewer(name), 9, cell(name), self.ended[&name]) }
    }

    fn is_struck_out(&self, provider: u8) -> bool {
        let (audited, weight, void) = self.providers.get(&provider).copied().unwrap_or_default();
        audited >= PROVIDER_AUDITS && 2 * void > weight
    }

    /// The void plays of a block that is awarded now, after what its audit says of providers.
    fn void(&mut self, block: &Block, verdict: &[(usize, bool)]) -> Vec<usize> {
        for name in block.drawn.iter().flatten() {
            let failed = verdict.iter().find(|(void, _)| void == name);
            if failed.is_none_or(|(_, voted_down)| *voted_down) {
                let weight = self.weights[name];
                let (audited, all, void) = self.providers.entry(provider(*name)).or_default();
                *audited += 1;
                *all += weight;
                *void += if failed.is_some() { weight } else { 0 };
            }
        }
        let is_void = |name: &&usize| {
            let fell = self.weights[*name] > 0 && self.is_struck_out(provider(**name));
            fell || verdict.iter().any(|(void, _)| void == *name)
        };
        block.plays.iter().filter(is_void).copied().collect()
    }

    /// Who is struck out now and was not in `before` loses a quarter of what is held.
    fn forfeit(&mut self, before: &[bool; 3]) {
        for (number, was_struck_out) in (70..73).zip(before) {
            if !was_struck_out
                && self.is_struck_out(number)
                && let Some(purse) = self.held.get_mut(&number)
            {
                let lost = purse.gwei / 4;
                self.forfeited += u128::from(lost);
                purse.gwei -= lost;
            }
        }
    }

    /// Holds back of what view block `view_block` paid a provider for storage; answers what is held and what returned.
    fn earn(&mut self, view_block: u64, number: u8, gwei: u64) -> (u64, u64) {
        let (period, purse) = ((view_block - 1) / PERIOD, self.held.entry(number).or_default());
        let mut returned = 0;
        if purse.service == 0 || purse.last.is_none_or(|last| last < period) {
            purse.service += 1;
            purse.last = Some(period);
            returned = if purse.service == 3 { purse.gwei / 2 } else { 0 };
        }
        let held = gwei * [750, 500, 250, 0][purse.service.min(4) as usize - 1] / 1000;
        purse.gwei = purse.gwei + held - returned;
        (held, returned)
    }

    fn hear(&mut self, number: u8, left: bool) {
        let period = self.view_blocks.saturating_sub(1) / PERIOD;
        if let Some(purse) = self.held.get_mut(&number).filter(|purse| purse.service >= 2) {
            purse.left = left.then_some(period);
        }
    }

    /// The plays of a list that must be carried; `None` when the payload must be refused.
    fn carried(&self, slot: u64, names: &[usize], votes: &[(bool, u32); VALIDATORS]) -> Option<Vec<usize>> {
        if self.last_slot.is_some_and(|last| slot <= last) {
            return None;
        }
        let new_period = self.view_blocks.is_multiple_of(PERIOD) && self.view_blocks > 0;
        let mut mined = if new_period { BTreeSet::new() } else { self.mined.clone() };
        let closed = if new_period { self.last_slot } else { self.closed };
        let mut carried = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let held = votes.iter().filter(|(voted, mask)| *voted && mask >> place & 1 == 1).count();
            let ended = self.ended[name];
            let in_time = ended <= slot && slot - ended <= 8 && closed.is_none_or(|closed| ended > closed);
            if held >= NEEDED && in_time && mined.insert((viewer(*name), cell(*name))) {
                carried.push(*name);
            }
        }
        (!carried.is_empty()).then_some(carried)
    }

    fn settle(&mut self, slot: u64, carried: Vec<usize>, height: u64) {
        assert!(self.settled_slots.insert(slot), "one reward per slot");
        if self.view_blocks.is_multiple_of(PERIOD) && self.view_blocks > 0 {
            self.mined.clear();
            self.providers.clear();
            self.closed = self.last_slot;
            let period = self.view_blocks / PERIOD;
            self.held.retain(|_, purse| purse.left.is_none_or(|left| period < left + 2));
        }
        let period = self.view_blocks / PERIOD;
        for name in &carried {
            self.mined.insert((viewer(*name), cell(*name)));
            assert!(self.paid.insert((viewer(*name), cell(*name), period)), "one pay for a cell in a period");
            assert!(self.done.insert(*name), "play {name} is carried twice");
        }
        self.view_blocks += 1;
        self.last_slot = Some(slot);
        let block = Block { made_at: height, plays: carried, drawn: None, opened_ms: 0, votes: BTreeMap::new() };
        self.pending.insert(self.view_blocks, block);
    }

    /// The plays of a block that failed its audit, when there must be a verdict now, and whether each was voted down.
    fn verdict(block: &Block, time_ms: u64, answer_ms: u64) -> Option<Vec<(usize, bool)>> {
        let drawn = block.drawn.as_ref()?;
        let over = time_ms >= block.opened_ms + 2 * answer_ms && block.votes.len() >= NEEDED;
        let mut void = Vec::new();
        for (bit, name) in drawn.iter().enumerate() {
            let passed = block.votes.values().filter(|mask| *mask >> bit & 1 == 1).count();
            let possible = passed + VALIDATORS - block.votes.len();
            match passed >= NEEDED {
                true => {}
                false if possible < NEEDED || over => void.push((*name, possible < NEEDED)),
                false => return None,
            }
        }
        Some(void)
    }
}

/// The real ledger, its twin that is restarted, and the model.
struct Test {
    blocks: Blocks,
    twin: LedgerState,
    model: Model,
}

fn name_of(play: &PlayId) -> usize {
    usize::from(play.0[3])
}

impl Test {
    fn new() -> Self {
        let audit = AuditParams {
            share_permille: 400,
            strikes_max: 2,
            provider_audits_min: PROVIDER_AUDITS,
            ..Default::default()
        };
        let params = ProtocolParams {
            audit,
            held_pay: HELD_PAY,
            period_view_blocks: PERIOD,
            halving_view_block: 6,
            vesting_view_blocks: 2,
            ..Default::default()
        };
        Self { blocks: Blocks::with(params, VALIDATORS), twin: LedgerState::default(), model: Model::default() }
    }

    fn run(&mut self, operation: &Operation) {
        match operation {
            Operation::Slot { ahead, plays, votes } => self.slot(*ahead, plays, votes),
            Operation::Audit { nth, votes } => self.audit(*nth, votes),
            Operation::Idle(count) => (0..*count).for_each(|_| self.step(None)),
            Operation::Pause => {
                self.blocks.time_ms += 2 * self.blocks.genesis.params.audit.answer_ms;
                self.step(None);
            }
            Operation::Move { provider, left } => {
                let who = account(*provider);
                let moved = if *left { ProviderMove::Withdrawn(who) } else { ProviderMove::Registered(who) };
                self.blocks.moves = Arc::new([moved]);
                self.step(None);
                self.blocks.moves = Arc::default();
            }
            Operation::Restart => self.twin = LedgerState::restore(parts(&self.twin)),
        }
    }

    fn slot(&mut self, ahead: i8, plays: &[usize], votes: &[(bool, u32); VALIDATORS]) {
        let slot = (self.model.last_slot.unwrap_or(3) + 1).saturating_add_signed(ahead.into());
        let mut names = plays.to_vec();
        names.sort_unstable();
        names.dedup();
        for name in &names {
            self.model.ended.entry(*name).or_insert(slot);
        }
        let records: Vec<_> = names.iter().map(|name| self.model.record(*name)).collect();
        let held =
            |(voted, mask): &(bool, u32)| voted.then(|| (0..names.len()).map(|place| mask >> place & 1 == 1).collect());
        let held: Vec<_> = votes.iter().map(held).collect();
        let payload = listed(self.blocks.slot(slot, records, &held));
        let Some(carried) = self.model.carried(slot, &names, votes) else {
            assert!(self.blocks.try_step(Some(&payload)).is_err(), "slot {slot} of {names:?} must be refused");
            return;
        };
        let made = self.blocks.try_step(Some(&payload)).unwrap().made.unwrap();
        let accepted: Vec<_> = made.accepted.iter().map(|play| name_of(&play.play)).collect();
        assert_eq!(accepted, carried);
        let weights = made.accepted.iter().map(|play| (name_of(&play.play), play.weight));
        self.model.weights.extend(weights.clone());
        self.model.settle(slot, carried, self.blocks.height + 1);
        for (name, weight) in weights {
            assert!(weight == 0 || !self.model.is_struck_out(provider(name)), "who is struck out serves for nothing");
        }
        self.step(Some(&payload));
    }

    fn audit(&mut self, nth: usize, votes: &[(bool, u32); VALIDATORS]) {
        let open = self.blocks.state.open_audits().nth(nth).map(|block| (block.view_block(), block.drawn().len()));
        let Some((view_block, count)) = open else { return };
        let passed = |(voted, mask): &(bool, u32)| voted.then(|| (0..count).map(|bit| mask >> bit & 1 == 1).collect());
        let cast: Vec<_> = votes.iter().map(passed).collect();
        let payload = audits(vec![self.blocks.audit(view_block, &cast)]);
        if payload.audits[0].votes.is_empty() {
            assert_eq!(self.blocks.try_step(Some(&payload)).unwrap_err(), SettleError::Shape { what: "audits" });
            return;
        }
        let block = self.model.pending.get_mut(&view_block).unwrap();
        for (validator, (_, mask)) in votes.iter().enumerate().filter(|(_, (voted, _))| *voted) {
            block.votes.entry(validator).or_insert(*mask);
        }
        self.step(Some(&payload));
    }

    /// Makes a block with both ledgers and compares.
    fn step(&mut self, payload: Option<&Arc<ViewPayload>>) {
        let place = self.blocks.next_place();
        let twin = self.twin.advance(&self.blocks.genesis, &place, payload).unwrap();
        let settled = self.blocks.step(payload);
        assert_eq!(twin.next.head(), settled.next.head(), "the same inputs give the same root");
        assert_eq!((&twin.made, &twin.drawn, &twin.awarded), (&settled.made, &settled.drawn, &settled.awarded));
        assert_eq!(twin.credits, settled.credits);
        self.twin = twin.next;
        self.compare(&place, &settled);
    }

    fn compare(&mut self, place: &BlockPlace, settled: &Settlement) {
        let (params, model) = (&self.blocks.genesis.params, &mut self.model);
        for drawn in &settled.drawn {
            let block = model.pending.get_mut(&drawn.view_block).unwrap();
            assert_eq!(block.made_at + 2, place.height, "drawn by the block after the votes");
            block.drawn = Some(drawn.plays.iter().map(name_of).collect());
            block.opened_ms = place.time_ms;
        }
        for awarded in &settled.awarded {
            let block = model.pending.remove(&awarded.view_block).expect("each view block is awarded once");
            let voided: Vec<_> = awarded.voided.iter().map(|void| name_of(&void.play)).collect();
            let failed = match &block.drawn {
                None => vec![],
                Some(_) => Model::verdict(&block, place.time_ms, params.audit.answer_ms).expect("there is a verdict"),
            };
            let before = [70, 71, 72].map(|number| model.is_struck_out(number));
            assert_eq!(voided, model.void(&block, &failed));
            model.forfeit(&before);
            let earned = awarded.paid.storage.iter().map(|part| {
                let (held_gwei, returned_gwei) = model.earn(awarded.view_block, part.account.0[0], part.gwei);
                Withheld { account: part.account, held_gwei, returned_gwei }
            });
            let earned: Vec<_> = earned.filter(|with| with.held_gwei + with.returned_gwei > 0).collect();
            assert_eq!(awarded.withheld, earned);
            let reward = chainflix_token::reward_gwei(params, awarded.view_block);
            let paid = sum(&awarded.paid.credits);
            assert!(paid == reward || paid == 0, "{paid} of {reward}");
            assert!(paid == 0 || voided.len() < block.plays.len(), "void plays are paid nothing");
            model.awarded += u128::from(paid);
        }
        for block in model.pending.values() {
            assert!(block.drawn.is_some() || place.height < block.made_at + 2, "the draw is due");
            assert_eq!(Model::verdict(block, place.time_ms, params.audit.answer_ms), None, "a verdict is overdue");
        }
        model.credited += u128::from(sum(&settled.credits));
        for moved in place.moves.iter() {
            match *moved {
                ProviderMove::Registered(account) => model.hear(account.0[0], false),
                ProviderMove::Withdrawn(account) => model.hear(account.0[0], true),
            }
        }
        self.conserve();
    }

    fn conserve(&self) {
        let (state, model, params) = (&self.blocks.state, &self.model, &self.blocks.genesis.params);
        let head = state.head();
        assert_eq!((head.view_blocks, head.last_slot), (model.view_blocks, model.last_slot));
        assert_eq!(head.issued_gwei, model.awarded);
        assert!(head.issued_gwei <= issued_gwei(params, head.view_blocks), "never more than the schedule");
        let vesting: u128 = state.vesting().map(|(_, credits)| u128::from(sum(credits))).sum();
        let held: u128 = model.held.values().map(|purse| u128::from(purse.gwei)).sum();
        let paid = model.credited + vesting + held + model.forfeited;
        assert_eq!(paid, model.awarded, "no coin is lost between award and payment");
        assert_eq!(head.forfeited_gwei, model.forfeited);
        for number in 70..73 {
            let known = state.held(&account(number)).map(|held| (held.gwei, held.periods, held.left_in));
            let purse = model.held.get(&number).map(|purse| (purse.gwei, purse.service, purse.left));
            assert_eq!(known, purse);
            let record = state.provider(&account(number)).copied().unwrap_or_default();
            let known = model.providers.get(&number).copied().unwrap_or_default();
            assert_eq!((record.audited, record.weight, record.void_weight), known);
            assert_eq!(state.is_provider_struck_out(params, &account(number)), model.is_struck_out(number));
        }
        let pending: Vec<_> = state.pending().map(PendingBlock::view_block).collect();
        assert_eq!(pending, model.pending.keys().copied().collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..Default::default() })]

    #[test]
    fn any_history_keeps_the_coins_together(operations in prop::collection::vec(operation(), 1..40)) {
        let mut test = Test::new();
        operations.iter().for_each(|operation| test.run(operation));
    }
}
