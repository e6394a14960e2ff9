//! Whole networks of real processes, with their clock running twenty times as fast as the world's.
//!
//! Each test starts `chainflix demo` on free ports in a folder of its own and follows it through `demo.json`, JSON-RPC
//! and the command line, as a stranger's script would. Nothing in here knows how the network is built.

mod cold;
mod demo;
mod giving;
mod kills;
mod ledger;
mod privacy;
mod refusals;
mod watching;
