//! Copies that follow demand: what a forecast is worth against counting, and against doing nothing.
//!
//! ```text
//! traces: viewers by minute ─▶ scaling: wanted copies ─▶ copies in the making ─▶ copies ─▶ stalls
//!                               └── chainflix-placement's own forecaster, target and rates
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`traces`] | how many watch, by shape and seed |
//! | [`scaling`] | copies follow a strategy, minute by minute |
//! | [`table`] | the generated parts of `docs/storage.md` |

pub mod scaling;
pub mod table;
pub mod traces;
