//! `placement`: the hosts that instances may be placed on.

use orchestrator_settings::{Entry, Table};

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
    let role = read_word(table.take("role"));
    let host = read_word(table.take("host"));
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

fn read_word(entry: Option<Entry<'_>>) -> Option<Option<String>> {
    let Some(entry) = entry else { return Some(None) };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let remedy = "take at most 63 letters, digits, \"-\", \"_\" and \".\"";
    let parse = |text: &str| match (1..=63).contains(&text.len()) && text.bytes().all(known) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} cannot be the name of a role or a host")),
    };
    entry.parse(remedy, parse).map(Some)
}
