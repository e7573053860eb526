//! What is kept for clients that are known, and who they are: told from the bytes of a message, not by the server.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{Duid, Holder, Leased, LinkLayerAddress, OpaqueId, Reservation, Reservations};
use orchestrator_wire as wire;

use crate::answer::as_prefix;
use crate::world;

/// How many there are.
pub(crate) const KEPT: usize = 4;

/// One of each kind of holder, in the pools and out of them.
fn all(first: Ipv6Addr) -> [Reservation; KEPT] {
    let in_pool = |number: u128| Some((u128::from(first) + number).into());
    let prefix = |subnet: u16, length: u8| Some(as_prefix(Ipv6Addr::new(0x2001, 0xdb8, 1, subnet, 0, 0, 0, 0), length));
    let reservation = |holder, address, prefix| Reservation {
        holder,
        address,
        prefix,
    };
    let link_layer = LinkLayerAddress::new([2, 0, 0x5e, 0x10, 0, 1]).expect("an address");
    let interface = OpaqueId::new([2]).expect("an id");
    let remote = OpaqueId::new(*b"id").expect("an id");
    let enterprise = 0x0000_0009;
    [
        reservation(
            Holder::Duid(Duid::new(wire::duid(0)).expect("a DUID")),
            Some(world::on_link(0x3_0000)),
            prefix(0, 62),
        ),
        reservation(Holder::LinkLayer(link_layer), in_pool(5), prefix(0x100, 56)),
        reservation(Holder::InterfaceId(interface), in_pool(7), None),
        reservation(Holder::RemoteId { enterprise, id: remote }, in_pool(8), prefix(5, 64)),
    ]
}

/// All of them, for a pool that begins with an address.
pub(crate) fn reservations(first: Ipv6Addr) -> Reservations {
    let mut reservations = Reservations::new();
    for reservation in all(first) {
        reservations.insert(reservation).expect("none stands against another");
    }
    reservations
}

/// Whether an address is kept, at whatever time.
pub(crate) fn may_keep(first: Ipv6Addr, address: Ipv6Addr) -> bool {
    all(first)
        .iter()
        .any(|reservation| reservation.address == Some(address))
}

/// Whether a prefix is kept, at whatever time.
pub(crate) fn may_keep_prefix(prefix: Ipv6Net) -> bool {
    let kept = all(Ipv6Addr::UNSPECIFIED);
    kept.iter().any(|reservation| reservation.prefix == Some(prefix))
}

/// Whether something that is leased overlaps what is kept for another than who sent a datagram.
pub(crate) fn is_kept_from(reservations: &Reservations, datagram: &[u8], leased: Leased) -> bool {
    let own = holders(datagram).into_iter().find_map(|holder| {
        let mut all = reservations.iter();
        all.find(|reservation| reservation.holder == holder)
    });
    reservations.iter().any(|reservation| {
        let overlaps = match leased {
            Leased::Address(address) => reservation.address == Some(address),
            Leased::Prefix(prefix) => {
                let kept = reservation.prefix;
                kept.is_some_and(|kept| kept.contains(&prefix) || prefix.contains(&kept))
            }
        };
        let is_own = own == Some(reservation)
            && match leased {
                Leased::Address(_) => true,
                Leased::Prefix(prefix) => reservation.prefix == Some(prefix),
            };
        overlaps && !is_own
    })
}

/// What a client may be known by, in the order in which it counts.
fn holders(datagram: &[u8]) -> Vec<Holder> {
    let (mut message, mut layers) = (datagram, Vec::new());
    while message[0] == wire::RELAY_FORW {
        let options = wire::options(&message[wire::RELAY_HEAD..]);
        message = wire::only(&options, wire::RELAY_MESSAGE).expect("a message inside");
        layers.push(options);
    }
    let client = wire::only(&wire::options(&message[4..]), wire::CLIENT_ID);
    let client = client.and_then(|bytes| Duid::new(bytes).ok());
    let nearest = |code| {
        let mut from_client = layers.iter().rev();
        from_client.find_map(|options| options.iter().find(|option| option.0 == code).map(|option| option.1))
    };
    let seen = layers
        .last()
        .and_then(|options| wire::only(options, wire::LINK_LAYER_ADDRESS));
    let seen = seen.and_then(|body| LinkLayerAddress::new(body.get(2..)?).ok());
    let link_layer = seen.or_else(|| client.as_ref().and_then(Duid::link_layer));
    let remote = nearest(wire::REMOTE_ID).and_then(|body| {
        let (enterprise, id) = body.split_first_chunk::<4>()?;
        let enterprise = u32::from_be_bytes(*enterprise);
        Some(Holder::RemoteId {
            enterprise,
            id: OpaqueId::new(id).ok()?,
        })
    });
    let interface = nearest(wire::INTERFACE_ID).and_then(|body| OpaqueId::new(body).ok());
    [
        client.map(Holder::Duid),
        link_layer.map(Holder::LinkLayer),
        remote,
        interface.map(Holder::InterfaceId),
    ]
    .into_iter()
    .flatten()
    .collect()
}
