//! Whole validators in one process, on real sockets and stores.

mod harness;
mod network;
mod restart;
mod start;
