//! A validator that issues PlayCodes to accounts of its own, with a provider of its own: what it can get out of that.

use super::*;
use chainflix_primitives::{PlayFactors, PlayRecord, ProviderShare, SlotProposal, SlotVote};

/// The validator that cheats, and its friends.
const CHEAT: usize = 3;
const VIEWER: u8 = 60;

/// A PlayCode that the cheat signs, for whom and when it likes.
fn minted(village: &Village, id: u8, account: AccountAddress, issued_ms: u64) -> PlayCode {
    let (_, hashes) = &CELLS[0];
    let download_key = SECRET.view_key(&account, &FILM).download_key(&hashes.root()).id();
    PlayCode {
        id: PlayId([id; 16]),
        account,
        cell: hashes.root(),
        grant: GrantId([id; 16]),
        download_key,
        issued_ms,
        starts_ms: issued_ms,
        difficulty_bits: village.genesis.params.difficulty_bits,
        ..code()
    }
}

/// A proof of it whose every word is plausible.
fn proved(village: &Village, code: &PlayCode) -> PlayData {
    let hash = Digest([66; 32]);
    let nonce = crate::points::search_nonce(code, &hash, 0, 1 << 20).unwrap();
    let point_blocks = vec![village.head().0; 6];
    PlayData { play: code.id, slot: village.slot(), download_key: code.download_key, hash, point_blocks, nonce }
}

fn told(village: &mut Village, code: &PlayCode, request: Signed<PlayRequest>) {
    let code = Box::new(Signed::new(code.clone(), &key(100 + CHEAT as u8)));
    let origin = crate::OriginTag { home: [1; 8], network: [1; 8], allocation: None };
    let message = ValidatorMessage::Play { code, request: Box::new(request), origin };
    (0..4).filter(|to| *to != CHEAT).for_each(|to| village.hear(to, CHEAT, &message));
}

fn asked(code: &PlayCode, by: &AccountKey, requested_ms: u64) -> Signed<PlayRequest> {
    let request = PlayRequest {
        account: code.account,
        magnet: code.magnet,
        cell_index: code.cell_index,
        grant: code.grant,
        supersedes: None,
        layers: vec![],
        requested_ms,
    };
    Signed::new(request, by)
}

/// The cheat lists plays in a slot of its own and holds them true.
fn list(village: &mut Village, codes: &[(PlayCode, AccountKey)]) {
    let record = |(code, viewer): &(PlayCode, AccountKey)| PlayRecord {
        code: Signed::new(code.clone(), &key(100 + CHEAT as u8)),
        data: Signed::new(proved(village, code), viewer),
        providers: vec![ProviderShare { provider: key(50).address(), bytes: SIZE }],
        factors: PlayFactors::STRANGER,
        issuer: CHEAT as u16,
    };
    let mut plays: Vec<_> = codes.iter().map(record).collect();
    plays.sort_by_key(|record| record.code.body.id);
    let slot = village.slot();
    village.pass(village.genesis.params.slot_end_ms(START_MS, slot) - village.now_ms + 200);
    let attempt = (0..4).find(|attempt| crate::ledger::proposer(&village.genesis, slot, *attempt) == CHEAT).unwrap();
    let held = vec![true; plays.len()];
    let proposal = SlotProposal { slot, attempt, plays, operation: vec![] };
    let vote = SlotVote::new(slot, Digest(proposal.digest()), &held);
    let cheat = key(100 + CHEAT as u8);
    let said =
        [ValidatorMessage::Proposal(Signed::new(proposal, &cheat)), ValidatorMessage::Vote(Signed::new(vote, &cheat))];
    for message in said {
        (0..4).for_each(|to| village.hear(to, CHEAT, &message));
    }
}

#[test]
fn an_issuer_cannot_mint_views_for_itself() {
    let mut village = Village::new();
    village.pass(100_000);
    let viewer = key(VIEWER);
    // Issued, watched and proved in the past, as its own papers say. Nobody heard of it then.
    let past = minted(&village, 1, viewer.address(), village.now_ms - 61_000);
    // Told when it is over, with the time it should have been told.
    let late = minted(&village, 2, viewer.address(), village.now_ms - 60_000);
    let request = asked(&late, &viewer, village.now_ms - 60_000);
    told(&mut village, &late, request);
    // Told at once, and proved at once: the others' clocks say that no minute has passed.
    let fast = minted(&village, 3, viewer.address(), village.now_ms);
    let request = asked(&fast, &viewer, village.now_ms);
    told(&mut village, &fast, request);
    let proof = ValidatorMessage::Proof(Signed::new(proved(&village, &fast), &viewer));
    (0..3).for_each(|to| village.hear(to, CHEAT, &proof));
    for id in [past.id, late.id] {
        assert_eq!(village.statuses(&id)[..3], [None, None, None], "nobody believes its word about time");
    }
    let refused = Some(PlayStatus::Refused(Refusal::TooEarly { early_ms: 60_000 }));
    assert_eq!(village.statuses(&fast.id)[..3], [refused.clone(), refused.clone(), refused]);

    list(&mut village, &[(past, viewer.clone()), (late, viewer.clone()), (fast, viewer.clone())]);
    village.pass(60_000);
    assert!(village.made.is_empty(), "one vote of four");
    assert_eq!((village.paid(&viewer.address()), village.paid(&key(103).address())), (0, 0));
}

#[test]
fn minted_views_beside_real_ones_are_strikes_against_their_issuer() {
    let mut village = Village::new();
    let real = village.view(61, 0);
    let viewer = key(VIEWER);
    let fake = minted(&village, 1, viewer.address(), village.now_ms - 61_000);
    // A real play in the same list, as the cheat has it, so that there is a view block at all.
    let slot = village.slot();
    while village.made.is_empty() {
        village.pass(200);
        if village.slot() > slot + 1 {
            break;
        }
    }
    assert_eq!(village.made.len(), 1);
    let before = village.ledger.head().issuers.get(&(CHEAT as u16)).copied().unwrap_or_default();
    assert_eq!(before.contradicted, 0);
    let next = village.view(61, 1);
    let record = village.record_of(CHEAT, &next);
    village.list_with(&fake, &viewer, record);
    village.pass(10_000);
    assert_eq!(village.made.len(), 2);
    let after = village.ledger.head().issuers[&(CHEAT as u16)];
    assert_eq!((after.contradicted, after.strikes), (1, 1));
    assert_eq!(village.paid(&viewer.address()), 0);
    assert!(village.paid(&real.viewer.address()) > 0);
}

#[test]
fn no_validator_starts_a_play_that_nobody_asked_for() {
    let mut village = Village::new();
    let victim = key(61);
    let code = minted(&village, 1, victim.address(), village.now_ms);
    let now_ms = village.now_ms;
    let other_cell = PlayCode { cell_index: 1, ..code.clone() };
    for request in [
        asked(&code, &key(VIEWER), now_ms),
        asked(&code, &victim, now_ms - 200_000),
        asked(&other_cell, &victim, now_ms),
    ] {
        told(&mut village, &code, request);
        assert_eq!(village.desks[0].status(&code.id), None);
    }
    // What the viewer did ask for, issued once more: it neither holds up the viewer's next cell nor ends this one.
    let playing = village.start(61, 0);
    let twin = PlayCode { id: PlayId([2; 16]), grant: playing.grant.id, ..code };
    let request = asked(&twin, &victim, now_ms);
    village.pass(3_000);
    let twin = PlayCode { issued_ms: village.now_ms, starts_ms: village.now_ms + 5_000, ..twin };
    told(&mut village, &twin, request);
    assert_eq!(village.desks[1].status(&twin.id), Some(PlayStatus::Running));
    village.receipts(&playing);
    village.pass(53_000);
    let grant = village.grant(&victim, 1).unwrap();
    let answer = village.request(&victim, &grant, None).unwrap();
    assert!(matches!(answer.outcome, PlayOutcome::Mining(_)), "{:?}", answer.outcome);
    village.pass(4_000);
    let data = village.watch_at_once(&playing);
    assert_eq!(village.prove(&playing, data), Ok(()));
    village.pass(30_000);
    assert_eq!(village.made[0].accepted.len(), 1);
}

#[test]
fn play_codes_with_impossible_words_are_not_taken() {
    let mut village = Village::new();
    let viewer = key(VIEWER);
    let good = minted(&village, 1, viewer.address(), village.now_ms);
    let bends: [fn(&mut PlayCode); 7] = [
        |code| code.starts_ms += 5_001,
        |code| code.starts_ms -= 1,
        |code| (code.issued_ms, code.starts_ms) = (code.issued_ms - 5_001, code.starts_ms - 5_001),
        |code| code.size = 0,
        |code| code.difficulty_bits = 0,
        |code| code.download_key = [1; 16],
        |code| code.activators = vec![AccountAddress([1; 20])],
    ];
    for bend in bends {
        let mut code = good.clone();
        bend(&mut code);
        let request = asked(&code, &viewer, village.now_ms);
        told(&mut village, &code, request);
        assert_eq!(village.desks[0].status(&good.id), None);
    }
    let request = asked(&good, &viewer, village.now_ms);
    // Brought by another validator than the one that signed it: its word about the origin would be worth nothing.
    let code = Box::new(Signed::new(good.clone(), &key(103)));
    let origin = crate::OriginTag { home: [1; 8], network: [1; 8], allocation: None };
    let message = ValidatorMessage::Play { code, request: Box::new(request.clone()), origin };
    village.hear(0, 2, &message);
    assert_eq!(village.desks[0].status(&good.id), None);
    told(&mut village, &good, request);
    assert_eq!(village.desks[0].status(&good.id), Some(PlayStatus::Running));
}

#[test]
fn a_grant_that_no_validator_signed_is_none() {
    let mut village = Village::new();
    let grant = village.grant(&key(VIEWER), 0).unwrap();
    let mut hear = |id, signer: u8| {
        let grant = Grant { id: GrantId([id; 16]), ..grant.clone() };
        village.hear(0, 1, &ValidatorMessage::Grant(Box::new(Signed::new(grant, &key(signer)))));
        village.desks[0].grants.get(&GrantId([id; 16])).is_some()
    };
    assert!(!hear(1, 77) && !hear(1, VIEWER) && hear(1, 102));
}

#[test]
fn words_about_who_is_paid_are_the_chains() {
    let bends: [fn(&mut PlayCode); 5] = [
        |code| code.creator = AccountAddress([99; 20]),
        |code| code.supervisor = AccountAddress([99; 20]),
        |code| code.split = RewardSplit { creator: 0, viewer: 600, ..code.split },
        |code| code.play_ms = 1_000,
        |code| code.size += 1,
    ];
    for bend in bends {
        let mut village = Village::new();
        let viewer = key(VIEWER);
        let grant = village.grant(&viewer, 0).unwrap();
        let mut code = minted(&village, 1, viewer.address(), village.now_ms);
        code.grant = grant.id;
        bend(&mut code);
        let request = asked(&code, &viewer, village.now_ms);
        told(&mut village, &code, request);
        assert_eq!(village.desks[0].status(&code.id), Some(PlayStatus::Running));
        let key = SECRET.view_key(&viewer.address(), &FILM).download_key(&grant.cell);
        let playing = Playing { viewer, grant, code, key };
        village.receipts(&playing);
        village.pass(playing.code.play_ms);
        let data = proved(&village, &playing.code);
        assert_eq!(village.prove_at(0, Signed::new(data, &playing.viewer)), Ok(()), "the proof is not the place");
        village.gossip();
        village.pass(60_000);
        assert!(village.made.is_empty());
    }
}

impl Village {
    /// A play as one validator would list it.
    fn record_of(&self, validator: usize, playing: &Playing) -> PlayRecord {
        let play = self.desks[validator].plays.get(&playing.code.id).unwrap();
        PlayRecord {
            code: play.code.clone(),
            data: play.proof.clone().unwrap(),
            providers: vec![ProviderShare { provider: key(50).address(), bytes: SIZE }],
            factors: PlayFactors::STRANGER,
            issuer: play.issuer,
        }
    }

    /// The cheat lists a fake beside a real play, and votes for both.
    fn list_with(&mut self, fake: &PlayCode, viewer: &AccountKey, real: PlayRecord) {
        let cheat = key(100 + CHEAT as u8);
        let fake = PlayRecord {
            code: Signed::new(fake.clone(), &cheat),
            data: Signed::new(proved(self, fake), viewer),
            issuer: CHEAT as u16,
            ..real.clone()
        };
        let slot = self.slot();
        // Everybody else's proposals are lost.
        self.now_ms = self.genesis.params.slot_end_ms(START_MS, slot) + 200;
        let attempt = (0..4).find(|attempt| crate::ledger::proposer(&self.genesis, slot, *attempt) == CHEAT).unwrap();
        let mut plays = vec![fake, real];
        plays.sort_by_key(|record| record.code.body.id);
        let proposal = SlotProposal { slot, attempt, plays, operation: vec![] };
        let vote = SlotVote::new(slot, Digest(proposal.digest()), &[true, true]);
        let said = [
            ValidatorMessage::Proposal(Signed::new(proposal, &cheat)),
            ValidatorMessage::Vote(Signed::new(vote, &cheat)),
        ];
        for message in said {
            (0..4).for_each(|to| self.hear(to, CHEAT, &message));
        }
    }
}
