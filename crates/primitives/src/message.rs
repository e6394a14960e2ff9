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
//!   │ PlayData ─────────────────▶│ vote, view block                │
//!   │ Opening ──────────────────▶│ if the audit draws it; coins    │
//! ```
//!
//! Every arrow is a [`Signed`] noun, except the answer, whose parts are signed or sealed. Times are milliseconds since
//! the Unix epoch by the speaker's clock; who listens believes only its own.

use crate::{
    AccountAddress, BoxPublicKey, CHUNK_BYTES, CellId, Digest, GrantId, Magnet, NodeId, PlayId, RewardSplit, SealedKey,
    Signable, Signed, WrappedKey,
};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Most providers a viewer can exclude from one draw.
pub const EXCLUDED_MAX: usize = 16;
/// Most providers that share in one cell.
pub const PROVIDER_SHARES_MAX: usize = 4;
/// Most layers (subtitles, dubs, effects) shown with one play.
pub const LAYERS_MAX: usize = 4;
/// Most hashes on the way from a chunk up to its cell: a cell of 64 MiB has 4,096 chunks.
pub const PATH_MAX: usize = 12;

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
    /// Where the ViewerSecret is to be sealed to.
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
    /// The [`ViewerSecret`](crate::ViewerSecret) of the cell, for the viewer.
    pub viewer_secret: SealedKey,
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
    /// A running play that the viewer gives up, because it jumped elsewhere: that one can no longer be proved.
    pub supersedes: Option<PlayId>,
    /// Subtitles, dubs and effects shown with it, at most [`LAYERS_MAX`]: their makers share in the reward.
    pub layers: Vec<Magnet>,
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
    /// Public name of the DownloadKey of this account and cell.
    #[serde(with = "crate::hex_text::array")]
    pub download_key: [u8; 16],
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
    /// How the creator shares the reward of its views.
    pub split: RewardSplit,
    /// Makers of the layers shown, in order of accounts, each once; at most [`LAYERS_MAX`].
    pub activators: Vec<AccountAddress>,
}

/// A validator's answer to a play request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlayAnswer {
    /// The CellKey, for who has the grant's ViewerSecret: watching is allowed whether or not it is paid.
    pub cell_key: WrappedKey,
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

/// One chunk of a cell as it lies sealed, and its way up to the cell's identity: enough for a stranger to believe it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenedChunk {
    /// The sealed bytes, at most [`CHUNK_BYTES`].
    #[serde(with = "crate::hex_text::bytes")]
    pub sealed: Vec<u8>,
    /// The sibling hashes from the chunk up to the root of the cell, at most [`PATH_MAX`].
    pub path: Vec<Digest>,
}

/// The answer to an audit: what the viewer folded at each play point (step 7).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Opening {
    /// The audited play.
    pub play: PlayId,
    /// The DownloadKey of this account and cell: the PlayCode has its name. Showing it gives away nothing that is not
    /// opened here, since what it covers is sealed by the CellKey as well.
    #[serde(with = "crate::hex_text::array")]
    pub download_key: [u8; 32],
    /// One chunk for each play point, in order.
    pub chunks: Vec<OpenedChunk>,
}

/// One side's proof that its receipt is the true one of two that differ.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// The delivery in dispute.
    pub grant: GrantId,
    /// Chunk hashes of the delivered range, as encrypted: 32 bytes for each [`CHUNK_BYTES`] of it. Their root is the
    /// receipt's `delivered_hash`.
    #[serde(with = "crate::hex_text::bytes")]
    pub hashes: Vec<u8>,
    /// A chunk about which the two sides' hashes differ: its number in the cell and its bytes.
    pub opened: Option<(u32, OpenedChunk)>,
    /// The DownloadKey of the delivery.
    #[serde(with = "crate::hex_text::array")]
    pub download_key: [u8; 32],
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
    /// What the validators vote on beside the play itself.
    pub factors: PlayFactors,
    /// Number, in the genesis, of the validator that issued the PlayCode. Voters recover it from the signature, so that
    /// the ledger need not: it holds the issuer answerable.
    pub issuer: u16,
}

/// What only validators know of a play, and what changes its weight: facts that rest on network addresses or on the
/// newest state, so that the ledger takes them from the vote. No address is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlayFactors {
    /// Least identity factor that bond and vouching give the account, in thousandths: 0 to 1000.
    pub standing_permille: u16,
    /// What is left of full weight among the plays of the same home and network in this slot, in thousandths: 1 to 1000.
    pub network_permille: u16,
}

impl PlayFactors {
    /// A stranger at home alone: no bond, nobody vouches, nobody else there.
    pub const STRANGER: Self = Self { standing_permille: 0, network_permille: 1000 };
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
impl Signable for Opening {
    const CONTEXT: &'static str = "chainflix 2026 Opening v1";
}
impl Signable for Evidence {
    const CONTEXT: &'static str = "chainflix 2026 Evidence v1";
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
