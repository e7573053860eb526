//! `[limits]` and `[link.limits]`: how much the clients may take of a host and of a link.

use super::reader::{Entry, Table};
use super::size::parse_size;

/// The largest number that a limit can be set to.
const MOST: i64 = 1_000_000_000;
/// The default of `client_creations`: a client of sixteen templates gets all of them at once, and once again.
const CLIENT_CREATIONS: u64 = 32;
/// The default of `port_share`, in thousandths.
const PORT_SHARE: u32 = 750;
/// The default of `queue`.
const QUEUE: usize = 4096;
/// The default of `creations`, a minute.
const CREATIONS: u64 = 600;
/// The default of `identities`, a minute.
const IDENTITIES: u64 = 600;

/// A limit that may follow the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ceiling {
    /// What the machine has.
    #[default]
    Machine,
    /// No limit.
    Open,
    /// So much.
    At(u64),
}

/// What the clients may take of a host, and of one another's part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsSettings {
    /// Live instances of a host; `None` for no limit.
    pub instances: Option<u64>,
    /// Bytes of memory that a host promises to its instances.
    pub memory: Ceiling,
    /// Thousandths of a processor that a host promises to its instances.
    pub millicpus: Ceiling,
    /// Processes that a host promises to its instances.
    pub pids: Ceiling,
    /// Bytes that a host promises to its instances for what they write, without their volumes.
    pub disk: Ceiling,
    /// Live instances of a client; `None` for no limit.
    pub client_instances: Option<u64>,
    /// New instances of a client in one minute; `None` for no limit.
    pub client_creations: Option<u64>,
    /// The largest part that the clients behind one port get of what the others leave, in thousandths.
    pub port_share: u32,
    /// Instances that may wait for a place.
    pub queue: usize,
}

/// What the clients may take of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkLimits {
    /// Live instances of the link; `None` for no limit.
    pub instances: Option<u64>,
    /// Live instances of a client of the link; `None` for the limit of all links.
    pub client_instances: Option<u64>,
    /// Live instances of the clients behind one bridge port; `None` for no limit.
    pub port_instances: Option<u64>,
    /// New instances in one minute; `None` for no limit.
    pub creations: Option<u64>,
    /// Leases to clients that were never seen before, in one minute; `None` for no limit. Listener only.
    pub identities: Option<u64>,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            instances: None,
            client_instances: None,
            port_instances: None,
            creations: Some(CREATIONS),
            identities: Some(IDENTITIES),
        }
    }
}

impl LimitsSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let size = |entry: Entry<'_>| entry.parse("write it like \"8GiB\", \"machine\" or \"none\"", parse_size);
        let pids = |entry: Entry<'_>| entry.whole(0..=MOST);
        // Thousandths of a processor; the bounds keep them far inside 64 bits.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let cpus = |entry: Entry<'_>| entry.number(0.0..=1e6).map(|cpus| (cpus * 1000.0).round() as u64);
        let read = Self {
            instances: limit(table.take("instances"), None),
            memory: ceiling(table.take("memory"), size),
            millicpus: ceiling(table.take("cpus"), cpus),
            pids: ceiling(table.take("pids"), pids),
            disk: ceiling(table.take("disk"), size),
            client_instances: limit(table.take("client_instances"), None),
            client_creations: limit(table.take("client_creations"), Some(CLIENT_CREATIONS)),
            port_share: table.take("port_share").and_then(share).unwrap_or(PORT_SHARE),
            queue: table
                .take("queue")
                .and_then(|entry| entry.whole(1..=65_536))
                .unwrap_or(QUEUE),
        };
        table.finish();
        read
    }
}

impl LinkLimits {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let default = Self::default();
        let read = Self {
            instances: limit(table.take("instances"), default.instances),
            client_instances: limit(table.take("client_instances"), default.client_instances),
            port_instances: limit(table.take("port_instances"), default.port_instances),
            creations: limit(table.take("creations"), default.creations),
            identities: limit(table.take("identities"), default.identities),
        };
        table.finish();
        read
    }
}

/// Reads a whole number; `"none"` stands for no limit.
pub(super) fn limit(entry: Option<Entry<'_>>, default: Option<u64>) -> Option<u64> {
    match entry {
        None => default,
        Some(entry) if entry.is_word("none") => None,
        Some(entry) => entry.whole(0..=MOST),
    }
}

/// Reads a limit that may be `"machine"` or `"none"`.
fn ceiling<'a>(entry: Option<Entry<'a>>, read: impl FnOnce(Entry<'a>) -> Option<u64>) -> Ceiling {
    match entry {
        None => Ceiling::Machine,
        Some(entry) if entry.is_word("machine") => Ceiling::Machine,
        Some(entry) if entry.is_word("none") => Ceiling::Open,
        Some(entry) => read(entry).map_or(Ceiling::Machine, Ceiling::At),
    }
}

/// Reads a part of one, in thousandths.
fn share(entry: Entry<'_>) -> Option<u32> {
    // Between 10 and 1000.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    entry.number(0.01..=1.0).map(|part| (part * 1000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LimitsSettings, crate::Faults> {
        crate::parse(text, std::iter::empty()).map(|settings| settings.limits)
    }

    #[test]
    fn a_host_promises_what_the_machine_has_unless_told_otherwise() {
        let default = read("").unwrap();
        assert_eq!(
            (default.memory, default.millicpus),
            (Ceiling::Machine, Ceiling::Machine)
        );
        let set = read("[limits]\nmemory = \"8GiB\"\ncpus = 2.5\npids = \"none\"\nport_share = 1").unwrap();
        assert_eq!((set.memory, set.millicpus), (Ceiling::At(8 << 30), Ceiling::At(2500)));
        assert_eq!((set.pids, set.port_share), (Ceiling::Open, 1000));
    }

    #[test]
    fn no_limit_has_a_word_and_zero_is_a_limit() {
        let set = read("[limits]\ninstances = 0\nclient_instances = \"none\"\nclient_creations = \"none\"").unwrap();
        assert_eq!(
            (set.instances, set.client_instances, set.client_creations),
            (Some(0), None, None)
        );
    }

    #[test]
    fn what_is_no_limit_is_a_fault_of_its_key() {
        for (text, key) in [
            ("instances = -1", "limits.instances"),
            ("instances = \"many\"", "limits.instances"),
            ("memory = \"8GB\"", "limits.memory"),
            ("port_share = 0", "limits.port_share"),
            ("port_share = 1.5", "limits.port_share"),
            ("queue = 0", "limits.queue"),
        ] {
            let faults = read(&format!("[limits]\n{text}")).unwrap_err();
            assert!(faults.iter().all(|fault| fault.key == key), "{text}: {faults}");
        }
    }
}
