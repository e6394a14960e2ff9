//! The contracts from the side of Rust: golden vectors that `contracts/test/Vectors.t.sol` reads as well, and what the
//! compiler made of the sources.

mod artifacts;
mod golden;
mod registry;
mod standing;
