//! The DHCPv6 client of an interface. It carries out the actions of the protocol's state machine with a socket, netlink
//! and files.
//!
//! ```text
//!   wait for the interface ──▶ session: datagrams, time, interface changes, stop   
//!                                  │        ▲
//!                                  ▼        │
//!                          orchestrator_dhcp6::client ──▶ actions: send, lend and remove addresses, report
//! ```
//!
//! The caller opens the socket and the netlink connection ([`Attached`]), in its own network namespace or another one.
//!
//! Addresses are added to the interface with their lifetimes, so that the kernel removes them on time even without this
//! program. An address is reported as ready when the kernel's duplicate address detection has passed, and is declined
//! when another host has it. Leases are on disk before they are reported, and are found again by the next start.

mod addresses;
mod clock;
mod identity;
mod passed_over;
mod report;
mod session;
mod socket;
mod state;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use orchestrator_dhcp6::DomainName;
pub use orchestrator_dhcp6::client::Wants;
use orchestrator_network::NetworkError;

pub use identity::DuidChoice;
pub use passed_over::PassedOver;
pub use report::Report;
pub use session::{Attached, run};
pub use socket::open_socket;

/// The options of a client, with its interface.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of the interface.
    pub interface: String,
    /// The addresses and prefixes that it asks for.
    pub wants: Wants,
    /// Whether a server may grant the lease at once.
    pub rapid_commit: bool,
    /// Whether the server may make the client renew (RFC 9915, section 18.3.11).
    pub reconfigure: bool,
    /// The host name that the client sends to servers.
    pub hostname: Option<DomainName>,
    /// The client's DUID, if no earlier run has stored one; see [`DuidChoice`].
    pub duid: Option<DuidChoice>,
    /// The directory of DUID and leases.
    pub state: PathBuf,
    /// Whether to end once there is a lease, and to keep it.
    pub once: bool,
    /// Whether to keep the lease when the client is stopped, instead of releasing it.
    pub keep: bool,
    /// The time limit for the first lease.
    pub timeout: Option<Duration>,
    /// Whether to report each ignored datagram with the reason.
    pub verbose: bool,
}

/// The reason why the client ended.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no interface with this name.
    #[error("there is no interface {0}; `ip link` lists those there are")]
    NoInterface(String),
    /// The interface has no link-layer address for a DUID.
    #[error("{0} has no link-layer address to make a DUID of; take --duid uuid")]
    NoLinkLayer(String),
    /// No lease was granted within the time limit.
    #[error("no server gave {interface} a lease within {} s; {passed_over}", limit.as_secs())]
    TimedOut {
        /// The interface.
        interface: String,
        /// The time limit.
        limit: Duration,
        /// The answers that were ignored.
        passed_over: PassedOver,
    },
    /// The socket cannot be opened.
    #[error("cannot open UDP port 546 on {interface}; end what else is a DHCPv6 client there, or run as root")]
    Socket {
        /// The interface.
        interface: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The socket failed.
    #[error("cannot receive on {interface}")]
    Receive {
        /// The interface.
        interface: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The state files cannot be read or written.
    #[error("cannot {doing} {}; name a directory that can be written by --state", path.display())]
    State {
        /// The failed operation: "read", "write".
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Netlink failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The operating system failed: for a signal, a random number or a report.
    #[error("cannot {doing}")]
    System {
        /// The failed operation.
        doing: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}
