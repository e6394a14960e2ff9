//! Computes what a view block pays and to whom, in whole gwei, losing none.
//!
//! ```text
//! schedule(view block) ──by weight──▶ one amount per play ──by its creator's split──▶ credits per account
//! ```
//!
//! Gwei, because coins reach the Ethereum state through the withdrawals list of a block, whose unit is the gwei
//! (EIP-4895). Amounts are integers; every division has a stated owner for what is left over. Which plays count is
//! decided in `chainflix-proof-of-view`.

mod schedule;
mod split;

pub use schedule::{ScheduleRow, issued_gwei, reward_gwei, schedule_table};
pub use split::{Credit, Paid, Parties, RolePay, WeightedPlay, amounts, by_role, pay, storage_parts};

/// One CFX in gwei.
pub const GWEI_PER_CFX: u64 = 1_000_000_000;
