//! Where a proposer gets the votes on views from, and what of them a block may carry.

use chainflix_chain::ledger::Preview;
use chainflix_primitives::ViewPayload;
use std::sync::Arc;

/// A validator's desk, as the proposer of a block sees it.
///
/// Implementations answer at once from what they hold: the block waits for them.
pub trait PayloadSource: Send + Sync {
    /// The proposal and votes of a finished slot and the votes on audits that are ready, as far as `preview` may still
    /// want them. The answer is settled on `preview` before it is used, so a wrong one costs the slot its place in this
    /// block and nothing else.
    fn payload(&self, preview: &Preview) -> Option<Arc<ViewPayload>>;
}

/// For networks, and tests, without views.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoViews;

impl PayloadSource for NoViews {
    fn payload(&self, _: &Preview) -> Option<Arc<ViewPayload>> {
        None
    }
}

/// What a block on `preview` may carry of `ready`, best first and nothing last: all of it, the slot alone, the audits
/// alone. What an ancestor has carried meanwhile is left out before.
pub(crate) fn choices(ready: Option<Arc<ViewPayload>>, preview: &Preview) -> Vec<Option<Arc<ViewPayload>>> {
    let mut choices = Vec::new();
    if let Some(open) = ready.and_then(|ready| still_open(ready, preview)) {
        if open.slot.is_some() && !open.audits.is_empty() {
            let slot = ViewPayload { slot: open.slot.clone(), audits: Vec::new() };
            let audits = ViewPayload { slot: None, audits: open.audits.clone() };
            choices.extend([open, Arc::new(slot), Arc::new(audits)].map(Some));
        } else {
            choices.push(Some(open));
        }
    }
    choices.push(None);
    choices
}

fn still_open(ready: Arc<ViewPayload>, preview: &Preview) -> Option<Arc<ViewPayload>> {
    let state = preview.state();
    let slot_is_open = ready.slot.as_ref().is_none_or(|slot| !state.is_settled(slot.proposal.slot) && !state.is_full());
    let is_open = |view_block| state.pending_block(view_block).is_some_and(|block| block.audit().is_some());
    if slot_is_open && ready.audits.iter().all(|audit| is_open(audit.view_block)) {
        return Some(ready);
    }
    let audits: Vec<_> = ready.audits.iter().filter(|audit| is_open(audit.view_block)).cloned().collect();
    let slot = ready.slot.as_ref().filter(|_| slot_is_open).cloned();
    (slot.is_some() || !audits.is_empty()).then(|| Arc::new(ViewPayload { slot, audits }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use chainflix_chain::ledger::{BlockPlace, Candidate, ViewLedger};
    use chainflix_primitives::{AuditPayload, BlockHash};

    fn place(height: u64) -> BlockPlace {
        BlockPlace { height, parent: BlockHash([height as u8; 32]), time_ms: 1 << 42, moves: Default::default() }
    }

    /// The ledger after a slot was settled, and after its audit was opened.
    fn previews() -> [Preview; 2] {
        let mut genesis = testing::genesis(4, 1_000);
        genesis.params.audit.share_permille = 1_000;
        let slot = Arc::new(testing::payload_of(&genesis, 7));
        let ledger = ViewLedger::in_memory(Arc::new(genesis)).unwrap();
        let mut candidates = vec![Candidate { place: place(1), payload: Some(slot) }];
        let settled = ledger.preview(&candidates).unwrap();
        candidates.extend([2, 3].map(|height| Candidate { place: place(height), payload: None }));
        [settled, ledger.preview(&candidates).unwrap()]
    }

    fn ready(slot: u64, audits: &[u64]) -> Option<Arc<ViewPayload>> {
        let audit = |view_block: &u64| AuditPayload { view_block: *view_block, votes: Vec::new() };
        let ViewPayload { slot, .. } = testing::payload_of(&testing::genesis(4, 1_000), slot);
        Some(Arc::new(ViewPayload { slot, audits: audits.iter().map(audit).collect() }))
    }

    /// Slot and audits of each choice.
    fn shown(choices: &[Option<Arc<ViewPayload>>]) -> Vec<Option<(bool, usize)>> {
        let shown = |payload: &Arc<ViewPayload>| (payload.slot.is_some(), payload.audits.len());
        choices.iter().map(|choice| choice.as_ref().map(shown)).collect()
    }

    #[test]
    fn what_an_ancestor_carried_is_left_out() {
        let [settled, opened] = previews();
        assert_eq!(shown(&choices(None, &settled)), [None]);
        assert_eq!(shown(&choices(ready(7, &[]), &settled)), [None], "the slot is settled");
        assert_eq!(shown(&choices(ready(7, &[1]), &settled)), [None], "the audit is not open yet");
        assert_eq!(shown(&choices(ready(8, &[1]), &settled)), [Some((true, 0)), None]);
        assert_eq!(shown(&choices(ready(7, &[1, 2]), &opened)), [Some((false, 1)), None]);
    }

    #[test]
    fn if_all_does_not_fit_a_part_may() {
        let [_, opened] = previews();
        let all = [Some((true, 1)), Some((true, 0)), Some((false, 1)), None];
        assert_eq!(shown(&choices(ready(8, &[1]), &opened)), all);
    }
}
