//! The gateway as a browser sees it, over real sockets, before a scripted validator and a network in memory.

mod deliveries;
mod errors;
mod pages;
mod reads;
mod village;
