//! `chainflix wallet bond`, `unbond`, `withdraw`: coins that stand for an account.
//!
//! ```text
//! account ──bond──▶ counts ──unbond──▶ waits (genesis: unbondS) ──withdraw──▶ account
//! ```
//!
//! A bond gives views full weight at once, where an account without one grows into it. Nobody can take it away.

use super::{Chain, WalletFile, amount};
use crate::{
    contract::{address, ask, send},
    output::{note, say},
};
use alloy_primitives::U256;
use anyhow::{Context as _, Result, bail, ensure};
use chainflix_contracts::{IStanding, STANDING_ADDRESS, SolCall as _};
use chainflix_primitives::AccountAddress;
use chainflix_rpc::{Client, client::TransactionReceipt};
use chrono::{DateTime, Local};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub struct Bond {
    /// How many CFX to bond more; without it the bond is shown
    #[arg(value_parser = amount::read)]
    amount: Option<u128>,
    #[command(flatten)]
    of: Whose,
}

#[derive(Args)]
pub struct Unbond {
    /// How many CFX [default: all that is bonded]
    #[arg(value_parser = amount::read)]
    amount: Option<u128>,
    #[command(flatten)]
    of: Whose,
}

#[derive(Args)]
pub struct Withdraw {
    #[command(flatten)]
    of: Whose,
}

/// Whose coins, where, and how to say it.
#[derive(Args)]
struct Whose {
    #[command(flatten)]
    wallet: WalletFile,
    #[command(flatten)]
    chain: Chain,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

/// The coins of an account in the contract, and what they and a supervisor's word are worth.
struct Standing {
    bond: IStanding::Bond,
    vouched: bool,
}

impl Bond {
    pub async fn start(self) -> Result<()> {
        let client = Client::new(&self.of.chain.rpc)?;
        let Some(wei) = self.amount else {
            let account = self.of.wallet.address()?;
            let standing = Standing::of(&client, account).await?;
            self.of.tell(account, &standing, None);
            return Ok(());
        };
        let key = self.of.wallet.key()?;
        let balance = client.balance(key.address()).await.context("the balance cannot be asked for")?;
        if balance < U256::from(wei) {
            bail!("{} has {} CFX, which is too little", key.address().to_checksum(), amount::show(balance));
        }
        let receipt = send(&client, &key, STANDING_ADDRESS, wei, IStanding::bondCall {}.abi_encode()).await?;
        let standing = Standing::of(&client, key.address()).await?;
        self.of.tell(key.address(), &standing, Some(&receipt));
        Ok(())
    }
}

impl Unbond {
    pub async fn start(self) -> Result<()> {
        let client = Client::new(&self.of.chain.rpc)?;
        let key = self.of.wallet.key()?;
        let bonded = Standing::of(&client, key.address()).await?.bond.bondedWei;
        ensure!(!bonded.is_zero(), "{} has bonded nothing", key.address().to_checksum());
        let call = IStanding::requestUnbondCall { amountWei: self.amount.map_or(bonded, U256::from) };
        let receipt = send(&client, &key, STANDING_ADDRESS, 0, call.abi_encode()).await?;
        let standing = Standing::of(&client, key.address()).await?;
        self.of.tell(key.address(), &standing, Some(&receipt));
        Ok(())
    }
}

impl Withdraw {
    pub async fn start(self) -> Result<()> {
        let client = Client::new(&self.of.chain.rpc)?;
        let key = self.of.wallet.key()?;
        let receipt = send(&client, &key, STANDING_ADDRESS, 0, IStanding::withdrawCall {}.abi_encode()).await?;
        let standing = Standing::of(&client, key.address()).await?;
        self.of.tell(key.address(), &standing, Some(&receipt));
        Ok(())
    }
}

impl Whose {
    fn tell(&self, account: AccountAddress, standing: &Standing, receipt: Option<&TransactionReceipt>) {
        if self.json {
            say(standing.json(account, receipt));
            return;
        }
        if let Some(receipt) = receipt {
            note(format_args!("final in block {} ({})", receipt.block, receipt.hash));
        }
        for line in standing.lines() {
            say(line);
        }
    }
}

impl Standing {
    async fn of(client: &Client, account: AccountAddress) -> Result<Self> {
        let account = address(account);
        let bond = ask(client, STANDING_ADDRESS, IStanding::bondOfCall { account }).await?;
        let standing = ask(client, STANDING_ADDRESS, IStanding::standingOfCall { account }).await?;
        Ok(Self { bond, vouched: standing.vouched })
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{} CFX bonded", amount::show(self.bond.bondedWei))];
        if !self.bond.leavingWei.is_zero() {
            let (leaving, release) = (amount::show(self.bond.leavingWei), moment(self.bond.releaseTimeS));
            lines.push(format!("{leaving} CFX leaving; `chainflix wallet withdraw` takes them from {release} on"));
        }
        if self.vouched {
            lines.push("a supervisor vouches for this account".to_owned());
        }
        lines
    }

    fn json(&self, account: AccountAddress, receipt: Option<&TransactionReceipt>) -> Value {
        let mut said = json!({
            "address": account.to_checksum(),
            "bondedWei": self.bond.bondedWei.to_string(),
            "leavingWei": self.bond.leavingWei.to_string(),
            "releaseTimeS": self.bond.releaseTimeS.saturating_to::<u64>(),
            "vouched": self.vouched,
        });
        if let Some(receipt) = receipt {
            said["transaction"] = receipt.hash.to_string().into();
            said["block"] = receipt.block.into();
        }
        said
    }
}

/// A time of the chain, as the clock on this user's wall shows it.
fn moment(seconds: U256) -> String {
    let seconds = i64::try_from(seconds.saturating_to::<u64>()).unwrap_or(i64::MAX);
    let moment = DateTime::from_timestamp(seconds, 0);
    moment.map_or_else(|| "never".to_owned(), |at| at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bond_is_told_with_what_is_leaving() {
        let wei = |cfx: u64| U256::from(cfx) * U256::from(10u64.pow(18));
        let bond = IStanding::Bond { bondedWei: wei(7), leavingWei: U256::ZERO, releaseTimeS: U256::ZERO };
        let mut standing = Standing { bond, vouched: false };
        assert_eq!(standing.lines(), ["7 CFX bonded"]);
        let account = AccountAddress([1; 20]);
        assert_eq!(standing.json(account, None)["bondedWei"], "7000000000000000000");

        standing.bond.leavingWei = wei(2) / U256::from(4);
        standing.bond.releaseTimeS = U256::from(1_700_604_800);
        standing.vouched = true;
        let lines = standing.lines();
        assert!(lines[1].starts_with("0.5 CFX leaving; ") && lines[1].contains("2023-11-2"), "{lines:?}");
        assert_eq!(lines.len(), 3);
        assert_eq!(standing.json(account, None)["releaseTimeS"], 1_700_604_800);
        assert_eq!(moment(U256::MAX), "never");
    }
}
