//! The daemon's own DHCPv6 server on one link.
//!
//! ```text
//!   socket ──▶ Server::handle ──▶ bindings in memory ──▶ commit ──▶ reply
//!              (pure)             undone if it fails     (SQL)
//! ```
//!
//! - A reply that changes a binding leaves only after the change is durable; one that changes nothing leaves at once.
//! - One task owns a link's bindings. Batches are committed while the next ones are read, up to a bound.
//! - When a commit fails its changes are undone and nothing is answered: the client asks again.

mod advertise;
mod raw;
mod serve;
mod socket;

pub use advertise::Advertiser;
pub use serve::{Command, Listener};

use std::net::Ipv6Addr;

use orchestrator_dhcp6::Link;

use crate::settings::LinkSettings;

/// The protocol's view of a link. `None` when its settings name no pool: then there is nothing to lease.
pub fn protocol_link(settings: &LinkSettings) -> Option<Link> {
    let mut link = Link::new(settings.address.network(), settings.address.address(), settings.pool?.into());
    link.preferred = settings.preferred_lifetime;
    link.valid = settings.valid_lifetime;
    link.rapid_commit = settings.rapid_commit;
    link.dns_servers.clone_from(&settings.dns_servers);
    link.domain_search.clone_from(&settings.domain_search);
    Some(link)
}

/// All_DHCP_Relay_Agents_and_Servers (RFC 9915, section 7.1).
const ALL_AGENTS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// All_DHCP_Servers (RFC 9915, section 7.1).
const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);
/// The port that servers and relay agents listen on (RFC 9915, section 7.2).
const SERVER_PORT: u16 = 547;
