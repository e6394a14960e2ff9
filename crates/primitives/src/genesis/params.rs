//! The numbers of the protocol: every one marked (g) on the protocol page, with its default.

use super::{GenesisError, within};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

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
    /// Most plays at a time of one home: an IPv4 address or IPv6 /56.
    pub plays_per_home: u32,
    /// Most paid plays of one home on a day of [`WeightParams::day_slots`]; more are watched unpaid.
    pub plays_per_home_per_day: u32,
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
    /// How a play's reward is shared unless the creator chose otherwise.
    pub split: RewardSplit,
    /// What creators may choose.
    pub split_bounds: SplitBounds,
    /// Most plays one slot lists; the rest waits for the next slot. Bounds a block: about 500 bytes a play.
    pub plays_per_slot_max: u32,
    /// Audits after the vote.
    pub audit: AuditParams,
    /// What a play weighs.
    pub weights: WeightParams,
    /// Bonds and vouches.
    pub standing: StandingParams,
    /// Pay of storage peers that is held back.
    pub held_pay: HeldPayParams,
}

/// The audit of accepted plays (protocol page, step 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditParams {
    /// Share of accepted plays that must open their chunks, in thousandths. An opening is about 100 KiB for each
    /// validator; a viewer that invents its hashes is caught once in `1000 / share_permille` plays.
    pub share_permille: u16,
    /// How long a viewer has to answer, by each validator's clock.
    pub answer_ms: u64,
    /// Strikes within a period after which an account's plays weigh nothing until the period ends; likewise those that a
    /// validator issued.
    pub strikes_max: u8,
    /// Audited plays of a period, of which a provider served the larger part, before it answers for them.
    pub provider_audits_min: u32,
    /// A provider is struck out until the period ends when more than this part of their weight is void, in thousandths.
    pub provider_void_permille: u16,
}

/// What a play weighs against the others of its slot (protocol page, "Weight: why faking does not pay"). What each
/// number costs an attacker is measured in `docs/security.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WeightParams {
    /// Identity factor of an account at its first paid play, in thousandths. Low: an account costs nothing to make.
    pub fresh_permille: u16,
    /// View blocks after its first paid play until an account has full weight by age alone.
    pub mature_view_blocks: u64,
    /// Bond that gives full weight at once, in whole CFX; less gives its part.
    pub bond_full_cfx: u64,
    /// Play time a day with full weight. What is played beyond weighs `full / played`.
    pub full_ms_per_day: u64,
    /// Slots of a day.
    pub day_slots: u64,
    /// Plays of one home (IPv4 address or IPv6 /56) in one slot that have full weight together.
    pub home_plays_per_slot: u32,
    /// Plays of one network (IPv4 /24 or IPv6 /48) in one slot that have full weight together.
    pub network_plays_per_slot: u32,
    /// Plays of one IPv6 /32, the least that a registry allocates, in one slot that have full weight together.
    pub allocation_plays_per_slot: u32,
    /// Play time of one account on one creator's videos in one period with full weight; beyond, `full / played`.
    pub creator_full_ms_per_period: u64,
    /// Bits for each second of a cell's play time, delivered and signed for, from which on a play has full weight; fewer
    /// give it their part.
    pub full_bits_per_second: u64,
}

/// The Standing contract: what makes an account more than an address. `WeightParams::bond_full_cfx` says what a bond is
/// worth; a vouched account has full weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StandingParams {
    /// Time between the request to give a bond back and its payment, in seconds. The bond counts no more from the request
    /// on, so that coins which wander from account to account idle this long on each way.
    pub unbond_s: u64,
    /// Accounts that one supervisor may newly vouch for in a day (UTC). Who steals its key makes no more until the
    /// governor removes it, which ends all its vouches at once.
    pub vouches_per_day: u32,
}

/// Pay of young storage peers that is held back, as a pledge. A storage peer's service is counted in periods in which it was
/// paid for storage, so that nobody grows old by waiting; an account that leaves and comes again goes on where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeldPayParams {
    /// Held back in each of the first three quarters of service, in thousandths of what storage pays.
    pub quarter_permille: [u16; 3],
    /// Periods of service in a quarter.
    pub quarter_periods: u32,
    /// Periods of service from which on a storage peer that withdraws from the registry is paid what is held.
    pub leave_periods: u32,
    /// Periods of service after which half of what is held is paid to one that stays.
    pub half_periods: u32,
    /// Lost of what is held by each strike-out ([`AuditParams::provider_void_permille`]), in thousandths.
    pub strike_permille: u16,
}

/// The least and the most that a creator may give each role of its videos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SplitBounds {
    /// Not less than this.
    pub least: RewardSplit,
    /// Not more than this.
    pub most: RewardSplit,
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

impl RewardSplit {
    /// What the network uses for creators that chose no ratios of their own.
    pub const DEFAULT: Self = Self {
        creator: 300,
        viewer: 300,
        activators: 100,
        storage: 150,
        validators: 80,
        supervisor: 30,
        operation: 40,
    };

    /// The shares with their roles' names, in the order of the fields.
    pub fn roles(&self) -> [(&'static str, u16); 7] {
        [
            ("creator", self.creator),
            ("viewer", self.viewer),
            ("activators", self.activators),
            ("storage", self.storage),
            ("validators", self.validators),
            ("supervisor", self.supervisor),
            ("operation", self.operation),
        ]
    }

    /// The sum of all shares, in thousandths.
    pub fn sum(&self) -> u32 {
        self.roles().into_iter().map(|(_, permille)| u32::from(permille)).sum()
    }
}

impl SplitBounds {
    /// The people's shares move; what keeps the network running is the same for all. The viewer's moves little: a creator
    /// that gives its own share away buys views.
    pub const DEFAULT: Self = Self {
        least: RewardSplit { creator: 100, viewer: 200, activators: 0, storage: 100, ..RewardSplit::DEFAULT },
        most: RewardSplit { creator: 600, viewer: 400, activators: 200, storage: 300, ..RewardSplit::DEFAULT },
    };

    /// Checks that `split` is whole and inside.
    pub fn check(&self, split: &RewardSplit) -> Result<(), GenesisError> {
        let bounds = self.least.roles().into_iter().zip(self.most.roles());
        for ((role, permille), ((_, least), (_, most))) in split.roles().into_iter().zip(bounds) {
            if !(least..=most).contains(&permille) {
                return Err(GenesisError::Bounds { role, permille, least, most });
            }
        }
        match split.sum() {
            1000 => Ok(()),
            sum => Err(GenesisError::Split { sum }),
        }
    }
}

impl Default for AuditParams {
    fn default() -> Self {
        Self {
            share_permille: 50,
            answer_ms: 28_800,
            strikes_max: 3,
            // Eight audits are 160 plays; less than half is what the provider's other viewers can outweigh.
            provider_audits_min: 8,
            provider_void_permille: 500,
        }
    }
}

impl Default for StandingParams {
    fn default() -> Self {
        Self { unbond_s: 7 * 24 * 3_600, vouches_per_day: 1_000 }
    }
}

impl Default for HeldPayParams {
    /// Storj's numbers, but for the strike: there all is lost with a standing that nobody else can spoil. A period of 10,000
    /// slots with a view is 40 hours: 55 of them are a quarter of a year.
    fn default() -> Self {
        Self {
            quarter_permille: [750, 500, 250],
            quarter_periods: 55,
            leave_periods: 110,
            half_periods: 274,
            strike_permille: 250,
        }
    }
}

impl Default for WeightParams {
    fn default() -> Self {
        Self {
            fresh_permille: 100,
            // 30 days of slots with a view.
            mature_view_blocks: 180_000,
            bond_full_cfx: 1_000,
            full_ms_per_day: 7_200_000,
            day_slots: 6_000,
            // A minute spans four slots: two plays a slot are eight people at home, eight are thirty-three in a /24.
            home_plays_per_slot: 2,
            network_plays_per_slot: 8,
            // Sixty-six people of one allocation at a time.
            allocation_plays_per_slot: 16,
            creator_full_ms_per_period: 14_400_000,
            full_bits_per_second: 2_000_000,
        }
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
            // Eight hours.
            plays_per_home_per_day: 480,
            plays_per_network: 64,
            receipt_coverage_permille: 500,
            vote_percent: 51,
            vesting_view_blocks: 0,
            reward_gwei: 90_000_000_000,
            halving_view_block: 2_160_000,
            split: RewardSplit::DEFAULT,
            split_bounds: SplitBounds::DEFAULT,
            plays_per_slot_max: 8_192,
            audit: AuditParams::default(),
            weights: WeightParams::default(),
            standing: StandingParams::default(),
            held_pay: HeldPayParams::default(),
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
            audit: AuditParams { answer_ms: (real.audit.answer_ms / factor).max(3_000), ..real.audit },
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

    /// Until when the receipts of a grant that ends at `expires_ms` can matter: a play may start when the grant ends, is
    /// proved at most `late_permille` of a cell later, and voted on in the next slots.
    pub fn receipts_end_ms(&self, expires_ms: u64) -> u64 {
        expires_ms + self.cell_ms * self.late_permille / 1000 + 2 * self.slot_ms
    }

    /// Least number of votes that make a play part of a view block.
    pub fn votes_needed(&self, validators: usize) -> usize {
        // Percent of a small count: no overflow. Rounded up, so 51 % of 4 are 3.
        (validators * self.vote_percent as usize).div_ceil(100).max(1)
    }

    pub(super) fn check(&self) -> Result<(), GenesisError> {
        within("params.cellMs", self.cell_ms, 500, 600_000)?;
        within("params.slotMs", self.slot_ms, 200, 600_000)?;
        within("params.blockMs", self.block_ms, 100, 60_000)?;
        within("params.periodViewBlocks", self.period_view_blocks, 1, u64::MAX)?;
        within("params.playPoints", self.play_points.into(), 1, 16)?;
        within("params.difficultyBits", self.difficulty_bits.into(), 0, 32)?;
        within("params.latePermille", self.late_permille, 1_001, 10_000)?;
        within("params.overlapMs", self.overlap_ms, 0, self.cell_ms)?;
        within("params.grantTtlMs", self.grant_ttl_ms, self.cell_ms, 86_400_000)?;
        within("params.playsPerHomePerDay", self.plays_per_home_per_day.into(), 1, u32::MAX.into())?;
        within("params.receiptCoveragePermille", self.receipt_coverage_permille, 1, 1_000)?;
        within("params.votePercent", self.vote_percent, 51, 100)?;
        within("params.rewardGwei", self.reward_gwei, 0, 1 << 50)?;
        within("params.playsPerSlotMax", self.plays_per_slot_max.into(), 1, 1 << 20)?;
        self.audit.check()?;
        self.weights.check()?;
        self.standing.check()?;
        self.held_pay.check()?;
        self.split_bounds.check(&self.split)
    }
}

impl AuditParams {
    fn check(&self) -> Result<(), GenesisError> {
        within("params.audit.sharePermille", self.share_permille.into(), 0, 1_000)?;
        within("params.audit.answerMs", self.answer_ms, 1_000, 600_000)?;
        within("params.audit.strikesMax", self.strikes_max.into(), 1, u8::MAX.into())?;
        within("params.audit.providerAuditsMin", self.provider_audits_min.into(), 1, u32::MAX.into())?;
        within("params.audit.providerVoidPermille", self.provider_void_permille.into(), 0, 1_000)
    }
}

impl WeightParams {
    fn check(&self) -> Result<(), GenesisError> {
        within("params.weights.freshPermille", self.fresh_permille.into(), 1, 1_000)?;
        within("params.weights.matureViewBlocks", self.mature_view_blocks, 1, u64::MAX)?;
        within("params.weights.bondFullCfx", self.bond_full_cfx, 1, 1 << 40)?;
        within("params.weights.fullMsPerDay", self.full_ms_per_day, 1, 1 << 40)?;
        within("params.weights.daySlots", self.day_slots, 1, 1 << 40)?;
        within("params.weights.homePlaysPerSlot", self.home_plays_per_slot.into(), 1, u32::MAX.into())?;
        within("params.weights.networkPlaysPerSlot", self.network_plays_per_slot.into(), 1, u32::MAX.into())?;
        within("params.weights.allocationPlaysPerSlot", self.allocation_plays_per_slot.into(), 1, u32::MAX.into())?;
        within("params.weights.creatorFullMsPerPeriod", self.creator_full_ms_per_period, 1, 1 << 40)?;
        within("params.weights.fullBitsPerSecond", self.full_bits_per_second, 1, 1 << 40)
    }
}

impl StandingParams {
    fn check(&self) -> Result<(), GenesisError> {
        within("params.standing.unbondS", self.unbond_s, 1, 366 * 24 * 3_600)?;
        within("params.standing.vouchesPerDay", self.vouches_per_day.into(), 0, 1 << 20)
    }
}

impl HeldPayParams {
    fn check(&self) -> Result<(), GenesisError> {
        for permille in self.quarter_permille {
            within("params.heldPay.quarterPermille", permille.into(), 0, 1_000)?;
        }
        within("params.heldPay.quarterPeriods", self.quarter_periods.into(), 1, 1 << 20)?;
        within("params.heldPay.leavePeriods", self.leave_periods.into(), 0, 1 << 20)?;
        within("params.heldPay.halfPeriods", self.half_periods.into(), 1, 1 << 20)?;
        within("params.heldPay.strikePermille", self.strike_permille.into(), 0, 1_000)
    }
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
        params.split.viewer = 100;
        let bounds = GenesisError::Bounds { role: "viewer", permille: 100, least: 200, most: 400 };
        assert_eq!(params.check(), Err(bounds));
    }
}
