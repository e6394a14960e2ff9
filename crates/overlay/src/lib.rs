//! Carries Chainflix between peers: an iroh endpoint, our three protocols, address lookup and a relay of our own.
//!
//! ```text
//!                  chainflix/control/1                      chainflix/store/1
//!  publisher ──── upload ───────────────▶ controller ───── put, get, delete ─────▶ provider
//!  viewer    ──── find a source ────────▶     ▲                                        │
//!  everybody ──── addresses ────────────▶     └── announce, inventory, heartbeat ──────┤
//!                                                                                      │
//!  viewer    ◀──────────────── cell under a grant, chainflix/cell/1 ───────────────────┘
//! ```
//!
//! A peer is dialled by its [`NodeId`](chainflix_primitives::NodeId); iroh finds the path, direct where the networks
//! between allow it and through our relay where they do not. No server of anybody else takes part. One request is one
//! stream: a framed request, a framed answer, then bytes where the protocol says so. Streams to one peer share one
//! connection per protocol.
//!
//! | module | what |
//! |---|---|
//! | [`endpoint`] | [`Overlay`]: binds, serves, closes |
//! | [`dial`] | [`Dialer`]: streams to peers over kept connections |
//! | [`stream`] | [`PeerStream`]: frames and bytes with a limit on silence |
//! | [`serve`] | [`Protocol`]: what a role implements to be reached |
//! | [`cell`] | fetching a cell under a grant |
//! | [`store`] | putting sealed cells on a provider, reading and deleting them |
//! | [`control`] | what providers, publishers and viewers say to the controller |
//! | [`address`], [`lookup`] | signed address records and who answers for them |
//! | [`relay`] | the relay server: who may use it, and how much |
//!
//! Left out: what a grant must say (`chainflix-provider` checks it), where cells are placed (`chainflix-controller`),
//! and everything the chain decides. Only this crate opens a UDP socket.

pub mod address;
pub mod cell;
pub mod clock;
pub mod control;
pub mod dial;
pub mod endpoint;
pub mod lookup;
mod mapping;
pub mod node;
pub mod relay;
pub mod serve;
pub mod store;
pub mod stream;
pub mod verdict;

pub use address::{AddressError, AddressRecord, Addresses};
pub use cell::{CellStream, FetchError, VerifiedCell, fetch_cell};
pub use clock::Clock;
pub use dial::{DialError, Dialer, PathKind, Timeouts};
pub use endpoint::{BindError, Overlay, OverlayConfig, Serving};
pub use lookup::ControllerInfo;
pub use node::{NodeIdError, NodeKey};
pub use relay::{Allowance, RelayError, RelayInfo, RelayLimits, RelayServer, RelayServerConfig, RelayTotals};
pub use serve::{Alpn, Protocol, ServeLimits};
pub use stream::{PeerStream, StreamError};
pub use verdict::Verdict;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
