//! Capabilities of a host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use orchestrator_plugin::Capabilities;

/// One thing that a host may or may not be able to do, besides what its engines can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostCapability {
    /// Wires an attachment that has no address yet.
    PendingAddress,
    /// Routes prefixes to an attachment.
    RoutedPrefixes,
    /// Makes and removes bridges by [`apply`](crate::Host::apply).
    Bridges,
    /// Makes and removes routes by [`apply`](crate::Host::apply).
    Routes,
    /// Binds link-layer and network addresses to ports by [`apply`](crate::Host::apply).
    Policy,
    /// Connects to a Unix socket within an instance.
    DialUnix,
    /// Keeps volumes, which outlive instances.
    Volumes,
}

impl HostCapability {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::PendingAddress,
        Self::RoutedPrefixes,
        Self::Bridges,
        Self::Routes,
        Self::Policy,
        Self::DialUnix,
        Self::Volumes,
    ];

    /// A stable word for the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::PendingAddress => "pending-address",
            Self::RoutedPrefixes => "routed-prefixes",
            Self::Bridges => "bridges",
            Self::Routes => "routes",
            Self::Policy => "policy",
            Self::DialUnix => "dial-unix",
            Self::Volumes => "volumes",
        }
    }
}

/// What the host would have to do, in the words of an error message: "it cannot …".
impl fmt::Display for HostCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PendingAddress => "wire an interface that has no address yet",
            Self::RoutedPrefixes => "route a prefix to an instance",
            Self::Bridges => "make bridges",
            Self::Routes => "make routes",
            Self::Policy => "bind addresses to ports",
            Self::DialUnix => "connect to a Unix socket within an instance",
            Self::Volumes => "keep volumes",
        })
    }
}

/// The capabilities of a host and of its engines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostCapabilities {
    /// The capabilities of the host itself.
    pub host: BTreeSet<HostCapability>,
    /// The capabilities of each engine, by its name in the settings.
    pub engines: BTreeMap<String, Capabilities>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_has_a_word_and_a_sentence_of_its_own() {
        let words: BTreeSet<_> = HostCapability::ALL.iter().map(|one| one.code()).collect();
        let sentences: BTreeSet<_> = HostCapability::ALL.iter().map(ToString::to_string).collect();
        let all = HostCapability::ALL.len();
        assert_eq!((words.len(), sentences.len()), (all, all));
    }
}
