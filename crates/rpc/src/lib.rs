//! Speaks JSON-RPC for a validator: Ethereum's methods and our `cfx_` methods over HTTP, and the client that asks for them.
//!
//! ```text
//!   wallets, cast, viem ──┐                      ┌─▶ EthereumApi   eth_ net_ web3_   (chain: embedded ethrex)
//!   gateway, controller ──┼─▶ POST / ─▶ server ──┤
//!   chainflix command   ──┘     ▲                └─▶ CfxApi        cfx_              (node: desk, ledger, registry)
//!                               │
//!                 Client: several validators, the next one when one dies
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`api`] | [`CfxApi`] and [`EthereumApi`]: what a validator implements |
//! | [`types`] | what the `cfx_` methods ask and answer |
//! | [`error`] | [`ApiError`], and the codes errors have on the wire |
//! | [`http`] | the accept loop with its limits; the gateway listens with it as well |
//! | [`origin`] | whose address a request comes from, when a gateway stands between |
//! | [`server`] | [`serve`]: bodies, batches, notifications, `cfx_` dispatch |
//! | [`client`] | [`Client`]: typed calls with failover |
//! | [`wallet`] | signs a transaction, sends it, waits for its receipt |
//!
//! Left out: WebSocket subscriptions (poll `cfx_head`), TLS (a reverse proxy's job), and every decision: this crate
//! carries words and keeps no state of the protocol.

pub mod api;
pub mod client;
pub mod error;
pub mod http;
pub mod origin;
pub mod server;
pub mod types;
pub mod wallet;

pub use api::{Answer, CfxApi, EthereumApi};
pub use client::{Client, ClientError, ClientOptions, Refused, http_builder};
pub use error::{ApiError, WireError};
pub use server::{Options, serve};
pub use wallet::{SendError, send_transaction};
