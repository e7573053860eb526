//! `[link.advertisement]`: the router advertisements of a link.

use std::time::Duration;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::advert::{Nat64Prefix, PrefixInformation, RouterPreference};

use super::lifetimes::{LONGEST, Lifetimes, seconds};
use super::prefix::{is_routable, overlap, parse_range};
use super::reader::{Entry, Table};

/// The largest number of prefixes of a link.
const MOST_PREFIXES: usize = 16;
/// Bounds of MaxRtrAdvInterval (RFC 4861, section 6.2.1, as RFC 8319, section 4 widens it).
const MAX_INTERVAL: (Duration, Duration) = (Duration::from_secs(4), LONGEST_ROUTER);
const DEFAULT_MAX_INTERVAL: Duration = Duration::from_secs(600);
/// The lower bound of MinRtrAdvInterval.
const LEAST_INTERVAL: Duration = Duration::from_secs(3);
/// The upper bound of AdvDefaultLifetime, which has 16 bits.
const LONGEST_ROUTER: Duration = Duration::from_secs(65_535);
/// RFC 8781, section 4: 13 bits of eight seconds.
const LONGEST_NAT64: Duration = Duration::from_secs(65_528);
/// Bounds of AdvReachableTime and AdvRetransTimer: an hour, as the standard bounds the first.
const LONGEST_TIMER: Duration = Duration::from_secs(3600);
/// The only prefix length with which hosts form addresses (RFC 4862, section 5.5.3).
const AUTONOMOUS_LENGTH: u8 = 64;

/// The content of a link's router advertisements (RFC 4861, section 6.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertisementSettings {
    /// The M flag: addresses come by DHCPv6.
    pub managed: bool,
    /// The O flag: other configuration comes by DHCPv6.
    pub other: bool,
    /// The router's preference among several routers.
    pub preference: RouterPreference,
    /// How long it is a default router. Zero if it is none; otherwise at least `max_interval`.
    pub router_lifetime: Duration,
    /// The shortest time between two unsolicited advertisements.
    pub min_interval: Duration,
    /// The longest time between two unsolicited advertisements.
    pub max_interval: Duration,
    /// The hop limit for hosts; 0 leaves it to them.
    pub hop_limit: u8,
    /// The link's MTU, if it is advertised.
    pub mtu: Option<u32>,
    /// How long a neighbour counts as reachable; zero leaves it to the hosts.
    pub reachable_time: Duration,
    /// How long a host waits before it repeats a Neighbor Solicitation; zero leaves it to the hosts.
    pub retransmission_time: Duration,
    /// How long the link's DNS servers and search list may be used.
    pub dns_lifetime: Duration,
    /// The prefix of NAT64, through which IPv4 is reached; `None` if there is no NAT64.
    pub nat64_prefix: Option<Nat64Prefix>,
    /// How long the NAT64 prefix may be used.
    pub nat64_lifetime: Duration,
    /// The prefixes, including the link's own.
    pub prefixes: Vec<PrefixInformation>,
}

/// The settings of the link that an advertisement depends on.
pub(super) struct Basis {
    /// The link's prefix.
    pub(super) prefix: Ipv6Net,
    /// The lifetimes of its leases.
    pub(super) lifetimes: Lifetimes,
    /// Whether prefixes are delegated on it.
    pub(super) delegates: bool,
}

const PREFERENCES: [(&str, RouterPreference); 3] = [
    ("high", RouterPreference::High),
    ("medium", RouterPreference::Medium),
    ("low", RouterPreference::Low),
];

impl AdvertisementSettings {
    /// Reads the table; `None` only after a fault. `basis` is `None` if the link itself has a fault.
    pub(super) fn read(mut table: Table<'_>, basis: Option<&Basis>) -> Option<Self> {
        let flag = |table: &mut Table<'_>, key| table.take(key).map_or(Some(true), Entry::flag);
        let managed = flag(&mut table, "managed");
        let other = flag(&mut table, "other");
        let preference = table
            .take("preference")
            .map_or(Some(RouterPreference::default()), |entry| entry.choice(&PREFERENCES));
        let (min_interval, max_interval) = intervals(&mut table);
        let thrice = max_interval.saturating_mul(3);
        let router_lifetime = span(
            &mut table,
            "router_lifetime",
            LONGEST_ROUTER,
            thrice.min(LONGEST_ROUTER),
        );
        if router_lifetime.is_some_and(|lifetime| !lifetime.is_zero() && lifetime < max_interval) {
            let what = "is shorter than max_interval: hosts would lose the router between two advertisements";
            table.fault(
                "router_lifetime",
                what,
                "lengthen it, or write \"0s\" to be no default router",
            );
        }
        let hop_limit = table
            .take("hop_limit")
            .map_or(Some(64), |entry| entry.whole::<u8>(0..=255));
        let mtu = table.take("mtu").map(|entry| entry.whole::<u32>(1280..=65_535));
        let timer = |table: &mut Table<'_>, key| {
            let bounds = Duration::ZERO..=LONGEST_TIMER;
            let default = Some(Duration::ZERO);
            table.take(key).map_or(default, |entry| entry.lifespan(bounds))
        };
        let reachable_time = timer(&mut table, "reachable_time");
        let retransmission_time = timer(&mut table, "retransmission_time");
        let dns_lifetime = span(&mut table, "dns_lifetime", LONGEST, thrice);
        let remedy = "write it like \"64:ff9b::/96\"";
        let nat64_prefix = table.take("nat64_prefix").map(|entry| entry.parse(remedy, parse_nat64));
        let nat64_lifetime = span(&mut table, "nat64_lifetime", LONGEST_NAT64, thrice.min(LONGEST_NAT64));
        let own = basis.map(|basis| basis.information(basis.prefix, router_lifetime.unwrap_or_default()));
        let prefixes = prefixes(&mut table, own);
        table.finish();
        Some(Self {
            managed: managed?,
            other: other?,
            preference: preference?,
            router_lifetime: router_lifetime?,
            min_interval,
            max_interval,
            hop_limit: hop_limit?,
            mtu: flatten(mtu)?,
            reachable_time: reachable_time?,
            retransmission_time: retransmission_time?,
            dns_lifetime: dns_lifetime?,
            nat64_prefix: flatten(nat64_prefix)?,
            nat64_lifetime: nat64_lifetime?,
            prefixes: prefixes?,
        })
    }
}

impl Basis {
    /// The default for a prefix: it is on the link as long as the router and the leases last.
    fn information(&self, prefix: Ipv6Net, router_lifetime: Duration) -> PrefixInformation {
        PrefixInformation {
            prefix,
            on_link: true,
            autonomous: false,
            delegation_preferred: self.delegates,
            valid: self.lifetimes.valid.max(router_lifetime),
            preferred: self.lifetimes.preferred.max(router_lifetime),
        }
    }
}

/// Turns an optional value into `None` after a fault.
fn flatten<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |value| value.map(Some))
}

/// Reads a duration of whole seconds, from zero.
fn span(table: &mut Table<'_>, key: &'static str, longest: Duration, default: Duration) -> Option<Duration> {
    let read = |entry| seconds(entry, Duration::ZERO..=longest);
    table.take(key).map_or(Some(default), read)
}

/// Reads MinRtrAdvInterval and MaxRtrAdvInterval. One that has a fault gets its default.
fn intervals(table: &mut Table<'_>) -> (Duration, Duration) {
    let (least, most) = MAX_INTERVAL;
    let max = table
        .take("max_interval")
        .and_then(|entry| seconds(entry, least..=most));
    let max = max.unwrap_or(DEFAULT_MAX_INTERVAL);
    let default = (max / 3).max(LEAST_INTERVAL);
    let longest = max * 3 / 4;
    let min = table
        .take("min_interval")
        .and_then(|entry| entry.lifespan(LEAST_INTERVAL..=longest));
    (min.unwrap_or(default), max)
}

fn parse_nat64(text: &str) -> Result<Nat64Prefix, String> {
    Nat64Prefix::try_from(parse_range(text)?).map_err(|fault| fault.to_string())
}

/// The written prefixes. The link's own comes first if it is not written.
fn prefixes(table: &mut Table<'_>, own: Option<PrefixInformation>) -> Option<Vec<PrefixInformation>> {
    let written = table.take("prefix").map_or(Some(Vec::new()), |entry| {
        entry.list_of(MOST_PREFIXES, |prefix| {
            prefix.table().and_then(|table| read_prefix(table, own))
        })
    })?;
    for (index, information) in written.iter().enumerate() {
        if written
            .iter()
            .take(index)
            .any(|earlier| overlap(&earlier.prefix, &information.prefix))
        {
            let what = format!("{} overlaps another one", information.prefix);
            table.fault("prefix", what, "write each prefix once");
        }
    }
    let own = own.filter(|own| written.iter().all(|information| information.prefix != own.prefix));
    Some(own.into_iter().chain(written).collect())
}

/// Reads a prefix; `None` only after a fault of this table or of the link.
fn read_prefix(mut table: Table<'_>, own: Option<PrefixInformation>) -> Option<PrefixInformation> {
    let remedy = "write it like \"fd39:9706:2786:6333::/64\"";
    let prefix = table.need("prefix", remedy);
    let prefix = prefix.and_then(|entry| entry.parse(remedy, parse_advertised));
    let defaults = own.map(|own| PrefixInformation {
        prefix: prefix.unwrap_or(own.prefix),
        ..own
    });
    let mut flag = |key, default: Option<bool>| table.take(key).map_or(default, Entry::flag);
    let on_link = flag("on_link", defaults.map(|of| of.on_link));
    let autonomous = flag("autonomous", defaults.map(|of| of.autonomous));
    let delegation_preferred = flag("delegation_preferred", defaults.map(|of| of.delegation_preferred));
    let valid = defaults.and_then(|of| span(&mut table, "valid_lifetime", LONGEST, of.valid));
    let preferred = defaults.and_then(|of| {
        let default = valid.map_or(of.preferred, |valid| of.preferred.min(valid));
        span(&mut table, "preferred_lifetime", LONGEST, default)
    });
    if preferred > valid {
        table.fault(
            "preferred_lifetime",
            "is longer than valid_lifetime",
            "shorten it, or lengthen valid_lifetime",
        );
    }
    if let (Some(prefix), Some(true)) = (prefix, autonomous)
        && prefix.prefix_len() != AUTONOMOUS_LENGTH
    {
        let what = format!("hosts form no addresses in {prefix}: its length is not {AUTONOMOUS_LENGTH}");
        table.fault("autonomous", what, "write false, or take a prefix of that length");
    }
    table.finish();
    Some(PrefixInformation {
        prefix: prefix?,
        on_link: on_link?,
        autonomous: autonomous?,
        delegation_preferred: delegation_preferred?,
        valid: valid?,
        preferred: preferred?,
    })
}

fn parse_advertised(text: &str) -> Result<Ipv6Net, String> {
    let net = parse_range(text)?;
    if is_routable(net) {
        Ok(net)
    } else {
        Err(format!("{net} is no prefix to advertise"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, parse};

    /// A link with these lines under `[link.advertisement]`, and the faults of that table.
    fn link(lines: &str) -> Result<Settings, Vec<String>> {
        let link = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n";
        let settings = parse(&format!("{link}[link.advertisement]\n{lines}\n"), std::iter::empty());
        settings.map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    fn read(lines: &str) -> AdvertisementSettings {
        link(lines).unwrap().links[0].advertisement.clone().unwrap()
    }

    #[test]
    fn lifetimes_follow_the_interval() {
        let settings = read("max_interval = \"30s\"");
        assert_eq!(settings.min_interval, Duration::from_secs(10));
        assert_eq!(settings.router_lifetime, Duration::from_secs(90));
        assert_eq!(settings.dns_lifetime, Duration::from_secs(90));
        let settings = read("max_interval = \"18h\"");
        assert_eq!(settings.router_lifetime, LONGEST_ROUTER);
        assert_eq!(settings.nat64_lifetime, LONGEST_NAT64);
        let settings = read("max_interval = \"4s\"\nrouter_lifetime = \"0s\"");
        assert_eq!(
            (settings.min_interval, settings.router_lifetime),
            (LEAST_INTERVAL, Duration::ZERO)
        );
    }

    #[test]
    fn the_links_own_prefix_is_there_unless_it_is_written() {
        let own = read("").prefixes;
        let [information] = own[..] else { panic!("{own:?}") };
        assert!(information.on_link && !information.autonomous && !information.delegation_preferred);
        let written = read("[[link.advertisement.prefix]]\nprefix = \"fd39::/64\"\nautonomous = true").prefixes;
        let [information] = written[..] else {
            panic!("{written:?}")
        };
        assert!(information.on_link && information.autonomous);
        let more = "[[link.advertisement.prefix]]\nprefix = \"fd41::/64\"\non_link = false\nvalid_lifetime = \"10m\"";
        let more = read(more).prefixes;
        assert_eq!(
            (more.len(), more[1].on_link, more[1].preferred.as_secs()),
            (2, false, 600)
        );
    }

    #[test]
    fn prefixes_are_preferred_where_they_are_delegated() {
        let delegating = link("[[link.delegation]]\npool = \"fd40::/48\"").unwrap();
        let settings = delegating.links[0].advertisement.as_ref().unwrap();
        assert!(settings.prefixes[0].delegation_preferred);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (lines, fault) in [
            (
                "router_lifetime = \"5m\"",
                "link[0].advertisement.router_lifetime: is shorter than max_interval: hosts would lose the router between \
                 two advertisements; lengthen it, or write \"0s\" to be no default router",
            ),
            (
                "min_interval = \"8m\"",
                "link[0].advertisement.min_interval: 8m is too long; take at most 7m30s",
            ),
            (
                "nat64_prefix = \"64:ff9b::/80\"",
                "link[0].advertisement.nat64_prefix: a prefix for NAT64 has a length of 32, 40, 48, 56, 64 or 96, not 80; \
                 write it like \"64:ff9b::/96\"",
            ),
            (
                "mtu = 1279",
                "link[0].advertisement.mtu: 1279 is out of bounds; take 1280 to 65535",
            ),
            (
                "[[link.advertisement.prefix]]\nprefix = \"fd39::/63\"\nautonomous = true",
                "link[0].advertisement.prefix[0].autonomous: hosts form no addresses in fd39::/63: its length is not 64; \
                 write false, or take a prefix of that length",
            ),
            (
                "[[link.advertisement.prefix]]\nprefix = \"fe80::/64\"",
                "link[0].advertisement.prefix[0].prefix: fe80::/64 is no prefix to advertise; \
                 write it like \"fd39:9706:2786:6333::/64\"",
            ),
            (
                "[[link.advertisement.prefix]]\nprefix = \"fd41::/64\"\n\
                 [[link.advertisement.prefix]]\nprefix = \"fd41::/60\"",
                "link[0].advertisement.prefix: fd41::/60 overlaps another one; write each prefix once",
            ),
        ] {
            assert_eq!(link(lines).unwrap_err(), [fault], "{lines}");
        }
    }
}
