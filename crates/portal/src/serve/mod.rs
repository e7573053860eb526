//! Sockets on links: accepted connections, each within its limits, passed to a face.

mod connection;
mod listen;
mod places;
mod tls;

use std::net::Ipv6Addr;
use std::time::Duration;

use async_trait::async_trait;

pub use listen::{Listener, Place};
pub use tls::{Tls, TlsError};

use crate::{Request, Response, Source};

/// What is shown at an address.
#[async_trait]
pub trait Face: Send + Sync + 'static {
    /// A word in the code for metrics.
    fn word(&self) -> &'static str;

    /// Answers a request. All that says who asks is the source.
    async fn answer(&self, source: &Source, request: &Request) -> Response;
}

/// Limits on what strangers can make a listener hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Simultaneous connections.
    pub connections: usize,
    /// Simultaneous connections from one address of the link, or from one /64 elsewhere.
    pub connections_each: usize,
    /// How long the head of a request may take.
    pub head: Duration,
    /// How long a connection may take from its begin to its end.
    pub whole: Duration,
    /// The largest body of a request, in bytes.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            connections_each: 8,
            head: Duration::from_secs(5),
            whole: Duration::from_secs(15),
            body: 16 * 1024,
        }
    }
}

/// Whose connections are counted together: an address of the link, or a /64 elsewhere, such as a delegated prefix.
fn share_of(address: Ipv6Addr, prefix: ipnet::Ipv6Net) -> Ipv6Addr {
    match prefix.contains(&address) {
        true => address,
        false => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)),
    }
}

#[cfg(test)]
mod tests;
