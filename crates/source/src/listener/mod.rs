//! The daemon's own DHCPv6 server on one link.
//!
//! ```text
//!   socket ──▶ Server::handle ──▶ bindings in memory ──▶ commit ──▶ reply
//!              (pure)             undone if it fails     (SQL)
//! ```
//!
//! - A reply that changes a binding leaves only after the change is durable; one that changes nothing leaves at once.
//! - Relay agents send messages for clients of other links, on the interfaces where the settings trust them. Such a
//!   message is passed to the listener of its link, and answered through the port at which it arrived.
//! - One task owns a link's bindings. Batches are committed while the next ones are read, up to a bound.
//! - The settings are read before each batch, so that messages that arrive after a change are answered by the new ones.
//!   The socket stays open, and no binding and no datagram is lost.
//! - Reconfigures and the detection of cloned DUIDs run next to the answers (`watch`).
//! - If a commit fails, its changes are undone and nothing is answered; the client asks again.

mod batch;
mod begins;
mod bucket;
mod contacts;
mod directory;
mod discards;
mod elsewhere;
mod generations;
mod identities;
mod inbox;
mod knowledge;
mod origins;
mod others;
mod probe;
mod probes;
mod recall;
mod reconfigure;
mod relays;
mod rules;
mod serve;
mod socket;
mod watch;

pub use directory::Directory;
pub use origins::{Origin, Origins};
pub use recall::recall;
pub use reconfigure::{NotReconfigured, Reconfiguring};
pub use relays::RelayPort;
pub use serve::{Command, Listener, Parts};

use std::net::Ipv6Addr;

/// All_DHCP_Relay_Agents_and_Servers (RFC 9915, section 7.1).
const ALL_AGENTS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// All_DHCP_Servers (RFC 9915, section 7.1).
const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);
/// The groups that a listener's socket joins.
pub const GROUPS: [Ipv6Addr; 2] = [ALL_AGENTS, ALL_SERVERS];
/// The port that servers and relay agents listen on (RFC 9915, section 7.2).
const SERVER_PORT: u16 = 547;
