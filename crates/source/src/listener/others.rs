//! What is recorded about other DHCPv6 servers on a link.

use std::net::Ipv6Addr;

use orchestrator_network::OriginRecord;

use super::origins::port_name;
use super::watch::Watch;

/// The number of other servers that are kept until a listener takes them.
const SERVERS: usize = 64;

/// Another DHCPv6 server that answers clients on a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObservedServer {
    /// The index of the bridge.
    pub(super) bridge: u32,
    /// The index of the bridge port.
    port: u32,
    /// The link-layer address of its frames.
    pub(super) link_layer: [u8; 6],
    /// The address that it sends from.
    pub(super) address: Ipv6Addr,
}

impl ObservedServer {
    /// The name of its bridge port, if that is still there.
    pub(super) fn port(&self) -> Option<String> {
        port_name(self.port)
    }
}

/// Keeps another server that was observed, unless it is kept already or too many are.
pub(super) fn note_server(servers: &mut Vec<ObservedServer>, record: &OriginRecord) {
    let server = ObservedServer {
        bridge: record.bridge,
        port: record.port,
        link_layer: record.link_layer,
        address: record.source,
    };
    if servers.len() < SERVERS && !servers.contains(&server) {
        servers.push(server);
    }
}

impl Watch {
    /// Records a server whose message to a client was observed.
    pub(super) fn tell_server(&mut self, server: &ObservedServer) {
        let [a, b, c, d, e, f] = server.link_layer;
        let port = server.port().unwrap_or_else(|| "that is gone".to_owned());
        let detail = format!(
            "another DHCPv6 server, {} ({a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}), answers clients on the link, at the \
             bridge port {port}. Stop it, or clients may take its addresses and name servers",
            server.address
        );
        self.tell_other((server.address, server.link_layer), detail);
    }

    /// Records that a client has taken the offer of another server, which its message names.
    pub(super) fn tell_chosen(&mut self, client: Ipv6Addr) {
        let detail = format!(
            "the client at {client} has taken the offer of another DHCPv6 server on the link. `orchestrator check` asks \
             which servers there are. Stop the other one, or remove the client's old lease"
        );
        self.tell_other("taken", detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    #[test]
    fn other_servers_are_kept_once_and_a_flood_of_them_takes_a_fixed_amount_of_memory() {
        let mut servers = Vec::new();
        for n in 0..3 * SERVERS {
            let record = OriginRecord {
                mark: None,
                bridge: 1,
                port: u32::try_from(n).unwrap(),
                link_layer: [2, 0, 0, 0, 0, 9],
                source: SERVER,
                from_server: true,
            };
            for _ in 0..2 {
                note_server(&mut servers, &record);
            }
        }
        assert_eq!(servers.len(), SERVERS);
        assert_eq!((servers[1].port, servers[1].address), (1, SERVER));
    }
}
