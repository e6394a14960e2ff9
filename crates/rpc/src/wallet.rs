//! Signs a transaction, sends it and waits for its receipt.
//!
//! ```text
//! nonce, fees, gas ──▶ sign (EIP-1559) ──▶ send ──▶ receipt?  ──▶ done
//!                                           ▲          │ not yet
//!                                           └──────────┘ sent again now and then: its validator may have died
//! ```
//!
//! One transaction of one account at a time: two that are sent at once would take the same nonce.

use crate::{
    client::{CallRequest, Client, ClientError, TransactionReceipt},
    types::HexBytes,
};
use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Signature, TxKind, U256, keccak256};
use chainflix_primitives::{AccountAddress, AccountKey};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::debug;

/// How long a receipt is waited for.
pub const RECEIPT_PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two questions for a receipt.
const POLL: Duration = Duration::from_millis(250);
/// The transaction is sent again this often.
const RESEND: Duration = Duration::from_secs(5);
/// What JSON-RPC servers answer to a call that reverts, since geth.
const REVERTED: i64 = 3;

/// Why a transaction did not do what it says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The validators do not answer, or refuse it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The contract would refuse it, so it was not sent.
    #[error("the contract refuses: {message}")]
    WouldRevert {
        /// The node's words.
        message: String,
        /// What the contract said.
        data: Vec<u8>,
    },
    /// The contract refused it; its gas is paid.
    #[error("transaction {} was reverted in block {}", receipt.hash, receipt.block)]
    Reverted { receipt: TransactionReceipt },
    /// It is in no block yet. It may still be: ask for its receipt before sending it anew.
    #[error("transaction {hash} is in no block after {after_ms} ms")]
    NoReceipt { hash: B256, after_ms: u64 },
}

/// A transaction that anybody can hand in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// Its name.
    pub hash: B256,
    /// As `eth_sendRawTransaction` takes it (EIP-2718).
    pub raw: Vec<u8>,
}

/// Sends `value_wei` and `data` from the account of `key` and waits until it is final.
///
/// `to` is `None` to make a contract of `data`.
///
/// # Errors
/// [`SendError`]; after [`SendError::NoReceipt`] alone its fate is open.
pub async fn send_transaction(
    client: &Client,
    key: &AccountKey,
    to: Option<AccountAddress>,
    value_wei: u128,
    data: Vec<u8>,
) -> Result<TransactionReceipt, SendError> {
    let transaction = sign(prepare(client, key.address(), to, value_wei, data).await?, key);
    match client.send_raw_transaction(&transaction.raw).await {
        Ok(_) => {}
        // The first validator took it, passed it on and died before it answered.
        Err(ClientError::Rpc { error, .. }) if error.message.contains("already known") => {}
        Err(error) => return Err(error.into()),
    }
    let receipt = wait(client, &transaction).await?;
    if receipt.succeeded { Ok(receipt) } else { Err(SendError::Reverted { receipt }) }
}

/// Fills in what the chain says: nonce, fees and gas.
async fn prepare(
    client: &Client,
    from: AccountAddress,
    to: Option<AccountAddress>,
    value_wei: u128,
    data: Vec<u8>,
) -> Result<TxEip1559, SendError> {
    let call = CallRequest { from: Some(from), to, value: value_wei, data: HexBytes(data) };
    let gas = client.estimate_gas(&call).await.map_err(would_revert)?;
    let tip = client.priority_fee().await?.max(1);
    let base_fee = client.next_base_fee().await?;
    Ok(TxEip1559 {
        chain_id: client.chain_id().await?,
        nonce: client.transaction_count(from).await?,
        // State may change a little between estimate and execution; what is not used is not paid.
        gas_limit: gas.saturating_add(gas / 4),
        // A base fee at most doubles in six blocks (EIP-1559: an eighth a block).
        max_fee_per_gas: base_fee.saturating_mul(2).saturating_add(tip),
        max_priority_fee_per_gas: tip,
        to: to.map_or(TxKind::Create, |to| TxKind::Call(Address::from(to.0))),
        value: U256::from(value_wei),
        access_list: Default::default(),
        input: call.data.0.into(),
    })
}

fn would_revert(error: ClientError) -> SendError {
    match error {
        ClientError::Rpc { error, .. } if error.code == REVERTED => {
            let data = error.data.and_then(|data| serde_json::from_value(data).ok());
            SendError::WouldRevert { message: error.message, data: data.map_or(Vec::new(), |HexBytes(data)| data) }
        }
        other => other.into(),
    }
}

/// Signs a transaction.
pub fn sign(transaction: TxEip1559, key: &AccountKey) -> SignedTransaction {
    let signature = key.sign_digest(&transaction.signature_hash().0);
    let half = |from: usize| U256::from_be_slice(&signature.0[from..from + 32]);
    let signature = Signature::new(half(0), half(32), signature.0[64] & 1 == 1);
    let raw = transaction.into_signed(signature).encoded_2718();
    SignedTransaction { hash: keccak256(&raw), raw }
}

async fn wait(client: &Client, transaction: &SignedTransaction) -> Result<TransactionReceipt, SendError> {
    let began = Instant::now();
    let mut sent = began;
    loop {
        match client.transaction_receipt(transaction.hash).await {
            Ok(Some(receipt)) => return Ok(receipt),
            Ok(None) => {}
            // All validators may be restarting; patience has its end below.
            Err(error) => debug!(%error, "no receipt can be asked for"),
        }
        if began.elapsed() >= RECEIPT_PATIENCE {
            let after_ms = u64::try_from(RECEIPT_PATIENCE.as_millis()).unwrap_or(u64::MAX);
            return Err(SendError::NoReceipt { hash: transaction.hash, after_ms });
        }
        if sent.elapsed() >= RESEND {
            sent = Instant::now();
            if let Err(error) = client.send_raw_transaction(&transaction.raw).await {
                // Usually that it is known already.
                debug!(%error, "sent again");
            }
        }
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{Transaction as _, TxEnvelope};
    use alloy_eips::eip2718::Decodable2718 as _;

    #[test]
    fn what_is_signed_is_ethereums_and_ours() {
        let key = AccountKey::from_bytes(&[7; 32]).unwrap();
        for nonce in 0..8 {
            let transaction = TxEip1559 {
                chain_id: 4_408_920,
                nonce,
                gas_limit: 21_000,
                max_fee_per_gas: 9,
                max_priority_fee_per_gas: 1,
                to: TxKind::Call(Address::repeat_byte(9)),
                value: U256::from(5),
                access_list: Default::default(),
                input: Default::default(),
            };
            let signed = sign(transaction, &key);
            let read = TxEnvelope::decode_2718_exact(&signed.raw).unwrap();
            assert_eq!((*read.tx_hash(), read.nonce(), read.chain_id()), (signed.hash, nonce, Some(4_408_920)));
            let mut signature = read.signature().as_bytes();
            signature[64] -= 27;
            let signer = chainflix_primitives::Signature(signature).recover(&read.signature_hash().0);
            assert_eq!(signer, Ok(key.address()));
        }
    }
}
