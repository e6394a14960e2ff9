//! Rows under small numbers: what the rest refers to by four bytes instead of thirty-two.

use std::{collections::HashMap, hash::Hash};

/// A bounded table. The number of a row that is gone is given again, the latest first.
#[derive(Debug)]
pub(super) struct Table<K, R> {
    rows: Vec<Option<R>>,
    free: Vec<u32>,
    // Looked up and never walked: its order is not the same in two runs.
    numbers: HashMap<K, u32>,
    max: usize,
}

impl<K: Copy + Eq + Hash, R> Table<K, R> {
    /// An empty table of at most `max` rows.
    pub(super) fn new(max: usize) -> Self {
        // Numbers have 32 bits.
        Self { rows: Vec::new(), free: Vec::new(), numbers: HashMap::new(), max: max.min(u32::MAX as usize) }
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Rows there is still place for.
    pub(super) fn room(&self) -> usize {
        self.max - self.len()
    }

    pub(super) fn find(&self, key: &K) -> Option<u32> {
        self.numbers.get(key).copied()
    }

    pub(super) fn get(&self, number: u32) -> Option<&R> {
        self.rows.get(number as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut R> {
        self.rows.get_mut(number as usize)?.as_mut()
    }

    /// Numbers and rows, in the order of the numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &R)> {
        (0..).zip(&self.rows).filter_map(|(number, row)| Some((number, row.as_ref()?)))
    }

    /// Numbers that were ever given, those of rows that are gone included.
    pub(super) fn span(&self) -> usize {
        self.rows.len()
    }

    /// Enters a row under a key that has none; `None` when the table is full.
    pub(super) fn insert(&mut self, key: K, row: R) -> Option<u32> {
        if self.room() == 0 {
            return None;
        }
        let number = match self.free.pop() {
            Some(number) => {
                self.rows[number as usize] = Some(row);
                number
            }
            None => {
                self.rows.push(Some(row));
                // At most `max`.
                self.rows.len() as u32 - 1
            }
        };
        self.numbers.insert(key, number);
        Some(number)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<R> {
        let number = self.numbers.remove(key)?;
        self.free.push(number);
        self.rows[number as usize].take()
    }
}
