//! Knows who holds which cell, keeps every cell at its number of copies, and finds viewers a source.
//!
//! ```text
//! provider ── announce, heartbeat ──▶ ┌──────────┐
//! anybody ─── addresses ────────────▶ │ registry │ one task owns census and address book
//!                                     └──────────┘
//! publisher ─ upload ─▶ admitted? ─▶ place ─▶ providers (store/1), at once and side by side ─▶ stored on N disks
//! repair ──── copies below N? ──────▶ read from one holder, put onto another
//! viewer ──── find source ─▶ cell of the film? ─▶ who holds it? ─▶ a validator draws one: grant
//! ```
//!
//! Nothing is persistent: what a controller knows it is told again by providers that notice it was gone. So several
//! controllers can serve one network, each with its own view. Decisions ([`Census`], [`placement`]) are pure: no clock,
//! no socket, time is an argument. What the chain has to say comes through the [`Authority`] trait. Left out: demand
//! forecast, trimming of surplus copies, copies straight between providers, proofs of possession.

mod authority;
mod book;
mod census;
mod controller;
mod copy;
pub mod placement;
mod registry;
mod serve;
mod source;
mod upload;

pub use authority::{Authority, AuthorityError, RegisteredCell};
pub use census::{Census, CensusConfig, CensusError, CensusStatus, CopyJob, Placing};
pub use controller::{Controller, ControllerConfig, ControllerStatus};

#[cfg(test)]
mod tests;
