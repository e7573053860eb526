//! How a lease is kept, and how it is lost (RFC 9915, sections 18.2.4, 18.2.5 and 18.2.10.1).

use std::time::Duration;

use orchestrator_dhcp6::client::{Event, How, Loss, Wants};
use orchestrator_dhcp6::{Bindings, Pool};
use orchestrator_wire::{REBIND, RENEW, REQUEST, SOLICIT};

use crate::network::*;

#[test]
fn it_is_renewed_at_t1() {
    let mut network = Network::bound();
    let held = network.client.holdings().unwrap().clone();
    network.run_for(1800 * SECOND);
    assert_eq!(network.kinds(), [RENEW]);
    assert_eq!(network.times(RENEW, held.renew_at), [0]);
    let bound = network.bound_once();
    assert_eq!(
        (bound.how, bound.leases[0].leased),
        (How::Renewed, held.leases[0].leased)
    );
    assert_eq!(bound.leases[0].valid_until, held.renew_at + 7200 * SECOND);
    assert_eq!(network.assigned[&bound.leases[0].leased], bound.leases[0]);
    network.run_for(20 * 3600 * SECOND);
    assert_eq!(network.kinds(), [RENEW], "it goes on for ever");
}

#[test]
fn another_server_is_asked_at_t2_and_its_end_withdraws_it() {
    let mut network = Network::bound();
    let held = network.client.holdings().unwrap().clone();
    network.sites[0].listens = false;
    network.run_for(7300 * SECOND);
    assert_eq!(network.kinds(), [RENEW, REBIND, SOLICIT]);
    let renewed = network.times(RENEW, held.renew_at);
    assert_eq!(renewed[0], 0);
    assert!((9000..=11_000).contains(&renewed[1]), "{renewed:?}");
    assert_eq!(network.times(REBIND, held.rebind_at)[0], 0);
    let end = held.leases[0].valid_until;
    assert!(network.times(REBIND, end).iter().all(|time| *time < 0));
    assert!((0..=SECOND).contains(&network.times(SOLICIT, end)[0]));
    let leased = held.leases[0].leased;
    let cause = Loss::Expired;
    assert_eq!(network.events, [Event::Lost { leased, cause }]);
    assert!(network.assigned.is_empty());
    network.sites[0].listens = true;
    network.run_for(300 * SECOND);
    assert_eq!(network.bound_once().leases[0].leased, leased);
}

#[test]
fn another_server_may_extend_it() {
    let mut network = Network::bound();
    let mut other = site(2);
    other.link.rapid_commit = true;
    other.link.pool = site(1).link.pool;
    network.sites = vec![other];
    network.run_for(2900 * SECOND);
    assert_eq!(network.kinds(), [RENEW, REBIND]);
    let bound = network.bound_once();
    assert_eq!(
        (bound.how, &bound.server),
        (How::Rebound, network.sites[0].server.duid())
    );
    network.forget();
    network.run_for(1800 * SECOND);
    assert_eq!(network.bound_once().how, How::Renewed, "now it is asked");
}

#[test]
fn who_knows_no_binding_is_asked_for_one() {
    let mut network = Network::bound();
    let leased = network.client.holdings().unwrap().leases[0].leased;
    network.sites[0].listens = false;
    network.run_for(2800 * SECOND);
    network.sites[0].listens = true;
    network.sites[0].bindings = Bindings::new();
    network.run_for(700 * SECOND);
    assert_eq!(network.kinds(), [RENEW, REBIND, REQUEST]);
    let bound = network.bound_once();
    assert_eq!((bound.how, bound.leases[0].leased), (How::Granted, leased));
    assert_eq!(network.leased(), [leased]);
    assert!(
        network
            .events
            .iter()
            .any(|event| matches!(event, Event::Refused { status, .. } if status.code == 3))
    );
}

#[test]
fn what_the_server_exchanges_is_exchanged() {
    let mut network = Network::bound();
    let old = network.client.holdings().unwrap().leases[0].leased;
    network.sites[0].link.pool = Pool::new("2001:db8:0:1::9:0/112".parse().unwrap());
    network.run_for(1800 * SECOND);
    let [lease] = network.bound_once().leases[..] else {
        panic!()
    };
    assert_ne!(lease.leased, old);
    assert_eq!(network.assigned.keys().collect::<Vec<_>>(), [&lease.leased]);
    let (leased, cause) = (old, Loss::Ended);
    assert!(network.events.contains(&Event::Lost { leased, cause }));
}

/// The server that has nothing more to give tells what is left: that is kept to its end.
#[test]
fn what_is_not_extended_is_kept_to_its_end() {
    let mut network = Network::bound();
    let lease = network.client.holdings().unwrap().leases[0];
    network.sites[0].link.pool = Pool::new("2001:db8:0:1::1/128".parse().unwrap());
    let end = lease.valid_until - network.now;
    network.run_for(end - 1);
    assert_eq!(network.assigned.keys().collect::<Vec<_>>(), [&lease.leased]);
    network.run_for(1);
    assert!(network.assigned.is_empty());
}

#[test]
fn what_is_missing_is_asked_for_with_the_rest() {
    let mut first = site(1);
    let delegation = std::mem::take(&mut first.link.delegation);
    let mut network = Network::with(settings(Wants::AddressAndPrefix(None)), None, vec![first]);
    network.run_for(5 * SECOND);
    assert_eq!(network.bound_once().leases.len(), 1);
    network.forget();
    network.sites[0].link.delegation = delegation;
    network.run_for(1800 * SECOND);
    assert_eq!(network.kinds(), [RENEW]);
    assert_eq!(network.bound_once().leases.len(), 2);
    assert_eq!(network.assigned.len(), 2);
}

#[test]
fn a_lease_without_end_is_left_alone() {
    let mut network = Network::new();
    network.sites[0].link.preferred = Duration::MAX;
    network.sites[0].link.valid = Duration::MAX;
    network.run_for(1000 * 24 * 3600 * SECOND);
    assert_eq!(network.kinds(), [SOLICIT, REQUEST]);
    assert_eq!(network.client.next(), None);
    assert_eq!(network.bound_once().leases[0].valid_until, i64::MAX);
}
