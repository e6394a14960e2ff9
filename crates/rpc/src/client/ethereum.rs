//! The few Ethereum methods that wallets and commands of ours use, typed. Each fails as [`Client::call`] does.

use super::{Client, ClientError};
use crate::types::HexBytes;
use alloy_primitives::{B256, U256};
use chainflix_primitives::{AccountAddress, BlockHash, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::json;

/// A call that is tried out and not sent.
#[derive(Clone, Debug, Serialize)]
pub struct CallRequest {
    /// Whose call it would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<AccountAddress>,
    /// The contract; `None` to make one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<AccountAddress>,
    /// Coins that go with it, in wei.
    #[serde(serialize_with = "quantity")]
    pub value: u128,
    /// What it says.
    pub data: HexBytes,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionReceipt {
    /// The transaction.
    pub hash: B256,
    /// Number of the block it is in.
    pub block: u64,
    /// Whether it did what it says; a reverted one only paid its gas.
    pub succeeded: bool,
    /// Gas it took.
    pub gas_used: u64,
    /// The contract it made.
    pub contract: Option<AccountAddress>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireReceipt {
    block_number: Quantity,
    status: Quantity,
    gas_used: Quantity,
    contract_address: Option<AccountAddress>,
}

#[derive(Deserialize)]
struct WireBlock {
    hash: BlockHash,
}

/// A number as Ethereum's JSON has it: hex with `0x`.
struct Quantity(U256);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        let number = text.strip_prefix("0x").and_then(|digits| U256::from_str_radix(digits, 16).ok());
        number.map(Self).ok_or_else(|| D::Error::custom("not a number in hex"))
    }
}

impl Quantity {
    /// Numbers above the type's largest are that largest: no fee or count of a sound chain comes near.
    fn u64(&self) -> u64 {
        self.0.saturating_to()
    }

    fn u128(&self) -> u128 {
        self.0.saturating_to()
    }
}

fn quantity<S: Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{number:#x}"))
}

impl Client {
    /// The chain's id (EIP-155).
    pub async fn chain_id(&self) -> Result<u64, ClientError> {
        self.call("eth_chainId", [(); 0]).await.map(|id: Quantity| id.u64())
    }

    /// Coins of an account, in wei.
    pub async fn balance(&self, account: AccountAddress) -> Result<U256, ClientError> {
        self.call("eth_getBalance", json!([account, "latest"])).await.map(|Quantity(wei)| wei)
    }

    /// The nonce of the account's next transaction, counting those that wait.
    pub async fn transaction_count(&self, account: AccountAddress) -> Result<u64, ClientError> {
        self.call("eth_getTransactionCount", json!([account, "pending"])).await.map(|count: Quantity| count.u64())
    }

    /// Wei per gas that a transaction should offer now.
    pub async fn gas_price(&self) -> Result<u128, ClientError> {
        self.call("eth_gasPrice", [(); 0]).await.map(|price: Quantity| price.u128())
    }

    /// Wei per gas that goes to the block's proposer.
    pub async fn priority_fee(&self) -> Result<u128, ClientError> {
        self.call("eth_maxPriorityFeePerGas", [(); 0]).await.map(|fee: Quantity| fee.u128())
    }

    /// Wei per gas that the next block burns (EIP-1559).
    pub async fn next_base_fee(&self) -> Result<u128, ClientError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct FeeHistory {
            base_fee_per_gas: Vec<Quantity>,
        }
        let history: FeeHistory = self.call("eth_feeHistory", json!(["0x1", "latest", []])).await?;
        // The history of one block has two entries; the last is the next block's.
        Ok(history.base_fee_per_gas.last().map(Quantity::u128).unwrap_or_default())
    }

    /// Gas that a call would take.
    pub async fn estimate_gas(&self, call: &CallRequest) -> Result<u64, ClientError> {
        self.call("eth_estimateGas", [call]).await.map(|gas: Quantity| gas.u64())
    }

    /// What a call would return.
    pub async fn eth_call(&self, call: &CallRequest) -> Result<Vec<u8>, ClientError> {
        self.call("eth_call", json!([call, "latest"])).await.map(|HexBytes(bytes)| bytes)
    }

    /// Hands in a signed transaction; answers with its hash.
    pub async fn send_raw_transaction(&self, raw: &[u8]) -> Result<B256, ClientError> {
        let hash: Digest = self.call("eth_sendRawTransaction", [HexBytes(raw.to_vec())]).await?;
        Ok(B256::from(hash.0))
    }

    /// The hash of block `number`; `None` where there is none (yet).
    pub async fn block_hash(&self, number: u64) -> Result<Option<BlockHash>, ClientError> {
        let block: Option<WireBlock> =
            self.call("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await?;
        Ok(block.map(|block| block.hash))
    }

    /// What became of a transaction; `None` while it waits or where nobody knows it.
    pub async fn transaction_receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, ClientError> {
        let receipt: Option<WireReceipt> = self.call("eth_getTransactionReceipt", [Digest(hash.0)]).await?;
        Ok(receipt.map(|receipt| TransactionReceipt {
            hash,
            block: receipt.block_number.u64(),
            succeeded: receipt.status.u64() == 1,
            gas_used: receipt.gas_used.u64(),
            contract: receipt.contract_address,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_ethereum_writes_them() {
        let read = |text: &str| serde_json::from_value::<Quantity>(json!(text)).map(|number| number.u64()).ok();
        assert_eq!(read("0x0"), Some(0));
        assert_eq!(read("0x1f"), Some(31));
        assert_eq!(read(&format!("0x{}", "f".repeat(64))), Some(u64::MAX));
        assert_eq!((read("31"), read("0x"), read("0xg")), (None, Some(0), None));
    }

    #[test]
    fn a_call_leaves_out_what_it_does_not_say() {
        let call = CallRequest { from: None, to: None, value: 31, data: HexBytes(vec![1]) };
        assert_eq!(serde_json::to_value(call).unwrap(), json!({"value": "0x1f", "data": "0x01"}));
    }
}
