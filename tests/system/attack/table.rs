//! All forbidden ways.

mod client;
mod process;
mod root;

use std::net::Ipv6Addr;

use super::case::{Act, Case, Through};
use super::stage::{Stage, Who};
use orchestrator_wire::packet::{Ends, Mac, group_mac};

/// The ways that are tried on a stage.
pub(super) struct Table<'a> {
    stage: &'a Stage,
    cases: Vec<Case>,
}

/// All of them.
pub(super) fn all(stage: &Stage) -> Vec<Case> {
    let mut table = Table {
        stage,
        cases: Vec::new(),
    };
    process::ways(&mut table);
    root::ways(&mut table);
    client::ways(&mut table);
    table.cases
}

impl Table<'_> {
    fn add(&mut self, name: &str, from: Who, act: Act, through: Through, cause: Option<&'static str>) -> &mut Case {
        self.cases.push(Case {
            name: format!("{from:?}: {name}"),
            from,
            act,
            through,
            cause,
            before: Vec::new(),
            after: Vec::new(),
            held: false,
        });
        let last = self.cases.len() - 1;
        &mut self.cases[last]
    }

    fn address(&self, who: Who) -> Ipv6Addr {
        self.stage.party(who).address
    }

    fn link_local(&self, who: Who) -> Ipv6Addr {
        self.stage.party(who).link_local
    }

    fn mac(&self, who: Who) -> Mac {
        self.stage.party(who).mac
    }

    /// From one to another by their addresses.
    fn ends(&self, from: Who, to: Who) -> Ends {
        Ends {
            from_mac: self.mac(from),
            to_mac: self.mac(to),
            from: self.address(from),
            to: self.address(to),
        }
    }

    /// The same by link-local addresses.
    fn local(&self, from: Who, to: Who) -> Ends {
        Ends {
            from: self.link_local(from),
            to: self.link_local(to),
            ..self.ends(from, to)
        }
    }

    /// From a link-local address to a group.
    fn group(&self, from: Who, group: &str) -> Ends {
        let to = group.parse().unwrap();
        Ends {
            from_mac: self.mac(from),
            to_mac: group_mac(to),
            from: self.link_local(from),
            to,
        }
    }
}

/// A datagram without anything special.
fn udp(to: impl ToString, port: u16) -> Act {
    Act::Udp {
        to: to.to_string(),
        port,
        from: None,
        from_port: None,
        size: 100,
    }
}

/// A datagram from an address that is not the sender's.
fn udp_as(from: Ipv6Addr, to: impl ToString, port: u16) -> Act {
    Act::Udp {
        to: to.to_string(),
        port,
        from: Some(from),
        from_port: None,
        size: 100,
    }
}

fn tcp(to: impl ToString, port: u16) -> Act {
    Act::Tcp(to.to_string(), port, None)
}
