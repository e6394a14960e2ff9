//! What viewers, providers and validators say to each other, from click to coin.
//!
//! ```text
//! viewer                 controller / validator                provider
//!   │ GrantRequest ─────────────▶│ draws a provider                │
//!   │◀────────────────── Grant   │                                 │
//!   │ Grant ──────────────────────────────────────────────────────▶│
//!   │◀───────────────────────────────── cell under the DownloadKey │
//!   │ PlayRequest ──────────────▶│ shares the PlayCode at once     │
//!   │◀──────────────── PlayAnswer│                                 │
//!   │ Receipt ──────────────────▶│◀──────────────────────  Receipt │
//!   │ … one minute passes …      │                                 │
//!   │ PlayData ─────────────────▶│ vote, view block, coins         │
//! ```
//!
//! Every arrow is a [`Signed`] noun, except the answer, whose parts are signed or sealed. Times are milliseconds since
//! the Unix epoch by the speaker's clock; who listens believes only its own.

use crate::{
    AccountAddress, BoxPublicKey, CHUNK_BYTES, CellId, Digest, GrantId, Magnet, NodeId, PlayId, SealedKey, Signable,
    Signed,
};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Most providers a viewer can exclude from one draw.
pub const EXCLUDED_MAX: usize = 16;
/// Most providers that share in one cell.
pub const PROVIDER_SHARES_MAX: usize = 4;

/// "I want to fetch this cell": step 1 of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrantRequest {
    /// Who wants to watch.
    pub account: AccountAddress,
    /// Which video.
    pub magnet: Magnet,
    /// Which minute of it.
    pub cell_index: u32,
    /// First byte still missing; a multiple of [`CHUNK_BYTES`].
    pub from_byte: u64,
    /// Where the DownloadKey is to be sealed to.
    pub viewer_box_key: BoxPublicKey,
    /// Providers that stalled or lied before, at most [`EXCLUDED_MAX`].
    pub excluded: Vec<NodeId>,
    /// The viewer's clock: a request is refused when it is older than a grant's life.
    pub requested_ms: u64,
}

/// Permission to fetch a cell from one provider, drawn by a seed nobody chose.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grant {
    /// Unique name.
    pub id: GrantId,
    /// Who may fetch.
    pub viewer: AccountAddress,
    /// Which video.
    pub magnet: Magnet,
    /// Which minute.
    pub cell_index: u32,
    /// The sealed bytes.
    pub cell: CellId,
    /// How many there are.
    pub size: u64,
    /// Where delivery starts; a multiple of [`CHUNK_BYTES`].
    pub from_byte: u64,
    /// Who is paid for serving.
    pub provider: AccountAddress,
    /// Where it is reached.
    pub provider_node: NodeId,
    /// When the permission ends.
    pub expires_ms: u64,
    /// The DownloadKey, for the viewer.
    pub viewer_key: SealedKey,
    /// The DownloadKey, for the provider.
    pub provider_key: SealedKey,
}

/// "I am about to play this cell": step 3.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlayRequest {
    /// Who watches.
    pub account: AccountAddress,
    /// Which video.
    pub magnet: Magnet,
    /// Which minute.
    pub cell_index: u32,
    /// The grant the cell is (being) fetched by.
    pub grant: GrantId,
    /// Where the CellKey is to be sealed to.
    pub viewer_box_key: BoxPublicKey,
    /// A running play that the viewer gives up, because it jumped elsewhere: that one can no longer be proved.
    pub supersedes: Option<PlayId>,
    /// The viewer's clock.
    pub requested_ms: u64,
}

/// What a validator issues when the play of one cell starts (white paper, "PlayCode").
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlayCode {
    /// Unique name.
    pub id: PlayId,
    /// Who plays.
    pub account: AccountAddress,
    /// Which video.
    pub magnet: Magnet,
    /// Which minute.
    pub cell_index: u32,
    /// The cell's identity.
    pub cell: CellId,
    /// Its sealed size in bytes: play points draw from its chunks.
    pub size: u64,
    /// The grant it was fetched by.
    pub grant: GrantId,
    /// Random constant of the nonce.
    #[serde(with = "crate::hex_text::array")]
    pub constant: [u8; 16],
    /// Leading zero bits the nonce hash must have.
    pub difficulty_bits: u8,
    /// The issuer's clock at issue.
    pub issued_ms: u64,
    /// When the minute starts: at issue, or when the running cell ends.
    pub starts_ms: u64,
    /// How long it lasts.
    pub play_ms: u64,
    /// Who published the video.
    pub creator: AccountAddress,
    /// Who vouches for it.
    pub supervisor: AccountAddress,
}

/// A validator's answer to a play request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlayAnswer {
    /// The CellKey, sealed to the viewer: watching is allowed whether or not it is paid.
    pub cell_key: SealedKey,
    /// What this play is worth.
    pub outcome: PlayOutcome,
}

/// Whether a play mines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "detail")]
pub enum PlayOutcome {
    /// It does, if it is proved.
    Mining(Box<Signed<PlayCode>>),
    /// It does not, for this reason (a refusal code).
    Unpaid(String),
}

/// What was delivered: provider and viewer sign the same words, or neither is believed (step 2).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// Under which grant.
    pub grant: GrantId,
    /// To whom.
    pub viewer: AccountAddress,
    /// By whom.
    pub provider: AccountAddress,
    /// Which cell.
    pub cell: CellId,
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// BLAKE3 of the delivered bytes, as encrypted for this viewer.
    pub delivered_hash: Digest,
}

/// The record of one play, with its proof of work (white paper, "Play Data").
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlayData {
    /// The PlayCode it answers.
    pub play: PlayId,
    /// The slot in which the play ended, by the viewer.
    pub slot: u64,
    /// Public name of the DownloadKey.
    #[serde(with = "crate::hex_text::array")]
    pub download_key: [u8; 16],
    /// The running hash after the last play point.
    pub hash: Digest,
    /// The finalised block whose hash fixed each play point.
    pub point_blocks: Vec<u32>,
    /// The nonce.
    pub nonce: u64,
}

/// One provider's part of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderShare {
    /// Who served.
    pub provider: AccountAddress,
    /// How many bytes both sides signed for.
    pub bytes: u64,
}

/// A play as the chain keeps it: everything a stranger needs to check it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlayRecord {
    /// What was issued, signed by the issuer.
    pub code: Signed<PlayCode>,
    /// What was proved, signed by the viewer.
    pub data: Signed<PlayData>,
    /// Who served the cell, by bytes; at most [`PROVIDER_SHARES_MAX`].
    pub providers: Vec<ProviderShare>,
}

impl Signable for GrantRequest {
    const CONTEXT: &'static str = "chainflix 2026 GrantRequest v1";
}
impl Signable for Grant {
    const CONTEXT: &'static str = "chainflix 2026 Grant v1";
}
impl Signable for PlayRequest {
    const CONTEXT: &'static str = "chainflix 2026 PlayRequest v1";
}
impl Signable for PlayCode {
    const CONTEXT: &'static str = "chainflix 2026 PlayCode v1";
}
impl Signable for Receipt {
    const CONTEXT: &'static str = "chainflix 2026 Receipt v1";
}
impl Signable for PlayData {
    const CONTEXT: &'static str = "chainflix 2026 PlayData v1";
}

impl PlayCode {
    /// Number of 16 KiB chunks of the cell.
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(CHUNK_BYTES).max(1)
    }

    /// When the minute ends.
    pub fn ends_ms(&self) -> u64 {
        self.starts_ms.saturating_add(self.play_ms)
    }
}

impl Receipt {
    /// How many bytes it speaks of.
    pub fn bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}
