//! `chainflix wallet`: an account of this user, and its coins.
//!
//! ```text
//! words (BIP-39, shown once) ──m/44'/60'/0'/0/0──▶ key ──passphrase──▶ wallet file (Ethereum key store v3)
//! ```
//!
//! The words alone restore the account, here or in any Ethereum wallet; the file holds the key, encrypted. Left out:
//! several accounts of one phrase, hardware wallets.
//!
//! Money goes by `cfx_account`, so that what is on its way is told apart from what can be spent.

pub mod amount;
mod bond;
mod history;
pub mod keystore;
pub mod language;
pub mod passphrase;
pub mod place;
mod words;

use crate::{
    key,
    output::{note, say},
};
use alloy_primitives::U256;
use anyhow::{Context as _, Result, bail};
use chainflix_primitives::{AccountAddress, AccountKey};
use chainflix_rpc::{Client, send_transaction, types::AccountQuery};
use clap::{Args, Subcommand};
use keystore::{COST, KeyStore};
use serde_json::json;
use std::path::PathBuf;
use words::Words;

/// Make and use a wallet: an account, its words, its coins
#[derive(Args)]
#[command(after_help = "Example: chainflix wallet new && chainflix wallet balance")]
pub struct Wallet {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a wallet, show its twelve words once, and keep it encrypted
    #[command(after_help = "Example: chainflix wallet new")]
    New(New),
    /// Show the account's address
    #[command(after_help = "Example: chainflix wallet show")]
    Show(Show),
    /// Show how many coins an account has
    #[command(after_help = "Example: chainflix wallet balance 0x00000000000000000000000000000000000000C1")]
    Balance(Balance),
    /// Show an account's plays: what each earned, or why it earned nothing
    #[command(after_help = "Example: chainflix wallet history --lang ko")]
    History(history::History),
    /// Bond coins: an account with a full bond has full weight at once
    #[command(after_help = "Example: chainflix wallet bond 1000")]
    Bond(bond::Bond),
    /// Ask bonded coins back: they count no more, and can be withdrawn after the network's delay
    #[command(after_help = "Example: chainflix wallet unbond 500")]
    Unbond(bond::Unbond),
    /// Take unbonded coins back after the delay
    #[command(after_help = "Example: chainflix wallet withdraw")]
    Withdraw(bond::Withdraw),
    /// Send coins to an account
    #[command(after_help = "Example: chainflix wallet send 0x00000000000000000000000000000000000000C1 12.5")]
    Send(Send),
}

#[derive(Args)]
struct New {
    #[command(flatten)]
    wallet: WalletFile,
    /// Make it from words you have, asked for on standard input
    #[arg(long)]
    restore: bool,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Show {
    #[command(flatten)]
    wallet: WalletFile,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Balance {
    /// Whose coins [default: the wallet's]
    account: Option<AccountAddress>,
    #[command(flatten)]
    wallet: WalletFile,
    #[command(flatten)]
    chain: Chain,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Send {
    /// To whom
    to: AccountAddress,
    /// How many CFX, with at most 18 digits after the point
    #[arg(value_parser = amount::read)]
    amount: u128,
    #[command(flatten)]
    wallet: WalletFile,
    #[command(flatten)]
    chain: Chain,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct WalletFile {
    /// The wallet [default: chainflix/wallet.json in this user's data folder]
    #[arg(long, value_name = "FILE")]
    wallet: Option<PathBuf>,
    /// File with the passphrase, instead of asking for it
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Args)]
struct Chain {
    /// JSON-RPC of a validator; may be given several times
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545")]
    rpc: Vec<String>,
}

impl Wallet {
    pub async fn start(self) -> Result<()> {
        match self.command {
            Command::New(new) => new.start(),
            Command::Show(show) => show.start(),
            Command::Balance(balance) => balance.start().await,
            Command::History(history) => history.start().await,
            Command::Bond(bond) => bond.start().await,
            Command::Unbond(unbond) => unbond.start().await,
            Command::Withdraw(withdraw) => withdraw.start().await,
            Command::Send(send) => send.start().await,
        }
    }
}

impl WalletFile {
    fn path(&self) -> Result<PathBuf> {
        self.wallet.clone().map_or_else(place::usual, Ok)
    }

    fn address(&self) -> Result<AccountAddress> {
        Ok(KeyStore::read(&self.path()?)?.address()?)
    }

    fn key(&self) -> Result<AccountKey> {
        key::read_or_wallet(self.wallet.as_deref(), self.passphrase_file.as_deref())
    }
}

impl New {
    fn start(self) -> Result<()> {
        let path = self.wallet.path()?;
        if path.exists() {
            bail!("there is a wallet at {}; name another file with --wallet", path.display());
        }
        let words = if self.restore { Words::ask()? } else { Words::draw() };
        let key = words.key()?;
        let passphrase = passphrase::new(self.wallet.passphrase_file.as_deref())?;
        KeyStore::seal(&key, &passphrase, COST)?.write(&path)?;
        let address = key.address().to_checksum();
        if self.json {
            let mut made = json!({"address": address, "wallet": path});
            if !self.restore {
                made["words"] = words.phrase().into();
            }
            say(made);
            return Ok(());
        }
        if !self.restore {
            note("Write these words down. They are shown this once, and whoever has them has the coins:");
            say(words.phrase());
        }
        note(format_args!("The wallet is in {}; its address is", path.display()));
        say(address);
        Ok(())
    }
}

impl Show {
    fn start(self) -> Result<()> {
        let path = self.wallet.path()?;
        let address = KeyStore::read(&path)?.address()?.to_checksum();
        if self.json {
            say(json!({"address": address, "wallet": path}))
        } else {
            say(address)
        }
        Ok(())
    }
}

impl Balance {
    async fn start(self) -> Result<()> {
        let account = match self.account {
            Some(account) => account,
            None => self.wallet.address()?,
        };
        let client = Client::new(&self.chain.rpc)?;
        let query = AccountQuery { account, count: 1, from: None };
        let report = client.account(query).await.context("the balance cannot be asked for")?;
        let balance = U256::from(report.balance_wei);
        let coming = report.pending_gwei + report.vesting_gwei;
        if self.json {
            let (wei, pending, vesting) = (balance.to_string(), report.pending_gwei, report.vesting_gwei);
            let (pending, vesting) = (pending.to_string(), vesting.to_string());
            let (address, held) = (account.to_checksum(), report.held.map_or(0, |held| held.gwei).to_string());
            say(json!({
                "address": address, "balanceWei": wei, "pendingGwei": pending, "vestingGwei": vesting, "heldGwei": held,
            }));
            return Ok(());
        }
        say(format_args!("{} CFX", amount::show(balance)));
        if coming > 0 {
            let coming = amount::show(U256::from(coming) * U256::from(1_000_000_000));
            note(format_args!("{coming} CFX more are on their way"));
        }
        if let Some(held) = report.held.filter(|held| held.gwei > 0) {
            let held = amount::show(U256::from(held.gwei) * U256::from(1_000_000_000));
            note(format_args!("{held} CFX are held back from you as a storage peer"));
        }
        Ok(())
    }
}

impl Send {
    async fn start(self) -> Result<()> {
        let key = self.wallet.key()?;
        let client = Client::new(&self.chain.rpc)?;
        let balance = client.balance(key.address()).await.context("the balance cannot be asked for")?;
        if balance < U256::from(self.amount) {
            bail!("{} has {} CFX, which is too little", key.address().to_checksum(), amount::show(balance));
        }
        let receipt = send_transaction(&client, &key, Some(self.to), self.amount, Vec::new()).await?;
        if self.json {
            say(json!({"transaction": receipt.hash.to_string(), "block": receipt.block}));
        } else {
            let (amount, to) = (amount::show(U256::from(self.amount)), self.to.to_checksum());
            say(format_args!("sent {amount} CFX to {to} in block {} ({})", receipt.block, receipt.hash));
        }
        Ok(())
    }
}
