//! Where names are found.

use std::net::Ipv6Addr;
use std::time::Duration;

use hickory_proto::rr::Name;

use super::ReverseZone;

/// Where names are found, and for how long an answer may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    /// The origin of the zone.
    pub zone: Name,
    /// Further zones, in which each service is found by its name alone: `web.service.consul`.
    pub aliases: Vec<Name>,
    /// The zones with the names of addresses.
    pub reverse: Vec<ReverseZone>,
    /// The addresses of this server, which are those of `ns` in the zone.
    pub servers: Vec<Ipv6Addr>,
    /// For how long an answer may be kept.
    pub ttl: Duration,
}

impl Origins {
    /// The root alone, in which nothing is found.
    pub fn root(ttl: Duration) -> Self {
        Self {
            zone: Name::root(),
            aliases: Vec::new(),
            reverse: Vec::new(),
            servers: Vec::new(),
            ttl,
        }
    }

    /// The zone and its aliases, as they are written in settings: `home.arpa`. The answers may be kept for `ttl`, and
    /// there are no addresses yet. `None` if one is no name.
    pub fn new(zone: &str, aliases: &[String], ttl: Duration) -> Option<Self> {
        let name = |text: &str| {
            let mut name = Name::from_ascii(text).ok()?.to_lowercase();
            name.set_fqdn(true);
            Some(name)
        };
        Some(Self {
            zone: name(zone)?,
            aliases: aliases.iter().map(|alias| name(alias)).collect::<Option<_>>()?,
            reverse: Vec::new(),
            servers: Vec::new(),
            ttl,
        })
    }
}
