//! What the settings say about the links whose packets are checked.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_host::{LinkPolicy, PolicyItem, PortRole, Protocol, Traffic};
use orchestrator_model::MacAddress;
use orchestrator_settings::{IsolationSettings, LinkSettings, Settings};

/// The ports of DNS and of HTTP.
const DNS: u16 = 53;
const HTTP: u16 = 80;

/// A link whose packets are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFacts {
    /// The name of the link, which is that of its bridge.
    pub name: String,
    /// The link's own address with the length of its prefix.
    pub address: Ipv6Net,
    /// Addresses for instances.
    pub instances: Option<Ipv6Net>,
    /// The slots of its clients, in the order of the settings.
    pub slots: Vec<String>,
    /// Whether its hosts may form addresses that nobody knows.
    pub unbound: bool,
    /// How it is checked.
    pub isolation: IsolationSettings,
}

/// All links whose packets are checked, and the services that their instances may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    links: BTreeMap<String, LinkFacts>,
    metadata: Option<Ipv6Addr>,
}

impl Links {
    /// The links of the settings that have isolation. `metadata` is the address of the metadata service.
    pub fn of(settings: &Settings, metadata: Option<Ipv6Addr>) -> Self {
        let links = settings.links.iter().filter(|link| !link.remote);
        Self {
            links: links
                .filter_map(LinkFacts::of)
                .map(|link| (link.name.clone(), link))
                .collect(),
            metadata,
        }
    }

    /// The links in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &LinkFacts> {
        self.links.values()
    }

    /// Whether no link is checked.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// The link of this name; `None` if it is not checked.
    pub fn get(&self, name: &str) -> Option<&LinkFacts> {
        self.links.get(name)
    }

    /// The sockets of this machine that all instances may use.
    pub(crate) fn services(&self) -> Vec<PolicyItem> {
        let dns = self
            .links
            .values()
            .flat_map(|link| [Protocol::Tcp, Protocol::Udp].map(|protocol| (link.address.addr(), protocol, DNS)));
        let metadata = self.metadata.filter(|_| !self.links.is_empty());
        let metadata = metadata.map(|address| (address, Protocol::Tcp, HTTP));
        let service = |(address, protocol, port)| PolicyItem::Service {
            address,
            traffic: Traffic {
                protocol,
                first: port,
                last: port,
            },
        };
        dns.chain(metadata).map(service).collect()
    }
}

impl LinkFacts {
    /// `None` if its packets are not checked.
    fn of(link: &LinkSettings) -> Option<Self> {
        let advertised = link
            .advertisement
            .iter()
            .flat_map(|advertisement| &advertisement.prefixes);
        let autonomous = advertised.clone().any(|prefix| prefix.autonomous);
        Some(Self {
            name: link.name.clone(),
            address: link.address,
            instances: link.instances,
            slots: link.templates.clone(),
            unbound: autonomous || link.neighbors.is_some(),
            isolation: link.isolation.clone()?,
        })
    }

    /// Whether the operator trusts what relay agents at a port of the bridge say about their clients.
    pub(crate) fn relays_at(&self, port: &str) -> bool {
        let ports = &self.isolation.ports;
        ports.relay.contains(port) || ports.trusted.contains(port)
    }

    /// Whether packets from a port of the bridge pass without a check of their source.
    pub(crate) fn passes_any_source(&self, port: &str) -> bool {
        let ports = &self.isolation.ports;
        ports.trusted.contains(port) || ports.router.contains(port)
    }

    /// Whether this machine has the address on the link: its own, the front door or the portal.
    pub(crate) fn has(&self, address: Ipv6Addr) -> bool {
        let doors = [self.isolation.front_door, self.isolation.portal];
        self.address.addr() == address || doors.contains(&Some(address))
    }

    /// The items of the link itself.
    pub(crate) fn items(&self) -> Vec<PolicyItem> {
        let settings = &self.isolation;
        let link = PolicyItem::Link(LinkPolicy {
            bridge: self.name.clone(),
            prefix: self.address.trunc(),
            others: PortRole::Client,
            unbound: self.unbound,
            clients_together: !settings.isolate_clients,
            ipv4: settings.ipv4,
            enforce: settings.enforce,
        });
        let ports = [
            (&settings.ports.trusted, PortRole::Trusted),
            (&settings.ports.router, PortRole::Router),
            (&settings.ports.relay, PortRole::Relay),
        ];
        let ports = ports.into_iter().flat_map(|(names, role)| {
            names.iter().map(move |port| PolicyItem::Port {
                port: port.clone(),
                role,
            })
        });
        std::iter::once(link).chain(ports).collect()
    }

    /// Whether an instance of the link has or may get this link-layer address. No client may speak from it.
    pub(crate) fn is_of_instances(&self, mac: [u8; 6]) -> bool {
        let Some(range) = self.instances else { return false };
        let [_, _, a, b, c, d] = mac;
        let low = u128::from(u32::from_be_bytes([a, b, c, d]));
        let high = u128::from(range.network()) & !u128::from(u32::MAX);
        let address = Ipv6Addr::from(high | low);
        // A range that is wider than the part of the address in the link-layer address holds every such one.
        let is_held = range.prefix_len() < 96 || range.contains(&address);
        is_held && MacAddress::of(address) == MacAddress(mac)
    }
}
