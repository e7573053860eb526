//! `[source.NAME]`: settings of lease sources that do not belong to a link.

use std::path::{Path, PathBuf};

use orchestrator_dhcp6::{ERP_LOCAL_DOMAIN_NAME, is_suppliable};

use super::prefix::parse_bridge;
use super::reader::{Entry, Table};

/// The largest number of interfaces for relay agents.
const MOST_RELAYS: usize = 64;
/// The largest number of options.
const MOST_OPTIONS: usize = 64;

/// The settings of lease sources that do not belong to one link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceSettings {
    /// The daemon's own listener.
    pub listener: ListenerSettings,
    /// dnsmasq.
    pub dnsmasq: DnsmasqSettings,
}

/// The daemon's own DHCPv6 server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Interfaces on which relay agents may send messages for clients of any link. The link address that they send
    /// selects the link.
    pub relays: Vec<String>,
    /// Options that relay agents may supply for clients if the server itself has none (RFC 6422).
    pub relay_options: Vec<u16>,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            relays: Vec::new(),
            relay_options: vec![ERP_LOCAL_DOMAIN_NAME],
        }
    }
}

/// dnsmasq, which passes its lease events on by `orchestrator hook dnsmasq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsmasqSettings {
    /// The directory in which the hook keeps events while the daemon does not answer; an absolute path.
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
        let relay_options = read_relay_options(&mut table);
        table.finish();
        Self { relays, relay_options }
    }
}

fn read_relay_options(table: &mut Table<'_>) -> Vec<u16> {
    let Some(entry) = table.take("relay_options") else {
        return ListenerSettings::default().relay_options;
    };
    let code = |entry: Entry<'_>| entry.whole(1..=i64::from(u16::MAX));
    let codes: Vec<u16> = entry.list_of(MOST_OPTIONS, code).unwrap_or_default();
    for code in codes.iter().filter(|code| !is_suppliable(**code)) {
        let what = format!("option {code} is not for relay agents to supply");
        table.fault("relay_options", what, "remove it");
    }
    codes
}

fn parse_directory(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if path.is_absolute() && path.parent().is_some() {
        return Ok(path.to_owned());
    }
    Err(format!("{text:?} is not the absolute path of a directory"))
}
