//! Each refusal of the protocol page, by name.

use super::*;
use chainflix_primitives::Digest;

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
        magnet: Magnet([3; 32]),
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
    assert_eq!(village.grant(&key(60), 3), Err(Refusal::UnknownCell { index: 3 }));
}

#[test]
fn taken_down_stops_grants_playcodes_and_votes() {
    let (mut village, playing, data) = watched();
    village.prove(&playing, data).unwrap();
    village.chain.taken_down = true;
    assert_eq!(village.grant(&key(61), 1), Err(Refusal::TakenDown));
    assert_eq!(village.request(&playing.viewer, &playing.grant, None).unwrap_err(), Refusal::TakenDown);
    village.pass(40_000);
    assert!(village.settlements.is_empty());
}

#[test]
fn no_source() {
    let mut village = Village::new();
    let request = GrantRequest { excluded: vec![NodeId([50; 32])], ..grant_request(&village) };
    assert_eq!(village.grant_as(Signed::new(request, &key(60))), Err(Refusal::NoSource));
}

#[test]
fn bad_signature() {
    let (mut village, _playing, data) = watched();
    let request = grant_request(&village);
    assert_eq!(village.grant_as(Signed::new(request, &key(61))), Err(Refusal::BadSignature));
    let mut proof = Signed::new(data, &key(60));
    proof.signature.0[64] = 9;
    let ledger = village.ledger.clone();
    assert_eq!(village.desks[0].prove(village.now_ms, proof, &ledger), Err(Refusal::BadSignature));
}

#[test]
fn stale_request() {
    let mut village = Village::new();
    let request = GrantRequest { requested_ms: village.now_ms - 200_000, ..grant_request(&village) };
    assert_eq!(village.grant_as(Signed::new(request, &key(60))), Err(Refusal::StaleRequest { age_ms: 200_000 }));
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
}

#[test]
fn too_many_plays_of_one_home_and_network() {
    let mut village = Village::with(ProtocolParams { plays_per_home: 2, plays_per_network: 3, ..Default::default() });
    let mut ask = |viewer: u8, from: &str| {
        let viewer = key(viewer);
        let grant = village.grant(&viewer, 0).unwrap();
        village.request_from(&viewer, &grant, None, from.parse().unwrap()).map(|_| ())
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

#[test]
fn a_play_that_nobody_proves_stops_counting() {
    let mut village = Village::with(ProtocolParams { plays_per_home: 1, ..Default::default() });
    village.start(60, 0);
    let viewer = key(61);
    let grant = village.grant(&viewer, 0).unwrap();
    assert!(village.request(&viewer, &grant, None).is_err());
    village.pass(91_000);
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
    assert_eq!(village.settlements.len(), 1);
    assert_eq!(again(&mut village), PlayOutcome::Unpaid("already-mined".into()));
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
    assert!(village.desks.iter().all(|desk| desk.status(&playing.code.id) == Some(&PlayStatus::Running)));
}

#[test]
fn unknown_and_foreign_grants() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    let mut grant = playing.grant.clone();
    grant.id = GrantId([0; 16]);
    assert_eq!(village.request(&key(60), &grant, None).unwrap_err(), Refusal::UnknownGrant);
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

#[test]
fn too_early() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.receipts(&playing);
    village.pass(59_600);
    let data = PlayData {
        play: playing.code.id,
        slot: village.genesis.params.slot_at(START_MS, village.now_ms),
        download_key: playing.key.id(),
        hash: Digest([0; 32]),
        point_blocks: vec![1; 6],
        nonce: 0,
    };
    assert_eq!(village.prove(&playing, data.clone()), Err(Refusal::TooEarly { early_ms: 400 }));
    village.pass(1_000);
    assert!(matches!(village.prove(&playing, data), Err(Refusal::TooEarly { .. })), "a refusal is final");
}

#[test]
fn too_late() {
    let (mut village, playing, mut data) = watched();
    village.pass(30_000);
    data.slot = village.genesis.params.slot_at(START_MS, village.now_ms);
    assert_eq!(village.prove(&playing, data.clone()), Ok(()), "one and a half times is allowed");
    let (mut village, playing, _) = watched();
    village.pass(30_200);
    assert!(matches!(village.prove(&playing, data), Err(Refusal::TooLate { late_ms: 200 })));
}

#[test]
fn wrong_nonce() {
    let (mut village, playing, mut data) = watched();
    while crate::points::nonce_is_right(&playing.code, &data.hash, data.nonce) {
        data.nonce += 1;
    }
    assert_eq!(village.prove(&playing, data), Err(Refusal::WrongNonce));
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
    data.point_blocks = vec![1; 6];
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
    village.receipt(&playing, &key(50), Digest([14; 32])).unwrap();
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
    assert_eq!(village.settlements.len(), 1);
    assert_eq!(village.prove(&playing, data), Err(Refusal::Replay));
}

#[test]
fn a_finished_slot_and_a_wrong_one() {
    let (mut village, playing, mut data) = watched();
    // Somebody else's view settles the slot this proof claims.
    let settled = data.slot;
    let head = crate::LedgerHead { last_slot: Some(settled), ..village.ledger.head().clone() };
    village.ledger = LedgerState::restore(head, [], []);
    assert_eq!(village.prove(&playing, data.clone()), Err(Refusal::SlotFinished { slot: settled }));
    let (mut village, playing, _) = watched();
    data.slot = settled + 2;
    assert_eq!(village.prove(&playing, data), Err(Refusal::WrongSlot { slot: settled + 2 }));
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
