//! Remembers what the newest blocks did, so that none is counted twice.
//!
//! A state that came out of a step has a number of its own. A step is found again by the number of the state it starts
//! from, the place of its block, and what that block carries: everything that it depends on.

use chainflix_primitives::{NetworkGenesis, ViewPayload};
use chainflix_proof_of_view::{BlockPlace, LedgerState, SettleError, Settlement};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Steps that are remembered: a few candidates, each held with its payload. The oldest are forgotten.
const STEPS_KEPT: usize = 8;

/// A state and its number.
#[derive(Clone)]
pub(super) struct Version {
    number: u64,
    pub state: LedgerState,
}

struct Step {
    from: u64,
    place: BlockPlace,
    payload: Option<Arc<ViewPayload>>,
    to: u64,
    settlement: Arc<Settlement>,
}

impl Step {
    fn is(&self, from: u64, place: &BlockPlace, payload: Option<&Arc<ViewPayload>>) -> bool {
        self.from == from && self.place == *place && is_same(self.payload.as_ref(), payload)
    }
}

/// A block that came a second time, from the archive or another validator, is equal without being the same.
fn is_same(known: Option<&Arc<ViewPayload>>, given: Option<&Arc<ViewPayload>>) -> bool {
    match (known, given) {
        (Some(known), Some(given)) => Arc::ptr_eq(known, given) || known == given,
        (known, given) => known.is_none() && given.is_none(),
    }
}

#[derive(Default)]
struct Memory {
    versions: u64,
    steps: VecDeque<Step>,
}

impl Memory {
    fn next_number(&mut self) -> u64 {
        self.versions += 1;
        self.versions
    }
}

/// The remembered steps. The lock is around a cache: what it lacks is computed.
#[derive(Default)]
pub(super) struct Steps(Mutex<Memory>);

impl Steps {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a state that came from no step.
    pub fn begin(&self, state: LedgerState) -> Version {
        Version { number: self.memory().next_number(), state }
    }

    /// The state after a block, and what the block did.
    pub fn step(
        &self,
        genesis: &NetworkGenesis,
        from: &Version,
        place: &BlockPlace,
        payload: Option<&Arc<ViewPayload>>,
    ) -> Result<(Version, Arc<Settlement>), SettleError> {
        if let Some(known) = self.memory().steps.iter().find(|step| step.is(from.number, place, payload)) {
            let version = Version { number: known.to, state: known.settlement.next.clone() };
            return Ok((version, known.settlement.clone()));
        }
        // Not under the lock: two threads may count the same block, and none waits for another's.
        let settlement = Arc::new(from.state.advance(genesis, place, payload)?);
        let mut memory = self.memory();
        let to = memory.next_number();
        if memory.steps.len() >= STEPS_KEPT {
            memory.steps.pop_front();
        }
        let step = Step {
            from: from.number,
            place: place.clone(),
            payload: payload.cloned(),
            to,
            settlement: settlement.clone(),
        };
        memory.steps.push_back(step);
        Ok((Version { number: to, state: settlement.next.clone() }, settlement))
    }
}
