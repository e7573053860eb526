//! The DHCPv6 client of an interface: what the protocol's state machine wants, done by a socket, by netlink and on disk.
//!
//! ```text
//!   wait for the interface ──▶ session: datagrams, time, interface changes, stop   
//!                                  │        ▲
//!                                  ▼        │
//!                          orchestrator_dhcp6::client ──▶ actions: send, lend and remove addresses, report
//! ```
//!
//! Whoever runs it opens the socket and the netlink connection ([`Attached`]): in its own network namespace, or in
//! another one.
//!
//! Addresses are lent to the kernel with their lifetimes, so that they end on time also without this program. One is
//! told of as ready when the kernel's duplicate address detection is over, and declined when someone else has it.
//! What is held is on disk before it is reported, and found again by the next start.

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

/// What the client does, and on which interface.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the interface.
    pub interface: String,
    /// What it asks for.
    pub wants: Wants,
    /// Whether a server may grant the lease at once.
    pub rapid_commit: bool,
    /// Whether the server may make the client ask again.
    pub reconfigure: bool,
    /// The host name that the client sends to servers.
    pub hostname: Option<DomainName>,
    /// How the client names itself, when no earlier run has said; see [`DuidChoice`].
    pub duid: Option<DuidChoice>,
    /// Where DUID and leases are kept.
    pub state: PathBuf,
    /// Ends when there is a lease, and leaves it.
    pub once: bool,
    /// Keeps the lease when the client is stopped, instead of releasing it.
    pub keep: bool,
    /// How long the first lease may take.
    pub timeout: Option<Duration>,
    /// Reports each datagram that is passed over, with its reason.
    pub verbose: bool,
}

/// Why there is no client any more.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No interface of this name.
    #[error("there is no interface {0}; `ip link` lists those there are")]
    NoInterface(String),
    /// The interface has no address that a DUID could be made of.
    #[error("{0} has no link-layer address to make a DUID of; take --duid uuid")]
    NoLinkLayer(String),
    /// No lease within the time that was given for it.
    #[error("no server gave {interface} a lease within {} s; {passed_over}", limit.as_secs())]
    TimedOut {
        /// The interface.
        interface: String,
        /// The time that was given.
        limit: Duration,
        /// The answers that came and could not be used.
        passed_over: PassedOver,
    },
    /// The socket cannot be opened.
    #[error("cannot open UDP port 546 on {interface}; end what else is a DHCPv6 client there, or run as root")]
    Socket {
        /// The interface.
        interface: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The socket failed.
    #[error("cannot receive on {interface}")]
    Receive {
        /// The interface.
        interface: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The state files cannot be read or written.
    #[error("cannot {doing} {}; name a directory that can be written by --state", path.display())]
    State {
        /// What was being done: "read", "write".
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Netlink refused.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A signal cannot be waited for, a random number not be had, or a report not be made.
    #[error("cannot {doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}
