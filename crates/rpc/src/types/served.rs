//! `cfx_served`: what an account served as a storage peer by day, what that paid, and why it did not.

use chainflix_primitives::AccountAddress;
use serde::{Deserialize, Serialize};

/// Parameter of `cfx_served`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServedQuery {
    /// Whose.
    pub account: AccountAddress,
    /// The newest day wanted, in days since the Unix epoch, UTC; the newest of all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// How many days, 1 to [`COUNT_MAX`](super::COUNT_MAX).
    pub count: u32,
}

/// `cfx_served`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServedReport {
    /// Whether too much of what it served was void in this period: until it ends, what it serves is unpaid.
    pub struck_out: bool,
    /// Newest first; days on which no play of it was carried are left out.
    pub days: Vec<ServedDay>,
}

/// One day of an account as a storage peer, as far as its view blocks are awarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServedDay {
    /// In days since the Unix epoch, UTC.
    pub day: u32,
    /// Plays that the votes carried and of which it served something, whether they were paid or not.
    pub plays: u64,
    /// Bytes of them that viewer and provider signed for.
    pub bytes: u64,
    /// What it was awarded for them, in gwei.
    pub gwei: u64,
    /// What of that is held back, in gwei.
    pub held_gwei: u64,
    /// Those of them that paid nothing, by reason.
    pub unpaid: Vec<UnpaidPlays>,
}

/// Plays that paid a storage peer nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnpaidPlays {
    /// Code of the reason: `audit-failed`, `audit-unseen`, `provider-struck-out`, `weightless`, `nothing-left`.
    pub reason: String,
    /// How many.
    pub plays: u64,
    /// Bytes of them that it served.
    pub bytes: u64,
}
