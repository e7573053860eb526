//! Which instance each slot leads to.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

/// How many slots a virtual address has. The rules compute a number below it.
pub(super) const SLOTS: u32 = 256;

/// The instance of each slot, by rendezvous hashing: a slot leads to the instance with the highest score for it. So one
/// that comes takes its share from all others, and what one leaves behind goes to all others; no other slot changes.
pub(super) fn fill(backends: &BTreeSet<(Ipv6Addr, u16)>) -> Vec<(Ipv6Addr, u16)> {
    let best = |slot: u32| backends.iter().copied().max_by_key(|backend| score(slot, *backend));
    (0..SLOTS).filter_map(best).collect()
}

fn score(slot: u32, (address, port): (Ipv6Addr, u16)) -> u64 {
    let address = u128::from(address);
    let mut hash = mix(u64::from(slot) << 16 | u64::from(port));
    for half in [address >> 64, address & u128::from(u64::MAX)] {
        hash = mix(hash ^ u64::try_from(half).unwrap_or_default());
    }
    hash
}

/// The finalizer of SplitMix64: every bit of the input changes half of the output's.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backends(count: u16) -> BTreeSet<(Ipv6Addr, u16)> {
        let each = 1..=count;
        each.map(|number| (Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, number), 8080))
            .collect()
    }

    #[test]
    fn every_instance_has_about_its_share() {
        assert!(fill(&BTreeSet::new()).is_empty());
        for count in [1, 2, 3, 4, 8] {
            let slots = fill(&backends(count));
            assert_eq!(slots.len(), 256);
            for backend in backends(count) {
                let share = slots.iter().filter(|slot| **slot == backend).count();
                let fair = 256 / usize::from(count);
                assert!(share > fair / 2 && share < fair * 2 + 1, "{share} of {fair}");
            }
        }
    }

    #[test]
    fn one_that_comes_or_goes_changes_no_slot_but_its_own() {
        let (four, three) = (backends(4), backends(3));
        let new = four.difference(&three).next().unwrap();
        for (with, without) in fill(&four).into_iter().zip(fill(&three)) {
            assert!(with == without || with == *new);
        }
    }
}
