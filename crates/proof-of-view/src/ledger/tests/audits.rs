//! Draws, verdicts, strikes.

use super::*;

/// A chain whose view block 1, of `count` plays, is under audit, every play drawn.
fn opened(count: u32) -> Blocks {
    let mut blocks = Blocks::new(audited(1000));
    let plays = (0..count).map(|n| play(n, n as u8 + 1, 9, 0, 5)).collect();
    let payload = blocks.agreed(5, plays);
    blocks.step(Some(&payload));
    assert_eq!(blocks.state.open_audits().count(), 0);
    assert!(!blocks.state.pending_block(1).unwrap().has_vote(0));
    blocks.idle();
    let drawn = blocks.idle().drawn;
    assert_eq!((drawn[0].view_block, drawn[0].plays.len()), (1, count as usize));
    blocks
}

fn vote(blocks: &mut Blocks, votes: &[Option<Vec<bool>>]) -> Settlement {
    let payload = audits(vec![blocks.audit(1, votes)]);
    blocks.step(Some(&payload))
}

fn strikes(blocks: &Blocks, viewer: u8) -> u8 {
    blocks.state.standing(&account(viewer)).unwrap().strikes(blocks.state.period(&blocks.genesis.params))
}

#[test]
fn plays_that_pass_are_paid() {
    let mut blocks = opened(2);
    let block = blocks.state.open_audits().next().unwrap();
    assert_eq!((block.view_block(), block.audit().unwrap().opened_height, block.drawn().len()), (1, 3, 2));
    let settled = vote(&mut blocks, &vec![Some(vec![true; 2]); 4]);
    assert_eq!((sum(&settled.awarded[0].paid.credits), settled.awarded[0].voided.len()), (REWARD, 0));
    assert_eq!((strikes(&blocks, 1), blocks.state.pending().count()), (0, 0));
}

#[test]
fn a_play_that_fails_is_void_and_a_strike_and_the_others_share_its_part() {
    let mut blocks = opened(2);
    let settled = vote(&mut blocks, &vec![Some(vec![false, true]); 4]);
    let [awarded] = &settled.awarded[..] else { panic!("one block is awarded") };
    assert_eq!(sum(&awarded.paid.credits), REWARD);
    let void = awarded.voided[0];
    assert_eq!((void.index, void.account, void.voted_down), (0, account(1), true));
    assert!(awarded.paid.credits.iter().all(|credit| credit.account != account(1)));
    assert_eq!([1, 2].map(|viewer| strikes(&blocks, viewer)), [1, 0]);
}

#[test]
fn when_all_plays_are_void_nothing_is_paid_ever() {
    let mut blocks = opened(1);
    let root = blocks.state.head().root;
    let settled = vote(&mut blocks, &all(false, 4));
    assert!(settled.awarded[0].paid.credits.is_empty() && settled.credits.is_empty());
    assert_ne!(blocks.state.head().root, root, "the root says so");
    let next = blocks.agreed(6, vec![play(7, 7, 9, 0, 6)]);
    assert_eq!(blocks.step(Some(&next)).made.unwrap().view_block, 2, "its number is not used again");
    for _ in 0..5 {
        assert_eq!(blocks.idle().credits, []);
    }
    assert_eq!(blocks.state.head().issued_gwei, 0);
}

#[test]
fn a_proposer_that_leaves_votes_out_voids_nothing() {
    let mut blocks = opened(1);
    // Three hold it passed, one does not; the proposer shows two of the three.
    let waiting = vote(&mut blocks, &[Some(vec![true]), Some(vec![true]), None, Some(vec![false])]);
    assert!(waiting.awarded.is_empty() && waiting.is_empty());
    assert!(blocks.state.pending_block(1).unwrap().has_vote(3));
    assert!(!blocks.state.pending_block(1).unwrap().has_vote(2));
    let settled = vote(&mut blocks, &[None, None, Some(vec![true]), None]);
    assert_eq!((sum(&settled.awarded[0].paid.credits), settled.awarded[0].voided.len()), (REWARD, 0));
}

#[test]
fn the_first_vote_counts() {
    let mut blocks = opened(1);
    vote(&mut blocks, &[Some(vec![true]), None, None, None]);
    let changed = vote(&mut blocks, &[Some(vec![false]), Some(vec![true]), Some(vec![true]), None]);
    assert_eq!(changed.awarded[0].voided, []);
}

#[test]
fn missing_votes_void_after_the_deadline_and_without_a_strike() {
    let mut blocks = opened(1);
    vote(&mut blocks, &[Some(vec![true]), Some(vec![true]), Some(vec![false]), None]);
    let blocks_until = blocks.genesis.params.audit.answer_ms * 2 / 2_000;
    let settled: Vec<_> = (0..blocks_until).map(|_| blocks.idle()).collect();
    let awarded: Vec<_> = settled.iter().flat_map(|settlement| &settlement.awarded).collect();
    assert_eq!((awarded.len(), awarded[0].voided.len()), (1, 1));
    assert!(!awarded[0].voided[0].voted_down);
    assert_eq!(strikes(&blocks, 1), 0);
    assert_eq!(settled.iter().position(|settlement| !settlement.is_empty()), Some(blocks_until as usize - 1));
}

#[test]
fn the_deadline_is_twice_the_time_to_answer() {
    let mut blocks = opened(1);
    vote(&mut blocks, &[Some(vec![true]), Some(vec![true]), Some(vec![false]), None]);
    let opened_ms = blocks.state.pending_block(1).unwrap().audit().unwrap().opened_ms;
    let awarded = |time_ms| {
        let place = BlockPlace { time_ms, ..blocks.next_place() };
        !blocks.state.advance(&blocks.genesis, &place, None).unwrap().awarded.is_empty()
    };
    let deadline_ms = opened_ms + 2 * blocks.genesis.params.audit.answer_ms;
    assert!(awarded(deadline_ms) && !awarded(deadline_ms - 1));
}

#[test]
fn a_strike_at_the_end_of_a_period_counts_in_the_next() {
    let mut blocks = Blocks::new(ProtocolParams { period_view_blocks: 1, ..audited(1000) });
    let payload = blocks.agreed(5, vec![play(1, 1, 9, 0, 5)]);
    blocks.step(Some(&payload));
    blocks.idle();
    blocks.idle();
    vote(&mut blocks, &all(false, 4));
    assert_eq!(blocks.state.standing(&account(1)).unwrap().strikes(1), 1);
    assert_eq!(strikes(&blocks, 1), 1);
    assert!(!blocks.state.is_struck_out(&blocks.genesis.params, &account(1)));
    blocks.genesis.params.audit.strikes_max = 1;
    assert!(blocks.state.is_struck_out(&blocks.genesis.params, &account(1)));
    assert!(!blocks.state.is_struck_out(&blocks.genesis.params, &account(2)));
}

#[test]
fn an_audit_that_too_few_vote_on_stays_open() {
    let mut blocks = opened(1);
    vote(&mut blocks, &[Some(vec![true]), Some(vec![true]), None, None]);
    for _ in 0..100 {
        assert!(blocks.idle().is_empty());
    }
    let late = vote(&mut blocks, &[None, None, Some(vec![true]), None]);
    assert_eq!((sum(&late.awarded[0].paid.credits), late.awarded[0].voided.len()), (REWARD, 0));
}

#[test]
fn an_open_audit_does_not_hold_up_others() {
    let mut blocks = opened(1);
    let next = blocks.agreed(6, vec![play(7, 7, 9, 0, 6)]);
    blocks.step(Some(&next));
    blocks.idle();
    blocks.idle();
    assert_eq!(blocks.state.open_audits().map(PendingBlock::view_block).collect::<Vec<_>>(), [1, 2]);
    let second = audits(vec![blocks.audit(2, &all(true, 4))]);
    assert_eq!(blocks.step(Some(&second)).awarded[0].view_block, 2);
    assert_eq!(vote(&mut blocks, &all(true, 4)).awarded[0].view_block, 1);
    assert_eq!(blocks.state.head().issued_gwei, 2 * u128::from(REWARD));
}

#[test]
fn audit_votes_cannot_be_bent() {
    let blocks = opened(2);
    let block = blocks.state.pending_block(1).unwrap();
    let ids: Vec<_> = block.drawn().map(|record| record.code.body.id).collect();
    assert_eq!(block.drawn_digest(), crate::audit::draw::drawn_digest(1, ids.iter()), "votes name the drawn plays");
    let good = blocks.audit(1, &vec![Some(vec![true, false]); 4]);
    let bent = |bend: &dyn Fn(&mut AuditPayload)| {
        let mut payload = good.clone();
        bend(&mut payload);
        blocks.try_step(Some(&audits(vec![payload]))).unwrap_err()
    };
    assert_eq!(bent(&|p| p.view_block = 2), SettleError::NotAudited { view_block: 2 });
    let forged = bent(&|p| p.votes[2].held_true = vec![3]);
    assert!(matches!(forged, SettleError::AuditVote { view_block: 1, validator: 2, .. }));
    let shape = |what| SettleError::Shape { what };
    assert_eq!(bent(&|p| p.votes.swap(0, 1)), shape("votes"));
    assert_eq!(bent(&|p| p.votes[3].validator = 4), shape("votes"));
    assert_eq!(bent(&|p| p.votes[0].held_true.push(0)), shape("votes"));
    assert_eq!(bent(&|p| p.votes.clear()), shape("audits"));
    let twice = audits(vec![good.clone(), good.clone()]);
    assert_eq!(blocks.try_step(Some(&twice)).unwrap_err(), shape("audits"));
    assert!(blocks.try_step(Some(&audits(vec![good]))).is_ok());
}

#[test]
fn a_pending_block_is_restored_whole_or_not_at_all() {
    let blocks = opened(2);
    let block = blocks.state.pending_block(1).unwrap();
    let payload = listed(block.slot().clone());
    let restored = |head: &PendingHead, payload: &Arc<ViewPayload>, weights: &[(u32, u64)]| {
        PendingBlock::restore(head.clone(), payload.clone(), weights)
    };
    let weights = [(0, 7), (1, 8)];
    let same = restored(block.head(), &payload, &weights).unwrap();
    let carriers = same.plays().iter().map(|play| play.carriers).collect::<Vec<_>>();
    assert_eq!((same.head(), same.plays()[1].weight, carriers), (block.head(), 8, vec![0b1111; 2]));
    assert!(restored(block.head(), &Arc::new(ViewPayload::default()), &weights).is_none(), "no slot");
    assert!(restored(block.head(), &payload, &[(2, 7)]).is_none(), "no such play");
    let audit = OpenAudit { drawn: vec![2], ..block.audit().unwrap().clone() };
    let other = PendingHead { audit: Audit::Open(audit), ..block.head().clone() };
    assert!(restored(&other, &payload, &weights).is_none(), "no such drawn play");
}

#[test]
fn votes_on_other_plays_do_not_count() {
    let blocks = opened(1);
    let other = Signed::new(AuditVote::new(1, Digest([9; 32]), &[true]), &key(0));
    let entry = VoteEntry { validator: 0, held_true: other.body.passed, signature: other.signature };
    let payload = audits(vec![AuditPayload { view_block: 1, votes: vec![entry] }]);
    assert!(matches!(blocks.try_step(Some(&payload)), Err(SettleError::AuditVote { validator: 0, .. })));
}

#[test]
fn a_block_that_is_not_drawn_yet_takes_no_audit_votes() {
    let mut blocks = Blocks::new(audited(1000));
    let payload = blocks.agreed(5, vec![play(1, 1, 9, 0, 5)]);
    blocks.step(Some(&payload));
    let early = audits(vec![blocks.audit(1, &all(false, 4))]);
    assert_eq!(blocks.try_step(Some(&early)).unwrap_err(), SettleError::NotAudited { view_block: 1 });
}

#[test]
fn the_draw_depends_on_a_hash_that_came_after_the_votes() {
    let mut blocks = Blocks::new(audited(500));
    let payload = blocks.agreed(5, (0..40).map(|n| play(n, n as u8 + 1, 9, 0, 5)).collect());
    blocks.step(Some(&payload));
    blocks.idle();
    let drawn = |parent: u8| {
        let place = BlockPlace { parent: BlockHash([parent; 32]), ..blocks.next_place() };
        blocks.state.advance(&blocks.genesis, &place, None).unwrap().drawn[0].plays.clone()
    };
    assert_ne!(drawn(1), drawn(2));
    assert_eq!(drawn(1), drawn(1));
}

#[test]
fn three_strikes_make_an_account_weigh_nothing_until_the_period_ends() {
    let mut blocks = Blocks::new(ProtocolParams { period_view_blocks: 5, ..audited(1000) });
    let mut weights = Vec::new();
    for slot in 0..6u64 {
        let payload = blocks.agreed(slot, vec![play(slot as u32, 1, 9, slot as u32, slot)]);
        let made = blocks.step(Some(&payload)).made.unwrap();
        weights.push(made.accepted[0].weight);
        blocks.idle();
        let drawn = !blocks.idle().drawn.is_empty();
        assert_eq!(drawn, made.accepted[0].weight > 0, "what weighs nothing has nothing to lose");
        if !drawn {
            continue;
        }
        let failed = audits(vec![blocks.audit(made.view_block, &all(false, 4))]);
        blocks.step(Some(&failed));
    }
    assert_eq!(weights, [MINUTE_MS, MINUTE_MS, MINUTE_MS, 0, 0, MINUTE_MS]);
    assert_eq!(blocks.state.head().issued_gwei, 0);
}

#[test]
fn an_issuer_cannot_mint_views_for_itself() {
    let mut blocks = Blocks::new(ProtocolParams { period_view_blocks: 6, ..audited(0) });
    let issued = |name, viewer, slot, issuer| PlayRecord { issuer, ..play(name, viewer, 9, name, slot) };
    let mut earned = Vec::new();
    for slot in 0..7u64 {
        let name = 10 * slot as u32;
        // Validator 1 lists a play nobody saw, and holds it true alone; all hold the others true.
        let plays = vec![issued(name, 1, slot, 0), issued(name + 1, 2, slot, 1), issued(name + 2, 3, slot, 1)];
        let votes: Vec<_> = (0..4).map(|validator| Some(vec![true, validator == 1, slot >= 4])).collect();
        let payload = listed(blocks.slot(slot, plays, &votes));
        let made = blocks.step(Some(&payload)).made.unwrap();
        assert!(made.accepted.iter().all(|play| play.index != 1), "never carried");
        blocks.idle();
        let awards = blocks.idle().awarded[0].paid.credits.clone();
        let of = |who| awards.iter().find(|credit| credit.account == who).map_or(0, |credit| credit.gwei);
        earned.push((of(key(1).address()) > 0, of(account(3)) > 0));
    }
    // Slots 0 to 2 are strikes. From then on it has no share in any play, and its own plays weigh nothing; the next
    // period forgives.
    let (honest, struck) = ((true, false), (false, false));
    assert_eq!(earned, [honest, honest, honest, struck, struck, struck, (true, true)]);
}

#[test]
fn a_bad_slot_is_one_strike() {
    let mut blocks = Blocks::new(audited(0));
    let mut plays = vec![play(1, 1, 9, 0, 5)];
    plays.extend((2..5).map(|name| PlayRecord { issuer: 1, ..play(name, name as u8, 9, 0, 5) }));
    let votes: Vec<_> = (0..4).map(|validator| Some(vec![true, validator == 1, validator == 1, false])).collect();
    let payload = listed(blocks.slot(5, plays, &votes));
    blocks.step(Some(&payload));
    assert_eq!(blocks.state.head().issuers[&1], IssuerRecord { carried: 0, contradicted: 2, strikes: 1 });
}

#[test]
fn an_issuer_whose_peers_were_away_has_no_strike() {
    let mut blocks = Blocks::new(audited(0));
    let plays = vec![play(1, 1, 9, 0, 5), PlayRecord { issuer: 1, ..play(2, 2, 9, 0, 5) }];
    // One did not vote, two did not see the second play: two are no majority against the issuer.
    let votes = [Some(vec![true, false]), Some(vec![true, true]), Some(vec![true, false]), None];
    let payload = listed(blocks.slot(5, plays, &votes));
    blocks.step(Some(&payload));
    assert_eq!(blocks.state.head().issuers.get(&1), None);
    assert_eq!(blocks.state.head().issuers[&0].carried, 1);
}

#[test]
fn an_issuer_that_did_not_vote_for_it_has_no_strike() {
    let mut blocks = Blocks::new(audited(0));
    let plays = vec![play(1, 1, 9, 0, 5), PlayRecord { issuer: 1, ..play(2, 2, 9, 0, 5) }];
    let votes: Vec<_> = (0..4).map(|validator| Some(vec![true, validator == 2])).collect();
    let payload = listed(blocks.slot(5, plays, &votes));
    blocks.step(Some(&payload));
    assert_eq!(blocks.state.head().issuers.get(&1), None);
}
