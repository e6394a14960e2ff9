//! Every attack: a name, a sentence, and what it does.
//!
//! An attack reports what it did and heard ([`Attempt`]); what it earned is read from the ledger afterwards, and whether
//! that is more than an honest viewer has is computed for all of them in the same way.
//!
//! | module | tries to |
//! |---|---|
//! | [`downloads`] | be paid without having the bytes |
//! | [`timing`] | be paid without spending the time |
//! | [`codes`] | be paid with what belongs to another play |
//! | [`receipts`] | be paid for deliveries that were none |
//! | [`crowds`] | be paid for many where one is |
//! | [`words`] | break something with what it says |
//! | [`rogue`] | be paid as a validator that lies |

mod codes;
mod crowds;
mod downloads;
mod receipts;
mod rogue;
mod timing;
mod words;

use crate::{attempt::Attempt, caller::No, stage::Stage};
use anyhow::Result;
use futures::future::LocalBoxFuture;

/// An attack under way.
pub type Run<'a> = LocalBoxFuture<'a, Result<Attempt>>;

/// One attack.
#[derive(Clone, Copy)]
pub struct Attack {
    /// As the table calls it.
    pub name: &'static str,
    /// What it tries.
    pub tries: &'static str,
    /// Whether it is so much that it would disturb others, and runs alone.
    pub loud: bool,
    /// Does it.
    pub run: for<'a> fn(&'a Stage) -> Run<'a>,
}

const fn quiet(name: &'static str, tries: &'static str, run: for<'a> fn(&'a Stage) -> Run<'a>) -> Attack {
    Attack { name, tries, loud: false, run }
}

const fn loud(name: &'static str, tries: &'static str, run: for<'a> fn(&'a Stage) -> Run<'a>) -> Attack {
    Attack { name, tries, loud: true, run }
}

/// Every attack, in the order of the table.
pub const ALL: [Attack; 39] = [
    quiet("no download", "waits, invents the hash", downloads::nothing),
    quiet("a friend's hash", "downloads, and proves with the hash of somebody who watched", downloads::friends_hash),
    quiet("one download for many", "four accounts with grants of their own, one delivery", downloads::one_for_many),
    quiet("skips the points", "downloads, folds nothing, invents the hash", downloads::skips_the_points),
    quiet("garbage opening", "the same, and opens noise when it is audited", downloads::garbage_opening),
    quiet("silent at the audit", "watches, and does not answer the audit", downloads::silent_at_the_audit),
    quiet(
        "part of the cell",
        "downloads what receipts must cover, and picks blocks that draw from it",
        downloads::part_of_the_cell,
    ),
    quiet("early", "proves as soon as it has the PlayCode", timing::early),
    quiet("late", "proves after the last moment", timing::late),
    quiet("parallel plays", "two cells at a time", timing::parallel),
    quiet("two validators at once", "asks two validators for the same cell in the same moment", timing::two_validators),
    quiet("shifted clock", "asks with a clock that is ten minutes off", timing::shifted_clock),
    quiet("another slot", "proves for a slot in the future", timing::another_slot),
    quiet("points ahead of time", "folds all points at the start of the minute", timing::points_ahead),
    quiet("precomputed nonce", "searches the nonce before it has the hash", timing::precomputed_nonce),
    quiet("replay", "hands the same proof in again, now and after it was paid", codes::replay),
    quiet("second play in a period", "watches a paid cell again", codes::second_play),
    quiet("stolen PlayCode", "proves the play of another account as its own", codes::stolen),
    quiet("forged PlayCode", "signs a PlayCode itself", codes::forged),
    quiet("another's grant", "plays under the grant of another account", codes::others_grant),
    quiet("forged receipt", "signs the provider's receipt itself", receipts::forged),
    quiet("inflated receipt", "signs for more than came", receipts::inflated),
    quiet(
        "lying receipt",
        "signs for other bytes than the provider, and shows the hashes of its lie, four times",
        receipts::lying,
    ),
    quiet("colluding provider", "a provider signs for a delivery that never was", receipts::colluding_provider),
    quiet("picks its provider", "excludes providers until its own one is drawn", receipts::picks_its_provider),
    quiet("names the holders", "asks a validator for a grant in the controller's place", receipts::names_the_holders),
    loud("one /24", "twelve accounts in one /24 at a time", crowds::one_network),
    loud("one home", "twenty accounts at one address at a time", crowds::one_home),
    loud("invented addresses", "says in the gateways' header that it speaks for others", crowds::invented_addresses),
    loud("own films", "five accounts watch their own creator", crowds::ring),
    quiet("moving bond", "bonds, plays, and asks the bond back at once", crowds::moving_bond),
    quiet("validator: plays nobody asked for", "issues PlayCodes for accounts that did not ask", rogue::unasked),
    quiet("validator: backdated", "issues PlayCodes that started before", rogue::backdated),
    quiet(
        "validator: no delivery",
        "grants and issues to its own accounts, and signs as their provider",
        rogue::minted,
    ),
    loud("validator: invented homes", "hides that twelve accounts are at one address", rogue::invented_homes),
    loud("flood", "a thousand play requests as fast as they go", crowds::flood),
    loud("malformed calls", "broken words at every method of JSON-RPC and every path of the gateway", words::calls),
    loud("oversized bodies", "bodies far above every limit", words::oversized),
    loud("malformed streams", "broken frames and huge lengths at every overlay protocol", words::streams),
];

/// A client that cannot go on by its own fault.
fn stuck(error: impl std::fmt::Display) -> No {
    No::Stuck(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attack_has_a_name_of_its_own() {
        for (index, attack) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other.name != attack.name), "{}", attack.name);
        }
    }
}
