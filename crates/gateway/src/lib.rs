//! Lets browsers take part: the HTTP API of films, plays and deliveries, and the web app itself.
//!
//! ```text
//!              GET /            web app, embedded
//!              GET /api/…       films, manifests, accounts, plays ────▶ validators   (chainflix-rpc Client)
//!  browser ──▶ GET /api/events  heads and view blocks, one poller for all ──▶ validators
//!              POST /rpc        Ethereum JSON-RPC as it is ───────────▶ validators
//!              POST /api/…      plays, receipts, proofs ──────────────▶ validators
//!              POST /api/grants, /api/deliveries ─────────────────────▶ Network: controller, then provider
//! ```
//!
//! The gateway holds no key and judges nothing: every noun that passes is signed by its speaker and checked by its
//! reader, and a delivery passes as the provider encrypted it. What it keeps are caches that can be lost. Validators are
//! told the viewer's address, because they count plays by it.
//!
//! | module | what |
//! |---|---|
//! | [`network`] | [`Network`]: the controller and the providers, as the gateway needs them |
//! | [`server`] | [`serve`] and its [`Options`] |
//! | `routes` | one file per group of paths |
//! | `deliveries` | deliveries that pass, and those that wait for their receipt |
//! | `catalogue` | caches of the genesis, the film list and manifests |
//! | `pulse` | the one task that watches the chain and tells all listeners |
//! | `web_app` | the embedded files and how they are cached |
//! | `error` | what a browser is told when something does not work |
//!
//! Left out: TLS and HTTP/2 (a reverse proxy's job), accounts and sessions (there are none), what a provider is asked
//! and how (`chainflix-overlay`).

mod catalogue;
mod deliveries;
mod error;
pub mod network;
mod pulse;
mod routes;
pub mod server;
#[cfg(test)]
mod tests;
mod web_app;

pub use network::{Delivery, Network, NetworkError};
pub use server::{Options, serve};
