//! The content of a router advertisement.

use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;

use crate::lifetime::seconds;
use crate::{DomainName, LinkLayerAddress};

use super::option::{self, Nat64Prefix};
use super::overheard::milliseconds;

/// ICMPv6 type of a router advertisement.
pub(super) const ROUTER_ADVERTISEMENT: u8 = 134;
/// Length without options.
pub(super) const HEAD: usize = 16;
pub(super) const MANAGED: u8 = 0x80;
pub(super) const OTHER: u8 = 0x40;

/// A router advertisement (RFC 4861, section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterAdvertisement {
    /// The hop limit for hosts; 0 leaves it to them.
    pub hop_limit: u8,
    /// Addresses come by DHCPv6 (M).
    pub managed: bool,
    /// Other configuration comes by DHCPv6 (O).
    pub other: bool,
    /// The preference of this router among several (RFC 4191).
    pub preference: RouterPreference,
    /// How long it is a default router; zero if it is none. At most 65,535 s (RFC 8319).
    pub router_lifetime: Duration,
    /// How long a neighbour counts as reachable after its answer, in whole milliseconds; zero leaves it to the hosts.
    pub reachable_time: Duration,
    /// How long a host waits before it repeats a Neighbor Solicitation, in whole milliseconds; zero leaves it to the
    /// hosts.
    pub retransmission_time: Duration,
    /// The link-layer address of the sender.
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
    /// The prefix of NAT64, through which IPv4 is reached, and how long it may be used (RFC 8781).
    pub pref64: Option<(Nat64Prefix, Duration)>,
    /// The URI of the captive portal's API (RFC 8910, section 2.3).
    pub captive_portal: Option<String>,
}

/// The preference of a default router among several (RFC 4191, section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouterPreference {
    /// Preferred over others.
    High,
    /// As good as others.
    #[default]
    Medium,
    /// Used only without a better one.
    Low,
}

/// A prefix of the link (RFC 4861, section 4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixInformation {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Its addresses are reached without a router (L).
    pub on_link: bool,
    /// Hosts may form their own addresses in it (A).
    pub autonomous: bool,
    /// Hosts should ask for their own prefix by DHCPv6 instead (P, RFC 9762).
    pub delegation_preferred: bool,
    /// How long it is valid; [`Duration::MAX`] means without end.
    pub valid: Duration,
    /// How long addresses formed in it are preferred.
    pub preferred: Duration,
}

impl RouterAdvertisement {
    /// The last advertisement of a router that stops for good: it is not a default router any more (RFC 4861, section
    /// 6.2.5).
    #[must_use]
    pub fn farewell(self) -> Self {
        let pref64 = self.pref64.map(|(prefix, _)| (prefix, Duration::ZERO));
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
        bytes.extend(milliseconds(self.reachable_time).to_be_bytes());
        bytes.extend(milliseconds(self.retransmission_time).to_be_bytes());
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
        if let Some((prefix, lifetime)) = self.pref64 {
            option::put_pref64(&mut bytes, prefix, lifetime);
        }
        if let Some(uri) = &self.captive_portal {
            option::put_captive_portal(&mut bytes, uri);
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
pub(super) mod tests {
    use super::*;

    /// The advertisement of a link with addresses by DHCPv6 only.
    pub(in crate::advert) fn advertisement() -> RouterAdvertisement {
        RouterAdvertisement {
            hop_limit: 64,
            managed: true,
            other: true,
            preference: RouterPreference::Medium,
            router_lifetime: Duration::from_secs(1800),
            reachable_time: Duration::ZERO,
            retransmission_time: Duration::ZERO,
            source_link_layer: None,
            mtu: None,
            prefixes: vec![PrefixInformation {
                prefix: "2001:db8:0:1::/64".parse().unwrap(),
                on_link: true,
                autonomous: false,
                delegation_preferred: false,
                valid: Duration::from_secs(7200),
                preferred: Duration::from_secs(3600),
            }],
            dns_servers: vec!["2001:db8::53".parse().unwrap()],
            domain_search: vec!["lan.example".parse().unwrap()],
            dns_lifetime: Duration::from_secs(1800),
            pref64: None,
            captive_portal: None,
        }
    }

    #[test]
    fn of_a_link_byte_by_byte() {
        let mut advertisement = advertisement();
        advertisement.source_link_layer = Some("02:00:5e:10:00:01".parse().unwrap());
        advertisement.mtu = Some(1430);
        advertisement.reachable_time = Duration::from_secs(30);
        advertisement.retransmission_time = Duration::from_secs(1);
        let prefix = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let expected = [
            // Type, code, checksum, hop limit, M and O, router lifetime, reachable time, retransmission timer.
            &[134, 0, 0, 0, 64, 0xc0, 0x07, 0x08, 0, 0, 0x75, 0x30, 0, 0, 0x03, 0xe8][..],
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
        let prefix: Ipv6Net = "64:ff9b::/96".parse().unwrap();
        advertisement.pref64 = Some((prefix.try_into().unwrap(), Duration::from_secs(1800)));
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
