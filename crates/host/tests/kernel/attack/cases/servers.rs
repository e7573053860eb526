//! Servers that only the operator may run: DHCPv6 and routers.

use orchestrator_host::DropCause;

use super::{SERVERS, Table, group, local};
use crate::attack::lab::Who;
use orchestrator_wire::packet;

pub(super) fn servers(t: &mut Table) {
    use Who::{Alice, Bob, Bridge, Instance, Stranger};
    let server = DropCause::DhcpServer;
    t.attack(
        "an instance is a DHCPv6 server",
        Instance,
        Alice,
        server,
        packet::udp(local(Instance, Alice), (547, 546), b"\x02advertise from an instance"),
    );
    t.attack(
        "a client is a DHCPv6 server",
        Alice,
        Bob,
        server,
        packet::udp(local(Alice, Bob), (547, 546), b"\x07reply from a client"),
    );
    t.attack(
        "a server sends from another port",
        Alice,
        Bob,
        server,
        packet::udp(local(Alice, Bob), (12345, 546), b"\x07reply from port 12345"),
    );
    t.attack(
        "a server's message is for the host itself",
        Alice,
        Bridge,
        server,
        packet::udp(local(Alice, Bridge), (547, 546), b"\x07reply to the host"),
    );
    t.attack(
        "a client poses as a relay agent",
        Alice,
        Bridge,
        DropCause::Relay,
        packet::udp(group(Alice, SERVERS), (547, 547), b"\x0crelay-forward of a client"),
    );
    t.attack(
        "a stranger relays from a client's port",
        Stranger,
        Bridge,
        DropCause::Relay,
        packet::udp(group(Stranger, SERVERS), (546, 547), b"\x0crelay-forward of a stranger"),
    );
    t.attack(
        "an instance asks for a lease",
        Instance,
        Bridge,
        DropCause::Host,
        packet::udp(group(Instance, SERVERS), (546, 547), b"\x01solicit of an instance"),
    );
}
