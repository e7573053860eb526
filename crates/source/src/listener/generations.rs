//! A map in bounded memory that forgets its oldest keys, without a list in order of age.
//!
//! New keys go into the young generation. When that is full, it becomes the old generation, and the former old one is
//! dropped as a whole. So the map always has at least the last N keys, and never more than twice as many.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

/// A map with a keyed hash that forgets old keys. Nobody can choose whose entry a new key displaces.
pub(super) struct Generations<V> {
    keys: RandomState,
    most: usize,
    young: HashMap<u64, V>,
    old: HashMap<u64, V>,
}

impl<V> Generations<V> {
    /// A map that remembers the last `most` keys, and at most twice as many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            keys: RandomState::new(),
            most,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &impl Hash) -> Option<&V> {
        let key = self.keys.hash_one(key);
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    /// Stores a value under a key, and replaces the one before.
    pub(super) fn keep(&mut self, key: &impl Hash, value: V) {
        let key = self.keys.hash_one(key);
        if self.young.len() >= self.most && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_known_and_memory_is_bounded() {
        let mut map = Generations::new(100);
        for key in 0..10_000u32 {
            map.keep(&key, key);
            assert!((key.saturating_sub(99)..=key).all(|last| map.get(&last) == Some(&last)));
            assert!(map.young.len() + map.old.len() <= 200);
        }
        assert_eq!(map.get(&0), None);
    }

    #[test]
    fn what_is_kept_again_stays_and_is_the_newest() {
        let mut map = Generations::new(10);
        for key in 0..1000u32 {
            map.keep(&u32::MAX, key);
            map.keep(&key, key);
            assert_eq!(map.get(&u32::MAX), Some(&key));
        }
    }
}
