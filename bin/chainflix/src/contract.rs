//! Calls the network's contracts for a user, and tells what they refuse.

use alloy_primitives::Address;
use anyhow::{Context as _, Result, bail};
use chainflix_contracts::{SolCall, decode, refusal_in_words};
use chainflix_primitives::{AccountAddress, AccountKey};
use chainflix_rpc::{
    Client, SendError,
    client::{CallRequest, TransactionReceipt},
    send_transaction,
    types::HexBytes,
};

/// Sends a call with `wei` coins and waits until it is final.
pub async fn send(
    client: &Client,
    key: &AccountKey,
    contract: Address,
    wei: u128,
    call: Vec<u8>,
) -> Result<TransactionReceipt> {
    match send_transaction(client, key, Some(account(contract)), wei, call).await {
        Err(SendError::WouldRevert { message, data }) => {
            bail!("the contract refuses: {}", refusal_in_words(&data).unwrap_or(message))
        }
        sent => sent.context("the transaction did not go through; has the account coins for its fee?"),
    }
}

/// Asks a contract.
pub async fn ask<C: SolCall>(client: &Client, contract: Address, call: C) -> Result<C::Return> {
    let data = HexBytes(call.abi_encode());
    let question = CallRequest { from: None, to: Some(account(contract)), value: 0, data };
    let answer = client.eth_call(&question).await.context("the contract cannot be asked")?;
    Ok(decode::<C>(&answer)?)
}

/// An account as Solidity's types have it.
pub fn address(account: AccountAddress) -> Address {
    Address::from(account.0)
}

fn account(address: Address) -> AccountAddress {
    AccountAddress(address.into_array())
}
