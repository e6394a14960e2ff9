//! Whole validators in one process, on real sockets and stores.

mod harness;
mod leaving;
mod network;
mod restart;
mod start;
