//! Puts the chain's blocks in one order that all validators agree on and that is never undone.
//!
//! ```text
//!   desk: votes on plays           users: transactions
//!        │ PayloadSource                │
//!        ▼                              ▼
//!   ┌─ propose ─▶ Block = Ethereum block + view payload ─▶ verify ─▶ votes ─┐
//!   │                                                                       │ two thirds
//!   └──────────── next leader ◀── FinalizedBlock ◀── ledger, EVM ◀──────────┘
//! ```
//!
//! The order comes from commonware's simplex, a Byzantine fault tolerant protocol with immediate finality: with n
//! validators, of which f < n/3 do as they like, a block that n - f voted for is final. Authorities take turns. What a
//! block does is decided elsewhere: transactions by the EVM, views by the ledger, both in `chainflix-chain`.
//!
//! | module | does |
//! |---|---|
//! | [`node`] | [`start`], [`ConsensusHandle`] |
//! | `block` | the block and its digest |
//! | `rules` | what a block must follow besides simplex and the EVM |
//! | `application`, `ground` | proposes and judges, on the state after blocks that are not final yet |
//! | `finalizer` | takes final blocks into ledger and EVM; recovery |
//! | [`gossip`] | messages between validators that are no blocks |
//! | `engine`, `network` | commonware, wired |
//!
//! Only this crate knows commonware's engine. It leaves out validators that join or leave (one epoch for ever), nodes
//! that follow without voting, and what is in a payload.

mod application;
mod block;
mod committee;
mod engine;
mod finalizer;
pub mod gossip;
mod ground;
mod network;
pub mod node;
mod payload;
mod rules;
mod startup;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use block::{ETHEREUM_BYTES_MAX, VIEW_BYTES_MAX};
pub use committee::{ConsensusKey, InvalidKey};
pub use engine::EngineError;
pub use finalizer::{FinalizeError, FinalizedBlock};
pub use gossip::{GossipCounts, GossipError, GossipMessage, GossipReceiver, GossipSender};
pub use node::{Config, ConsensusError, ConsensusHandle, StartError, start};
pub use payload::{NoViews, PayloadSource};
