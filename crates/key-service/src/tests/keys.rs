//! What a quorum releases, and what fewer do not.

use super::*;
use crate::{
    DealError, KeyServiceError, SHARE_BYTES,
    curve::{self, Group},
    drawn::Drawn,
    label::Label,
    open,
};
use chainflix_primitives::{NetworkKeys, NetworkSecret};
use proptest::prelude::*;

#[test]
fn any_quorum_releases_the_same_key() {
    let expected = Town::new(4, 3).view_key(0).unwrap();
    for dead in 0..4 {
        for at in (0..4).filter(|at| *at != dead) {
            let mut town = Town::new(4, 3);
            town.dead = vec![dead];
            assert_eq!(town.view_key(at).unwrap(), expected, "validator {at} without {dead}");
            assert_eq!(town.video(at, FILM).unwrap(), secret());
        }
    }
}

#[test]
fn fewer_than_a_quorum_release_nothing() {
    let mut town = Town::new(4, 3);
    town.dead = vec![2, 3];
    assert!(pending(town.view_key(0)));
    assert!(pending(town.video(0, FILM)));
    for _ in 0..20 {
        town.now_ms += 1_000;
        assert!(pending(town.view_key(0)), "however often it asks");
    }
    assert!(town.keys[0].view_key_at_hand(&viewer().address(), &FILM).is_none());
}

#[test]
fn one_round_trip_serves_a_film() {
    let mut town = Town::new(4, 3);
    let words = town.words();
    assert!(pending(town.keys[1].view_key(START_MS, &viewer().address(), &FILM, &words)));
    assert_eq!(town.carry(), 1 + 3, "one request, three answers");
    let key = town.try_view_key(1).unwrap();
    assert_eq!(town.keys[1].view_key_at_hand(&viewer().address(), &FILM), Some(key.clone()));
    for cell in 0..90 {
        town.now_ms += 60_000;
        assert_eq!(
            town.try_view_key(1).unwrap().download_key(&CellId([cell; 32])),
            key.download_key(&CellId([cell; 32]))
        );
    }
    assert_eq!(town.carry(), 0, "nobody was asked again");
    assert_eq!(town.keys[1].open_questions(), 0);
}

#[test]
fn keys_differ_by_account_and_video() {
    let mut town = Town::new(4, 3);
    let other_film = Magnet([61; 32]);
    let sealed = town.sealed(&secret(), CREATOR, other_film);
    town.films.register(other_film, CREATOR, sealed);
    let mut keys = vec![town.view_key(0).unwrap()];
    for (who, magnet) in [(account(201), FILM), (viewer(), other_film)] {
        let words = grant_words(&who, magnet, town.now_ms);
        assert!(pending(town.keys[0].view_key(town.now_ms, &who.address(), &magnet, &words)));
        town.carry();
        keys.push(town.keys[0].view_key(town.now_ms, &who.address(), &magnet, &words).unwrap());
    }
    assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2]);
}

#[test]
fn a_restart_finds_the_same_keys() {
    let mut town = Town::new(4, 3);
    let (key, opened) = (town.view_key(0).unwrap(), town.video(0, FILM).unwrap());
    town.keys[0] = town.started(0, 1);
    assert!(pending(town.try_view_key(0)), "nothing but the share is kept");
    town.carry();
    assert_eq!(town.view_key(0).unwrap(), key);
    assert_eq!(town.video(0, FILM).unwrap(), opened);
}

#[test]
fn a_validator_alone_needs_nobody() {
    let mut town = Town::new(1, 1);
    let key = town.try_view_key(0).unwrap();
    assert_eq!(town.try_view_key(0).unwrap(), key);
    assert_eq!(town.try_video(0, FILM).unwrap(), secret());
    assert_eq!(town.carry(), 0);
}

#[test]
fn a_copied_or_bent_box_opens_for_nobody() {
    let mut town = Town::new(4, 3);
    let sealed = town.films.0[&FILM].sealed_secret;
    let (thief, copy) = (AccountAddress([51; 20]), Magnet([61; 32]));
    town.films.register(copy, thief, sealed);
    assert_eq!(town.video(0, copy), Err(Refusal::UnreadableVideo));
    let again = Magnet([62; 32]);
    town.films.register(again, CREATOR, sealed);
    assert_eq!(town.video(1, again), Err(Refusal::UnreadableVideo), "its own creator's other video");
    for byte in [0, 20, 47, 48, 79] {
        let mut bent = sealed;
        bent.0[byte] ^= 1;
        let record = Magnet([byte as u8; 32]);
        town.films.register(record, CREATOR, bent);
        assert_eq!(town.video(2, record), Err(Refusal::UnreadableVideo), "byte {byte}");
    }
    assert_eq!(town.try_video(0, copy), Err(Refusal::UnreadableVideo), "remembered");
    assert_eq!(town.video(3, FILM), Ok(secret()), "and the original opens");
}

#[test]
fn an_answer_is_for_who_asked() {
    let mut town = Town::new(4, 3);
    assert!(pending(town.try_view_key(0)));
    assert!(pending(town.try_view_key(1)));
    let requests = town.said();
    requests.iter().for_each(|(from, message)| town.deliver(*from, message));
    // Validator 1 hears only what is for validator 0: it has the labels, and cannot open the signatures.
    for (from, message) in town.said() {
        let Message::Answer(mut answer) = decoded(&message) else { panic!("no answer") };
        if answer.to == 0 {
            answer.to = 1;
            town.deliver(from, &Message::Answer(answer).encode());
        }
    }
    assert!(pending(town.try_view_key(1)));
    assert_eq!((0..4).map(|liar| town.keys[1].wrong_answers(&town.account(liar))).sum::<u64>(), 0, "nobody lied");
}

#[test]
fn the_right_file_starts_the_right_service() {
    let dealt = dealing(4, 3);
    let genesis = genesis(&dealt);
    let me = genesis.validators[2].account;
    let file = |number: usize| dealt.shares[number].to_bytes();
    assert!(open(&genesis, &me, &file(2)[..], [1; 32]).is_ok());
    let error = |account: &AccountAddress, file: &[u8]| open(&genesis, account, file, [1; 32]).err();
    assert_eq!(error(&me, &file(1)[..]), Some(KeyServiceError::OtherShare { validator: 2 }));
    assert_eq!(error(&me, &[1; 32]), Some(KeyServiceError::Length { bytes: 32, expected: SHARE_BYTES }));
    assert_eq!(error(&me, &[0; SHARE_BYTES]), Some(KeyServiceError::OtherNetwork), "zero is no share");
    assert_eq!(error(&CREATOR, &file(2)[..]), Some(KeyServiceError::NotAValidator { account: CREATOR }));

    let secret = NetworkSecret::from_bytes([5; 32]);
    let mut shared = (*genesis).clone();
    shared.keys = NetworkKeys::Shared { box_key: secret.box_key().public_key() };
    let shared = Arc::new(shared);
    let mut service = open(&shared, &me, secret.expose(), [1; 32]).unwrap();
    let words = grant_words(&viewer(), FILM, START_MS);
    let key = service.view_key(START_MS, &viewer().address(), &FILM, &words).unwrap();
    assert_eq!(key, secret.view_key(&viewer().address(), &FILM));
    let sealed = seal_video_secret(&shared.keys, &CREATOR, &FILM, &super::secret(), [4; 32]).unwrap();
    assert_eq!(service.video_secret(START_MS, &FILM, &CREATOR, &sealed, &words), Ok(super::secret()));
    let thief = service.video_secret(START_MS, &FILM, &AccountAddress([1; 20]), &sealed, &words);
    assert_ne!(thief, Ok(super::secret()), "bound to its creator in this mode too");
    assert_eq!(open(&shared, &me, &[6; 32], [1; 32]).err(), Some(KeyServiceError::OtherNetwork));

    let mut broken = (*genesis).clone();
    if let NetworkKeys::Threshold { commitment } = &mut broken.keys {
        commitment[1].0 = [0; 48];
    }
    let refused = open(&Arc::new(broken), &me, &file(2)[..], [1; 32]).err();
    assert_eq!(refused, Some(KeyServiceError::NoPoint { index: 1 }));
}

#[test]
fn tags_are_the_same_everywhere_and_new_every_day() {
    let town = Town::new(4, 3);
    assert_eq!(town.keys[0].origin_key(7), town.keys[3].origin_key(7));
    assert_ne!(town.keys[0].origin_key(7), town.keys[0].origin_key(8));
}

#[test]
fn an_impossible_quorum_is_not_dealt() {
    for quorum in [0, 2, 5] {
        assert_eq!(deal(4, quorum, &[1; 32]).err(), Some(DealError { quorum, validators: 4, least: 3 }));
    }
    assert_eq!(deal(4, 4, &[1; 32]).unwrap().shares.len(), 4);
}

#[test]
fn secrets_do_not_print() {
    let dealt = dealing(4, 3);
    let town = Town::new(4, 3);
    let printed = format!("{:?} {:?}", dealt.shares[0], town.keys[0]);
    assert_eq!(printed, "KeyShare(secret) ThresholdKeys { validator: 0, quorum: 3, open_questions: 0, .. }");
    let bytes = dealt.shares[0].to_bytes();
    assert!(!format!("{dealt:?}").contains(&format!("{:?}", &bytes[..4])));
}

#[test]
fn shares_survive_their_file() {
    let dealt = dealing(4, 3);
    let bytes = dealt.shares[1].to_bytes();
    assert_eq!(*KeyShare::from_bytes(&bytes).unwrap().to_bytes(), *bytes);
}

proptest! {
    // Each case signs and pairs for milliseconds.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_quorum_joins_to_one_signature(validators in 1usize..8, seed: [u8; 32], order: u64) {
        let quorum = NetworkKeys::quorum_least(validators);
        let dealt = deal(validators, quorum, &seed).unwrap();
        let NetworkKeys::Threshold { commitment } = &dealt.keys else { unreachable!() };
        let group = Group::new(commitment, validators).unwrap();
        let label = Label::View { account: AccountAddress([1; 20]), magnet: FILM };
        let mut partials: Vec<_> =
            dealt.shares.iter().enumerate().map(|(number, share)| curve::sign(number, share, &label)).collect();
        prop_assert!(dealt.shares.iter().enumerate().all(|(number, share)| group.owns(number, share)));
        let joined = |some: &[curve::Partial]| group.join(some).map(|released| released.derive("test"));
        let expected = joined(&partials);
        prop_assert!(expected.is_some());
        // Another subset in another order.
        partials.rotate_left((order % validators as u64) as usize);
        prop_assert_eq!(joined(&partials[..quorum]), expected);
        prop_assert!(joined(&partials[..quorum - 1]).is_none());
        let mut draws = Drawn::new("test", &seed);
        prop_assert!(group.wrong(&mut draws, &label, &partials).is_empty());
        let other = Label::Video { creator: AccountAddress([1; 20]), magnet: FILM };
        prop_assert_eq!(group.wrong(&mut draws, &other, &partials).len(), validators);
    }
}

/// Every derivation, as bytes: whoever writes a second implementation, or changes this one, compares here.
#[test]
fn the_same_seed_gives_the_same_bytes() {
    let mut town = Town::new(4, 3);
    let NetworkKeys::Threshold { commitment } = &town.genesis.keys else { unreachable!() };
    let (public, last) = (commitment[0], commitment[2]);
    let share = town.shares[3].clone();
    let label = Label::View { account: viewer().address(), magnet: FILM };
    let partial = curve::partial_to_bytes(&curve::sign(3, &share, &label));
    let sealed = town.films.0[&FILM].sealed_secret.0;
    let (view_key, tag_key) = (town.view_key(0).unwrap(), town.keys[0].origin_key(7));
    let found: [&[u8]; 8] = [
        &public.0,
        &last.0,
        &share.to_bytes()[..],
        &partial[..],
        &sealed[..48],
        &sealed[48..],
        view_key.expose(),
        tag_key.expose(),
    ];
    let found = found.map(|bytes| bytes[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let expected = [
        "a7059728627b4ab4",
        "8da7dbbb0c72fd27",
        "20854c6dcd590f1f",
        "987300f99ed13c1b",
        "8baed958fabe7883",
        "e828eb3951821be4",
        "2de24355e943a919",
        "4b52de27f1b52dab",
    ];
    assert_eq!(found, expected);
}
