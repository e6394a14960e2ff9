//! Executes and remembers the chain: Ethereum blocks by an embedded ethrex, views by our own ledger.
//!
//! ```text
//!            consensus (order)          rpc (HTTP)
//!                 |  build / import         |  json_rpc
//!                 v  finalize               v
//!   +------------------------------------------------+
//!   | execution: EVM, state, transaction pool (ethrex)|
//!   +------------------------------------------------+
//! ```
//!
//! This crate alone knows ethrex. It leaves out who may propose and when (consensus), and how requests travel (rpc).

pub mod execution;
pub mod genesis;
pub mod journal;
pub mod ledger;
mod moves;

pub use moves::{MovesError, provider_moves};
