//! Decides where cells are kept, copied and fetched from: the storage controller as pure functions.
//!
//! ```text
//! announcements, chain, probes                                         orders
//!   │ events                                                             ▲
//!   ▼            ┌─ choose ◀─ newcomer    who gets a copy                │
//! picture ──────▶├─ repair, trim          what to copy and to delete ────┤
//!   ▲ standing   ├─ source                who serves this viewer ────────┤
//!   │ wants      └─ reputation            who is audited, and trusted ───┘
//!   └─ demand: target ◀─ forecast ◀─ viewers counted by film and region
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`picture`] | who is there, who holds what, which cells lack copies: a fold over [`Event`]s |
//! | [`choose`], [`newcomer`] | who gets a copy, and what an empty disk gets |
//! | [`demand`]: [`forecast`], [`target`] | how many viewers come, and how many copies that takes |
//! | [`cold`] | which films are watched so little that they are kept as stripes instead of copies |
//! | [`patience`] | how long silent providers are waited for, and which cells do not wait |
//! | [`repair`], [`trim`] | copies to make, most endangered first; copies to delete, never below the floor |
//! | [`reputation`] | audits, vetting, suspension |
//! | [`source`] | which holder serves a viewer |
//! | [`draw`] | seeds to choices |
//! | [`rehearsal`] | a made-up network of any size, for tests and measurements |
//!
//! No clock, no socket, no disk, no random source: time and seeds are arguments, and the same inputs give the same bytes.
//! Left out: checking signatures and audits' answers (the caller does, with `chainflix-cell`), measured distances between
//! viewers and providers, and moving cells from full disks to empty ones.

pub mod choose;
pub mod cold;
pub mod demand;
pub mod draw;
mod event;
pub mod forecast;
pub mod newcomer;
pub mod patience;
pub mod picture;
mod region;
pub mod rehearsal;
pub mod repair;
pub mod reputation;
pub mod source;
pub mod target;
pub mod trim;

pub use event::{Card, Event, Held, Log, NETWORKS_MAX, Standing, StripeCells, WANTED_REGIONS_MAX, Wants};
pub use picture::{Picture, PictureConfig, PictureError};
pub use region::{Country, Distance, ParseRegionError, PlaceTag, Region};

#[cfg(test)]
mod tests;
