//! The rules a block must follow besides those of the engine and of Ethereum, as pure functions of block and parent.
//!
//! | decided by | what |
//! |---|---|
//! | engine | whose turn it is, on which parent, at which height |
//! | this module | both clocks, who is paid, PREVRANDAO, the view ledger's root, the coins that are minted |
//! | `chain` | everything the EVM computes; gas limit, extra data, no blobs |
//!
//! Whatever a proposer were free to choose, it could choose for its own good; so nothing is.

use crate::{block::Block, committee::Committee};
use chainflix_chain::{
    execution::{Address, H256, Withdrawal, next_timestamp_s},
    ledger::Credit,
};
use chainflix_primitives::{AccountAddress, Digest};
use commonware_cryptography::Digestible as _;

/// The rule that a block breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Broken {
    /// The engine counts one way, Ethereum another.
    #[error("height {height} holds Ethereum block {number}")]
    Number { height: u64, number: u64 },
    /// Its Ethereum block does not build on the parent's.
    #[error("Ethereum parent {found:#x}, must be {required:#x}")]
    EthereumParent { found: H256, required: H256 },
    /// Time stood still.
    #[error("proposed at {time_ms} ms, not after its parent's {parent_ms} ms")]
    Time { time_ms: u64, parent_ms: u64 },
    /// Seconds that do not follow from the milliseconds.
    #[error("Ethereum timestamp {found} s, must be {required} s")]
    Timestamp { found: u64, required: u64 },
    /// Somebody else's turn, or nobody's.
    #[error("the leader is no validator of this network")]
    UnknownLeader,
    /// The fees go to somebody other than the leader.
    #[error("fees go to {found:#x}, must go to {required}")]
    FeeRecipient { found: Address, required: AccountAddress },
    /// A random number of the leader's own choice.
    #[error("PREVRANDAO {found:#x}, must be {required:#x}")]
    Randomness { found: H256, required: H256 },
    /// Another view of the views.
    #[error("beacon root {found:?}, must be the view ledger's {required:#x}")]
    LedgerRoot { found: Option<H256>, required: H256 },
    /// Coins that the votes do not give, or none where they do.
    #[error("{found} credits that differ from the settlement's {required}")]
    Credits { found: usize, required: usize },
}

/// The Ethereum timestamp, in seconds, of a block proposed at `time_ms` on `parent`.
pub(crate) fn timestamp_s(parent: &Block, time_ms: u64) -> u64 {
    next_timestamp_s(parent.ethereum.header.timestamp, time_ms)
}

/// What contracts read as PREVRANDAO: fixed with the parent, so that the leader of a block cannot try several. Whoever
/// proposed the parent could; contracts that draw lots must not rely on it alone.
pub(crate) fn prev_randao(parent: &Block) -> H256 {
    H256::from_slice(parent.digest().as_ref())
}

/// The ledger's root as a header carries it (EIP-4788).
pub(crate) fn beacon_root(root: &Digest) -> H256 {
    H256(root.0)
}

/// Credits as Ethereum mints them (EIP-4895), numbered from `first_index`.
pub(crate) fn withdrawals(credits: &[Credit], first_index: u64) -> Vec<Withdrawal> {
    let mint = |(index, credit): (u64, &Credit)| Withdrawal {
        index,
        validator_index: 0,
        address: Address::from(credit.account.0),
        amount: credit.gwei,
    };
    (first_index..).zip(credits).map(mint).collect()
}

/// Checks everything that follows from the parent alone.
pub(crate) fn check_header(committee: &Committee, block: &Block, parent: &Block) -> Result<(), Broken> {
    let header = &block.ethereum.header;
    if header.number != block.height.get() {
        return Err(Broken::Number { height: block.height.get(), number: header.number });
    }
    let required = parent.ethereum.hash();
    if header.parent_hash != required {
        return Err(Broken::EthereumParent { found: header.parent_hash, required });
    }
    if block.time_ms <= parent.time_ms {
        return Err(Broken::Time { time_ms: block.time_ms, parent_ms: parent.time_ms });
    }
    let required = timestamp_s(parent, block.time_ms);
    if header.timestamp != required {
        return Err(Broken::Timestamp { found: header.timestamp, required });
    }
    let required = committee.account(&block.turn.leader).ok_or(Broken::UnknownLeader)?;
    if header.coinbase.0 != required.0 {
        return Err(Broken::FeeRecipient { found: header.coinbase, required });
    }
    let required = prev_randao(parent);
    if header.prev_randao != required {
        return Err(Broken::Randomness { found: header.prev_randao, required });
    }
    Ok(())
}

/// Checks what follows from the view ledger: its root after the parent, and the coins this block's votes give.
pub(crate) fn check_settlement(block: &Block, root: &Digest, required: &[Withdrawal]) -> Result<(), Broken> {
    let (found, ledger) = (block.ethereum.header.parent_beacon_block_root, beacon_root(root));
    if found != Some(ledger) {
        return Err(Broken::LedgerRoot { found, required: ledger });
    }
    let found = block.ethereum.body.withdrawals.as_deref().unwrap_or_default();
    if found != required {
        return Err(Broken::Credits { found: found.len(), required: required.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use std::sync::Arc;

    /// Genesis and a child that follows all rules.
    fn chain() -> (Committee, Block, Block) {
        let committee = Committee::of(&testing::genesis(4, 1_000)).unwrap();
        let parent = testing::genesis_block();
        let mut ethereum = (*parent.ethereum).clone();
        let time_ms = parent.time_ms + 1_500;
        let header = &mut ethereum.header;
        header.hash = Default::default();
        header.number = 1;
        header.parent_hash = parent.ethereum.hash();
        header.timestamp = timestamp_s(&parent, time_ms);
        header.coinbase = Address::from(committee.account(&parent.turn.leader).unwrap().0);
        header.prev_randao = prev_randao(&parent);
        header.parent_beacon_block_root = Some(H256([7; 32]));
        ethereum.body.withdrawals = Some(Vec::new());
        let child = Block::new(parent.turn.clone(), (parent.digest(), parent.height), time_ms, ethereum, None).unwrap();
        (committee, parent, child)
    }

    fn broken(change: impl FnOnce(&mut Block)) -> Broken {
        let (committee, parent, mut child) = chain();
        change(&mut child);
        check_header(&committee, &child, &parent).unwrap_err()
    }

    fn header(block: &mut Block) -> &mut chainflix_chain::execution::BlockHeader {
        &mut Arc::make_mut(&mut block.ethereum).header
    }

    #[test]
    fn each_rule_is_checked() {
        let (committee, parent, child) = chain();
        assert_eq!(check_header(&committee, &child, &parent), Ok(()));
        let stranger = testing::consensus_key(99).private();
        let stranger = commonware_cryptography::Signer::public_key(&stranger);
        assert!(matches!(broken(|block| header(block).number = 2), Broken::Number { .. }));
        assert!(matches!(broken(|block| header(block).parent_hash = H256::zero()), Broken::EthereumParent { .. }));
        assert!(matches!(broken(|block| block.time_ms = parent.time_ms), Broken::Time { .. }));
        assert!(matches!(broken(|block| header(block).timestamp += 1), Broken::Timestamp { .. }));
        assert!(matches!(broken(|block| block.turn.leader = stranger), Broken::UnknownLeader));
        assert!(matches!(broken(|block| header(block).coinbase = Address::zero()), Broken::FeeRecipient { .. }));
        assert!(matches!(broken(|block| header(block).prev_randao = H256::zero()), Broken::Randomness { .. }));
    }

    #[test]
    fn seconds_follow_milliseconds_and_never_stand_still() {
        let (_, parent, _) = chain();
        let second = parent.ethereum.header.timestamp;
        assert_eq!(timestamp_s(&parent, parent.time_ms + 300), second + 1);
        assert_eq!(timestamp_s(&parent, parent.time_ms + 2_999), second + 2);
    }

    #[test]
    fn exactly_the_settlements_coins_are_minted() {
        let (_, _, mut block) = chain();
        let root = Digest([7; 32]);
        assert_eq!(check_settlement(&block, &root, &[]), Ok(()));
        assert!(matches!(check_settlement(&block, &Digest([8; 32]), &[]), Err(Broken::LedgerRoot { .. })));

        let credits = [1, 2].map(|gwei| Credit { account: AccountAddress([9; 20]), gwei });
        let minted = withdrawals(&credits, 5);
        assert_eq!(minted.iter().map(|coin| (coin.index, coin.amount)).collect::<Vec<_>>(), [(5, 1), (6, 2)]);
        let missing = Broken::Credits { found: 0, required: 2 };
        assert_eq!(check_settlement(&block, &root, &minted), Err(missing));
        Arc::make_mut(&mut block.ethereum).body.withdrawals = Some(minted.clone());
        assert_eq!(check_settlement(&block, &root, &minted), Ok(()));
        assert!(check_settlement(&block, &root, &withdrawals(&credits, 6)).is_err());
    }
}
