//! What is recorded about other DHCPv6 servers and routers on a link.

use std::net::Ipv6Addr;

use orchestrator_model::EventKind;
use orchestrator_network::{OriginRecord, OriginSender};

use super::origins::port_name;
use super::watch::Watch;

/// The number of other servers and routers that are kept until a listener takes them.
const SENDERS: usize = 64;

/// Another DHCPv6 server or router on a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObservedSender {
    /// The index of the bridge.
    pub(super) bridge: u32,
    /// The index of the bridge port.
    port: u32,
    /// The link-layer address of its frames.
    pub(super) link_layer: [u8; 6],
    /// The address that it sends from.
    pub(super) address: Ipv6Addr,
    /// Whether it is a router, and no server.
    pub(super) is_router: bool,
}

impl ObservedSender {
    /// The name of its bridge port, if that is still there.
    pub(super) fn port(&self) -> Option<String> {
        port_name(self.port)
    }

    fn place(&self) -> String {
        self.port().unwrap_or_else(|| "that is gone".to_owned())
    }

    fn name(&self) -> String {
        let [a, b, c, d, e, f] = self.link_layer;
        format!("{} ({a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x})", self.address)
    }
}

/// Keeps another server or router that was observed, unless it is kept already. The oldest makes room: that of a bridge
/// which no listener serves is never taken.
pub(super) fn note_sender(senders: &mut Vec<ObservedSender>, record: &OriginRecord) {
    let sender = ObservedSender {
        bridge: record.bridge,
        port: record.port,
        link_layer: record.link_layer,
        address: record.source,
        is_router: record.sender == OriginSender::Router,
    };
    if senders.contains(&sender) {
        return;
    }
    if senders.len() >= SENDERS {
        senders.remove(0);
    }
    senders.push(sender);
}

impl Watch {
    /// Records a server whose message to a client was observed.
    pub(super) fn tell_server(&mut self, server: &ObservedSender) {
        let detail = format!(
            "another DHCPv6 server, {}, answers clients on the link, at the bridge port {}. Stop it, or clients may take \
             its addresses and name servers",
            server.name(),
            server.place()
        );
        self.count_other_server();
        self.tell_other(EventKind::OtherServer, (server.address, server.link_layer), detail);
    }

    /// Records a router whose advertisement was observed, which the packet filter may have dropped.
    pub(super) fn tell_router(&mut self, router: &ObservedSender) {
        let detail = format!(
            "another router, {}, advertises itself on the link, at the bridge port {}. If it should not be there, take it \
             off; if it should, name the port in router_ports of the link",
            router.name(),
            router.place()
        );
        self.tell_other(EventKind::OtherRouter, (router.address, router.link_layer), detail);
    }

    /// Records that a client has taken the offer of another server, which its message names.
    pub(super) fn tell_chosen(&mut self, client: Ipv6Addr) {
        let detail = format!(
            "the client at {client} has taken the offer of another DHCPv6 server on the link. `orchestrator check` asks \
             which servers there are. Stop the other one, or remove the client's old lease"
        );
        self.count_other_server();
        self.tell_other(EventKind::OtherServer, "taken", detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    #[test]
    fn other_senders_are_kept_once_and_a_flood_of_them_takes_a_fixed_amount_of_memory() {
        let mut senders = Vec::new();
        for n in 0..3 * SENDERS {
            for sender in [OriginSender::Server, OriginSender::Router] {
                let record = OriginRecord {
                    mark: None,
                    bridge: 1,
                    port: u32::try_from(n).unwrap(),
                    link_layer: [2, 0, 0, 0, 0, 9],
                    source: SERVER,
                    sender,
                };
                for _ in 0..2 {
                    note_sender(&mut senders, &record);
                }
            }
        }
        assert_eq!(senders.len(), SENDERS);
        let last = &senders[SENDERS - 2..];
        assert!(
            last.iter()
                .all(|one| one.port == u32::try_from(3 * SENDERS - 1).unwrap())
        );
        assert_eq!((last[0].is_router, last[1].is_router), (false, true));
    }
}
