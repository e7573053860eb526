//! Connections through virtual addresses, as conntrack knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv6Addr;

use netlink_sys::Socket;

use crate::netfilter::{Attributes, Message, ask, attributes, dump};

// Subsystem of conntrack, its messages and its attributes (linux/netfilter/nfnetlink_conntrack.h).
const SUBSYSTEM: u16 = 1;
const GET: u16 = 1;
const DELETE: u16 = 2;
const IPV6: u8 = 10;
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const PROTOCOL_STATE: u16 = 4;
const ZONE: u16 = 18;
const ADDRESSES: u16 = 1;
const SOURCE: u16 = 3;
const DESTINATION: u16 = 4;
const TCP: u16 = 1;
const STATE: u16 = 1;
/// States of TCP in which one side at least may still send: from SYN_SENT to CLOSE_WAIT.
const OPEN: std::ops::RangeInclusive<u8> = 1..=5;

/// A connection that was led on from a virtual address.
struct Connection {
    /// The instance.
    instance: Ipv6Addr,
    /// Whether one side at least may still send.
    is_open: bool,
    /// What names it to the kernel.
    name: Attributes,
}

/// How many open connections each instance has.
pub(super) fn count(socket: &Socket, virtuals: &BTreeSet<Ipv6Addr>) -> io::Result<BTreeMap<Ipv6Addr, u64>> {
    let mut all = BTreeMap::new();
    each(socket, virtuals, |connection| {
        if connection.is_open {
            *all.entry(connection.instance).or_default() += 1;
        }
    })?;
    Ok(all)
}

/// Forgets the connections to others than these instances. Returns how many there were.
pub(super) fn forget(
    socket: &Socket,
    virtuals: &BTreeSet<Ipv6Addr>,
    instances: &BTreeSet<Ipv6Addr>,
) -> io::Result<u64> {
    let mut gone = Vec::new();
    each(socket, virtuals, |connection| {
        if !instances.contains(&connection.instance) {
            gone.push(connection.name);
        }
    })?;
    let mut forgotten = 0;
    for name in gone {
        let message = Message::new(SUBSYSTEM, DELETE).for_family(IPV6).having(name);
        match ask(socket, &[message]) {
            Ok(()) => forgotten += 1,
            // It has ended by itself.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(forgotten)
}

fn each(socket: &Socket, virtuals: &BTreeSet<Ipv6Addr>, mut then: impl FnMut(Connection)) -> io::Result<()> {
    let question = Message::new(SUBSYSTEM, GET).for_family(IPV6).for_all();
    // What changes meanwhile is seen the next time.
    dump(socket, &question, |body| {
        if let Some(connection) = read(body, virtuals) {
            then(connection);
        }
    })?;
    Ok(())
}

/// The connection in a message; `None` if it did not go to a virtual address, or was not led on.
fn read(body: &[u8], virtuals: &BTreeSet<Ipv6Addr>) -> Option<Connection> {
    let original = find(body, ORIGINAL)?;
    let asked = address(original, DESTINATION)?;
    let instance = address(find(body, REPLY)?, SOURCE)?;
    if !virtuals.contains(&asked) || asked == instance {
        return None;
    }
    let state = find(body, PROTOCOL_STATE).and_then(|info| find(find(info, TCP)?, STATE));
    // Other protocols have no end: they count until they are forgotten for silence.
    let is_open = state.and_then(<[u8]>::first).is_none_or(|state| OPEN.contains(state));
    let mut name = Attributes::default().with_raw(ORIGINAL, original);
    if let Some(zone) = find(body, ZONE) {
        name = name.with(ZONE, zone);
    }
    Some(Connection {
        instance,
        is_open,
        name,
    })
}

fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes)
        .find(|(kind, _)| *kind == wanted)
        .map(|(_, value)| value)
}

fn address(tuple: &[u8], which: u16) -> Option<Ipv6Addr> {
    let bytes = find(find(tuple, ADDRESSES)?, which)?;
    Some(<[u8; 16]>::try_from(bytes).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(source: &str, destination: &str) -> Attributes {
        let octets = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
        let addresses = Attributes::default()
            .with(SOURCE, &octets(source))
            .with(DESTINATION, &octets(destination));
        Attributes::default().with_nested(ADDRESSES, &addresses)
    }

    fn message(instance: &str, state: Option<u8>) -> Vec<u8> {
        let mut all = Attributes::default()
            .with_nested(ORIGINAL, &tuple("fd39::c", "fd39::aa"))
            .with_nested(REPLY, &tuple(instance, "fd39::c"));
        if let Some(state) = state {
            let tcp = Attributes::default().with(STATE, &[state]);
            all = all.with_nested(PROTOCOL_STATE, &Attributes::default().with_nested(TCP, &tcp));
        }
        let mut bytes = Vec::new();
        Message::new(SUBSYSTEM, GET).having(all).encode(1, &mut bytes);
        bytes.split_off(20)
    }

    #[test]
    fn a_connection_counts_until_both_sides_have_closed_it() {
        let virtuals = BTreeSet::from(["fd39::aa".parse().unwrap()]);
        for (state, open) in [
            (Some(3), true),
            (Some(5), true),
            (Some(7), false),
            (Some(8), false),
            (None, true),
        ] {
            let found = read(&message("fd39::1", state), &virtuals).unwrap();
            assert_eq!(found.is_open, open, "{state:?}");
            assert_eq!(found.instance, "fd39::1".parse::<Ipv6Addr>().unwrap());
        }
        assert!(
            read(&message("fd39::aa", Some(3)), &virtuals).is_none(),
            "it was not led on"
        );
        assert!(read(&message("fd39::1", Some(3)), &BTreeSet::new()).is_none());
        let whole = message("fd39::1", Some(3));
        for length in 0..whole.len() {
            let _cut = read(&whole[..length], &virtuals);
        }
    }
}
