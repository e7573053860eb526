//! Chooses the address of a range for a slot. Pure.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_model::SlotKey;

use super::runs::Runs;

/// `before`, where it is free, or else the first free address after a place in the range that the slot's key chooses;
/// `None` when the range is full. None of `others` is given.
///
/// The number of steps grows with `others` only, not with what is taken or with the range.
pub(super) fn choose(
    range: Ipv6Net,
    key: &SlotKey,
    before: Option<Ipv6Addr>,
    others: &HashSet<Ipv6Addr>,
    taken: &Runs,
) -> Option<Ipv6Addr> {
    let is_free = |address: &Ipv6Addr| !taken.contains(*address) && !others.contains(address);
    if let Some(before) = before.filter(|before| range.contains(before) && is_free(before)) {
        return Some(before);
    }
    // The lowest address of a range may be an anycast address of routers: it is nobody's.
    let lowest = u128::from(range.network()).checked_add(1)?;
    let highest = u128::from(range.broadcast());
    let size = highest.checked_sub(lowest)?.checked_add(1)?;
    let start = lowest + u128::from(place_of(key)) % size;
    let search = |from: u128, to: u128| {
        let (mut from, to) = (Ipv6Addr::from(from), Ipv6Addr::from(to));
        loop {
            let free = taken.first_free(from, to)?;
            if !others.contains(&free) {
                return Some(free);
            }
            from = Ipv6Addr::from(u128::from(free).checked_add(1)?);
            if from > to {
                return None;
            }
        }
    };
    search(start, highest).or_else(|| search(lowest, start))
}

/// A number that is always the same for one slot, and looks random: FNV-1a, with its bits mixed once more.
fn place_of(key: &SlotKey) -> u64 {
    let text = format!("{}/{}/{}", key.owner.kind(), key.owner.name(), key.slot);
    let sum = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (sum ^ (sum >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use orchestrator_model::{Id, Slot};

    fn key(bytes: [u8; 6]) -> SlotKey {
        SlotKey::new(Id::from_bytes(bytes), Slot::new("default"))
    }

    fn range(text: &str) -> Ipv6Net {
        text.parse().unwrap()
    }

    fn chosen(range: Ipv6Net, before: Option<Ipv6Addr>, taken: &[Ipv6Addr]) -> Option<Ipv6Addr> {
        let taken = taken.iter().copied().collect();
        choose(range, &key([1; 6]), before, &HashSet::new(), &taken)
    }

    #[test]
    fn the_last_address_is_kept_while_it_is_free() {
        let range = range("fd00::2:0/112");
        let before = "fd00::2:77".parse().unwrap();
        assert_eq!(chosen(range, Some(before), &[]), Some(before));
        assert_ne!(chosen(range, Some(before), &[before]), Some(before));
        let elsewhere = "fd01::1".parse().unwrap();
        assert_ne!(chosen(range, Some(elsewhere), &[]), Some(elsewhere));
        let others = HashSet::from([before]);
        assert_ne!(
            choose(range, &key([1; 6]), Some(before), &others, &Runs::default()),
            Some(before)
        );
    }

    #[test]
    fn a_range_of_one_address_has_none_to_give() {
        assert_eq!(chosen(range("fd00::2:0/128"), None, &[]), None);
    }

    #[test]
    fn a_slot_begins_at_a_place_of_its_own() {
        let range = range("fd00::/64");
        let of = |bytes, slot| {
            let key = SlotKey::new(Id::from_bytes(bytes), Slot::new(slot));
            choose(range, &key, None, &HashSet::new(), &Runs::default()).unwrap()
        };
        assert_eq!(of([1; 6], "web"), of([1; 6], "web"));
        assert_ne!(of([1; 6], "web"), of([1; 6], "shell"));
        assert_ne!(of([1; 6], "web"), of([2; 6], "web"));
    }

    proptest! {
        /// A range gives each of its addresses but the first once, none of the others, and then no more.
        #[test]
        fn a_range_is_used_up_to_its_last_address(length in 120u8..=127, bytes: [u8; 6], other in 0u128..300) {
            let range = Ipv6Net::new("fd00::".parse().unwrap(), length).unwrap();
            let others = HashSet::from([Ipv6Addr::from(u128::from(range.network()) + other)]);
            let (mut taken, mut given) = (Runs::default(), 0);
            while let Some(address) = choose(range, &key(bytes), None, &others, &taken) {
                prop_assert!(range.contains(&address) && address != range.network() && !others.contains(&address));
                prop_assert!(taken.insert(address));
                given += 1;
            }
            let size = 1u128 << (128 - length);
            let withheld = u128::from((1..size).contains(&other));
            prop_assert_eq!(given, size - 1 - withheld);
        }
    }
}
