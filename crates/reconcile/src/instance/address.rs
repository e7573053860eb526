//! Which address an instance gets.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use orchestrator_model::ClientId;

/// The address that the client's last instance had, where it is free, or else the first free one from a place in the
/// range that the client's id chooses; `None` when the range is full.
///
/// Looks at no more addresses than are taken, however large the range is.
pub(super) fn choose(
    range: Ipv6Net,
    client: ClientId,
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
    let [a, b, c, d, e, f] = client.bytes();
    let start = u128::from(u64::from_be_bytes([0, 0, a, b, c, d, e, f])) % size;
    let tries = size.min(taken.len() as u128 + 1);
    (0..tries)
        .map(|step| Ipv6Addr::from(first + 1 + (start + step) % size))
        .find(|address| !taken.contains(address))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use orchestrator_model::Id;

    const CLIENT: Id = Id::from_bytes([1, 2, 3, 4, 5, 6]);

    fn range(text: &str) -> Ipv6Net {
        text.parse().unwrap()
    }

    #[test]
    fn the_last_address_is_kept_while_it_is_free() {
        let range = range("fd00::2:0/112");
        let before = "fd00::2:77".parse().unwrap();
        assert_eq!(choose(range, CLIENT, Some(before), &HashSet::new()), Some(before));
        assert_ne!(
            choose(range, CLIENT, Some(before), &HashSet::from([before])),
            Some(before)
        );
        let elsewhere = "fd01::1".parse().unwrap();
        assert_ne!(choose(range, CLIENT, Some(elsewhere), &HashSet::new()), Some(elsewhere));
    }

    #[test]
    fn a_range_of_one_address_has_none_to_give() {
        assert_eq!(choose(range("fd00::2:0/128"), CLIENT, None, &HashSet::new()), None);
    }

    proptest! {
        /// A range gives each of its addresses but the first once, and then no more.
        #[test]
        fn a_range_is_used_up_to_its_last_address(length in 120u8..=127, bytes: [u8; 6]) {
            let range = Ipv6Net::new("fd00::".parse().unwrap(), length).unwrap();
            let mut taken = HashSet::new();
            while let Some(address) = choose(range, Id::from_bytes(bytes), None, &taken) {
                prop_assert!(range.contains(&address) && address != range.network());
                prop_assert!(taken.insert(address));
            }
            prop_assert_eq!(taken.len() as u32, (1u32 << (128 - length)) - 1);
        }
    }
}
