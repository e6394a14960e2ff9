//! Knows who holds which cell, keeps every cell at its number of copies, and finds viewers a source.
//!
//! ```text
//! provider ── announce, heartbeat ──▶ ┌──────────┐
//! anybody ─── addresses ────────────▶ │ registry │ one task owns census, address book and seed
//! chain ───── films, seed ──────────▶ └──────────┘
//! publisher ─ upload ─▶ admitted? ─▶ place ─▶ providers (store/1), at once and side by side ─▶ stored on N disks
//! worker ──── orders? ─▶ copies: read from one holder, put onto another; deletions of surplus
//!                        stripes: four pieces of a film that few watch give those that are missing
//!             audits? ─▶ a chunk that a provider says it holds, checked against the cell's name ─▶ trust
//! viewer ──── find source ─▶ cell of the film? ─▶ who holds it? ─▶ a validator draws one: grant ─▶ counted as demand
//! others ──── how many viewers they count ─▶ added to the demand
//! ```
//!
//! Only trust, and which films are quiet, is persistent ([`Memory`]): what else a controller knows it is told again by providers that notice it was gone. So
//! several controllers can serve one network, each with its own view: providers tell all of them the same, what they tell one is
//! passed on to the others, each tells the others how many viewers it counts, all draw by the same seed, and they take turns to
//! delete. What goes where is decided in `chainflix_placement`; [`Census`] turns what providers, publishers, viewers, other
//! controllers and the chain say into its events. Both are pure: no clock, no socket, time is an
//! argument. What the chain has to say comes through the [`Authority`] trait. Left out: copies straight between providers,
//! and trust that controllers share.

mod audit;
mod authority;
mod book;
mod census;
mod chain;
mod controller;
mod copy;
mod gossip;
mod memory;
mod rebuild;
mod registry;
mod serve;
mod source;
mod upload;
mod work;

pub use authority::{Authority, AuthorityError, RegisteredCell, RegisteredFilm};
pub use census::{
    Audit, AuditRules, Census, CensusConfig, CensusError, CensusStatus, CountError, Orders, Placing, Turns,
};
pub use chainflix_placement::{Region, StripeCells};
pub use controller::{Controller, ControllerConfig, ControllerStatus};
pub use memory::{KnownProvider, Memory, MemoryError, Remembered, RememberedError};

#[cfg(test)]
mod tests;
