//! `[source.NAME]`: lease sources other than the daemon's own listener.

use std::path::{Path, PathBuf};

use super::reader::Table;

/// Lease sources other than the daemon's own listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceSettings {
    /// dnsmasq.
    pub dnsmasq: DnsmasqSettings,
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
        let mut section = table.section("dnsmasq");
        let remedy = "write it like \"/var/lib/orchestrator/spool\"";
        let spool = section
            .take("spool")
            .and_then(|entry| entry.parse(remedy, parse_directory));
        section.finish();
        table.finish();
        Self {
            dnsmasq: spool.map_or_else(DnsmasqSettings::default, |spool| DnsmasqSettings { spool }),
        }
    }
}

fn parse_directory(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if path.is_absolute() && path.parent().is_some() {
        return Ok(path.to_owned());
    }
    Err(format!("{text:?} is not the absolute path of a directory"))
}
