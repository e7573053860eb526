//! Names of addresses, below `ip6.arpa` (RFC 3596, section 2.5).

use std::net::Ipv6Addr;

use hickory_proto::rr::Name;
use ipnet::Ipv6Net;

/// The labels below `ip6.arpa` of a whole address.
const NIBBLES: usize = 32;

/// The zone with the names of the addresses of a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReverseZone {
    prefix: Ipv6Net,
}

impl ReverseZone {
    /// The zone of a prefix; `None` where the prefix does not end between two hexadecimal digits, because no zone does.
    pub fn new(prefix: Ipv6Net) -> Option<Self> {
        prefix
            .prefix_len()
            .is_multiple_of(4)
            .then_some(Self { prefix: prefix.trunc() })
    }

    /// The zones that a prefix has together: several where it does not end between two digits.
    pub fn all_of(prefix: Ipv6Net) -> Vec<Self> {
        let length = prefix.prefix_len().next_multiple_of(4).min(128);
        let zones = prefix.trunc().subnets(length);
        zones.into_iter().flatten().filter_map(Self::new).collect()
    }

    /// Whether a name is in it: its own, or that of an address or of a part of one.
    pub(crate) fn contains(&self, name: &ReverseName) -> bool {
        let own = usize::from(self.prefix.prefix_len()) / 4;
        name.digits >= own && self.prefix.contains(&name.first)
    }

    /// The labels of its name, in the order of a name.
    pub(crate) fn labels(&self) -> usize {
        usize::from(self.prefix.prefix_len()) / 4 + 2
    }
}

/// A name below `ip6.arpa`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReverseName {
    /// The first address that it is the beginning of.
    pub(crate) first: Ipv6Addr,
    /// How many digits of the address it has.
    pub(crate) digits: usize,
}

impl ReverseName {
    /// Reads a name. `None` if it is not of this kind.
    pub(crate) fn read(name: &Name) -> Option<Self> {
        let mut labels: Vec<&[u8]> = name.iter().collect();
        let is = |label: Option<&[u8]>, text: &[u8]| label.is_some_and(|label| label.eq_ignore_ascii_case(text));
        if !is(labels.pop(), b"arpa") || !is(labels.pop(), b"ip6") || labels.len() > NIBBLES {
            return None;
        }
        let digits = labels.len();
        let mut bits = 0_u128;
        for label in labels.iter().rev() {
            let [digit] = label else { return None };
            bits = bits << 4 | u128::from(char::from(*digit).to_digit(16)?);
        }
        // No shift by the whole width is possible.
        for _ in digits..NIBBLES {
            bits <<= 4;
        }
        let first = Ipv6Addr::from_bits(bits);
        Some(Self { first, digits })
    }

    /// The address, if it is the name of a whole one.
    pub(crate) fn address(&self) -> Option<Ipv6Addr> {
        (self.digits == NIBBLES).then_some(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<ReverseName> {
        ReverseName::read(&Name::from_ascii(text).unwrap())
    }

    #[test]
    fn the_name_of_an_address_is_read() {
        // The example of RFC 3596, section 2.5.
        let name = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.IP6.ARPA.";
        let address: Ipv6Addr = "4321:0:1:2:3:4:567:89ab".parse().unwrap();
        assert_eq!(read(name).unwrap().address(), Some(address));
    }

    #[test]
    fn a_part_of_an_address_has_the_first_digits() {
        let part = read("9.3.d.f.ip6.arpa.").unwrap();
        assert_eq!(part.address(), None);
        assert_eq!(part.first, "fd39::".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn what_is_none_is_not_taken_for_one() {
        let long = format!("{}ip6.arpa.", "0.".repeat(33));
        for text in [
            "g.ip6.arpa.",
            "10.ip6.arpa.",
            "1.in-addr.arpa.",
            "arpa.",
            ".",
            "ip6.arpa.org.",
            long.as_str(),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_prefix_that_ends_within_a_digit_has_several_zones() {
        let all = |prefix: &str| ReverseZone::all_of(prefix.parse().unwrap());
        let prefixes: Vec<String> = all("fd39:0:0:4::1/62")
            .iter()
            .map(|zone| zone.prefix.to_string())
            .collect();
        assert_eq!(
            prefixes,
            [
                "fd39:0:0:4::/64",
                "fd39:0:0:5::/64",
                "fd39:0:0:6::/64",
                "fd39:0:0:7::/64"
            ]
        );
        assert_eq!((all("fd39::/64").len(), all("fd39::/125").len()), (1, 8));
    }

    #[test]
    fn a_zone_ends_between_digits_and_has_its_own_names() {
        assert_eq!(ReverseZone::new("fd39::/63".parse().unwrap()), None);
        let zone = ReverseZone::new("fd39::7/16".parse().unwrap()).unwrap();
        for (name, inside) in [
            ("9.3.d.f", true),
            ("1.9.3.d.f", true),
            ("3.d.f", false),
            ("8.3.d.f", false),
        ] {
            let name = read(&format!("{name}.ip6.arpa.")).unwrap();
            assert_eq!(zone.contains(&name), inside, "{name:?}");
        }
    }
}
