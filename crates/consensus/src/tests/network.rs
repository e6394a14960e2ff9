//! Validators agree on blocks, views and payments, and hear each other.

use super::harness::{BLOCK_MS, Kept, Network, patiently, payment, send};
use bytes::Bytes;
use std::collections::BTreeSet;

const PAID: [u8; 20] = [0xaa; 20];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_validators_are_one_chain() {
    let mut network = Network::start(4, Kept::InMemory).await;
    let mut finalized = network.validators[3].as_ref().unwrap().consensus.finalized();
    network.reach(1).await;

    // What one is sent, all execute; what one says, all others hear.
    let first = network.validators[0].as_ref().unwrap();
    let mut ears: Vec<_> = network.running().map(|validator| validator.consensus.take_incoming().unwrap()).collect();
    assert!(first.consensus.take_incoming().is_none());
    send(first, &payment(network.genesis.chain_id, 0, PAID, 77)).await;
    first.consensus.gossip().send(Bytes::from_static(b"hello")).unwrap();
    for ear in &mut ears[1..] {
        let heard = patiently(ear.recv()).await.unwrap();
        assert_eq!((heard.validator, &heard.bytes[..]), (0, &b"hello"[..]));
    }
    for validator in network.running() {
        let mut latest = validator.consensus.watch_latest();
        while validator.balance(PAID).await != 77 {
            patiently(latest.changed()).await.unwrap();
        }
    }

    // Blocks are announced in order, each once; what they settle comes with them, awards after votes.
    let (mut made, mut awarded) = (0, 0);
    let mut next = None;
    while awarded < 3 {
        let block = patiently(finalized.recv()).await.unwrap();
        assert!(next.is_none_or(|next| next == block.height));
        next = Some(block.height + 1);
        assert!(block.view.is_none() || block.settlement.is_some());
        if let Some(settlement) = block.settlement {
            made += usize::from(settlement.made.is_some());
            awarded += settlement.awarded.len();
        }
    }
    assert!(made > 0);
    let height = network.common_height();
    network.agreed_hash(height).await;
    check_blocks(&network, height).await;
    network.stop_all().await;
}

/// Checks turns, pace and minted coins of blocks 1 to `height`.
async fn check_blocks(network: &Network, height: u64) {
    let validator = network.validators[0].as_ref().unwrap();
    let (mut leaders, mut minted, mut roots, mut index) = (BTreeSet::new(), 0, BTreeSet::new(), 0);
    for number in 1..=height {
        let block = validator.execution.block_by_number(number).await.unwrap().unwrap();
        leaders.insert(block.header.coinbase.0);
        roots.insert(block.header.parent_beacon_block_root.unwrap());
        for coin in block.body.withdrawals.unwrap() {
            assert_eq!(coin.index, index);
            index += 1;
            minted += coin.amount;
        }
    }
    let accounts: BTreeSet<_> = network.genesis.validators.iter().map(|validator| validator.account.0).collect();
    assert!(leaders.is_subset(&accounts) && leaders.len() >= 2, "{leaders:?}");
    // Each view block pays the reward when it is awarded on this network, and moves the ledger's root. Three quarters of
    // the 15 % for storage are held back from a young storage peer.
    let reward = network.genesis.params.reward_gwei * (1_000 * 1_000 - 150 * 750) / (1_000 * 1_000);
    assert!(minted >= 2 * reward && minted % reward == 0, "{minted}");
    assert!(roots.len() as u64 >= minted / reward);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_blocks_keep_the_pace() {
    let mut network = Network::start(1, Kept::InMemory).await;
    let mut finalized = network.validators[0].as_ref().unwrap().consensus.finalized();
    let mut times = Vec::new();
    while times.len() < 4 {
        times.push(patiently(finalized.recv()).await.unwrap().time_ms);
    }
    assert!(times.windows(2).all(|pair| pair[1] >= pair[0] + BLOCK_MS), "{times:?}");
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_final_block_that_does_not_execute_ends_consensus() {
    let network = Network::start(1, Kept::InMemory).await;
    let validator = network.validators[0].as_ref().unwrap();
    validator.reach(1).await;
    validator.execution.shutdown().await.unwrap();
    let ended = patiently(validator.consensus.ended()).await;
    assert!(matches!(&ended, Err(crate::ConsensusError::Engine(_))), "{ended:?}");
}
