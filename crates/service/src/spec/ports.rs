//! `ports`: the ports of a service, by name.

use std::collections::BTreeMap;

use orchestrator_model::{ServicePort, Transport};
use orchestrator_settings::{Entry, Table, nearest, one_of};

use super::name::is_label;

/// The largest number of ports.
const MOST: usize = 64;
/// The longest name of a port, in bytes (RFC 6335 §5.1).
const LONGEST: usize = 15;

/// Reads all ports. Those with faults are left out.
pub(super) fn read(table: &mut Table<'_>) -> BTreeMap<String, ServicePort> {
    let mut section = table.section("ports");
    let entries = section.drain();
    if entries.len() > MOST {
        table.fault(
            "ports",
            format!("has {} ports", entries.len()),
            format!("take at most {MOST}"),
        );
        return BTreeMap::new();
    }
    let mut ports = BTreeMap::new();
    for (name, entry) in entries {
        if !is_label(&name) || name.len() > LONGEST || !name.bytes().any(|byte| byte.is_ascii_lowercase()) {
            let what = format!("{name:?} cannot be the name of a port");
            entry.fault(
                what,
                "take at most 15 small letters, digits and \"-\", and at least one letter",
            );
        }
        if let Some(port) = read_port(entry) {
            ports.insert(name, port);
        }
    }
    ports
}

fn read_port(entry: Entry<'_>) -> Option<ServicePort> {
    if !entry.is_table() {
        let transport = Transport::Tcp;
        return entry.whole(1..=65_535).map(|number| ServicePort { number, transport });
    }
    let mut table = entry.table()?;
    let number = table.need("number", "give the port's number, like 80");
    let number = number.and_then(|entry| entry.whole(1..=65_535));
    let words = [Transport::Tcp, Transport::Udp].map(|transport| (transport.word(), transport));
    let transport = match table.take("transport") {
        Some(entry) => entry.choice(&words),
        None => Some(Transport::Tcp),
    };
    table.finish();
    Some(ServicePort {
        number: number?,
        transport: transport?,
    })
}

/// Reads the name of a port of the service. Without the key, the only TCP port is meant.
pub(super) fn read_name(table: &mut Table<'_>, ports: &BTreeMap<String, ServicePort>, tcp: bool) -> Option<String> {
    let fitting = || {
        ports
            .iter()
            .filter(|(_, port)| !tcp || port.transport == Transport::Tcp)
    };
    match table.take("port") {
        Some(entry) => named(entry, ports, tcp),
        None => {
            let mut all = fitting();
            if let (Some((name, _)), None) = (all.next(), all.next()) {
                return Some(name.clone());
            }
            table.fault(
                "port",
                "is missing",
                remedy(fitting().map(|(name, _)| name.as_str()).collect()),
            );
            None
        }
    }
}

/// Reads the name of a port of the service from this entry.
pub(super) fn named(entry: Entry<'_>, ports: &BTreeMap<String, ServicePort>, tcp: bool) -> Option<String> {
    let fits = |port: &ServicePort| !tcp || port.transport == Transport::Tcp;
    let find = |name: &str| ports.get(name).filter(|port| fits(port)).map(|_| name.to_owned());
    entry.look_up(find, |name| {
        if ports.contains_key(name) {
            let what = format!("{name:?} is no port of TCP");
            return (what, "name a port of TCP".to_owned());
        }
        let known: Vec<&str> = ports
            .iter()
            .filter(|(_, port)| fits(port))
            .map(|(name, _)| name.as_str())
            .collect();
        let remedy = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => remedy(known),
        };
        (format!("there is no port {name:?}"), remedy)
    })
}

fn remedy(known: Vec<&str>) -> String {
    match known.is_empty() {
        true => "name a port under `ports`, like ports = { http = 8080 }".to_owned(),
        false => format!("write {}", one_of(known)),
    }
}
