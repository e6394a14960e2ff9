//! Who gets what, when it vests, and what falls due.

use super::{PendingBlock, PendingPlay, Withheld};
use chainflix_primitives::{AccountAddress, NetworkGenesis};
use chainflix_token::{Credit, Paid, Parties, WeightedPlay, pay};
use std::sync::Arc;

/// Most credits one block pays out; what is due beyond follows in the next blocks. As withdrawals they are at most 2.6 MB
/// of an Ethereum block.
pub const CREDITS_PER_BLOCK_MAX: usize = 1 << 16;

/// What `block` awards when the plays at the places `voided` (ascending) are void: credits that add up to the reward, or
/// none when no play has weight.
pub(super) fn awards(genesis: &NetworkGenesis, block: &PendingBlock, voided: &[u32]) -> Paid {
    let validators = validators(genesis);
    let valid = block.plays().iter().filter(|play| voided.binary_search(&play.index).is_err());
    pay(block.head.reward_gwei, &parties(&validators, block), valid.map(|play| weighted(block, play)))
}

/// `awards` without what is held back of them, and with what is returned. Both are in order of accounts.
pub(super) fn net(awards: &[Credit], withheld: &[Withheld]) -> Vec<Credit> {
    let net = |credit: &Credit| {
        let place = withheld.binary_search_by_key(&credit.account, |withheld| withheld.account);
        let (held, returned) = place.map_or((0, 0), |place| (withheld[place].held_gwei, withheld[place].returned_gwei));
        // What is held is a part of the award, and the account has one: storage paid it.
        Credit { gwei: credit.gwei - held + returned, ..*credit }
    };
    awards.iter().map(net).filter(|credit| credit.gwei > 0).collect()
}

/// The accounts of the validators, by their numbers.
pub(super) fn validators(genesis: &NetworkGenesis) -> Vec<AccountAddress> {
    genesis.validators.iter().map(|validator| validator.account).collect()
}

/// Who shares in every play of `block`.
pub(super) fn parties<'a>(validators: &'a [AccountAddress], block: &'a PendingBlock) -> Parties<'a> {
    Parties { validators, struck_out: block.head.struck_out, operation: &block.slot().proposal.operation }
}

/// A play of `block` as it is shared.
pub(super) fn weighted<'a>(block: &'a PendingBlock, play: &PendingPlay) -> WeightedPlay<'a> {
    WeightedPlay::of(block.record(play.index), play.weight, play.carriers)
}

/// Takes out what is due after `view_blocks` view blocks, oldest first, and adds it up by account.
pub(super) fn mature(
    vesting: &mut imbl::OrdMap<u64, Arc<Vec<Credit>>>,
    view_blocks: u64,
    vesting_view_blocks: u64,
) -> Vec<Credit> {
    let Some(upto) = view_blocks.checked_sub(vesting_view_blocks) else { return Vec::new() };
    let mut due = Vec::new();
    while due.len() < CREDITS_PER_BLOCK_MAX {
        let Some((made, awards)) = vesting.get_min().filter(|(made, _)| *made <= upto) else { break };
        let (made, awards) = (*made, awards.clone());
        let (now, later) = awards.split_at(awards.len().min(CREDITS_PER_BLOCK_MAX - due.len()));
        due.extend_from_slice(now);
        match later {
            [] => vesting.remove(&made),
            later => vesting.insert(made, Arc::new(later.to_vec())),
        };
    }
    add_up(due)
}

/// One credit per account, in order of accounts.
pub(super) fn add_up(mut credits: Vec<Credit>) -> Vec<Credit> {
    // Accounts that are equal are added: their order does not matter.
    credits.sort_unstable_by_key(|credit| credit.account);
    credits.dedup_by(|next, first| {
        let same = next.account == first.account;
        if same {
            first.gwei += next.gwei;
        }
        same
    });
    credits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credit(n: u32, gwei: u64) -> Credit {
        Credit { account: AccountAddress(std::array::from_fn(|byte| n.to_be_bytes()[byte % 4])), gwei }
    }

    #[test]
    fn equal_accounts_are_added() {
        let due = add_up(vec![credit(2, 5), credit(1, 1), credit(2, 7), credit(2, 1)]);
        assert_eq!(due, [credit(1, 1), credit(2, 13)]);
    }

    #[test]
    fn awards_wait_their_time_and_come_oldest_first() {
        let mut vesting: imbl::OrdMap<_, _> =
            (1..=3).map(|view_block| (view_block, Arc::new(vec![credit(1, view_block)]))).collect();
        assert_eq!(mature(&mut vesting, 1, 2), []);
        assert_eq!(mature(&mut vesting, 3, 2), [credit(1, 1)]);
        assert_eq!(mature(&mut vesting, 9, 2), [credit(1, 5)]);
        assert!(vesting.is_empty());
    }

    #[test]
    fn more_than_a_block_holds_follows_in_the_next() {
        let count = CREDITS_PER_BLOCK_MAX as u32;
        let mut vesting = imbl::OrdMap::new();
        vesting.insert(1, Arc::new((0..count - 1).map(|n| credit(n, 1)).collect::<Vec<_>>()));
        vesting.insert(2, Arc::new((0..3).map(|n| credit(n, 10)).collect()));
        let first = mature(&mut vesting, 2, 0);
        assert_eq!(first.len(), CREDITS_PER_BLOCK_MAX - 1, "account 0 is paid for both");
        assert_eq!(mature(&mut vesting, 2, 0), [credit(1, 10), credit(2, 10)]);
        assert_eq!(mature(&mut vesting, 2, 0), []);
        assert_eq!(first.iter().map(|credit| credit.gwei).sum::<u64>(), u64::from(count - 1) + 10);
    }
}
