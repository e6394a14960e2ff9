//! The table behind `eth_newFilter`, `eth_newBlockFilter` and `eth_newPendingTransactionFilter`.
//!
//! A filter is a place in a stream, of blocks or of accepted transactions, that moves on with each poll. The table is
//! bounded: filters that nobody polled for five minutes go, and while it is full no new ones are made. It replaces ethrex's
//! own, which knows logs only, has no bound, and delivers the logs of the block at each boundary twice.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

/// Filters that may exist at a time.
pub const MAX_FILTERS: usize = 4096;

/// How long a filter lives without being polled.
pub const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// What a filter watches, and from where.
#[derive(Clone, Debug, PartialEq)]
pub enum Watch {
    /// Hashes of final blocks from this number on.
    Blocks {
        /// The next block.
        next: u64,
    },
    /// Hashes of accepted transactions from this number on.
    Transactions {
        /// The next transaction.
        next: u64,
    },
    /// Logs of final blocks from this number on.
    Logs {
        /// The next block.
        next: u64,
        /// The filter object as `eth_getLogs` takes it.
        query: Map<String, Value>,
    },
}

impl Watch {
    /// The unseen blocks up to `head`, if there are any.
    pub fn blocks(next: u64, head: u64) -> Option<RangeInclusive<u64>> {
        (next <= head).then_some(next..=head)
    }

    fn advance(&mut self, to: u64) {
        match self {
            Self::Blocks { next } | Self::Transactions { next } | Self::Logs { next, .. } => *next = to.max(*next),
        }
    }
}

/// All filters of a node.
#[derive(Default)]
pub struct Filters {
    filters: HashMap<u64, (Instant, Watch)>,
    /// Makes identifiers that other users cannot guess from their own.
    identifiers: RandomState,
    made: u64,
}

impl Filters {
    /// Adds a filter and returns its identifier, or nothing while the table is full.
    pub fn add(&mut self, watch: Watch, now: Instant) -> Option<u64> {
        self.filters.retain(|_, (polled, _)| now.duration_since(*polled) <= LIFETIME);
        if self.filters.len() >= MAX_FILTERS {
            return None;
        }
        let id = loop {
            self.made += 1;
            let id = self.identifiers.hash_one(self.made);
            if !self.filters.contains_key(&id) {
                break id;
            }
        };
        self.filters.insert(id, (now, watch));
        Some(id)
    }

    /// What a filter watches now. This keeps it alive.
    pub fn poll(&mut self, id: u64, now: Instant) -> Option<Watch> {
        let (polled, watch) = self.filters.get_mut(&id)?;
        if now.duration_since(*polled) > LIFETIME {
            self.filters.remove(&id);
            return None;
        }
        *polled = now;
        Some(watch.clone())
    }

    /// Moves a filter on, after what comes before `next` was delivered.
    pub fn advance(&mut self, id: u64, next: u64) {
        if let Some((_, watch)) = self.filters.get_mut(&id) {
            watch.advance(next);
        }
    }

    /// Removes a filter; false when there was none.
    pub fn remove(&mut self, id: u64) -> bool {
        self.filters.remove(&id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_moves_on_and_never_back() {
        let (mut filters, now) = (Filters::default(), Instant::now());
        let id = filters.add(Watch::Blocks { next: 5 }, now).unwrap();
        assert_eq!(filters.poll(id, now), Some(Watch::Blocks { next: 5 }));
        filters.advance(id, 9);
        filters.advance(id, 7); // A slower poll of the same filter ends later.
        assert_eq!(filters.poll(id, now), Some(Watch::Blocks { next: 9 }));
        assert_eq!((Watch::blocks(9, 8), Watch::blocks(9, 10)), (None, Some(9..=10)));
        assert!(filters.remove(id));
        assert!(!filters.remove(id));
        assert_eq!(filters.poll(id, now), None);
    }

    #[test]
    fn filters_that_nobody_polls_make_room() {
        let (mut filters, start) = (Filters::default(), Instant::now());
        let first = filters.add(Watch::Transactions { next: 0 }, start).unwrap();
        for _ in 1..MAX_FILTERS {
            filters.add(Watch::Blocks { next: 0 }, start).unwrap();
        }
        assert_eq!(filters.add(Watch::Blocks { next: 0 }, start), None);
        let later = start + LIFETIME;
        assert!(filters.poll(first, later).is_some());
        let much_later = later + Duration::from_secs(1);
        assert!(filters.add(Watch::Blocks { next: 0 }, much_later).is_some());
        assert!(filters.poll(first, much_later).is_some());
        assert_eq!(filters.filters.len(), 2);
        assert_eq!(filters.poll(first, much_later + LIFETIME + Duration::from_secs(1)), None);
    }
}
