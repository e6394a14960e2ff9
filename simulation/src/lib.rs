//! Sweeps the economics of fake views: what a farm costs, what it earns, at which price it starts to pay; and compares ways
//! to let copies follow demand.
//!
//! ```text
//! Farm × size × layout ──▶ account: a month, play by play ──▶ economy: coins against dollars ──▶ table, plot
//!                              └── rules: the protocol's own weights, split and schedule
//!                                  replay: the same through the real ledger, by seed ──▶ a test compares both
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`prices`] | what an attacker pays, each price by name |
//! | [`farm`] | the farms that are tried |
//! | [`account`] | what an account's days weigh |
//! | [`audits`] | what audits leave to who downloaded nothing |
//! | [`economy`] | cost, income, break-even |
//! | [`replay`] | plays through the real ledger |
//! | [`storage`] | copies that follow demand: forecast, counting, neither; `docs/storage.md` |
//! | [`durability`] | how likely a film is lost in years, as copies or as coded pieces; `docs/storage.md` |
//! | [`table`], [`compare`], [`plot`], [`document`] | the generated parts of `docs/security.md` |
//!
//! No clock, no disk, no randomness but by seed: the same parameters print the same bytes. Left out: what a farm is worth
//! to somebody who does not want coins (fame, spite), and what a coin is worth.

pub mod account;
pub mod audits;
pub mod compare;
pub mod document;
pub mod durability;
pub mod economy;
pub mod farm;
pub mod plot;
pub mod prices;
pub mod replay;
pub mod rules;
pub mod storage;
pub mod table;
