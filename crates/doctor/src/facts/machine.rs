//! Facts about the machine.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Fact;

/// The machine, in the network namespace of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// Whether it passes IPv6 packets on.
    pub forwarding: Fact<bool>,
    /// The interfaces with a default route that a router advertised.
    pub routed: Fact<Vec<RoutedInterface>>,
    /// The bridges, of those that were asked for, on which it takes the advertisements of routers.
    pub accepting: Fact<BTreeSet<String>>,
    /// Its table of neighbours.
    pub neighbors: NeighborFacts,
    /// Other programs' packet filters.
    pub firewall: FirewallFacts,
    /// What the kernel can do.
    pub features: Vec<FeatureFacts>,
    /// Whether something keeps its clock right.
    pub clock: Fact<bool>,
    /// The file systems that we use.
    pub disks: Vec<DiskFacts>,
    /// The limits of the process that read these facts.
    pub process: ProcessFacts,
    /// Sites that left things here and whose daemon does not run.
    pub abandoned: Fact<Vec<AbandonedSite>>,
}

/// An interface with a default route that a router advertised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutedInterface {
    /// Its name.
    pub name: String,
    /// `net.ipv6.conf.NAME.accept_ra`: 0 takes no advertisements, 1 takes them unless the machine forwards, 2 always.
    pub accept_ra: u8,
}

/// The kernel's table of neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighborFacts {
    /// Its limits. They belong to the whole machine and are visible in its first network namespace only.
    pub limits: Fact<NeighborLimits>,
    /// How many entries it has now.
    pub used: Fact<u64>,
    /// `net.core.netdev_max_backlog`: frames that a processor queues. It is visible in the first network namespace only.
    pub backlog: Fact<u64>,
}

/// `net.ipv6.neigh.default.gc_thresh…`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighborLimits {
    /// Below this nothing is removed.
    pub first: u64,
    /// Above this, what is older than five seconds is removed.
    pub second: u64,
    /// Above this nothing is added.
    pub third: u64,
}

/// Other programs' packet filters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallFacts {
    /// `net.bridge.bridge-nf-call-ip6tables`: whether bridged packets pass the filters of routed ones. `None` if the
    /// kernel has no such setting.
    pub bridged: Fact<Option<bool>>,
    /// The chains of others that see forwarded packets and end with a drop.
    pub chains: Fact<Vec<ForwardChain>>,
    /// The tables of `ip6tables-legacy`, whose rules cannot be read.
    pub legacy: Fact<Vec<String>>,
}

/// A chain at the hook of forwarded packets that drops what none of its rules accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardChain {
    /// The family of its table: `ip6`, `inet` or `bridge`.
    pub family: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub chain: String,
    /// Whether its policy drops. Otherwise its last rule does.
    pub by_policy: bool,
    /// The interfaces that rules of its table name.
    pub interfaces: BTreeSet<String>,
}

/// Something that the kernel can do or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureFacts {
    /// Its name, for people.
    pub name: String,
    /// What needs it, as a sentence without a full stop.
    pub needed_for: String,
    /// Whether it is there.
    pub state: FeatureState,
    /// The command that brings it, or what to do.
    pub mend: String,
}

/// Whether the kernel can do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureState {
    /// It can.
    There,
    /// It cannot, for this reason.
    Missing(String),
    /// Nobody knows, for this reason.
    Unknown(String),
}

/// A file system that we use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFacts {
    /// What is there, such as `the database`.
    pub purpose: String,
    /// The directory.
    pub path: String,
    /// Its space, or why it is not known.
    pub space: Fact<DiskSpace>,
}

/// The space of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSpace {
    /// Its size in bytes.
    pub size: u64,
    /// The free bytes that an ordinary process may use.
    pub free: u64,
    /// Its inodes; 0 if it makes them as they are needed.
    pub inodes: u64,
    /// Its free inodes.
    pub free_inodes: u64,
    /// Whether it takes no writes.
    pub is_read_only: bool,
}

/// How much of something is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// What is used.
    pub used: u64,
    /// What there is.
    pub limit: u64,
}

impl Usage {
    /// What is left.
    pub fn left(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// Whether less than one part in `parts` is left.
    pub fn leaves_less_than(self, parts: u64) -> bool {
        self.left().saturating_mul(parts) < self.limit
    }
}

/// The limits of the process, and of the machine that it is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessFacts {
    /// Files that the process has open, and may open.
    pub open_files: Fact<Usage>,
    /// Bytes of memory of the machine.
    pub memory: Fact<Usage>,
    /// Processes and threads of the machine.
    pub tasks: Fact<Usage>,
}

/// What a site left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbandonedSite {
    /// The site, if its name is known.
    pub site: Option<String>,
    /// The mark of its routes.
    pub mark: u32,
    /// How many routes there are.
    pub routes: u64,
    /// The tables of its packet filter, as `FAMILY NAME`.
    pub tables: Vec<String>,
    /// Its interfaces.
    pub interfaces: Vec<String>,
}
