//! What a router says of itself and of its link.

use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;

use crate::lifetime::seconds;
use crate::{DomainName, Link, LinkLayerAddress};

use super::option::{self, Pref64Length};

/// ICMPv6 type of a router advertisement.
const ROUTER_ADVERTISEMENT: u8 = 134;
const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;

/// A router advertisement (RFC 4861, section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterAdvertisement {
    /// Hop limit that hosts are to use; 0 leaves it to them.
    pub hop_limit: u8,
    /// Addresses come by DHCPv6 (M).
    pub managed: bool,
    /// Other configuration comes by DHCPv6 (O).
    pub other: bool,
    /// How this router stands against others (RFC 4191).
    pub preference: RouterPreference,
    /// How long it is a default router; zero when it is none. At most 65,535 s (RFC 8319).
    pub router_lifetime: Duration,
    /// The link-layer address it is sent from.
    pub source_link_layer: Option<LinkLayerAddress>,
    /// The link's MTU.
    pub mtu: Option<u32>,
    /// Prefixes of the link.
    pub prefixes: Vec<PrefixInformation>,
    /// Recursive name servers (RFC 8106).
    pub dns_servers: Vec<Ipv6Addr>,
    /// Search list (RFC 8106).
    pub domain_search: Vec<DomainName>,
    /// How long name servers and search list may be used.
    pub dns_lifetime: Duration,
    /// The NAT64 prefix, of which as many bits count as its length says, and how long it may be used (RFC 8781).
    pub pref64: Option<(Ipv6Addr, Pref64Length, Duration)>,
}

/// How a router stands against others as default router (RFC 4191, section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouterPreference {
    /// Before others.
    High,
    /// Like others.
    #[default]
    Medium,
    /// After others.
    Low,
}

/// A prefix of the link (RFC 4861, section 4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixInformation {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Its addresses are reached without a router (L).
    pub on_link: bool,
    /// Hosts may form addresses of their own in it (A).
    pub autonomous: bool,
    /// Hosts are to ask for a prefix of their own by DHCPv6 instead (P, RFC 9762).
    pub delegation_preferred: bool,
    /// How long it is valid; [`Duration::MAX`] is without end.
    pub valid: Duration,
    /// How long addresses formed in it are preferred.
    pub preferred: Duration,
}

impl RouterAdvertisement {
    /// What a link with stateful addresses is advertised as: managed, its prefix on-link and not autonomous.
    ///
    /// The prefix stays on-link for at least as long as the router is a router, however short leases are.
    pub fn of_link(link: &Link, router_lifetime: Duration) -> Self {
        let prefix = PrefixInformation {
            prefix: link.prefix,
            on_link: true,
            autonomous: false,
            delegation_preferred: false,
            valid: link.valid.max(router_lifetime),
            preferred: link.preferred.max(router_lifetime),
        };
        Self {
            hop_limit: 64,
            managed: true,
            other: true,
            preference: RouterPreference::default(),
            router_lifetime,
            source_link_layer: None,
            mtu: None,
            prefixes: vec![prefix],
            dns_servers: link.dns_servers.clone(),
            domain_search: link.domain_search.clone(),
            dns_lifetime: router_lifetime,
            pref64: None,
        }
    }

    /// The last one of a router that stops for good: it is no default router any more (RFC 4861, section 6.2.5).
    #[must_use]
    pub fn farewell(self) -> Self {
        let pref64 = self.pref64.map(|(prefix, length, _)| (prefix, length, Duration::ZERO));
        Self {
            router_lifetime: Duration::ZERO,
            dns_lifetime: Duration::ZERO,
            pref64,
            ..self
        }
    }

    /// The ICMPv6 message; its checksum is zero, for the kernel to fill in.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend([ROUTER_ADVERTISEMENT, 0, 0, 0, self.hop_limit, self.flags()]);
        let lifetime = u16::try_from(self.router_lifetime.as_secs()).unwrap_or(u16::MAX);
        bytes.extend(lifetime.to_be_bytes());
        // Reachable time and retransmission timer are left to the hosts.
        bytes.extend([0; 8]);
        if let Some(address) = &self.source_link_layer {
            option::put_source_link_layer(&mut bytes, address);
        }
        if let Some(mtu) = self.mtu {
            option::put_mtu(&mut bytes, mtu);
        }
        for prefix in &self.prefixes {
            option::put_prefix(&mut bytes, prefix);
        }
        option::put_dns_servers(&mut bytes, &self.dns_servers, seconds(self.dns_lifetime));
        option::put_domain_search(&mut bytes, &self.domain_search, seconds(self.dns_lifetime));
        if let Some((prefix, length, lifetime)) = self.pref64 {
            option::put_pref64(&mut bytes, prefix, length, lifetime);
        }
        bytes
    }

    fn flags(&self) -> u8 {
        let preference = match self.preference {
            RouterPreference::High => 0x08,
            RouterPreference::Medium => 0,
            RouterPreference::Low => 0x18,
        };
        (if self.managed { MANAGED } else { 0 }) | (if self.other { OTHER } else { 0 }) | preference
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pool;

    fn advertisement() -> RouterAdvertisement {
        let prefix = "2001:db8:0:1::/64".parse().unwrap();
        let mut link = Link::new(prefix, "2001:db8:0:1::1".parse().unwrap(), Pool::new(prefix));
        link.dns_servers = vec!["2001:db8::53".parse().unwrap()];
        link.domain_search = vec!["lan.example".parse().unwrap()];
        RouterAdvertisement::of_link(&link, Duration::from_secs(1800))
    }

    #[test]
    fn of_a_link_byte_by_byte() {
        let mut advertisement = advertisement();
        advertisement.source_link_layer = Some("02:00:5e:10:00:01".parse().unwrap());
        advertisement.mtu = Some(1430);
        let prefix = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let expected = [
            // Type, code, checksum, hop limit, M and O, router lifetime, reachable time, retransmission timer.
            &[134, 0, 0, 0, 64, 0xc0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &[1, 1, 2, 0, 0x5e, 0x10, 0, 1],
            &[5, 1, 0, 0, 0, 0, 0x05, 0x96],
            // On-link and not autonomous.
            &[3, 4, 64, 0x80, 0, 0, 0x1c, 0x20, 0, 0, 0x0e, 0x10, 0, 0, 0, 0],
            &prefix,
            &[
                25, 3, 0, 0, 0, 0, 0x07, 0x08, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53,
            ],
            &[31, 3, 0, 0, 0, 0, 0x07, 0x08],
            b"\x03lan\x07example\x00\x00\x00\x00",
        ];
        assert_eq!(advertisement.encode(), expected.concat());
    }

    #[test]
    fn flags_and_preference() {
        let mut advertisement = RouterAdvertisement {
            managed: false,
            other: false,
            ..advertisement()
        };
        for (preference, flags) in [
            (RouterPreference::High, 0x08),
            (RouterPreference::Medium, 0),
            (RouterPreference::Low, 0x18),
        ] {
            advertisement.preference = preference;
            assert_eq!(advertisement.encode()[5], flags);
        }
        advertisement.prefixes[0] = PrefixInformation {
            autonomous: true,
            delegation_preferred: true,
            ..advertisement.prefixes[0]
        };
        assert_eq!(advertisement.encode()[16..20], [3, 4, 64, 0xd0]);
    }

    #[test]
    fn the_farewell_ends_the_router_and_not_the_prefix() {
        let mut advertisement = advertisement();
        advertisement.pref64 = Some((
            "64:ff9b::".parse().unwrap(),
            Pref64Length::Bits96,
            Duration::from_secs(1800),
        ));
        let bytes = advertisement.farewell().encode();
        assert_eq!(bytes[6..8], [0, 0]);
        assert_eq!(bytes[20..24], [0, 0, 0x1c, 0x20]);
        assert_eq!(bytes[52..56], [0, 0, 0, 0]);
        assert_eq!(bytes[bytes.len() - 14..bytes.len() - 12], [0, 0]);
    }

    #[test]
    fn lifetimes_fit_the_wire() {
        let mut advertisement = advertisement();
        advertisement.router_lifetime = Duration::MAX;
        advertisement.prefixes[0].valid = Duration::MAX;
        let bytes = advertisement.encode();
        assert_eq!(bytes[6..8], [0xff; 2]);
        assert_eq!(bytes[20..24], [0xff; 4]);
    }
}
