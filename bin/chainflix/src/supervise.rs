//! `chainflix supervise`: what a supervisor decides, one transaction each.

use crate::{
    contract::{self, address},
    key, network,
    output::{note, say},
};
use alloy_primitives::{Address, B256};
use anyhow::Result;
use chainflix_contracts::{IRegistry, IStanding, REGISTRY_ADDRESS, STANDING_ADDRESS, SolCall};
use chainflix_primitives::{AccountAddress, AccountKey, Magnet};
use chainflix_rpc::Client;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// Decide as a supervisor: admit creators, stop films, vouch for viewers, name operation participants
#[derive(Args)]
#[command(after_help = "Example: chainflix supervise admit 0x00000000000000000000000000000000000000C1")]
pub struct Supervise {
    #[command(subcommand)]
    decision: Decision,
    #[command(flatten)]
    office: Office,
}

#[derive(Subcommand)]
enum Decision {
    /// Let an account publish films and layers, and answer for it
    #[command(after_help = "Example: chainflix supervise admit 0x00000000000000000000000000000000000000C1")]
    Admit { account: AccountAddress },
    /// Let an account publish no more; what it published is not touched
    #[command(after_help = "Example: chainflix supervise dismiss 0x00000000000000000000000000000000000000C1")]
    Dismiss { account: AccountAddress },
    /// Stop a film, or a layer of one
    #[command(after_help = "Example: chainflix supervise takedown 'magnet:?xt=urn:cfx:…' --reason \"claim 114\"")]
    Takedown {
        #[command(flatten)]
        what: Work,
        /// For the public record, 1 to 1,024 bytes
        #[arg(long)]
        reason: String,
    },
    /// Let a film, or a layer of one, be shown again
    #[command(after_help = "Example: chainflix supervise reinstate 'magnet:?xt=urn:cfx:…'")]
    Reinstate {
        #[command(flatten)]
        what: Work,
    },
    /// Say that an account is a person's: its views have full weight at once
    #[command(after_help = "Example: chainflix supervise vouch 0x00000000000000000000000000000000000000C1")]
    Vouch { account: AccountAddress },
    /// Vouch for an account no longer
    #[command(after_help = "Example: chainflix supervise revoke 0x00000000000000000000000000000000000000C1")]
    Revoke { account: AccountAddress },
    /// Name an operation participant, who shares in every view
    #[command(after_help = "Example: chainflix supervise engage 0x00000000000000000000000000000000000000C1")]
    Engage { account: AccountAddress },
    /// End the part of an operation participant that this account named
    #[command(after_help = "Example: chainflix supervise release 0x00000000000000000000000000000000000000C1")]
    Release { account: AccountAddress },
}

/// A film or a layer.
#[derive(Args)]
struct Work {
    /// A magnet URI, or its 64 hex digits
    #[arg(value_parser = magnet)]
    magnet: Magnet,
    /// It is a layer (subtitles, a dub, effects), not a film
    #[arg(long)]
    layer: bool,
}

/// Who decides, and where.
#[derive(Args)]
struct Office {
    /// The network's folder: that of `chainflix demo` or `chainflix init`
    #[arg(long, global = true, value_name = "DIR", default_value = crate::demo::DATA)]
    network: PathBuf,
    /// JSON-RPC of a validator, instead of a network's folder; may be given several times
    #[arg(long, global = true, value_name = "URL")]
    rpc: Vec<String>,
    /// Key or wallet of the supervisor [default: the supervisor of the network's folder; with --rpc this user's wallet]
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,
    /// File with the wallet's passphrase, instead of asking for it
    #[arg(long, global = true, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Say it as JSON
    #[arg(long, global = true)]
    json: bool,
}

impl Supervise {
    pub async fn start(self) -> Result<()> {
        let (rpcs, key) = self.office.open()?;
        let (contract, call) = self.decision.call();
        let receipt = contract::send(&Client::new(&rpcs)?, &key, contract, 0, call).await?;
        if self.office.json {
            say(json!({"transaction": receipt.hash.to_string(), "block": receipt.block}));
        } else {
            note(format_args!("final in block {}", receipt.block));
            say(receipt.hash);
        }
        Ok(())
    }
}

impl Office {
    fn open(&self) -> Result<(Vec<String>, AccountKey)> {
        let passphrase = self.passphrase_file.as_deref();
        if !self.rpc.is_empty() {
            return Ok((self.rpc.clone(), key::read_or_wallet(self.key.as_deref(), passphrase)?));
        }
        let layout = network::open(&self.network)?;
        let key = match &self.key {
            Some(file) => key::read(file, passphrase)?,
            None => layout.account("supervisor")?,
        };
        Ok((layout.rpcs, key))
    }
}

impl Decision {
    /// The contract that keeps the decision, and the words to it.
    fn call(&self) -> (Address, Vec<u8>) {
        match self {
            Self::Admit { account } => registry(IRegistry::admitCreatorCall { creator: address(*account) }),
            Self::Dismiss { account } => registry(IRegistry::dismissCreatorCall { creator: address(*account) }),
            Self::Takedown { what, reason } => what.take_down(reason.clone()),
            Self::Reinstate { what } => what.reinstate(),
            Self::Vouch { account } => standing(IStanding::vouchCall { account: address(*account) }),
            Self::Revoke { account } => standing(IStanding::revokeVouchCall { account: address(*account) }),
            Self::Engage { account } => registry(IRegistry::addParticipantCall { account: address(*account) }),
            Self::Release { account } => registry(IRegistry::removeParticipantCall { account: address(*account) }),
        }
    }
}

impl Work {
    fn take_down(&self, reason: String) -> (Address, Vec<u8>) {
        let magnet = B256::from(self.magnet.0);
        match self.layer {
            true => registry(IRegistry::takeDownLayerCall { layer: magnet, reason }),
            false => registry(IRegistry::takeDownCall { magnet, reason }),
        }
    }

    fn reinstate(&self) -> (Address, Vec<u8>) {
        let magnet = B256::from(self.magnet.0);
        match self.layer {
            true => registry(IRegistry::reinstateLayerCall { layer: magnet }),
            false => registry(IRegistry::reinstateCall { magnet }),
        }
    }
}

fn registry(call: impl SolCall) -> (Address, Vec<u8>) {
    (REGISTRY_ADDRESS, call.abi_encode())
}

fn standing(call: impl SolCall) -> (Address, Vec<u8>) {
    (STANDING_ADDRESS, call.abi_encode())
}

fn magnet(text: &str) -> Result<Magnet, String> {
    Magnet::from_uri(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_contracts::SolInterface as _;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        supervise: Supervise,
    }

    fn call(words: &[&str]) -> (Address, Vec<u8>) {
        Line::parse_from([&["supervise"], words].concat()).supervise.decision.call()
    }

    #[test]
    fn each_decision_goes_to_the_contract_that_keeps_it() {
        let account = "0x00000000000000000000000000000000000000C1";
        let magnet = "ab".repeat(32);
        let registry: [&[&str]; 8] = [
            &["admit", account],
            &["dismiss", account],
            &["engage", account],
            &["release", account],
            &["takedown", &magnet, "--reason", "claim 114"],
            &["takedown", &magnet, "--layer", "--reason", "claim 114"],
            &["reinstate", &magnet],
            &["reinstate", &magnet, "--layer"],
        ];
        let mut selectors = Vec::new();
        for words in registry {
            let (contract, data) = call(words);
            assert_eq!(contract, REGISTRY_ADDRESS, "{words:?}");
            selectors.push(IRegistry::IRegistryCalls::abi_decode_validate(&data).unwrap().selector());
        }
        for words in [["vouch", account], ["revoke", account]] {
            let (contract, data) = call(&words);
            assert_eq!(contract, STANDING_ADDRESS);
            selectors.push(IStanding::IStandingCalls::abi_decode_validate(&data).unwrap().selector());
        }
        selectors.sort_unstable();
        selectors.dedup();
        assert_eq!(selectors.len(), 10, "no two are the same");
    }
}
