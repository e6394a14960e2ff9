//! Runs the roles of the network: validator, relay, controller, provider, gateway, and a viewer without a screen.
//!
//! ```text
//! viewer ─ HTTP ─▶ gateway ─ overlay ─▶ controller ─ JSON-RPC ─▶ validators ─ simplex ─▶ each other
//!                     └──── overlay ──▶ provider ─── JSON-RPC ──────┘
//!                                relay: passes on what cannot go directly
//! ```
//!
//! Here the parts meet: each role is a configuration file, a few tasks and their owner. What the parts decide is in their
//! own crates; this one opens files and sockets, hands out clocks and entropy, and stops everything in order.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | one TOML file per role; one struct per role |
//! | [`keys`] | key files: hex, readable by their owner alone |
//! | [`network`] | lays out a whole new network: genesis, keys, configurations |
//! | [`run`](run()) | runs a role until it is told to stop |
//! | [`publish`] | cuts, seals, uploads and registers a film |
//! | [`watch`] | watches a film in real time, without a screen |

pub mod config;
mod controller;
mod gateway;
pub mod join;
pub mod keys;
pub mod network;
mod overlay;
mod peers;
pub mod provider;
pub mod publish;
mod relay;
mod role;
mod validator;
pub mod watch;

pub use config::{ConfigError, RoleConfig};
pub use role::{Shutdown, ShutdownTrigger, run};
pub use validator::ethereum;

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch by this machine's clock.
pub(crate) fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Fits until the year 584,542,046.
    elapsed.as_millis() as u64
}

/// 32 fresh random bytes.
pub(crate) fn entropy() -> [u8; 32] {
    rand::random()
}
