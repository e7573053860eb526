//! The set of taken addresses. It finds the next free one in a few steps, however full and large the pool is.
//!
//! It is a tree in which each node has 64 children, and empty nodes are left out. A node of the lowest level has a bit
//! for each of 64 addresses: taken or free. A node above has a bit for each of its 64 children: full or not. So each of
//! a few addresses scattered over a /64 costs one node, and a full /112 costs a little more than a thousand. A search
//! goes up while it meets full nodes, and down again to the first gap: at most 22 levels each way.

use std::collections::HashMap;

/// The number of address bits that one level distinguishes.
const STEP: u32 = 6;

/// A set of addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Occupancy {
    /// Nodes by the bits above their level, the lowest level first. A missing node has no bit set.
    levels: Vec<HashMap<Place, u64>>,
}

/// The position of a node in its level, in two halves, so that an entry needs no alignment to 16 bytes.
type Place = (u64, u64);

fn place(position: u128) -> Place {
    let node = position >> STEP;
    ((node >> 64) as u64, node as u64)
}

fn bit(position: u128) -> u64 {
    1 << (position & 63)
}

impl Occupancy {
    pub(crate) fn insert(&mut self, address: u128) {
        let mut position = address;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(HashMap::new());
            }
            let node = self.levels[level].entry(place(position)).or_default();
            *node |= bit(position);
            if *node != u64::MAX {
                return;
            }
            position >>= STEP;
        }
    }

    pub(crate) fn remove(&mut self, address: u128) {
        let mut position = address;
        for nodes in &mut self.levels {
            let Some(node) = nodes.get_mut(&place(position)) else {
                return;
            };
            let was_full = *node == u64::MAX;
            *node &= !bit(position);
            if *node == 0 {
                nodes.remove(&place(position));
            }
            if !was_full {
                return;
            }
            position >>= STEP;
        }
    }

    /// The lowest address from `from` to `last` that is not in the set.
    pub(crate) fn next_free(&self, from: u128, last: u128) -> Option<u128> {
        let mut position = from;
        let mut level: u32 = 0;
        // Up, until a node has a gap at or after the position.
        loop {
            let gaps = !self.node(level, position) & (u64::MAX << (position & 63));
            if gaps != 0 {
                position = (position & !63) | u128::from(gaps.trailing_zeros());
                break;
            }
            level += 1;
            position = (position >> STEP) + 1;
            // Past the last address. The highest level, 21, is never full, because it has four children.
            if position >> u128::BITS.saturating_sub(STEP * level).min(127) != 0 {
                return None;
            }
        }
        // Down, to the first gap of each node.
        while level > 0 {
            level -= 1;
            position <<= STEP;
            position |= u128::from((!self.node(level, position)).trailing_zeros());
        }
        (position <= last).then_some(position)
    }

    fn node(&self, level: u32, position: u128) -> u64 {
        self.levels
            .get(level as usize)
            .and_then(|nodes| nodes.get(&place(position)))
            .copied()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_gap_of_a_full_range_is_found() {
        let mut taken = Occupancy::default();
        for address in 0..65_536 {
            taken.insert(address);
        }
        assert_eq!(taken.next_free(0, 65_535), None);
        assert_eq!(taken.next_free(0, 70_000), Some(65_536));
        taken.remove(40_001);
        assert_eq!(taken.next_free(0, 65_535), Some(40_001));
        assert_eq!(taken.next_free(40_002, 65_535), None);
        taken.insert(40_001);
        assert_eq!(taken.next_free(0, 65_535), None);
    }

    #[test]
    fn nothing_comes_after_the_last_address() {
        let mut taken = Occupancy::default();
        for address in u128::MAX - 9000..=u128::MAX {
            taken.insert(address);
        }
        assert_eq!(taken.next_free(u128::MAX - 100, u128::MAX), None);
        assert_eq!(taken.next_free(u128::MAX - 9002, u128::MAX), Some(u128::MAX - 9002));
        taken.remove(u128::MAX);
        assert_eq!(taken.next_free(u128::MAX - 100, u128::MAX), Some(u128::MAX));
    }

    #[test]
    fn what_is_removed_leaves_nothing() {
        let mut taken = Occupancy::default();
        (0..5000).for_each(|address| taken.insert(address * 3));
        (0..5000).for_each(|address| taken.remove(address * 3));
        assert!(taken.levels.iter().all(HashMap::is_empty));
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(steps in prop::collection::vec((any::<bool>(), 0u128..200), 0..400), base in any::<u128>(), from in 0u128..210) {
            let base = base.min(u128::MAX - 300);
            let (mut taken, mut model) = (Occupancy::default(), BTreeSet::new());
            for (insert, offset) in steps {
                if insert {
                    taken.insert(base + offset);
                    model.insert(base + offset);
                } else {
                    taken.remove(base + offset);
                    model.remove(&(base + offset));
                }
            }
            let expected = (base + from..=base + 205).find(|address| !model.contains(address));
            prop_assert_eq!(taken.next_free(base + from, base + 205), expected);
        }
    }
}
