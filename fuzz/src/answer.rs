//! What holds of every answer, whatever was asked.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_wire as wire;

use crate::kept;
use crate::lease;
use crate::lease::Lease;
use crate::world::{self, World};

/// Checks the answer to a client's own message, and gives back what it tells of leases.
pub(crate) fn check(world: &World, message: &[u8], answer: &[u8]) -> Vec<Lease> {
    let (asked, options) = (wire::options(&message[4..]), wire::options(&answer[4..]));
    assert_eq!(answer[1..4], message[1..4], "the transaction is another");
    let fits = match message[0] {
        wire::SOLICIT => [wire::ADVERTISE, wire::REPLY].contains(&answer[0]),
        wire::ADDR_REG_INFORM => answer[0] == wire::ADDR_REG_REPLY,
        _ => answer[0] == wire::REPLY,
    };
    assert!(fits, "message {} is answered by {}", message[0], answer[0]);
    assert_eq!(
        wire::only(&options, wire::SERVER_ID),
        Some(world.server.duid().as_bytes())
    );
    let client = wire::only(&asked, wire::CLIENT_ID);
    assert_eq!(wire::only(&options, wire::CLIENT_ID), client, "the client is another");
    wire::only(&options, wire::STATUS).map(wire::status_code);
    for misplaced in [wire::INTERFACE_ID, wire::RELAY_MESSAGE] {
        assert_eq!(wire::only(&options, misplaced), None, "what is a relay's is in it");
    }
    let told = lease::leases(&options);
    for lease in told.iter().filter(|lease| lease.valid > 0) {
        check_lease(world, lease);
    }
    told
}

/// Whether a client's message says that it is in the class that has pools of its own.
pub(crate) fn is_of_class(message: &[u8]) -> bool {
    let options = wire::options(&message[4..]);
    let mut classes = options.iter().filter(|option| option.0 == wire::VENDOR_CLASS);
    classes.any(|(_, body)| {
        let texts = wire::read_texts(body.get(4..).unwrap_or_default());
        texts.iter().any(|text| text.starts_with(b"a"))
    })
}

/// What is leased may be.
fn check_lease(world: &World, lease: &Lease) {
    if lease.code == wire::IA_NA {
        let address = lease.address;
        let mut pools = world.link.class_pools.iter().chain([&world.link.pool]);
        let is_kept = || kept::may_keep(world.link.pool.first(), address);
        assert!(
            pools.any(|pool| pool.contains(address)) || is_kept(),
            "{address} is in no pool"
        );
        assert!(!world::is_reserved(address), "{address} is reserved");
        assert_ne!(address, world.link.address, "it is the link's own");
        return;
    }
    let prefix = Ipv6Net::new(lease.address, lease.length).expect("a length that a prefix has");
    assert_eq!(prefix.trunc(), prefix, "{prefix} has host bits");
    let mut pools = world.link.delegation.iter();
    assert!(
        lease.length <= 64 && pools.any(|pool| pool.prefix().contains(&prefix)) || kept::may_keep_prefix(prefix),
        "{prefix} is in no pool"
    );
}

/// The address or prefix that is told of, as a prefix.
pub(crate) fn as_prefix(address: Ipv6Addr, length: u8) -> Ipv6Net {
    Ipv6Net::new(address, length).expect("a length that a prefix has")
}
