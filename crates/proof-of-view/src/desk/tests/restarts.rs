//! A validator that dies and is told its notes again is the validator it was.

use super::*;
use crate::{Note, Notes, RefusedPlay};

/// What validators have written down.
#[derive(Default)]
struct Journals {
    notes: [Vec<Note>; 4],
    refused: [Vec<RefusedPlay>; 4],
}

impl Journals {
    /// Every validator writes down what it has to: before anybody hears of it.
    fn write(&mut self, village: &mut Village) {
        for (number, desk) in village.desks.iter_mut().enumerate() {
            let diary = desk.take_diary(village.now_ms);
            let notes = Notes::read(diary.notes.as_bytes(), diary.notes.count());
            self.notes[number].extend(notes.map(Result::unwrap));
            self.refused[number].extend(diary.refused);
        }
    }

    /// A validator dies, and comes back from what it wrote down.
    fn kill(&mut self, village: &mut Village, number: usize) {
        self.write(village);
        let me = key(100 + number as u8);
        let mut desk = Desk::new(village.genesis.clone(), me, Box::new(SharedKeys::new(SECRET))).unwrap();
        let mut replay = desk.replay();
        for note in self.notes[number].clone() {
            replay.tell(note, &village.ledger, &village.chain);
        }
        replay.end(self.refused[number].clone(), &village.ledger, |play| settled(village, play));
        desk.finalized(village.now_ms, village.block);
        assert!(desk.take_diary(village.now_ms).is_empty(), "nothing is written down twice");
        village.desks[number] = desk;
    }

    fn kill_all(&mut self, village: &mut Village) {
        (0..4).for_each(|number| self.kill(village, number));
    }
}

/// What the ledger's store knows of a play.
fn settled(village: &Village, play: &PlayId) -> Option<PlayStatus> {
    let made = village.made.iter().find(|made| made.accepted.iter().any(|accepted| accepted.play == *play))?;
    let awarded = village.awarded.iter().find(|awarded| awarded.view_block == made.view_block)?;
    Some(match awarded.voided.iter().any(|voided| voided.play == *play) {
        true => PlayStatus::Refused(Refusal::Voided),
        false => PlayStatus::Accepted { view_block: made.view_block },
    })
}

fn audited() -> Village {
    let audit = AuditParams { share_permille: 1000, ..AuditParams::default() };
    Village::audited(ProtocolParams { audit, ..Default::default() })
}

/// A minute from grant to coin, with a hook at every moment between two steps.
fn minute(village: &mut Village, mut moment: impl FnMut(&mut Village)) -> Playing {
    let viewer = key(60);
    let grant = village.grant(&viewer, 0).unwrap();
    moment(village);
    let answer = village.request(&viewer, &grant, None).unwrap();
    let playing = village.playing(viewer, grant, answer);
    moment(village);
    let mut watching = village.begin(&playing);
    village.advance(&playing, &mut watching, 0, 30_000);
    moment(village);
    village.receipt(&playing, &playing.viewer, Digest([13; 32])).unwrap();
    moment(village);
    village.receipt(&playing, &key(50), Digest([13; 32])).unwrap();
    village.advance(&playing, &mut watching, 30_000, 60_000);
    moment(village);
    let data = village.finish(&playing, watching);
    village.prove(&playing, data).unwrap();
    for _ in 0..50 {
        moment(village);
        village.pass(400);
    }
    let opening = village.openings[&playing.code.id].clone();
    village.open(2, opening).unwrap();
    for _ in 0..10 {
        moment(village);
        village.pass(400);
    }
    playing
}

/// All look at the clock and the ledger.
fn tick(village: &mut Village) {
    let Village { now_ms, ref mut desks, ref ledger, ref chain, .. } = *village;
    desks.iter_mut().for_each(|desk| desk.tick(now_ms, ledger, chain));
}

/// How a play stands, but for the time that is left to open it: a validator that was away gives it anew.
fn statuses(village: &Village, play: &PlayId) -> Vec<Option<PlayStatus>> {
    let timeless = |status| match status {
        PlayStatus::Auditing { view_block, .. } => PlayStatus::Auditing { view_block, until_ms: 0 },
        status => status,
    };
    village.statuses(play).into_iter().map(|status| status.map(timeless)).collect()
}

/// How many moments a minute has.
const MOMENTS: usize = 65;

#[test]
fn whenever_everybody_dies_a_play_is_paid_once() {
    for wanted in 0..MOMENTS {
        let (mut village, mut journals, mut now) = (audited(), Journals::default(), 0);
        let playing = minute(&mut village, |village| {
            if now == wanted {
                let known: Vec<_> = village.desks.iter().flat_map(|desk| desk.plays.ids().copied()).collect();
                tick(village);
                let before: Vec<_> = known.iter().map(|play| statuses(village, play)).collect();
                journals.kill_all(village);
                tick(village);
                let after: Vec<_> = known.iter().map(|play| statuses(village, play)).collect();
                assert_eq!(before, after, "at moment {wanted}");
            }
            now += 1;
        });
        assert_eq!(now, MOMENTS);
        let statuses = village.statuses(&playing.code.id);
        assert_eq!(statuses, vec![Some(PlayStatus::Accepted { view_block: 1 }); 4], "killed at moment {wanted}");
        assert_eq!((village.made.len(), village.awarded.len()), (1, 1));
        assert_eq!(village.paid(&playing.viewer.address()), 27_000_000_000);
        assert_eq!(village.ledger.head().issued_gwei, 90_000_000_000);
    }
}

#[test]
fn a_paid_play_is_not_listed_again_in_the_next_period() {
    // What was mined is forgotten with the period: only what the store says of the play keeps it from being listed again.
    let params = ProtocolParams { period_view_blocks: 1, ..Default::default() };
    let (mut village, mut journals) = (Village::with(params), Journals::default());
    let playing = village.view(60, 0);
    village.pass(20_000);
    assert_eq!(village.made.len(), 1);
    journals.kill_all(&mut village);
    village.pass(200_000);
    assert_eq!(village.made.len(), 1);
    assert_eq!(village.paid(&playing.viewer.address()), 27_000_000_000);
}

/// Everything that validator `number` says until `ms` have passed, the others being silent.
fn said_by(village: &mut Village, number: usize, ms: u64) -> Vec<ValidatorMessage> {
    let mut said = Vec::new();
    for _ in 0..ms / 200 {
        village.now_ms += 200;
        let Village { now_ms, ref ledger, ref chain, .. } = *village;
        village.desks[number].tick(now_ms, ledger, chain);
        said.extend(std::iter::from_fn(|| village.desks[number].poll()));
    }
    said
}

fn votes(said: &[ValidatorMessage]) -> Vec<ValidatorMessage> {
    let is_vote =
        |message: &&ValidatorMessage| matches!(message, ValidatorMessage::Vote(_) | ValidatorMessage::AuditVote(_));
    said.iter().filter(is_vote).cloned().collect()
}

#[test]
fn a_vote_is_never_given_twice_differently() {
    let (mut village, mut journals) = (Village::new(), Journals::default());
    village.view(60, 0);
    let slot = village.slot();
    let proposer = crate::ledger::proposer(&village.genesis, slot, 0);
    let first = votes(&said_by(&mut village, proposer, 20_000));
    assert_eq!(first.len(), 1, "it proposes and votes");
    // It thinks otherwise now, and would vote against the play.
    village.chain.taken_down = true;
    journals.kill(&mut village, proposer);
    let again = votes(&said_by(&mut village, proposer, 1_000));
    assert!(again.iter().all(|vote| *vote == first[0]), "{again:?}");
}

#[test]
fn an_audit_vote_is_never_given_twice_differently() {
    let (mut village, mut journals) = (audited(), Journals::default());
    let playing = village.view(60, 0);
    while !matches!(village.desks[0].status(&playing.code.id), Some(PlayStatus::Auditing { .. })) {
        village.pass(200);
    }
    // Nobody opens anything: it votes when the time is over.
    let first = votes(&said_by(&mut village, 0, 40_000));
    assert_eq!(first[0], *first.last().unwrap(), "it says the same again after a slot");
    journals.kill(&mut village, 0);
    let opening = village.openings[&playing.code.id].clone();
    assert_eq!(village.open(0, opening), Err(Refusal::NotAudited), "it has voted");
    let again = votes(&said_by(&mut village, 0, 20_000));
    assert!(!again.is_empty() && again.iter().all(|vote| *vote == first[0]), "{again:?}");
}

#[test]
fn what_was_accepted_and_not_passed_on_is_passed_on_after_the_restart() {
    let (mut village, mut journals) = (Village::new(), Journals::default());
    let playing = village.start(60, 0);
    village.receipts(&playing);
    let data = village.watch(&playing);
    village.prove_at(3, Signed::new(data, &playing.viewer)).unwrap();
    journals.kill(&mut village, 3);
    village.gossip();
    assert_eq!(village.statuses(&playing.code.id), vec![Some(PlayStatus::Proved); 4]);
}

#[test]
fn what_was_said_in_the_last_five_seconds_is_said_again() {
    for (ago_ms, again) in [(5_000, 2), (5_001, 1)] {
        let mut village = Village::new();
        let viewer = key(60);
        let first = village.grant(&viewer, 0).unwrap();
        village.now_ms += ago_ms;
        village.grant(&viewer, 1).unwrap();
        let mut journals = Journals::default();
        journals.kill(&mut village, 0);
        let said = village.said();
        assert_eq!(said.len(), again, "{ago_ms} ms before the last word");
        let is_first =
            |message: &ValidatorMessage| matches!(message, ValidatorMessage::Grant(grant) if grant.body == first);
        assert_eq!(said.iter().any(|(_, message)| is_first(message)), again == 2);
    }
}

#[test]
fn an_account_is_told_of_its_open_plays() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.start(61, 0);
    let of = |village: &Village, viewer: u8| {
        let account = key(viewer).address();
        village.desks[0].plays_of(&account).map(|(code, status)| (code.id, status)).collect::<Vec<_>>()
    };
    assert_eq!(of(&village, 60), [(playing.code.id, PlayStatus::Running)]);
    assert_eq!((of(&village, 62), village.desks[0].open_plays()), (vec![], 2));
}

#[test]
fn a_refusal_stays_what_it_was() {
    let (mut village, mut journals) = (Village::new(), Journals::default());
    let playing = village.start(60, 0);
    village.receipts(&playing);
    let data = village.watch_at_once(&playing);
    let refusal = village.prove(&playing, data.clone()).unwrap_err();
    assert!(matches!(refusal, Refusal::TooEarly { .. }));
    let before = village.statuses(&playing.code.id);
    journals.kill_all(&mut village);
    assert_eq!(village.statuses(&playing.code.id), before, "with its numbers");
    assert_eq!(village.prove(&playing, data), Err(refusal));
    let noted = &journals.refused[3][0];
    assert_eq!((noted.account, noted.play), (playing.viewer.address(), Some(playing.code.id)));
    assert_eq!((noted.magnet, noted.cell_index, noted.at_ms), (FILM, 0, village.now_ms));
}

#[test]
fn a_wish_that_is_watched_unpaid_is_noted() {
    let (mut village, mut journals) = (Village::new(), Journals::default());
    village.start(60, 0);
    let viewer = key(60);
    let grant = village.grant(&viewer, 1).unwrap();
    let answer = village.request(&viewer, &grant, None).unwrap();
    assert!(matches!(answer.outcome, PlayOutcome::Unpaid(_)));
    journals.write(&mut village);
    let noted = &journals.refused[1];
    assert_eq!(noted.len(), 1);
    assert_eq!((noted[0].play, noted[0].refusal.code(), noted[0].cell_index), (None, "overlapping", 1));
}

#[test]
fn where_a_play_comes_from_is_not_written_down() {
    let (mut village, mut journals) = (Village::new(), Journals::default());
    let viewer = key(60);
    let grant = village.grant(&viewer, 0).unwrap();
    let request = Signed::new(village.play_request(&viewer, &grant), &viewer);
    village.request_of(1, request, "2001:db8:1:2:3:4:5:6".parse().unwrap()).unwrap();
    let said = village.said();
    let tags = said.iter().find_map(|(_, message)| match message {
        ValidatorMessage::Play { origin, .. } => Some(*origin),
        _ => None,
    });
    let tags = tags.unwrap();
    assert_ne!(tags, OriginTag::UNKNOWN);
    village.hear(0, 1, &said[0].1);
    journals.write(&mut village);
    for notes in &journals.notes {
        let bytes = borsh::to_vec(notes).unwrap();
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(!holds(&tags.home) && !holds(&tags.network));
        assert!(!holds(&[0x20, 0x01, 0x0d, 0xb8]));
    }
    assert_eq!(
        journals.notes.iter().filter(|notes| notes.len() == 2).count(),
        2,
        "issuer and listener have a note of it"
    );
}
