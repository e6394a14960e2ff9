//! Liars, losses, floods.

use super::*;
use crate::{
    pace::ANSWERS_AT_ONCE,
    service::{AGAIN_MS, QUESTION_LIFE_MS, QUESTIONS_MAX},
    wire::{Answer, SEALED_BYTES},
};
use proptest::prelude::*;

/// A town in which one validator signs with a share of its own making.
fn with_liar(liar: usize) -> Town {
    let mut town = Town::new(4, 3);
    let forged = deal(4, 3, &[8; 32]).unwrap().shares[liar].clone();
    town.keys[liar].replace_share(forged);
    town
}

#[test]
fn a_wrong_share_is_found_and_its_sender_named() {
    let expected = Town::new(4, 3).view_key(0).unwrap();
    for liar in 1..4 {
        let mut town = with_liar(liar);
        assert_eq!(town.view_key(0).unwrap(), expected, "the others are enough");
        let blamed: Vec<_> = (0..4).map(|number| town.keys[0].wrong_answers(&town.account(number))).collect();
        // The last one to answer is not needed any more, so nobody looks at what it said.
        assert_eq!(blamed.iter().sum::<u64>(), u64::from(liar < 3), "{blamed:?}");
        assert_eq!(blamed[liar], u64::from(liar < 3));
    }
}

#[test]
fn a_liar_and_a_dead_one_are_too_many() {
    let mut town = with_liar(1);
    town.dead = vec![3];
    assert!(pending(town.view_key(0)), "two honest ones are no quorum");
    town.now_ms += AGAIN_MS;
    assert!(pending(town.view_key(0)));
    assert_eq!(town.keys[0].wrong_answers(&town.account(1)), 1, "a known liar is not looked at again");
    // The dead one comes back: what is missing is asked of it.
    town.dead.clear();
    town.now_ms += AGAIN_MS;
    let expected = Town::new(4, 3).view_key(0).unwrap();
    assert_eq!(town.view_key(0).unwrap(), expected);
}

#[test]
fn what_is_no_signature_is_found_too() {
    let mut town = Town::new(4, 3);
    assert!(pending(town.try_view_key(0)));
    let (_, request) = town.said().remove(0);
    let Message::Request(request) = decoded(&request) else { panic!("no request") };
    let mut sealed = [0; SEALED_BYTES];
    sealed.copy_from_slice(&request.reply_to.seal_bytes(&[1; 96], [2; 32]));
    town.deliver(1, &Message::Answer(Answer { to: 0, label: request.label, sealed }).encode());
    assert_eq!(town.keys[0].wrong_answers(&town.account(1)), 1);
}

#[test]
fn what_is_lost_is_asked_for_again() {
    let mut town = Town::new(4, 3);
    assert!(pending(town.try_view_key(0)));
    town.said();
    town.now_ms += AGAIN_MS - 1;
    assert!(pending(town.try_view_key(0)));
    assert!(town.said().is_empty(), "not sooner");
    town.now_ms += 1;
    assert!(town.view_key(0).is_ok());
}

#[test]
fn answers_to_the_process_before_are_nobodys_fault() {
    let mut town = Town::new(4, 3);
    assert!(pending(town.try_view_key(0)));
    let requests = town.said();
    requests.iter().for_each(|(from, message)| town.deliver(*from, message));
    let late = town.said();
    town.keys[0] = town.started(0, 1);
    assert!(pending(town.try_view_key(0)));
    late.iter().for_each(|(from, message)| town.deliver(*from, message));
    assert_eq!((0..4).map(|number| town.keys[0].wrong_answers(&town.account(number))).sum::<u64>(), 0);
    town.carry();
    assert!(town.try_view_key(0).is_ok());
}

#[test]
fn questions_are_bounded_and_forgotten() {
    let mut town = Town::new(4, 3);
    town.dead = vec![1, 2, 3];
    let ask = |town: &mut Town, number: usize| {
        let mut who = [0; 20];
        who[..8].copy_from_slice(&number.to_le_bytes());
        let words = town.words();
        town.keys[0].view_key(town.now_ms, &AccountAddress(who), &FILM, &words)
    };
    for number in 0..QUESTIONS_MAX {
        assert!(pending(ask(&mut town, number)));
    }
    assert!(matches!(ask(&mut town, QUESTIONS_MAX), Err(Refusal::Busy { .. })));
    town.now_ms += QUESTION_LIFE_MS;
    assert!(pending(ask(&mut town, QUESTIONS_MAX)));
    assert_eq!(town.keys[0].open_questions(), 1);
}

#[test]
fn who_asks_too_often_waits() {
    let mut town = Town::new(4, 3);
    assert!(pending(town.try_view_key(0)));
    let (_, request) = town.said().remove(0);
    let asker = town.account(0);
    // Words that are refused cost a token as well, and no signature.
    let Message::Request(mut worthless) = decoded(&request) else { panic!("no request") };
    worthless.warrant = grant_words(&viewer(), Magnet([99; 32]), START_MS);
    let worthless = Message::Request(worthless).encode();
    for _ in 0..ANSWERS_AT_ONCE {
        town.keys[1].hear(START_MS, &asker, worthless.clone(), &town.films);
    }
    town.keys[1].hear(START_MS, &asker, request.clone(), &town.films);
    assert!(town.keys[1].poll().is_none(), "nothing is left");
    town.keys[1].hear(START_MS, &town.genesis.validators[2].account, request.clone(), &town.films);
    assert!(town.keys[1].poll().is_some(), "each has a bucket of its own");
    town.keys[1].hear(START_MS + 1_000, &asker, request, &town.films);
    assert!(town.keys[1].poll().is_some());
}

#[test]
fn rubbish_is_not_read() {
    let mut town = Town::new(4, 3);
    for bytes in [vec![], vec![0; 4], vec![7; 100], vec![0; 100_000]] {
        town.deliver(1, &KeyMessage(bytes));
    }
    assert!(town.said().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any order, loss and repetition, and one validator that lies: what is released is right.
    #[test]
    fn whatever_happens_to_messages_a_released_key_is_right(choices in prop::collection::vec(any::<u8>(), 40)) {
        let mut town = with_liar(2);
        let mut wire: Vec<(usize, KeyMessage)> = Vec::new();
        for choice in &choices {
            // The honest ask; the liar's own keys are its own affair.
            let at = [0, 1, 3][usize::from(choice % 3)];
            let _answered_or_not = town.try_view_key(at);
            wire.extend(town.said());
            town.now_ms += u64::from(*choice);
            if wire.is_empty() {
                continue;
            }
            let picked = usize::from(choice >> 2) % wire.len();
            let (from, message) = if choice & 2 == 0 { wire.swap_remove(picked) } else { wire[picked].clone() };
            if choice & 64 == 0 {
                town.deliver(from, &message);
            }
        }
        wire.extend(town.said());
        wire.iter().for_each(|(from, message)| town.deliver(*from, message));
        town.now_ms += AGAIN_MS;
        let expected = Town::new(4, 3).view_key(0).unwrap();
        for at in [0, 1, 3] {
            prop_assert_eq!(town.view_key(at).unwrap(), expected.clone());
            for honest in [0, 1, 3] {
                prop_assert_eq!(town.keys[at].wrong_answers(&town.account(honest)), 0);
            }
        }
    }
}
