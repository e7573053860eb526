//! `[[link.relay]]`: the relay agents of a link that do not send an address of it.

use std::net::Ipv6Addr;

use orchestrator_dhcp6::{OpaqueId, RelayKey};

use super::fault::Collector;
use super::link::Outline;
use super::reader::{Entry, Table};

/// The largest number of relay agents of a link.
const MOST: usize = 256;

/// Reads the relay agents of a link, and leaves out those with faults.
pub(super) fn read_all(link: &mut Table<'_>) -> Vec<RelayKey> {
    let entries = link.take("relay").and_then(|entry| entry.list(MOST));
    let tables = entries.into_iter().flatten().filter_map(Entry::table);
    tables.filter_map(read).collect()
}

fn read(mut table: Table<'_>) -> Option<RelayKey> {
    if !table.has("address") && !table.has("interface_id") {
        let remedy = "give its address, its interface_id, or both";
        table.faults().at(table.path(), "tells no relay agent", remedy);
    }
    let address = table.take("address");
    let address = address.and_then(|entry| entry.parse("write it like \"fe80::5\"", parse_address));
    let remedy = "write text, or hexadecimal digits like \"0x00ff\"";
    let id = table.take("interface_id");
    let interface_id = id.and_then(|entry| entry.parse(remedy, str::parse::<OpaqueId>));
    // A value that cannot be read was reported already, and a key without it would be wrong.
    let is_read = table.has("address") == address.is_some() && table.has("interface_id") == interface_id.is_some();
    table.finish();
    (is_read && (address.is_some() || interface_id.is_some())).then_some(RelayKey { address, interface_id })
}

fn parse_address(text: &str) -> Result<Ipv6Addr, String> {
    let address: Ipv6Addr = text.parse().map_err(|_| format!("{text:?} is not an IPv6 address"))?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(format!("{address} is no relay agent's"));
    }
    Ok(address)
}

/// Checks that no relay agent belongs to two links.
pub(super) fn known_once(links: &[Outline], faults: &Collector) {
    let keys: Vec<(String, &RelayKey)> = links.iter().flat_map(keys_of).collect();
    for (index, (key, relay)) in keys.iter().enumerate() {
        if let Some((earlier, _)) = keys.iter().take(index).find(|(_, other)| other == relay) {
            let remedy = "have each relay agent on one link; an interface_id tells several links of one apart";
            faults.at(key.clone(), format!("is the relay agent of {earlier} already"), remedy);
        }
    }
}

fn keys_of(link: &Outline) -> impl Iterator<Item = (String, &RelayKey)> {
    let keys = link.relays.iter().enumerate();
    keys.map(|(index, relay)| (format!("{}.relay[{index}]", link.key), relay))
}

#[cfg(test)]
mod tests;
