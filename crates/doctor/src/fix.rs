//! What can be mended without asking.

use serde::{Deserialize, Serialize};

/// A change that is safe: it may be repeated, touches nothing of others, and loses no data that is recorded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fix {
    /// The machine forwards IPv6 packets. Interfaces whose default route came from a router's advertisement keep it.
    Forwarding,
    /// This interface takes router advertisements although the machine forwards.
    AcceptRouter {
        /// The name of the interface.
        interface: String,
    },
    /// The kernel's table of neighbours takes at least this many entries.
    NeighborTable {
        /// The number of entries.
        entries: u64,
    },
    /// The packet filter is brought to what is recorded.
    Rules,
    /// A container that bears our mark and is recorded nowhere is removed, with its interfaces.
    StrayContainer {
        /// The instance that its mark names.
        instance: String,
    },
    /// An interface that bears our mark and is recorded nowhere is removed.
    StrayInterface {
        /// Its name.
        interface: String,
    },
    /// Everything recorded is compared with what is there at once, and what is missing is made again.
    Pass,
}

impl Fix {
    /// Whether the machine's own settings are changed. Otherwise the daemon has to do it.
    pub fn is_of_machine(&self) -> bool {
        matches!(
            self,
            Self::Forwarding | Self::AcceptRouter { .. } | Self::NeighborTable { .. }
        )
    }
}
