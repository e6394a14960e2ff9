//! Audits: who must open its chunks, what that costs a liar, and that nobody honest loses.

use super::*;
use crate::audit::AuditFailure;

/// A village that audits every play.
fn strict() -> Village {
    let audit = AuditParams { share_permille: 1000, ..AuditParams::default() };
    Village::audited(ProtocolParams { audit, ..Default::default() })
}

/// Lets time pass until the audit of a play is drawn.
fn until_drawn(village: &mut Village, play: &PlayId) {
    for _ in 0..300 {
        if village.statuses(play).iter().all(|status| matches!(status, Some(PlayStatus::Auditing { .. }))) {
            return;
        }
        village.pass(200);
    }
    panic!("no audit of {play}: {:?}", village.statuses(play));
}

/// Lets time pass up to the block that draws, of which no validator has thought yet; answers the ledger before it.
fn just_drawn(village: &mut Village) -> LedgerState {
    for _ in 0..300 {
        let before = village.ledger.clone();
        village.pass(200);
        if village.ledger.open_audits().next().is_some() {
            return before;
        }
    }
    panic!("no audit is drawn");
}

/// What a validator says of the audit of `view_block`.
fn said(validator: u8, view_block: u64, drawn: Digest, passed: &[bool]) -> Signed<chainflix_primitives::AuditVote> {
    Signed::new(chainflix_primitives::AuditVote::new(view_block, drawn, passed), &key(100 + validator))
}

/// By when a play must be opened at a validator.
fn until_ms(village: &Village, validator: usize, play: &PlayId) -> u64 {
    match village.desks[validator].status(play) {
        Some(PlayStatus::Auditing { until_ms, .. }) => until_ms,
        status => panic!("{status:?}"),
    }
}

fn opening(village: &Village, playing: &Playing) -> Signed<Opening> {
    village.openings[&playing.code.id].clone()
}

#[test]
fn an_honest_viewer_opens_its_chunks_and_is_paid() {
    let mut village = strict();
    let playing = village.view(60, 0);
    until_drawn(&mut village, &playing.code.id);
    assert_eq!(village.paid(&playing.viewer.address()), 0, "nothing is paid before");
    let opening = opening(&village, &playing);
    assert_eq!(village.open(2, opening.clone()), Ok(()));
    assert_eq!(village.open(0, opening.clone()), Ok(()), "the same again is taken again");
    village.pass(6_000);
    assert_eq!(village.statuses(&playing.code.id), vec![Some(PlayStatus::Accepted { view_block: 1 }); 4]);
    assert_eq!(village.paid(&playing.viewer.address()), 27_000_000_000);
    assert_eq!(village.open(2, opening), Err(Refusal::NotAudited), "it is over");
    assert!(village.desks.iter().all(|desk| desk.audits.of(&playing.code.id, 0).is_none()));
}

#[test]
fn an_invented_hash_is_void_and_a_strike() {
    let mut village = strict();
    let (liar, honest) = (village.start(60, 0), village.start(61, 1));
    village.receipts(&liar);
    village.receipts(&honest);
    let data = village.watch(&honest);
    village.prove(&honest, data).unwrap();
    // It had no bytes to fold, and says so in a hash of its own making.
    let mut data = village.watch_at_once(&liar);
    data.hash = Digest([66; 32]);
    data.nonce = crate::points::search_nonce(&liar.code, &data.hash, 0, 1 << 20).unwrap();
    assert_eq!(village.prove(&liar, data), Ok(()), "nobody sees it in the proof");
    until_drawn(&mut village, &liar.code.id);
    // Not even the right chunks help: they give another hash.
    let opening = opening(&village, &liar);
    assert_eq!(village.open(2, opening), Err(Refusal::BadOpening(AuditFailure::Hash)));
    village.open_all(&[&honest]);
    village.pass(40_000);
    assert_eq!(village.statuses(&liar.code.id), vec![Some(PlayStatus::Refused(Refusal::Voided)); 4]);
    assert_eq!(village.statuses(&honest.code.id), vec![Some(PlayStatus::Accepted { view_block: 1 }); 4]);
    assert_eq!(village.paid(&liar.viewer.address()), 0);
    assert_eq!(village.paid(&honest.viewer.address()), 27_000_000_000, "the whole slot is the honest one's");
    let period = village.ledger.period(&village.genesis.params);
    assert_eq!(village.ledger.standing(&liar.viewer.address()).unwrap().strikes(period), 1);
}

#[test]
fn silence_is_void_and_a_strike() {
    let mut village = strict();
    let playing = village.view(60, 0);
    until_drawn(&mut village, &playing.code.id);
    village.pass(28_000);
    assert!(matches!(village.desks[0].status(&playing.code.id), Some(PlayStatus::Auditing { .. })));
    village.pass(8_000);
    assert_eq!(village.statuses(&playing.code.id), vec![Some(PlayStatus::Refused(Refusal::Voided)); 4]);
    assert_eq!(village.ledger.head().issued_gwei, 0, "a slot of nothing but void plays pays nothing");
    let opening = opening(&village, &playing);
    assert_eq!(village.open(2, opening), Err(Refusal::NotAudited));
}

#[test]
fn plays_of_a_provider_that_is_struck_out_are_void_and_it_is_drawn_last() {
    let audit = AuditParams { share_permille: 1000, provider_audits_min: 1, ..AuditParams::default() };
    let mut village = Village::audited(ProtocolParams { audit, ..Default::default() });
    let source = |number: u8| Source {
        provider: key(number).address(),
        node: NodeId([number; 32]),
        box_key: BoxKey::from_bytes([12; 32]).public_key(),
    };
    let drawn = |village: &mut Village, sources: &[Source]| {
        let seeds = (0..20u8).map(|seed| BlockHash([seed; 32]));
        let mut ask = |seed| {
            let (entropy, now_ms) = (village.entropy(), village.now_ms);
            let request = GrantRequest {
                account: key(61).address(),
                magnet: FILM,
                cell_index: 0,
                from_byte: 0,
                viewer_box_key: BoxKey::from_bytes([11; 32]).public_key(),
                excluded: vec![],
                requested_ms: now_ms,
            };
            let request = Signed::new(request, &key(61));
            let grant = village.desks[0].grant(now_ms, entropy, &request, sources, &seed, &village.chain);
            grant.unwrap().body.provider
        };
        seeds.map(&mut ask).collect::<HashSet<_>>()
    };
    let both = [source(50), source(51)];
    assert_eq!(drawn(&mut village, &both).len(), 2, "either may serve");

    let playing = village.view(60, 0);
    until_drawn(&mut village, &playing.code.id);
    village.pass(40_000);
    assert_eq!(village.statuses(&playing.code.id), vec![Some(PlayStatus::Refused(Refusal::Voided)); 4]);
    assert!(village.ledger.is_provider_struck_out(&village.genesis.params, &key(50).address()));
    assert_eq!(drawn(&mut village, &both), HashSet::from([key(51).address()]));
    assert_eq!(drawn(&mut village, &both[..1]), HashSet::from([key(50).address()]), "nobody else has the film");
}

#[test]
fn struck_out_accounts_watch_unpaid_until_the_period_ends() {
    let audit = AuditParams { share_permille: 1000, strikes_max: 1, ..AuditParams::default() };
    let mut village = Village::audited(ProtocolParams { audit, period_view_blocks: 2, ..Default::default() });
    let playing = village.view(60, 0);
    until_drawn(&mut village, &playing.code.id);
    village.pass(40_000);
    let again = |village: &mut Village| {
        let grant = village.grant(&playing.viewer, 1).unwrap();
        village.request(&playing.viewer, &grant, None).unwrap().outcome
    };
    assert_eq!(again(&mut village), PlayOutcome::Unpaid("struck-out".into()));
    let honest = village.view(61, 0);
    until_drawn(&mut village, &honest.code.id);
    village.open_all(&[&honest]);
    village.pass(10_000);
    assert!(matches!(again(&mut village), PlayOutcome::Mining(_)), "forgiven");
}

#[test]
fn an_opening_is_its_viewers_own() {
    let mut village = strict();
    let playing = village.view(60, 0);
    until_drawn(&mut village, &playing.code.id);
    let good = opening(&village, &playing);
    let stolen = Signed::new(good.body.clone(), &key(61));
    assert_eq!(village.open(2, stolen), Err(Refusal::OtherAccount));
    let mut forged = good.clone();
    forged.signature.0[64] = 9;
    assert_eq!(village.open(2, forged), Err(Refusal::BadSignature));
    let mut other = good.body.clone();
    other.play = PlayId([0; 16]);
    assert_eq!(village.open(2, Signed::new(other, &playing.viewer)), Err(Refusal::NotAudited));
    let mut bent = good.body.clone();
    bent.chunks[4].sealed[0] ^= 1;
    let refused = village.open(2, Signed::new(bent, &playing.viewer)).unwrap_err();
    assert_eq!(refused, Refusal::BadOpening(AuditFailure::Chunk { point: 4 }));
    assert_eq!(village.open(2, good), Ok(()), "a wrong one harms nobody");
}

#[test]
fn an_opening_that_comes_before_the_draw_is_known_here_counts_all_the_same() {
    let mut village = strict();
    let playing = village.view(60, 0);
    // Validator 0 learns of blocks a little later than the others.
    let behind = just_drawn(&mut village);
    let opening = opening(&village, &playing);
    assert_eq!(village.desks[2].open(village.now_ms, opening, &village.ledger, &village.chain), Ok(()));
    let said = village.said();
    let ahead = std::mem::replace(&mut village.ledger, behind);
    for (from, message) in said {
        village.hear(0, from, &message);
    }
    village.ledger = ahead;
    let now_ms = village.now_ms;
    village.desks[0].tick(now_ms, &village.ledger, &village.chain);
    let passed = |message: &ValidatorMessage| matches!(message, ValidatorMessage::AuditVote(vote) if holds_true(&vote.body.passed, 0));
    assert!(village.said().iter().any(|(from, message)| *from == 0 && passed(message)));
}

#[test]
fn all_openings_that_come_before_the_draw_is_known_here_count() {
    let mut village = strict();
    let plays = [village.start(60, 0), village.start(61, 1)];
    village.pass(60_000);
    for playing in &plays {
        village.receipts(playing);
        let data = village.watch_at_once(playing);
        village.prove(playing, data).unwrap();
    }
    let behind = just_drawn(&mut village);
    let ahead = std::mem::replace(&mut village.ledger, behind);
    for playing in &plays {
        let message = ValidatorMessage::Opening(Box::new(opening(&village, playing)));
        village.hear(0, 2, &message);
    }
    village.ledger = ahead;
    let now_ms = village.now_ms;
    village.desks[0].tick(now_ms, &village.ledger, &village.chain);
    let votes = village.said();
    let passed = |message: &ValidatorMessage| matches!(message, ValidatorMessage::AuditVote(vote) if (0..2).all(|play| holds_true(&vote.body.passed, play)));
    assert!(votes.iter().any(|(from, message)| *from == 0 && passed(message)));
}

#[test]
fn an_opening_has_its_time_here_and_a_moment_more_where_another_validator_took_it() {
    let answer = |late_ms: u64, heard: bool| {
        let mut village = strict();
        let playing = village.view(60, 0);
        just_drawn(&mut village);
        let (Village { desks, ledger, chain, .. }, drawn_ms) = (&mut village, START_MS + 100_000);
        desks[1].tick(drawn_ms, ledger, chain);
        let until_ms = until_ms(&village, 1, &playing.code.id);
        assert_eq!(until_ms, drawn_ms + village.genesis.params.audit.answer_ms);
        let opening = opening(&village, &playing);
        let Village { desks, ledger, chain, .. } = &mut village;
        match heard {
            true => desks[1].hear_opening(until_ms + late_ms, opening, ledger, chain),
            false => desks[1].open(until_ms + late_ms, opening, ledger, chain) == Ok(()),
        }
    };
    assert!(answer(0, false) && !answer(1, false) && !answer(100, false));
    assert!(answer(0, true) && answer(1_000, true) && !answer(1_001, true));
}

#[test]
fn a_validator_votes_when_all_is_opened_or_the_time_is_over() {
    let mut village = strict();
    let playing = village.view(60, 0);
    just_drawn(&mut village);
    let votes = |village: &mut Village, at_ms| {
        let Village { desks, ledger, chain, .. } = village;
        desks[1].tick(at_ms, ledger, chain);
        let said: Vec<_> = std::iter::from_fn(|| desks[1].poll()).collect();
        said.iter().filter(|message| matches!(message, ValidatorMessage::AuditVote(_))).count()
    };
    assert_eq!(votes(&mut village, START_MS + 100_000), 0);
    let over_ms = until_ms(&village, 1, &playing.code.id) + village.genesis.params.slot_grace_ms;
    assert_eq!((votes(&mut village, over_ms - 1), votes(&mut village, over_ms)), (0, 1));
    // It is said again after a slot, until a block carries it.
    let slot_ms = village.genesis.params.slot_ms;
    assert_eq!((votes(&mut village, over_ms + slot_ms - 1), votes(&mut village, over_ms + slot_ms)), (0, 1));
}

#[test]
fn audit_votes_that_come_before_the_draw_is_known_here_count_with_it() {
    let mut village = strict();
    village.view(60, 0);
    let behind = just_drawn(&mut village);
    let (now_ms, ahead) = (village.now_ms, village.ledger.clone());
    let drawn = ahead.open_audits().next().unwrap().drawn_digest();
    let desk = &mut village.desks[0];
    assert!(desk.hear_audit_vote(now_ms, &said(1, 1, drawn, &[true]), &behind));
    assert!(desk.hear_audit_vote(now_ms, &said(2, 1, Digest([9; 32]), &[true]), &behind), "of other plays");
    assert!(desk.hear_audit_vote(now_ms, &said(3, 1, drawn, &[true; 9]), &behind), "of more plays");
    // Now it knows which plays are drawn: of these votes only the first speaks of them.
    desk.tick(now_ms, &ahead, &village.chain);
    assert!(!desk.hear_audit_vote(now_ms, &said(1, 1, drawn, &[false]), &ahead), "it has voted");
    assert!(desk.hear_audit_vote(now_ms, &said(2, 1, drawn, &[true]), &ahead));
    assert!(desk.hear_audit_vote(now_ms, &said(3, 1, drawn, &[true]), &ahead));
    let payload = desk.audits.payload(&village.genesis, &ahead, now_ms + 1_000);
    let votes: Vec<_> = payload[0].votes.iter().map(|vote| (vote.validator, vote.held_true.clone())).collect();
    assert_eq!(votes, [(1, vec![1]), (2, vec![1]), (3, vec![1])]);
}

#[test]
fn a_validator_cannot_fill_the_room_for_early_audit_votes() {
    let mut village = strict();
    let (ledger, drawn) = (LedgerState::default(), Digest([9; 32]));
    let mut hear = |validator, view_block| {
        village.desks[0].hear_audit_vote(START_MS, &said(validator, view_block, drawn, &[true]), &ledger)
    };
    assert!((1..=crate::PENDING_MAX as u64).all(|view_block| hear(1, view_block)));
    assert!(!hear(1, crate::PENDING_MAX as u64 + 1) && !hear(1, 1));
    assert!(hear(2, 1) && !hear(2, 1), "another one has room of its own, for each view block once");
    assert!(!hear(9, 1), "who is no validator has none");
}

#[test]
fn audit_votes_are_carried_when_all_are_there_or_the_rest_had_their_time() {
    let mut village = strict();
    village.view(60, 0);
    just_drawn(&mut village);
    let (seen_ms, ledger, genesis) = (village.now_ms, village.ledger.clone(), village.genesis.clone());
    let drawn = ledger.open_audits().next().unwrap().drawn_digest();
    let desk = &mut village.desks[0];
    let carried = |desk: &Desk, ledger: &LedgerState, now_ms| {
        let payload = desk.audits.payload(&genesis, ledger, now_ms);
        payload.iter().flat_map(|audit| &audit.votes).map(|vote| vote.validator).collect::<Vec<_>>()
    };
    for (vote, why) in [(said(1, 1, Digest([9; 32]), &[true]), "other plays"), (said(1, 1, drawn, &[true; 9]), "more")]
    {
        assert!(!desk.hear_audit_vote(seen_ms, &vote, &ledger), "{why}");
    }
    assert!(desk.hear_audit_vote(seen_ms, &said(1, 1, drawn, &[true]), &ledger));
    assert!(desk.hear_audit_vote(seen_ms, &said(2, 1, drawn, &[true]), &ledger));
    assert!(carried(desk, &ledger, seen_ms + 20_000).is_empty(), "two of four");
    let third_ms = seen_ms + 5_000;
    assert!(desk.hear_audit_vote(third_ms, &said(3, 1, drawn, &[false]), &ledger));
    assert!(carried(desk, &ledger, third_ms + 999).is_empty());
    assert_eq!(carried(desk, &ledger, third_ms + 1_000), [1, 2, 3]);

    // A block that carried one of them opens the way for whatever comes after.
    let first = desk.audits.payload(&genesis, &ledger, third_ms + 1_000).remove(0).votes.remove(0);
    let payload = ViewPayload {
        slot: None,
        audits: vec![chainflix_primitives::AuditPayload { view_block: 1, votes: vec![first] }],
    };
    let place = BlockPlace { height: 1_000, parent: block_hash(999), time_ms: third_ms, moves: Default::default() };
    let next = ledger.advance(&genesis, &place, Some(&Arc::new(payload))).unwrap().next;
    assert_eq!(carried(desk, &next, third_ms), [2, 3]);

    assert!(desk.hear_audit_vote(third_ms, &said(0, 1, drawn, &[true]), &ledger));
    assert_eq!(carried(desk, &ledger, third_ms), [0, 1, 2, 3], "nobody is waited for");
}

#[test]
fn one_lying_validator_voids_nobody_and_saves_nobody() {
    let mut village = strict();
    let playing = village.view(60, 0);
    until_drawn(&mut village, &playing.code.id);
    village.open_all(&[&playing]);
    // Validator 3 says that nothing was opened, before it says anything else.
    let block = village.ledger.open_audits().next().unwrap();
    let vote = chainflix_primitives::AuditVote::new(1, block.drawn_digest(), &[false]);
    let message = ValidatorMessage::AuditVote(Signed::new(vote, &key(103)));
    (0..3).for_each(|to| village.hear(to, 3, &message));
    village.pass(6_000);
    assert_eq!(village.statuses(&playing.code.id), vec![Some(PlayStatus::Accepted { view_block: 1 }); 4]);
}

#[test]
fn a_lost_vote_is_said_again() {
    let mut village = strict();
    let playing = village.view(60, 0);
    until_drawn(&mut village, &playing.code.id);
    village.open_all(&[&playing]);
    // All votes are lost.
    village.deaf = vec![true; 4];
    village.pass(1_000);
    village.deaf = vec![false; 4];
    village.pass(5_000);
    assert!(matches!(village.desks[0].status(&playing.code.id), Some(PlayStatus::Auditing { .. })));
    village.pass(15_000);
    assert_eq!(village.statuses(&playing.code.id), vec![Some(PlayStatus::Accepted { view_block: 1 }); 4]);
}

impl Village {
    /// Their viewers answer the audit.
    pub fn open_all(&mut self, plays: &[&Playing]) {
        for playing in plays {
            let opening = self.openings[&playing.code.id].clone();
            self.open(2, opening).unwrap();
        }
    }
}
