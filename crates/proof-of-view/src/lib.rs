//! Decides which views were real and what they pay: the Proof-of-View protocol as pure state machines.
//!
//! ```text
//!  viewer                       each validator                                the chain
//!  Watch ── PlayRequest ──────▶ Desk ── PlayCode ──▶ other Desks
//!    │  folds chunks at points    │ stamps by its own clock
//!    └───── PlayData ───────────▶ │ judges ── proof ──▶ other Desks
//!                                 │ slot closes: proposal, votes
//!                                 └──────────────────────── ViewPayload ────▶ Ledger: settles and pays
//! ```
//!
//! No clock, no socket, no disk, no random source: time and entropy are arguments, and the same inputs give the same
//! bytes in native code and in WASM. What a video is and whether it is stopped comes in as [`VideoFacts`], read from the
//! chain by the caller.
//!
//! What a play weighs is in [`weight`], which of them are audited in [`audit`], and what both do to the coins in the
//! ledger ([`LedgerState::advance`]).

pub mod audit;
mod catalogue;
mod desk;
mod diary;
pub mod dispute;
mod gossip;
mod home_days;
mod keys;
mod ledger;
mod limits;
pub mod points;
mod receipts;
mod refusal;
mod slots;
mod suspects;
mod viewer;
pub mod weight;

pub use catalogue::{Catalogue, VideoFacts};
pub use desk::{Desk, PLAYS_MAX, PlayStatus, Replay, Source};
pub use diary::{Diary, Note, Notes, RefusedPlay, life_ms};
pub use dispute::{DisputeState, Verdict};
pub use gossip::{MESSAGE_BYTES_MAX, ValidatorMessage};
pub use keys::{KeyMessage, KeyService, KeyWarrant, SharedKeys};
pub use ledger::{
    AcceptedPlay, Audit, AwardedBlock, BlockPlace, CARRY_SLOTS_MAX, CREDITS_PER_BLOCK_MAX, DrawnAudit, HeldPay,
    IssuerRecord, LedgerHead, LedgerParts, LedgerState, MadeBlock, MinedCell, OpenAudit, Owed, PENDING_MAX,
    PendingBlock, PendingHead, PendingPlay, PlayedBytes, ProviderMove, ProviderRecord, Served, SettleError, Settlement,
    Standing, Unpaid, VoidedPlay, Withheld,
};
pub use limits::OriginTag;
pub use receipts::{EvidenceWanted, WANTED_MAX};
pub use refusal::{Advice, REFUSAL_WORDS, Refusal};
pub use viewer::{PointDue, Watch, WatchError};
