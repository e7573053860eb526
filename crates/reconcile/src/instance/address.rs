//! Which address an instance gets.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use orchestrator_model::SlotKey;

/// The address that the slot's last instance had, where it is free, or else the first free one from a place in the range
/// that the slot's key chooses; `None` when the range is full.
///
/// Looks at no more addresses than are taken, however large the range is.
pub(super) fn choose(
    range: Ipv6Net,
    key: &SlotKey,
    before: Option<Ipv6Addr>,
    taken: &HashSet<Ipv6Addr>,
) -> Option<Ipv6Addr> {
    if let Some(before) = before.filter(|before| range.contains(before) && !taken.contains(before)) {
        return Some(before);
    }
    let first = u128::from(range.network());
    // The lowest address of a range may be an anycast address of routers: it is nobody's.
    let size = u128::from(range.broadcast()) - first;
    if size == 0 {
        return None;
    }
    let start = u128::from(place_of(key)) % size;
    let tries = size.min(taken.len() as u128 + 1);
    (0..tries)
        .map(|step| Ipv6Addr::from(first + 1 + (start + step) % size))
        .find(|address| !taken.contains(address))
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

    #[test]
    fn the_last_address_is_kept_while_it_is_free() {
        let range = range("fd00::2:0/112");
        let before = "fd00::2:77".parse().unwrap();
        assert_eq!(choose(range, &key([1; 6]), Some(before), &HashSet::new()), Some(before));
        assert_ne!(
            choose(range, &key([1; 6]), Some(before), &HashSet::from([before])),
            Some(before)
        );
        let elsewhere = "fd01::1".parse().unwrap();
        assert_ne!(
            choose(range, &key([1; 6]), Some(elsewhere), &HashSet::new()),
            Some(elsewhere)
        );
    }

    #[test]
    fn a_range_of_one_address_has_none_to_give() {
        assert_eq!(
            choose(range("fd00::2:0/128"), &key([1; 6]), None, &HashSet::new()),
            None
        );
    }

    proptest! {
        /// A range gives each of its addresses but the first once, and then no more.
        #[test]
        fn a_range_is_used_up_to_its_last_address(length in 120u8..=127, bytes: [u8; 6]) {
            let range = Ipv6Net::new("fd00::".parse().unwrap(), length).unwrap();
            let mut taken = HashSet::new();
            while let Some(address) = choose(range, &key(bytes), None, &taken) {
                prop_assert!(range.contains(&address) && address != range.network());
                prop_assert!(taken.insert(address));
            }
            prop_assert_eq!(taken.len() as u32, (1u32 << (128 - length)) - 1);
        }
    }
}
