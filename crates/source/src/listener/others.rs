//! What is recorded about other DHCPv6 servers on a link.

use std::net::Ipv6Addr;

use super::origins::ObservedServer;
use super::watch::Watch;

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
