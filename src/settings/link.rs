//! `[[link]]`: a bridge with clients on it, its prefix and its lease source.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{OptionSet, PrefixPool};

use super::advertisement::{AdvertisementSettings, Basis};
use super::check;
use super::delegation;
use super::lifetimes::Lifetimes;
use super::neighbor::NeighborSettings;
use super::option::Given;
use super::prefix::{parse_bridge, parse_link_address, parse_range};
use super::reader::{Entry, Table};
use crate::model::LeaseSource;

/// No machine has more links than this.
const MOST_LINKS: usize = 256;
/// A client that boots sends a handful of messages; one that sends this many for long is broken or means harm.
const CLIENT_RATE: u32 = 50;

/// A bridge with clients on it, its prefix and its lease source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSettings {
    /// Name of the bridge, and of the link.
    pub bridge: String,
    /// Whether the bridge is made, up and with the link's address, when it is missing.
    pub create: bool,
    /// The link's own address, with the length of its prefix; instances route by it.
    pub address: Ipv6Net,
    /// Where its lease events come from.
    pub source: LeaseSource,
    /// Addresses for clients, inside the prefix; always there with [`LeaseSource::Listener`].
    pub pool: Option<Ipv6Net>,
    /// Prefixes that are delegated to its clients, apart from all links' own; none unless the source is
    /// [`LeaseSource::Listener`].
    pub delegation: Vec<PrefixPool>,
    /// Addresses for instances, inside the prefix and apart from the pool; always there with a template.
    pub instances: Option<Ipv6Net>,
    /// Lifetimes of its leases; of no meaning unless the source is [`LeaseSource::Listener`].
    pub lifetimes: Lifetimes,
    /// Whether a Solicit with Rapid Commit is answered by a Reply (RFC 9915, section 18.3.1); listener only.
    pub rapid_commit: bool,
    /// Whether hosts may register addresses that they made themselves (RFC 9686); listener only.
    pub registration: bool,
    /// Whether clients that accept it are told that they may be made to ask again (RFC 9915, section 20.4); listener only.
    pub reconfigure: bool,
    /// Messages a second that one client is answered for long; `None` for any number. Listener only.
    pub client_rate: Option<u32>,
    /// How hosts that are seen on the link become lease events; `None` where they do not.
    pub neighbors: Option<NeighborSettings>,
    /// What the daemon's router advertisements say; `None` where it sends none.
    pub advertisement: Option<AdvertisementSettings>,
    /// DNS servers for clients, as router advertisements tell them.
    pub dns_servers: Vec<Ipv6Addr>,
    /// DNS search list for clients, lower case, without dots at the end, as router advertisements tell it.
    pub domain_search: Vec<String>,
    /// What clients are told when they ask, DNS included: the link's own options over those of all links. Listener only.
    pub options: OptionSet,
    /// The preference in Advertises, by which clients choose among servers (RFC 9915, section 21.8); listener only.
    pub preference: Option<u8>,
    /// What its clients get; without one the link only serves leases.
    pub template: Option<String>,
}

impl LinkSettings {
    /// The link's prefix.
    pub fn prefix(&self) -> Ipv6Net {
        self.address.trunc()
    }
}

/// What of a link could be read, also when other parts of it are at fault: for checks across links.
pub(super) struct Outline {
    pub(super) key: String,
    pub(super) bridge: Option<String>,
    pub(super) prefix: Option<Ipv6Net>,
    /// Prefixes that are delegated from.
    pub(super) delegated: Vec<Ipv6Net>,
    pub(super) source: Option<LeaseSource>,
    pub(super) template: Option<String>,
}

const SOURCES: [(&str, LeaseSource); 2] = [("listener", LeaseSource::Listener), ("dnsmasq", LeaseSource::Dnsmasq)];

/// Reads every link, with the options of all links; `None` for one that is at fault.
pub(super) fn read_all(root: &mut Table<'_>, common: &Given) -> Vec<(Outline, Option<LinkSettings>)> {
    let links = root
        .take("link")
        .and_then(|entry| entry.list(MOST_LINKS))
        .unwrap_or_default();
    links
        .into_iter()
        .filter_map(Entry::table)
        .map(|link| read(link, common))
        .collect()
}

fn read(mut table: Table<'_>, common: &Given) -> (Outline, Option<LinkSettings>) {
    let bridge = table.need("bridge", "name the bridge that the clients are on, like \"br0\"");
    let bridge = bridge.and_then(|entry| entry.parse("take 1 to 15 letters, digits and dashes", parse_bridge));
    let create = table.take("create").and_then(Entry::flag).unwrap_or(false);
    let remedy = "give the link's own address with its prefix length, like \"fd39:9706:2786:6333::1/64\"";
    let address = table
        .need("address", remedy)
        .and_then(|entry| entry.parse(remedy, parse_link_address));
    let source = table
        .take("source")
        .map_or(Some(LeaseSource::Listener), |entry| entry.choice(&SOURCES));
    let pool = range(&mut table, "pool");
    let delegation = delegation::read_all(&mut table);
    let instances = range(&mut table, "instances");
    check::given_to_dnsmasq(&table, source);
    let lifetimes = Lifetimes::read(&mut table);
    let rapid_commit = table.take("rapid_commit").and_then(Entry::flag).unwrap_or(true);
    let registration = table.take("registration").and_then(Entry::flag).unwrap_or(true);
    let reconfigure = table.take("reconfigure").and_then(Entry::flag).unwrap_or(true);
    let client_rate = table
        .take("client_rate")
        .map_or(Some(CLIENT_RATE), |entry| entry.whole(0..=1000));
    let neighbors = NeighborSettings::read(&mut table);
    let router_advertisements = table.take("router_advertisements").and_then(Entry::flag);
    let preference = table.take("preference").and_then(|entry| entry.whole(0..=255));
    let options = Given::read(&mut table).over(common);
    options.check_size(&table);
    let template = table.take("template").and_then(Entry::text);
    let basis = address.map(|address| Basis {
        prefix: address.trunc(),
        lifetimes,
        delegates: delegation.as_ref().is_some_and(|pools| !pools.is_empty()),
    });
    let advertisement = AdvertisementSettings::read(table.section("advertisement"), basis.as_ref());
    check::ranges(&table, address, source, pool, instances, template.is_some());

    let outline = Outline {
        key: table.path().to_owned(),
        bridge: bridge.clone(),
        prefix: address.map(|address| address.trunc()),
        delegated: delegation.iter().flatten().map(PrefixPool::prefix).collect(),
        source,
        template: template.clone(),
    };
    table.finish();
    let settings = || {
        let source = source?;
        Some(LinkSettings {
            bridge: bridge?,
            create,
            address: address?,
            source,
            pool,
            delegation: delegation?,
            instances,
            lifetimes,
            rapid_commit,
            registration,
            reconfigure,
            client_rate: client_rate.filter(|rate| *rate > 0),
            neighbors,
            // dnsmasq's own `enable-ra` would speak on the same link.
            advertisement: Some(advertisement?)
                .filter(|_| router_advertisements.unwrap_or(source == LeaseSource::Listener)),
            dns_servers: options.dns_servers.unwrap_or_default(),
            domain_search: options.domain_search.unwrap_or_default(),
            options: options.set.settled(),
            preference,
            template,
        })
    };
    (outline, settings())
}

fn range(table: &mut Table<'_>, key: &'static str) -> Option<Ipv6Net> {
    table
        .take(key)
        .and_then(|entry| entry.parse("write it like \"fd39:9706:2786:6333::1:0/112\"", parse_range))
}
