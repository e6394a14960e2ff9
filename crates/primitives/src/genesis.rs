//! The network genesis: what all nodes agree on before the first block.
//!
//! One JSON file, the same on every node; its digest is part of every handshake, so that nodes of different networks
//! never talk. Times and shares are genesis matters: the demo runs the real minute, tests run short ones.

use crate::{AccountAddress, BoxPublicKey};
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
    /// The key creators seal their video secrets to; the validators hold the other half.
    pub network_box_key: BoxPublicKey,
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

/// The numbers marked (g) on the protocol page.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProtocolParams {
    /// Media time of a full VideoCell.
    pub cell_ms: u64,
    /// Length of a slot: at most one view block each.
    pub slot_ms: u64,
    /// Time between Ethereum blocks.
    pub block_ms: u64,
    /// View blocks in which one account earns once for one cell.
    pub period_view_blocks: u64,
    /// Points of a play at which a chunk is folded into the running hash.
    pub play_points: u8,
    /// Leading zero bits of the nonce hash.
    pub difficulty_bits: u8,
    /// How much earlier than the cell's play time a proof may come.
    pub early_tolerance_ms: u64,
    /// Latest proof, in thousandths of the cell's play time.
    pub late_permille: u64,
    /// How long before the running cell ends the next PlayCode may be asked for.
    pub overlap_ms: u64,
    /// Life of a grant.
    pub grant_ttl_ms: u64,
    /// How long after a slot's end its votes wait for proofs and receipts that are still on their way.
    pub slot_grace_ms: u64,
    /// How long the proposer of a slot has before the next validator may propose it.
    pub slot_attempt_ms: u64,
    /// Most plays at a time of one home: an IPv4 address or IPv6 /64.
    pub plays_per_home: u32,
    /// Most plays at a time of one network: an IPv4 /24 or IPv6 /48.
    pub plays_per_network: u32,
    /// Least share of a cell's bytes that matching receipts must cover, in thousandths.
    pub receipt_coverage_permille: u64,
    /// Votes a play needs, in percent of all validators.
    pub vote_percent: u64,
    /// View blocks between a reward and its payment.
    pub vesting_view_blocks: u64,
    /// Reward of a view block before the halving, in gwei of CFX.
    pub reward_gwei: u64,
    /// The last view block with the full reward; half of it from then on.
    pub halving_view_block: u64,
    /// How a play's reward is shared.
    pub split: RewardSplit,
}

/// Shares of one play's reward, in thousandths; they add up to 1000. An absent role's share goes to the creator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RewardSplit {
    /// Who published the video.
    pub creator: u16,
    /// Who watched.
    pub viewer: u16,
    /// Makers of the subtitles, dubs and effects shown.
    pub activators: u16,
    /// Peers that served the cell, by bytes.
    pub storage: u16,
    /// Validators whose votes carried the play, in equal parts.
    pub validators: u16,
    /// The supervisor who vouched for the video.
    pub supervisor: u16,
    /// Operation participants.
    pub operation: u16,
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
    /// One account or key listed twice.
    #[error("genesis: validator {account} is listed twice")]
    DuplicateValidator { account: AccountAddress },
    /// A country code that is not two letters.
    #[error("genesis: supervisor {account} has country {country:?}; two letters are wanted (ISO 3166-1)")]
    Country { account: AccountAddress, country: String },
}

impl RewardSplit {
    /// What the network uses until creators choose their own ratios.
    pub const DEFAULT: Self = Self {
        creator: 300,
        viewer: 300,
        activators: 100,
        storage: 150,
        validators: 80,
        supervisor: 30,
        operation: 40,
    };

    /// The sum of all shares, in thousandths.
    pub fn sum(&self) -> u32 {
        [self.creator, self.viewer, self.activators, self.storage, self.validators, self.supervisor, self.operation]
            .into_iter()
            .map(u32::from)
            .sum()
    }
}

impl Default for ProtocolParams {
    /// The white paper's numbers where it has them, the protocol page's where it has not.
    fn default() -> Self {
        Self {
            cell_ms: 60_000,
            slot_ms: 14_400,
            block_ms: 2_000,
            period_view_blocks: 10_000,
            play_points: 6,
            difficulty_bits: 16,
            early_tolerance_ms: 250,
            late_permille: 1_500,
            overlap_ms: 5_000,
            grant_ttl_ms: 180_000,
            slot_grace_ms: 1_000,
            slot_attempt_ms: 4_000,
            plays_per_home: 16,
            plays_per_network: 64,
            receipt_coverage_permille: 500,
            vote_percent: 51,
            vesting_view_blocks: 0,
            reward_gwei: 90_000_000_000,
            halving_view_block: 2_160_000,
            split: RewardSplit::DEFAULT,
        }
    }
}

impl ProtocolParams {
    /// The same protocol with its clock running `factor` times as fast: for tests that play whole films in seconds.
    pub fn accelerated(factor: u64) -> Self {
        let real = Self::default();
        Self {
            cell_ms: real.cell_ms / factor,
            slot_ms: real.slot_ms / factor,
            block_ms: (real.block_ms / factor).max(250),
            overlap_ms: real.overlap_ms / factor,
            slot_grace_ms: (real.slot_grace_ms / factor).max(300),
            slot_attempt_ms: (real.slot_attempt_ms / factor).max(1_000),
            ..real
        }
    }

    /// The slot that `at_ms` lies in, for a network that started at `genesis_time_ms`.
    pub fn slot_at(&self, genesis_time_ms: u64, at_ms: u64) -> u64 {
        at_ms.saturating_sub(genesis_time_ms) / self.slot_ms
    }

    /// The moment slot `slot` ends, in milliseconds since the Unix epoch.
    pub fn slot_end_ms(&self, genesis_time_ms: u64, slot: u64) -> u64 {
        genesis_time_ms.saturating_add(slot.saturating_add(1).saturating_mul(self.slot_ms))
    }

    /// Least number of votes that make a play part of a view block.
    pub fn votes_needed(&self, validators: usize) -> usize {
        // Percent of a small count: no overflow. Rounded up, so 51 % of 4 are 3.
        (validators * self.vote_percent as usize).div_ceil(100).max(1)
    }

    fn check(&self) -> Result<(), GenesisError> {
        within("params.cellMs", self.cell_ms, 500, 600_000)?;
        within("params.slotMs", self.slot_ms, 200, 600_000)?;
        within("params.blockMs", self.block_ms, 100, 60_000)?;
        within("params.periodViewBlocks", self.period_view_blocks, 1, u64::MAX)?;
        within("params.playPoints", self.play_points.into(), 1, 16)?;
        within("params.difficultyBits", self.difficulty_bits.into(), 0, 32)?;
        within("params.latePermille", self.late_permille, 1_001, 10_000)?;
        within("params.overlapMs", self.overlap_ms, 0, self.cell_ms)?;
        within("params.grantTtlMs", self.grant_ttl_ms, self.cell_ms, 86_400_000)?;
        within("params.receiptCoveragePermille", self.receipt_coverage_permille, 1, 1_000)?;
        within("params.votePercent", self.vote_percent, 51, 100)?;
        within("params.rewardGwei", self.reward_gwei, 0, 1 << 50)?;
        match self.split.sum() {
            1000 => Ok(()),
            sum => Err(GenesisError::Split { sum }),
        }
    }
}

impl NetworkGenesis {
    /// Checks what every node relies on.
    pub fn check(&self) -> Result<(), GenesisError> {
        within("validators", self.validators.len() as u64, 1, 128)?;
        within("genesisTimeMs modulo 1000", self.genesis_time_ms % 1000, 0, 0)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_numbers_stand() {
        let params = ProtocolParams::default();
        assert_eq!(params.check(), Ok(()));
        assert_eq!(ProtocolParams::accelerated(20).check(), Ok(()));
        assert_eq!((params.cell_ms, params.slot_ms, params.block_ms), (60_000, 14_400, 2_000));
        assert_eq!([1, 3, 4, 5, 100].map(|n| params.votes_needed(n)), [1, 2, 3, 3, 51]);
    }

    #[test]
    fn slots_follow_each_other_without_a_gap() {
        let params = ProtocolParams::default();
        let end = params.slot_end_ms(1_000, 7);
        assert_eq!((params.slot_at(1_000, end - 1), params.slot_at(1_000, end)), (7, 8));
    }

    #[test]
    fn a_split_that_loses_a_share_is_refused() {
        let mut params = ProtocolParams::default();
        params.split.viewer -= 1;
        assert_eq!(params.check(), Err(GenesisError::Split { sum: 999 }));
    }
}
