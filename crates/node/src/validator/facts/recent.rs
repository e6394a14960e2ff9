//! A bounded map that forgets what was not asked for lately.
//!
//! Two generations of half the size: what is asked for moves to the young one, and when that is full, the old one goes and
//! the young one takes its place. So at least the newest half of the limit is always kept, a look costs one or two hash
//! look-ups, and an entry costs no more than its key and value: a list of uses would double the memory of small entries,
//! of which a busy network has a million.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, mem};

/// At most `2 × half` entries.
pub struct Recent<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    pub fn new(half: usize) -> Self {
        Self { half, young: HashMap::new(), old: HashMap::new() }
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.insert(key, value);
        }
        self.young.get(key)
    }

    pub fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut recent = Recent::new(4);
        recent.insert(0, "kept");
        for number in 1..100 {
            recent.insert(number, "passing");
            assert_eq!(recent.get(&0), Some(&"kept"), "{number}");
            assert!(recent.young.len() + recent.old.len() <= 8);
        }
        assert_eq!(recent.get(&99), Some(&"passing"));
        assert_eq!(recent.get(&1), None);
    }

    #[test]
    fn there_is_one_value_of_a_key() {
        let mut recent = Recent::new(1);
        recent.insert(0, 1);
        recent.insert(1, 1);
        recent.insert(0, 2);
        assert_eq!(recent.get(&0), Some(&2));
        assert_eq!(recent.young.len() + recent.old.len(), 2);
        recent.remove(&0);
        assert_eq!(recent.get(&0), None);
        recent.clear();
        assert_eq!(recent.get(&1), None);
    }
}
