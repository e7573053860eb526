//! Giving a lease back: rows 51 to 55.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_dhcp6::{BindingState, Verb};
use orchestrator_wire::*;

use crate::lab::{HOUR, Lab, address, client, server_id};

#[test]
fn row_51_release_frees() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    let read = lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[leased])]);
    assert_eq!((read.kind, read.status(), read.ias().len()), (REPLY, Some(0), 0));
    let change = &lab.changes[0];
    assert_eq!(
        (change.verb, change.after.state, change.after.valid_until),
        (Verb::Release, BindingState::Released, lab.now)
    );
    assert!(!lab.bindings.by_address(leased).unwrap().is_taken(lab.now));
}

#[test]
fn row_52_release_without_a_lease() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    let read = lab.say(
        RELEASE,
        &[
            client(2),
            server_id(),
            ia_na(1, &[leased]),
            ia_na(2, &[]),
            ia_pd(3, &[]),
        ],
    );
    assert_eq!(read.status(), Some(0));
    assert_eq!(
        read.ias().iter().map(|ia| ia.status).collect::<Vec<_>>(),
        [Some(NO_BINDING); 2]
    );
    assert_eq!(Ia::parse(read.options.get(IA_PD).unwrap()).status, Some(NO_BINDING));
    // Twice is once.
    lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[leased])]);
    let again = lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[leased])]);
    assert_eq!(
        (again.status(), again.only_ia().status, lab.changes.len()),
        (Some(0), Some(NO_BINDING), 0)
    );
}

#[test]
fn row_53_release_of_anothers_address_has_no_effect() {
    let mut lab = Lab::new();
    let (own, foreign) = (lab.lease(1), lab.lease(2));
    let read = lab.say(
        RELEASE,
        &[
            client(1),
            server_id(),
            ia_na(1, &[foreign, address("2001:db8:0:1::1:7")]),
        ],
    );
    assert_eq!((read.status(), read.ias().len(), lab.changes.len()), (Some(0), 0, 0));
    assert!(lab.bindings.by_address(own).unwrap().is_held(lab.now));
    assert!(lab.bindings.by_address(foreign).unwrap().is_held(lab.now));
}

#[test]
fn an_address_named_twice_is_released_once() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[leased, leased])]);
    assert_eq!(lab.changes.len(), 1);
}

#[test]
fn row_54_decline() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    let read = lab.say(
        DECLINE,
        &[client(1), server_id(), ia_na(1, &[leased]), ia_na(2, &[leased])],
    );
    assert_eq!(read.status(), Some(0));
    assert_eq!((read.only_ia().iaid, read.only_ia().status), (2, Some(NO_BINDING)));
    let change = &lab.changes[0];
    assert_eq!(
        (lab.changes.len(), change.verb, change.after.state),
        (1, Verb::Decline, BindingState::Declined)
    );
    assert_eq!(change.after.valid_until, lab.now + 24 * HOUR);
}

#[test]
fn row_54_decline_of_anothers_address_has_no_effect() {
    let mut lab = Lab::new();
    let foreign = lab.lease(1);
    lab.lease(2);
    lab.say(DECLINE, &[client(2), server_id(), ia_na(1, &[foreign])]);
    assert!(lab.changes.is_empty());
    assert!(lab.bindings.by_address(foreign).unwrap().is_held(lab.now));
}

#[test]
fn row_55_a_declined_address_is_given_to_nobody() {
    let mut lab = Lab::with_pool("2001:db8:0:1::1:0/127");
    lab.link.quarantine = Duration::from_secs(600);
    let declined = lab.lease(1);
    lab.say(DECLINE, &[client(1), server_id(), ia_na(1, &[declined])]);
    let other = lab
        .say(REQUEST, &[client(1), server_id(), ia_na(1, &[declined])])
        .address();
    assert_ne!(other, declined);
    let refused = lab
        .say(REQUEST, &[client(2), server_id(), ia_na(1, &[declined])])
        .only_ia();
    assert_eq!(refused.status, Some(NO_ADDRS_AVAIL));
    lab.now += 600_000;
    assert_eq!(
        lab.say(REQUEST, &[client(2), server_id(), ia_na(1, &[])]).address(),
        declined
    );
}

/// A client gets another address however many it has declined; but only so many of them are in quarantine at a time.
#[test]
fn row_72_one_client_cannot_decline_a_pool_away() {
    let mut lab = Lab::new();
    let most = lab.link.limits.bindings_per_client;
    let mut declined = BTreeSet::new();
    for count in 1..=100 {
        let leased = lab
            .say(REQUEST, &[client(1), server_id(), ia_na(1, &[])])
            .only_ia()
            .leased()
            .ip;
        lab.now += 1000;
        lab.say(DECLINE, &[client(1), server_id(), ia_na(1, &[leased])]);
        declined.insert(leased);
        let is_quarantined = |address: &&Ipv6Addr| lab.bindings.by_address(**address).unwrap().is_taken(lab.now);
        assert_eq!(declined.iter().filter(is_quarantined).count(), count.min(most));
        assert!(is_quarantined(&&leased), "the last one is among them");
    }
    assert_eq!(lab.changes[1].verb, Verb::Lift);
}

#[test]
fn the_quarantine_of_an_address_is_lifted_and_undone() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    assert_eq!(lab.bindings.lift(leased, lab.now), None, "it is in use");
    lab.say(DECLINE, &[client(1), server_id(), ia_na(1, &[leased])]);
    let lift = lab.bindings.lift(leased, lab.now).unwrap();
    assert_eq!((lift.verb, lift.after.valid_until), (Verb::Lift, lab.now));
    lab.bindings.apply(&lift);
    assert_eq!(lab.bindings.lift(leased, lab.now), None);
    assert!(!lab.bindings.by_address(leased).unwrap().is_taken(lab.now));
    lab.bindings.undo(&lift);
    assert!(lab.bindings.by_address(leased).unwrap().is_taken(lab.now));
    assert_eq!(
        lab.bindings.lift(leased, lab.now + 24 * HOUR),
        None,
        "it has ended by itself"
    );
}

#[test]
fn an_admin_releases() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    let change = lab.bindings.release(leased, lab.now).unwrap();
    assert_eq!(
        (change.verb, change.after.state),
        (Verb::Release, BindingState::Released)
    );
    lab.bindings.apply(&change);
    assert_eq!(lab.bindings.release(leased, lab.now), None);
    assert_eq!(lab.bindings.release(address("2001:db8:0:1::1:7"), lab.now), None);
    lab.bindings.undo(&change);
    assert!(lab.bindings.by_address(leased).unwrap().is_held(lab.now));
}

#[test]
fn a_change_that_another_followed_is_not_undone() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    let granted = lab.changes[0].clone();
    lab.now += 1000;
    lab.lease(1);
    let renewed = lab.bindings.by_address(leased).cloned();
    lab.bindings.undo(&granted);
    assert_eq!(lab.bindings.by_address(leased).cloned(), renewed);
}

#[test]
fn a_lease_that_ended_is_leased_again_when_its_client_confirms_it() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    let confirm = [client(1), ia_na(1, &[leased])];
    // While it runs there is nothing to do.
    assert_eq!(lab.say(CONFIRM, &confirm).status(), Some(0));
    assert!(lab.changes.is_empty());
    lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[leased])]);
    let read = lab.say(CONFIRM, &confirm);
    assert_eq!((read.status(), read.ias().len()), (Some(0), 0));
    assert_eq!(lab.changes.len(), 1);
    assert_eq!(lab.changes[0].verb, Verb::Grant);
    assert!(lab.bindings.by_address(leased).unwrap().is_held(lab.now));
    // Its time ran out, and nobody wrote it down.
    lab.now += 3 * HOUR;
    lab.say(CONFIRM, &confirm);
    assert!(lab.bindings.by_address(leased).unwrap().is_held(lab.now));
}

#[test]
fn who_confirms_what_another_had_or_what_it_refused_changes_nothing() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[leased])]);
    for confirm in [[client(2), ia_na(1, &[leased])], [client(1), ia_na(2, &[leased])]] {
        assert_eq!(lab.say(CONFIRM, &confirm).status(), Some(0));
        assert!(lab.changes.is_empty());
    }
    let refused = lab.lease(3);
    lab.say(DECLINE, &[client(3), server_id(), ia_na(1, &[refused])]);
    assert_eq!(lab.say(CONFIRM, &[client(3), ia_na(1, &[refused])]).status(), Some(0));
    assert!(lab.changes.is_empty());
}

#[test]
fn who_confirms_what_it_cannot_have_again_begins_anew_and_nothing_is_leased() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    let second = lab.say(REQUEST, &[client(1), server_id(), ia_na(2, &[])]).address();
    for (iaid, address) in [(1, leased), (2, second)] {
        lab.say(RELEASE, &[client(1), server_id(), ia_na(iaid, &[address])]);
    }
    let gone = lab.link.pool;
    lab.link.pool = orchestrator_dhcp6::Pool::new("2001:db8:0:1::2:0/112".parse().unwrap());
    let confirm = [client(1), ia_na(1, &[leased]), ia_na(2, &[second])];
    assert_eq!(lab.say(CONFIRM, &confirm).status(), Some(4));
    assert!(lab.changes.is_empty());
    lab.link.pool = gone;
    assert_eq!(lab.say(CONFIRM, &confirm).status(), Some(0));
    assert_eq!(lab.changes.len(), 2);
    // Of what is off the link nothing is leased either.
    lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[leased])]);
    let confirm = [client(1), ia_na(1, &[leased]), ia_na(2, &[address("2001:db8:9::1")])];
    assert_eq!(lab.say(CONFIRM, &confirm).status(), Some(4));
    assert!(lab.changes.is_empty());
}
