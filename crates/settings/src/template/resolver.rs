//! `[template.NAME.resolver]`: the name resolution of an instance.

use std::net::IpAddr;

use crate::prefix::parse_domain;
use crate::reader::{Entry, Table};
use orchestrator_model::Resolver;

/// The largest number of servers. C libraries ask no more.
const MOST_SERVERS: usize = 3;
const MOST_DOMAINS: usize = 16;

const NEEDED: &str = "name at least one address, like \"fd39::53\"";

/// Reads the resolver; `None` only after a fault.
pub(super) fn read(mut table: Table<'_>) -> Option<Resolver> {
    let address = |entry: Entry<'_>| entry.parse("write it like \"fd39::53\"", parse_address);
    let servers = table.need("servers", NEEDED);
    let servers = servers.and_then(|entry| entry.list_of(MOST_SERVERS, address));
    let is_empty = servers.as_ref().is_some_and(Vec::is_empty);
    if is_empty {
        table.fault("servers", "names none", NEEDED);
    }
    let domain = |entry: Entry<'_>| entry.parse("write it like \"example.org\"", parse_domain);
    let search = table
        .take("search")
        .map_or(Some(Vec::new()), |entry| entry.list_of(MOST_DOMAINS, domain));
    table.finish();
    Some(Resolver {
        servers: servers.filter(|_| !is_empty)?,
        search: search?,
    })
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address"))
}
