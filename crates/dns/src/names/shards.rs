//! A map that is copied for little.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// The number of parts.
const PARTS: usize = 256;

/// A map in parts that copies share. A change copies the one part that it is in, and leaves the other copies as they are.
#[derive(Debug, Clone)]
pub(super) struct Shards<K, V> {
    state: RandomState,
    len: usize,
    parts: Vec<Arc<HashMap<K, V>>>,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self {
            state: RandomState::new(),
            len: 0,
            parts: vec![Arc::default(); PARTS],
        }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Shards<K, V> {
    /// The value of a key.
    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.parts.get(self.part(key))?.get(key)
    }

    /// Gives a key this value; `None` takes it out.
    pub(super) fn set(&mut self, key: K, value: Option<V>) {
        let part = self.part(&key);
        let Some(part) = self.parts.get_mut(part) else { return };
        let had = part.contains_key(&key);
        let has = value.is_some();
        match value {
            Some(value) => drop(Arc::make_mut(part).insert(key, value)),
            // Nothing is copied for what is not there.
            None if had => drop(Arc::make_mut(part).remove(&key)),
            None => {}
        }
        self.len = self.len.saturating_sub(usize::from(had)) + usize::from(has);
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn part<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        // The remainder is less than the number of parts.
        usize::try_from(self.state.hash_one(key) % PARTS as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_it_had_and_shares_all_parts_but_the_changed_one() {
        let mut map = Shards::default();
        (0..10_000).for_each(|key| map.set(key, Some(key)));
        let before = map.clone();
        map.set(7, Some(8));
        map.set(9_999, None);
        map.set(10_000, None);
        assert_eq!((map.get(&7), map.get(&9_999), map.len()), (Some(&8), None, 9_999));
        assert_eq!(map.len(), map.parts.iter().map(|part| part.len()).sum::<usize>());
        assert_eq!(
            (before.get(&7), before.get(&9_999), before.len()),
            (Some(&7), Some(&9_999), 10_000)
        );
        let parts = map.parts.iter().zip(&before.parts);
        assert!(parts.filter(|(one, other)| !Arc::ptr_eq(one, other)).count() <= 2);
    }
}
