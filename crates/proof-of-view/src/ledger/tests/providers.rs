//! What a provider answers for when plays it served are void.

use super::*;

const PROVIDER: u8 = 70;
const OTHER: u8 = 71;

/// A chain on which every play is audited, and a provider answers from four of them on.
fn blocks() -> Blocks {
    let audit = AuditParams { share_permille: 1000, strikes_max: 9, provider_audits_min: 4, ..Default::default() };
    Blocks::new(ProtocolParams { audit, ..Default::default() })
}

/// A play that `served` served, by bytes.
fn from(served: &[(u8, u64)], record: PlayRecord) -> PlayRecord {
    let share = |&(provider, bytes): &(u8, u64)| ProviderShare { provider: account(provider), bytes };
    PlayRecord { providers: served.iter().map(share).collect(), ..record }
}

/// Plays of `count` viewers, all served by one provider.
fn crowd(first: u8, count: u8, provider: u8, slot: u64) -> Vec<PlayRecord> {
    let play = |n: u8| from(&[(provider, SIZE)], play(slot as u32 * 256 + u32::from(n), n, 9, slot as u32, slot));
    (first..first + count).map(play).collect()
}

/// Carries plays, waits for their draw, and votes whether each passes; answers the award.
fn audited_slot(blocks: &mut Blocks, slot: u64, plays: Vec<PlayRecord>, passed: &[bool]) -> AwardedBlock {
    let payload = blocks.agreed(slot, plays);
    let view_block = blocks.step(Some(&payload)).made.unwrap().view_block;
    blocks.idle();
    blocks.idle();
    let payload = audits(vec![blocks.audit(view_block, &vec![Some(passed.to_vec()); 4])]);
    blocks.step(Some(&payload)).awarded.remove(0)
}

fn is_struck_out(blocks: &Blocks, provider: u8) -> bool {
    let (state, params) = (&blocks.state, &blocks.genesis.params);
    let listed = state.providers_struck_out(params).any(|struck| struck == account(provider));
    assert_eq!(state.is_provider_struck_out(params, &account(provider)), listed);
    listed
}

#[test]
fn a_provider_whose_plays_are_void_is_struck_out_until_the_period_ends() {
    let mut blocks = blocks();
    blocks.genesis.params.period_view_blocks = 3;
    let awarded = audited_slot(&mut blocks, 5, crowd(1, 4, PROVIDER, 5), &[false, false, false, true]);
    assert_eq!(awarded.answering, [account(PROVIDER)]);
    assert!(is_struck_out(&blocks, PROVIDER));
    assert_eq!(
        (sum(&awarded.paid.credits), awarded.voided.len()),
        (0, 4),
        "what is not awarded yet is void with the rest"
    );
    assert_eq!(awarded.voided.iter().filter(|void| void.voted_down).count(), 3, "which is no strike for its viewer");

    let plays = [crowd(10, 1, PROVIDER, 6), crowd(11, 1, OTHER, 6)].concat();
    let payload = blocks.agreed(6, plays);
    let made = blocks.step(Some(&payload)).made.unwrap();
    assert_eq!(made.accepted.iter().map(|play| play.weight).collect::<Vec<_>>(), [0, 60_000]);

    let payload = blocks.agreed(7, crowd(12, 1, OTHER, 7));
    blocks.step(Some(&payload));
    let payload = blocks.agreed(8, crowd(13, 1, PROVIDER, 8));
    let made = blocks.step(Some(&payload)).made.unwrap();
    assert_eq!((made.accepted[0].weight, blocks.state.provider(&account(PROVIDER))), (60_000, None), "a new period");
}

#[test]
fn half_of_it_void_is_forgiven() {
    let mut blocks = blocks();
    let awarded = audited_slot(&mut blocks, 5, crowd(1, 4, PROVIDER, 5), &[false, false, true, true]);
    assert!(!is_struck_out(&blocks, PROVIDER));
    assert_eq!((sum(&awarded.paid.credits), awarded.voided.len()), (REWARD, 2));
    let record = *blocks.state.provider(&account(PROVIDER)).unwrap();
    assert_eq!(record, ProviderRecord { audited: 4, weight: 240_000, void_weight: 120_000 });
}

#[test]
fn spite_must_outweigh_the_honest() {
    let mut blocks = blocks();
    // Eight accounts made today against one grown one.
    let mut plays = crowd(1, 9, PROVIDER, 5);
    plays[..8].iter_mut().for_each(|record| record.factors = PlayFactors::STRANGER);
    let passed: Vec<_> = (0..9).map(|place| place == 8).collect();
    audited_slot(&mut blocks, 5, plays, &passed);
    let record = *blocks.state.provider(&account(PROVIDER)).unwrap();
    assert_eq!((record.audited, record.void_weight, record.weight), (9, 48_000, 108_000));
    assert!(!is_struck_out(&blocks, PROVIDER));
}

#[test]
fn whoever_served_most_answers_and_equal_parts_answer_both() {
    let mut blocks = blocks();
    let shares: [&[(u8, u64)]; 4] = [
        &[(PROVIDER, 600), (OTHER, 400)],
        &[(PROVIDER, 500), (OTHER, 500)],
        &[(PROVIDER, 400), (OTHER, 300), (72, 300)],
        &[],
    ];
    let plays = (0u8..).zip(shares).map(|(n, served)| from(served, play(n.into(), n + 1, 9, 0, 5))).collect();
    let awarded = audited_slot(&mut blocks, 5, plays, &[true; 4]);
    assert_eq!(awarded.answering, [account(PROVIDER), account(OTHER)]);
    let audited = |provider| blocks.state.provider(&account(provider)).map(|record| record.audited);
    assert_eq!([PROVIDER, OTHER, 72].map(audited), [Some(3), Some(1), None]);
}

#[test]
fn what_too_few_voted_on_says_nothing_about_a_provider() {
    let mut blocks = blocks();
    let payload = blocks.agreed(5, crowd(1, 4, PROVIDER, 5));
    blocks.step(Some(&payload));
    blocks.idle();
    blocks.idle();
    let votes = [Some(vec![true; 4]), Some(vec![true; 4]), Some(vec![false; 4]), None];
    let payload = audits(vec![blocks.audit(1, &votes)]);
    blocks.step(Some(&payload));
    blocks.time_ms += 2 * blocks.genesis.params.audit.answer_ms;
    let awarded = blocks.idle().awarded.remove(0);
    assert_eq!((awarded.voided.len(), blocks.state.provider(&account(PROVIDER))), (4, None));
}

#[test]
fn a_view_block_that_waits_is_void_when_its_provider_falls() {
    let mut blocks = blocks();
    let first = blocks.agreed(5, crowd(1, 4, PROVIDER, 5));
    blocks.step(Some(&first));
    // Weighed before anything is known of the provider.
    let second = blocks.agreed(6, [crowd(5, 1, PROVIDER, 6), crowd(6, 1, OTHER, 6)].concat());
    assert_eq!(blocks.step(Some(&second)).made.unwrap().accepted[0].weight, 60_000);
    blocks.idle();
    blocks.idle();
    let judged = audits(vec![blocks.audit(1, &vec![Some(vec![false; 4]); 4])]);
    blocks.step(Some(&judged));
    let judged = audits(vec![blocks.audit(2, &vec![Some(vec![true; 2]); 4])]);
    let awarded = blocks.step(Some(&judged)).awarded.remove(0);
    let voided: Vec<_> = awarded.voided.iter().map(|void| (void.index, void.account, void.voted_down)).collect();
    assert_eq!((voided, sum(&awarded.paid.credits)), (vec![(0, account(5), false)], REWARD));
}

#[test]
fn a_play_that_weighs_nothing_has_nothing_to_be_void() {
    let mut blocks = blocks();
    blocks.genesis.params.audit.strikes_max = 1;
    audited_slot(&mut blocks, 4, crowd(20, 1, OTHER, 4), &[false]);
    let first = blocks.agreed(5, crowd(1, 4, PROVIDER, 5));
    blocks.step(Some(&first));
    // Of an account that is struck out, and of one that is not.
    let second = blocks.agreed(6, [crowd(5, 1, PROVIDER, 6), crowd(20, 1, PROVIDER, 6)].concat());
    let made = blocks.step(Some(&second)).made.unwrap();
    assert_eq!(made.accepted.iter().map(|play| play.weight).collect::<Vec<_>>(), [60_000, 0]);
    blocks.idle();
    blocks.idle();
    let judged = audits(vec![blocks.audit(2, &vec![Some(vec![false; 4]); 4])]);
    blocks.step(Some(&judged));
    let judged = audits(vec![blocks.audit(3, &vec![Some(vec![true]); 4])]);
    let awarded = blocks.step(Some(&judged)).awarded.remove(0);
    assert_eq!(awarded.voided.iter().map(|void| void.account).collect::<Vec<_>>(), [account(5)]);
}

#[test]
fn a_restart_forgives_no_provider() {
    let mut blocks = blocks();
    audited_slot(&mut blocks, 5, crowd(1, 4, PROVIDER, 5), &[false; 4]);
    let record = *blocks.state.provider(&account(PROVIDER)).unwrap();
    blocks.state = LedgerState::restore(parts(&blocks.state));
    assert_eq!(blocks.state.provider(&account(PROVIDER)), Some(&record));
    assert!(is_struck_out(&blocks, PROVIDER));
}

/// Makes a block that awards one view block, and answers what it tells a storage peer: all plays, those unpaid by reason,
/// and coins.
fn told(blocks: &mut Blocks, payload: Option<&Arc<ViewPayload>>, provider: u8) -> (u64, [u64; 5], u64) {
    let before = blocks.state.clone();
    let done = blocks.step(payload);
    let [awarded] = &done.awarded[..] else { panic!("{:?}", done.awarded) };
    let block = before.pending_block(awarded.view_block).unwrap();
    let served = done.next.served(&blocks.genesis, block, awarded);
    assert!(served.is_sorted_by(|a, b| a.0 < b.0), "each account once, in order");
    for (account, served) in &served {
        let credit = awarded.paid.credits.iter().find(|credit| credit.account == *account);
        assert_eq!(credit.map_or(0, |credit| credit.gwei), served.gwei, "they have no other role");
        assert_eq!(served.all.bytes, served.all.plays * SIZE);
    }
    let of = served.into_iter().find(|(served, _)| *served == account(provider)).unwrap().1;
    (of.all.plays, of.unpaid.map(|unpaid| unpaid.plays), of.gwei)
}

#[test]
fn a_storage_peer_is_told_what_it_earned_and_why_it_did_not() {
    let mut blocks = blocks();
    // A third of the reward each, of which storage has 150 thousandths.
    let plays = [crowd(1, 1, PROVIDER, 5), crowd(2, 2, OTHER, 5)].concat();
    let part = REWARD / 3 / 1000 * 150;
    let payload = blocks.agreed(5, plays);
    blocks.step(Some(&payload));
    (0..2).for_each(|_| drop(blocks.idle()));
    let judged = audits(vec![blocks.audit(1, &vec![Some(vec![true; 3]); 4])]);
    assert_eq!(told(&mut blocks.clone(), Some(&judged), PROVIDER), (1, [0; 5], part));
    assert_eq!(told(&mut blocks, Some(&judged), OTHER), (2, [0; 5], 2 * part));

    // Three of four fail, and with them their provider, so that the fourth is void too.
    let payload = blocks.agreed(6, crowd(10, 4, PROVIDER, 6));
    blocks.step(Some(&payload));
    (0..2).for_each(|_| drop(blocks.idle()));
    let judged = audits(vec![blocks.audit(2, &vec![Some(vec![false, false, false, true]); 4])]);
    assert_eq!(told(&mut blocks, Some(&judged), PROVIDER), (4, [3, 0, 1, 0, 0], 0));

    // From then on what it serves weighs nothing, and is not audited.
    let payload = blocks.agreed(7, crowd(20, 1, PROVIDER, 7));
    blocks.step(Some(&payload));
    blocks.idle();
    assert_eq!(told(&mut blocks, None, PROVIDER), (1, [0, 0, 0, 1, 0], 0));
}

#[test]
fn a_storage_peer_is_told_that_an_audit_was_not_seen() {
    let mut blocks = blocks();
    let payload = blocks.agreed(5, crowd(1, 2, PROVIDER, 5));
    blocks.step(Some(&payload));
    (0..2).for_each(|_| drop(blocks.idle()));
    let votes = [Some(vec![true; 2]), Some(vec![true; 2]), Some(vec![false; 2]), None];
    let payload = audits(vec![blocks.audit(1, &votes)]);
    blocks.step(Some(&payload));
    blocks.time_ms += 2 * blocks.genesis.params.audit.answer_ms;
    assert_eq!(told(&mut blocks, None, PROVIDER), (2, [0, 2, 0, 0, 0], 0));
}
