//! `[[link]]`: a network with clients on it, its prefix and its lease source.

use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{Class, OptionSet, Order, PrefixPool, RelayKey, Reservation};

use super::advertisement::{AdvertisementSettings, Basis};
use super::check::{self, Ranges};
use super::class::ClassSettings;
use super::class_pool::{self, ClassPool};
use super::delegation;
use super::dns::DnsSettings;
use super::isolation::{self, IsolationSettings};
use super::lifetimes::Lifetimes;
use super::limits::LinkLimits;
use super::neighbor::NeighborSettings;
use super::option::Given;
use super::portal::PortalSettings;
use super::prefix::{parse_bridge, parse_link_address, parse_range};
use super::reader::{Entry, Table};
use super::relay;
use super::reservation::{self, ReservedKeys};
use super::template;
use orchestrator_model::LeaseSource;

/// The largest number of links.
const MOST_LINKS: usize = 256;
/// The default limit of a client. A booting client sends a handful of messages; more than this for long is a fault or
/// an attack.
const CLIENT_RATE: u32 = 50;
/// The default limit of a link. So many clients may boot in one second, with a Solicit and a Request each; their
/// commits keep a database busy.
const LINK_RATE: u32 = 10_000;
/// The default preference. It ends a client's search for servers at once, so that no other server on the link is chosen.
const PREFERENCE: u8 = 255;
/// The default quarantine of a declined address, and the longest.
const QUARANTINE: Duration = Duration::from_secs(86_400);
const LONGEST_QUARANTINE: Duration = Duration::from_secs(30 * 86_400);

/// A network with clients on it, its prefix and its lease source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSettings {
    /// The name of the link, which is also the name of its bridge if it has one on this machine.
    pub name: String,
    /// Whether the link has no bridge on this machine. Its clients are reached only through relay agents, and get only
    /// leases.
    pub remote: bool,
    /// Whether the daemon creates a missing bridge, sets it up and assigns the link's address.
    pub create: bool,
    /// The link's own address with the length of its prefix. Instances use it as their router. For a remote link, the
    /// prefix.
    pub address: Ipv6Net,
    /// The source of its lease events.
    pub source: LeaseSource,
    /// Addresses for clients, inside the prefix; always present with [`LeaseSource::Listener`].
    pub pool: Option<Ipv6Net>,
    /// Addresses for the clients of one class only, inside the prefix and outside of the pool; listener only.
    pub class_pools: Vec<ClassPool>,
    /// Prefixes for delegation to its clients. They overlap no link's prefix; listener only.
    pub delegation: Vec<PrefixPool>,
    /// The reservations of the link; listener only.
    pub reservations: Vec<Reservation>,
    /// The SSH keys of known clients.
    pub reserved_keys: Vec<ReservedKeys>,
    /// Relay agents whose clients are on the link although they send no address of it; listener only.
    pub relays: Vec<RelayKey>,
    /// The order in which addresses and prefixes are assigned; listener only.
    pub allocation: Order,
    /// Addresses for instances, inside the prefix and outside of the pool; always present with a template.
    pub instances: Option<Ipv6Net>,
    /// The lifetimes of its leases; listener only.
    pub lifetimes: Lifetimes,
    /// Whether the daemon answers a Solicit with Rapid Commit by a Reply (RFC 9915, section 18.3.1); listener only.
    pub rapid_commit: bool,
    /// Whether hosts may register addresses that they formed themselves (RFC 9686); listener only.
    pub registration: bool,
    /// Whether clients that send Reconfigure Accept get a reconfigure key (RFC 9915, section 20.4); listener only.
    pub reconfigure: bool,
    /// Whether the listener learns the bridge port and the link-layer address that a client's message comes from;
    /// listener only.
    pub learn_ports: bool,
    /// Sustained limit on answered messages per second for one client; `None` for no limit. Listener only.
    pub client_rate: Option<NonZeroU32>,
    /// Sustained limit on answered messages per second for all clients together; `None` for no limit. Listener only.
    pub link_rate: Option<NonZeroU32>,
    /// What the clients may take of the link.
    pub limits: LinkLimits,
    /// How the daemon turns hosts on the link into lease events; `None` if it does not.
    pub neighbors: Option<NeighborSettings>,
    /// The content of the daemon's router advertisements; `None` if it sends none.
    pub advertisement: Option<AdvertisementSettings>,
    /// Whether the daemon's DNS server answers the clients and the instances of the link, at the link's own address.
    pub dns: bool,
    /// DNS servers in router advertisements.
    pub dns_servers: Vec<Ipv6Addr>,
    /// The DNS search list in router advertisements: lower case, without dots at the end.
    pub domain_search: Vec<String>,
    /// The URL of the captive portal's API in router advertisements.
    pub captive_portal: Option<String>,
    /// DHCPv6 options for clients, DNS included: the link's own, laid over those of all links. Listener only.
    pub options: OptionSet,
    /// The classes in the order of the settings, with their options on this link; listener only.
    pub classes: Vec<Class>,
    /// The preference in Advertises, by which clients choose among servers (RFC 9915, section 21.8); listener only.
    pub preference: u8,
    /// How long a declined address is given to nobody; listener only.
    pub quarantine: Duration,
    /// How the packets of its clients and instances are checked; `None` if they are not.
    pub isolation: Option<IsolationSettings>,
    /// The templates of the link. Each client gets an instance of each. A link without templates only serves leases.
    pub templates: Vec<String>,
}

impl LinkSettings {
    /// The link's prefix.
    pub fn prefix(&self) -> Ipv6Net {
        self.address.trunc()
    }

    /// The address at which each client of the link reaches its own instance.
    pub fn front_door(&self) -> Option<Ipv6Addr> {
        self.isolation.as_ref()?.front_door
    }

    /// The address at which each client of the link sees its own page.
    pub fn portal(&self) -> Option<Ipv6Addr> {
        self.isolation.as_ref()?.portal
    }

    /// The prefixes whose routes this machine keeps: those of pools and reservations, for clients on a bridge of this
    /// host.
    pub fn routed(&self) -> impl Iterator<Item = Ipv6Net> {
        let pools = self.delegation.iter().map(PrefixPool::prefix);
        let reserved = self.reservations.iter().filter_map(|reservation| reservation.prefix);
        pools.chain(reserved).filter(|_| !self.remote)
    }
}

/// The keys of a link that could be read, even if others have faults. Used for checks of several links.
pub(super) struct Outline {
    pub(super) key: String,
    pub(super) name: Option<String>,
    /// The key with its name.
    pub(super) named_by: &'static str,
    pub(super) prefix: Option<Ipv6Net>,
    pub(super) address: Option<Ipv6Net>,
    pub(super) instances: Option<Ipv6Net>,
    pub(super) reservations: Vec<Reservation>,
    pub(super) relays: Vec<RelayKey>,
    /// The prefixes of its pools for delegation.
    pub(super) delegated: Vec<Ipv6Net>,
    pub(super) source: Option<LeaseSource>,
    pub(super) templates: Vec<String>,
}

const SOURCES: [(&str, LeaseSource); 2] = [("listener", LeaseSource::Listener), ("dnsmasq", LeaseSource::Dnsmasq)];

const ALLOCATIONS: [(&str, Order); 2] = [("hashed", Order::Hashed), ("sequential", Order::Sequential)];

/// The settings that apply to all links.
pub(super) struct Common {
    /// Options for clients.
    pub(super) options: Given,
    /// The pages of clients.
    pub(super) portal: PortalSettings,
    /// The names of services, instances and clients.
    pub(super) dns: DnsSettings,
    /// The classes; `None` stands for one with a fault.
    pub(super) classes: Vec<Option<ClassSettings>>,
    /// The names of the classes, including those with faults.
    pub(super) class_names: Vec<Option<String>>,
}

/// Reads every link; `None` stands for one with a fault.
pub(super) fn read_all(root: &mut Table<'_>, common: &Common) -> Vec<(Outline, Option<LinkSettings>)> {
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

fn read(mut table: Table<'_>, common: &Common) -> (Outline, Option<LinkSettings>) {
    let remote = !table.has("bridge") && table.has("name");
    let named_by = if remote { "name" } else { "bridge" };
    let remedy = "name the bridge that the clients are on, like \"br0\"; or, for a network that only relay agents reach, \
                  give it a `name`";
    let name = table
        .need(named_by, remedy)
        .and_then(|entry| entry.parse("take 1 to 15 letters, digits and dashes", parse_bridge));
    if remote {
        check::elsewhere(&table);
    }
    let create = table.take("create").and_then(Entry::flag).unwrap_or(false);
    let address = read_address(&mut table, remote);
    let source = table
        .take("source")
        .map_or(Some(LeaseSource::Listener), |entry| entry.choice(&SOURCES));
    let pool = range(&mut table, "pool");
    let names: Vec<Option<&str>> = common.class_names.iter().map(Option::as_deref).collect();
    let (class_ranges, class_pools): (Vec<_>, Vec<_>) = class_pool::read_all(&mut table, &names).into_iter().unzip();
    let delegation = delegation::read_all(&mut table, &names);
    let (reservations, reserved_keys) = reservation::read_all(&mut table);
    let relays = relay::read_all(&mut table);
    let instances = range(&mut table, "instances");
    check::given_to_dnsmasq(&table, source);
    let allocation = table
        .take("allocation")
        .map_or(Some(Order::Hashed), |entry| entry.choice(&ALLOCATIONS));
    let lifetimes = Lifetimes::read(&mut table);
    let rapid_commit = table.take("rapid_commit").and_then(Entry::flag).unwrap_or(true);
    let registration = table.take("registration").and_then(Entry::flag).unwrap_or(true);
    let reconfigure = table.take("reconfigure").and_then(Entry::flag).unwrap_or(true);
    let learn_ports = table.take("learn_ports").and_then(Entry::flag).unwrap_or(true);
    let client_rate = table
        .take("client_rate")
        .map_or(Some(CLIENT_RATE), |entry| entry.whole(0..=1000));
    let link_rate = table
        .take("link_rate")
        .map_or(Some(LINK_RATE), |entry| entry.whole(0..=1_000_000));
    let limits = LinkLimits::read(table.section("limits"));
    let neighbors = NeighborSettings::read(&mut table);
    let router_advertisements = table.take("router_advertisements").and_then(Entry::flag);
    let preference = table
        .take("preference")
        .map_or(Some(PREFERENCE), |entry| entry.whole(0..=255));
    let quarantine = table.take("quarantine").map_or(Some(QUARANTINE), |entry| {
        entry.lifespan(Duration::ZERO..=LONGEST_QUARANTINE)
    });
    let isolation = IsolationSettings::read(&mut table, source, remote);
    let mut options = Given::read(&mut table).over(&common.options);
    let dns = table.take("dns").and_then(Entry::flag);
    let dns = !remote && dns.unwrap_or(source == Some(LeaseSource::Listener));
    if let Some(address) = address.filter(|_| dns) {
        options.ensure_dns(address.addr(), &common.dns.search());
    }
    let portal = isolation.as_ref().and_then(|isolation| isolation.portal);
    if let Some(url) = portal.and_then(|portal| common.portal.api_url(portal)) {
        options.ensure_captive_portal(&url);
    }
    options.check_size(&table);
    let templates = template::read_names(&mut table);
    let basis = address.map(|address| Basis {
        prefix: address.trunc(),
        lifetimes,
        delegates: delegation.as_ref().is_some_and(|pools| !pools.is_empty()),
    });
    let advertisement = AdvertisementSettings::read(table.section("advertisement"), basis.as_ref());
    let ranges = Ranges {
        pool,
        class_pools: class_ranges,
        instances,
    };
    ranges.check(&table, address);
    isolation::check_addresses(&table, isolation.as_ref(), address, &ranges);
    check::needed_ranges(&table, source, !templates.is_empty());

    let outline = Outline {
        key: table.path().to_owned(),
        name: name.clone(),
        named_by,
        prefix: address.map(|address| address.trunc()),
        address,
        instances,
        reservations: reservations.clone(),
        relays: relays.clone(),
        delegated: delegation.iter().flatten().map(PrefixPool::prefix).collect(),
        source,
        templates: templates.clone(),
    };
    table.finish();
    let settings = || {
        let source = source?;
        Some(LinkSettings {
            name: name?,
            remote,
            create,
            address: address?,
            source,
            pool,
            class_pools: class_pools.into_iter().collect::<Option<_>>()?,
            delegation: delegation?,
            reservations,
            reserved_keys,
            relays,
            allocation: allocation?,
            instances,
            lifetimes,
            rapid_commit,
            registration,
            reconfigure,
            learn_ports,
            client_rate: client_rate.and_then(NonZeroU32::new),
            link_rate: link_rate.and_then(NonZeroU32::new),
            limits,
            neighbors,
            // dnsmasq's own `enable-ra` would send on the same link.
            advertisement: Some(advertisement?)
                .filter(|_| !remote && router_advertisements.unwrap_or(source == LeaseSource::Listener)),
            classes: match source {
                LeaseSource::Listener => classes_on_link(common, &options)?,
                _ => Vec::new(),
            },
            dns,
            dns_servers: options.dns_servers.unwrap_or_default(),
            domain_search: options.domain_search.unwrap_or_default(),
            captive_portal: options.captive_portal,
            options: options.set.settled(),
            preference: preference?,
            quarantine: quarantine?,
            isolation,
            templates,
        })
    };
    (outline, settings())
}

fn read_address(table: &mut Table<'_>, remote: bool) -> Option<Ipv6Net> {
    if remote {
        let remedy = "give the prefix of the network, like \"fd39:9706:2786:6334::/64\"";
        let entry = table.need("prefix", remedy)?;
        return entry.parse(remedy, parse_range);
    }
    let remedy = "give the link's own address with its prefix length, like \"fd39:9706:2786:6333::1/64\"";
    let entry = table.need("address", remedy)?;
    entry.parse(remedy, parse_link_address)
}

/// The classes on a link with these options; `None` if any has a fault.
fn classes_on_link(common: &Common, options: &Given) -> Option<Vec<Class>> {
    let classes = common.classes.iter();
    classes.map(|class| Some(class.as_ref()?.on_link(options))).collect()
}

fn range(table: &mut Table<'_>, key: &'static str) -> Option<Ipv6Net> {
    table
        .take(key)
        .and_then(|entry| entry.parse("write it like \"fd39:9706:2786:6333::1:0/112\"", parse_range))
}
