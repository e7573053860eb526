//! The table of the suite: each frame, and why it is dropped.

mod discovery;
mod headers;
mod honest;
mod pairs;
mod servers;
mod sources;
mod through_the_host;

use std::net::Ipv6Addr;

use orchestrator_host::DropCause;

use super::lab::{HOST_MAC, Who};
use orchestrator_wire::packet::{Ends, Mac, group_mac};

/// One frame.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) from: Who,
    pub(crate) to: Who,
    pub(crate) frame: Vec<u8>,
    /// Why it is dropped; `None` for honest traffic.
    pub(crate) cause: Option<DropCause>,
}

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// From one to another by their addresses.
fn ends(from: Who, to: Who) -> Ends {
    Ends {
        from_mac: from.mac(),
        to_mac: to.mac(),
        from: from.address(),
        to: to.address(),
    }
}

/// The same, by way of the host.
fn routed(from: Who, to: Who) -> Ends {
    let to_mac = if from == Who::Far { [2, 0, 0, 0, 0, 2] } else { HOST_MAC };
    Ends {
        to_mac,
        ..ends(from, to)
    }
}

fn local(from: Who, to: Who) -> Ends {
    Ends {
        from: from.link_local(),
        to: to.link_local(),
        ..ends(from, to)
    }
}

fn group(from: Who, to: &str) -> Ends {
    Ends {
        from: from.link_local(),
        to: address(to),
        to_mac: group_mac(address(to)),
        from_mac: from.mac(),
    }
}

fn as_from(ends: Ends, from: Ipv6Addr) -> Ends {
    Ends { from, ..ends }
}

fn as_mac(ends: Ends, from_mac: Mac) -> Ends {
    Ends { from_mac, ..ends }
}

struct Table(Vec<Case>);

impl Table {
    fn attack(&mut self, name: &'static str, from: Who, to: Who, cause: DropCause, frame: Vec<u8>) {
        let cause = Some(cause);
        self.0.push(Case {
            name,
            from,
            to,
            frame,
            cause,
        });
    }

    fn honest(&mut self, name: &'static str, from: Who, to: Who, frame: Vec<u8>) {
        let cause = None;
        self.0.push(Case {
            name,
            from,
            to,
            frame,
            cause,
        });
    }
}

/// What each payload ends with.
const MARK: [u8; 12] = *b"attack suite";
/// The body of a router advertisement with a source link-layer address that nobody has.
///
/// The tests recognise a packet by its last eight bytes, and the kernel sends none with these. The kernel's multicast
/// report for the group of all routers ends with seven zeros and a two.
const ADVERTISEMENT: &[u8] = &[
    64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 6, 0xba, 0xd0, 0xad, 0xde, 0xad,
];

const ALL_NODES: &str = "ff02::1";
const SERVERS: &str = "ff02::1:2";

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    let mut table = Table(Vec::new());
    sources::sources(&mut table);
    discovery::discovery(&mut table);
    servers::servers(&mut table);
    headers::headers(&mut table);
    pairs::pairs(&mut table);
    through_the_host::through_the_host(&mut table);
    honest::honest(&mut table);
    table.0
}
