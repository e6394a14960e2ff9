//! Counts coins from outside: balances against the schedule.

use crate::demo::Demo;
use chainflix_primitives::AccountAddress;
use chainflix_rpc::{Client, types::ViewBlockQuery};
use serde_json::json;
use std::collections::HashMap;

/// A view block's reward at the start of the schedule, in gwei (90 CFX).
pub const REWARD_GWEI: u64 = 90_000_000_000;
const GWEI: u128 = 1_000_000_000;

/// Balance after a block, in wei.
pub async fn balance_at(client: &Client, account: AccountAddress, block: u64) -> u128 {
    let text: String = client.call("eth_getBalance", json!([account, format!("{block:#x}")])).await.unwrap();
    u128::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

/// What each account earned since the demo was ready, in wei, and the block up to which it was counted.
pub async fn earned(demo: &Demo, viewers: &[AccountAddress]) -> (HashMap<AccountAddress, u128>, u64) {
    let (client, json) = (demo.client(), demo.json());
    let head = client.head().await.unwrap().number;
    let mut earned = HashMap::new();
    for account in demo.accounts().into_iter().chain(viewers.iter().copied()) {
        let before = json["baseline"]["balancesWei"][account.to_string()].as_str();
        let before: u128 = before.map_or(0, |text| text.parse().unwrap());
        earned.insert(account, balance_at(&client, account, head).await - before);
    }
    (earned, head)
}

/// Rewards of the view blocks awarded up to a block since the demo was ready, less what is held back of them, in wei.
pub async fn scheduled(demo: &Demo, head: u64) -> u128 {
    let first = demo.json()["baseline"]["block"].as_u64().unwrap() + 1;
    let view_blocks = demo.client().view_blocks(ViewBlockQuery { from: None, count: 200 }).await.unwrap();
    assert!(view_blocks.len() < 200, "a page is enough for a test");
    let awards = view_blocks.iter().filter_map(|found| found.award);
    let counted: Vec<_> = awards.filter(|award| (first..=head).contains(&award.block)).collect();
    assert!(counted.iter().all(|award| award.gwei == REWARD_GWEI && award.voided == 0));
    counted.iter().map(|award| u128::from(award.gwei - award.held_gwei + award.returned_gwei) * GWEI).sum()
}
