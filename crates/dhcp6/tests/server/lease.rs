//! Getting a lease: rows 30 to 38, 56, 57 and 72.

use std::time::Duration;

use orchestrator_dhcp6::{BindingState, ClientLimit, Verb};
use orchestrator_wire::*;

use crate::lab::{HOUR, Lab, XID, address, client, server_id};

#[test]
fn row_30_same_times_in_all_associations() {
    let read = Lab::new().say(
        REQUEST,
        &[
            client(1),
            server_id(),
            ia_na(1, &[]),
            ia_na(2, &[]),
            ia_na_timed(3, (5, 6), &[]),
        ],
    );
    let ias = read.ias();
    assert_eq!(
        ias.iter().map(|ia| ia.iaid).collect::<std::collections::BTreeSet<_>>(),
        [1, 2, 3].into()
    );
    assert!(ias.iter().all(|ia| (ia.t1, ia.t2) == (1800, 2880)), "{ias:?}");
    let mut addresses: Vec<_> = ias.iter().map(|ia| ia.addresses[0].ip).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
}

#[test]
fn row_31_32_the_clients_times_are_not_followed() {
    let mut lab = Lab::new();
    let hint = address("2001:db8:0:1::1:7");
    for (t1, t2, preferred, valid) in [(0, 0, 0, 0), (9, 5, 900, 100), (u32::MAX, u32::MAX, u32::MAX, u32::MAX)] {
        let wished = ia_na_timed(1, (t1, t2), &[ia_address(hint, preferred, valid)]);
        let ia = lab.say(SOLICIT, &[client(1), wished]).only_ia();
        assert_eq!(
            (ia.t1, ia.t2, ia.addresses),
            (1800, 2880, vec![Address::new(hint, 3600, 7200)])
        );
    }
    lab.link.preferred = Duration::from_secs(9000);
    let ia = lab.say(SOLICIT, &[client(1), ia_na(1, &[hint])]).only_ia();
    assert_eq!(
        (ia.t1, ia.t2, ia.addresses),
        (3600, 5760, vec![Address::new(hint, 7200, 7200)])
    );
}

#[test]
fn row_31_infinity_stays_infinite() {
    let mut lab = Lab::new();
    (lab.link.preferred, lab.link.valid) = (Duration::MAX, Duration::MAX);
    let ia = lab.say(REQUEST, &[client(1), server_id(), ia_na(1, &[])]).only_ia();
    assert_eq!(
        (ia.t1, ia.t2, ia.addresses[0].preferred, ia.addresses[0].valid),
        (u32::MAX, u32::MAX, u32::MAX, u32::MAX)
    );
    assert_eq!(
        (lab.changes[0].after.preferred_until, lab.changes[0].after.valid_until),
        (i64::MAX, i64::MAX)
    );
}

#[test]
fn row_33_rapid_commit_only_when_set_and_asked_for() {
    let rapid = [client(1), ia_na(1, &[]), option(RAPID_COMMIT, &[])];
    let mut lab = Lab::new();
    let offered = lab.say(SOLICIT, &rapid);
    assert_eq!(
        (offered.kind, offered.options.get(RAPID_COMMIT), lab.changes.len()),
        (ADVERTISE, None, 0)
    );
    lab.link.rapid_commit = true;
    assert_eq!(lab.say(SOLICIT, &rapid[..2]).kind, ADVERTISE);
    assert!(lab.changes.is_empty());
    let granted = lab.say(SOLICIT, &rapid);
    assert_eq!(
        (granted.kind, granted.options.get(RAPID_COMMIT), granted.address()),
        (REPLY, Some(&[][..]), offered.address())
    );
    assert_eq!(
        (lab.changes.len(), lab.changes[0].verb, lab.changes[0].after.leased),
        (1, Verb::Grant, offered.address().into())
    );
}

#[test]
fn row_34_the_lease_is_the_offer() {
    let mut lab = Lab::new();
    let offered = lab.say(SOLICIT, &[client(1), ia_na(1, &[])]).address();
    assert!(lab.changes.is_empty());
    let read = lab.say(REQUEST, &[client(1), server_id(), ia_na(1, &[offered])]);
    assert_eq!((read.kind, read.address()), (REPLY, offered));
    let after = &lab.changes[0].after;
    assert_eq!(
        (after.state, after.duid.as_bytes(), after.iaid.0),
        (BindingState::Active, &duid(1)[..], 1)
    );
    assert_eq!(
        (after.preferred_until, after.valid_until),
        (lab.now + HOUR, lab.now + 2 * HOUR)
    );
    assert_eq!(lab.changes[0].before, None);
    assert_eq!(
        lab.changes[0].link_layer.as_ref().unwrap().to_string(),
        "02:00:5e:10:00:01"
    );
}

#[test]
fn row_34_the_lease_is_the_offer_without_a_hint_too() {
    let mut lab = Lab::new();
    let offered = lab.say(SOLICIT, &[client(1), ia_na(1, &[])]).address();
    assert_eq!(
        lab.say(REQUEST, &[client(1), server_id(), ia_na(1, &[])]).address(),
        offered
    );
}

#[test]
fn row_35_a_repeated_request_is_answered_anew() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    lab.now += 5000;
    let read = lab.say(
        REQUEST,
        &[
            client(1),
            server_id(),
            ia_na(1, &[leased]),
            option_request(&[DNS_SERVERS]),
        ],
    );
    assert_eq!(read.address(), leased);
    assert_eq!(
        (lab.changes[0].verb, lab.changes[0].after.valid_until),
        (Verb::Renew, lab.now + 2 * HOUR)
    );
    assert_eq!(lab.bindings.len(), 1);
}

#[test]
fn row_36_request_off_link_not_on_link() {
    let mut lab = Lab::new();
    let (off, on) = (address("2001:db8:0:2::1:7"), address("2001:db8:0:1::1:7"));
    let read = lab.say(REQUEST, &[client(1), server_id(), ia_na(1, &[on, off]), ia_na(2, &[])]);
    let ias = read.ias();
    let refused = ias.iter().find(|ia| ia.iaid == 1).unwrap();
    assert_eq!((refused.status, refused.addresses.len()), (Some(NOT_ON_LINK), 0));
    assert_eq!(ias.iter().find(|ia| ia.iaid == 2).unwrap().addresses.len(), 1);
    assert_eq!((lab.changes.len(), lab.changes[0].after.iaid.0), (1, 2));
}

#[test]
fn row_37_a_full_pool_has_no_addresses() {
    let mut lab = Lab::with_pool("2001:db8:0:1::1:0/127");
    lab.lease(1);
    lab.lease(2);
    for (kind, server) in [(SOLICIT, Vec::new()), (REQUEST, server_id())] {
        let read = lab.say(kind, &[client(3), server, ia_na(1, &[address("2001:db8:0:1::1:0")])]);
        assert_eq!(read.status(), None);
        assert_eq!(
            (read.only_ia().status, read.only_ia().addresses.len()),
            (Some(NO_ADDRS_AVAIL), 0)
        );
        assert!(lab.changes.is_empty());
    }
}

#[test]
fn row_37_rapid_commit_with_nothing_to_grant_is_an_advertise() {
    let mut lab = Lab::with_pool("2001:db8:0:1::1:0/128");
    lab.link.rapid_commit = true;
    lab.lease(1);
    let read = lab.say(SOLICIT, &[client(2), ia_na(1, &[]), option(RAPID_COMMIT, &[])]);
    assert_eq!(
        (read.kind, read.options.get(RAPID_COMMIT), read.only_ia().status),
        (ADVERTISE, None, Some(NO_ADDRS_AVAIL))
    );
}

#[test]
fn row_38_anothers_address_is_not_assigned() {
    let mut lab = Lab::new();
    let foreign = lab.lease(1);
    let read = lab.say(REQUEST, &[client(2), server_id(), ia_na(1, &[foreign])]);
    assert_ne!(read.address(), foreign);
    assert_eq!(lab.bindings.by_address(foreign).unwrap().duid.as_bytes(), duid(1));
}

#[test]
fn row_56_prefixes_are_refused_and_addresses_served() {
    for (kind, server) in [(SOLICIT, Vec::new()), (REQUEST, server_id())] {
        let read = Lab::new().say(kind, &[client(1), server, ia_pd(9, &[]), ia_na(1, &[])]);
        let refused = Ia::parse(read.options.get(IA_PD).unwrap());
        assert_eq!((refused.iaid, refused.status), (9, Some(NO_PREFIX_AVAIL)));
        read.address();
    }
}

#[test]
fn row_57_temporary_addresses_are_ignored() {
    let read = Lab::new().say(SOLICIT, &[client(1), option(IA_TA, &[0, 0, 0, 9]), ia_na(1, &[])]);
    assert_eq!(read.options.get(IA_TA), None);
    read.address();
}

#[test]
fn row_72_bindings_of_a_client_are_limited() {
    let mut lab = Lab::new();
    lab.link.limits.bindings_per_client = 3;
    let leased: Vec<_> = (1..=3)
        .map(|iaid| lab.say(REQUEST, &[client(1), server_id(), ia_na(iaid, &[])]).address())
        .collect();
    for hints in [&[][..], &[address("2001:db8:0:1::1:7")]] {
        // What the message names is in use: by its association, or by itself.
        for named in [[ia_na(1, &[]), ia_na(2, &[]), ia_na(3, &[])], leased_of(5, &leased)] {
            let options = [&[client(1), server_id(), ia_na(4, hints)][..], &named].concat();
            let read = lab.say(REQUEST, &options);
            let refused = read.ias().into_iter().find(|ia| ia.iaid == 4).unwrap();
            assert_eq!(refused.status, Some(NO_ADDRS_AVAIL));
        }
    }
    // What it has it keeps, and what it gives back it can have again.
    assert_eq!(
        lab.say(RENEW, &[client(1), server_id(), ia_na(2, &[leased[1]])])
            .address(),
        leased[1]
    );
    lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[leased[0]])]);
    assert_eq!(
        lab.say(REQUEST, &[client(1), server_id(), ia_na(4, &[])]).address(),
        leased[0]
    );
    assert_eq!(lab.bindings.len(), 3);
    lab.lease(2);
}

/// Associations that are not the client's and name what it has.
fn leased_of(first: u32, leased: &[std::net::Ipv6Addr]) -> [Vec<u8>; 3] {
    [0, 1, 2].map(|number| ia_na(first + number, &[leased[number as usize]]))
}

/// The oldest lease is that which was extended longest ago.
#[test]
fn row_72_the_oldest_lease_that_a_message_does_not_name_makes_room() {
    let mut lab = Lab::new();
    lab.link.limits.bindings_per_client = 3;
    let leased: Vec<_> = (1..=3)
        .map(|iaid| {
            lab.now += 1000;
            lab.say(REQUEST, &[client(1), server_id(), ia_na(iaid, &[])]).address()
        })
        .collect();
    lab.now += 1000;
    lab.say(RENEW, &[client(1), server_id(), ia_na(1, &[leased[0]])]);
    let offered = lab.say(SOLICIT, &[client(1), ia_na(4, &[])]).address();
    assert!(!leased.contains(&offered), "an offer ends nothing");
    assert_eq!(lab.bindings.len(), 3);
    let datagram = message(REQUEST, XID, &[client(1), server_id(), ia_na(4, &[offered])]);
    let answer = lab.ask(&datagram).unwrap();
    assert_eq!(answer.client_limits, [ClientLimit::MadeRoom(leased[1].into())]);
    let verbs: Vec<_> = answer
        .changes
        .iter()
        .map(|change| (change.verb, change.after.leased))
        .collect();
    assert_eq!(
        verbs,
        [(Verb::Release, leased[1].into()), (Verb::Grant, offered.into())]
    );
    assert_eq!(lab.send(&datagram).unwrap().address(), offered);
    // The next one is given what the last one made room by, and so on: their number is bounded.
    lab.now += 1000;
    assert_eq!(
        lab.say(REQUEST, &[client(1), server_id(), ia_na(5, &[])]).address(),
        leased[1]
    );
    for iaid in 6..40 {
        lab.now += 1000;
        lab.say(REQUEST, &[client(1), server_id(), ia_na(iaid, &[])]).address();
    }
    assert_eq!(lab.bindings.len(), 4);
    let held = lab.bindings.iter().filter(|binding| binding.is_held(lab.now));
    assert_eq!(held.count(), 3);
}

#[test]
fn row_72_a_limit_holds_within_one_message() {
    let mut lab = Lab::new();
    lab.link.limits.bindings_per_client = 3;
    let ias: Vec<_> = (1..=6).map(|iaid| ia_na(iaid, &[])).collect();
    let read = lab.say(REQUEST, &[&[client(1), server_id()][..], &ias].concat());
    assert_eq!(
        read.ias().iter().filter(|ia| ia.status == Some(NO_ADDRS_AVAIL)).count(),
        3
    );
    assert_eq!((lab.changes.len(), lab.bindings.len()), (3, 3));
}

#[test]
fn associations_of_a_message_are_limited() {
    let ias: Vec<_> = (0..17).map(|iaid| ia_na(iaid, &[])).collect();
    let options = [&[client(1)][..], &ias].concat();
    assert_eq!(Lab::new().refused(SOLICIT, &options), "too-many-associations");
    assert_eq!(Lab::new().say(SOLICIT, &options[..17]).ias().len(), 16);
}

#[test]
fn a_client_without_associations_gets_configuration() {
    let read = Lab::new().say(SOLICIT, &[client(1)]);
    assert_eq!((read.kind, read.ias().len()), (ADVERTISE, 0));
}

#[test]
fn the_name_of_the_client_goes_with_the_change() {
    let mut lab = Lab::new();
    let fqdn = option(39, b"\x01\x05Phone\x03lan\x00");
    lab.say(REQUEST, &[client(1), server_id(), ia_na(1, &[]), fqdn]);
    assert_eq!(lab.changes[0].hostname.as_deref(), Some("phone"));
}
