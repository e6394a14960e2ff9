//! The audit of accepted plays (protocol page, step 7).
//!
//! Its place in the state machine is between the vote and the payment: [`drawn`] names the plays of a view block that
//! must open their chunks before they are paid. In this version it names none.

use chainflix_primitives::{BlockHash, PlayRecord};

/// Which of a view block's plays the next block's hash draws for audit, by their place in the list.
pub fn drawn(_plays: &[PlayRecord], _next_block: &BlockHash) -> Vec<usize> {
    Vec::new()
}
