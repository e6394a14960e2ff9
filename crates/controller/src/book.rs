//! The address book: the newest signed record of every node.

use chainflix_overlay::AddressRecord;
use chainflix_primitives::NodeId;
use std::collections::HashMap;

/// Most nodes in the book; about 100 MB of records at the very most.
const NODES_MAX: usize = 200_000;
/// A record that was not renewed for so long makes room for others when the book is full.
const STALE_MS: u64 = 10 * 60_000;

#[derive(Debug, Default)]
pub(crate) struct AddressBook {
    records: HashMap<NodeId, (AddressRecord, u64)>,
}

/// Why a record is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BookError {
    Older,
    Full,
}

impl AddressBook {
    /// Takes a record whose signature was checked. The same record again renews it.
    pub(crate) fn put(&mut self, record: AddressRecord, now_ms: u64) -> Result<(), BookError> {
        let node = record.body.node;
        match self.records.get(&node) {
            Some((known, _)) if known.body.sequence > record.body.sequence => return Err(BookError::Older),
            Some((known, _)) if known.body.sequence == record.body.sequence && *known != record => {
                return Err(BookError::Older);
            }
            Some(_) => {}
            None => self.make_room(now_ms)?,
        }
        self.records.insert(node, (record, now_ms));
        Ok(())
    }

    pub(crate) fn get(&self, node: &NodeId) -> Option<AddressRecord> {
        self.records.get(node).map(|(record, _)| record.clone())
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    fn make_room(&mut self, now_ms: u64) -> Result<(), BookError> {
        if self.records.len() < NODES_MAX {
            return Ok(());
        }
        self.records.retain(|_, (_, taken_ms)| taken_ms.saturating_add(STALE_MS) > now_ms);
        if self.records.len() < NODES_MAX { Ok(()) } else { Err(BookError::Full) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_overlay::{Addresses, NodeKey};

    fn record(sequence: u64, port: u16) -> AddressRecord {
        let key = NodeKey::from_bytes(&[1; 32]);
        let direct = vec![([127, 0, 0, 1], port).into()];
        AddressRecord::new(Addresses { node: key.node_id(), sequence, relay: None, direct }, &key)
    }

    #[test]
    fn the_highest_number_is_the_truth() {
        let mut book = AddressBook::default();
        let node = record(1, 1).body.node;
        assert_eq!(book.put(record(5, 1), 0), Ok(()));
        assert_eq!(book.put(record(4, 2), 0), Err(BookError::Older));
        assert_eq!(book.put(record(5, 2), 0), Err(BookError::Older), "one number, one record");
        assert_eq!(book.put(record(5, 1), 0), Ok(()));
        assert_eq!(book.put(record(6, 3), 0), Ok(()));
        assert_eq!(book.get(&node), Some(record(6, 3)));
        assert_eq!(book.len(), 1);
    }
}
