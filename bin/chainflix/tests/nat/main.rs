//! Viewers and providers behind home routers of every kind, as real processes in network namespaces.
//!
//! ```text
//!  viewer ── router ──┐                           ┌── router ── provider
//!  192.168.n.2   NAT  ├── bridge 44.128.0.0/24 ───┤   NAT   192.168.n.2
//!                     │  validator, relay and     │
//!  viewer ── router ──┘  controller at .10        └── no router: an address of its own
//! ```
//!
//! Routers are nftables. Needs root, iproute2, nftables and miniupnpd: `cargo xtask test --only nat`. Nothing leaves the
//! namespaces, and nothing of them is left, not even after a kill: the next run removes what a dead one left behind.
//! Left out: IPv6, routers in a row (carrier-grade NAT), and peers behind one and the same router.

mod lab;
mod mapping;
mod matrix;
mod network;
mod uplink;
