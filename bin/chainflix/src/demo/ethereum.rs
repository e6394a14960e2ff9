//! The few questions of the demo that an Ethereum node answers and [`Client`] has no method for.

use alloy_primitives::U256;
use anyhow::{Context as _, Result};
use chainflix_primitives::{AccountAddress, BlockHash};
use chainflix_rpc::Client;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::json;

/// A block, as far as it mints.
#[derive(Debug, Deserialize)]
pub struct Block {
    pub hash: BlockHash,
    #[serde(default)]
    pub withdrawals: Vec<Withdrawal>,
}

/// Coins that a block mints (EIP-4895).
#[derive(Debug, Deserialize)]
pub struct Withdrawal {
    /// How much, in gwei.
    #[serde(deserialize_with = "quantity")]
    pub amount: u64,
}

impl Block {
    /// What it mints, in gwei.
    pub fn minted_gwei(&self) -> u128 {
        self.withdrawals.iter().map(|withdrawal| u128::from(withdrawal.amount)).sum()
    }
}

fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = <String as Deserialize>::deserialize(deserializer)?;
    let digits = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    digits.ok_or_else(|| D::Error::custom("not a number in hex"))
}

/// A block by its number.
pub async fn block(client: &Client, number: u64) -> Result<Block> {
    let block: Option<Block> = client.call("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await?;
    block.with_context(|| format!("block {number} is missing"))
}

/// What an account had after a block, in wei.
pub async fn balance_at(client: &Client, account: AccountAddress, number: u64) -> Result<U256> {
    let text: String = client.call("eth_getBalance", json!([account, format!("{number:#x}")])).await?;
    let digits = text.strip_prefix("0x").unwrap_or(&text);
    U256::from_str_radix(digits, 16).context("a balance that is no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_as_ethereum_writes_it() {
        let hash = BlockHash([7; 32]);
        let block = json!({
            "hash": hash,
            "number": "0x5",
            "withdrawals": [{"index": "0x0", "amount": "0x14f46b0400"}, {"index": "0x1", "amount": "0x1"}],
        });
        let block: Block = serde_json::from_value(block).unwrap();
        assert_eq!((block.hash, block.minted_gwei()), (hash, 90_000_000_001));
        let empty: Block = serde_json::from_value(json!({"hash": hash})).unwrap();
        assert_eq!(empty.minted_gwei(), 0);
    }
}
