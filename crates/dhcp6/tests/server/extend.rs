//! Keeping a lease: rows 39 to 49.

use orchestrator_dhcp6::{Pool, Verb};
use orchestrator_wire::*;

use crate::lab::{HOUR, Lab, address, client, server_id};

#[test]
fn row_39_confirm_judges_the_link() {
    let mut lab = Lab::new();
    let (on, other, off) = (
        address("2001:db8:0:1::1:7"),
        address("2001:db8:0:1::2:8"),
        address("2001:db8:0:2::1:7"),
    );
    let read = lab.say(CONFIRM, &[client(1), ia_na(1, &[on]), ia_na(2, &[other])]);
    assert_eq!((read.kind, read.status(), read.ias().len()), (REPLY, Some(0), 0));
    assert_eq!(
        lab.say(CONFIRM, &[client(1), ia_na(1, &[on]), ia_na(2, &[other, off])])
            .status(),
        Some(NOT_ON_LINK)
    );
    assert!(lab.changes.is_empty());
}

#[test]
fn row_40_confirm_without_addresses_is_not_answered() {
    assert_eq!(
        Lab::new().refused(CONFIRM, &[client(1), ia_na(1, &[])]),
        "nothing-to-confirm"
    );
    assert_eq!(Lab::new().refused(CONFIRM, &[client(1)]), "nothing-to-confirm");
}

#[test]
fn row_41_confirm_does_not_ask_whose() {
    let mut lab = Lab::new();
    let foreign = lab.lease(1);
    assert_eq!(lab.say(CONFIRM, &[client(2), ia_na(1, &[foreign])]).status(), Some(0));
}

#[test]
fn row_42_renew_extends() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    lab.now += HOUR;
    let read = lab.say(RENEW, &[client(1), server_id(), ia_na(1, &[leased])]);
    assert_eq!(
        (read.only_ia().iaid, read.only_ia().addresses),
        (1, vec![Address::new(leased, 3600, 7200)])
    );
    assert_eq!(
        (lab.changes[0].verb, lab.changes[0].after.valid_until),
        (Verb::Renew, lab.now + 2 * HOUR)
    );
}

#[test]
fn row_42_renew_without_an_address_extends_too() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    assert_eq!(
        lab.say(RENEW, &[client(1), server_id(), ia_na(1, &[])]).address(),
        leased
    );
}

#[test]
fn row_43_renew_of_an_unknown_lease_makes_a_new_one() {
    let mut lab = Lab::new();
    let wanted = address("2001:db8:0:1::1:7");
    let read = lab.say(RENEW, &[client(1), server_id(), ia_na(1, &[wanted])]);
    assert_eq!((read.address(), lab.changes[0].verb), (wanted, Verb::Grant));
}

#[test]
fn row_44_renew_with_an_off_link_address_ends_it() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    let off = address("2001:db8:0:2::1:7");
    let ia_read = lab
        .say(RENEW, &[client(1), server_id(), ia_na(1, &[off, leased])])
        .only_ia();
    assert_eq!(
        ia_read.addresses,
        [Address::new(leased, 3600, 7200), Address::new(off, 0, 0)]
    );
    let ia_read = lab.say(RENEW, &[client(2), server_id(), ia_na(1, &[off])]).only_ia();
    assert!(ia_read.addresses.contains(&Address::new(off, 0, 0)));
    assert_eq!((ia_read.addresses.len(), ia_read.status), (2, None));
}

#[test]
fn row_45_renew_that_can_make_no_lease() {
    let mut lab = Lab::with_pool("2001:db8:0:1::1:0/128");
    lab.lease(1);
    let ia_read = lab.say(RENEW, &[client(2), server_id(), ia_na(1, &[])]).only_ia();
    assert_eq!((ia_read.status, ia_read.addresses.len()), (Some(NO_ADDRS_AVAIL), 0));
}

#[test]
fn row_45_a_lease_that_is_not_extended_tells_what_is_left() {
    let mut lab = Lab::with_pool("2001:db8:0:1::1:0/128");
    let leased = lab.lease(1);
    lab.link.pool = Pool::new("2001:db8:0:1::2:0/128".parse().unwrap());
    lab.lease(2);
    lab.now += 600_000;
    let ia_read = lab.say(RENEW, &[client(1), server_id(), ia_na(1, &[leased])]).only_ia();
    assert_eq!(
        (ia_read.t1, ia_read.t2, ia_read.addresses),
        (6600, 6600, vec![Address::new(leased, 3000, 6600)])
    );
    assert!(lab.changes.is_empty());
}

#[test]
fn an_address_that_left_the_pool_is_exchanged_at_renew() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    lab.link.pool = Pool::new("2001:db8:0:1::2:0/112".parse().unwrap());
    let ia_read = lab.say(RENEW, &[client(1), server_id(), ia_na(1, &[leased])]).only_ia();
    let moved = ia_read.addresses[0].ip;
    assert!(lab.link.pool.contains(moved));
    assert_eq!(ia_read.addresses[1..], [Address::new(leased, 0, 0)]);
    assert_eq!(
        lab.changes.iter().map(|change| change.verb).collect::<Vec<_>>(),
        [Verb::Release, Verb::Grant]
    );
    // The last change of the client's binding is the one it goes on with.
    assert_eq!(
        lab.say(RENEW, &[client(1), server_id(), ia_na(1, &[moved])]).address(),
        moved
    );
}

#[test]
fn row_46_rebind_extends_what_is_known() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    lab.now += HOUR;
    let read = lab.say(REBIND, &[client(1), ia_na(1, &[leased])]);
    assert_eq!(option(SERVER_ID, read.options.get(SERVER_ID).unwrap()), server_id());
    assert_eq!(
        (read.address(), lab.changes[0].after.valid_until),
        (leased, lab.now + 2 * HOUR)
    );
}

#[test]
fn row_47_rebind_of_an_unknown_off_link_address_ends_it() {
    let mut lab = Lab::new();
    let off = address("2001:db8:0:2::1:7");
    let ia_read = lab.say(REBIND, &[client(1), ia_na(1, &[off])]).only_ia();
    assert_eq!(
        (ia_read.addresses, ia_read.status),
        (vec![Address::new(off, 0, 0)], None)
    );
    assert!(lab.changes.is_empty());
}

#[test]
fn row_48_rebind_makes_a_lease_only_with_rapid_commit() {
    let mut lab = Lab::new();
    let wanted = address("2001:db8:0:1::1:7");
    let rebind = [client(1), ia_na(1, &[wanted])];
    let ia_read = lab.say(REBIND, &rebind).only_ia();
    assert_eq!(
        (ia_read.status, ia_read.addresses.len(), lab.changes.len()),
        (Some(NO_BINDING), 0, 0)
    );
    lab.link.rapid_commit = true;
    assert_eq!(
        (lab.say(REBIND, &rebind).address(), lab.changes[0].verb),
        (wanted, Verb::Grant)
    );
}

#[test]
fn row_48_a_lease_that_ran_out_is_not_known_to_rebind() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    lab.now += 2 * HOUR;
    assert_eq!(
        lab.say(REBIND, &[client(1), ia_na(1, &[leased])]).only_ia().status,
        Some(NO_BINDING)
    );
    assert_eq!(lab.lease(1), leased);
}

#[test]
fn row_49_forged_addresses_never_become_the_clients() {
    let mut lab = Lab::new();
    let (own, foreign) = (lab.lease(1), lab.lease(2));
    let unowned = address("2001:db8:0:1::1:7");
    for rapid in [false, true] {
        lab.link.rapid_commit = rapid;
        for (kind, server) in [(REBIND, Vec::new()), (RENEW, server_id())] {
            let read = lab.say(kind, &[client(1), server, ia_na(1, &[foreign, unowned, own])]);
            assert_eq!(
                read.only_ia().addresses,
                [
                    Address::new(own, 3600, 7200),
                    Address::new(foreign, 0, 0),
                    Address::new(unowned, 0, 0)
                ]
            );
            assert_eq!(lab.changes.len(), 1);
            assert_eq!(lab.bindings.by_address(foreign).unwrap().duid.as_bytes(), duid(2));
        }
    }
}

#[test]
fn an_address_that_left_the_pool_is_ended_even_when_not_named() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    lab.link.pool = Pool::new("2001:db8:0:1::2:0/112".parse().unwrap());
    let ia_read = lab.say(RENEW, &[client(1), server_id(), ia_na(1, &[])]).only_ia();
    assert_eq!(ia_read.addresses[1..], [Address::new(leased, 0, 0)]);
}

#[test]
fn a_new_lease_ends_what_the_client_named_and_did_not_get() {
    let mut lab = Lab::new();
    let foreign = lab.lease(1);
    let ia_read = lab
        .say(RENEW, &[client(2), server_id(), ia_na(1, &[foreign])])
        .only_ia();
    assert_ne!(ia_read.addresses[0].ip, foreign);
    assert_eq!(ia_read.addresses[1..], [Address::new(foreign, 0, 0)]);
}

#[test]
fn pools_that_come_and_go_shut_no_client_out() {
    let mut lab = Lab::new();
    let mut last = lab.lease(1);
    for subnet in 2..40 {
        lab.link.pool = Pool::new(format!("2001:db8:0:1::{subnet:x}:0/112").parse().unwrap());
        let moved = lab
            .say(RENEW, &[client(1), server_id(), ia_na(1, &[last])])
            .only_ia()
            .addresses[0]
            .ip;
        assert!(lab.link.pool.contains(moved), "{subnet}");
        last = moved;
    }
}
