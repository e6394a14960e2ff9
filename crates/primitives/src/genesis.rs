//! The network genesis: what all nodes agree on before the first block.
//!
//! One JSON file, the same on every node; its digest is part of every handshake, so that nodes of different networks
//! never talk. Times and shares are genesis matters: the demo runs the real minute, tests run short ones.

mod keys;
mod params;

pub use keys::{CurvePoint, NetworkKeys};
pub use params::{AuditParams, HeldPayParams, ProtocolParams, RewardSplit, SplitBounds, StandingParams, WeightParams};

use crate::AccountAddress;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Everything a network fixes at its start.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkGenesis {
    /// Ethereum chain id (EIP-155).
    pub chain_id: u64,
    /// Start of slot 0, in milliseconds since the Unix epoch; a whole second.
    pub genesis_time_ms: u64,
    /// The protocol's numbers.
    pub params: ProtocolParams,
    /// The authorities, in the order that bitmaps and turns count them.
    pub validators: Vec<ValidatorIdentity>,
    /// Who can release keys, and what creators seal their video secrets to.
    pub keys: NetworkKeys,
    /// Who may name supervisors.
    pub governor: AccountAddress,
    /// Supervisors from the start.
    pub supervisors: Vec<SupervisorIdentity>,
    /// Coins that exist from the start, in wei.
    pub allocations: Vec<Allocation>,
}

/// A named authority.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidatorIdentity {
    /// Signs grants, PlayCodes and votes; receives the validator's share and fees.
    pub account: AccountAddress,
    /// Ed25519 key of the consensus engine.
    pub consensus_key: crate::NodeId,
}

/// A supervisor named at genesis.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SupervisorIdentity {
    /// Vets creators, takes unlawful videos down, receives the supervisor's share.
    pub account: AccountAddress,
    /// ISO 3166-1 alpha-2 country code.
    pub country: String,
}

/// Coins of one account at genesis.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allocation {
    /// Who holds them.
    pub account: AccountAddress,
    /// How many, in whole CFX.
    pub cfx: u64,
}

/// Why a genesis cannot start a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// A number that would stop the protocol or divide by zero.
    #[error("genesis: {name} is {value}; allowed are {least} to {most}")]
    OutOfRange { name: &'static str, value: u64, least: u64, most: u64 },
    /// The split pays out more or less than there is.
    #[error("genesis: the reward split adds up to {sum} thousandths instead of 1000")]
    Split { sum: u32 },
    /// A share outside what the network allows.
    #[error("genesis: the share of the {role} is {permille} thousandths; allowed are {least} to {most}")]
    Bounds { role: &'static str, permille: u16, least: u16, most: u16 },
    /// One account or key listed twice.
    #[error("genesis: validator {account} is listed twice")]
    DuplicateValidator { account: AccountAddress },
    /// A country code that is not two letters.
    #[error("genesis: supervisor {account} has country {country:?}; two letters are wanted (ISO 3166-1)")]
    Country { account: AccountAddress, country: String },
}

impl NetworkGenesis {
    /// Checks what every node relies on.
    pub fn check(&self) -> Result<(), GenesisError> {
        within("validators", self.validators.len() as u64, 1, 128)?;
        within("genesisTimeMs modulo 1000", self.genesis_time_ms % 1000, 0, 0)?;
        self.keys.check(self.validators.len())?;
        for (index, validator) in self.validators.iter().enumerate() {
            let twin = |other: &ValidatorIdentity| {
                other.account == validator.account || other.consensus_key == validator.consensus_key
            };
            if self.validators[..index].iter().any(twin) {
                return Err(GenesisError::DuplicateValidator { account: validator.account });
            }
        }
        for SupervisorIdentity { account, country } in &self.supervisors {
            if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return Err(GenesisError::Country { account: *account, country: country.clone() });
            }
        }
        self.params.check()
    }

    /// The number of `account` among the validators.
    pub fn validator_index(&self, account: &AccountAddress) -> Option<usize> {
        self.validators.iter().position(|validator| validator.account == *account)
    }

    /// Names this network: nodes with different digests never talk.
    pub fn digest(&self) -> crate::Digest {
        // Writing into a vector cannot fail.
        let bytes = borsh::to_vec(self).expect("encoding into memory does not fail");
        crate::Digest(blake3::derive_key("chainflix 2026 network genesis v1", &bytes))
    }
}

fn within(name: &'static str, value: u64, least: u64, most: u64) -> Result<(), GenesisError> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(GenesisError::OutOfRange { name, value, least, most }) }
}
