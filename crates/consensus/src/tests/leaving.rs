//! A storage peer that leaves the registry is paid what was held back from it, by every validator alike.

use super::harness::{Kept, Network, Validator, patiently, registry_call, send};
use crate::testing;
use alloy_primitives::B256;
use chainflix_chain::ledger::HeldPay;
use chainflix_contracts::IRegistry;

fn held(validator: &Validator) -> HeldPay {
    validator.ledger.state().held(&testing::store().address()).copied().unwrap_or_default()
}

/// Waits for what a validator holds back.
async fn until(validator: &Validator, holds: impl Fn(&HeldPay) -> bool) -> HeldPay {
    let mut latest = validator.consensus.watch_latest();
    loop {
        let now = held(validator);
        if holds(&now) {
            return now;
        }
        patiently(latest.changed()).await.unwrap();
    }
}

/// The block that pays the storage peer more than a view block can, and how much, in gwei.
async fn paid_out(validator: &Validator, share_gwei: u64) -> Option<(u64, u64)> {
    for number in 1..=validator.execution.height() {
        let block = validator.execution.block_by_number(number).await.unwrap().unwrap();
        let coins = block.body.withdrawals.unwrap_or_default();
        let mut own = coins.iter().filter(|coin| coin.address.0 == testing::store().address().0);
        if let Some(coin) = own.find(|coin| coin.amount > share_gwei) {
            return Some((number, coin.amount));
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_withdraws_from_the_registry_is_paid_what_was_held_back() {
    let mut network = Network::start(4, Kept::OnDisk).await;
    let (key, chain_id) = (testing::store(), network.genesis.chain_id);
    let share_gwei = network.genesis.params.reward_gwei * 15 / 100;
    let first = network.validators[0].as_ref().unwrap();
    until(first, |held| held.periods >= 2).await;

    let enter = IRegistry::registerProviderCall { nodeId: B256::repeat_byte(1), boxKey: B256::repeat_byte(2) };
    send(first, &registry_call(&key, chain_id, 0, &enter)).await;
    send(first, &registry_call(&key, chain_id, 1, &IRegistry::withdrawProviderCall {})).await;
    let left = until(first, |held| held.left_in.is_some()).await;
    // It serves on, so what is held is more by then; then its service begins anew.
    let anew = until(first, |held| held.left_in.is_none()).await;
    assert!(anew.periods < left.periods, "{anew:?} after {left:?}");
    let goal = network.common_height() + 2;
    network.reach(goal).await;
    let first = network.validators[0].as_ref().unwrap();
    let (block, gwei) = paid_out(first, share_gwei).await.unwrap();
    assert!(gwei >= left.gwei, "{gwei} of {}", left.gwei);

    // A validator that lost all but the blocks comes to the same: the registry's events come out of them.
    network.stop(3).await;
    for part in ["execution", "ledger"] {
        std::fs::remove_dir_all(network.folder(3, part)).unwrap();
    }
    network.restart(3).await;
    let goal = network.common_height().max(goal) + 1;
    network.reach(goal).await;
    network.agreed_hash(goal).await;
    let returned = network.validators[3].as_ref().unwrap();
    assert_eq!(paid_out(returned, share_gwei).await, Some((block, gwei)));
    network.stop_all().await;
}
