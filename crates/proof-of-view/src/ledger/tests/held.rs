//! What of a storage peer's pay is held back, through the blocks of a chain.

use super::*;

/// The storage peer of all plays.
const STORE: u8 = 253;
/// What storage gets of a view block.
const SHARE: u64 = REWARD * 15 / 100;

/// A chain of short periods: each view block is one.
fn blocks(share_permille: u16) -> Blocks {
    let held_pay = HeldPayParams { quarter_periods: 1, leave_periods: 2, half_periods: 4, ..Default::default() };
    Blocks::new(ProtocolParams { period_view_blocks: 1, held_pay, ..audited(share_permille) })
}

/// A view block and its award; answers what becomes spendable by it for the storage peer.
fn serve(blocks: &mut Blocks, slot: u64) -> u64 {
    let payload = blocks.agreed(slot, vec![play(slot as u32, 1, 9, slot as u32, slot)]);
    let paid = [blocks.step(Some(&payload)), blocks.idle(), blocks.idle()];
    let credits = paid.iter().flat_map(|settled| &settled.credits);
    credits.filter(|credit| credit.account == account(STORE)).map(|credit| credit.gwei).sum()
}

fn held(blocks: &Blocks) -> u64 {
    blocks.state.owed(&blocks.genesis, &account(STORE)).held_gwei
}

#[test]
fn a_young_storage_peer_is_paid_a_part_and_an_old_one_all_of_it_and_a_half() {
    let mut blocks = blocks(0);
    let paid: Vec<_> = (5..10).map(|slot| serve(&mut blocks, slot)).collect();
    // Held back: 750, 500 and 250 thousandths; of the sum half is returned with the fourth.
    assert_eq!(paid, [SHARE / 4, SHARE / 2, SHARE * 3 / 4, SHARE + SHARE * 3 / 4, SHARE]);
    assert_eq!(held(&blocks), SHARE * 3 / 4);
    let issued = blocks.state.head.issued_gwei;
    assert_eq!(issued, 5 * u128::from(REWARD), "what is held is awarded, and not spendable");
}

#[test]
fn who_withdraws_is_paid_the_rest_with_a_later_view_block() {
    let mut blocks = blocks(0);
    serve(&mut blocks, 5);
    serve(&mut blocks, 6);
    let rest = held(&blocks);
    assert_eq!(rest, SHARE * 5 / 4);
    blocks.moves = Arc::new([ProviderMove::Withdrawn(account(STORE))]);
    blocks.idle();
    blocks.moves = Arc::default();
    // Others serve on.
    let other = |slot: u64| {
        let providers = vec![ProviderShare { provider: account(70), bytes: SIZE }];
        PlayRecord { providers, ..play(slot as u32, 1, 9, slot as u32, slot) }
    };
    let mut paid = Vec::new();
    for slot in 7..10 {
        let payload = blocks.agreed(slot, vec![other(slot)]);
        let settled = [blocks.step(Some(&payload)), blocks.idle(), blocks.idle()];
        let credits = settled.iter().flat_map(|settled| &settled.credits);
        paid.push(credits.filter(|credit| credit.account == account(STORE)).map(|credit| credit.gwei).sum::<u64>());
    }
    assert_eq!(paid, [0, rest, 0], "when a whole period is over");
    assert_eq!((held(&blocks), blocks.state.held(&account(STORE))), (0, None));
}

#[test]
fn audits_that_fail_take_a_quarter_of_what_is_held_once_a_period_and_nobody_gets_it() {
    let mut blocks = blocks(0);
    blocks.genesis.params.audit = AuditParams { share_permille: 1000, provider_audits_min: 1, ..Default::default() };
    blocks.genesis.params.period_view_blocks = 3;
    let lose = |blocks: &mut Blocks, slot: u64, passed: bool| {
        let payload = blocks.agreed(slot, vec![play(slot as u32, slot as u8, 9, slot as u32, slot)]);
        let view_block = blocks.step(Some(&payload)).made.unwrap().view_block;
        blocks.idle();
        blocks.idle();
        if blocks.state.pending_block(view_block).is_some() {
            let payload = audits(vec![blocks.audit(view_block, &all(passed, 4))]);
            blocks.step(Some(&payload));
        }
        (held(blocks), blocks.state.head.forfeited_gwei)
    };
    assert_eq!(lose(&mut blocks, 5, true), (SHARE * 3 / 4, 0));
    let all = SHARE * 3 / 4;
    // Of two audited plays one is void: half of their weight, and not more than half.
    assert_eq!(lose(&mut blocks, 6, false), (all, 0));
    let (left, lost) = lose(&mut blocks, 7, false);
    assert_eq!((left, lost), (all - all / 4, u128::from(all / 4)));
    // The next three are the next period: its first strike-out takes a quarter of the rest, a second void play nothing more.
    let (left, lost) = lose(&mut blocks, 8, false);
    assert_eq!((left, lost), (all - all / 4 - (all - all / 4) / 4, u128::from(all / 4 + (all - all / 4) / 4)));
    assert_eq!(lose(&mut blocks, 9, false), (left, lost));
}

#[test]
fn what_storage_peers_are_told_says_what_is_held() {
    let mut blocks = blocks(0);
    let payload = blocks.agreed(5, vec![play(5, 1, 9, 5, 5)]);
    blocks.step(Some(&payload));
    blocks.idle();
    let block = blocks.state.pending_block(1).unwrap().clone();
    let settled = blocks.idle();
    let served = settled.next.served(&blocks.genesis, &block, &settled.awarded[0]);
    let served = served.iter().find(|(who, _)| *who == account(STORE)).unwrap().1;
    assert_eq!((served.gwei, served.held_gwei), (SHARE, SHARE * 3 / 4));
}
