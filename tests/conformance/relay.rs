//! Messages that came through relays (sections 9, 13.1 and 19): rows 26, 27 and 61 to 65.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};

use orchestrator_lab::Namespace;
use orchestrator_wire::{
    INTERFACE_ID, Message, RELAY_REPL, RELAY_SOURCE_PORT, REMOTE_ID, RENEW, REQUEST, Relayed, SOLICIT, ia_na, message,
    option, relay_forw,
};

use crate::client::{ALL_AGENTS, Client, SERVER_PORT, bind, receive};
use crate::discard::assert_discarded;
use crate::site::{LINK, PREFIX, Site, new_duid, off_link, plain};

/// A relay on the clients' machine.
pub(crate) struct Relay {
    pub(crate) address: Ipv6Addr,
    socket: UdpSocket,
    index: u32,
}

/// One relay's layer: hop count, link address, its own options.
pub(crate) type Layer = (u8, Ipv6Addr, Vec<Vec<u8>>);

impl Relay {
    pub(crate) fn on(site: &Site, port: u16) -> Self {
        Self::at(site, &site.machine, port)
    }

    /// A relay on another machine.
    pub(crate) fn at(site: &Site, machine: &Namespace, port: u16) -> Self {
        let client = site.client_on(machine, &new_duid());
        let (socket, index) = bind(machine, client.address, port);
        Self {
            address: client.address,
            socket,
            index,
        }
    }

    /// Sends a datagram to all servers.
    pub(crate) fn send(&self, bytes: &[u8]) {
        let to = SocketAddrV6::new(ALL_AGENTS, SERVER_PORT, 0, self.index);
        self.socket.send_to(bytes, to).unwrap();
    }

    /// Takes the next answer: whom it is for, and what is inside.
    pub(crate) fn answer(&self) -> (Ipv6Addr, Vec<u8>) {
        let layer = Relayed::parse(&self.receive());
        (layer.peer, layer.inner)
    }

    /// The next datagram that comes, from the server's port.
    pub(crate) fn receive(&self) -> Vec<u8> {
        let (bytes, from) = receive(&self.socket);
        assert_eq!(from.port(), SERVER_PORT);
        bytes
    }

    /// Relays a client's message through these layers, the innermost first. The answer has come the same way back.
    pub(crate) fn ask(&self, client: &Client, kind: u8, options: &[Vec<u8>], layers: &[Layer]) -> Message {
        let xid = client.xid();
        let inner = message(kind, xid, &[&[client.id()], options].concat());
        self.send(&wrap(client, &inner, layers));
        let mut bytes = self.receive();
        for (at, (hops, link, _)) in layers.iter().enumerate().rev() {
            let layer = Relayed::parse(&bytes);
            let echoed = (layer.kind, layer.hops, layer.link, layer.peer);
            assert_eq!(echoed, (RELAY_REPL, *hops, *link, peer(client, at)), "layer {at}");
            bytes = layer.inner;
        }
        let answer = client.read(&bytes);
        assert_eq!(answer.xid, xid);
        answer
    }
}

/// The peer address of a layer: the client's for the innermost, a relay's for the others.
fn peer(client: &Client, at: usize) -> Ipv6Addr {
    let number = u16::try_from(at).unwrap();
    if at == 0 {
        client.address
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number)
    }
}

pub(crate) fn wrap(client: &Client, inner: &[u8], layers: &[Layer]) -> Vec<u8> {
    let layers = layers.iter().enumerate();
    layers.fold(inner.to_vec(), |inner, (at, (hops, link, options))| {
        relay_forw(*hops, *link, peer(client, at), options, &inner)
    })
}

pub(crate) fn here() -> Ipv6Addr {
    LINK.parse().unwrap()
}

pub(crate) const NOWHERE: Ipv6Addr = Ipv6Addr::UNSPECIFIED;

#[test]
fn row_26_the_innermost_link_address_that_is_one_tells_the_link() {
    let site = plain();
    let relay = Relay::on(&site, SERVER_PORT);
    for layers in [
        vec![(0, here(), vec![])],
        // A relay that knows no address of the link is passed over (RFC 6221).
        vec![(0, NOWHERE, vec![]), (1, here(), vec![])],
        vec![(0, here(), vec![]), (1, off_link(), vec![])],
        // With none but such it is the link that the datagram came from.
        vec![(0, NOWHERE, vec![])],
    ] {
        let client = site.client();
        let leased = relay
            .ask(&client, REQUEST, &[client.server_id(), ia_na(1, &[])], &layers)
            .ia(1)
            .leased()
            .ip;
        assert!(leased.to_string().starts_with(PREFIX), "{leased} for {layers:?}");
        assert!(site.holds(&client, leased));
    }
}

/// A relay on a switch (RFC 6221) has no address there: it speaks with the client's, and catches what comes back to it.
#[test]
fn row_26_a_client_behind_a_switch_that_relays_is_on_the_link_of_the_interface() {
    let site = plain();
    let client = site.client();
    let (socket, index) = bind(&site.machine, client.address, SERVER_PORT);
    let switch = Relay {
        address: client.address,
        socket,
        index,
    };
    let port = option(INTERFACE_ID, b"port 3");
    let layers = [(0, NOWHERE, vec![port])];
    let options = [client.server_id(), ia_na(1, &[])];
    let leased = switch.ask(&client, REQUEST, &options, &layers).ia(1).leased().ip;
    assert!(site.holds(&client, leased));
    // It is the same client when the switch no longer relays.
    assert_eq!(client.tell(RENEW, 1, leased).ia(1).leased().ip, leased);
}

#[test]
fn row_27_a_client_of_an_unknown_link_is_not_given_an_address_of_this_one() {
    let site = plain();
    let client = site.client();
    let inner = message(REQUEST, client.xid(), &[client.id(), client.server_id(), ia_na(1, &[])]);
    for layers in [
        vec![(0, off_link(), vec![])],
        vec![(0, off_link(), vec![]), (1, here(), vec![])],
    ] {
        assert_discarded(&site, &client, "other-link", &wrap(&client, &inner, &layers));
    }
}

#[test]
fn row_61_and_62_each_layer_is_answered_by_its_own_with_its_interface_id() {
    let site = plain();
    let (relay, client) = (Relay::on(&site, SERVER_PORT), site.client());
    let interfaces: [&[u8]; 3] = [b"port 7\0\xff", b"", b"vlan 42"];
    let layers: Vec<Layer> = (0_u8..)
        .zip(interfaces)
        .map(|(hops, id)| {
            (
                hops,
                here(),
                vec![option(REMOTE_ID, &[0, 0, 0, 9, 1]), option(INTERFACE_ID, id)],
            )
        })
        .collect();
    let inner = message(SOLICIT, client.xid(), &[client.id(), ia_na(1, &[])]);
    relay.send(&wrap(&client, &inner, &layers));
    let mut bytes = relay.receive();
    for (hops, id) in interfaces.iter().enumerate().rev() {
        let layer = Relayed::parse(&bytes);
        assert_eq!((layer.kind, usize::from(layer.hops)), (RELAY_REPL, hops));
        assert_eq!((layer.link, layer.peer), (here(), peer(&client, hops)));
        assert_eq!(layer.options.get(INTERFACE_ID), Some(*id));
        assert_eq!(
            layer.options.codes(),
            [INTERFACE_ID],
            "nothing else goes back to a relay"
        );
        bytes = layer.inner;
    }
    client.read(&bytes).ia(1).leased();
}

#[test]
fn row_63_a_relay_message_with_nothing_inside_is_discarded() {
    let site = plain();
    let client = site.client();
    let mut bytes = relay_forw(0, here(), client.address, &[], &[]);
    bytes.truncate(34);
    assert_discarded(&site, &client, "nothing-relayed", &bytes);
    let with_other_option = [bytes.clone(), option(INTERFACE_ID, b"port 1")].concat();
    assert_discarded(&site, &client, "nothing-relayed", &with_other_option);
    assert_discarded(
        &site,
        &client,
        "malformed",
        &relay_forw(0, here(), client.address, &[], &[]),
    );
    for length in 1..34 {
        assert_discarded(&site, &client, "malformed", &bytes[..length]);
    }
}

#[test]
fn row_64_hop_counts_are_echoed_and_relays_are_bounded() {
    let site = plain();
    let (relay, client) = (Relay::on(&site, SERVER_PORT), site.client());
    for hops in [0, 8, 31, 255] {
        relay
            .ask(&client, SOLICIT, &[ia_na(1, &[])], &[(hops, here(), vec![])])
            .ia(1)
            .leased();
    }
    let chain = |length: u8| (0..length).map(|hops| (hops, here(), vec![])).collect::<Vec<Layer>>();
    relay.ask(&client, SOLICIT, &[ia_na(1, &[])], &chain(9)).ia(1).leased();
    let inner = message(SOLICIT, client.xid(), &[client.id(), ia_na(1, &[])]);
    for length in [10, 33, 100, 200] {
        assert_discarded(
            &site,
            &client,
            "too-many-relays",
            &wrap(&client, &inner, &chain(length)),
        );
    }
}

#[test]
fn row_65_a_relay_that_says_so_is_answered_at_its_own_port() {
    let site = plain();
    let client = site.client();
    let (relay, elsewhere) = (Relay::on(&site, 7547), Relay::on(&site, 7548));
    let inner = message(SOLICIT, client.xid(), &[client.id(), ia_na(1, &[])]);
    for (relay, port) in [(&relay, 0_u16), (&elsewhere, 7548)] {
        let options = vec![option(RELAY_SOURCE_PORT, &port.to_be_bytes())];
        relay.send(&wrap(&client, &inner, &[(0, here(), options)]));
        let answer = Relayed::parse(&relay.receive());
        assert_eq!(answer.options.get(RELAY_SOURCE_PORT), Some(&port.to_be_bytes()[..]));
        client.read(&answer.inner).ia(1).leased();
    }
}

#[test]
fn row_65_of_several_relays_the_one_next_to_the_server_is_answered_as_it_says() {
    let site = plain();
    let client = site.client();
    let own_port = |port: u16| vec![option(RELAY_SOURCE_PORT, &port.to_be_bytes())];
    let inner = message(SOLICIT, client.xid(), &[client.id(), ia_na(1, &[])]);
    let (high, low) = (Relay::on(&site, 7549), Relay::on(&site, SERVER_PORT));
    // What the farther relay says is echoed to it, and decides nothing.
    for (next, farther, sender, receiver) in [
        (own_port(0), vec![], &high, &high),
        (own_port(7550), own_port(0), &high, &high),
        (vec![], own_port(0), &low, &low),
    ] {
        sender.send(&wrap(
            &client,
            &inner,
            &[(0, here(), farther.clone()), (1, here(), next.clone())],
        ));
        let outer = Relayed::parse(&receiver.receive());
        let inside = Relayed::parse(&outer.inner);
        for (layer, sent) in [(&outer, next), (&inside, farther)] {
            let echoed = layer
                .options
                .get(RELAY_SOURCE_PORT)
                .map(|body| option(RELAY_SOURCE_PORT, body));
            assert_eq!(echoed, sent.first().cloned());
        }
        client.read(&inside.inner).ia(1).leased();
    }
}

#[test]
fn row_08_a_relay_that_gives_a_link_local_link_address_is_on_the_link_of_the_interface() {
    let site = plain();
    let relay = Relay::on(&site, SERVER_PORT);
    let port = option(INTERFACE_ID, b"port 8");
    let link_local = "fe80::8".parse().unwrap();
    for layers in [
        vec![(0, link_local, vec![])],
        vec![(0, link_local, vec![port])],
        // The outer relay's global address says more.
        vec![(0, link_local, vec![]), (1, here(), vec![])],
    ] {
        let client = site.client();
        let options = [client.server_id(), ia_na(1, &[])];
        let leased = relay.ask(&client, REQUEST, &options, &layers).ia(1).leased().ip;
        assert!(site.holds(&client, leased), "{leased} for {layers:?}");
    }
    let client = site.client();
    let inner = message(REQUEST, client.xid(), &[client.id(), client.server_id(), ia_na(1, &[])]);
    let elsewhere = [(0, link_local, vec![]), (1, off_link(), vec![])];
    assert_discarded(&site, &client, "other-link", &wrap(&client, &inner, &elsewhere));
}
