//! Transactions on their way into blocks, on branches that win and on branches that die.

use super::*;

const BOB: Address = Address::repeat_byte(0xb0);

#[tokio::test]
async fn a_branch_borrows_its_transactions() {
    let node = in_memory().await;
    let (genesis, alice) = (node.head(), user(1));
    let first = node.submit(alice.sign(0, BOB, 1, vec![])).await;
    let parent = node.propose(request(&genesis)).await;
    let second = node.submit(alice.sign(1, BOB, 1, vec![])).await;
    let on_parent = BlockRequest { unfinalised: vec![parent.clone()], ..request(&parent.header) };
    let child = node.propose(on_parent).await;
    assert_eq!((hashes(&parent), hashes(&child)), (vec![first], vec![second]));

    // Another child of the genesis wins, without any transaction: both are proposed again.
    let other = in_memory().await;
    let rival = Arc::new(other.build(request(&genesis)).await.unwrap());
    node.adopt(&rival).await;
    assert_eq!(node.pooled_transactions().unwrap(), 2);
    assert_eq!(hashes(&*node.extend().await), [first, second]);
    assert_eq!(node.pooled_transactions().unwrap(), 0);
}

#[tokio::test]
async fn a_branch_that_wins_keeps_them() {
    let node = in_memory().await;
    let alice = user(1);
    for nonce in 0..2 {
        node.submit(alice.sign(nonce, BOB, 1, vec![])).await;
    }
    let parent = node.propose(request(&node.head())).await;
    let on_parent = BlockRequest { unfinalised: vec![parent.clone()], ..request(&parent.header) };
    let child = node.propose(on_parent).await;
    assert_eq!((hashes(&parent).len(), hashes(&child).len()), (2, 0));
    node.finalize(&parent).await.unwrap();
    node.finalize(&child).await.unwrap();
    assert_eq!(node.pooled_transactions().unwrap(), 0);
    assert_eq!(hashes(&*node.extend().await), []);
}

#[tokio::test]
async fn a_used_up_nonce_does_not_starve_its_sender() {
    let (node, other) = (in_memory().await, in_memory().await);
    let alice = user(1);
    // Two transactions of one nonce, known to different nodes: what is final is the one this node does not have.
    node.submit(alice.sign(0, BOB, 1, vec![])).await;
    other.submit(alice.sign(0, BOB, 2, vec![])).await;
    let next = node.submit(alice.sign(1, BOB, 4, vec![])).await;
    node.adopt(&other.extend().await).await;
    assert_eq!(hashes(&*node.extend().await), [next]);
    assert_eq!(node.balance(BOB).unwrap(), 6.into());
}

#[tokio::test]
async fn sweeping_removes_what_nothing_else_does() {
    let node = in_memory().await;
    let alice = user(1);
    let raw = alice.sign(0, BOB, 1, vec![]);
    node.submit(raw.clone()).await;
    let block = node.extend().await;
    // As if it had been validated just before the block became final, and added just after.
    let transaction = block.body.transactions[0].clone();
    let hash = transaction.hash(&ethrex_common::NativeCrypto);
    let pooled = ethrex_common::types::MempoolTransaction::new(transaction, alice.address);
    node.inner.blockchain.mempool.add_transaction(hash, alice.address, pooled, None, None).unwrap();
    let next = node.submit(alice.sign(1, BOB, 1, vec![])).await;
    assert_eq!(node.pooled_transactions().unwrap(), 2);
    node.inner.sweep_pool().unwrap();
    assert_eq!(node.pooled_transactions().unwrap(), 1);
    assert_eq!(hashes(&*node.extend().await), [next]);
}

#[tokio::test]
async fn blocks_are_bounded_in_bytes() {
    let (node, verifier) = (in_memory().await, in_memory().await);
    let alice = user(1);
    for nonce in 0..20 {
        node.submit(alice.sign(nonce, BOB, 1, vec![1; 10_000])).await;
    }
    let max_rlp_bytes = 50_000;
    let block = node.propose(BlockRequest { max_rlp_bytes, ..request(&node.head()) }).await;
    assert_eq!(block.body.transactions.len(), 4);
    assert!(encode_block(&block).len() <= max_rlp_bytes);
    verifier.adopt(&block).await;
    node.finalize(&block).await.unwrap();
    let rest = node.extend().await;
    assert_eq!(rest.body.transactions.len(), 16);
    verifier.adopt(&rest).await;
}

#[tokio::test]
async fn what_cannot_be_mined_is_refused() {
    let node = in_memory().await;
    let (alice, poor) = (user(1), user(9));
    let raw = alice.sign(0, BOB, 1, vec![]);
    let hash = node.submit(raw.clone()).await;
    assert_eq!(node.submit(raw.clone()).await, hash, "twice is no error");
    assert_eq!(node.pooled_transactions().unwrap(), 1);

    let long = vec![2; MAX_TRANSACTION_BYTES + 1];
    assert!(matches!(node.submit_raw_transaction(&long).await, Err(SubmitError::TooLong { .. })));
    for bad in [&[][..], &[2], &[0x7f, 1, 2], &raw[..raw.len() - 1]] {
        assert!(matches!(node.submit_raw_transaction(bad).await, Err(SubmitError::Malformed(_))), "{bad:?}");
    }
    let broke = poor.sign(0, BOB, 1, vec![]);
    assert!(matches!(node.submit_raw_transaction(&broke).await, Err(SubmitError::Refused { .. })));
    node.extend().await;
    assert!(matches!(node.submit_raw_transaction(&raw).await, Err(SubmitError::Refused { .. })));
}
