//! From votes to coins: order, shape, conservation, periods.

use super::*;
use chainflix_primitives::RewardSplit;

#[test]
fn a_view_block_waits_for_its_draw_and_then_pays() {
    let mut blocks = Blocks::new(audited(0));
    let payload = blocks.agreed(5, vec![play(1, 1, 9, 0, 5)]);
    let voted = blocks.step(Some(&payload));
    let made = voted.made.unwrap();
    assert_eq!((made.view_block, made.reward_gwei, made.accepted.len()), (1, REWARD, 1));
    assert!(voted.awarded.is_empty() && voted.credits.is_empty(), "nothing is paid with the vote");
    assert!(blocks.state.is_mined(&MinedCell::of(&play(1, 1, 9, 0, 5))));
    assert!(blocks.state.is_settled(5) && !blocks.state.is_settled(6));
    assert_eq!(blocks.state.head().issued_gwei, 0);
    let owed = blocks.state.owed(&blocks.genesis, &account(1));
    assert_eq!(owed, Owed { vesting_gwei: 0, expected_gwei: REWARD * 3 / 10, held_gwei: 0 });

    assert!(blocks.idle().is_empty(), "the next block's hash is not in the chain yet");
    let paid = blocks.idle();
    assert_eq!(paid.awarded.len(), 1);
    assert_eq!((paid.awarded[0].view_block, sum(&paid.awarded[0].paid.credits)), (1, REWARD));
    assert_eq!(paid.awarded[0].paid.credits, paid.credits, "without vesting it is spendable at once");
    assert_eq!(blocks.state.head().issued_gwei, u128::from(REWARD));
    assert_eq!(blocks.state.head().withdrawals, paid.credits.len() as u64);
    assert_eq!(blocks.state.owed(&blocks.genesis, &account(1)), Owed::default());
    assert!(blocks.idle().is_empty());
}

#[test]
fn awards_vest_and_none_is_lost() {
    let mut blocks = Blocks::new(ProtocolParams { vesting_view_blocks: 2, ..audited(0) });
    let mut paid = 0;
    for slot in 0..3 {
        let payload = blocks.agreed(slot, vec![play(slot as u32, 1, 9, slot as u32, slot)]);
        for settlement in [blocks.step(Some(&payload)), blocks.idle(), blocks.idle()] {
            paid += sum(&settlement.credits);
        }
    }
    let vesting: u64 = blocks.state.vesting().map(|(_, credits)| sum(credits)).sum();
    assert_eq!((paid, vesting), (REWARD, 2 * REWARD), "the first award is spendable two view blocks later");
    let of = |view_block| blocks.state.vesting_of(view_block).map(sum);
    assert_eq!([1, 2, 3].map(of), [None, Some(REWARD), Some(REWARD)]);
    assert_eq!(blocks.state.owed(&blocks.genesis, &account(1)).vesting_gwei, 2 * REWARD * 3 / 10);
}

#[test]
fn a_payload_cannot_be_bent() {
    let blocks = Blocks::new(audited(0));
    let good = blocks.agreed(5, vec![play(1, 1, 9, 0, 5), play(2, 2, 9, 0, 5)]);
    let settled = blocks.try_step(Some(&good)).unwrap();
    assert_ne!(settled.next.head().root, blocks.state.head().root);
    let bent = |bend: &dyn Fn(&mut SlotPayload)| {
        let mut payload = (*good).clone();
        bend(payload.slot.as_mut().unwrap());
        blocks.try_step(Some(&Arc::new(payload))).unwrap_err()
    };
    assert!(matches!(bent(&|p| p.proposal.plays[0].code.body.creator = account(66)), SettleError::Proposer { .. }));
    assert!(matches!(bent(&|p| p.proposal.operation.clear()), SettleError::Proposer { .. }));
    assert!(matches!(bent(&|p| p.proposal.attempt += 1), SettleError::Proposer { .. }));
    assert!(matches!(bent(&|p| p.votes[0].held_true = vec![0]), SettleError::Vote { validator: 0, .. }));
    assert!(matches!(bent(&|p| p.votes.truncate(2)), SettleError::NothingAccepted { slot: 5 }));
    let shape = |what| SettleError::Shape { what };
    assert_eq!(bent(&|p| p.votes.swap(0, 1)), shape("votes"));
    assert_eq!(bent(&|p| p.votes[1] = p.votes[0].clone()), shape("votes"));
    assert_eq!(bent(&|p| p.votes[3].validator = 9), shape("votes"));
    assert_eq!(bent(&|p| p.votes[3].held_true.push(0)), shape("votes"));
    assert_eq!(bent(&|p| p.proposal.plays.swap(0, 1)), shape("plays"));
    assert_eq!(bent(&|p| p.proposal.plays[1] = p.proposal.plays[0].clone()), shape("plays"));
    assert_eq!(bent(&|p| p.proposal.plays.clear()), shape("plays"));
    assert_eq!(bent(&|p| p.proposal.operation = vec![account(2), account(1)]), shape("operation participants"));
    assert_eq!(bent(&|p| p.proposal.operation = vec![account(2); 2]), shape("operation participants"));
    let nothing = Arc::new(ViewPayload::default());
    assert_eq!(blocks.try_step(Some(&nothing)).unwrap_err(), shape("parts"));
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    use sha3::Digest as _;
    sha3::Keccak256::digest(parts.concat()).into()
}

#[test]
fn the_root_is_what_the_protocol_page_says() {
    let mut blocks = Blocks::new(audited(0));
    let payload = blocks.agreed(5, vec![play(1, 1, 9, 0, 5), play(2, 2, 9, 0, 5)]);
    let before = blocks.state.head().root;
    blocks.step(Some(&payload));
    let leaf = |record: &PlayRecord| {
        let (weight, held) = (MINUTE_MS.to_be_bytes(), 0b1111u128.to_be_bytes());
        keccak(&[&[0], &borsh::to_vec(record).unwrap(), &weight, &held])
    };
    let plays = &payload.slot.as_ref().unwrap().proposal.plays;
    let tree = keccak(&[&[1], &leaf(&plays[0]), &leaf(&plays[1])]);
    let voted = keccak(&[&before.0, &[2], &5u64.to_be_bytes(), &1u64.to_be_bytes(), &tree]);
    assert_eq!(blocks.state.head().root, Digest(voted));
    blocks.idle();
    assert_eq!(blocks.state.head().root, Digest(voted), "nothing was settled");

    let awards = blocks.idle().awarded[0].paid.credits.clone();
    let leaves = awards.iter().map(|credit| keccak(&[&[0], &credit.account.0, &credit.gwei.to_be_bytes()]));
    let mut level: Vec<_> = leaves.collect();
    while level.len() > 1 {
        let node = |pair: &[[u8; 32]]| if pair.len() == 2 { keccak(&[&[1], &pair[0], &pair[1]]) } else { pair[0] };
        level = level.chunks(2).map(node).collect();
    }
    let awarded = keccak(&[&voted, &[3], &1u64.to_be_bytes(), &level[0], &[0; 32]]);
    assert_eq!(blocks.state.head().root, Digest(awarded));
}

#[test]
fn no_list_is_longer_than_genesis_allows() {
    let blocks = Blocks::new(ProtocolParams { plays_per_slot_max: 2, ..audited(0) });
    let plays = |count: u32| (0..count).map(|n| play(n, n as u8, 9, 0, 5)).collect();
    assert!(blocks.try_step(Some(&blocks.agreed(5, plays(2)))).is_ok());
    let refused = blocks.try_step(Some(&blocks.agreed(5, plays(3)))).unwrap_err();
    assert_eq!(refused, SettleError::Shape { what: "plays" });
}

#[test]
fn operation_participants_are_not_without_end() {
    let blocks = Blocks::new(audited(0));
    let with = |count: u16| {
        let participant = |n: u16| AccountAddress(std::array::from_fn(|byte| n.to_be_bytes()[byte % 2]));
        let operation = (0..count).map(participant).collect();
        let proposal = SlotProposal { slot: 5, attempt: 0, plays: vec![play(1, 1, 9, 0, 5)], operation };
        let digest = proposal.digest();
        let vote = SlotVote::new(5, Digest(digest), &[true]);
        let entry = |validator: usize| {
            let signature = key(validator).sign_digest(&vote.digest());
            VoteEntry { validator: validator as u16, held_true: vote.held_true.clone(), signature }
        };
        let votes = (0..4).map(entry).collect();
        let proposer_signature = key(proposer(&blocks.genesis, 5, 0)).sign_digest(&digest);
        blocks.try_step(Some(&listed(SlotPayload { proposal, proposer_signature, votes })))
    };
    assert!(with(256).is_ok());
    assert_eq!(with(257).unwrap_err(), SettleError::Shape { what: "operation participants" });
}

#[test]
fn a_slot_pays_once_and_not_before_it_is_over() {
    let mut blocks = Blocks::new(audited(0));
    let payload = |blocks: &Blocks, slot, cell| blocks.agreed(slot, vec![play(cell, 1, 9, cell, slot)]);
    let first = payload(&blocks, 5, 0);
    blocks.step(Some(&first));
    for slot in [5, 4, 0] {
        let again = payload(&blocks, slot, 7);
        let refused = blocks.try_step(Some(&again)).unwrap_err();
        assert_eq!(refused, SettleError::SlotNotNew { slot, last: Some(5) });
    }
    let running = (blocks.time_ms + 2_000) / blocks.genesis.params.slot_ms;
    let early = payload(&blocks, running, 1);
    assert!(matches!(blocks.try_step(Some(&early)), Err(SettleError::SlotNotOver { .. })));
    let over = payload(&blocks, running - 1, 1);
    assert!(blocks.try_step(Some(&over)).is_ok());
    let at =
        |time_ms| blocks.state.advance(&blocks.genesis, &BlockPlace { time_ms, ..blocks.next_place() }, Some(&over));
    let end_ms = blocks.genesis.params.slot_end_ms(0, running - 1);
    assert!(at(end_ms).is_ok());
    let refused = SettleError::SlotNotOver { slot: running - 1, end_ms, block_ms: end_ms - 1 };
    assert_eq!(at(end_ms - 1).unwrap_err(), refused);
}

#[test]
fn three_of_four_votes_carry_a_play_and_two_do_not() {
    let blocks = Blocks::new(audited(0));
    let votes: Vec<_> = (0..4).map(|validator| Some(vec![validator < 3, validator < 2])).collect();
    let slot = blocks.slot(5, vec![play(1, 1, 9, 0, 5), play(2, 2, 9, 0, 5)], &votes);
    let made = blocks.try_step(Some(&listed(slot))).unwrap().made.unwrap();
    assert_eq!(made.accepted.iter().map(|play| play.index).collect::<Vec<_>>(), [0]);
}

#[test]
fn validators_whose_votes_carried_it_share() {
    let mut blocks = Blocks::new(audited(0));
    let votes: Vec<_> = (0..4).map(|validator| Some(vec![validator != 2])).collect();
    let slot = listed(blocks.slot(5, vec![play(1, 1, 9, 0, 5)], &votes));
    blocks.step(Some(&slot));
    blocks.idle();
    let awards = blocks.idle().awarded[0].paid.credits.clone();
    let of = |who: AccountAddress| awards.iter().find(|credit| credit.account == who).map_or(0, |credit| credit.gwei);
    let shares: Vec<_> = (0..4).map(|validator| of(key(validator).address())).collect();
    assert_eq!(shares, [REWARD * 80 / 3000, REWARD * 80 / 3000, 0, REWARD * 80 / 3000]);
    assert_eq!(of(account(252)), REWARD * 40 / 1000, "the operation participant");
}

#[test]
fn a_cell_is_mined_once_a_period() {
    let mut blocks = Blocks::new(ProtocolParams { period_view_blocks: 3, ..audited(0) });
    let mut accepted = |plays: Vec<PlayRecord>, slot| {
        let payload = blocks.agreed(slot, plays);
        blocks.try_step(Some(&payload)).ok()?;
        Some(blocks.step(Some(&payload)).made?.accepted.len())
    };
    assert_eq!(accepted(vec![play(1, 1, 9, 0, 1), play(2, 1, 9, 0, 1)], 1), Some(1), "in one list");
    assert_eq!(accepted(vec![play(3, 1, 9, 0, 2)], 2), None, "in the next slot");
    assert_eq!(accepted(vec![play(4, 1, 9, 0, 2), play(5, 2, 9, 0, 2), play(6, 1, 9, 1, 2)], 2), Some(2));
    assert_eq!(accepted(vec![play(7, 1, 9, 2, 3)], 3), Some(1), "the period's last view block");
    assert_eq!(accepted(vec![play(8, 1, 9, 0, 4)], 4), Some(1), "a new period");
}

#[test]
fn a_play_is_not_paid_again_by_listing_it_after_the_period() {
    let mut blocks = Blocks::new(ProtocolParams { period_view_blocks: 1, ..audited(0) });
    let record = play(1, 1, 9, 0, 5);
    let first = blocks.agreed(5, vec![record.clone()]);
    blocks.step(Some(&first));
    assert!(!blocks.state.is_closed(5), "the period begins with the next view block");
    let again = blocks.agreed(6, vec![record, play(2, 2, 9, 0, 6)]);
    let made = blocks.step(Some(&again)).made.unwrap();
    assert_eq!(made.accepted.len(), 1);
    assert!(blocks.state.is_closed(5) && !blocks.state.is_closed(6));
}

#[test]
fn a_play_waits_eight_slots_and_no_longer() {
    let blocks = Blocks::new(audited(0));
    let carried = |ended: u64| blocks.try_step(Some(&blocks.agreed(20, vec![play(1, 1, 9, 0, ended)]))).is_ok();
    assert!(carried(20) && carried(20 - CARRY_SLOTS_MAX));
    assert!(!carried(20 - CARRY_SLOTS_MAX - 1) && !carried(21));
}

#[test]
fn what_no_validator_may_hold_true_is_left_out() {
    let blocks = Blocks::new(audited(0));
    let carried = |change: fn(&mut PlayRecord)| {
        let mut bad = play(1, 1, 9, 0, 5);
        bad.code.body.size = 1_000;
        bad.providers.clear();
        change(&mut bad);
        let made = blocks.try_step(Some(&blocks.agreed(5, vec![bad, play(2, 2, 9, 0, 5)]))).unwrap().made;
        made.unwrap().accepted.len() == 2
    };
    assert!(carried(|_| ()));
    assert!(carried(|record| record.issuer = 3));
    assert!(!carried(|record| record.issuer = 4));
    assert!(!carried(|record| record.data.body.play = PlayId([9; 16])));
    assert!(carried(|record| record.code.body.play_ms = 20 * MINUTE_MS));
    assert!(!carried(|record| record.code.body.play_ms = 20 * MINUTE_MS + 1));
    assert!(!carried(|record| record.factors.standing_permille = 1001));
    assert!(!carried(|record| record.factors.network_permille = 1001));
    assert!(!carried(|record| record.code.body.split.viewer += 1));
    let generous = |record: &mut PlayRecord| {
        let split = &mut record.code.body.split;
        (split.creator, split.viewer) = (split.creator - 100, split.viewer + 100);
    };
    assert!(carried(generous));
    assert!(!carried(
        |record| record.code.body.split = RewardSplit { creator: 199, viewer: 401, ..RewardSplit::DEFAULT }
    ));
    assert!(carried(|record| record.code.body.activators = vec![account(1), account(2)]));
    assert!(!carried(|record| record.code.body.activators = vec![account(2), account(1)]));
    assert!(carried(|record| record.code.body.activators = (0..4).map(account).collect()));
    assert!(!carried(|record| record.code.body.activators = (0..5).map(account).collect()));
    assert!(carried(|record| record.providers = vec![provider(600), provider(400)]));
    assert!(!carried(|record| record.providers = vec![provider(600), provider(401)]));
    assert!(!carried(|record| record.providers = vec![provider(u64::MAX), provider(u64::MAX)]));
    assert!(carried(|record| record.providers = vec![provider(1); 4]));
    assert!(!carried(|record| record.providers = vec![provider(1); 5]));
}

fn provider(bytes: u64) -> chainflix_primitives::ProviderShare {
    chainflix_primitives::ProviderShare { provider: account(3), bytes }
}

#[test]
fn the_second_half_pays_half() {
    let mut blocks = Blocks::new(ProtocolParams { halving_view_block: 1, ..audited(0) });
    for (slot, reward) in [(1, REWARD), (2, REWARD / 2)] {
        let payload = blocks.agreed(slot, vec![play(slot as u32, 1, 9, slot as u32, slot)]);
        assert_eq!(blocks.step(Some(&payload)).made.unwrap().reward_gwei, reward);
        blocks.idle();
        assert_eq!(sum(&blocks.idle().awarded[0].paid.credits), reward);
    }
}

#[test]
fn a_full_house_settles_no_slot_until_one_is_awarded() {
    let mut blocks = Blocks::with(audited(1000), 1);
    for slot in 0..PENDING_MAX as u64 {
        assert!(!blocks.state.is_full());
        let payload = blocks.agreed(slot, vec![play(slot as u32, 1, 9, slot as u32, slot)]);
        blocks.step(Some(&payload));
    }
    assert!(blocks.state.is_full());
    let slot = PENDING_MAX as u64;
    let payload = blocks.agreed(slot, vec![play(9_999, 1, 9, 9_999, slot)]);
    assert_eq!(blocks.try_step(Some(&payload)).unwrap_err(), SettleError::Full { slot, pending: PENDING_MAX });
    let vote = audits(vec![blocks.audit(1, &all(true, 1))]);
    assert!(blocks.try_step(Some(&vote)).unwrap().next.pending_block(1).is_none());
    blocks.idle();
    blocks.idle();
    let votes = (1..=PENDING_MAX as u64).map(|view_block| blocks.audit(view_block, &all(true, 1)));
    let votes = audits(votes.collect());
    assert_eq!(blocks.step(Some(&votes)).awarded.len(), PENDING_MAX, "in one block, if it must be");
    assert!(blocks.try_step(Some(&payload)).is_ok());
}
