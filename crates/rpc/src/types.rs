//! What the `cfx_` methods ask and answer, as JSON has it: camel case, byte strings as `0x` hex.
//!
//! Sums of coins that may pass 2^53 gwei are decimal strings, since a browser's numbers end there.

use chainflix_primitives::{
    AccountAddress, BlockHash, BoxPublicKey, Digest, GrantRequest, Magnet, NodeId, PlayId, Signed, ViewPayload,
};
use chainflix_proof_of_view::PlayStatus;
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
    /// Awarded by them, in gwei.
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

/// Parameter of `cfx_plays`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlayQuery {
    /// Who watched.
    pub account: AccountAddress,
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
    /// How many plays were accepted.
    pub plays: u32,
    /// What it awards, in gwei.
    pub reward_gwei: u64,
    /// Whose plays were accepted, each once.
    pub viewers: Vec<AccountAddress>,
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
    /// Who is awarded what; adds up to the reward.
    pub awarded: Vec<Award>,
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

/// A paid play of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountPlay {
    /// Its name.
    pub play: PlayId,
    /// The video.
    pub magnet: Magnet,
    /// The minute of it.
    pub cell_index: u32,
    /// The view block that accepted it.
    pub view_block: u64,
    /// The slot of that view block.
    pub slot: u64,
}

/// `cfx_play`: how a play stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PlayReport {
    /// Issued, not proved yet.
    Running,
    /// Proved; the vote is to come.
    Proved,
    /// In a view block.
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
            Some(PlayStatus::Accepted { view_block }) => Self::Accepted { view_block: *view_block },
            Some(PlayStatus::Refused(refusal)) => {
                Self::Refused { code: refusal.code().into(), message: refusal.to_string() }
            }
        }
    }
}

/// `cfx_pending`: awards that are not spendable yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// How much, in gwei.
    #[serde(with = "decimal")]
    pub gwei: u128,
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
        let refused = report(&PlayStatus::Refused(Refusal::WrongNonce));
        assert_eq!(refused, json!({"status": "refused", "code": "wrong-nonce", "message": "the nonce is wrong"}));
        assert!(matches!(from_value(refused), Ok(PlayReport::Refused { code, .. }) if code == "wrong-nonce"));
    }

    #[test]
    fn sums_survive_a_browsers_numbers() {
        let pending = Pending { gwei: u128::from(u64::MAX) * 3 };
        let text = to_value(pending).unwrap();
        assert_eq!(text, json!({"gwei": "55340232221128654845"}));
        assert_eq!(from_value::<Pending>(text).unwrap(), pending);
        assert!(from_value::<Pending>(json!({"gwei": "-1"})).is_err());
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
