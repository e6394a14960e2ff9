//! Who may be served now: a bounded number at a time, no peer more than its share, no grant many times at once.
//!
//! Only grants that a validator signed get here, so the table of used grants grows no faster than validators issue; it
//! is bounded all the same, and full means busy.

use chainflix_overlay::cell::Refusal;
use chainflix_primitives::{GrantId, NodeId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Most grants remembered until they expire.
const GRANTS_MAX: usize = 100_000;
/// Deliveries of one grant at a time: a viewer that lost its line resumes before we notice that the old one is dead.
const RUNNING_MAX: u32 = 2;
/// How often one grant may begin a delivery: a viewer on a bad line resumes, a farm does not download for ever.
const STARTS_MAX: u32 = 8;

/// The table of running and finished deliveries.
#[derive(Debug)]
pub(crate) struct Admission {
    table: Mutex<Table>,
    deliveries_max: usize,
    per_peer_max: usize,
}

#[derive(Debug, Default)]
struct Table {
    running: usize,
    peers: HashMap<NodeId, usize>,
    grants: HashMap<GrantId, Usage>,
}

#[derive(Debug)]
struct Usage {
    running: u32,
    starts: u32,
    expires_ms: u64,
}

/// The right to deliver; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    peer: NodeId,
    grant: GrantId,
}

impl Admission {
    pub(crate) fn new(deliveries_max: usize) -> Arc<Self> {
        // Half for one peer: a gateway with many viewers gets much, and never everything.
        Arc::new(Self { table: Mutex::default(), deliveries_max, per_peer_max: deliveries_max.div_ceil(2) })
    }

    pub(crate) fn enter(
        self: &Arc<Self>,
        peer: NodeId,
        grant: GrantId,
        expires_ms: u64,
        now_ms: u64,
    ) -> Result<Permit, Refusal> {
        let mut table = self.table();
        if table.grants.len() >= GRANTS_MAX {
            table.grants.retain(|_, usage| usage.running > 0 || usage.expires_ms > now_ms);
        }
        let of_peer = table.peers.get(&peer).copied().unwrap_or(0);
        let full = table.running >= self.deliveries_max || of_peer >= self.per_peer_max;
        if full || (table.grants.len() >= GRANTS_MAX && !table.grants.contains_key(&grant)) {
            return Err(Refusal::Busy);
        }
        let usage = table.grants.entry(grant).or_insert(Usage { running: 0, starts: 0, expires_ms });
        if usage.running >= RUNNING_MAX {
            return Err(Refusal::Busy);
        }
        if usage.starts >= STARTS_MAX {
            return Err(Refusal::Spent);
        }
        usage.running += 1;
        usage.starts += 1;
        table.running += 1;
        *table.peers.entry(peer).or_default() += 1;
        Ok(Permit { admission: self.clone(), peer, grant })
    }

    pub(crate) fn running(&self) -> usize {
        self.table().running
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every step leaves the table whole, so a panic elsewhere does not spoil it.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut table = self.admission.table();
        table.running -= 1;
        if let Some(usage) = table.grants.get_mut(&self.grant) {
            usage.running -= 1;
        }
        if let Some(count) = table.peers.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                table.peers.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(admission: &Arc<Admission>, peer: u8, grant: u8) -> Result<Permit, Refusal> {
        admission.enter(NodeId([peer; 32]), GrantId([grant; 16]), 100, 0)
    }

    #[test]
    fn no_peer_takes_everything_and_permits_come_back() {
        let admission = Admission::new(4);
        let one = enter(&admission, 1, 1).unwrap();
        let _two = enter(&admission, 1, 2).unwrap();
        assert_eq!(enter(&admission, 1, 3).unwrap_err(), Refusal::Busy);
        let _three = enter(&admission, 2, 3).unwrap();
        let _four = enter(&admission, 3, 4).unwrap();
        assert_eq!(enter(&admission, 4, 5).unwrap_err(), Refusal::Busy);
        drop(one);
        let _five = enter(&admission, 4, 5).unwrap();
        assert_eq!(admission.running(), 4);
    }

    #[test]
    fn a_grant_serves_a_resuming_viewer_but_not_a_crowd_and_not_for_ever() {
        let admission = Admission::new(8);
        let first = enter(&admission, 1, 1).unwrap();
        let second = enter(&admission, 1, 1).unwrap();
        assert_eq!(enter(&admission, 2, 1).unwrap_err(), Refusal::Busy);
        drop((first, second));
        for _ in 2..STARTS_MAX {
            enter(&admission, 1, 1).unwrap();
        }
        assert_eq!(enter(&admission, 1, 1).unwrap_err(), Refusal::Spent);
    }
}
