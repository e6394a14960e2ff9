//! Each refusal of the protocol page, by name.

use super::*;

/// A village with one play proved up to (not including) the proof.
fn watched() -> (Village, Playing, PlayData) {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.receipts(&playing);
    let data = village.watch(&playing);
    (village, playing, data)
}

fn grant_request(village: &Village) -> GrantRequest {
    GrantRequest {
        account: key(60).address(),
        magnet: FILM,
        cell_index: 0,
        from_byte: 0,
        viewer_box_key: BoxKey::from_bytes([11; 32]).public_key(),
        excluded: vec![],
        requested_ms: village.now_ms,
    }
}

#[test]
fn unknown_video() {
    let mut village = Village::new();
    let request = GrantRequest { magnet: Magnet([99; 32]), ..grant_request(&village) };
    assert_eq!(village.grant_as(Signed::new(request, &key(60))), Err(Refusal::UnknownVideo));
}

#[test]
fn unknown_cell() {
    let mut village = Village::new();
    assert_eq!(village.grant(&key(60), 6), Err(Refusal::UnknownCell { index: 6 }));
}

#[test]
fn taken_down_stops_grants_playcodes_and_votes() {
    let (mut village, playing, data) = watched();
    village.prove(&playing, data).unwrap();
    village.chain.taken_down = true;
    assert_eq!(village.grant(&key(61), 1), Err(Refusal::TakenDown));
    assert_eq!(village.request(&playing.viewer, &playing.grant, None).unwrap_err(), Refusal::TakenDown);
    village.pass(40_000);
    assert!(village.made.is_empty());
}

#[test]
fn no_source() {
    let mut village = Village::new();
    let request = GrantRequest { excluded: vec![NodeId([50; 32])], ..grant_request(&village) };
    let refused = village.grant_as(Signed::new(request, &key(60))).unwrap_err();
    assert_eq!((refused.advice(), refused), (crate::Advice::TryAgain { after_ms: 1_000 }, Refusal::NoSource));
}

#[test]
fn bad_signature() {
    let (mut village, _playing, data) = watched();
    let request = grant_request(&village);
    assert_eq!(village.grant_as(Signed::new(request, &key(61))), Err(Refusal::BadSignature));
    let mut proof = Signed::new(data, &key(60));
    proof.signature.0[64] = 9;
    assert_eq!(village.prove_at(0, proof), Err(Refusal::BadSignature));
}

#[test]
fn stale_request() {
    let mut village = Village::new();
    let request = GrantRequest { requested_ms: village.now_ms - 200_000, ..grant_request(&village) };
    assert_eq!(village.grant_as(Signed::new(request, &key(60))), Err(Refusal::StaleRequest { age_ms: 200_000 }));
    let request = |away_ms: i64| GrantRequest {
        requested_ms: village.now_ms.saturating_add_signed(away_ms),
        ..grant_request(&village)
    };
    let [first, last, old, ahead] =
        [-180_000, 180_000, -180_001, 180_001].map(|away_ms| Signed::new(request(away_ms), &key(60)));
    assert!(village.grant_as(first).is_ok() && village.grant_as(last).is_ok(), "as long as a grant lives");
    for stale in [old, ahead] {
        assert_eq!(village.grant_as(stale), Err(Refusal::StaleRequest { age_ms: 180_001 }));
    }
}

#[test]
fn malformed_requests() {
    let mut village = Village::new();
    for request in [
        GrantRequest { from_byte: 5, ..grant_request(&village) },
        GrantRequest { from_byte: SIZE, ..grant_request(&village) },
        GrantRequest { excluded: vec![NodeId([1; 32]); 17], ..grant_request(&village) },
    ] {
        assert!(matches!(village.grant_as(Signed::new(request, &key(60))), Err(Refusal::Malformed { .. })));
    }
    let most = GrantRequest { excluded: vec![NodeId([1; 32]); 16], ..grant_request(&village) };
    assert!(village.grant_as(Signed::new(most, &key(60))).is_ok());
}

#[test]
fn too_many_plays_of_one_home_and_network() {
    let mut village = Village::with(ProtocolParams { plays_per_home: 2, plays_per_network: 3, ..Default::default() });
    let mut ask = |viewer: u8, from: &str| {
        let viewer = key(viewer);
        let grant = village.grant(&viewer, 0).unwrap();
        let request = Signed::new(village.play_request(&viewer, &grant), &viewer);
        village.request_from(request, from.parse().unwrap()).map(|_| ())
    };
    assert_eq!(ask(60, "198.51.100.7"), Ok(()));
    assert_eq!(ask(61, "198.51.100.7"), Ok(()));
    let refused = ask(62, "198.51.100.7").unwrap_err();
    assert_eq!(refused, Refusal::TooManyPlays { scope: "home", most: 2, retry_ms: 15_000 });
    assert_eq!(refused.advice(), crate::Advice::TryAgain { after_ms: 15_000 });
    assert_eq!(ask(63, "198.51.100.8"), Ok(()));
    assert!(matches!(ask(64, "198.51.100.9"), Err(Refusal::TooManyPlays { scope: "network", most: 3, .. })));
    assert_eq!(ask(65, "198.51.101.9"), Ok(()));
}

/// Asks one validator for a paid play of a new viewer at `home`.
fn paid_at(village: &mut Village, validator: usize, viewer: u8, home: &str) -> Result<Playing, String> {
    let viewer = key(viewer);
    let grant = village.grant(&viewer, 0).unwrap();
    let request = Signed::new(village.play_request(&viewer, &grant), &viewer);
    let answer = village.request_of(validator, request, home.parse().unwrap()).unwrap();
    village.gossip();
    match answer.outcome {
        PlayOutcome::Unpaid(code) => Err(code),
        outcome => Ok(village.playing(viewer, grant, PlayAnswer { outcome, ..answer })),
    }
}

#[test]
fn a_home_has_so_many_paid_plays_a_day() {
    let mut village = Village::with(ProtocolParams { plays_per_home_per_day: 2, ..Default::default() });
    let first = paid_at(&mut village, 1, 60, "198.51.100.7").unwrap();
    paid_at(&mut village, 2, 61, "198.51.100.7").unwrap();
    let refused = paid_at(&mut village, 3, 62, "198.51.100.7").map(drop);
    assert_eq!(refused, Err("home-spent".into()), "whichever validator it asks");
    assert!(paid_at(&mut village, 3, 63, "198.51.100.8").is_ok(), "the neighbour has its own day");
    // A play that is given up, or that nobody proves, costs nothing.
    village.pass(1_000);
    let (viewer, give_up) = (first.viewer.clone(), Some(first.code.id));
    let grant = village.grant(&viewer, 1).unwrap();
    assert!(matches!(village.request(&viewer, &grant, give_up).unwrap().outcome, PlayOutcome::Mining(_)));
    village.pass(92_000);
    assert!(paid_at(&mut village, 3, 64, "198.51.100.7").is_ok());
    // Tomorrow is another day, and not the next slot.
    assert!(paid_at(&mut village, 3, 65, "198.51.100.7").is_ok());
    assert!(paid_at(&mut village, 3, 66, "198.51.100.7").is_err());
    village.now_ms += 30_000;
    assert!(paid_at(&mut village, 3, 66, "198.51.100.7").is_err());
    village.now_ms = START_MS + 86_400_000;
    assert!(paid_at(&mut village, 3, 67, "198.51.100.7").is_ok());
}

#[test]
fn a_play_that_nobody_proves_stops_counting() {
    let mut village = Village::with(ProtocolParams { plays_per_home: 1, ..Default::default() });
    village.start(60, 0);
    let viewer = key(61);
    let grant = village.grant(&viewer, 0).unwrap();
    assert!(village.request(&viewer, &grant, None).is_err());
    village.pass(92_000);
    assert!(village.request(&viewer, &grant, None).is_ok());
}

#[test]
fn second_play_code_for_a_cell_of_this_period() {
    let (mut village, playing, data) = watched();
    village.prove(&playing, data).unwrap();
    let again = |village: &mut Village| {
        let grant = village.grant(&playing.viewer, 0).unwrap();
        village.request(&playing.viewer, &grant, None).unwrap().outcome
    };
    assert_eq!(again(&mut village), PlayOutcome::Unpaid("already-issued".into()));
    village.pass(30_000);
    assert_eq!(village.made.len(), 1);
    assert_eq!(again(&mut village), PlayOutcome::Unpaid("already-mined".into()));
}

#[test]
fn the_next_play_is_asked_for_five_seconds_before_the_running_one_ends() {
    for (left_ms, is_paid) in [(5_001, false), (5_000, true), (0, true)] {
        let mut village = Village::new();
        let playing = village.start(60, 0);
        village.pass(60_000 - left_ms);
        let grant = village.grant(&playing.viewer, 1).unwrap();
        let answer = village.request(&playing.viewer, &grant, None).unwrap();
        assert_eq!(matches!(answer.outcome, PlayOutcome::Mining(_)), is_paid, "{left_ms} ms before its end");
    }
}

#[test]
fn overlapping_plays_of_one_account() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.pass(10_000);
    let grant = village.grant(&playing.viewer, 1).unwrap();
    let answer = village.request(&playing.viewer, &grant, None).unwrap();
    assert_eq!(answer.outcome, PlayOutcome::Unpaid("overlapping".into()));
}

#[test]
fn a_superseded_play_cannot_be_proved() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.receipts(&playing);
    village.pass(10_000);
    let grant = village.grant(&playing.viewer, 1).unwrap();
    let answer = village.request(&playing.viewer, &grant, Some(playing.code.id)).unwrap();
    assert!(matches!(answer.outcome, PlayOutcome::Mining(_)), "a jump elsewhere is paid from there on");
    let data = village.watch(&playing);
    assert_eq!(village.prove(&playing, data), Err(Refusal::Superseded));
    // Somebody else cannot give it up.
    let mut village = Village::new();
    let playing = village.start(60, 0);
    let grant = village.grant(&key(61), 1).unwrap();
    village.request(&key(61), &grant, Some(playing.code.id)).unwrap();
    assert!(village.desks.iter().all(|desk| desk.status(&playing.code.id) == Some(PlayStatus::Running)));
}

#[test]
fn unknown_and_foreign_grants() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    let mut grant = playing.grant.clone();
    grant.id = GrantId([0; 16]);
    let refused = village.request(&key(60), &grant, None).unwrap_err();
    assert_eq!((refused.advice(), refused), (crate::Advice::TryAgain { after_ms: 1_000 }, Refusal::UnknownGrant));
    assert_eq!(village.request(&key(61), &playing.grant, None).unwrap_err(), Refusal::OtherGrant);
    village.pass(400_000);
    assert_eq!(village.request(&key(60), &playing.grant, None).unwrap_err(), Refusal::UnknownGrant, "expired");
}

#[test]
fn unknown_and_expired_play_codes() {
    let (mut village, playing, data) = watched();
    let unknown = PlayData { play: PlayId([0; 16]), ..data.clone() };
    assert_eq!(village.prove(&playing, unknown), Err(Refusal::UnknownPlay));
    village.pass(600_000);
    assert_eq!(village.prove(&playing, data), Err(Refusal::UnknownPlay));
}

#[test]
fn another_accounts_play_code() {
    let (mut village, playing, data) = watched();
    assert_eq!(village.prove_as(&key(61), data.clone()), Err(Refusal::OtherAccount));
    assert_eq!(village.prove(&playing, data), Ok(()), "a stranger's attempt harms nobody");
}

/// A proof that is right but for its time.
fn early_proof(village: &Village, playing: &Playing) -> PlayData {
    PlayData {
        play: playing.code.id,
        slot: village.slot(),
        download_key: playing.key.id(),
        hash: Digest([0; 32]),
        point_blocks: vec![1; 6],
        nonce: 0,
    }
}

#[test]
fn too_early() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.receipts(&playing);
    village.pass(57_000);
    let data = early_proof(&village, &playing);
    assert_eq!(village.prove(&playing, data), Err(Refusal::TooEarly { early_ms: 3_000 }));
    let refused = Some(PlayStatus::Refused(Refusal::TooEarly { early_ms: 3_000 }));
    assert_eq!(village.statuses(&playing.code.id), vec![refused; 4], "the proof itself convinces the others");
    village.pass(3_000);
    let data = village.watch_at_once(&playing);
    assert_eq!(village.prove(&playing, data), Err(Refusal::TooEarly { early_ms: 3_000 }), "a refusal is final");
}

#[test]
fn a_little_too_early_is_refused_and_costs_nothing() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.receipts(&playing);
    village.pass(59_600);
    let data = early_proof(&village, &playing);
    assert_eq!(village.prove(&playing, data), Err(Refusal::TooEarly { early_ms: 400 }));
    assert_eq!(village.statuses(&playing.code.id), vec![Some(PlayStatus::Running); 4]);
    village.pass(400);
    let data = village.watch_at_once(&playing);
    assert_eq!(village.prove(&playing, data), Ok(()));
}

#[test]
fn a_proof_may_come_as_early_as_genesis_tolerates() {
    let proved = |early_ms: u64| {
        let mut village = Village::new();
        let playing = village.start(60, 0);
        village.receipts(&playing);
        village.pass(60_000 - early_ms);
        let data = village.watch_at_once(&playing);
        village.prove(&playing, data)
    };
    assert_eq!((proved(250), proved(251)), (Ok(()), Err(Refusal::TooEarly { early_ms: 251 })));
}

#[test]
fn what_is_too_early_ends_a_play_where_no_clock_can_doubt_it() {
    // The tolerance, and twice the grace time: an issuer, a message and another validator's clock lie between.
    for (early_ms, ends) in [(2_250, false), (2_251, true)] {
        let mut village = Village::new();
        let playing = village.start(60, 0);
        village.receipts(&playing);
        village.pass(60_000 - early_ms);
        let data = early_proof(&village, &playing);
        let refusal = Refusal::TooEarly { early_ms };
        assert_eq!(village.prove(&playing, data), Err(refusal.clone()));
        let expected = if ends { PlayStatus::Refused(refusal) } else { PlayStatus::Running };
        assert_eq!(village.statuses(&playing.code.id), vec![Some(expected); 4], "{early_ms} ms early");
    }
}

#[test]
fn too_late() {
    let (mut village, playing, mut data) = watched();
    village.pass(30_000);
    data.slot = village.slot();
    assert_eq!(village.prove(&playing, data.clone()), Ok(()), "one and a half times is allowed");
    let (mut village, playing, _) = watched();
    village.pass(30_200);
    assert_eq!(village.prove(&playing, data), Err(Refusal::TooLate { late_ms: 200 }));
    village.pass(1_000);
    let status = village.desks[0].status(&playing.code.id);
    assert!(matches!(status, Some(PlayStatus::Refused(Refusal::TooLate { .. }))));
}

#[test]
fn what_one_validator_took_in_the_last_moment_all_hold_true() {
    let (mut village, playing, mut data) = watched();
    village.pass(30_000);
    data.slot = village.slot();
    assert_eq!(village.prove_at(3, Signed::new(data, &playing.viewer)), Ok(()));
    // The message takes most of the grace time.
    let said = village.said();
    village.pass(800);
    said.iter().for_each(|(from, message)| (0..3).for_each(|to| village.hear(to, *from, message)));
    assert_eq!(village.statuses(&playing.code.id), vec![Some(PlayStatus::Proved); 4]);
}

#[test]
fn wrong_nonce() {
    let (mut village, playing, mut data) = watched();
    while crate::points::nonce_is_right(&playing.code, &data.hash, data.nonce) {
        data.nonce += 1;
    }
    assert_eq!(village.prove(&playing, data.clone()), Err(Refusal::WrongNonce));
    // Garbage sent to one validator does not set it against the others.
    data.nonce = crate::points::search_nonce(&playing.code, &data.hash, 0, 1 << 20).unwrap();
    assert_eq!(village.prove(&playing, data), Ok(()));
}

#[test]
fn a_play_that_was_proved_wrongly_alone_says_why_it_ended() {
    let (mut village, playing, mut data) = watched();
    data.point_blocks = vec![1; 5];
    assert_eq!(village.prove(&playing, data), Err(Refusal::WrongHash));
    village.pass(32_000);
    assert_eq!(village.desks[3].status(&playing.code.id), Some(PlayStatus::Refused(Refusal::WrongHash)));
}

#[test]
fn wrong_hash() {
    for blocks in [vec![], vec![1; 5], vec![30; 7], vec![5, 4, 6, 7, 8, 9], vec![1, 2, 3, 4, 5, 9_999]] {
        let (mut village, playing, mut data) = watched();
        data.point_blocks = blocks;
        assert_eq!(village.prove(&playing, data), Err(Refusal::WrongHash));
    }
    // Points of blocks from long before the play: nothing can be computed ahead.
    let mut village = Village::new();
    village.pass(60_000);
    let playing = village.start(60, 0);
    village.receipts(&playing);
    let mut data = village.watch(&playing);
    let good = data.point_blocks.clone();
    data.point_blocks = vec![1; 6];
    assert_eq!(village.prove(&playing, data.clone()), Err(Refusal::WrongHash));
    // Nor at its start: each point has a block of its own time, give or take sixteen seconds.
    data.point_blocks = vec![good[0]; 6];
    assert_eq!(village.prove(&playing, data), Err(Refusal::WrongHash));
}

#[test]
fn wrong_download_key() {
    let (mut village, playing, mut data) = watched();
    data.download_key[0] ^= 1;
    assert_eq!(village.prove(&playing, data), Err(Refusal::WrongDownloadKey));
}

#[test]
fn receipts_missing() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.receipt(&playing, &playing.viewer, Digest([13; 32])).unwrap();
    let data = village.watch(&playing);
    let refused = village.prove(&playing, data);
    assert_eq!(refused, Err(Refusal::ReceiptsMissing { covered_permille: 0, needed_permille: 500 }));
}

#[test]
fn receipts_that_differ() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.receipt(&playing, &playing.viewer, Digest([13; 32])).unwrap();
    assert_eq!(village.receipt(&playing, &key(50), Digest([14; 32])), Err(Refusal::ReceiptsDiffer));
    let data = village.watch(&playing);
    assert_eq!(village.prove(&playing, data), Err(Refusal::ReceiptsDiffer));
}

#[test]
fn receipts_of_strangers() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    assert_eq!(village.receipt(&playing, &key(77), Digest([13; 32])), Err(Refusal::BadSignature));
}

#[test]
fn replay() {
    let (mut village, playing, data) = watched();
    assert_eq!(village.prove(&playing, data.clone()), Ok(()));
    assert_eq!(village.prove(&playing, data.clone()), Err(Refusal::Replay));
    village.pass(30_000);
    assert_eq!(village.made.len(), 1);
    assert_eq!(village.prove(&playing, data), Err(Refusal::Replay));
}

#[test]
fn a_finished_slot_and_a_wrong_one() {
    let (mut village, playing, mut data) = watched();
    // Somebody else's view settles the slot this proof claims.
    let settled = data.slot;
    let head = crate::LedgerHead { last_slot: Some(settled), ..village.ledger.head().clone() };
    village.ledger = LedgerState::restore(crate::LedgerParts { head, ..Default::default() });
    assert_eq!(village.prove(&playing, data.clone()), Err(Refusal::SlotFinished { slot: settled }));
    let (mut village, playing, _) = watched();
    data.slot = settled + 2;
    assert_eq!(village.prove(&playing, data), Err(Refusal::WrongSlot { slot: settled + 2 }));
}

#[test]
fn a_proof_is_of_its_slot_or_one_beside_it_and_where_it_was_judged_already_of_two() {
    let judged = |apart: i64, bearer| {
        let (mut village, playing, mut data) = watched();
        data.slot = data.slot.checked_add_signed(apart).unwrap();
        let proof = Signed::new(data, &playing.viewer);
        village.desks[3].take_proof(village.now_ms, proof, bearer, &village.ledger, &village.chain).is_ok()
    };
    assert_eq!([-2, -1, 0, 1, 2].map(|apart| judged(apart, Bearer::Viewer)), [false, true, true, true, false]);
    let heard = [-3, -2, 0, 2, 3].map(|apart| judged(apart, Bearer::Validator));
    assert_eq!(heard, [false, true, true, true, false]);
}

#[test]
fn play_points_are_of_blocks_of_their_time_give_or_take_sixteen_seconds() {
    let judged = |behind: u32, ahead: u32, bearer| {
        let mut village = Village::new();
        village.pass(60_000);
        let playing = village.start(60, 0);
        village.receipts(&playing);
        village.pass(60_000);
        let desk = &village.desks[3];
        let reached_ms = |point: u64| playing.code.starts_ms + 5_000 + point * 10_000;
        let mut point_blocks: Vec<_> = (0..6).map(|point| desk.heads.at(reached_ms(point)) - behind).collect();
        if ahead > 0 {
            point_blocks[5] = desk.heads.newest() + ahead;
        }
        let hash = Digest([0; 32]);
        let nonce = crate::points::search_nonce(&playing.code, &hash, 0, 1 << 20).unwrap();
        let data = PlayData { hash, point_blocks, nonce, ..early_proof(&village, &playing) };
        let proof = Signed::new(data, &playing.viewer);
        village.desks[3].take_proof(village.now_ms, proof, bearer, &village.ledger, &village.chain)
    };
    let wrong = Err(Refusal::WrongHash);
    assert_eq!((judged(8, 0, Bearer::Viewer), judged(9, 0, Bearer::Viewer)), (Ok(()), wrong.clone()));
    assert_eq!((judged(0, 8, Bearer::Viewer), judged(0, 9, Bearer::Viewer)), (Ok(()), wrong.clone()));
    // What another validator judged by its own blocks has a little more.
    assert_eq!((judged(12, 0, Bearer::Validator), judged(13, 0, Bearer::Validator)), (Ok(()), wrong.clone()));
    assert_eq!((judged(0, 12, Bearer::Validator), judged(0, 13, Bearer::Validator)), (Ok(()), wrong));
}

#[test]
fn malformed_and_oversized_messages() {
    assert_eq!(ValidatorMessage::decode(&[255; 40]), None);
    // A proposal that claims four thousand million plays, in a few bytes: refused before anything is allocated for it.
    let mut bytes = vec![4];
    bytes.extend([0; 12]);
    bytes.extend([0xff; 4]);
    assert_eq!(ValidatorMessage::decode(&bytes), None);
    assert_eq!(ValidatorMessage::decode(&vec![0; crate::MESSAGE_BYTES_MAX + 1]), None);
}

#[test]
fn busy() {
    let mut village = Village::new();
    village.desks[1].plays = Plays::with_room(1);
    village.start(60, 0);
    let grant = village.grant(&key(61), 0).unwrap();
    let refused = village.request(&key(61), &grant, None).unwrap_err();
    assert_eq!(refused, Refusal::Busy { retry_ms: 14_400 });
    assert_eq!(refused.advice(), crate::Advice::TryAgain { after_ms: 14_400 });
    village.pass(92_000);
    let grant = village.grant(&key(61), 0).unwrap();
    assert!(village.request(&key(61), &grant, None).is_ok(), "nobody proved the first one: there is room again");

    village.desks[0].grants = Grants::with_room(1);
    assert!(village.grant(&key(60), 1).is_ok());
    assert_eq!(village.grant(&key(60), 2), Err(Refusal::Busy { retry_ms: 14_400 }));
}

#[test]
fn too_many_plays_of_one_account() {
    let mut village = Village::new();
    let viewer = key(60);
    let grant = village.grant(&viewer, 0).unwrap();
    let mut running = None;
    for _ in 0..plays::PLAYS_PER_ACCOUNT_MAX {
        let answer = village.request(&viewer, &grant, running).unwrap();
        let PlayOutcome::Mining(code) = answer.outcome else { panic!("unpaid: {:?}", answer.outcome) };
        running = Some(code.body.id);
    }
    let refused = village.request(&viewer, &grant, running).unwrap_err();
    assert_eq!(refused, Refusal::TooManyPlays { scope: "account", most: 64, retry_ms: 15_000 });
    let other = village.grant(&key(61), 0).unwrap();
    assert!(village.request(&key(61), &other, None).is_ok(), "nobody else is held up");
    village.pass(300_000);
    let grant = village.grant(&viewer, 0).unwrap();
    assert!(village.request(&viewer, &grant, None).is_ok());
}

#[test]
fn layers_that_nobody_registered() {
    let mut village = Village::new();
    let viewer = key(60);
    let grant = village.grant(&viewer, 0).unwrap();
    for layers in [vec![Magnet([45; 32])], vec![Magnet([45; 32]); 5]] {
        let request = PlayRequest { layers, ..village.play_request(&viewer, &grant) };
        let answer = village.request_from(Signed::new(request, &viewer), home());
        assert!(matches!(answer, Err(Refusal::Malformed { .. })));
    }
    // More than may be shown, although each of them is registered.
    village.chain.layers.insert(Magnet([45; 32]), AccountAddress([44; 20]));
    let mut ask = |count| {
        let request = PlayRequest { layers: vec![Magnet([45; 32]); count], ..village.play_request(&viewer, &grant) };
        village.request_from(Signed::new(request, &viewer), home()).map(|_| ())
    };
    assert_eq!(ask(5), Err(Refusal::Malformed { what: "too many layers" }));
    assert_eq!(ask(4), Ok(()));
}

/// A key service whose quorum answers when it is asked for the third time, or never.
struct Slow {
    keys: SharedKeys,
    asked: u32,
    readable: bool,
}

impl KeyService for Slow {
    fn view_key(
        &mut self,
        now_ms: u64,
        account: &AccountAddress,
        magnet: &Magnet,
        warrant: &crate::KeyWarrant,
    ) -> Result<chainflix_primitives::ViewKey, Refusal> {
        self.asked += 1;
        match self.asked {
            1 | 2 => Err(Refusal::KeysPending { retry_ms: 50 }),
            _ => self.keys.view_key(now_ms, account, magnet, warrant),
        }
    }

    fn view_key_at_hand(&self, _: &AccountAddress, _: &Magnet) -> Option<chainflix_primitives::ViewKey> {
        None
    }

    fn origin_key(&self, day: u64) -> OriginKey {
        self.keys.origin_key(day)
    }

    fn video_secret(
        &mut self,
        now_ms: u64,
        magnet: &Magnet,
        creator: &AccountAddress,
        sealed: &SealedKey,
        warrant: &crate::KeyWarrant,
    ) -> Result<VideoSecret, Refusal> {
        match self.readable {
            true => self.keys.video_secret(now_ms, magnet, creator, sealed, warrant),
            false => Err(Refusal::UnreadableVideo),
        }
    }

    fn hear(&mut self, _: u64, _: &AccountAddress, _: crate::KeyMessage, _: &dyn Catalogue) {}

    fn poll(&mut self) -> Option<crate::KeyMessage> {
        None
    }
}

#[test]
fn keys_pending() {
    let mut village = Village::new();
    village.desks[0].keys = Box::new(Slow { keys: SharedKeys::new(SECRET), asked: 0, readable: true });
    let pending = Refusal::KeysPending { retry_ms: 50 };
    assert_eq!(pending.advice(), crate::Advice::TryAgain { after_ms: 50 });
    assert_eq!(village.grant(&key(60), 0), Err(pending.clone()));
    assert_eq!(village.grant(&key(60), 0), Err(pending.clone()));
    let grant = village.grant(&key(60), 0).unwrap();
    village.desks[1].keys = Box::new(Slow { keys: SharedKeys::new(SECRET), asked: 0, readable: true });
    assert_eq!(village.request(&key(60), &grant, None).unwrap_err(), pending);
    assert_eq!(village.desks[1].open_plays(), 0, "nothing is begun before its keys are there");
    assert_eq!(village.request(&key(60), &grant, None).unwrap_err(), pending);
    assert!(village.request(&key(60), &grant, None).is_ok());
    assert_eq!(village.desks[1].open_plays(), 1);
}

#[test]
fn unreadable_video() {
    let mut village = Village::new();
    let grant = village.grant(&key(60), 0).unwrap();
    village.desks[1].keys = Box::new(Slow { keys: SharedKeys::new(SECRET), asked: 9, readable: false });
    assert_eq!(village.request(&key(60), &grant, None).unwrap_err(), Refusal::UnreadableVideo);
    let mut keys = SharedKeys::new(NetworkSecret::from_bytes([99; 32]));
    let sealed = village.chain.video(&FILM, 0).unwrap().sealed_secret;
    let request = Signed::new(village.play_request(&key(60), &grant), &key(60));
    let opened = keys.video_secret(0, &FILM, &CREATOR, &sealed, &crate::KeyWarrant::Play(request));
    assert_eq!(opened, Err(Refusal::UnreadableVideo));
}
