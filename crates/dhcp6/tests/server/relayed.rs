//! Messages that came through relays: rows 26, 27 and 61 to 65.

use std::net::{Ipv6Addr, SocketAddrV6};

use orchestrator_dhcp6::{Answer, Discard, Inbound, MAX_RELAYS, RelayKey};
use orchestrator_wire::*;

use crate::lab::{Lab, XID, address, client, client_source, server_id};

fn ask(lab: &Lab, datagram: &[u8], port: u16) -> Result<Answer, Discard> {
    let source = SocketAddrV6::new(address("2001:db8:0:9::1"), port, 0, 0);
    let inbound = Inbound {
        datagram,
        source,
        multicast: false,
    };
    lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now)
}

fn unwrap(datagram: &[u8]) -> Relayed {
    let layer = Relayed::parse(datagram);
    assert_eq!(layer.kind, RELAY_REPL);
    layer
}

/// The options of a layer, but for the message inside.
fn beside(layer: Relayed) -> Vec<(u16, Vec<u8>)> {
    layer.options.into_iter().collect()
}

fn on_link() -> Ipv6Addr {
    address("2001:db8:0:1::ffff")
}

const CLIENT: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const NOWHERE: Ipv6Addr = Ipv6Addr::UNSPECIFIED;

fn solicit() -> Vec<u8> {
    message(SOLICIT, XID, &[client(1), ia_na(1, &[])])
}

#[test]
fn row_26_the_innermost_address_that_is_not_zero_names_the_link() {
    let far = address("2001:db8:0:77::1");
    let way = |links: &[Ipv6Addr]| {
        let datagram = (0u8..).zip(links).fold(solicit(), |inner, (hop, link)| {
            relay_forw(hop, *link, CLIENT, &[], &inner)
        });
        Inbound {
            datagram: &datagram,
            source: client_source(),
            multicast: false,
        }
        .link_address()
    };
    assert_eq!(way(&[]), Ok(None));
    assert_eq!(way(&[NOWHERE]), Ok(None));
    assert_eq!(way(&[on_link()]), Ok(Some(on_link())));
    assert_eq!(way(&[on_link(), far]), Ok(Some(on_link())));
    assert_eq!(way(&[NOWHERE, on_link(), far]), Ok(Some(on_link())));
    assert_eq!(way(&[NOWHERE, NOWHERE, far]), Ok(Some(far)));
}

#[test]
fn row_27_another_link_is_not_served() {
    let lab = Lab::new();
    let far = address("2001:db8:0:77::1");
    let answer = ask(&lab, &relay_forw(0, far, CLIENT, &[], &solicit()), 547);
    assert_eq!(answer.unwrap_err(), Discard::OtherLink(far));
    let leased = Message::parse(
        &unwrap(
            &ask(&lab, &relay_forw(0, on_link(), CLIENT, &[], &solicit()), 547)
                .unwrap()
                .datagram,
        )
        .inner,
    );
    assert!(lab.link.pool.contains(leased.address()));
}

#[test]
fn a_link_address_that_is_link_local_tells_no_link() {
    let mut lab = Lab::new();
    let (far, unclear) = (address("2001:db8:0:77::1"), address("fe80::1"));
    let way = |layers: &[(Ipv6Addr, &[u8])]| {
        (0u8..).zip(layers).fold(solicit(), |inner, (hop, (link, id))| {
            relay_forw(hop, *link, address("fe80::77"), &[option(18, id)], &inner)
        })
    };
    for link in [unclear, NOWHERE] {
        ask(&lab, &way(&[(link, b"7")]), 547).unwrap();
        ask(&lab, &way(&[(link, b"7"), (on_link(), b"")]), 547).unwrap();
        let refused = ask(&lab, &way(&[(link, b"7"), (far, b"")]), 547).unwrap_err();
        assert_eq!(refused, Discard::OtherLink(far));
    }
    lab.link.relay_keys = vec![RelayKey {
        address: None,
        interface_id: "7".parse().ok(),
    }];
    for layers in [vec![(unclear, &b"7"[..]), (far, b"")], vec![(far, b"7")]] {
        ask(&lab, &way(&layers), 547).unwrap();
    }
    for layers in [
        vec![(unclear, &b"8"[..]), (far, b"")],
        vec![(far, b"8"), (on_link(), b"7")],
    ] {
        assert_eq!(ask(&lab, &way(&layers), 547).unwrap_err(), Discard::OtherLink(far));
    }
}

#[test]
fn packets_for_a_prefix_go_to_a_relay_that_gives_a_link_local_link_address() {
    let lab = Lab::delegating(&[("2001:db8:1::/48", 64)]);
    let request = message(REQUEST, XID, &[client(1), server_id(), ia_pd(1, &[])]);
    let router = address("2001:db8:0:1::9");
    let next_hop = |link| {
        let datagram = relay_forw(0, link, CLIENT, &[], &request);
        let inbound = Inbound {
            datagram: &datagram,
            source: SocketAddrV6::new(router, 547, 0, 7),
            multicast: true,
        };
        let answer = lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now).unwrap();
        answer.changes[0].next_hop
    };
    assert_eq!(next_hop(NOWHERE), Some(CLIENT), "a switch: the client is on the link");
    assert_eq!(next_hop(address("fe80::1")), Some(router));
}

#[test]
fn row_61_62_each_layer_is_echoed_in_its_order() {
    let lab = Lab::new();
    let far = address("2001:db8:0:77::1");
    let secret = option(37, &[0, 0, 0, 9, 1, 2]);
    let inner = relay_forw(0, NOWHERE, CLIENT, &[option(18, b"port 7"), secret.clone()], &solicit());
    let middle = relay_forw(1, on_link(), address("fe80::77"), &[], &inner);
    let outer = relay_forw(2, far, address("2001:db8:0:1::77"), &[secret, option(18, &[])], &middle);
    let answer = ask(&lab, &outer, 547).unwrap();
    assert_eq!(
        answer.destination,
        SocketAddrV6::new(address("2001:db8:0:9::1"), 547, 0, 0)
    );
    let layer = unwrap(&answer.datagram);
    assert_eq!(
        (layer.hops, layer.link, layer.peer),
        (2, far, address("2001:db8:0:1::77"))
    );
    let inner = layer.inner.clone();
    assert_eq!(beside(layer), [(18, vec![])]);
    let layer = unwrap(&inner);
    let inner = layer.inner.clone();
    assert_eq!(
        (layer.hops, layer.link, layer.peer, beside(layer)),
        (1, on_link(), address("fe80::77"), vec![])
    );
    let layer = unwrap(&inner);
    assert_eq!((layer.hops, layer.link, layer.peer), (0, NOWHERE, CLIENT));
    let inner = layer.inner.clone();
    assert_eq!(beside(layer), [(18, b"port 7".to_vec())]);
    // Inside is what the client would have been told without relays.
    assert_eq!(inner, lab.ask(&solicit()).unwrap().datagram);
}

#[test]
fn row_63_a_relay_without_a_message() {
    let lab = Lab::new();
    let mut empty = relay_forw(0, on_link(), CLIENT, &[], &[]);
    empty.truncate(34);
    assert_eq!(ask(&lab, &empty, 547).unwrap_err().word(), "nothing-relayed");
    assert_eq!(
        ask(&lab, &relay_forw(1, on_link(), CLIENT, &[], &empty), 547)
            .unwrap_err()
            .word(),
        "nothing-relayed"
    );
    assert_eq!(
        ask(&lab, &relay_forw(0, on_link(), CLIENT, &[], &[]), 547)
            .unwrap_err()
            .word(),
        "malformed"
    );
    ask(&lab, &relay_forw(0, on_link(), CLIENT, &[], &solicit()), 547).unwrap();
}

#[test]
fn row_64_hop_counts_are_echoed_and_nesting_is_bounded() {
    let lab = Lab::new();
    for hop in [0, 8, 31, 255] {
        assert_eq!(
            unwrap(
                &ask(&lab, &relay_forw(hop, on_link(), CLIENT, &[], &solicit()), 547)
                    .unwrap()
                    .datagram
            )
            .hops,
            hop
        );
    }
    let nested = |depth: usize| {
        (0..depth).fold(solicit(), |inner, hop| {
            relay_forw(hop.min(255) as u8, on_link(), CLIENT, &[], &inner)
        })
    };
    let mut datagram = ask(&lab, &nested(MAX_RELAYS), 547).unwrap().datagram;
    for hop in (0u8..9).rev() {
        let layer = unwrap(&datagram);
        assert_eq!(layer.hops, hop);
        datagram = layer.inner;
    }
    Message::parse(&datagram).address();
    for depth in [MAX_RELAYS + 1, 100, 200] {
        assert_eq!(ask(&lab, &nested(depth), 547).unwrap_err(), Discard::TooManyRelays);
    }
    assert_eq!(ask(&lab, &nested(1000), 547).unwrap_err().word(), "malformed");
}

#[test]
fn row_65_relay_source_port() {
    let lab = Lab::new();
    let port = option(135, &[0, 0]);
    let answer = ask(&lab, &relay_forw(0, on_link(), CLIENT, &[port], &solicit()), 4711).unwrap();
    assert_eq!(answer.destination.port(), 4711);
    assert_eq!(beside(unwrap(&answer.datagram)), [(135, vec![0, 0])]);
    // Without it the port that it came from is of no meaning.
    let plain = relay_forw(0, on_link(), CLIENT, &[], &solicit());
    assert_eq!(ask(&lab, &plain, 4711).unwrap().destination.port(), 547);
    // Of an inner relay it is the outer one's business, and echoed.
    let inner = relay_forw(0, on_link(), CLIENT, &[option(135, &[0x12, 0x67])], &solicit());
    let answer = ask(&lab, &relay_forw(1, NOWHERE, CLIENT, &[], &inner), 4711).unwrap();
    assert_eq!(answer.destination.port(), 547);
    assert_eq!(
        beside(unwrap(&unwrap(&answer.datagram).inner)),
        [(135, vec![0x12, 0x67])]
    );
    for body in [&[][..], &[0], &[0; 3]] {
        let datagram = relay_forw(0, on_link(), CLIENT, &[option(135, body)], &solicit());
        assert_eq!(ask(&lab, &datagram, 547).unwrap_err().word(), "malformed");
    }
}

#[test]
fn the_relay_next_to_the_client_tells_its_link_layer_address() {
    let lab = Lab::new();
    let request = message(REQUEST, XID, &[client(1), server_id(), ia_na(1, &[])]);
    let seen = |mac: u8| option(79, &[0, 1, 2, 0, 0, 0, 0, mac]);
    let told = |datagram: &[u8]| {
        ask(&lab, datagram, 547).unwrap().changes[0]
            .link_layer
            .clone()
            .unwrap()
            .to_string()
    };
    let inner = relay_forw(0, on_link(), CLIENT, &[seen(7)], &request);
    assert_eq!(
        told(&relay_forw(1, NOWHERE, CLIENT, &[seen(9)], &inner)),
        "02:00:00:00:00:07"
    );
    // Without, or without an address in it, the DUID does.
    for option in [option(79, &[]), option(79, &[0, 1]), option(79, &[0; 40]), Vec::new()] {
        assert_eq!(
            told(&relay_forw(0, on_link(), CLIENT, &[option], &request)),
            "02:00:5e:10:00:01"
        );
    }
}

#[test]
fn servers_messages_inside_a_relay_are_not_answered() {
    let lab = Lab::new();
    for kind in [ADVERTISE, REPLY, RECONFIGURE, RELAY_REPL, 99] {
        let inner = message(kind, XID, &[client(1), ia_na(1, &[])]);
        let answer = ask(&lab, &relay_forw(0, on_link(), CLIENT, &[], &inner), 547);
        assert_eq!(answer.unwrap_err(), Discard::NotForServers(kind));
    }
}

#[test]
fn options_of_a_relay_come_once() {
    let lab = Lab::new();
    for twice in [
        option(18, b"a"),
        option(79, &[0, 1, 2]),
        option(135, &[0, 0]),
        option(RELAY_MESSAGE, &solicit()),
    ] {
        let datagram = relay_forw(0, on_link(), CLIENT, &[twice.clone(), twice], &solicit());
        assert_eq!(ask(&lab, &datagram, 547).unwrap_err().word(), "malformed");
    }
    let many = relay_forw(0, on_link(), CLIENT, &vec![option(37, &[0; 4]); 300], &solicit());
    assert_eq!(ask(&lab, &many, 547).unwrap_err().word(), "malformed");
}

#[test]
fn a_relayed_message_cut_anywhere_does_no_harm() {
    let lab = Lab::new();
    let inner = relay_forw(0, on_link(), CLIENT, &[option(18, b"port 7")], &solicit());
    let datagram = relay_forw(1, NOWHERE, CLIENT, &[option(135, &[0, 0])], &inner);
    for cut in 0..datagram.len() {
        ask(&lab, &datagram[..cut], 547).unwrap_err();
    }
}
