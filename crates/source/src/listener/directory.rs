//! The directory of listeners, for messages that relay agents forward from links without a bridge on this machine.
//!
//! The innermost relay agent that identifies a link decides (RFC 9915, sections 13.1 and 19.1.1): by a link address in
//! the link's prefix, or by a key of the link.

use std::collections::HashMap;
use std::net::SocketAddrV6;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{Discard, Inbound, Link, RelayAgent, RelayKey};
use tokio::sync::mpsc;

use super::socket::Port;

/// The number of messages that may wait for a listener. Further ones are discarded, as by a socket whose buffer is
/// full.
const WAITING: usize = 1024;

/// The listeners, by what relay agents send to identify their links. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    listeners: Arc<Mutex<HashMap<String, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    prefix: Ipv6Net,
    keys: Vec<RelayKey>,
    sender: mpsc::Sender<Passed>,
}

/// A message that another port received.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) bytes: Vec<u8>,
    pub(super) source: SocketAddrV6,
    pub(super) multicast: bool,
    /// The port for the answer.
    pub(super) port: Arc<Port>,
}

/// The entry of a listener in the directory. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Listed {
    directory: Directory,
    link: String,
    received: mpsc::Receiver<Passed>,
}

impl Directory {
    /// Adds the listener of a link.
    pub(super) fn list(&self, name: &str, link: &Link) -> Listed {
        let (sender, received) = mpsc::channel(WAITING);
        let entry = Entry {
            prefix: link.prefix,
            keys: link.relay_keys.clone(),
            sender,
        };
        self.lock().insert(name.to_owned(), entry);
        Listed {
            directory: self.clone(),
            link: name.to_owned(),
            received,
        }
    }

    /// The name of the link that relay agents identify in a relayed message; `None` if they identify none, or one without
    /// a listener on this machine.
    pub(super) fn link_of(&self, inbound: &Inbound<'_>) -> Option<String> {
        let listeners = self.lock();
        let (name, _) = find(&listeners, inbound).ok()?;
        Some(name.to_owned())
    }

    /// Passes a relayed message to the listener of its link.
    ///
    /// # Errors
    ///
    /// The reason, if that is not possible.
    pub(super) fn pass(&self, inbound: &Inbound<'_>, port: &Arc<Port>) -> Result<(), NotPassed> {
        let sender = find(&self.lock(), inbound).map(|(_, entry)| entry.sender.clone())?;
        let passed = Passed {
            bytes: inbound.datagram.to_vec(),
            source: inbound.source,
            multicast: inbound.multicast,
            port: port.clone(),
        };
        sender.try_send(passed).map_err(|_| NotPassed::Busy)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The listener of the link that relay agents identify in a message.
fn find<'a>(listeners: &'a HashMap<String, Entry>, inbound: &Inbound<'_>) -> Result<(&'a str, &'a Entry), NotPassed> {
    // A message that cannot be parsed identifies no link.
    let agents = inbound.relay_agents().map_err(|_| NotPassed::Untold)?;
    for agent in agents {
        let known = listeners.iter().find(|(_, entry)| entry.has_address_of(&agent));
        let known = known.or_else(|| listeners.iter().find(|(_, entry)| entry.knows(&agent)));
        if let Some((name, entry)) = known {
            return Ok((name, entry));
        }
        if let Some(link) = agent.link() {
            return Err(NotPassed::UnknownLink(Discard::OtherLink(link)));
        }
    }
    Err(NotPassed::Untold)
}

impl Entry {
    fn has_address_of(&self, agent: &RelayAgent<'_>) -> bool {
        agent.link().is_some_and(|link| self.prefix.contains(&link))
    }

    fn knows(&self, agent: &RelayAgent<'_>) -> bool {
        self.keys.iter().any(|key| key.fits(agent))
    }
}

/// The reason why a message was not passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotPassed {
    #[error(
        "no relay agent says which link it comes from; where an agent gives no address of its link, a [[link.relay]] in \
         the settings says which link it serves"
    )]
    Untold,
    #[error(transparent)]
    UnknownLink(Discard),
    #[error("it was relayed from link {0}, and relay agents on this interface are not in source.listener.relays")]
    OtherLink(String),
    #[error(
        "it was relayed, and this interface is not in source.listener.relays; name it there to trust relay agents on it"
    )]
    UntrustedRelay,
    #[error("too many messages wait for the link")]
    Busy,
}

impl NotPassed {
    /// The word for counters.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Untold => "not-relayed",
            Self::UnknownLink(discard) => discard.word(),
            Self::OtherLink(_) => "other-link",
            Self::UntrustedRelay => "untrusted-relay",
            Self::Busy => "link-busy",
        }
    }
}

impl Listed {
    /// Updates the entry after a change of the settings.
    pub(super) fn follow(&self, link: &Link) {
        if let Some(entry) = self.directory.lock().get_mut(&self.link) {
            entry.prefix = link.prefix;
            entry.keys.clone_from(&link.relay_keys);
        }
    }

    /// Waits for messages, and takes at most `most`. Cancel-safe.
    pub(super) async fn receive(&mut self, passed: &mut Vec<Passed>, most: usize) {
        if self.received.recv_many(passed, most).await == 0 {
            // The entry is gone, so no message comes any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.directory.lock().remove(&self.link);
    }
}
