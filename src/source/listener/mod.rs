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

mod raw;
mod recall;
mod serve;
mod socket;

pub use recall::recall;
pub use serve::{Command, Listener, Parts};

use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_dhcp6::{Limiter, Link, Pool, Registration};

use crate::settings::LinkSettings;

/// The protocol's view of a link. `None` when its settings name no pool: then there is nothing to lease.
pub fn protocol_link(settings: &LinkSettings) -> Option<Link> {
    let mut link = Link::new(settings.prefix(), settings.address.addr(), Pool::new(settings.pool?));
    link.delegation.clone_from(&settings.delegation);
    link.preferred = settings.lifetimes.preferred;
    link.valid = settings.lifetimes.valid;
    link.rapid_commit = settings.rapid_commit;
    link.registration = settings.registration.then(|| Registration {
        longest: LONGEST_REGISTRATION,
        withheld: settings.instances.into_iter().collect(),
    });
    link.options.clone_from(&settings.options);
    link.preference = settings.preference;
    Some(link)
}

/// What bounds how often one client is answered. `None` when the settings lift the limit.
pub fn limiter(settings: &LinkSettings, key: [u8; 16]) -> Option<Limiter> {
    let rate = settings.client_rate?;
    Some(Limiter::new(key, rate.saturating_mul(2), Duration::from_secs(1) / rate))
}

/// A host registers anew long before this, unless its address is preferred for longer; then a registration by a host
/// that has left is not kept for ever.
const LONGEST_REGISTRATION: Duration = Duration::from_secs(30 * 86_400);
/// All_DHCP_Relay_Agents_and_Servers (RFC 9915, section 7.1).
const ALL_AGENTS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// All_DHCP_Servers (RFC 9915, section 7.1).
const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);
/// The port that servers and relay agents listen on (RFC 9915, section 7.2).
const SERVER_PORT: u16 = 547;
