//! The audit of carried plays (protocol page, step 7): some must open the chunks they folded before they are paid.
//!
//! ```text
//! vote ──▶ draw ──▶ viewers open their chunks ──▶ each validator verifies and votes ──▶ the ledger pays, or voids
//! ```
//!
//! A viewer that invents its hashes is caught once in `1000 / share_permille` plays, and loses the play besides a strike.

pub mod draw;
mod verify;

pub use verify::{AuditFailure, verify};
