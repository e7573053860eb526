//! Addresses that hosts made themselves (RFC 9686).

use std::net::SocketAddrV6;
use std::time::Duration;

use orchestrator_dhcp6::{Discard, Inbound, Registration, Verb};
use orchestrator_wire::*;

use crate::lab::{HOUR, Lab, address, client, server_id};

const OWN: &str = "2001:db8:0:1:5e:10ff:fe00:7";

fn registering() -> Lab {
    let mut lab = Lab::new();
    lab.link.registration = Some(Registration {
        longest: Duration::from_secs(24 * 3600),
        withheld: vec!["2001:db8:0:1::2:0/112".parse().unwrap()],
    });
    lab
}

/// Sends an Addr-reg-inform from an address; what is answered is made true.
fn tell(lab: &mut Lab, from: &str, options: &[Vec<u8>]) -> Result<Vec<u8>, Discard> {
    let datagram = [&[ADDR_REG_INFORM, 1, 2, 3][..], &options.concat()].concat();
    let source = SocketAddrV6::new(address(from), 546, 0, 7);
    let inbound = Inbound {
        datagram: &datagram,
        source,
        multicast: true,
    };
    let answer = lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now)?;
    assert_eq!(
        (*answer.destination.ip(), answer.destination.port()),
        (address(from), 546)
    );
    answer.changes.iter().for_each(|change| lab.bindings.apply(change));
    lab.changes = answer.changes;
    Ok(answer.datagram)
}

fn register(lab: &mut Lab, who: u8, what: &str) -> Result<Vec<u8>, Discard> {
    tell(lab, what, &[client(who), ia_address(address(what), 1800, 3600)])
}

#[test]
fn a_registration_is_answered_with_the_same_address_and_recorded() {
    let mut lab = registering();
    let reply = register(&mut lab, 1, OWN).unwrap();
    assert_eq!(reply[..4], [ADDR_REG_REPLY, 1, 2, 3]);
    let told = ia_address(address(OWN), 1800, 3600);
    assert!(reply.windows(told.len()).any(|window| window == told), "{reply:02x?}");
    let [change] = &lab.changes[..] else {
        panic!("{:?}", lab.changes)
    };
    assert_eq!(
        (change.verb, change.after.leased),
        (Verb::Register, address(OWN).into())
    );
    assert_eq!(change.after.valid_until, lab.now + HOUR);
    assert_eq!(change.after.preferred_until, lab.now + HOUR / 2);
    assert!(lab.bindings.is_empty(), "no binding of the pool");
}

#[test]
fn what_is_malformed_or_not_the_hosts_own_is_discarded() {
    let mut lab = registering();
    let ia = || ia_address(address(OWN), 1800, 3600);
    let kind = orchestrator_dhcp6::MessageKind::AddrRegInform;
    for (options, discard) in [
        (vec![ia()], Discard::NoClient(kind)),
        (vec![client(1), ia(), server_id()], Discard::ServerNamed(kind)),
        (vec![client(1)], Discard::NotOneAddress(0)),
        (vec![client(1), ia(), ia()], Discard::NotOneAddress(2)),
        (
            vec![client(1), ia(), option_request(&[DNS_SERVERS])],
            Discard::OptionsAsked,
        ),
        (vec![client(1), ia(), option_request(&[])], Discard::OptionsAsked),
    ] {
        assert_eq!(tell(&mut lab, OWN, &options), Err(discard));
    }
    let foreign = tell(&mut lab, "fe80::7", &[client(1), ia()]);
    assert_eq!(foreign, Err(Discard::NotTheSource(address(OWN))));
    // Off the link; the link's own; of the pool; of the instances; link-local; reserved.
    for what in [
        "2001:db8:0:2::7",
        "2001:db8:0:1::1",
        "2001:db8:0:1::1:7",
        "2001:db8:0:1::2:7",
        "fe80::7",
        "2001:db8:0:1:fdff:ffff:ffff:ff80",
    ] {
        let refused = register(&mut lab, 1, what);
        assert_eq!(refused, Err(Discard::NotRegistrable(address(what))));
    }
    lab.link.registration = None;
    assert_eq!(register(&mut lab, 1, OWN), Err(Discard::NotRegistering));
}

#[test]
fn lifetimes_are_bounded_and_zero_ends_it() {
    let mut lab = registering();
    tell(
        &mut lab,
        OWN,
        &[client(1), ia_address(address(OWN), u32::MAX, u32::MAX)],
    )
    .unwrap();
    assert_eq!(lab.changes[0].after.valid_until, lab.now + 24 * HOUR);
    // Another client's word does not end it.
    tell(&mut lab, OWN, &[client(2), ia_address(address(OWN), 0, 0)]).unwrap();
    assert_eq!(lab.changes, []);
    tell(&mut lab, OWN, &[client(1), ia_address(address(OWN), 0, 0)]).unwrap();
    assert_eq!(lab.changes[0].verb, Verb::Deregister);
    tell(&mut lab, OWN, &[client(1), ia_address(address(OWN), 0, 0)]).unwrap();
    assert_eq!(lab.changes, []);
}

#[test]
fn a_registration_is_no_lease_of_its_client() {
    let mut lab = registering();
    register(&mut lab, 1, OWN).unwrap();
    let read = lab.say(RENEW, &[client(1), server_id(), ia_na(0, &[])]);
    assert!(!format!("{read:?}").contains(OWN), "{read:?}");
    // An admin who frees what a client holds frees it too.
    let duid = lab.bindings.registration(address(OWN)).unwrap().duid.clone();
    assert!(
        lab.bindings
            .of_client(&duid)
            .any(|binding| binding.leased == address(OWN).into())
    );
    let change = lab.bindings.release(address(OWN), lab.now).unwrap();
    assert_eq!(change.verb, Verb::Deregister);
    lab.bindings.apply(&change);
    assert_eq!(lab.bindings.release(address(OWN), lab.now), None);
}

#[test]
fn clients_and_links_register_a_bounded_number() {
    let mut lab = registering();
    lab.link.limits.registrations_per_client = 2;
    lab.link.limits.registrations = 3;
    let own = |n: u8| format!("2001:db8:0:1::5:{n:x}");
    let count = |lab: &mut Lab, who, n| register(lab, who, &own(n)).is_ok();
    assert!(count(&mut lab, 1, 1) && count(&mut lab, 1, 2));
    assert!(!count(&mut lab, 1, 3), "the client has its share");
    assert!(count(&mut lab, 1, 2), "but may repeat what it has");
    assert!(count(&mut lab, 2, 3));
    assert!(!count(&mut lab, 3, 4), "the link is full");
    assert!(count(&mut lab, 3, 1), "an address changes hands");
    lab.now += 2 * HOUR;
    assert!(
        count(&mut lab, 4, 5) && count(&mut lab, 4, 6),
        "what has ended makes room"
    );
    assert!(lab.bindings.registration(address(&own(5))).is_some());
}

#[test]
fn a_change_that_was_not_recorded_leaves_nothing() {
    let mut lab = registering();
    register(&mut lab, 1, OWN).unwrap();
    let known = lab.bindings.registration(address(OWN)).cloned();
    lab.now += HOUR / 2;
    register(&mut lab, 2, OWN).unwrap();
    lab.bindings.undo(&lab.changes[0].clone());
    assert_eq!(lab.bindings.registration(address(OWN)).cloned(), known);
}

#[test]
fn who_asks_is_told_that_addresses_are_registered_where_they_are() {
    let lab = |registering: bool| if registering { self::registering() } else { Lab::new() };
    for registering in [true, false] {
        let read = lab(registering).say(INFORMATION_REQUEST, &[client(1), option_request(&[ADDR_REG_ENABLE])]);
        assert_eq!(read.options.get(ADDR_REG_ENABLE), registering.then_some(&[][..]));
        let read = lab(registering).say(INFORMATION_REQUEST, &[client(1), option_request(&[DNS_SERVERS])]);
        assert_eq!(read.options.get(ADDR_REG_ENABLE), None);
    }
}

#[test]
fn through_a_relay_the_source_is_the_one_that_the_relay_tells() {
    let lab = registering();
    let inner = message(
        ADDR_REG_INFORM,
        [1, 2, 3],
        &[client(1), ia_address(address(OWN), 1800, 3600)],
    );
    let relayed = |peer: &str| {
        let datagram = relay_forw(0, address("2001:db8:0:1::ffff"), address(peer), &[], &inner);
        let inbound = Inbound {
            datagram: &datagram,
            source: SocketAddrV6::new(address("2001:db8:0:9::1"), 547, 0, 0),
            multicast: false,
        };
        lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now)
    };
    assert_eq!(relayed("fe80::7"), Err(Discard::NotTheSource(address(OWN))));
    let answer = relayed(OWN).unwrap();
    assert_eq!((answer.datagram[0], answer.destination.port()), (RELAY_REPL, 547));
    assert_eq!(answer.changes[0].after.leased, address(OWN).into());
}
