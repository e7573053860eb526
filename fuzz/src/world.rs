//! A server with a link, small enough that clients get into each other's way.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{
    Bindings, Class, ClassId, Conditions, Inbound, Leased, Link, OptionSet, OptionValue, Order, Pattern, Pool,
    PrefixPool, Registration, Server, TimeServer,
};

use crate::kept;

/// When everything begins: milliseconds since 1970.
pub(crate) const BEGINNING: i64 = 1_800_000_000_000;
/// The link's prefix is this and what follows.
pub(crate) const NETWORK: u64 = 0x2001_0db8_0000_0001;
/// Bindings of a client, as limited here.
pub(crate) const BINDINGS_PER_CLIENT: usize = 4;
/// Prefixes of a client, as limited here.
pub(crate) const PREFIXES_PER_CLIENT: usize = 3;
/// Registrations of a client, as limited here.
pub(crate) const REGISTRATIONS_PER_CLIENT: usize = 2;
/// Bindings of the link, as limited here on wish.
pub(crate) const BINDINGS: usize = 12;

/// Where pools begin: around the reserved identifiers of RFC 4291, RFC 5453 and RFC 2526, and where there are none.
const POOLS: [u64; 4] = [0, 0xfdff_ffff_ffff_ff60, 0x0200_5eff_fdff_fff0, 0x1_0000];
/// Where the pool of a class begins.
const CLASS_POOL: u64 = 0x2_0000;
/// Addresses of a pool.
pub(crate) const POOL_SIZE: u64 = 64;
/// Lengths of the prefixes that are delegated from either pool.
const LENGTHS: [(u8, u8); 4] = [(62, 64), (64, 63), (60, 61), (63, 63)];

/// An address of the link by its interface identifier.
pub(crate) fn on_link(identifier: u64) -> Ipv6Addr {
    (u128::from(NETWORK) << 64 | u128::from(identifier)).into()
}

/// Whether nobody may be given an interface identifier, as the standards say and not as the server does.
pub(crate) fn is_reserved(address: Ipv6Addr) -> bool {
    let identifier = u128::from(address) as u64;
    identifier == 0
        || (0x0200_5eff_fe00_0000..=0x0200_5eff_feff_ffff).contains(&identifier)
        || (0xfdff_ffff_ffff_ff80..=0xfdff_ffff_ffff_ffff).contains(&identifier)
        || identifier >= u64::MAX - 127
}

/// The link-local address of a client by number.
pub(crate) fn link_local(client: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100 | u16::from(client))
}

/// A client's address on the link at its second interface.
pub(crate) fn second_link_local(client: u8) -> Ipv6Addr {
    link_local(client | 0x80)
}

/// A server, a link and its bindings.
pub(crate) struct World {
    /// The server.
    pub(crate) server: Server,
    /// The link.
    pub(crate) link: Link,
    /// The bindings.
    pub(crate) bindings: Bindings,
    /// Milliseconds since 1970.
    pub(crate) now: i64,
}

impl World {
    /// One with the settings that a byte says, and no bindings.
    pub(crate) fn new(settings: u8) -> Self {
        let first = POOLS[usize::from(settings >> 2 & 3)];
        let order = match settings & 2 {
            0 => Order::Hashed,
            _ => Order::Sequential,
        };
        let pool = Pool::range(on_link(first), on_link(first + POOL_SIZE - 1)).expect("a pool");
        let prefix = Ipv6Net::new(on_link(0), 64).expect("a prefix");
        let mut link = Link::new(prefix, on_link(first + 3), pool.with_order(order));
        link.rapid_commit = settings & 1 != 0;
        link.reconfigure = settings & 16 != 0;
        link.preference = Some(255).filter(|_| settings & 32 != 0);
        link.registration = Some(Registration {
            longest: Duration::from_secs(86_400),
            withheld: Vec::new(),
        });
        link.options = options();
        link.classes = vec![class(), strict_class()];
        link.class_pools = vec![class_pool()];
        link.limits.bindings_per_client = BINDINGS_PER_CLIENT;
        link.limits.prefixes_per_client = PREFIXES_PER_CLIENT;
        link.limits.registrations_per_client = REGISTRATIONS_PER_CLIENT;
        if settings & 64 != 0 {
            link.limits.bindings = BINDINGS;
            link.limits.registrations = BINDINGS;
        }
        link.delegation = delegation(0);
        if settings & 128 != 0 {
            link.reservations = kept::reservations(link.pool.first());
        }
        Self {
            server: Server::new("00:02:00:00:ab:11:aa:bb".parse().expect("a DUID"), [7; 16]),
            link,
            bindings: Bindings::new(),
            now: BEGINNING,
        }
    }

    /// What the server says to a datagram.
    pub(crate) fn ask(&self, inbound: &Inbound<'_>) -> Result<orchestrator_dhcp6::Answer, orchestrator_dhcp6::Discard> {
        self.server.handle(&self.link, &self.bindings, inbound, self.now)
    }
}

/// Options of every shape.
fn options() -> OptionSet {
    let mut options = OptionSet::new();
    options.set_dns_servers(&[on_link(0x53)]);
    options.set_domain_search(&["lan.example".parse().expect("a name")]);
    options.set_ntp_servers(&[TimeServer::Address(on_link(0x7b)), TimeServer::Address(on_link(0x7c))]);
    options.set_information_refresh(Duration::from_secs(3600));
    options.set_solicit_max_rt(Duration::from_secs(120));
    options.set_information_max_rt(Duration::from_secs(120));
    options.set_vendor_option(9, 1, &OptionValue::U32(7));
    options
        .set(41, &OptionValue::Text("UTC".to_owned()))
        .expect("an option that may be set");
    options
}

/// The class of those whose vendor class begins with an "a", which has pools of its own.
fn class() -> Class {
    Class {
        name: "a".into(),
        conditions: Conditions {
            vendor_class: "a*".parse().ok(),
            ..Conditions::default()
        },
        options: OptionSet::new(),
    }
}

/// What the first class has for itself.
fn class_pool() -> Pool {
    let pool = Pool::range(on_link(CLASS_POOL), on_link(CLASS_POOL + 7)).expect("a pool");
    pool.for_class(ClassId(0))
}

/// Whether an address or prefix is for the first class alone.
pub(crate) fn is_for_class(leased: Leased) -> bool {
    match leased {
        Leased::Address(address) => class_pool().contains(address),
        Leased::Prefix(prefix) => class_delegation().contains(prefix),
    }
}

/// A class whose conditions look at everything that is looked at, and are hard to meet.
fn strict_class() -> Class {
    let pattern = |text: &str| Some(text.parse::<Pattern>().expect("a pattern"));
    let conditions = Conditions {
        vendor_enterprise: None,
        vendor_class: pattern("a*"),
        user_class: pattern("b"),
        link_layer: Some(vec![2]),
        remote_enterprise: Some(0),
        remote_id: pattern("c*"),
        interface_id: pattern("0x00*"),
        subscriber_id: pattern("d*"),
        architectures: vec![0, 7],
    };
    Class {
        name: "all".into(),
        conditions,
        options: options(),
    }
}

/// Two pools of prefixes beside each other, of which parts of these lengths are delegated, and one of a class.
pub(crate) fn delegation(lengths: usize) -> Vec<PrefixPool> {
    let (one, other) = LENGTHS[lengths % LENGTHS.len()];
    let pools = [("2001:db8:1::/60", one), ("2001:db8:1:10::/61", other)].map(prefix_pool);
    [&pools[..], &[class_delegation()]].concat()
}

fn class_delegation() -> PrefixPool {
    prefix_pool(("2001:db8:1:18::/63", 64)).for_class(ClassId(0))
}

fn prefix_pool((prefix, length): (&str, u8)) -> PrefixPool {
    PrefixPool::new(prefix.parse().expect("a prefix"), length).expect("a pool")
}

/// Who sends.
pub(crate) fn source(address: Ipv6Addr) -> SocketAddrV6 {
    SocketAddrV6::new(address, 546, 0, 7)
}
