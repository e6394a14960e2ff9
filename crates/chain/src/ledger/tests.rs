//! The ledger survives restarts and refuses what does not follow.

use super::*;
use chainflix_primitives::{
    AccountAddress, AccountKey, AuditParams, AuditPayload, AuditVote, BoxPublicKey, CellId, GrantId, HeldPayParams,
    Magnet, NetworkKeys, NodeId, PlayCode, PlayData, PlayFactors, PlayId, PlayRecord, ProtocolParams, ProviderShare,
    Signable as _, Signature, Signed, SlotPayload, SlotProposal, SlotVote, ValidatorIdentity, VoteEntry,
};
use chainflix_proof_of_view::{MinedCell, PendingBlock, Served, Standing};
use redb::ReadableTable as _;
use std::path::PathBuf;

const LATE_MS: u64 = 1_000_000_000;
const VIEWERS: u8 = 4;
const CELLS: u32 = 3;

fn key(n: u8) -> AccountKey {
    AccountKey::from_bytes(&[n; 32]).unwrap()
}

fn viewer(n: u8) -> AccountAddress {
    AccountAddress([20 + n; 20])
}

const PROVIDER: AccountAddress = AccountAddress([7; 20]);
/// Enough bytes for full weight.
const SIZE: u64 = 1 << 24;
const CREATOR: AccountAddress = AccountAddress([5; 20]);

/// One validator; half of all plays are audited.
fn genesis() -> Arc<NetworkGenesis> {
    let validator = |n| ValidatorIdentity { account: key(n).address(), consensus_key: NodeId([n; 32]) };
    Arc::new(NetworkGenesis {
        chain_id: 1,
        genesis_time_ms: 0,
        params: ProtocolParams {
            period_view_blocks: 3,
            vesting_view_blocks: 1,
            held_pay: HeldPayParams { quarter_periods: 1, leave_periods: 1, half_periods: 2, ..Default::default() },
            audit: AuditParams { share_permille: 500, provider_audits_min: 2, ..Default::default() },
            ..Default::default()
        },
        validators: vec![validator(1)],
        keys: NetworkKeys::Shared { box_key: BoxPublicKey([0; 32]) },
        governor: AccountAddress([0; 20]),
        supervisors: vec![],
        allocations: vec![],
    })
}

fn entry<T: chainflix_primitives::Signable>(said: T, bits: impl FnOnce(&T) -> Vec<u8>) -> VoteEntry {
    let held_true = bits(&said);
    VoteEntry { validator: 0, held_true, signature: Signed::new(said, &key(1)).signature }
}

fn play(name: u8, who: u8, cell_index: u32, slot: u64) -> PlayRecord {
    let id = PlayId([name; 16]);
    let unsigned = Signature([0; 65]);
    let code = PlayCode {
        id,
        account: viewer(who),
        magnet: Magnet([1; 32]),
        cell_index,
        cell: CellId([2; 32]),
        size: SIZE,
        grant: GrantId([3; 16]),
        download_key: [0; 16],
        constant: [4; 16],
        difficulty_bits: 0,
        issued_ms: 0,
        starts_ms: 0,
        play_ms: 60_000,
        creator: CREATOR,
        supervisor: AccountAddress([6; 20]),
        split: ProtocolParams::default().split,
        activators: vec![],
    };
    let data =
        PlayData { play: id, slot, download_key: [0; 16], hash: Digest([0; 32]), point_blocks: vec![], nonce: 0 };
    PlayRecord {
        code: Signed { body: code, signature: unsigned },
        data: Signed { body: data, signature: unsigned },
        providers: vec![ProviderShare { provider: PROVIDER, bytes: SIZE }],
        factors: PlayFactors::STRANGER,
        issuer: 0,
    }
}

/// A list signed and voted by the only validator.
fn slot_of(slot: u64, mut plays: Vec<PlayRecord>) -> SlotPayload {
    plays.sort_by_key(|record| record.code.body.id);
    plays.dedup_by_key(|record| record.code.body.id);
    let held = vec![true; plays.len()];
    let proposal = Signed::new(SlotProposal { slot, attempt: 0, plays, operation: vec![] }, &key(1));
    let vote = SlotVote::new(slot, Digest(proposal.body.digest()), &held);
    let votes = vec![entry(vote, |vote| vote.held_true.clone())];
    SlotPayload { proposal: proposal.body, proposer_signature: proposal.signature, votes }
}

fn payload(slot: u64, cell_index: u32) -> Arc<ViewPayload> {
    let slot = slot_of(slot, vec![play(slot as u8, 0, cell_index, slot)]);
    Arc::new(ViewPayload { slot: Some(slot), audits: vec![] })
}

fn hash(height: u64) -> BlockHash {
    BlockHash(std::array::from_fn(|byte| height.to_le_bytes()[byte % 8]))
}

/// Before every fifth block the only provider withdraws from the registry.
fn place(height: u64) -> BlockPlace {
    let moves = if height.is_multiple_of(5) { vec![ProviderMove::Withdrawn(PROVIDER)] } else { vec![] };
    BlockPlace { height, parent: hash(height - 1), time_ms: LATE_MS + height * 2_000, moves: moves.into() }
}

fn commit(
    ledger: &ViewLedger,
    height: u64,
    payload: Option<&Arc<ViewPayload>>,
) -> Result<Option<Arc<Settlement>>, LedgerError> {
    ledger.commit(&place(height), hash(height), payload)
}

/// Numbers as random as a test needs them.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What a random block carries: perhaps some plays, perhaps votes on some audits.
fn random_payload(dice: &mut Dice, state: &LedgerState, name: u8) -> Option<Arc<ViewPayload>> {
    let slot = state.head().last_slot.map_or(1, |last| last + 1 + dice.below(3));
    let mut any_play = |n: u8| play(n, dice.below(VIEWERS.into()) as u8, dice.below(CELLS.into()) as u32, slot);
    let plays: Vec<_> = (0..3).map(|n| any_play(name.wrapping_mul(3).wrapping_add(n))).collect();
    let fresh = plays.iter().any(|record| !state.is_mined(&MinedCell::of(record)));
    // A period may begin with this block: what was mined in the last one is mined no more.
    let slot =
        (dice.below(2) == 0 && (fresh || state.head().view_blocks.is_multiple_of(3))).then(|| slot_of(slot, plays));
    let mut audits = Vec::new();
    for block in state.open_audits() {
        let passed: Vec<_> = block.drawn().map(|_| dice.below(3) > 0).collect();
        if dice.below(3) == 0 {
            let vote = AuditVote::new(block.view_block(), block.drawn_digest(), &passed);
            let votes = vec![entry(vote, |vote| vote.passed.clone())];
            audits.push(AuditPayload { view_block: block.view_block(), votes });
        }
    }
    (slot.is_some() || !audits.is_empty()).then(|| Arc::new(ViewPayload { slot, audits }))
}

/// Everything a state can be asked, and everything the tables can.
#[derive(Debug, PartialEq)]
struct Seen {
    height: u64,
    head: chainflix_proof_of_view::LedgerHead,
    pending: Vec<(chainflix_proof_of_view::PendingHead, Vec<chainflix_proof_of_view::PendingPlay>)>,
    vesting: Vec<(u64, Vec<Credit>)>,
    mined: Vec<bool>,
    standings: Vec<Option<Standing>>,
    creator_times: Vec<u64>,
    provider: Option<chainflix_proof_of_view::ProviderRecord>,
    held: Option<chainflix_proof_of_view::HeldPay>,
    owed: Vec<Owed>,
    view_blocks: Vec<ViewBlock>,
    plays: Vec<(PlayPlace, PlayState)>,
    served: Vec<(u32, Served)>,
}

fn seen(ledger: &ViewLedger) -> Seen {
    let state = ledger.state();
    let viewers = (0..VIEWERS).map(viewer);
    let cells = viewers.clone().flat_map(|account| {
        (0..CELLS).map(move |cell_index| MinedCell { account, magnet: Magnet([1; 32]), cell_index })
    });
    let pending = |block: &PendingBlock| (block.head().clone(), block.plays().to_vec());
    let summaries = ledger.summaries(u64::MAX, 1_000).unwrap().into_iter();
    let places = viewers.clone().flat_map(|account| ledger.plays_of(&account, 1_000).unwrap());
    Seen {
        height: ledger.height(),
        head: state.head().clone(),
        pending: state.pending().map(pending).collect(),
        vesting: state.vesting().map(|(made, credits)| (made, credits.to_vec())).collect(),
        mined: cells.map(|cell| state.is_mined(&cell)).collect(),
        standings: viewers.clone().map(|account| state.standing(&account).copied()).collect(),
        creator_times: viewers.clone().map(|account| state.creator_time_ms(&account, &CREATOR)).collect(),
        provider: state.provider(&PROVIDER).copied(),
        held: state.held(&PROVIDER).copied(),
        owed: viewers.clone().map(|account| ledger.owed(&account)).collect(),
        view_blocks: summaries.map(|summary| ledger.view_block(summary.number).unwrap().unwrap()).collect(),
        plays: places.map(|place| (place, ledger.play_state(&place).unwrap())).collect(),
        served: ledger.served(&PROVIDER, u32::MAX, 1_000).unwrap(),
    }
}

#[test]
fn any_history_survives_restarts_and_kills() {
    for seed in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| -> PathBuf { folder.path().join(name) };
        let steady = ViewLedger::in_memory(genesis()).unwrap();
        let mut restarted = ViewLedger::open(&file("views.redb"), genesis()).unwrap();
        let mut dice = Dice(seed);
        for height in 1..=40u64 {
            let payload = random_payload(&mut dice, &steady.state(), height as u8);
            commit(&steady, height, payload.as_ref()).unwrap().unwrap();
            commit(&restarted, height, payload.as_ref()).unwrap().unwrap();
            if dice.below(4) == 0 {
                drop(restarted);
                restarted = ViewLedger::open(&file("views.redb"), genesis()).unwrap();
            }
            if dice.below(8) == 0 {
                // The file as a killed process leaves it: nobody has closed it.
                std::fs::copy(file("views.redb"), file("killed.redb")).unwrap();
                assert_eq!(seen(&ViewLedger::open(&file("killed.redb"), genesis()).unwrap()), seen(&steady));
                std::fs::remove_file(file("killed.redb")).unwrap();
            }
        }
        let (steady, restarted) = (seen(&steady), seen(&restarted));
        assert_eq!(steady, restarted);
        let states: Vec<_> = steady.plays.iter().map(|(_, state)| *state).collect();
        assert!(states.contains(&PlayState::Awarded) && states.contains(&PlayState::Voided), "{states:?}");
        assert!(steady.head.closed_slot.is_some(), "a period has ended");
        check_pay(&steady);
        check_summaries(&steady);
        check_served(&steady);
    }
}

/// A list says in short what the view blocks say at length.
fn check_summaries(seen: &Seen) {
    for block in &seen.view_blocks {
        let standing = block.carried.iter().filter(|(index, _)| !block.is_void(*index));
        let mut viewers: Vec<_> = standing.map(|(index, _)| block.record(*index).unwrap().code.body.account).collect();
        viewers.sort_unstable();
        viewers.dedup();
        let summary = &block.summary;
        assert_eq!((summary.plays as usize, &summary.viewers), (block.carried.len(), &viewers));
        assert_eq!(Some(summary.slot), block.payload.slot.as_ref().map(|slot| slot.proposal.slot));
        assert_eq!(summary.time_ms, place(summary.height).time_ms);
        let awards = block.awards(&genesis());
        assert_eq!(summary.award.as_ref().map(|award| award.gwei), awards.as_ref().map(|_| awarded_gwei(block)));
        assert!(summary.award.as_ref().is_none_or(|award| award.height >= summary.height + 2));
    }
}

fn awarded_gwei(block: &ViewBlock) -> u64 {
    block.awards(&genesis()).iter().flatten().map(|credit| credit.gwei).sum()
}

/// What the plays of a block paid by role is what the block awarded, play by play.
fn check_pay(seen: &Seen) {
    for block in &seen.view_blocks {
        let sum = |paid: RolePay| {
            paid.creator
                + paid.viewer
                + paid.activators
                + paid.storage
                + paid.validators
                + paid.supervisor
                + paid.operation
        };
        let paid = block.carried.iter().map(|(index, _)| block.paid(&genesis(), *index).map_or(0, sum));
        assert_eq!(paid.sum::<u64>(), awarded_gwei(block));
        let is_nothing = |(index, weight): &(u32, u64)| *weight == 0 || block.is_void(*index);
        let due = if block.carried.iter().all(is_nothing) { 0 } else { block.summary.reward_gwei };
        assert_eq!(awarded_gwei(block), if block.summary.award.is_some() { due } else { 0 });
    }
}

/// What the only storage peer is told is what the awarded view blocks say: it has no other role.
fn check_served(seen: &Seen) {
    let awarded = || seen.view_blocks.iter().filter(|block| block.summary.award.is_some());
    let credits = awarded().flat_map(|block| block.awards(&genesis()).unwrap());
    let gwei = credits.filter(|credit| credit.account == PROVIDER).map(|credit| credit.gwei).sum::<u64>();
    let plays: u64 = awarded().map(|block| u64::from(block.summary.plays)).sum();
    let unpaid = awarded()
        .flat_map(|block| block.carried.iter().filter(|(index, weight)| *weight == 0 || block.is_void(*index)));
    let [(_, served)] = &seen.served[..] else { panic!("all of it is of one day: {:?}", seen.served) };
    assert_eq!((served.all.plays, served.all.bytes, served.gwei), (plays, plays * SIZE, gwei));
    assert_eq!(served.unpaid.iter().map(|unpaid| unpaid.plays).sum::<u64>(), unpaid.count() as u64);
}

#[test]
fn what_storage_peers_earned_is_told_by_day_for_a_quarter_of_a_year() {
    const DAY_MS: u64 = 86_400_000;
    let unaudited = AuditParams { share_permille: 0, ..Default::default() };
    let params = ProtocolParams { audit: unaudited, ..genesis().params.clone() };
    let ledger = ViewLedger::in_memory(Arc::new(NetworkGenesis { params, ..(*genesis()).clone() })).unwrap();
    let days = u64::from(SERVED_DAYS_KEPT) + 8;
    for height in 1..=2 * days + 1 {
        // Two blocks a day; what they carry is awarded on the next, where the newest two wait yet.
        let place = BlockPlace { time_ms: 100 * DAY_MS + height * DAY_MS / 2, ..place(height) };
        ledger.commit(&place, hash(height), Some(&payload(height, height as u32))).unwrap();
    }
    let kept = ledger.served(&PROVIDER, u32::MAX, 1_000).unwrap();
    let newest = 100 + days as u32 - 1;
    assert_eq!(kept.len(), SERVED_DAYS_KEPT as usize);
    assert!(kept.iter().map(|(day, _)| *day).eq((newest + 1 - SERVED_DAYS_KEPT..=newest).rev()), "{kept:?}");
    assert!(kept.iter().all(|(_, served)| served.all.plays == 2 && served.gwei > 0));
    let read = ledger.store.begin_read().unwrap();
    let oldest = read.open_table(store::SERVED).unwrap().first().unwrap().map(|(key, _)| key.value().0);
    assert_eq!(oldest, Some(newest + 1 - SERVED_DAYS_KEPT), "older ones are not in the file either");
    let page = ledger.served(&PROVIDER, newest - 10, 3).unwrap();
    assert_eq!(page, kept[10..13]);
    assert_eq!(ledger.served(&CREATOR, u32::MAX, 1_000).unwrap(), [], "who served nothing");
    assert_eq!(ViewLedger::in_memory(genesis()).unwrap().served(&PROVIDER, u32::MAX, 9).unwrap(), []);
}

#[test]
fn blocks_come_in_order_and_once() {
    let ledger = ViewLedger::in_memory(genesis()).unwrap();
    let first = payload(1, 1);
    commit(&ledger, 1, Some(&first)).unwrap().unwrap();
    assert!(commit(&ledger, 1, Some(&first)).unwrap().is_none(), "redelivered");
    assert!(matches!(commit(&ledger, 3, None), Err(LedgerError::Gap { height: 1, given: 3 })));
    assert!(matches!(commit(&ledger, 2, Some(&first)), Err(LedgerError::Settle { height: 2, .. })));
    let elsewhere = BlockPlace { parent: hash(9), ..place(2) };
    assert!(matches!(ledger.commit(&elsewhere, hash(2), None), Err(LedgerError::OtherParent { height: 2, .. })));
    assert_eq!(ledger.height(), 1);
    assert_eq!(ledger.state().head().view_blocks, 1);
}

#[test]
fn a_preview_changes_nothing_that_is_final() {
    let ledger = ViewLedger::in_memory(genesis()).unwrap();
    let candidate = Candidate { place: place(1), payload: Some(payload(1, 1)) };
    let preview = ledger.preview(&[candidate]).unwrap();
    assert_eq!(preview.last_slot(), Some(1));
    assert_ne!(preview.root(), ledger.state().head().root);
    let again = preview.settle(&place(2), Some(&payload(1, 2)));
    assert!(matches!(again, Err(SettleError::SlotNotNew { .. })));
    assert_eq!(ledger.state().head().last_slot, None);
}

#[test]
fn draws_and_awards_come_in_blocks_without_a_payload() {
    let ledger = ViewLedger::in_memory(genesis()).unwrap();
    let mut candidates = vec![Candidate { place: place(1), payload: Some(payload(1, 1)) }];
    for height in 2..=3 {
        let preview = ledger.preview(&candidates).unwrap();
        let nothing = preview.settle(&place(height), None).unwrap();
        assert_eq!(nothing.is_empty(), height == 2, "the third block draws");
        candidates.push(Candidate { place: place(height), payload: None });
    }
    let drawn = ledger.preview(&candidates).unwrap();
    for Candidate { place, payload } in &candidates {
        ledger.commit(place, hash(place.height), payload.as_ref()).unwrap();
    }
    assert_eq!(drawn.root(), ledger.state().head().root);
}

#[test]
fn a_block_is_counted_once() {
    let ledger = ViewLedger::in_memory(genesis()).unwrap();
    let (payload, twin) = (payload(1, 1), Arc::new((*payload(1, 1)).clone()));
    let preview = ledger.preview(&[]).unwrap();
    let judged = preview.settle(&place(1), Some(&payload)).unwrap();
    assert!(Arc::ptr_eq(&judged, &preview.settle(&place(1), Some(&twin)).unwrap()), "equal bytes are the same block");
    assert!(!Arc::ptr_eq(&judged, &preview.settle(&place(1), None).unwrap()));
    let later = BlockPlace { time_ms: 2 * LATE_MS, ..place(1) };
    assert!(!Arc::ptr_eq(&judged, &preview.settle(&later, Some(&payload)).unwrap()));
    let committed = commit(&ledger, 1, Some(&payload)).unwrap().unwrap();
    assert!(Arc::ptr_eq(&judged, &committed));
    // What is forgotten is counted again.
    (0..20).for_each(|n| drop(preview.settle(&BlockPlace { time_ms: LATE_MS + n, ..place(1) }, None)));
    let again = preview.settle(&place(1), Some(&payload)).unwrap();
    assert!(!Arc::ptr_eq(&judged, &again));
    assert_eq!(judged.next.head(), again.next.head());
}

/// The name of the play at a place.
fn id(ledger: &ViewLedger, place: &PlayPlace) -> PlayId {
    let block = ledger.view_block(place.view_block).unwrap().unwrap();
    block.record(place.index).unwrap().code.body.id
}

#[test]
fn a_page_of_plays_begins_where_the_last_one_ended() {
    let ledger = ViewLedger::in_memory(genesis()).unwrap();
    let mut height = 0;
    for slot in 1..=5 {
        height += 1;
        commit(&ledger, height, Some(&payload(slot, slot as u32))).unwrap();
    }
    let page = |before| ledger.plays_before(&viewer(0), before, 2).unwrap();
    let numbers = |page: &[PlayPlace]| page.iter().map(|place| place.view_block).collect::<Vec<_>>();
    let first = page((u64::MAX, u32::MAX));
    assert_eq!(numbers(&first), [5, 4]);
    let second = page((first[1].view_block, first[1].index));
    assert_eq!(numbers(&second), [3, 2]);
    assert_eq!(numbers(&page((second[1].view_block, second[1].index))), [1]);
    assert_eq!(ledger.play(&id(&ledger, &second[0])).unwrap(), Some(second[0]));
}

#[test]
fn old_plays_are_forgotten_and_their_summaries_kept() {
    let unaudited = AuditParams { share_permille: 0, ..Default::default() };
    let params = ProtocolParams { audit: unaudited, ..genesis().params.clone() };
    let ledger = ViewLedger::in_memory(Arc::new(NetworkGenesis { params, ..(*genesis()).clone() })).unwrap();
    let (kept, more) = (prune::kept(&genesis().params), 10);
    let mut roots = Vec::new();
    for height in 1..=kept + more {
        // Of the three cells none is mined twice in a period of three view blocks.
        let payload = payload(height, height as u32);
        let settled = commit(&ledger, height, Some(&payload)).unwrap().unwrap();
        roots.push((settled.made.as_ref().unwrap().view_block, settled.next.head().root));
    }
    let newest = ledger.state().head().view_blocks;
    assert_eq!(newest, kept + more);
    for number in 1..=more {
        assert!(matches!(ledger.view_block(number), Err(LedgerError::Pruned { view_block }) if view_block == number));
    }
    let first = ledger.view_block(more + 1).unwrap().unwrap();
    assert_eq!(first.plays().count(), 1);
    assert!(ledger.view_block(newest + 1).unwrap().is_none(), "what never was is not pruned");
    let places = ledger.plays_of(&viewer(0), ROWS_MAX).unwrap();
    assert_eq!(places.len() as u64, kept);
    assert!(places.iter().all(|place| ledger.play(&id(&ledger, place)).unwrap() == Some(*place)));
    let summaries = ledger.summaries(u64::MAX, ROWS_MAX).unwrap();
    assert_eq!(summaries.len() as u64, newest, "for ever");
    let kept_roots: Vec<_> = summaries.iter().rev().map(|summary| (summary.number, summary.root)).collect();
    assert_eq!(kept_roots, roots);
    let with_viewers = summaries.iter().take_while(|summary| !summary.viewers.is_empty()).count();
    assert_eq!(with_viewers, 64);
    assert!(summaries.iter().filter(|summary| summary.number + 3 < newest).all(|summary| summary.award.is_some()));
}

#[test]
fn a_database_of_another_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("views.redb");
    drop(ViewLedger::open(&path, genesis()).unwrap());
    let other = Arc::new(NetworkGenesis { chain_id: 2, ..(*genesis()).clone() });
    assert!(matches!(ViewLedger::open(&path, other), Err(LedgerError::OtherNetwork { .. })));
}
