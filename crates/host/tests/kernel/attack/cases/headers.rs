//! Headers that hide what a packet is.

use std::net::Ipv6Addr;

use orchestrator_host::DropCause;

use super::{ADVERTISEMENT, ALL_NODES, MARK, Table, ends, group, local};
use crate::attack::lab::Who;
use orchestrator_wire::packet::{self, ICMPV6, UDP};

pub(super) fn headers(t: &mut Table) {
    use Who::{Alice, Bob, Instance};
    let ends_of = ends(Alice, Bob);
    let mark = MARK;
    let datagram = packet::udp_bytes(ends_of, (4000, 4000), &mark);
    let routing = [&[UDP, 2, 0, 1, 0, 0, 0, 0][..], &Bob.address().octets(), &datagram].concat();
    t.attack(
        "a client sends a routing header",
        Alice,
        Bob,
        DropCause::RoutingHeader,
        packet::ipv6(ends_of, 43, 64, &routing),
    );
    let advert =
        |ends, target: Ipv6Addr| packet::icmp_bytes(ends, 136, &[&[0x60, 0, 0, 0][..], &target.octets()].concat());
    let behind = |inner: &[u8]| [&[ICMPV6, 0, 1, 4, 0, 0, 0, 0][..], inner].concat();
    let hidden = behind(&advert(local(Alice, Bob), Bob.address()));
    t.attack(
        "an advertisement hides behind destination options",
        Alice,
        Bob,
        DropCause::Header,
        packet::ipv6(local(Alice, Bob), 60, 255, &hidden),
    );
    let router = packet::icmp_bytes(group(Alice, ALL_NODES), 134, ADVERTISEMENT);
    t.attack(
        "a router advertisement hides behind a hop-by-hop header",
        Alice,
        Bob,
        DropCause::Header,
        packet::ipv6(group(Alice, ALL_NODES), 0, 255, &behind(&router)),
    );
    t.attack(
        "a router advertisement is a fragment",
        Alice,
        Bob,
        DropCause::Header,
        packet::fragment(group(Alice, ALL_NODES), ICMPV6, 0, false, &router),
    );
    let parts = packet::udp_bytes(local(Instance, Alice), (547, 546), b"\x07in two fragments");
    t.attack(
        "a server's message is in fragments",
        Instance,
        Alice,
        DropCause::Header,
        packet::fragment(local(Instance, Alice), UDP, 0, true, &parts[..16]),
    );
    t.attack(
        "a fragment goes to a link-local address",
        Alice,
        Bob,
        DropCause::Header,
        packet::fragment(local(Alice, Bob), UDP, 1, false, &mark),
    );
    t.attack(
        "a protocol that nobody uses",
        Alice,
        Bob,
        DropCause::Header,
        packet::ipv6(ends_of, 200, 64, &mark),
    );
}
