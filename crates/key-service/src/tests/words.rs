//! No key without the viewer's own words about that key.

use super::*;
use crate::{label::Label, warrant::Unfounded, wire::Request};
use chainflix_primitives::Signature;

const LIFE_MS: u64 = 180_000;

fn view() -> Label {
    Label::View { account: viewer().address(), magnet: FILM }
}

fn video() -> Label {
    Label::Video { creator: CREATOR, magnet: FILM }
}

/// What validator 1 answers when validator 0 asks for `label` with these words.
fn asked(town: &mut Town, label: Label, warrant: KeyWarrant) -> Result<(), Unfounded> {
    let request = Request { label, reply_to: BoxPublicKey([1; 32]), warrant };
    let heard = {
        let Town { keys, films, now_ms, .. } = town;
        crate::warrant::check(*now_ms, LIFE_MS, &request.warrant, &request.label, films).map(|()| keys.len())
    };
    let asker = town.account(0);
    town.keys[1].hear(town.now_ms, &asker, Message::Request(Box::new(request)).encode(), &town.films);
    assert_eq!(town.keys[1].poll().is_some(), heard.is_ok(), "it answers exactly when the words are good");
    heard.map(|_| ())
}

#[test]
fn the_viewers_words_release_its_own_keys() {
    let mut town = Town::new(4, 3);
    for words in [grant_words(&viewer(), FILM, START_MS), play_words(&viewer(), FILM, 89, START_MS)] {
        assert_eq!(asked(&mut town, view(), words.clone()), Ok(()));
        assert_eq!(asked(&mut town, video(), words), Ok(()));
    }
}

#[test]
fn words_about_something_else_release_nothing() {
    let mut town = Town::new(4, 3);
    let other_film = Magnet([61; 32]);
    let sealed = town.sealed(&secret(), CREATOR, other_film);
    town.films.register(other_film, CREATOR, sealed);
    let words = grant_words(&viewer(), other_film, START_MS);
    assert_eq!(asked(&mut town, view(), words.clone()), Err(Unfounded::OtherVideo));
    assert_eq!(asked(&mut town, video(), words), Err(Unfounded::OtherVideo));
    let words = grant_words(&account(201), FILM, START_MS);
    assert_eq!(asked(&mut town, view(), words), Err(Unfounded::OtherAccount));
    let label = Label::Video { creator: AccountAddress([51; 20]), magnet: FILM };
    let words = grant_words(&viewer(), FILM, START_MS);
    assert_eq!(asked(&mut town, label, words), Err(Unfounded::OtherCreator));
}

#[test]
fn old_and_forged_words_release_nothing() {
    let mut town = Town::new(4, 3);
    for age_ms in [LIFE_MS + 1, 10 * LIFE_MS] {
        let words = grant_words(&viewer(), FILM, START_MS - age_ms);
        assert_eq!(asked(&mut town, view(), words), Err(Unfounded::Stale { age_ms }));
        let words = play_words(&viewer(), FILM, 0, START_MS + age_ms);
        assert_eq!(asked(&mut town, view(), words), Err(Unfounded::Stale { age_ms }));
    }
    let KeyWarrant::Grant(mut words) = grant_words(&viewer(), FILM, START_MS) else { unreachable!() };
    words.body.from_byte = 16_384;
    assert_eq!(asked(&mut town, view(), KeyWarrant::Grant(words.clone())), Err(Unfounded::BadSignature));
    words.signature = Signature([0; 65]);
    assert_eq!(asked(&mut town, view(), KeyWarrant::Grant(words)), Err(Unfounded::BadSignature));
}

#[test]
fn a_stopped_or_unknown_video_releases_nothing() {
    let mut town = Town::new(4, 3);
    let words = play_words(&viewer(), FILM, 90, START_MS);
    assert_eq!(asked(&mut town, video(), words), Err(Unfounded::UnknownCell { index: 90 }));
    let words = grant_words(&viewer(), FILM, START_MS);
    town.films.0.get_mut(&FILM).unwrap().taken_down = true;
    assert_eq!(asked(&mut town, view(), words.clone()), Err(Unfounded::TakenDown));
    assert_eq!(asked(&mut town, video(), words.clone()), Err(Unfounded::TakenDown));
    town.films.0.clear();
    assert_eq!(asked(&mut town, video(), words), Err(Unfounded::UnknownVideo));
}

#[test]
fn only_validators_are_answered() {
    let mut town = Town::new(4, 3);
    let warrant = grant_words(&viewer(), FILM, START_MS);
    let request = Request { label: view(), reply_to: BoxPublicKey([1; 32]), warrant };
    let message = Message::Request(Box::new(request)).encode();
    town.keys[1].hear(START_MS, &viewer().address(), message.clone(), &town.films);
    let myself = town.account(1);
    town.keys[1].hear(START_MS, &myself, message, &town.films);
    assert!(town.keys[1].poll().is_none());
}
