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
//! Step 7 of the protocol (audits) and the weights have their places, [`audit`] and [`weight`]; in this version the
//! audit draws no plays and all minutes weigh the same.

pub mod audit;
mod desk;
mod gossip;
mod ledger;
mod limits;
pub mod points;
mod receipts;
mod refusal;
mod slots;
mod viewer;
pub mod weight;

pub use desk::{Catalogue, Desk, PlayStatus, Source, VideoFacts};
pub use gossip::{MESSAGE_BYTES_MAX, ValidatorMessage};
pub use ledger::{AcceptedPlay, CARRY_SLOTS_MAX, LedgerHead, LedgerState, MinedCell, SettleError, Settlement};
pub use refusal::{Advice, Refusal};
pub use viewer::{PointDue, Watch, WatchError};
