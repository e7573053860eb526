//! A port for relay agents on an interface that is not a link.

use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::directory::Directory;
use super::discards::Discards;
use super::inbox::{Datagram, Inbox};
use super::socket::Port;
use orchestrator_runtime::metrics::Metrics;

/// Receives relay agents' messages on an interface, and passes them to the listeners of their links.
///
/// Clients on the interface's own network get no answer.
pub struct RelayPort {
    port: Arc<Port>,
    directory: Directory,
    discards: Discards,
}

impl RelayPort {
    /// Opens the port on an interface, given with its index.
    ///
    /// # Errors
    ///
    /// When the socket cannot be opened: another server uses the port, the interface is gone, or the privilege is
    /// missing.
    pub fn open(interface: &str, index: u32, directory: Directory, metrics: Metrics) -> io::Result<Self> {
        let port = Port::open(interface, index)?;
        tracing::info!(interface, "listening for DHCPv6 relay agents");
        Ok(Self {
            port: Arc::new(port),
            directory,
            discards: Discards::new(interface, metrics),
        })
    }

    /// Passes messages on until `stop`.
    ///
    /// # Errors
    ///
    /// When the socket fails: the interface is gone.
    pub async fn run(self, stop: &CancellationToken) -> io::Result<()> {
        let mut inbox = Inbox::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                received = self.port.receive(&mut inbox) => received?,
            }
            for datagram in inbox.datagrams() {
                match datagram {
                    Err(source) => self.discards.note(source, "too-long", &"it is too long"),
                    Ok(Datagram { inbound, .. }) => {
                        if let Err(reason) = self.directory.pass(&inbound, &self.port) {
                            self.discards.note(inbound.source, reason.word(), &reason);
                        }
                    }
                }
            }
        }
    }
}
