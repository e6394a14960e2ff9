//! The view ledger: which plays were carried, who was paid, and the root that proves it.
//!
//! ```text
//! block h      slot payload ─▶ tally ─▶ weigh ─▶ view block V is pending: plays with their weights, nothing paid
//! block h + 2  draw by the hash of block h + 1 ─┬─▶ no play drawn ─▶ award
//!                                               └─▶ audit open: drawn plays must open their chunks
//! block h + n  audit votes ─▶ verdict: failed plays are void, their accounts have a strike ─▶ award over the rest
//! award        the reward by weight and split ─▶ vesting ─▶ credits: withdrawals of this very block
//! ```
//!
//! A ledger state is a value. Every final block turns one state into the next, with or without a payload
//! ([`LedgerState::advance`]); proposer and verifiers compute both from the same arguments. States share structure, so a
//! candidate block's state costs its own plays only.
//!
//! What settles here is what the votes say. Whether a play was watched is judged before, by each validator's
//! [`Desk`](crate::Desk); here it counts once per period, once per slot, and never for more than the schedule's reward.
//!
//! | module | decides |
//! |---|---|
//! | `tally` | whether a payload may stand in a block, and which plays the votes carry |
//! | `weigh` | what a carried play weighs, by what the ledger knows of its account, issuer and provider |
//! | `verdict` | which drawn plays passed their audit |
//! | `providers` | what providers answer for, when plays they served did not |
//! | `award` | who gets what, when it vests, and what falls due |
//! | `held` | what of a storage peer's pay is held back, returned, or lost |
//! | `served` | nothing: it tells storage peers what they served, what it paid, and why it did not |
//! | `root` | the commitment to all of it |
//! | `advance` | their order |

mod advance;
mod award;
mod held;
mod pending;
mod providers;
mod root;
mod served;
mod standing;
mod state;
mod tally;
#[cfg(test)]
pub(crate) mod tests;
mod verdict;
mod weigh;

pub use advance::{AcceptedPlay, AwardedBlock, DrawnAudit, MadeBlock, Settlement, VoidedPlay};
pub use award::CREDITS_PER_BLOCK_MAX;
pub use held::{HeldPay, ProviderMove, Withheld};
pub use pending::{Audit, OpenAudit, PendingBlock, PendingHead, PendingPlay};
pub use providers::ProviderRecord;
pub use served::{PlayedBytes, Served, Unpaid};
pub use standing::{IssuerRecord, MinedCell, Standing};
pub use state::{LedgerHead, LedgerParts, LedgerState, Owed};
pub use tally::SettleError;
pub(crate) use tally::proposer;

use chainflix_primitives::BlockHash;
use std::sync::Arc;

/// How many slots a proved play may wait for its vote.
pub const CARRY_SLOTS_MAX: u64 = 8;

/// Most view blocks that wait for their audit at a time: a quarter of an hour of slots. Beyond, no new slot is settled
/// until one of them is awarded, so that audits nobody votes on cannot fill the memory.
pub const PENDING_MAX: usize = 64;

/// Where a block stands, as far as the ledger's rules depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// Its height.
    pub height: u64,
    /// Hash of the Ethereum block before it.
    pub parent: BlockHash,
    /// Its proposer's clock, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// What the registry said of providers in the block before it, in the order of its events.
    pub moves: Arc<[ProviderMove]>,
}
