//! Where a proposer gets the votes of a finished slot from.

use chainflix_chain::ledger::Preview;
use chainflix_primitives::ViewPayload;

/// A validator's desk, as the proposer of a block sees it.
///
/// Implementations answer at once from what they hold: the block waits for them.
pub trait PayloadSource: Send + Sync {
    /// The proposal and votes of a finished slot that `preview` has not settled, if enough have come. The answer is
    /// settled on `preview` before it is used, so a wrong one costs the slot its place in this block and nothing else.
    fn payload(&self, preview: &Preview) -> Option<ViewPayload>;
}

/// For networks, and tests, without views.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoViews;

impl PayloadSource for NoViews {
    fn payload(&self, _: &Preview) -> Option<ViewPayload> {
        None
    }
}
