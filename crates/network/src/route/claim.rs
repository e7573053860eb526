//! Claims: whether the daemon that a route mark belongs to is running.
//!
//! Routes stay when a daemon stops, and when its database is lost. A daemon that finds such routes must not remove
//! those of a daemon that runs alongside. So each daemon claims its mark for as long as it runs, by binding an abstract
//! unix socket with a name of its own. Such names belong to a network namespace, as routes do, and the kernel frees
//! them when the process ends.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::RouteMark;
use crate::Network;

/// Where the kernel lists the names, for the namespace of the thread that reads. An `@` stands for the zero byte that
/// such a name begins with.
const TABLE: &str = "/proc/thread-self/net/unix";

/// The claim on a mark, given up when it is dropped.
#[derive(Debug)]
#[must_use = "the claim ends when it is dropped"]
pub struct MarkClaim {
    /// Held for its name.
    _socket: UnixDatagram,
}

impl Network {
    /// Claims a mark in the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when it is claimed already.
    pub fn claim_mark(&self, mark: RouteMark) -> io::Result<MarkClaim> {
        let name = SocketAddr::from_abstract_name(name(mark))?;
        Ok(MarkClaim {
            _socket: UnixDatagram::bind_addr(&name)?,
        })
    }

    /// Whether a daemon that runs has claimed the mark, in the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// When the kernel's list cannot be read.
    pub fn is_claimed(&self, mark: RouteMark) -> io::Result<bool> {
        let name = format!("@{}", name(mark));
        let table = fs::read_to_string(TABLE)?;
        Ok(table
            .lines()
            .any(|line| line.split_whitespace().next_back() == Some(name.as_str())))
    }
}

fn name(mark: RouteMark) -> String {
    format!("orchestrator/routes/{}", mark.route_metric())
}
