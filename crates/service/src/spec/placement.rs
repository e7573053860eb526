//! `placement`: the hosts that instances may be placed on.

use orchestrator_settings::{Entry, HOST_REMEDY, Table, parse_host, parse_role};

/// The hosts that instances may be placed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The role that a host must have; `None` for any host.
    pub role: Option<String>,
    /// The name of the only host; `None` for any host.
    pub host: Option<String>,
    /// Whether instances are spread over hosts: the next one goes to the host that has the fewest of this service.
    pub spread: bool,
    /// Whether each host has at most one instance of a version. Instances that drain do not count.
    pub unique: bool,
}

impl Default for Placement {
    fn default() -> Self {
        Self {
            role: None,
            host: None,
            spread: true,
            unique: false,
        }
    }
}

/// Reads the table; `None` only after a fault. It has no effect where each client has an instance.
pub(super) fn read(table: &mut Table<'_>, per_client: bool) -> Option<Placement> {
    let Some(entry) = table.take("placement") else {
        return Some(Placement::default());
    };
    if per_client {
        let remedy = "remove it: a client's instance is placed on a host of the client's link";
        entry.fault("has no effect with instances = \"per-client\"", remedy);
        return None;
    }
    let mut table = entry.table()?;
    let role = read_word(table.take("role"), parse_role);
    let host = read_word(table.take("host"), parse_host);
    let spread = table.take("spread").map_or(Some(true), Entry::flag);
    let unique = table.take("unique").map_or(Some(false), Entry::flag);
    table.finish();
    Some(Placement {
        role: role?,
        host: host?,
        spread: spread?,
        unique: unique?,
    })
}

fn read_word(entry: Option<Entry<'_>>, parse: fn(&str) -> Result<String, String>) -> Option<Option<String>> {
    let Some(entry) = entry else { return Some(None) };
    entry.parse(HOST_REMEDY, parse).map(Some)
}
