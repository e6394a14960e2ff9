//! What the `cfx_` methods ask and answer, as JSON has it: camel case, byte strings as `0x` hex.
//!
//! Sums of coins that may pass 2^53 gwei are decimal strings, since a browser's numbers end there.

mod account;
mod served;

pub use account::{
    AccountPlay, AccountQuery, AccountReport, Held, NotACursor, PlayCursor, Role, RolePay, VESTING_SHOWN_MAX, Vesting,
};
pub use served::{ServedDay, ServedQuery, ServedReport, UnpaidPlays};

use chainflix_primitives::{
    AccountAddress, BlockHash, BoxPublicKey, Digest, GrantRequest, Magnet, NodeId, PlayId, Signed, ViewPayload,
};
pub use chainflix_proof_of_view::EvidenceWanted;
use chainflix_proof_of_view::{DisputeState, PlayStatus, Verdict};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Most entries of one answer with a list.
pub const COUNT_MAX: u32 = 200;

/// `cfx_head`: the last finalised block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// When it was proposed, in milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// `cfx_schedule`: what was issued and what comes next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// View blocks made so far.
    pub view_blocks: u64,
    /// How many of them are not awarded yet: their audits are not over.
    pub pending: u32,
    /// Awarded by the others, in gwei.
    #[serde(with = "decimal")]
    pub issued_gwei: u128,
    /// What the next view block pays, in gwei.
    pub next_reward_gwei: u64,
    /// The last view block with the full reward.
    pub halving_view_block: u64,
    /// The last settled slot; `None` before the first.
    pub last_slot: Option<u64>,
    /// Root over everything settled so far.
    pub root: Digest,
    /// Length of a slot, in milliseconds.
    pub slot_ms: u64,
}

/// Parameter of `cfx_viewBlocks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ViewBlockQuery {
    /// The newest one wanted; the newest of all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// How many, 1 to [`COUNT_MAX`].
    pub count: u32,
}

/// Parameter of `cfx_videos`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VideoQuery {
    /// Number of the first one wanted, in order of registration; the very first is 0.
    #[serde(default)]
    pub from: u64,
    /// How many, 1 to [`COUNT_MAX`].
    pub count: u32,
}

/// A view block in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewBlockSummary {
    /// Its number; the first is 1.
    pub view_block: u64,
    /// The slot it settles.
    pub slot: u64,
    /// The Ethereum block that carries it.
    pub block: u64,
    /// Time of that block, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// How many plays the votes carried.
    pub plays: u32,
    /// What the schedule pays for it, in gwei; nothing is paid when every play is void.
    pub reward_gwei: u64,
    /// Whose plays were carried, each once; after the award without those whose plays are all void. Of the newest view
    /// blocks; of older ones none.
    pub viewers: Vec<AccountAddress>,
    /// What it paid; `None` while its audit is not over.
    pub award: Option<AwardSummary>,
}

/// What a view block paid in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwardSummary {
    /// The Ethereum block that awarded it.
    pub block: u64,
    /// What it awarded, in gwei: the reward, or nothing.
    pub gwei: u64,
    /// What of that is held back from storage peers, in gwei.
    pub held_gwei: u64,
    /// What was paid with it of what had been held back before, in gwei.
    pub returned_gwei: u64,
    /// How many of its plays are void.
    pub voided: u32,
}

/// `cfx_viewBlock`: enough to count everything again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewBlock {
    /// As in a list.
    #[serde(flatten)]
    pub summary: ViewBlockSummary,
    /// The proposal and the votes, as the block carries them.
    pub payload: ViewPayload,
    /// The carried plays and what each weighs, in the order of the payload.
    pub weights: Vec<PlayWeight>,
    /// Who is awarded what; adds up to [`AwardSummary::gwei`].
    pub awarded: Vec<Award>,
    /// The plays that did not pass their audit.
    pub voided: Vec<PlayId>,
}

/// What a carried play weighs against the others of its view block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlayWeight {
    /// Its place in the payload.
    pub index: u32,
    /// What it weighs; at most its milliseconds.
    pub weight: u64,
}

/// One account's part of a view block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Award {
    /// Who.
    pub account: AccountAddress,
    /// How much, in gwei.
    pub gwei: u64,
}

/// `cfx_play`: how a play stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PlayReport {
    /// Issued, not proved yet.
    Running,
    /// Proved; the vote is to come.
    Proved,
    /// Carried by the vote, and paid in a few blocks.
    Pending {
        /// Number of the view block.
        view_block: u64,
    },
    /// Drawn for audit: the viewer must open its chunks.
    Auditing {
        /// Number of the view block.
        view_block: u64,
        /// By when, by the validator's clock, in milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// In a view block, and awarded.
    Accepted {
        /// Its number.
        view_block: u64,
    },
    /// Refused, for good.
    Refused {
        /// Code of the refusal.
        code: String,
        /// Words for people.
        message: String,
    },
    /// Not known here, or forgotten.
    Unknown,
}

impl From<Option<&PlayStatus>> for PlayReport {
    fn from(status: Option<&PlayStatus>) -> Self {
        match status {
            None => Self::Unknown,
            Some(PlayStatus::Running) => Self::Running,
            Some(PlayStatus::Proved) => Self::Proved,
            Some(PlayStatus::Pending { view_block }) => Self::Pending { view_block: *view_block },
            Some(PlayStatus::Auditing { view_block, until_ms }) => {
                Self::Auditing { view_block: *view_block, until_ms: *until_ms }
            }
            Some(PlayStatus::Accepted { view_block }) => Self::Accepted { view_block: *view_block },
            Some(PlayStatus::Refused(refusal)) => {
                Self::Refused { code: refusal.code().into(), message: refusal.to_string() }
            }
        }
    }
}

/// `cfx_submitEvidence`: how the dispute about a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DisputeReport {
    /// The other side has not shown its chunk hashes.
    Waiting,
    /// The sides differ at this chunk of the cell: either may open it.
    Open {
        /// Its number.
        chunk: u32,
    },
    /// Both tell the truth up to a byte.
    Agreed {
        /// One past it.
        end: u64,
    },
    /// It is known who signed for bytes that are not the cell's.
    Judged {
        /// Whether the viewer did.
        viewer_false: bool,
        /// Whether the provider did.
        provider_false: bool,
    },
}

impl From<DisputeState> for DisputeReport {
    fn from(state: DisputeState) -> Self {
        match state {
            DisputeState::Waiting => Self::Waiting,
            DisputeState::Open { chunk } => Self::Open { chunk },
            DisputeState::Decided(Verdict::Agreed { end }) => Self::Agreed { end },
            DisputeState::Decided(Verdict::ViewerFalse) => Self::Judged { viewer_false: true, provider_false: false },
            DisputeState::Decided(Verdict::ProviderFalse) => Self::Judged { viewer_false: false, provider_false: true },
            DisputeState::Decided(Verdict::BothFalse) => Self::Judged { viewer_false: true, provider_false: true },
        }
    }
}

/// A registered video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Video {
    /// Its name.
    pub magnet: Magnet,
    /// What people call it; `None` while its manifest is not known here.
    pub title: Option<String>,
    /// Who published it.
    pub creator: AccountAddress,
    /// Who vouches for it.
    pub supervisor: AccountAddress,
    /// Length, in milliseconds of media time.
    pub play_time_ms: u64,
    /// Number of cells.
    pub cells: u32,
    /// Whether a supervisor stopped it.
    pub taken_down: bool,
    /// Picture width in pixels; 0 while the manifest is not known here.
    pub width: u32,
    /// Picture height in pixels; 0 while the manifest is not known here.
    pub height: u32,
}

/// A registered provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// Who is paid.
    pub account: AccountAddress,
    /// Where it is reached.
    pub node_id: NodeId,
    /// What its DownloadKeys are sealed to.
    pub box_key: BoxPublicKey,
}

/// Parameter of `cfx_issueGrant`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssueGrant {
    /// What the viewer signed.
    pub request: Signed<GrantRequest>,
    /// Providers that hold the cell and are up, as the controller knows them; at most [`HOLDERS_MAX`].
    pub holders: Vec<NodeId>,
}

/// Most holders a controller names for one grant.
pub const HOLDERS_MAX: usize = 256;

/// A byte string in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HexBytes(pub Vec<u8>);

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("0x{}", hex::encode(&self.0)))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("bytes start with 0x"))?;
        hex::decode(digits).map(Self).map_err(|error| D::Error::custom(format!("not bytes in hex: {error}")))
    }
}

pub(crate) mod decimal {
    //! Large numbers as decimal strings.
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("not a decimal number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_proof_of_view::Refusal;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn a_play_is_reported_in_one_flat_object() {
        let report = |status: &PlayStatus| to_value(PlayReport::from(Some(status))).unwrap();
        assert_eq!(to_value(PlayReport::from(None)).unwrap(), json!({"status": "unknown"}));
        assert_eq!(report(&PlayStatus::Running), json!({"status": "running"}));
        assert_eq!(report(&PlayStatus::Accepted { view_block: 7 }), json!({"status": "accepted", "viewBlock": 7}));
        let auditing = report(&PlayStatus::Auditing { view_block: 7, until_ms: 9 });
        assert_eq!(auditing, json!({"status": "auditing", "viewBlock": 7, "untilMs": 9}));
        let refused = report(&PlayStatus::Refused(Refusal::WrongNonce));
        assert_eq!(refused, json!({"status": "refused", "code": "wrong-nonce", "message": "the nonce is wrong"}));
        assert!(matches!(from_value(refused), Ok(PlayReport::Refused { code, .. }) if code == "wrong-nonce"));
    }

    #[test]
    fn a_dispute_is_reported_in_one_flat_object() {
        let report = |state| to_value(DisputeReport::from(state)).unwrap();
        assert_eq!(report(DisputeState::Waiting), json!({"state": "waiting"}));
        assert_eq!(report(DisputeState::Open { chunk: 3 }), json!({"state": "open", "chunk": 3}));
        let agreed = DisputeState::Decided(Verdict::Agreed { end: 9 });
        assert_eq!(report(agreed), json!({"state": "agreed", "end": 9}));
        let judged = report(DisputeState::Decided(Verdict::ProviderFalse));
        assert_eq!(judged, json!({"state": "judged", "viewerFalse": false, "providerFalse": true}));
    }

    #[test]
    fn sums_survive_a_browsers_numbers() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Sum(#[serde(with = "decimal")] u128);
        let sum = Sum(u128::from(u64::MAX) * 3);
        let text = to_value(&sum).unwrap();
        assert_eq!(text, json!("55340232221128654845"));
        assert_eq!(from_value::<Sum>(text).unwrap(), sum);
        assert!(from_value::<Sum>(json!("-1")).is_err());
    }

    #[test]
    fn a_query_without_a_start_begins_at_the_newest() {
        assert_eq!(from_value::<ViewBlockQuery>(json!({"count": 5})).unwrap(), ViewBlockQuery { from: None, count: 5 });
        assert_eq!(to_value(ViewBlockQuery { from: None, count: 5 }).unwrap(), json!({"count": 5}));
        assert!(from_value::<ViewBlockQuery>(json!({"count": 5, "form": 1})).is_err());
    }

    #[test]
    fn bytes_are_prefixed_hex_and_nothing_else() {
        assert_eq!(to_value(HexBytes(vec![0, 255])).unwrap(), json!("0x00ff"));
        assert!(from_value::<HexBytes>(json!("00ff")).is_err());
        assert!(from_value::<HexBytes>(json!("0x0")).is_err());
    }
}
