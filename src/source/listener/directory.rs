//! Which listener has which link, for messages that relay agents bring from links that are elsewhere.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{Discard, Inbound};
use tokio::sync::mpsc;

use super::socket::Port;

/// Messages that may wait for a listener. What comes beyond is discarded, as by a socket whose buffer is full.
const WAITING: usize = 1024;
/// Message type of a Relay-forward (RFC 9915, section 7.3).
const RELAY_FORWARD: u8 = 12;

/// The listeners by the prefixes of their links. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    listeners: Arc<Mutex<HashMap<String, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    prefix: Ipv6Net,
    sender: mpsc::Sender<Passed>,
}

/// A message that came in elsewhere.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) bytes: Vec<u8>,
    pub(super) source: SocketAddrV6,
    pub(super) multicast: bool,
    /// Where the answer is to be sent.
    pub(super) port: Arc<Port>,
}

/// A listener's entry: it is in the directory for as long as this is there.
#[derive(Debug)]
pub(super) struct Listed {
    directory: Directory,
    link: String,
    received: mpsc::Receiver<Passed>,
}

impl Directory {
    /// Lists the listener of a link.
    pub(super) fn list(&self, link: &str, prefix: Ipv6Net) -> Listed {
        let (sender, received) = mpsc::channel(WAITING);
        self.lock().insert(link.to_owned(), Entry { prefix, sender });
        Listed {
            directory: self.clone(),
            link: link.to_owned(),
            received,
        }
    }

    /// Passes a relayed message on to the listener of the link that it is about (RFC 9915, section 13.1).
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    pub(super) fn pass(&self, inbound: &Inbound<'_>, port: &Arc<Port>) -> Result<(), NotPassed> {
        let link = relayed_from(inbound).ok_or(NotPassed::Direct)?;
        let unknown = NotPassed::UnknownLink(Discard::OtherLink(link));
        let entry = self.owner(link).ok_or(unknown)?;
        let passed = Passed {
            bytes: inbound.datagram.to_vec(),
            source: inbound.source,
            multicast: inbound.multicast,
            port: port.clone(),
        };
        entry.try_send(passed).map_err(|_| NotPassed::Busy)
    }

    fn owner(&self, address: Ipv6Addr) -> Option<mpsc::Sender<Passed>> {
        let listeners = self.lock();
        let mut entries = listeners.values();
        let entry = entries.find(|entry| entry.prefix.contains(&address))?;
        Some(entry.sender.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address by which relay agents tell what link their client is on; `None` when none does.
pub(super) fn relayed_from(inbound: &Inbound<'_>) -> Option<Ipv6Addr> {
    if inbound.datagram.first() != Some(&RELAY_FORWARD) {
        return None;
    }
    inbound.link_address().ok().flatten()
}

/// Why a message was not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotPassed {
    #[error("no relay agent tells what link it comes from")]
    Direct,
    #[error(transparent)]
    UnknownLink(Discard),
    #[error("too many messages wait for the link")]
    Busy,
}

impl NotPassed {
    /// The word for it in counters.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Direct => "not-relayed",
            Self::UnknownLink(discard) => discard.word(),
            Self::Busy => "link-busy",
        }
    }
}

impl Listed {
    /// Moves the entry to another prefix.
    pub(super) fn set_prefix(&self, prefix: Ipv6Net) {
        if let Some(entry) = self.directory.lock().get_mut(&self.link) {
            entry.prefix = prefix;
        }
    }

    /// Waits for messages, and takes up to `most`. Cancel-safe.
    pub(super) async fn receive(&mut self, passed: &mut Vec<Passed>, most: usize) {
        if self.received.recv_many(passed, most).await == 0 {
            // It is no longer listed, and nothing comes any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.directory.lock().remove(&self.link);
    }
}
