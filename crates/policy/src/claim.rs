//! What only one owner can have.

use ipnet::Ipv6Net;
use orchestrator_host::{PolicyItem, PolicyKey};

/// What only one owner can have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Claim {
    /// An address or prefix of a bridge, whatever link-layer address speaks for it.
    Address(String, Ipv6Net),
    /// Anything else, by its key.
    Key(PolicyKey),
}

impl Claim {
    /// The claim of an item.
    pub(crate) fn of(item: &PolicyItem) -> Self {
        match item {
            PolicyItem::Client(client) => Self::Address(client.bridge.clone(), client.prefix),
            other => Self::Key(other.key()),
        }
    }
}
