//! Delegated prefixes: row 56, those of rows 33 to 53 that speak of them, RFC 8168, RFC 6603 and RFC 9663.

mod choose;
mod keep;

use std::collections::BTreeSet;
use std::time::Duration;

use orchestrator_dhcp6::{Bindings, Leased, Verb};
use orchestrator_wire::*;

use crate::lab::{HOUR, Lab, address, client, prefix_pool, server_id};

/// A /48 of /64s.
fn lab() -> Lab {
    Lab::delegating(&[("2001:db8:1::/48", 64)])
}

fn prefix(text: &str) -> Leased {
    text.parse().unwrap()
}

#[test]
fn row_56_a_prefix_is_offered_and_granted() {
    let mut lab = lab();
    let offer = lab.say(SOLICIT, &[client(1), ia_pd(1, &[])]);
    let ia = offer.only_ia_pd();
    assert_eq!((offer.kind, ia.iaid, ia.t1, ia.t2), (ADVERTISE, 1, 1800, 2880));
    assert_eq!((ia.prefixes[0].preferred, ia.prefixes[0].valid), (3600, 7200));
    assert!(lab.changes.is_empty());
    let granted = lab.delegate(1, &[]);
    assert_eq!(granted, offer.prefix());
    let change = &lab.changes[0];
    assert_eq!((change.verb, change.after.leased), (Verb::Grant, prefix(&granted)));
    assert_eq!(change.next_hop, Some(address("fe80::2")));
    assert!(lab.link.delegating(granted.parse().unwrap()).is_some());
}

#[test]
fn row_33_rapid_commit_grants_a_prefix() {
    let mut lab = lab();
    lab.link.rapid_commit = true;
    let read = lab.say(SOLICIT, &[client(1), ia_pd(1, &[]), option(RAPID_COMMIT, &[])]);
    assert_eq!(
        (read.kind, lab.changes[0].after.leased),
        (REPLY, prefix(&read.prefix()))
    );
}

#[test]
fn row_30_addresses_and_prefixes_together_have_the_same_times() {
    let mut lab = lab();
    let leased = lab.lease(1);
    let read = lab.say(
        REQUEST,
        &[
            client(1),
            server_id(),
            ia_pd(1, &[]),
            ia_na(1, &[leased]),
            ia_pd(2, &[]),
            ia_na(2, &[]),
        ],
    );
    let times: BTreeSet<_> = read.ias().iter().map(|ia| (ia.t1, ia.t2)).collect();
    let prefix_times: BTreeSet<_> = read.ias_pd().iter().map(|ia| (ia.t1, ia.t2)).collect();
    assert_eq!((times, prefix_times), ([(1800, 2880)].into(), [(1800, 2880)].into()));
    let iaids = |ias: Vec<u32>| assert_eq!(ias, [1, 2], "in the order of the message");
    iaids(read.ias().iter().map(|ia| ia.iaid).collect());
    iaids(read.ias_pd().iter().map(|ia| ia.iaid).collect());
    assert_ne!(read.ias_pd()[0].prefixes[0].text, read.ias_pd()[1].prefixes[0].text);
    assert_eq!(lab.changes.len(), 4);
}

#[test]
fn row_30_one_lease_that_is_not_extended_sets_the_times_of_all() {
    let mut lab = Lab::delegating(&[("2001:db8:1::/64", 64)]);
    let (held, leased) = (lab.delegate(1, &[]), lab.lease(1));
    lab.link.delegation = vec![prefix_pool("2001:db8:2::/64", 64)];
    lab.delegate(2, &[]);
    lab.now += HOUR * 3 / 2;
    let read = lab.say(
        RENEW,
        &[client(1), server_id(), ia_na(1, &[leased]), ia_pd(1, &[&held])],
    );
    // Half an hour is left of the prefix.
    assert_eq!(
        (read.only_ia().t1, read.only_ia().t2, read.only_ia().addresses[0].valid),
        (1800, 1800, 7200)
    );
    assert_eq!((read.only_ia_pd().t1, read.only_ia_pd().t2), (1800, 1800));
    assert_eq!(
        (
            read.only_ia_pd().prefixes[0].preferred,
            read.only_ia_pd().prefixes[0].valid
        ),
        (0, 1800)
    );
}

#[test]
fn iaids_of_addresses_and_prefixes_are_numbered_apart() {
    let mut lab = lab();
    let (leased, granted) = (lab.lease(1), lab.delegate(1, &[]));
    lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[leased])]);
    assert_eq!(lab.changes.len(), 1);
    let binding = lab.bindings.by_prefix(granted.parse().unwrap()).unwrap();
    assert!(binding.is_held(lab.now));
}

#[test]
fn row_35_the_same_prefix_again_and_again() {
    let mut lab = lab();
    let granted = lab.delegate(1, &[]);
    lab.delegate(2, &[]);
    assert_eq!(lab.delegate(1, &[]), granted);
    lab.say(RELEASE, &[client(1), server_id(), ia_pd(1, &[&granted])]);
    lab.delegate(3, &[]);
    assert_eq!(lab.delegate(1, &[]), granted);
    lab.now += 3 * HOUR;
    assert_eq!(lab.delegate(1, &[]), granted);
    // A lost database.
    lab.bindings = Bindings::new();
    assert_eq!(lab.delegate(1, &[]), granted);
}

#[test]
fn an_admin_releases_a_prefix() {
    let mut lab = lab();
    lab.link.valid = Duration::from_secs(600);
    let granted = prefix(&lab.delegate(1, &[]));
    let change = lab.bindings.release(granted, lab.now).unwrap();
    lab.bindings.apply(&change);
    assert_eq!(lab.bindings.release(granted, lab.now), None);
    lab.bindings.undo(&change);
    assert!(lab.bindings.at(granted).unwrap().is_held(lab.now));
}
