//! A link, as the server needs it.

use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;

use crate::class::Traits;
use crate::reserved::reserved_until;
use crate::{Class, ClassId, Leased, OptionSet, Pool, PrefixPool, RelayKey, Reservations};

/// The ERP local domain name (RFC 6440), an option that relay agents supply.
pub const ERP_LOCAL_DOMAIN_NAME: u16 = 65;

/// A link with its pools, lifetimes, options and rules.
#[derive(Debug, Clone)]
pub struct Link {
    /// The on-link prefix.
    pub prefix: Ipv6Net,
    /// The link's own address, which no client gets.
    pub address: Ipv6Addr,
    /// The addresses for clients. Addresses outside of the link's prefix are never assigned.
    pub pool: Pool,
    /// Pools for the clients of one class. Such a client gets an address of these before one of `pool`. They do not
    /// overlap `pool`.
    pub class_pools: Vec<Pool>,
    /// The prefixes for delegation (RFC 9663). Prefixes that overlap the link's own are never delegated.
    pub delegation: Vec<PrefixPool>,
    /// The preferred lifetime. [`Duration::MAX`] means without end; more than `valid` counts as `valid`.
    pub preferred: Duration,
    /// The valid lifetime.
    pub valid: Duration,
    /// Whether a Solicit with the Rapid Commit option gets a lease at once, and a Rebind without a binding gets a new
    /// one. Only for the single server of a link (RFC 9915, sections 18.3.1 and 18.3.5).
    pub rapid_commit: bool,
    /// The preference in Advertises. 255 ends the client's search at once.
    pub preference: Option<u8>,
    /// Options for clients that ask for them.
    pub options: OptionSet,
    /// The options that relay agents may supply for clients that ask for them (RFC 6422), if the server has none of its
    /// own.
    pub relay_options: Vec<u16>,
    /// Relay agents whose clients are on this link although their link address does not identify it.
    pub relay_keys: Vec<RelayKey>,
    /// Addresses and prefixes that are reserved for known clients.
    pub reservations: Reservations,
    /// The classes of clients. A client is in the first class whose conditions it meets.
    pub classes: Vec<Class>,
    /// How long a declined address is assigned to nobody.
    pub quarantine: Duration,
    /// Whether clients that send Reconfigure Accept get it back, with a reconfigure key (section 20.4).
    pub reconfigure: bool,
    /// The addresses that hosts may register (RFC 9686), or `None` when they may not register any.
    pub registration: Option<Registration>,
    /// Limits on what strangers may use.
    pub limits: Limits,
}

/// The limits on what hosts may register (RFC 9686).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The longest valid lifetime of a registration that is not repeated.
    pub longest: Duration,
    /// Further prefixes, besides the pool and the link's own address, in which no host can have formed an address
    /// itself.
    pub withheld: Vec<Ipv6Net>,
}

/// Limits on what strangers may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The number of address bindings of one DUID on the link: leases and remembered ones together. As many more may be
    /// in quarantine.
    /// A client that changes between classes may have up to twice as many remembered ones.
    pub bindings_per_client: usize,
    /// The number of prefix bindings of one DUID on the link: leases and remembered ones together.
    pub prefixes_per_client: usize,
    /// The number of bindings on the link, for addresses and for prefixes each, however large the pools are. Beyond it,
    /// the bindings that ended first are reused.
    pub bindings: usize,
    /// The number of registered addresses of one DUID on the link.
    pub registrations_per_client: usize,
    /// The number of registered addresses on the link.
    pub registrations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bindings_per_client: 16,
            prefixes_per_client: 4,
            bindings: 1 << 20,
            registrations_per_client: 16,
            registrations: 1 << 16,
        }
    }
}

impl Link {
    /// A link with defaults for everything optional: an hour preferred, two hours valid, no rapid commit.
    pub fn new(prefix: Ipv6Net, address: Ipv6Addr, pool: Pool) -> Self {
        Self {
            prefix,
            address,
            pool,
            class_pools: Vec::new(),
            delegation: Vec::new(),
            preferred: Duration::from_secs(3600),
            valid: Duration::from_secs(7200),
            rapid_commit: false,
            preference: None,
            options: OptionSet::new(),
            relay_options: vec![ERP_LOCAL_DOMAIN_NAME],
            relay_keys: Vec::new(),
            reservations: Reservations::new(),
            classes: Vec::new(),
            quarantine: Duration::from_secs(86_400),
            reconfigure: false,
            registration: None,
            limits: Limits::default(),
        }
    }

    /// Whether an address is on the link.
    pub fn is_on_link(&self, address: Ipv6Addr) -> bool {
        self.prefix.contains(&address)
    }

    /// Whether an address may be assigned to any client.
    pub fn is_assignable(&self, address: Ipv6Addr) -> bool {
        self.assigning(address).is_some()
    }

    /// The pool from which an address may be assigned; `None` if it may not be.
    pub(crate) fn assigning(&self, address: Ipv6Addr) -> Option<&Pool> {
        let is_open = self.is_on_link(address) && self.blocked_until(address.into()).is_none();
        self.pool_of(address).filter(|_| is_open)
    }

    /// Whether it can be reserved on this link. An address must be on the link and assignable; a prefix must not
    /// overlap the link's own.
    pub(crate) fn is_reservable(&self, leased: Leased) -> bool {
        match leased {
            Leased::Address(address) => self.is_on_link(address) && self.blocked_until(address.into()).is_none(),
            Leased::Prefix(_) => !Leased::Prefix(self.prefix).overlaps(leased),
        }
    }

    /// The pool that an address is in.
    pub(crate) fn pool_of(&self, address: Ipv6Addr) -> Option<&Pool> {
        self.class_pools
            .iter()
            .chain([&self.pool])
            .find(|pool| pool.contains(address))
    }

    /// The pools for clients of a class, or of none, in the order in which they are tried.
    pub(crate) fn pools_for(&self, class: Option<ClassId>) -> impl Iterator<Item = &Pool> {
        self.class_pools
            .iter()
            .chain([&self.pool])
            .filter(move |pool| pool.serves(class))
    }

    /// The class that a client is in.
    pub(crate) fn class_of(&self, traits: &Traits<'_>) -> Option<(ClassId, &Class)> {
        let mut numbered = (0..).map(ClassId).zip(&self.classes);
        numbered.find(|(_, class)| class.conditions.are_met(traits))
    }

    /// The pool from which a prefix may be delegated; `None` if it may not be.
    pub fn delegating(&self, prefix: Ipv6Net) -> Option<&PrefixPool> {
        let is_apart = !Leased::Prefix(self.prefix).overlaps(prefix.into());
        self.delegation.iter().find(|pool| is_apart && pool.contains(prefix))
    }

    /// Whether a prefix lies inside one of the link's pools of prefixes.
    pub(crate) fn is_delegated(&self, prefix: Ipv6Net) -> bool {
        self.delegation.iter().any(|pool| pool.prefix().contains(&prefix))
    }

    /// The end of the range of blocked addresses that contains this one; `None` if it is not blocked.
    pub(crate) fn blocked_until(&self, address: u128) -> Option<u128> {
        if address == self.address.into() {
            Some(address)
        } else {
            reserved_until(self.prefix, address)
        }
    }
}
