//! Isolation of a link: who may speak with whom on its bridge, and the addresses of its front door.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_model::LeaseSource;

use super::check::Ranges;
use super::prefix::{parse_bridge, parse_server};
use super::reader::{Entry, Table};

/// The largest number of trusted ports of a link.
const MOST_PORTS: usize = 64;

/// The keys.
pub(super) const KEYS: [&str; 10] = [
    "isolation",
    "enforce",
    "isolate_clients",
    "bind_ports",
    "ipv4",
    "trusted_ports",
    "router_ports",
    "relay_ports",
    "front_door",
    "portal",
];

/// How the packets of a link's clients and instances are checked in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolationSettings {
    /// Whether instances become ready only where the host can check packets: the link says so itself. Otherwise a host
    /// that cannot leaves the link open.
    pub required: bool,
    /// Whether what is forbidden is dropped. Otherwise it is only counted.
    pub enforce: bool,
    /// Whether clients are kept from speaking with one another.
    pub isolate_clients: bool,
    /// Whether a client's addresses are bound to the port of the bridge that it last spoke DHCPv6 from, too.
    pub bind_ports: bool,
    /// Whether clients may use IPv4 and ARP, which are not checked.
    pub ipv4: bool,
    /// The ports of the bridge that are checked otherwise than those of clients. Each is in one list.
    pub ports: SpecialPorts,
    /// The address at which each client reaches its own instance.
    pub front_door: Option<Ipv6Addr>,
    /// The address at which each client reaches the daemon's own page.
    pub portal: Option<Ipv6Addr>,
}

/// Ports of a bridge that no client is behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialPorts {
    /// Ports whose packets are not checked.
    pub trusted: BTreeSet<String>,
    /// Ports with a router behind them.
    pub router: BTreeSet<String>,
    /// Ports with a relay agent behind them.
    pub relay: BTreeSet<String>,
}

impl SpecialPorts {
    fn read(link: &mut Table<'_>) -> Self {
        let ports = Self {
            trusted: read_ports(link, "trusted_ports"),
            router: read_ports(link, "router_ports"),
            relay: read_ports(link, "relay_ports"),
        };
        let Self { trusted, router, relay } = &ports;
        let both: Vec<&String> = (trusted.iter().filter(|port| router.contains(*port)))
            .chain(
                relay
                    .iter()
                    .filter(|port| router.contains(*port) || trusted.contains(*port)),
            )
            .collect();
        for port in both {
            let what = format!("names {port:?}, which has another role, too");
            link.fault(
                "trusted_ports",
                what,
                "name each port in one of trusted_ports, router_ports and relay_ports",
            );
        }
        ports
    }
}

impl IsolationSettings {
    /// Reads the keys of a link; `None` if the link is not isolated.
    pub(super) fn read(link: &mut Table<'_>, source: Option<LeaseSource>, remote: bool) -> Option<Self> {
        let default = DEFAULT && !remote && source == Some(LeaseSource::Listener);
        let written = link.take("isolation").and_then(Entry::flag);
        let wanted = written.unwrap_or(default);
        let flag = |entry: Option<Entry<'_>>, default| entry.and_then(Entry::flag).unwrap_or(default);
        let settings = Self {
            required: written == Some(true),
            enforce: flag(link.take("enforce"), true),
            isolate_clients: flag(link.take("isolate_clients"), false),
            bind_ports: flag(link.take("bind_ports"), false),
            ipv4: flag(link.take("ipv4"), true),
            ports: SpecialPorts::read(link),
            front_door: read_server(link, "front_door"),
            portal: read_server(link, "portal"),
        };
        if !wanted {
            refuse(link, &["front_door", "portal"]);
        }
        if settings.front_door.is_some() && settings.front_door == settings.portal {
            link.fault(
                "portal",
                "is the address of the front door",
                "give it an address of its own",
            );
        }
        wanted.then_some(settings)
    }
}

/// Whether links of the listener are isolated unless they say otherwise.
const DEFAULT: bool = true;

/// Checks that the addresses of the front door are nobody else's.
pub(super) fn check_addresses(
    link: &Table<'_>,
    settings: Option<&IsolationSettings>,
    address: Option<Ipv6Net>,
    ranges: &Ranges,
) {
    let Some(settings) = settings else { return };
    for (key, door) in [("front_door", settings.front_door), ("portal", settings.portal)] {
        let Some(door) = door else { continue };
        if address.is_some_and(|address| address.addr() == door) {
            link.fault(key, format!("{door} is the link's own address"), "take another one");
        } else if address.is_some_and(|address| address.network() == door) {
            link.fault(key, format!("every router answers at {door}"), "take another one");
        } else if let Some(range) = ranges.holding(door) {
            let remedy = "take an address outside of the pools and of `instances`";
            link.fault(key, format!("{door} is inside {range}"), remedy);
        }
    }
}

/// Refuses keys without effect.
fn refuse(link: &Table<'_>, keys: &[&str]) {
    for key in keys.iter().filter(|key| link.has(key)) {
        let remedy = "write `isolation = true`, or remove it";
        link.fault(key, "has no effect, because the isolation of the link is off", remedy);
    }
}

fn read_ports(link: &mut Table<'_>, key: &'static str) -> BTreeSet<String> {
    let Some(entry) = link.take(key) else {
        return BTreeSet::new();
    };
    let read = |entry: Entry<'_>| {
        entry.parse(
            "name an interface that is a port of the bridge, like \"eth1\"",
            parse_bridge,
        )
    };
    entry
        .list_of(MOST_PORTS, read)
        .unwrap_or_default()
        .into_iter()
        .collect()
}

fn read_server(link: &mut Table<'_>, key: &'static str) -> Option<Ipv6Addr> {
    let parse = |text: &str| match parse_server(text) {
        Ok(address) if address.is_unicast_link_local() => Err(format!("{address} is link-local")),
        other => other,
    };
    link.take(key)?
        .parse("take an address like \"fd39:9706:2786:6333::d0\"", parse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn read(lines: &str) -> Result<Settings, String> {
        let text = format!(
            "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\ninstances = \
             \"fd39::2:0/112\"\n{lines}\n"
        );
        crate::parse(&text, std::iter::empty()).map_err(|faults| faults.to_string())
    }

    fn isolation(lines: &str) -> Option<IsolationSettings> {
        read(lines).unwrap().links[0].isolation.clone()
    }

    #[test]
    fn an_isolated_link_drops_what_is_forbidden_and_lets_clients_speak_with_each_other() {
        let isolation = isolation("isolation = true").unwrap();
        let expected = IsolationSettings {
            required: true,
            enforce: true,
            isolate_clients: false,
            bind_ports: false,
            ipv4: true,
            ports: SpecialPorts::default(),
            front_door: None,
            portal: None,
        };
        assert_eq!(isolation, expected);
    }

    #[test]
    fn isolation_can_be_switched_off() {
        assert_eq!(
            isolation("isolation = false\nenforce = true\nrouter_ports = [\"eth1\"]"),
            None
        );
    }

    #[test]
    fn addresses_of_the_front_door_are_nobody_else_s() {
        for (lines, expected) in [
            ("front_door = \"fd39::1\"", "is the link's own address"),
            ("front_door = \"fd39::\"", "every router answers at fd39::"),
            ("front_door = \"fd39::1:7\"", "fd39::1:7 is inside fd39::1:0/112"),
            ("portal = \"fd39::2:7\"", "fd39::2:7 is inside fd39::2:0/112"),
            ("portal = \"fe80::1\"", "fe80::1 is link-local"),
            (
                "front_door = \"fd39::d0\"\nportal = \"fd39::d0\"",
                "is the address of the front door",
            ),
            (
                "trusted_ports = [\"a\"]\nrelay_ports = [\"a\"]",
                "names \"a\", which has another role, too",
            ),
        ] {
            let faults = read(&format!("isolation = true\n{lines}")).unwrap_err();
            assert!(faults.contains(expected), "{lines}: {faults}");
        }
        assert!(read("isolation = true\nfront_door = \"fd39::d0\"\nportal = \"fd39::d1\"").is_ok());
    }

    #[test]
    fn a_front_door_needs_isolation() {
        let faults = read("isolation = false\nfront_door = \"fd39::d0\"").unwrap_err();
        assert!(faults.contains("the isolation of the link is off"), "{faults}");
    }
}
