//! Reservations: what is kept for one client.

mod property;

use std::net::Ipv6Addr;

use orchestrator_dhcp6::{
    Binding, Holder, Leased, OpaqueId, Order, Place, Reservation, ReservationConflict, Reservations,
};
use orchestrator_wire::*;

use crate::lab::{HOUR, Lab, XID, address, client, prefix_pool, server_id};

/// Beside the pool.
const KEPT: &str = "2001:db8:0:1::aaaa";

fn by_duid(n: u8) -> Holder {
    Holder::Duid(orchestrator_dhcp6::Duid::new(duid(n)).unwrap())
}

fn reserved(holder: Holder, kept_address: Option<&str>, prefix: Option<&str>) -> Reservation {
    Reservation {
        holder,
        address: kept_address.map(address),
        prefix: prefix.map(|prefix| prefix.parse().unwrap()),
    }
}

fn reserve(lab: &mut Lab, holder: Holder, kept: &str) {
    let reservation = match kept.contains('/') {
        true => reserved(holder, None, Some(kept)),
        false => reserved(holder, Some(kept), None),
    };
    lab.link.reservations.insert(reservation).unwrap();
}

/// A client's leases and ended leases, after it renewed.
fn renew(lab: &mut Lab, n: u8, own: Ipv6Addr) -> (Ipv6Addr, Vec<Ipv6Addr>) {
    let read = lab.say(RENEW, &[client(n), server_id(), ia_na(1, &[own])]);
    let (live, ended): (Vec<_>, Vec<_>) = read
        .only_ia()
        .addresses
        .into_iter()
        .partition(|address| address.valid > 0);
    assert_eq!(live.len(), 1);
    (live[0].ip, ended.into_iter().map(|address| address.ip).collect())
}

#[test]
fn who_has_a_reservation_is_given_it_though_it_is_in_no_pool() {
    let mut lab = Lab::new();
    reserve(&mut lab, by_duid(1), KEPT);
    assert_eq!(lab.lease(1), address(KEPT));
    assert_ne!(lab.lease(2), address(KEPT));
    // Not even on request.
    let read = lab.say(REQUEST, &[client(3), server_id(), ia_na(1, &[address(KEPT)])]);
    assert_ne!(read.address(), address(KEPT));
}

#[test]
fn a_reservation_takes_effect_at_the_next_renewal() {
    let mut lab = Lab::new();
    let before = lab.lease(1);
    reserve(&mut lab, by_duid(1), KEPT);
    assert_eq!(renew(&mut lab, 1, before), (address(KEPT), vec![before]));
    assert_eq!(renew(&mut lab, 1, address(KEPT)), (address(KEPT), vec![]));
    lab.link.reservations = Reservations::new();
    let (after, ended) = renew(&mut lab, 1, address(KEPT));
    assert_eq!(ended, [address(KEPT)]);
    assert!(lab.link.pool.contains(after));
}

/// The present holder loses it at its next renewal. Until then the reservation's client has another address.
#[test]
fn a_reservation_of_what_another_holds_waits_for_it() {
    let mut lab = Lab::new();
    let held = lab.lease(2);
    reserve(&mut lab, by_duid(1), &held.to_string());
    let other = lab.lease(1);
    assert_ne!(other, held);
    assert_eq!(renew(&mut lab, 1, other), (other, vec![]));
    let (moved, ended) = renew(&mut lab, 2, held);
    assert_eq!(ended, [held]);
    assert_ne!(moved, held);
    assert_eq!(renew(&mut lab, 1, other), (held, vec![other]));
}

#[test]
fn a_reservation_of_what_has_run_out_does_not_wait() {
    let mut lab = Lab::new();
    let held = lab.lease(2);
    reserve(&mut lab, by_duid(1), &held.to_string());
    lab.now += 3 * HOUR;
    assert_eq!(lab.lease(1), held);
    assert_ne!(lab.lease(2), held);
}

#[test]
fn a_refused_address_is_kept_back_until_its_quarantine_ends() {
    let mut lab = Lab::new();
    reserve(&mut lab, by_duid(1), KEPT);
    assert_eq!(lab.lease(1), address(KEPT));
    lab.say(DECLINE, &[client(1), server_id(), ia_na(1, &[address(KEPT)])]);
    let other = lab.lease(1);
    assert_ne!(other, address(KEPT));
    lab.now += 24 * HOUR + 1;
    assert_eq!(lab.lease(1), address(KEPT));
}

#[test]
fn one_association_has_it_and_the_others_have_what_others_have() {
    let mut lab = Lab::new();
    reserve(&mut lab, by_duid(1), KEPT);
    let mut ask = |kind, ids: &[u32]| {
        let ias: Vec<Vec<u8>> = ids.iter().map(|id| ia_na(*id, &[])).collect();
        let read = lab.say(kind, &[&[client(1), server_id()], &ias[..]].concat());
        let live = |ia: Ia| {
            ia.addresses
                .into_iter()
                .find(|address| address.valid > 0)
                .map(|address| address.ip)
        };
        let mut ias: Vec<_> = read.ias().into_iter().map(|ia| (ia.iaid, live(ia))).collect();
        ias.sort();
        ias.into_iter()
            .filter(|ia| ia.1 == Some(address(KEPT)))
            .map(|ia| ia.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(ask(REQUEST, &[7, 3]), [7]);
    // Who holds it keeps it, in whatever order they come.
    assert_eq!(ask(RENEW, &[3, 7]), [7]);
    // Who begins anew does not wait for itself.
    assert_eq!(ask(REQUEST, &[9]), [9]);
}

/// The answer to a message that came from this address.
fn ask_from(lab: &mut Lab, source: &str, kind: u8, options: &[Vec<u8>]) -> Message {
    let source = std::net::SocketAddrV6::new(address(source), 546, 0, 7);
    let server = (kind != REBIND).then(server_id);
    let options = [&[client(1)][..], server.as_slice(), options].concat();
    lab.send_from(source, &message(kind, XID, &options)).unwrap()
}

/// A machine with two interfaces on the link has one DUID, and an IAID for each (RFC 9915, section 4.2).
#[test]
fn what_one_interface_holds_is_not_taken_from_it_by_the_other() {
    let mut lab = Lab::new();
    reserve(&mut lab, by_duid(1), KEPT);
    let kept = address(KEPT);
    assert_eq!(ask_from(&mut lab, "fe80::a", REQUEST, &[ia_na(1, &[])]).address(), kept);
    for (kind, iaid) in [(REQUEST, 2), (RENEW, 3), (REBIND, 4), (REQUEST, 5)] {
        lab.link.rapid_commit = true;
        let read = ask_from(&mut lab, "fe80::b", kind, &[ia_na(iaid, &[kept])]).only_ia();
        let live = read.addresses.iter().find(|own| own.valid > 0).unwrap();
        assert_ne!(live.ip, kept, "{kind}");
    }
    // Also when nothing is known of where the holder is.
    lab.bindings = recalled(&lab.bindings);
    for (source, iaid) in [("fe80::a", 6), ("fe80::b", 10)] {
        assert_ne!(
            ask_from(&mut lab, source, REQUEST, &[ia_na(iaid, &[])]).address(),
            kept,
            "{source}"
        );
    }
    // The holder is known again, and asks under another IAID; and does not where it names both.
    assert_eq!(
        ask_from(&mut lab, "fe80::a", RENEW, &[ia_na(1, &[kept])]).address(),
        kept
    );
    let both = ask_from(&mut lab, "fe80::a", REQUEST, &[ia_na(7, &[]), ia_na(1, &[kept])]);
    let of_seven = both.ias().into_iter().find(|ia| ia.iaid == 7).unwrap();
    assert!(of_seven.addresses.iter().all(|own| own.ip != kept));
    assert_eq!(ask_from(&mut lab, "fe80::a", REQUEST, &[ia_na(8, &[])]).address(), kept);
    let holder = lab.bindings.by_address(kept).unwrap();
    assert_eq!((holder.iaid.0, holder.is_held(lab.now)), (8, true));
    // It is given back, or ends: the next one that asks has it.
    ask_from(&mut lab, "fe80::a", RELEASE, &[ia_na(8, &[kept])]);
    assert_eq!(ask_from(&mut lab, "fe80::b", REQUEST, &[ia_na(2, &[])]).address(), kept);
    lab.now += 3 * HOUR;
    assert_eq!(ask_from(&mut lab, "fe80::a", REQUEST, &[ia_na(9, &[])]).address(), kept);
}

/// A lease that moves to another association of its holder does not make room for a third one in the same message.
#[test]
fn what_moves_in_a_message_makes_no_room_in_it() {
    let mut lab = Lab::new();
    lab.link.limits.bindings_per_client = 2;
    reserve(&mut lab, by_duid(1), KEPT);
    let kept = address(KEPT);
    let first = ask_from(&mut lab, "fe80::a", REQUEST, &[ia_na(1, &[]), ia_na(2, &[])]);
    let of = |iaid| first.ias().into_iter().find(|ia| ia.iaid == iaid).unwrap().leased().ip;
    assert_eq!(of(1), kept);
    let other = of(2);
    lab.now += 1000;
    let read = ask_from(&mut lab, "fe80::a", REQUEST, &[ia_na(3, &[]), ia_na(4, &[])]);
    let told: Vec<_> = read.ias().iter().map(|ia| (ia.iaid, ia.addresses[0].ip)).collect();
    assert!(told.contains(&(3, kept)), "{told:?}");
    assert!(told.iter().all(|(_, address)| *address != other), "{told:?}");
    let held: Vec<_> = lab.bindings.iter().filter(|own| own.is_held(lab.now)).collect();
    assert_eq!(held.len(), 2);
    assert!(lab.bindings.by_address(kept).unwrap().is_held(lab.now));
    assert!(!lab.bindings.by_address(other).unwrap().is_held(lab.now));
}

/// The bindings as a daemon finds them that begins, with leases that record no place.
fn recalled(bindings: &orchestrator_dhcp6::Bindings) -> orchestrator_dhcp6::Bindings {
    let mut recalled = orchestrator_dhcp6::Bindings::new();
    for binding in bindings.iter().cloned() {
        let place = Place::default();
        recalled.load(Binding { place, ..binding });
    }
    recalled
}

fn relayed(lab: &mut Lab, n: u8, options: &[Vec<u8>]) -> Ipv6Addr {
    let request = message(REQUEST, XID, &[client(n), server_id(), ia_na(1, &[])]);
    let (link, peer) = (address("2001:db8:0:1::1"), address("fe80::7"));
    let datagram = relay_forw(0, link, peer, options, &request);
    let answer = lab.ask(&datagram).unwrap();
    answer.changes.iter().for_each(|change| lab.bindings.apply(change));
    answer.changes.last().unwrap().after.leased.address().unwrap()
}

#[test]
fn clients_are_known_by_four_traits_the_first_of_which_counts() {
    let id = |text: &str| text.parse::<OpaqueId>().unwrap();
    let kept = |n: u8| format!("2001:db8:0:1::aa{n:02x}");
    let mut lab = Lab::new();
    let remote = Holder::RemoteId {
        enterprise: 9,
        id: id("port-7"),
    };
    for (n, holder) in [
        (1, by_duid(1)),
        (2, Holder::LinkLayer("02:00:5f:00:00:01".parse().unwrap())),
        (3, remote),
        (4, Holder::InterfaceId(id("0x0007"))),
    ] {
        reserve(&mut lab, holder, &kept(n));
    }
    let link_layer = || option(79, &[0, 1, 2, 0, 0x5f, 0, 0, 1]);
    let remote = || option(37, b"\x00\x00\x00\x09port-7");
    let interface = || option(18, &[0, 7]);
    for (client, told, n) in [
        (1, vec![link_layer(), remote(), interface()], 1),
        (11, vec![link_layer(), remote(), interface()], 2),
        (12, vec![remote(), interface()], 3),
        (13, vec![interface()], 4),
    ] {
        assert_eq!(relayed(&mut lab, client, &told), address(&kept(n)), "{n}");
    }
    let other = relayed(&mut lab, 14, &[option(37, b"\x00\x00\x00\x08port-7")]);
    assert!(lab.link.pool.contains(other));
    // As the DUID says, where no relay tells.
    let mut lab = Lab::new();
    reserve(&mut lab, Holder::LinkLayer("02:00:5e:10:00:01".parse().unwrap()), KEPT);
    assert_eq!(lab.lease(1), address(KEPT));
}

#[test]
fn a_prefix_is_kept_too_and_no_part_of_it_is_given_to_others() {
    for order in [Order::Hashed, Order::Sequential] {
        let mut lab = Lab::new();
        lab.link.delegation = vec![prefix_pool("2001:db8:1::/55", 64).with_order(order)];
        // The first half, a part of the second half, and one that is in no pool.
        reserve(&mut lab, by_duid(1), "2001:db8:1::/56");
        reserve(&mut lab, by_duid(2), "2001:db8:1:180::/64");
        reserve(&mut lab, by_duid(3), "2001:db8:9::/60");
        for n in 10..=250 {
            let given: ipnet::Ipv6Net = lab.delegate(n, &["2001:db8:1::/64"]).parse().unwrap();
            assert!(
                given.network().segments()[2] == 1 && given.network().segments()[3] >= 0x100,
                "{given}"
            );
            assert_ne!(given.network().segments()[3], 0x180);
        }
        assert_eq!(lab.delegate(1, &[]), "2001:db8:1::/56");
        assert_eq!(lab.delegate(2, &[]), "2001:db8:1:180::/64");
        assert_eq!(lab.delegate(3, &["::/64"]), "2001:db8:9::/60");
    }
}

/// An overlapping prefix is given up first. The reserved prefix is granted at the renewal after that.
#[test]
fn a_client_that_holds_a_part_of_its_reserved_prefix_comes_to_it() {
    let mut lab = Lab::delegating(&[("2001:db8:1::/48", 64)]);
    let part = lab.delegate(1, &[]);
    let around: ipnet::Ipv6Net = part.parse().unwrap();
    let kept = ipnet::Ipv6Net::new(around.network(), 56).unwrap().trunc().to_string();
    reserve(&mut lab, by_duid(1), &kept);
    let mut own = part;
    for _ in 0..2 {
        let read = lab.say(RENEW, &[client(1), server_id(), ia_pd(1, &[&own])]);
        own = read
            .only_ia_pd()
            .prefixes
            .into_iter()
            .find(|prefix| prefix.valid > 0)
            .unwrap()
            .text;
    }
    assert_eq!(own, kept);
}

#[test]
fn what_cannot_be_on_the_link_is_not_given_though_it_is_reserved() {
    // Of another link, the link's own, and a reserved identifier.
    for kept in ["2001:db8:7::1", "2001:db8:0:1::1", "2001:db8:0:1:fdff:ffff:ffff:ff80"] {
        let mut lab = Lab::new();
        reserve(&mut lab, by_duid(1), kept);
        let leased = lab.lease(1);
        assert!(lab.link.pool.contains(leased), "{kept}");
    }
}

#[test]
fn reservations_do_not_stand_against_each_other() {
    let mut all = Reservations::new();
    let first = reserved(by_duid(1), Some(KEPT), Some("2001:db8:1::/56"));
    all.insert(first.clone()).unwrap();
    assert_eq!(
        all.insert(reserved(by_duid(1), None, None)),
        Err(ReservationConflict::Holder(by_duid(1)))
    );
    for (kept_address, prefix, what) in [
        (Some(KEPT), None, Leased::Address(address(KEPT))),
        (
            None,
            Some("2001:db8:1:1::/64"),
            Leased::Prefix("2001:db8:1::/56".parse().unwrap()),
        ),
        (
            None,
            Some("2001:db8::/32"),
            Leased::Prefix("2001:db8:1::/56".parse().unwrap()),
        ),
    ] {
        let holder = by_duid(1);
        let conflict = ReservationConflict::Leased { what, holder };
        assert_eq!(all.insert(reserved(by_duid(2), kept_address, prefix)), Err(conflict));
    }
    assert!(all.iter().eq([&first]));
}

#[test]
fn a_reserved_address_cannot_be_registered() {
    let mut lab = Lab::new();
    lab.link.registration = Some(orchestrator_dhcp6::Registration {
        longest: std::time::Duration::from_secs(3600),
        withheld: Vec::new(),
    });
    reserve(&mut lab, by_duid(1), KEPT);
    for (told, outcome) in [(KEPT, Err("not-registrable")), ("2001:db8:0:1::bbbb", Ok(()))] {
        let inbound = orchestrator_dhcp6::Inbound {
            datagram: &message(ADDR_REG_INFORM, XID, &[client(2), ia_address(address(told), 60, 60)]),
            source: std::net::SocketAddrV6::new(address(told), 546, 0, 7),
            multicast: true,
        };
        let answer = lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now);
        assert_eq!(answer.map(drop).map_err(|discard| discard.word()), outcome);
    }
}

/// The clients that are asked to renew when reservations change.
#[test]
fn those_are_concerned_who_would_be_answered_otherwise() {
    let mut lab = Lab::new();
    let held: Vec<Ipv6Addr> = (1..=4).map(|n| lab.lease(n)).collect();
    let none = Reservations::new();
    let concerned = |lab: &Lab, after: &Reservations, before: &Reservations| {
        let concerned = after.concerned(before, &lab.bindings, lab.now);
        concerned.iter().map(|duid| duid.as_bytes()[9]).collect::<Vec<_>>()
    };
    let of = |kept: &[(Holder, String)]| {
        let mut all = Reservations::new();
        for (holder, kept) in kept {
            all.insert(reserved(holder.clone(), Some(kept), None)).unwrap();
        }
        all
    };
    // It has it already.
    let own = of(&[(by_duid(1), held[0].to_string())]);
    assert!(concerned(&lab, &own, &none).is_empty());
    // Who has it, and who is to have it.
    let others = of(&[(by_duid(1), held[1].to_string())]);
    assert_eq!(concerned(&lab, &others, &none), [1, 2]);
    let by_address = Holder::LinkLayer("02:00:5e:10:00:03".parse().unwrap());
    assert_eq!(concerned(&lab, &of(&[(by_address, KEPT.to_owned())]), &none), [3]);
    let by_interface = Holder::InterfaceId("a".parse().unwrap());
    assert_eq!(concerned(&lab, &of(&[(by_interface, held[3].to_string())]), &none), [4]);
    // What is as it was, is not told of; what is gone, is.
    assert!(concerned(&lab, &others, &others).is_empty());
    let kept = of(&[(by_duid(1), KEPT.to_owned())]);
    lab.link.reservations = kept.clone();
    assert_eq!(renew(&mut lab, 1, held[0]).0, address(KEPT));
    assert_eq!(concerned(&lab, &none, &kept), [1]);
    // A lease that has ended concerns nobody.
    lab.now += 3 * HOUR;
    assert!(concerned(&lab, &others, &none).is_empty());
}
