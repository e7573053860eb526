//! A client's remembered leases, and whether they still fit the link (RFC 9915, sections 18.2.3 and 18.2.12).

use orchestrator_dhcp6::client::{Event, Holdings, How, Loss, Wants};
use orchestrator_dhcp6::{Iaid, Link};
use orchestrator_wire::{CONFIRM, REBIND, REQUEST, SOLICIT};

use crate::network::*;

/// The remembered leases of an earlier run, and the site where they were granted.
fn remembered(wants: Wants) -> (Holdings, Vec<Site>) {
    let mut network = Network::with(settings(wants), None, vec![site(1)]);
    network.run_for(5 * SECOND);
    (network.client.holdings().unwrap().clone(), network.sites)
}

#[test]
fn an_address_is_confirmed() {
    let (holdings, sites) = remembered(Wants::Address);
    let mut network = Network::with(settings(Wants::Address), Some(holdings.clone()), sites);
    network.run_for(5 * SECOND);
    assert_eq!(network.kinds(), [CONFIRM]);
    let bound = network.bound_once();
    assert_eq!((bound.how, &bound.leases), (How::Confirmed, &holdings.leases));
    network.forget();
    network.run_for(1800 * SECOND);
    assert_eq!(network.bound_once().how, How::Renewed);
}

#[test]
fn on_another_link_it_is_lost() {
    let (holdings, mut sites) = remembered(Wants::Address);
    let (pool, address) = (
        "2001:db8:0:2::1:0/112".parse().unwrap(),
        "2001:db8:0:2::1".parse().unwrap(),
    );
    sites[0].link = Link::new(
        "2001:db8:0:2::/64".parse().unwrap(),
        address,
        orchestrator_dhcp6::Pool::new(pool),
    );
    let mut network = Network::bound();
    network.sites = sites;
    let leased = holdings.leases[0].leased;
    network.client.reattach(network.now);
    network.run_for(10 * SECOND);
    assert_eq!(network.kinds(), [CONFIRM, SOLICIT, REQUEST]);
    let cause = Loss::NotOnLink;
    assert!(network.events.contains(&Event::Lost { leased, cause }));
    assert_eq!(network.assigned.len(), 1);
    assert!(!network.assigned.contains_key(&leased));
}

#[test]
fn without_an_answer_it_is_used_for_as_long_as_it_lasts() {
    let (holdings, mut sites) = remembered(Wants::Address);
    sites[0].listens = false;
    let end = holdings.leases[0].valid_until;
    let mut network = Network::with(settings(Wants::Address), Some(holdings), sites);
    network.run_for(12 * SECOND);
    assert_eq!(network.bound_once().how, How::Confirmed);
    assert_eq!(network.assigned.len(), 1);
    network.run_for(end - network.now);
    assert!(network.assigned.is_empty());
}

#[test]
fn a_prefix_is_rebound_instead() {
    let wants = Wants::AddressAndPrefix(None);
    let (holdings, sites) = remembered(wants);
    let mut network = Network::with(settings(wants), Some(holdings.clone()), sites);
    network.run_for(5 * SECOND);
    assert_eq!(network.kinds(), [REBIND]);
    assert_eq!(network.bound_once().how, How::Rebound);
    assert_eq!(network.assigned.len(), 2);
}

#[test]
fn what_is_of_no_use_is_not_remembered() {
    let (holdings, _) = remembered(Wants::Address);
    let mut expired = holdings.clone();
    expired.leases[0].valid_until = BEGIN;
    let mut others = holdings.clone();
    others.iaid = Iaid(8);
    for (wants, holdings) in [
        (Wants::Address, expired),
        (Wants::Address, others),
        (Wants::Prefix(None), holdings),
    ] {
        let network = Network::with(settings(wants), Some(holdings), Vec::new());
        assert_eq!(network.client.holdings(), None);
    }
}
