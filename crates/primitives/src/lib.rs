//! Names the nouns of Chainflix and gives each one its bytes, its text and its signature.
//!
//! Everything here is data: no clock, no socket, no disk, no random source. What the nouns *do* is in
//! `chainflix-proof-of-view`; how a cell is sealed and verified is in `chainflix-cell`.
//!
//! | module | nouns |
//! |---|---|
//! | [`identity`] | fixed-size identities: [`Magnet`], [`CellId`], [`PlayId`], [`GrantId`], [`NodeId`], [`BlockHash`] |
//! | [`account`] | [`AccountAddress`], [`AccountKey`], [`Signature`], [`Signed`] |
//! | [`secret`] | [`NetworkSecret`], [`VideoSecret`], [`CellKey`], [`DownloadKey`], sealed boxes |
//! | [`manifest`] | [`Manifest`]: the video information behind a Magnet |
//! | [`stripe`] | [`Stripe`](stripe::Stripe): four cells of a film that share parity |
//! | [`genesis`] | [`NetworkGenesis`], [`ProtocolParams`]: what all nodes agree on before the first block |
//! | [`message`] | grants, play requests, PlayCodes, receipts, Play Data |
//! | [`slot`] | slot proposals, votes, and the view payload of a block |
//! | [`address`] | address ranges that limits are counted by |
//!
//! Binary form is [Borsh](https://borsh.io): canonical, so a digest of it can be signed, and bounded, so a length
//! field never allocates more than the bytes that follow. JSON is the same structure with byte strings as `0x` hex.

pub mod account;
pub mod address;
pub mod genesis;
mod hex_text;
pub mod identity;
pub mod manifest;
pub mod message;
pub mod secret;
pub mod slot;
pub mod stripe;

pub use account::{AccountAddress, AccountKey, Signable, Signature, SignatureError, Signed};
pub use address::AddressRange;
pub use genesis::{
    AuditParams, HeldPayParams, NetworkGenesis, NetworkKeys, ProtocolParams, RewardSplit, SplitBounds, StandingParams,
    ValidatorIdentity, WeightParams,
};
pub use identity::{BlockHash, CellId, Digest, GrantId, Magnet, NodeId, PlayId};
pub use manifest::{CellEntry, Fragment, Manifest, ManifestError, Track, TrackKind};
pub use message::{
    Evidence, Grant, GrantRequest, OpenedChunk, Opening, PlayAnswer, PlayCode, PlayData, PlayFactors, PlayOutcome,
    PlayRecord, PlayRequest, ProviderShare, Receipt,
};
pub use secret::{
    AnswerKey, BoxKey, BoxPublicKey, CellKey, DownloadKey, NetworkSecret, OriginKey, SealedKey, UnsealError,
    VideoSecret, ViewKey, ViewerSecret, WrappedKey,
};
pub use slot::{AuditPayload, AuditVote, SlotPayload, SlotProposal, SlotVote, ViewPayload, VoteEntry};

/// Bytes of a chunk group: the unit that is verified, drawn at play points, and resumed at.
///
/// 16 KiB is sixteen BLAKE3 chunks, the size iroh and bao-tree settled on: 0.2 % of hashes on top of the data.
pub const CHUNK_BYTES: u64 = 16 * 1024;

/// Largest sealed cell a node accepts, in bytes: one minute at 8.9 Mbit/s.
pub const CELL_BYTES_MAX: u64 = 64 << 20;
