//! Keeps sealed cells on disks and in object stores, serves them under grants, and signs receipts for what it served.
//!
//! ```text
//! controller ── store/1: put ─────────▶ intake ──▶ ┌───────┐
//!                                                  │ store │ cells/ab/….cell + ….hashes
//! viewer ─────── cell/1: grant ───────▶ delivery ◀─└───────┘
//!        ◀───── under the DownloadKey ─────┘ │
//!        ────── Done ───────────────────────▶└── Receipt, signed ──▶ whoever submits it to a validator
//!                                                 └ kept a while: Evidence for a validator, where the viewer's differs
//! controllers ◀── announce, inventory, changes, heartbeat ── announcer (one per controller)
//! ```
//!
//! A provider sees sealed bytes only: it never has a CellKey. It believes a grant that a validator of the genesis signed,
//! for its own node, in time by its own clock. Every 16 KiB is checked against the cell's name before it leaves, so a
//! rotten disk costs the provider a cell and not its standing. A restart keeps what was durable and tells the controllers
//! again. It sends no more than its owner allows, rests in quiet hours, reads everything again for rotten bits, takes a
//! disk that vanishes as news, waits for an object store that is silent, and leaves only when others have what it held. A
//! viewer's node [shares](Sharing) what it watched in the same way. Left out: possession checks by others, choosing what to
//! keep.

mod admission;
mod announcer;
mod delivery;
mod duty;
mod grant;
mod intake;
mod provider;
mod sharing;
mod signed;
pub mod store;
mod upkeep;
mod uplink;

pub use grant::GrantPolicy;
pub use provider::{Provider, ProviderConfig, ProviderStatus};
pub use sharing::Sharing;
pub use signed::EvidenceError;
pub use store::{SilentBucket, Store, StoreBucket, StoreFolder, StoreOpenError, Usage};
pub use uplink::{QuietHours, QuietHoursError};

#[cfg(test)]
mod tests;
