//! `[source.NAME]`: what belongs to the lease sources rather than to links.

use std::path::{Path, PathBuf};

use super::prefix::parse_bridge;
use super::reader::Table;

/// No machine has more interfaces with relay agents than this.
const MOST_RELAYS: usize = 64;

/// What belongs to the lease sources rather than to links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceSettings {
    /// The daemon's own listener.
    pub listener: ListenerSettings,
    /// dnsmasq.
    pub dnsmasq: DnsmasqSettings,
}

/// The daemon's own DHCPv6 server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Interfaces on which relay agents may speak for clients of any link, by the link address that they give.
    pub relays: Vec<String>,
}

/// dnsmasq, which hands its lease events over by `orchestrator hook dnsmasq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsmasqSettings {
    /// Directory where the hook leaves events while the daemon does not answer; an absolute path.
    pub spool: PathBuf,
}

impl Default for DnsmasqSettings {
    fn default() -> Self {
        Self {
            spool: PathBuf::from("/var/lib/orchestrator/spool"),
        }
    }
}

impl SourceSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let listener = ListenerSettings::read(table.section("listener"));
        let mut section = table.section("dnsmasq");
        let remedy = "write it like \"/var/lib/orchestrator/spool\"";
        let spool = section
            .take("spool")
            .and_then(|entry| entry.parse(remedy, parse_directory));
        section.finish();
        table.finish();
        Self {
            listener,
            dnsmasq: spool.map_or_else(DnsmasqSettings::default, |spool| DnsmasqSettings { spool }),
        }
    }
}

impl ListenerSettings {
    fn read(mut table: Table<'_>) -> Self {
        let relays = table
            .take("relays")
            .and_then(|entry| entry.list(MOST_RELAYS))
            .unwrap_or_default();
        let remedy = "name an interface, like \"eth0\"";
        let relays = relays.into_iter().filter_map(|entry| entry.parse(remedy, parse_bridge));
        let relays = relays.collect();
        table.finish();
        Self { relays }
    }
}

fn parse_directory(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if path.is_absolute() && path.parent().is_some() {
        return Ok(path.to_owned());
    }
    Err(format!("{text:?} is not the absolute path of a directory"))
}
