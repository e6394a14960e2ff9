//! From a proof to coins: slots, votes, factors, conservation.

use super::*;
use chainflix_primitives::WeightParams;

#[test]
fn a_watched_minute_pays_ninety_coins_and_an_idle_network_none() {
    let mut village = Village::new();
    village.pass(40_000);
    assert!(village.made.is_empty(), "no viewers, no coins");

    let playing = village.view(60, 0);
    village.pass(30_000);

    assert_eq!((village.made.len(), village.awarded.len()), (1, 1));
    let awards = &village.awarded[0].paid.credits;
    assert_eq!(awards.iter().map(|credit| credit.gwei).sum::<u64>(), 90_000_000_000);
    assert_eq!(village.paid(&playing.viewer.address()), 27_000_000_000);
    assert_eq!(village.paid(&key(50).address()), 13_500_000_000);
    assert_eq!(village.paid(&AccountAddress([8; 20])), 2_700_000_000);
    for validator in 100..104 {
        assert_eq!(village.paid(&key(validator).address()), 1_800_000_000, "four votes share 7.2 CFX");
    }
    for desk in &village.desks {
        assert_eq!(desk.status(&playing.code.id), Some(PlayStatus::Accepted { view_block: 1 }));
        assert_eq!(desk.open_plays(), 0);
    }
}

#[test]
fn a_play_is_pending_between_its_vote_and_its_award() {
    let mut village = Village::new();
    let playing = village.view(60, 0);
    while village.made.is_empty() {
        village.pass(200);
    }
    assert_eq!(village.statuses(&playing.code.id), vec![Some(PlayStatus::Pending { view_block: 1 }); 4]);
    assert_eq!(village.paid(&playing.viewer.address()), 0);
    village.pass(4_000);
    assert_eq!(village.statuses(&playing.code.id), vec![Some(PlayStatus::Accepted { view_block: 1 }); 4]);
}

#[test]
fn a_film_runs_on_without_a_gap() {
    let mut village = Village::new();
    let first = village.start(60, 0);
    village.receipts(&first);
    // The next PlayCode is asked for four seconds before the running cell ends: its minute starts when that one ends.
    let viewer = key(60);
    let mut watching = village.begin(&first);
    village.advance(&first, &mut watching, 0, 56_000);
    let grant = village.grant(&viewer, 1).unwrap();
    let answer = village.request(&viewer, &grant, None).unwrap();
    let second = village.playing(viewer, grant, answer);
    assert_eq!(second.code.starts_ms, first.code.ends_ms());
    let starts = village.desks.iter().map(|desk| desk.plays.get(&second.code.id).unwrap().starts_ms);
    assert!(starts.eq([second.code.starts_ms; 4]), "and by the clocks of all");
    village.advance(&first, &mut watching, 56_000, 60_000);
    let data = village.finish(&first, watching);
    assert_eq!(village.prove(&first, data), Ok(()));
    village.receipts(&second);
    let data = village.watch(&second);
    assert_eq!(village.prove(&second, data), Ok(()));
    village.pass(30_000);
    assert_eq!(village.ledger.head().view_blocks, 2);
    assert_eq!(village.ledger.head().issued_gwei, 180_000_000_000);
}

#[test]
fn a_dead_proposer_costs_its_turn_and_no_view() {
    for dead in 0..4usize {
        let mut village = Village::new();
        village.view(60, 0);
        // It neither hears nor speaks from here on.
        village.deaf[dead] = true;
        let slot = village.slot();
        village.pass_without(dead, 40_000);
        assert_eq!(village.made.len(), 1, "validator {dead} of slot {slot}");
    }
}

#[test]
fn a_play_that_most_validators_did_not_see_is_not_carried() {
    let mut village = Village::new();
    let viewer = key(60);
    let grant = village.grant(&viewer, 0).unwrap();
    // Only validators 1, whom it asks, and 3 hear of the play.
    village.deaf = vec![true, false, true, false];
    let answer = village.request(&viewer, &grant, None).unwrap();
    village.deaf = vec![false; 4];
    let playing = village.playing(viewer, grant, answer);
    village.receipts(&playing);
    let data = village.watch(&playing);
    assert_eq!(village.prove(&playing, data), Ok(()));
    village.pass(60_000);
    assert!(village.made.is_empty(), "two of four are not 51 percent");
    assert_eq!(village.desks[1].status(&playing.code.id), Some(PlayStatus::Proved), "it may still be carried");
    village.pass(100_000);
    assert_eq!(village.desks[1].status(&playing.code.id), Some(PlayStatus::Refused(Refusal::Outvoted)));
}

#[test]
fn plays_that_too_few_hold_true_wait_beside_accepted_ones_and_are_outvoted_in_the_end() {
    let mut village = Village::new();
    // Until a minute that ends in a slot of validator 3, who will know of both plays.
    village.pass(3 * 14_400);
    let (first, second) = (village.start(60, 0), village.start(61, 0));
    village.receipts(&first);
    // Two of four validators never hear of the second viewer's receipts.
    village.deaf = vec![true, true, false, false];
    village.receipts(&second);
    village.deaf = vec![false; 4];
    let data = village.watch(&first);
    village.prove(&first, data).unwrap();
    let data = village.watch_at_once(&second);
    village.prove(&second, data).unwrap();
    village.pass(40_000);
    assert_eq!(village.made.iter().map(|made| made.accepted.len()).sum::<usize>(), 1);
    assert_eq!(village.statuses(&second.code.id), vec![Some(PlayStatus::Proved); 4]);
    village.pass(110_000);
    assert_eq!(village.statuses(&second.code.id), vec![Some(PlayStatus::Refused(Refusal::Outvoted)); 4]);
}

#[test]
fn a_validator_that_a_majority_contradicts_gives_a_play_up_at_once() {
    let mut village = Village::new();
    // Until a minute that ends in a slot of validator 2.
    village.pass(2 * 14_400);
    let (first, second) = (village.start(60, 0), village.start(61, 0));
    village.receipts(&first);
    // Nobody else hears of the second viewer's receipts.
    village.deaf = vec![true; 4];
    village.receipts(&second);
    village.deaf = vec![false; 4];
    let data = village.watch(&first);
    village.prove(&first, data).unwrap();
    let data = village.watch_at_once(&second);
    assert_eq!(village.prove_at(2, Signed::new(data, &second.viewer)), Ok(()));
    village.gossip();
    while village.made.is_empty() {
        village.pass(200);
    }
    assert_eq!(village.made[0].accepted.iter().map(|play| play.play).collect::<Vec<_>>(), [first.code.id]);
    let proved = Some(PlayStatus::Proved);
    let outvoted = Some(PlayStatus::Refused(Refusal::Outvoted));
    let expected = vec![proved.clone(), proved.clone(), outvoted, proved];
    assert_eq!(village.statuses(&second.code.id), expected);
}

#[test]
fn a_payload_cannot_be_bent() {
    let mut village = Village::new();
    village.view(60, 0);
    let ledger = village.ledger.clone();
    let payload = loop {
        village.now_ms += 200;
        let now_ms = village.now_ms;
        village.desks.iter_mut().for_each(|desk| desk.tick(now_ms, &ledger, &village.chain));
        village.gossip();
        if let Some(payload) = village.desks[0].payload(now_ms, &ledger) {
            assert!(Arc::ptr_eq(&payload, &village.desks[0].payload(now_ms, &ledger).unwrap()), "made once");
            break payload;
        }
        assert!(now_ms < START_MS + 120_000);
    };
    let place = |time_ms| BlockPlace { height: 60, parent: BlockHash([1; 32]), time_ms, moves: Default::default() };
    let settle = |payload: &Arc<ViewPayload>, at_ms| ledger.advance(&village.genesis, &place(at_ms), Some(payload));
    let good = settle(&payload, village.now_ms).unwrap();
    assert!(matches!(settle(&payload, START_MS), Err(SettleError::SlotNotOver { .. })));
    let again = good.next.advance(&village.genesis, &place(village.now_ms), Some(&payload));
    assert!(matches!(again, Err(SettleError::SlotNotNew { .. })));

    let bent = |bend: fn(&mut SlotPayload)| {
        let mut payload = (*payload).clone();
        bend(payload.slot.as_mut().unwrap());
        settle(&Arc::new(payload), village.now_ms).unwrap_err()
    };
    assert!(matches!(
        bent(|p| p.proposal.plays[0].code.body.creator = AccountAddress([66; 20])),
        SettleError::Proposer { .. }
    ));
    assert!(matches!(bent(|p| p.proposal.attempt += 1), SettleError::Proposer { .. }));
    assert!(matches!(bent(|p| p.votes[0].held_true = vec![0]), SettleError::Vote { validator: 0, .. }));
    assert!(matches!(bent(|p| p.votes.truncate(2)), SettleError::NothingAccepted { .. }));
    assert!(matches!(bent(|p| p.votes.swap(0, 1)), SettleError::Shape { what: "votes" }));
    assert!(matches!(bent(|p| p.votes[1] = p.votes[0].clone()), SettleError::Shape { what: "votes" }));
    assert!(matches!(bent(|p| p.votes[3].validator = 9), SettleError::Shape { what: "votes" }));
    assert!(matches!(
        bent(|p| p.proposal.plays.push(p.proposal.plays[0].clone())),
        SettleError::Shape { what: "plays" }
    ));
    assert!(matches!(bent(|p| p.proposal.plays.clear()), SettleError::Shape { what: "plays" }));
    assert_ne!(good.next.head().root, ledger.head().root);
}

#[test]
fn awards_vest_and_none_is_lost() {
    let mut village = Village::with(ProtocolParams { vesting_view_blocks: 2, ..Default::default() });
    for cell in 0..3 {
        village.view(60, cell);
        village.pass(20_000);
    }
    let paid = village.credits.iter().map(|credit| credit.gwei).sum::<u64>();
    let pending: u64 = village.ledger.vesting().flat_map(|(_, credits)| credits).map(|credit| credit.gwei).sum();
    assert_eq!(
        (paid, pending),
        (90_000_000_000, 180_000_000_000),
        "the first award is spendable two view blocks later"
    );
}

#[test]
fn a_crowd_behind_one_connection_shares_its_weight() {
    let weights = WeightParams { home_plays_per_slot: 2, network_plays_per_slot: 3, ..Default::default() };
    let mut village = Village::with(ProtocolParams { weights, ..Default::default() });
    let homes = ["198.51.100.7", "198.51.100.7", "198.51.100.7", "198.51.100.8", "203.0.113.1"];
    let plays: Vec<_> =
        homes.iter().zip(60..).map(|(home, n)| village.start_from(n, 0, home.parse().unwrap())).collect();
    village.pass(60_000);
    for playing in &plays {
        village.receipts(playing);
        let data = village.watch_at_once(playing);
        village.prove(playing, data).unwrap();
    }
    village.pass(30_000);
    assert_eq!(village.made[0].accepted.len(), 5);
    let weight =
        |playing: &Playing| village.made[0].accepted.iter().find(|play| play.play == playing.code.id).unwrap().weight;
    let alone = weight(&plays[4]);
    assert_eq!(weight(&plays[0]), alone * 666 / 1000, "two of three at home");
    assert_eq!(weight(&plays[3]), alone * 750 / 1000, "three of four in the /24");
}

#[test]
fn a_home_is_known_by_another_tag_every_day() {
    let mut village = Village::new();
    let tags = [0, 80_000_000, 86_400_000, 90_000_000].map(|after_ms| {
        village.now_ms = START_MS + after_ms;
        village.pass(200);
        let viewer = key(60);
        let grant = village.grant(&viewer, 0).unwrap();
        let request = Signed::new(village.play_request(&viewer, &grant), &viewer);
        village.request_of(1, request, home()).unwrap();
        let said = village.said();
        let origin = said.iter().find_map(|(_, message)| match message {
            ValidatorMessage::Play { origin, .. } => Some(*origin),
            _ => None,
        });
        origin.unwrap()
    });
    assert!(tags[0] == tags[1] && tags[1] != tags[2] && tags[2] == tags[3]);
}

/// Plays of `viewers` at one home, each asked of the validator that `asks` names, proved together.
fn of_one_home(village: &mut Village, viewers: &[u8], asks: impl Fn(&mut Village, usize) -> usize) -> Vec<Playing> {
    let start = |(place, viewer): (usize, &u8)| {
        let viewer = key(*viewer);
        village.deaf = vec![false; 4];
        let grant = village.grant(&viewer, 0).unwrap();
        let validator = asks(village, place);
        let request = Signed::new(village.play_request(&viewer, &grant), &viewer);
        let answer = village.request_of(validator, request, home()).unwrap();
        village.gossip();
        village.playing(viewer, grant, answer)
    };
    let plays: Vec<_> = viewers.iter().enumerate().map(start).collect();
    village.deaf = vec![false; 4];
    village.pass(60_000);
    for playing in &plays {
        village.receipts(playing);
        let data = village.watch_at_once(playing);
        village.prove(playing, data).unwrap();
    }
    plays
}

#[test]
fn what_an_issuer_pays_a_home_beyond_its_day_and_a_tenth_is_held_false() {
    let mut village = Village::with(ProtocolParams { plays_per_home_per_day: 10, ..Default::default() });
    // Validator 2 hears of none of the first ten, and goes on to issue.
    let plays = of_one_home(&mut village, &[60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71], |village, place| {
        village.deaf[2] = place < 10;
        if place < 10 { 1 } else { 2 }
    });
    village.pass(60_000);
    let carried: Vec<_> = village.made.iter().flat_map(|made| &made.accepted).map(|play| play.play).collect();
    assert!(carried.contains(&plays[10].code.id), "a tenth is forgiven");
    assert!(!carried.contains(&plays[11].code.id));
}

#[test]
fn a_validator_that_was_restarted_leaves_the_word_about_its_homes_to_the_others() {
    let mut village = Village::with(ProtocolParams { plays_per_home_per_day: 10, ..Default::default() });
    // On a day of which no desk saw the beginning.
    village.now_ms += 3 * 86_400_000;
    village.desks.iter_mut().for_each(|desk| desk.finalized(START_MS + 3 * 86_400_000, 0));
    let plays = of_one_home(&mut village, &[60, 61], |_, _| 1);
    while village.made.is_empty() {
        village.pass(200);
    }
    let block = village.ledger.pending().next().unwrap();
    let carriers = |playing: &Playing| {
        let listed = block.slot().proposal.plays.iter().position(|record| record.code.body.id == playing.code.id);
        block.plays().iter().find(|play| Some(play.index as usize) == listed).unwrap().carriers
    };
    assert_eq!((carriers(&plays[0]), carriers(&plays[1])), (0b1111, 0b1101), "both are carried");
    assert_eq!(village.ledger.head().issuers[&1].contradicted, 0);
}

#[test]
fn a_proposer_that_describes_plays_wrongly_delays_them_and_carries_none() {
    type Bend = fn(&mut chainflix_primitives::PlayRecord);
    let bends: [Bend; 4] = [
        |record| record.factors.network_permille = 999,
        |record| record.factors.standing_permille = 1000,
        |record| record.issuer = 0,
        |record| record.providers.clear(),
    ];
    for bend in bends {
        let mut village = Village::new();
        village.view(60, 0);
        // The proposer's own proposal is lost, and it sends another one.
        let proposal = village.next_proposal();
        let mut body = proposal.body;
        body.plays.iter_mut().for_each(bend);
        let liar = crate::ledger::proposer(&village.genesis, body.slot, body.attempt);
        let message = ValidatorMessage::Proposal(Signed::new(body, &key(100 + liar as u8)));
        for to in (0..4).filter(|to| *to != liar) {
            village.hear(to, liar, &message);
        }
        village.pass(2_000);
        assert!(village.made.is_empty());
        village.pass(20_000);
        assert_eq!(village.made.len(), 1, "the next validator tells the truth");
    }
}

#[test]
fn a_standing_that_changes_costs_no_play() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.receipts(&playing);
    let data = village.watch(&playing);
    village.prove(&playing, data).unwrap();
    village.chain.standings.insert(playing.viewer.address(), 500);
    village.pass(30_000);
    assert_eq!(village.made[0].accepted.len(), 1);
    let fresh = village.made[0].accepted[0].weight;

    let next = village.view(60, 1);
    village.pass(30_000);
    assert_eq!(village.made[1].accepted[0].play, next.code.id);
    assert_eq!(village.made[1].accepted[0].weight, 5 * fresh, "a bond counts at once");
}

#[test]
fn operation_participants_and_makers_of_layers_share_in_the_reward() {
    let mut village = Village::new();
    let (operator, maker, layer) = (AccountAddress([33; 20]), AccountAddress([44; 20]), Magnet([45; 32]));
    village.chain.operation = vec![operator];
    village.chain.layers.insert(layer, maker);
    let viewer = key(60);
    let grant = village.grant(&viewer, 0).unwrap();
    let request = PlayRequest { layers: vec![layer, layer], ..village.play_request(&viewer, &grant) };
    let answer = village.request_from(Signed::new(request, &viewer), home()).unwrap();
    let playing = village.playing(viewer, grant, answer);
    assert_eq!(playing.code.activators, [maker]);
    village.receipts(&playing);
    let data = village.watch(&playing);
    village.prove(&playing, data).unwrap();
    village.pass(30_000);
    assert_eq!((village.paid(&operator), village.paid(&maker)), (3_600_000_000, 9_000_000_000));
}

#[test]
fn a_proposal_of_other_operation_participants_gets_no_vote_and_the_next_one_does() {
    let mut village = Village::new();
    village.view(60, 0);
    let proposal = village.next_proposal();
    // The proposer has not seen this block yet.
    village.chain.operation = vec![AccountAddress([33; 20])];
    let (message, proposer) = (ValidatorMessage::Proposal(proposal), 0);
    (0..4).for_each(|to| village.hear(to, proposer, &message));
    let now_ms = village.now_ms;
    village.desks.iter_mut().for_each(|desk| desk.tick(now_ms, &village.ledger, &village.chain));
    assert!(village.said().iter().all(|(_, message)| !matches!(message, ValidatorMessage::Vote(_))));
    village.pass(30_000);
    assert_eq!(village.made.len(), 1);
    assert!(village.paid(&AccountAddress([33; 20])) > 0);
}

#[test]
fn a_vote_of_the_wrong_length_spoils_no_payload_even_when_it_comes_first() {
    let mut village = Village::new();
    village.view(60, 0);
    let proposal = village.next_proposal();
    let vote = chainflix_primitives::SlotVote {
        slot: proposal.body.slot,
        proposal: Digest(proposal.body.digest()),
        held_true: vec![1; 9],
    };
    let message = ValidatorMessage::Vote(Signed::new(vote, &key(103)));
    (0..3).for_each(|to| village.hear(to, 3, &message));
    let message = ValidatorMessage::Proposal(proposal);
    (0..4).for_each(|to| village.hear(to, 0, &message));
    village.pass(30_000);
    assert_eq!(village.made.len(), 1, "the block that carries it settles");
}

#[test]
fn two_proofs_of_one_play_are_one_everywhere() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.receipts(&playing);
    let data = village.watch(&playing);
    let nonce = crate::points::search_nonce(&playing.code, &data.hash, data.nonce + 1, 1 << 20).unwrap();
    let other = PlayData { nonce, ..data.clone() };
    let (first, second) = (Signed::new(data, &playing.viewer), Signed::new(other, &playing.viewer));
    assert_eq!(village.prove_at(0, first.clone()), Ok(()));
    assert_eq!(village.prove_at(3, second.clone()), Ok(()));
    // Its viewer has had its word at both, whichever it would rather have said.
    assert_eq!(village.prove_at(0, second.clone()), Err(Refusal::Replay));
    assert_eq!(village.prove_at(3, first.clone()), Err(Refusal::Replay));
    village.gossip();
    let kept = village.desks.iter().map(|desk| desk.plays.get(&playing.code.id).unwrap().proof.clone().unwrap());
    assert!(kept.map(|proof| proof.signature.0).eq([first.signature.0.min(second.signature.0); 4]));
    village.pass(30_000);
    assert_eq!(village.made[0].accepted.len(), 1, "whoever proposes lists what all have");
}

#[test]
fn a_proof_that_is_heard_again_is_no_news() {
    let mut village = Village::new();
    let playing = village.view(60, 0);
    let now_ms = village.now_ms;
    drop(village.desks[0].take_diary(now_ms));
    let again = village.desks[0].plays.get(&playing.code.id).unwrap().proof.clone().unwrap();
    village.hear(0, 3, &ValidatorMessage::Proof(again));
    assert!(village.desks[0].take_diary(now_ms).is_empty());
}

#[test]
fn ten_seconds_of_two_plays_at_a_time_are_forgiven() {
    // Clocks of issuers may be five seconds apart, and a play may be asked for five seconds early.
    for (apart_ms, carried) in [(50_000, 2), (49_999, 1)] {
        let mut village = Village::new();
        let viewer = key(60);
        let grants = [village.grant(&viewer, 0).unwrap(), village.grant(&viewer, 1).unwrap()];
        let ask = |village: &mut Village, grant: &Grant, validator| {
            let request = Signed::new(village.play_request(&viewer, grant), &viewer);
            let answer = village.request_of(validator, request, home()).unwrap();
            village.gossip();
            village.playing(viewer.clone(), grant.clone(), answer)
        };
        // Validator 2, which issues the second play, hears nothing of the first.
        village.deaf[2] = true;
        let first = ask(&mut village, &grants[0], 1);
        village.pass(apart_ms);
        village.deaf[2] = false;
        let second = ask(&mut village, &grants[1], 2);
        for playing in [&first, &second] {
            let end_ms = playing.code.ends_ms();
            village.pass(end_ms - village.now_ms);
            village.receipts(playing);
            let data = village.watch_at_once(playing);
            assert_eq!(village.prove_at(3, Signed::new(data, &playing.viewer)), Ok(()));
            village.gossip();
        }
        village.pass(160_000);
        let count = village.made.iter().map(|made| made.accepted.len()).sum::<usize>();
        assert_eq!(count, carried, "{apart_ms} ms after the first");
    }
}

#[test]
fn what_the_ledger_would_not_carry_is_not_listed() {
    let listed = |bend: fn(&mut crate::LedgerParts, &PlayCode, u64)| {
        let mut village = Village::new();
        let playing = village.view(60, 0);
        let slot = village.slot();
        let mut parts = crate::LedgerParts::default();
        bend(&mut parts, &playing.code, slot);
        let ledger = LedgerState::restore(parts);
        let proposer = crate::ledger::proposer(&village.genesis, slot, 0);
        let (Village { desks, chain, .. }, after_ms) = (&mut village, START_MS + (slot + 1) * 14_400 + 1_000);
        desks[proposer].propose(after_ms, slot, 0, &ledger, chain);
        std::iter::from_fn(|| desks[proposer].poll()).any(|message| matches!(message, ValidatorMessage::Proposal(_)))
    };
    assert!(listed(|_, _, _| ()));
    assert!(listed(|parts, _, slot| parts.head.closed_slot = Some(slot - 1)));
    assert!(!listed(|parts, _, slot| parts.head.closed_slot = Some(slot)), "of a period that is over");
    assert!(!listed(|parts, code, _| {
        let PlayCode { account, magnet, cell_index, .. } = *code;
        parts.mined = vec![MinedCell { account, magnet, cell_index }.name()];
    }));
}

#[test]
fn validators_that_are_missing_contradict_nobody() {
    let mut village = Village::new();
    // Until a minute that ends in a slot of validator 2, which alone knows of the second viewer's receipts.
    village.pass(2 * 14_400);
    let (first, second) = (village.start(60, 0), village.start(61, 0));
    village.receipts(&first);
    village.deaf = vec![true; 4];
    village.receipts(&second);
    village.deaf = vec![false; 4];
    let data = village.watch(&first);
    village.prove(&first, data).unwrap();
    let data = village.watch_at_once(&second);
    assert_eq!(village.prove_at(2, Signed::new(data, &second.viewer)), Ok(()));
    village.gossip();
    // Validator 0 says no more: two votes against one are no majority of four.
    village.deaf[0] = true;
    let mut waited = 0..300;
    while village.made.is_empty() && waited.next().is_some() {
        village.pass_without(0, 200);
    }
    assert_eq!(village.made[0].accepted.iter().map(|play| play.play).collect::<Vec<_>>(), [first.code.id]);
    assert_eq!(village.statuses(&second.code.id)[2], Some(PlayStatus::Proved));
}

#[test]
fn two_validators_that_were_restarted_keep_their_word_about_their_homes() {
    // Where all must agree, nobody can leave the word to the others.
    let params = ProtocolParams { plays_per_home_per_day: 10, ..Default::default() };
    let audit = AuditParams { share_permille: 0, ..params.audit };
    let mut village = Village::of(ProtocolParams { audit, ..params }, 2);
    village.now_ms += 3 * 86_400_000;
    village.desks.iter_mut().for_each(|desk| desk.finalized(START_MS + 3 * 86_400_000, 0));
    for (viewer, cell) in [(60, 0), (61, 0), (62, 0)] {
        let viewer = key(viewer);
        let grant = village.grant(&viewer, cell).unwrap();
        let answer = village.request(&viewer, &grant, None).unwrap();
        let playing = village.playing(viewer, grant, answer);
        for signer in [playing.viewer.clone(), key(50)] {
            let receipt = Receipt {
                grant: playing.grant.id,
                viewer: playing.grant.viewer,
                provider: playing.grant.provider,
                cell: playing.grant.cell,
                start: 0,
                end: SIZE,
                delivered_hash: Digest([13; 32]),
            };
            village.desks[0].receipt(village.now_ms, Signed::new(receipt, &signer)).unwrap();
        }
        village.gossip();
        let data = village.watch(&playing);
        assert_eq!(village.prove_at(1, Signed::new(data, &playing.viewer)), Ok(()));
        village.gossip();
    }
    village.pass(40_000);
    assert_eq!(village.made.iter().map(|made| made.accepted.len()).sum::<usize>(), 3);
}

#[test]
fn what_overlaps_in_time_is_carried_once() {
    let mut village = Village::new();
    let viewer = key(60);
    let grants = [village.grant(&viewer, 0).unwrap(), village.grant(&viewer, 1).unwrap()];
    // Two validators are asked in the same moment, before either hears of the other's PlayCode.
    let plays: Vec<_> = grants
        .into_iter()
        .zip([1, 2])
        .map(|(grant, validator)| {
            let request = Signed::new(village.play_request(&viewer, &grant), &viewer);
            let answer = village.request_of(validator, request, home()).unwrap();
            village.playing(viewer.clone(), grant, answer)
        })
        .collect();
    village.gossip();
    village.pass(60_000);
    for playing in &plays {
        village.receipts(playing);
        let data = village.watch_at_once(playing);
        assert_eq!(village.prove(playing, data), Ok(()), "each proof is right by itself");
    }
    village.pass(160_000);
    assert_eq!(village.made.iter().map(|made| made.accepted.len()).sum::<usize>(), 1);
}

impl Village {
    /// The proposal of the slot that is running, which nobody but its proposer has heard.
    fn next_proposal(&mut self) -> Signed<chainflix_primitives::SlotProposal> {
        loop {
            self.now_ms += 200;
            let now_ms = self.now_ms;
            self.desks.iter_mut().for_each(|desk| desk.tick(now_ms, &self.ledger, &self.chain));
            for (_, message) in self.said() {
                if let ValidatorMessage::Proposal(proposal) = message {
                    return proposal;
                }
            }
            assert!(now_ms < START_MS + 120_000);
        }
    }

    /// Like `pass`, but one validator is dead: it does not tick and leads no block.
    fn pass_without(&mut self, dead: usize, ms: u64) {
        let until = self.now_ms + ms;
        while self.now_ms < until {
            self.now_ms += 200;
            for (index, desk) in self.desks.iter_mut().enumerate() {
                if index != dead {
                    desk.tick(self.now_ms, &self.ledger, &self.chain);
                }
            }
            self.gossip();
            if (self.now_ms - START_MS) / 2_000 > u64::from(self.block) {
                if (self.block as usize + 1) % 4 == dead {
                    self.block += 1;
                }
                self.make_block();
            }
        }
    }

    /// All points of a play in one moment, for a minute that has passed already.
    pub fn watch_at_once(&mut self, playing: &Playing) -> PlayData {
        let mut watching = self.begin(playing);
        self.fold(playing, &mut watching, 60_000);
        self.finish(playing, watching)
    }
}
