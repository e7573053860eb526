//! What the packet filter has counted.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;

use netlink_sys::Socket;

use super::codec::{self, Counted};
use super::element::{Family, SetName};
use super::skeleton::{BRIDGE_CAUSES, INET_CAUSES};
use crate::netfilter::nftables::{GET_OBJECT, SUBSYSTEM};
use crate::netfilter::{Attributes, Message, attributes, dump};

/// Counters by cause: packets and bytes.
pub type ByCause = BTreeMap<&'static str, (u64, u64)>;

/// What the packet filter has counted since its rules were loaded. Causes are parts of names, such as `dhcp_server`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterCounts {
    /// What the rules did not allow, by cause.
    pub causes: ByCause,
    /// The same, by the interface that it came from.
    pub interfaces: BTreeMap<String, ByCause>,
    /// The same of frames, by the link-layer address of a client that is known.
    pub macs: BTreeMap<[u8; 6], ByCause>,
    /// The same of what the host routed, by the address of the instance.
    pub routed: BTreeMap<Ipv6Addr, ByCause>,
    /// What clients sent to the port of an instance.
    pub used_ports: BTreeMap<String, (u64, u64)>,
    /// What clients sent to the address of an instance through the host.
    pub used_addresses: BTreeMap<Ipv6Addr, (u64, u64)>,
}

/// Reads all counters.
pub(super) fn read(socket: &Socket, table: &str) -> io::Result<FilterCounts> {
    let mut counts = FilterCounts::default();
    for (family, causes) in [(Family::Bridge, &BRIDGE_CAUSES[..]), (Family::Inet, &INET_CAUSES[..])] {
        for (name, counted) in objects(socket, table, family)? {
            let cause = causes.iter().find(|cause| name.strip_prefix("c_") == Some(**cause));
            if let Some(cause) = cause {
                add(counts.causes.entry(cause).or_default(), counted);
            }
        }
    }
    for (cause, port_set, mac_set) in BRIDGE_SETS {
        if counts.causes.get(cause).is_none_or(|(packets, _)| *packets == 0) {
            continue;
        }
        for (key, counted) in set(socket, table, Family::Bridge, port_set)? {
            let of = counts.interfaces.entry(codec::text(&key)).or_default();
            add(of.entry(cause).or_default(), counted);
        }
        for (key, counted) in set(socket, table, Family::Bridge, mac_set)? {
            if let Some(mac) = key.get(..6).and_then(|mac| <[u8; 6]>::try_from(mac).ok()) {
                add(counts.macs.entry(mac).or_default().entry(cause).or_default(), counted);
            }
        }
    }
    for (cause, address_set) in INET_SETS {
        for (key, counted) in set(socket, table, Family::Inet, address_set)? {
            if let Some(address) = address(&key) {
                add(
                    counts.routed.entry(address).or_default().entry(cause).or_default(),
                    counted,
                );
            }
        }
    }
    for used in ["o_used", "o_to"] {
        let counts_of = set(socket, table, Family::Bridge, used)?.into_iter();
        for (key, counted) in counts_of.filter(|(_, (packets, _))| *packets > 0) {
            let port = codec::text(key.get(..16).unwrap_or_default());
            add(counts.used_ports.entry(port).or_default(), counted);
        }
    }
    for (key, counted) in set(socket, table, Family::Inet, "o_used")? {
        counts
            .used_addresses
            .extend(address(&key).map(|address| (address, counted)));
    }
    Ok(counts)
}

macro_rules! sets {
    ($($cause:literal),*) => {
        [$(($cause, concat!("p_", $cause), concat!("m_", $cause))),*]
    };
}

const BRIDGE_SETS: [(&str, &str, &str); 17] = sets!(
    "ethernet",
    "header",
    "routing_header",
    "router_advertisement",
    "redirect",
    "listener_query",
    "dhcp_server",
    "relay",
    "neighbor",
    "source",
    "place",
    "flood",
    "rate",
    "pair",
    "clients",
    "egress",
    "host"
);
const INET_SETS: [(&str, &str); 3] = [("pair", "r_pair"), ("egress", "r_egress"), ("host", "r_host")];

fn add(to: &mut (u64, u64), (packets, bytes): Counted) {
    to.0 += packets;
    to.1 += bytes;
}

fn address(key: &[u8]) -> Option<Ipv6Addr> {
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(key).ok()?))
}

/// The keys of a set that counts, each with what it counted.
fn set(socket: &Socket, table: &str, family: Family, name: &'static str) -> io::Result<Vec<(Vec<u8>, Counted)>> {
    let set = SetName::Named(name);
    let mut found = Vec::new();
    // What changes meanwhile is counted the next time.
    dump(socket, &codec::question(table, family, set), |body| {
        let elements = codec::elements(body, family, set).into_iter();
        found.extend(elements.filter_map(|(element, counted)| Some((element.key, counted?))));
    })?;
    Ok(found)
}

/// The named counters of a table.
fn objects(socket: &Socket, table: &str, family: Family) -> io::Result<Vec<(String, Counted)>> {
    const COUNTER: u32 = 1;
    const NAME: u16 = 2;
    const DATA: u16 = 4;
    let question = Message::new(SUBSYSTEM, GET_OBJECT)
        .for_family(family.number())
        .for_all()
        .having(Attributes::default().with_text(1, table).with_number(3, COUNTER));
    let mut found = Vec::new();
    dump(socket, &question, |body| {
        let (mut name, mut counted) = (String::new(), (0, 0));
        for (kind, value) in attributes(body) {
            match kind {
                NAME => name = codec::text(value),
                DATA => counted = codec::read_counter(value),
                _ => {}
            }
        }
        found.push((name, counted));
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_sets() {
        assert_eq!(BRIDGE_SETS.map(|(cause, ..)| cause), BRIDGE_CAUSES);
        assert_eq!(INET_SETS.map(|(cause, _)| cause), INET_CAUSES);
    }
}
