//! What root tries in a container that may use raw sockets and change its interface.

use super::{Table, udp, udp_as};
use crate::attack::case::{Act, Through, mark};
use crate::attack::stage::Who;
use orchestrator_wire::packet::{self, Ends, ICMPV6, UDP};

/// The groups of all nodes, and of all DHCPv6 servers and relay agents.
const ALL_NODES: &str = "ff02::1";
const SERVERS: &str = "ff02::1:2";

pub(super) fn ways(t: &mut Table<'_>) {
    use Who::{Alice, Host, Mallory, Root, User};
    let to_mallory = Through::At(Mallory);
    let own = t.ends(Root, Mallory);
    let forged = |ends: Ends| packet::udp(ends, (9000, 9), &mark(900_001));
    let sources = [
        (
            "an address of another client",
            Ends {
                from: t.address(Alice),
                ..own
            },
        ),
        (
            "another client's both addresses",
            Ends {
                from: t.address(Alice),
                from_mac: t.mac(Alice),
                ..own
            },
        ),
        ("its client's other instance's both addresses", t.ends(User, Mallory)),
        ("the host's both addresses", t.ends(Host, Mallory)),
    ];
    for (whose, ends) in sources {
        let is_own = ends.from_mac == t.mac(Root);
        let case = t.add(
            &format!("a frame from {whose}"),
            Root,
            Act::Frame(forged(ends)),
            to_mallory,
            Some("source"),
        );
        case.held = !is_own;
    }
    let direct = packet::udp(t.ends(Root, Alice), (9000, 9), &mark(900_002));
    t.add(
        "a frame to another client",
        Root,
        Act::Frame(direct),
        Through::At(Alice),
        Some("pair"),
    );
    for (name, whose) in [("the router's", Host), ("another client's", Alice)] {
        let advert = packet::advert(t.local(Root, Mallory), t.address(whose), Some(t.mac(Root)));
        t.add(
            &format!("advertise {name} address"),
            Root,
            Act::Frame(advert),
            to_mallory,
            Some("neighbor"),
        );
    }
    for (name, kind, payload) in [
        ("ARP", 0x0806, [1; 28]),
        ("IPv4", 0x0800, [0x45; 28]),
        ("a VLAN", 0x8100, [0; 28]),
    ] {
        let ends = Ends {
            to_mac: [0xff; 6],
            ..own
        };
        let frame = packet::ethernet(ends, kind, &[&payload[..], &mark(900_003)].concat());
        t.add(
            &format!("a frame of {name}"),
            Root,
            Act::Frame(frame),
            to_mallory,
            Some("ethernet"),
        );
    }
    for (name, frame, cause) in packets(t, Root, Mallory) {
        t.add(name, Root, Act::Frame(frame), to_mallory, Some(cause));
    }
    let relayed = packet::udp(
        t.group(Root, SERVERS),
        (547, 547),
        &[&[12, 0][..], &mark(900_004)].concat(),
    );
    t.add(
        "be a relay agent",
        Root,
        Act::Frame(relayed),
        Through::At(Host),
        Some("dhcp_server"),
    );
    // What it changes of its own interface.
    let next = if t.stage.shape.front_door { Host } else { Mallory };
    // The host answers to the link-layer address that it has of an instance, and not to another one.
    let hop = t.address(next);
    let neighbor = format!(
        "neigh replace {hop} lladdr {} dev eth1 nud permanent",
        mac_text(t.mac(next))
    );
    let (changed, mac) = ("02:00:00:00:00:77", mac_text(t.mac(Root)));
    let to = t.address(Mallory);
    let case = t.add(
        "change its link-layer address",
        Root,
        udp(to, 9),
        to_mallory,
        Some("neighbor|source"),
    );
    case.held = true;
    case.before = vec![format!("link set dev eth1 address {changed}"), neighbor.clone()];
    case.after = vec![
        format!("link set dev eth1 address {mac}"),
        format!("neigh flush {hop} dev eth1"),
    ];
    let taken = t.address(Alice);
    let case = t.add(
        "take another client's address",
        Root,
        udp_as(taken, to, 9),
        to_mallory,
        Some("source"),
    );
    case.before = vec![format!("-6 address add {taken}/128 dev eth1"), neighbor];
    case.after = vec![
        format!("-6 address delete {taken}/128 dev eth1"),
        format!("neigh flush {hop} dev eth1"),
    ];
}

/// Packets that nobody may send, from one to another.
pub(super) fn packets(t: &Table<'_>, from: Who, to: Who) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let (ends, local, nodes) = (t.ends(from, to), t.local(from, to), t.group(from, ALL_NODES));
    let datagram = packet::udp_bytes(ends, (9000, 9), &mark(900_005));
    let routing = [&[UDP, 2, 0, 1, 0, 0, 0, 0][..], &ends.to.octets(), &datagram].concat();
    let router = [&[64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 2][..], &[5, 1, 0, 0, 0, 0, 5, 220]].concat();
    let router = packet::icmp_bytes(nodes, 134, &router);
    let unique = [&[0xfe, 0x80, 0, 0][..], &mark(900_011)].concat();
    let advert = packet::icmp_bytes(local, 136, &[&[0x60, 0, 0, 0][..], &unique].concat());
    let hidden = [&[ICMPV6, 0, 1, 4, 0, 0, 0, 0][..], &advert].concat();
    let redirect = [&[0; 4][..], &local.from.octets(), &unique].concat();
    let query = [&[0, 0, 0, 0, 0xff, 0x12, 0, 0][..], &mark(900_012)].concat();
    let server = [&[7, 0, 0, 1][..], &mark(900_006)].concat();
    vec![
        (
            "advertise itself as router",
            packet::ipv6(nodes, ICMPV6, 255, &router),
            "router_advertisement",
        ),
        (
            "a router advertisement in a fragment",
            packet::fragment(nodes, ICMPV6, 0, false, &router),
            "header",
        ),
        (
            "an advertisement behind another header",
            packet::ipv6(local, 60, 255, &hidden),
            "header",
        ),
        ("redirect", packet::icmp(local, 137, 255, &redirect), "redirect"),
        (
            "a routing header",
            packet::ipv6(ends, 43, 64, &routing),
            "routing_header",
        ),
        (
            "a multicast listener query",
            packet::icmp(nodes, 130, 1, &query),
            "listener_query",
        ),
        (
            "a protocol that nobody uses",
            packet::ipv6(ends, 200, 64, &mark(900_007)),
            "header",
        ),
        (
            "a solicitation from afar",
            {
                let body = [&[0; 4][..], &unique].concat();
                packet::icmp(local, 135, 64, &body)
            },
            "neighbor",
        ),
        (
            "a reply of a DHCPv6 server",
            packet::udp(local, (547, 546), &server),
            "dhcp_server",
        ),
    ]
}

pub(super) fn mac_text(mac: packet::Mac) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}
