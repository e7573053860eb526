//! Advertisements of other routers on the link, and their contradictions with this router's (RFC 4861, section 6.2.7).

use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;

use super::RouterAdvertisement;
use super::advertisement::{HEAD, MANAGED, OTHER, ROUTER_ADVERTISEMENT};
use super::option::{self, MTU, PREFIX};
use crate::lifetime::seconds;

/// The longest advertisement that is read, in bytes.
const LONGEST: usize = 1500;
/// The number of prefixes that are read of one advertisement.
const PREFIXES: usize = 64;

/// The fields of an advertisement on which all routers of a link must agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overheard {
    hop_limit: u8,
    managed: bool,
    other: bool,
    reachable: u32,
    retransmission: u32,
    mtu: Option<u32>,
    /// Prefix, valid and preferred lifetime in seconds.
    prefixes: Vec<(Ipv6Net, u32, u32)>,
}

/// A field in which two routers of a link differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Inconsistency {
    /// The hop limit, if both set one.
    HopLimit,
    /// The M flag.
    Managed,
    /// The O flag.
    Other,
    /// The reachable time, if both set one.
    ReachableTime,
    /// The retransmission timer, if both set one.
    RetransmissionTime,
    /// The MTU, if both advertise one.
    Mtu,
    /// The lifetimes of a prefix that both advertise.
    PrefixLifetimes,
}

impl Inconsistency {
    /// The word for it, for counters and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::HopLimit => "hop-limit",
            Self::Managed => "managed",
            Self::Other => "other",
            Self::ReachableTime => "reachable-time",
            Self::RetransmissionTime => "retransmission-time",
            Self::Mtu => "mtu",
            Self::PrefixLifetimes => "prefix-lifetimes",
        }
    }
}

impl Overheard {
    /// Parses another router's advertisement. The kernel has verified its checksum.
    ///
    /// `None` for a message that hosts ignore, too (section 6.1.2).
    pub fn parse(bytes: &[u8], source: Ipv6Addr, hop_limit: u8) -> Option<Self> {
        let (head, options) = bytes.split_at_checked(HEAD)?;
        let valid = hop_limit == 255 && source.is_unicast_link_local() && bytes.len() <= LONGEST;
        let [ROUTER_ADVERTISEMENT, 0, _, _, hops, flags, _, _, times @ ..] = head else {
            return None;
        };
        if !valid {
            return None;
        }
        let mut heard = Self {
            hop_limit: *hops,
            managed: flags & MANAGED != 0,
            other: flags & OTHER != 0,
            reachable: number(times, 0)?,
            retransmission: number(times, 4)?,
            mtu: None,
            prefixes: Vec::new(),
        };
        for option in option::walk(options) {
            heard.take(option?);
        }
        Some(heard)
    }

    /// The fields in which it differs from ours.
    pub fn inconsistencies(&self, ours: &RouterAdvertisement) -> Vec<Inconsistency> {
        let differ = |theirs: u32, ours: u32| theirs != 0 && ours != 0 && theirs != ours;
        let mtu = ours.mtu.zip(self.mtu).is_some_and(|(ours, theirs)| ours != theirs);
        let prefixes = ours.prefixes.iter().any(|ours| {
            let lifetimes = (seconds(ours.valid), seconds(ours.preferred).min(seconds(ours.valid)));
            let mut same = self.prefixes.iter().filter(|(prefix, ..)| *prefix == ours.prefix);
            same.any(|(_, valid, preferred)| (*valid, *preferred) != lifetimes)
        });
        let found = [
            (
                differ(self.hop_limit.into(), ours.hop_limit.into()),
                Inconsistency::HopLimit,
            ),
            (self.managed != ours.managed, Inconsistency::Managed),
            (self.other != ours.other, Inconsistency::Other),
            (
                differ(self.reachable, milliseconds(ours.reachable_time)),
                Inconsistency::ReachableTime,
            ),
            (
                differ(self.retransmission, milliseconds(ours.retransmission_time)),
                Inconsistency::RetransmissionTime,
            ),
            (mtu, Inconsistency::Mtu),
            (prefixes, Inconsistency::PrefixLifetimes),
        ];
        found
            .into_iter()
            .filter_map(|(differs, what)| differs.then_some(what))
            .collect()
    }

    fn take(&mut self, option: &[u8]) {
        match option {
            [MTU, 1, _, _, mtu @ ..] => self.mtu = number(mtu, 0),
            [PREFIX, 4, length, _, rest @ ..] if self.prefixes.len() < PREFIXES => {
                let address = rest.get(12..).and_then(|octets| <[u8; 16]>::try_from(octets).ok());
                let prefix = address.and_then(|address| Ipv6Net::new(address.into(), *length).ok());
                if let (Some(prefix), Some(valid), Some(preferred)) = (prefix, number(rest, 0), number(rest, 4)) {
                    self.prefixes.push((prefix.trunc(), valid, preferred));
                }
            }
            _ => {}
        }
    }
}

pub(super) fn milliseconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::advert::advertisement::tests::advertisement;

    const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);

    fn heard(theirs: &RouterAdvertisement) -> Vec<Inconsistency> {
        let overheard = Overheard::parse(&theirs.encode(), ROUTER, 255).unwrap();
        overheard.inconsistencies(&advertisement())
    }

    #[test]
    fn a_router_that_says_the_same_is_no_contradiction() {
        assert_eq!(heard(&advertisement()), []);
        let silent = RouterAdvertisement {
            hop_limit: 0,
            mtu: Some(1400),
            prefixes: Vec::new(),
            router_lifetime: Duration::ZERO,
            ..advertisement()
        };
        assert_eq!(heard(&silent), []);
    }

    #[test]
    fn each_contradiction_is_found() {
        let mut theirs = advertisement();
        theirs.hop_limit = 63;
        theirs.managed = false;
        theirs.other = false;
        theirs.prefixes[0].valid = Duration::from_secs(10);
        assert_eq!(
            heard(&theirs),
            [
                Inconsistency::HopLimit,
                Inconsistency::Managed,
                Inconsistency::Other,
                Inconsistency::PrefixLifetimes
            ]
        );
        let mut ours = advertisement();
        ours.mtu = Some(1500);
        ours.reachable_time = Duration::from_secs(30);
        ours.retransmission_time = Duration::from_secs(1);
        let theirs = RouterAdvertisement {
            mtu: Some(1400),
            reachable_time: Duration::from_secs(31),
            retransmission_time: Duration::from_secs(2),
            ..ours.clone()
        };
        let overheard = Overheard::parse(&theirs.encode(), ROUTER, 255).unwrap();
        assert_eq!(
            overheard.inconsistencies(&ours),
            [
                Inconsistency::ReachableTime,
                Inconsistency::RetransmissionTime,
                Inconsistency::Mtu
            ]
        );
    }

    #[test]
    fn what_hosts_drop_is_not_heard() {
        let bytes = advertisement().encode();
        assert!(Overheard::parse(&bytes, ROUTER, 64).is_none());
        assert!(Overheard::parse(&bytes, "2001:db8::1".parse().unwrap(), 255).is_none());
        assert!(Overheard::parse(&bytes[..12], ROUTER, 255).is_none());
        assert!(Overheard::parse(&bytes[..17], ROUTER, 255).is_none());
        let endless = [&bytes[..16], &[3, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert!(Overheard::parse(&endless, ROUTER, 255).is_none());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(options in prop::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [&advertisement().encode()[..16], &options].concat();
            if let Some(overheard) = Overheard::parse(&bytes, ROUTER, 255) {
                overheard.inconsistencies(&advertisement());
            }
        }
    }
}
