//! The commitment to all that was settled: a Keccak chain, so that a contract that reads the root by EIP-4788 can check a
//! proof cheaply.
//!
//! ```text
//! root' = keccak(root, 2, slot, view block, tree of carried plays)      when votes are settled
//! root' = keccak(root, 3, view block, tree of awards, tree of void plays)   when it is awarded
//! leaf  = keccak(0, content)      node = keccak(1, left, right)
//! ```

use super::{PendingBlock, PendingPlay};
use chainflix_primitives::{Digest, PlayId, PlayRecord};
use chainflix_token::Credit;
use sha3::{Digest as _, Keccak256};

const LEAF: u8 = 0;
const NODE: u8 = 1;
const VOTED: u8 = 2;
const AWARDED: u8 = 3;

/// The root after the votes that made `block`.
pub(super) fn after_vote(root: &Digest, block: &PendingBlock) -> Digest {
    let mut bytes = Vec::new();
    let leaf = |play: &PendingPlay| play_leaf(&mut bytes, block.record(play.index), play);
    let plays = block.plays().iter().map(leaf).collect();
    let (slot, view_block) = (block.slot().proposal.slot, block.view_block());
    Digest(keccak(&[&root.0, &[VOTED], &slot.to_be_bytes(), &view_block.to_be_bytes(), &merkle_root(plays)]))
}

/// The root after view block `view_block` was awarded.
pub(super) fn after_award(
    root: &Digest,
    view_block: u64,
    awards: &[Credit],
    voided: impl Iterator<Item = PlayId>,
) -> Digest {
    let awards = awards.iter().map(|credit| keccak(&[&[LEAF], &credit.account.0, &credit.gwei.to_be_bytes()]));
    let voided = voided.map(|play| keccak(&[&[LEAF], &play.0]));
    let (awards, voided) = (merkle_root(awards.collect()), merkle_root(voided.collect()));
    Digest(keccak(&[&root.0, &[AWARDED], &view_block.to_be_bytes(), &awards, &voided]))
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// Covers the record, its weight, and who held it true. `bytes` is room to work in.
fn play_leaf(bytes: &mut Vec<u8>, record: &PlayRecord, play: &PendingPlay) -> [u8; 32] {
    bytes.clear();
    // Writing into a vector cannot fail.
    borsh::to_writer(&mut *bytes, record).expect("encoding into memory does not fail");
    keccak(&[&[LEAF], bytes, &play.weight.to_be_bytes(), &play.carriers.to_be_bytes()])
}

/// Root of a binary tree; a node without a sibling moves up as it is (as in RFC 6962, leaves and nodes are told apart).
fn merkle_root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| if let [left, right] = pair { keccak(&[&[NODE], left, right]) } else { pair[0] })
            .collect();
    }
    level.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::AccountAddress;

    #[test]
    fn a_tree_knows_its_leaves_and_their_order() {
        let leaves: Vec<_> = (0..5u8).map(|n| [n; 32]).collect();
        assert_eq!(merkle_root(vec![]), [0; 32]);
        assert_eq!(merkle_root(leaves[..1].to_vec()), leaves[0]);
        let pair = |left: &[u8; 32], right: &[u8; 32]| keccak(&[&[1], left, right]);
        let four = pair(&pair(&leaves[0], &leaves[1]), &pair(&leaves[2], &leaves[3]));
        assert_eq!(merkle_root(leaves.clone()), pair(&four, &leaves[4]));
        assert_ne!(merkle_root(leaves.iter().rev().copied().collect()), merkle_root(leaves));
    }

    #[test]
    fn an_award_is_all_in_the_root() {
        let root = Digest([7; 32]);
        let credit = |n, gwei| Credit { account: AccountAddress([n; 20]), gwei };
        let after = |root, view_block, awards: &[Credit], voided: &[PlayId]| {
            after_award(root, view_block, awards, voided.iter().copied())
        };
        let base = after(&root, 1, &[credit(1, 2)], &[PlayId([3; 16])]);
        for other in [
            after(&Digest([8; 32]), 1, &[credit(1, 2)], &[PlayId([3; 16])]),
            after(&root, 2, &[credit(1, 2)], &[PlayId([3; 16])]),
            after(&root, 1, &[credit(1, 3)], &[PlayId([3; 16])]),
            after(&root, 1, &[credit(2, 2)], &[PlayId([3; 16])]),
            after(&root, 1, &[credit(1, 2)], &[]),
            after(&root, 1, &[], &[PlayId([3; 16])]),
        ] {
            assert_ne!(base, other);
        }
    }
}
