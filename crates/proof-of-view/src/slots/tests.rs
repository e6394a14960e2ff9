//! Ballots by themselves: what is worth a vote, whose turn it is, when a block may carry one, and when it is forgotten.

use super::*;
use crate::ledger::{
    Audit, LedgerHead, LedgerParts, PENDING_MAX, PendingBlock, PendingHead,
    tests::{account, genesis, key, play},
};
use chainflix_primitives::{AccountAddress, ProtocolParams, ViewPayload};
use std::sync::Arc;

/// A slot of validator 0; it is over.
const SLOT: u64 = 20;
const SLOT_MS: u64 = 14_400;
const END_MS: u64 = (SLOT + 1) * SLOT_MS;
const GRACE_MS: u64 = 1_000;

/// The ballots of one of four validators.
struct Room {
    genesis: NetworkGenesis,
    ledger: LedgerState,
    slots: Slots,
    now_ms: u64,
}

impl Room {
    fn new() -> Self {
        Self::with(ProtocolParams::default())
    }

    fn with(params: ProtocolParams) -> Self {
        let (genesis, ledger, slots) = (genesis(params, 4), LedgerState::default(), Slots::default());
        Self { genesis, ledger, slots, now_ms: END_MS }
    }

    /// A list of two plays that ended in its slot.
    fn list(slot: u64, attempt: u32) -> SlotProposal {
        SlotProposal { slot, attempt, plays: vec![play(1, 1, 9, 0, slot), play(2, 2, 9, 0, slot)], operation: vec![] }
    }

    fn open_as(&mut self, list: SlotProposal, validator: usize) -> bool {
        self.slots.open(&self.genesis, &self.ledger, Signed::new(list, &key(validator)), self.now_ms)
    }

    /// Its proposer hands a list in.
    fn open(&mut self, list: SlotProposal) -> bool {
        let proposer = proposer(&self.genesis, list.slot, list.attempt);
        self.open_as(list, proposer)
    }

    fn vote_on(&mut self, slot: u64, digest: Digest, validator: usize, held: &[bool]) -> bool {
        let vote = Signed::new(SlotVote::new(slot, digest, held), &key(validator));
        self.slots.vote(&self.genesis, &self.ledger, &vote, self.now_ms)
    }

    fn vote(&mut self, list: &SlotProposal, validator: usize, held: [bool; 2]) -> bool {
        self.vote_on(list.slot, Digest(list.digest()), validator, &held)
    }

    fn ready(&self) -> Option<((u64, u32), usize)> {
        self.slots.ready(&self.genesis, &self.ledger, self.now_ms)
    }

    /// Who must propose now, and what.
    fn turns(&self) -> Vec<(usize, (u64, u32))> {
        let turn = |me| Some((me, self.slots.turn(&self.genesis, &self.ledger, me, self.now_ms)?));
        (0..4).filter_map(turn).collect()
    }

    fn settle(&mut self, slot: u64) {
        let head = LedgerHead { last_slot: Some(slot), ..Default::default() };
        self.ledger = LedgerState::restore(LedgerParts { head, ..Default::default() });
    }
}

#[test]
fn what_no_block_can_carry_is_not_worth_a_vote() {
    let opens = |bend: fn(&mut SlotProposal)| {
        let mut room = Room::with(ProtocolParams { plays_per_slot_max: 2, ..Default::default() });
        let mut list = Room::list(SLOT, 0);
        bend(&mut list);
        room.open(list)
    };
    fn participants(list: &mut SlotProposal, count: u16) {
        let participant = |n: u16| AccountAddress(std::array::from_fn(|byte| n.to_be_bytes()[byte % 2]));
        list.operation = (0..count).map(participant).collect();
    }
    assert!(opens(|_| ()));
    assert!(!opens(|list| list.plays.clear()));
    assert!(!opens(|list| list.plays.push(play(3, 3, 9, 0, SLOT))), "more than a slot holds");
    assert!(!opens(|list| list.plays.swap(0, 1)));
    assert!(!opens(|list| list.plays[1] = list.plays[0].clone()));
    assert!(opens(|list| list.operation = vec![account(1), account(2)]));
    assert!(!opens(|list| list.operation = vec![account(2), account(1)]));
    assert!(!opens(|list| list.operation = vec![account(1); 2]));
    assert!(opens(|list| participants(list, 256)));
    assert!(!opens(|list| participants(list, 257)));
}

#[test]
fn only_slots_that_a_block_may_still_carry_have_ballots() {
    let opens = |slot| Room::new().open(Room::list(slot, 0));
    // The running slot is the newest: a proposer's clock may be a little ahead.
    assert!(opens(SLOT + 1) && !opens(SLOT + 2));
    assert!(opens(SLOT + 1 - CARRY_SLOTS_MAX) && !opens(SLOT - CARRY_SLOTS_MAX));
    let mut room = Room::new();
    room.settle(SLOT - 1);
    assert!(!room.open(Room::list(SLOT - 1, 0)) && room.open(Room::list(SLOT, 0)));
}

#[test]
fn a_validator_proposes_in_its_own_turn_and_once() {
    for attempt in 0..4 {
        let mut room = Room::new();
        let owner = attempt as usize;
        assert!(!room.open_as(Room::list(SLOT, attempt), (owner + 1) % 4), "attempt {attempt} is not its");
        assert!(room.open_as(Room::list(SLOT, attempt), owner));
        assert!(!room.open_as(SlotProposal { operation: vec![account(1)], ..Room::list(SLOT, attempt) }, owner));
    }
    assert!(!Room::new().open(Room::list(SLOT, 4)), "more turns than validators");
}

#[test]
fn a_ballot_is_ready_when_all_voted_or_the_rest_had_their_time() {
    let (mut room, list) = (Room::new(), Room::list(SLOT, 0));
    assert!(room.open(list.clone()));
    assert!(room.vote(&list, 0, [true, false]) && room.vote(&list, 1, [true, false]));
    room.now_ms += 10 * GRACE_MS;
    assert_eq!(room.ready(), None, "two of four");
    assert!(room.vote(&list, 2, [true, false]));
    assert!(!room.vote(&list, 2, [false, true]), "its first word counts");
    for (waited_ms, ready) in [(GRACE_MS - 1, None), (GRACE_MS, Some(((SLOT, 0), 3)))] {
        room.now_ms = END_MS + waited_ms;
        assert_eq!(room.ready(), ready, "after {waited_ms} ms");
    }
    room.now_ms = END_MS;
    assert!(room.vote(&list, 3, [false, false]));
    assert_eq!(room.ready(), Some(((SLOT, 0), 4)), "nobody is waited for");
    let payload = room.slots.payload((SLOT, 0)).unwrap();
    assert_eq!(payload.votes.iter().map(|vote| vote.validator).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!((payload.proposal, room.slots.payload((SLOT, 1))), (list, None));
}

#[test]
fn a_vote_of_another_length_is_none() {
    let (mut room, list) = (Room::new(), Room::list(SLOT, 0));
    assert!(room.open(list.clone()));
    for held in [vec![], vec![true; 9]] {
        assert!(!room.vote_on(SLOT, Digest(list.digest()), 1, &held));
    }
    assert!(room.vote(&list, 1, [true, true]));
}

#[test]
fn a_list_that_is_voted_down_is_not_ready() {
    let (mut room, list) = (Room::new(), Room::list(SLOT, 0));
    assert!(room.open(list.clone()));
    for (validator, held) in [[true, false], [true, false], [false, true], [false, true]].into_iter().enumerate() {
        assert!(room.vote(&list, validator, held));
    }
    room.now_ms += GRACE_MS;
    assert_eq!(room.ready(), None, "two of four for either play");
}

#[test]
fn a_vote_that_comes_before_its_list_counts_with_it() {
    let (mut room, list) = (Room::new(), Room::list(SLOT, 0));
    for validator in 0..4 {
        assert!(room.vote(&list, validator, [true, true]));
        assert!(!room.vote(&list, validator, [true, true]), "once");
    }
    assert_eq!(room.ready(), None);
    assert!(room.open(list));
    assert_eq!(room.ready(), Some(((SLOT, 0), 4)));
}

#[test]
fn a_validator_cannot_fill_the_room_for_early_votes() {
    let mut room = Room::new();
    let digest = |n: u8| Digest([n; 32]);
    // As many ballots as there can be at a time: the slots that may be carried, with a turn for each validator.
    for n in 0..32 {
        assert!(room.vote_on(SLOT, digest(n), 1, &[true]), "vote {n}");
    }
    assert!(!room.vote_on(SLOT, digest(32), 1, &[true]));
    assert!(room.vote_on(SLOT, digest(32), 2, &[true]), "another one has room of its own");
}

#[test]
fn votes_on_slots_that_are_settled_or_to_come_do_not_count() {
    let mut room = Room::new();
    room.settle(SLOT - 1);
    let digest = Digest([1; 32]);
    assert!(!room.vote_on(SLOT - 1, digest, 1, &[true]));
    assert!(room.vote_on(SLOT, digest, 1, &[true]) && room.vote_on(SLOT + 1, digest, 1, &[true]));
    assert!(!room.vote_on(SLOT + 2, digest, 1, &[true]));
    let stranger = Signed::new(SlotVote::new(SLOT, digest, &[true]), &key(9));
    assert!(!room.slots.vote(&room.genesis, &room.ledger, &stranger, room.now_ms));
}

/// A room with one ballot that all voted on: its first play is carried, its second is not.
fn carried() -> Room {
    let (mut room, list) = (Room::new(), Room::list(SLOT, 0));
    assert!(room.open(list.clone()));
    (0..4).for_each(|validator| assert!(room.vote(&list, validator, [true, false])));
    room
}

#[test]
fn a_block_carries_only_what_the_ledger_still_takes() {
    let mined = |cells: &[PlayRecord], closed_slot| {
        let head = LedgerHead { closed_slot, ..Default::default() };
        let mined = cells.iter().map(|record| MinedCell::of(record).name()).collect();
        let ledger = LedgerState::restore(LedgerParts { head, mined, ..Default::default() });
        Room { ledger, ..carried() }.ready().is_some()
    };
    let [first, second] = [play(1, 1, 9, 0, SLOT), play(2, 2, 9, 0, SLOT)];
    assert!(mined(&[], None) && mined(&[second], None));
    assert!(!mined(&[first], None), "what is left was not carried");
    assert!(mined(&[], Some(SLOT - 1)) && !mined(&[], Some(SLOT)), "plays of the period before");
}

#[test]
fn the_oldest_slot_goes_first_and_once() {
    let mut room = carried();
    let older = Room::list(SLOT - 1, 1);
    assert!(room.open(older.clone()));
    (0..4).for_each(|validator| assert!(room.vote(&older, validator, [true, true])));
    assert_eq!(room.ready(), Some(((SLOT - 1, 1), 4)));
    room.settle(SLOT - 1);
    assert_eq!(room.ready(), Some(((SLOT, 0), 4)));
    room.settle(SLOT);
    assert_eq!(room.ready(), None);
}

#[test]
fn turns_go_round_until_a_list_is_carried() {
    let (mut room, list) = (Room::new(), Room::list(SLOT, 0));
    // Until the grace time is over it is the turn of the slot before.
    room.now_ms = END_MS + GRACE_MS - 1;
    assert_eq!(room.turns(), [(2, (SLOT - 1, 3))]);
    for attempt in 0..4u32 {
        let from_ms = END_MS + GRACE_MS + u64::from(attempt) * 4_000;
        for now_ms in [from_ms, (from_ms + 3_999).min(END_MS + GRACE_MS + SLOT_MS - 1)] {
            room.now_ms = now_ms;
            assert_eq!(room.turns(), [(attempt as usize, (SLOT, attempt))], "at {now_ms} ms");
        }
    }
    room.now_ms = END_MS + GRACE_MS;
    assert!(room.open(list.clone()));
    assert_eq!(room.turns(), [], "it has proposed");
    room.now_ms += 4_000;
    (0..2).for_each(|validator| assert!(room.vote(&list, validator, [true, true])));
    assert_eq!(room.turns(), [(1, (SLOT, 1))], "two of four");
    assert!(room.vote(&list, 2, [true, true]));
    assert_eq!(room.turns(), [], "it is carried");
    room.now_ms += SLOT_MS;
    assert_eq!(room.turns().len(), 1, "which says nothing of the next slot");
}

#[test]
fn nobody_proposes_what_the_ledger_would_not_take() {
    let mut room = Room::new();
    room.now_ms = END_MS + GRACE_MS;
    room.settle(SLOT - 1);
    assert_eq!(room.turns(), [(0, (SLOT, 0))]);
    room.settle(SLOT);
    assert_eq!(room.turns(), [], "the slot is settled");

    let slot =
        SlotPayload { proposal: Room::list(SLOT, 0), proposer_signature: key(0).sign_digest(&[0; 32]), votes: vec![] };
    let payload = Arc::new(ViewPayload { slot: Some(slot), audits: vec![] });
    let waiting = |view_block| {
        let head = PendingHead { view_block, height: 1, reward_gwei: 1, struck_out: 0, audit: Audit::NotDrawn };
        PendingBlock::restore(head, payload.clone(), &[]).unwrap()
    };
    for (count, turns) in [(PENDING_MAX as u64 - 1, 1), (PENDING_MAX as u64, 0)] {
        let pending = (1..=count).map(waiting).collect();
        room.ledger = LedgerState::restore(LedgerParts { pending, ..Default::default() });
        assert_eq!(room.turns().len(), turns, "{count} view blocks wait for their audits");
    }
    room.now_ms = GRACE_MS - 1;
    assert_eq!(room.turns(), [], "no slot is over");
}

#[test]
fn a_validator_votes_when_the_slot_is_over_and_once() {
    let (mut room, list) = (Room::new(), Room::list(SLOT + 1, 0));
    assert!(room.open(list.clone()));
    let unvoted = |room: &Room, now_ms| room.slots.unvoted(&room.genesis, 1, now_ms);
    assert_eq!(unvoted(&room, END_MS + SLOT_MS - 1), []);
    assert_eq!(unvoted(&room, END_MS + SLOT_MS), [(SLOT + 1, 0)]);
    assert!(room.vote(&list, 2, [true, true]));
    assert_eq!(unvoted(&room, END_MS + SLOT_MS), [(SLOT + 1, 0)], "another one's vote");
    assert!(room.vote(&list, 1, [true, true]));
    assert_eq!(unvoted(&room, END_MS + SLOT_MS), []);
}

#[test]
fn ballots_and_early_votes_are_forgotten_when_no_block_can_carry_them() {
    let left = |newest: u64, settled: Option<u64>| {
        let mut room = carried();
        assert!(room.vote_on(SLOT, Digest([1; 32]), 1, &[true]));
        if let Some(slot) = settled {
            room.settle(slot);
        }
        room.slots.expire(&room.genesis, &room.ledger, newest * SLOT_MS);
        (room.slots.get((SLOT, 0)).is_some(), room.slots.early.len())
    };
    assert_eq!(left(SLOT + CARRY_SLOTS_MAX, None), (true, 1));
    assert_eq!(left(SLOT + CARRY_SLOTS_MAX + 1, None), (false, 0));
    assert_eq!(left(SLOT + 1, Some(SLOT - 1)), (true, 1));
    assert_eq!(left(SLOT + 1, Some(SLOT)), (false, 0));
}
