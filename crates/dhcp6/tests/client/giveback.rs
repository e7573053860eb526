//! How a lease is given back or refused (RFC 9915, sections 18.2.7 and 18.2.8).

use orchestrator_dhcp6::Leased;
use orchestrator_dhcp6::client::{Action, Event, Loss, Wants};
use orchestrator_wire::{DECLINE, RELEASE, REQUEST, SOLICIT};

use crate::network::*;

#[test]
fn it_is_released_and_no_longer_used() {
    let wants = Wants::AddressAndPrefix(None);
    let mut network = Network::with(settings(wants), None, vec![site(1)]);
    network.run_for(5 * SECOND);
    assert_eq!(network.leased().len(), 2);
    network.forget();
    let actions = network.client.release(network.now);
    assert_eq!(
        actions
            .iter()
            .filter(|action| matches!(action, Action::Withdraw(_)))
            .count(),
        2
    );
    network.carry_out(actions);
    assert!(network.assigned.is_empty() && network.sent.is_empty());
    network.run_for(0);
    assert_eq!(network.kinds(), [RELEASE]);
    assert!(network.leased().is_empty() && network.client.is_done());
    assert_eq!(network.client.next(), None);
    assert_eq!(network.events.last(), Some(&Event::Released));
    assert!(network.client.release(network.now).is_empty());
}

#[test]
fn a_release_that_nobody_answers_is_said_four_times() {
    let mut network = Network::bound();
    network.sites[0].listens = false;
    let actions = network.client.release(network.now);
    network.carry_out(actions);
    network.run_for(60 * SECOND);
    assert_eq!(network.times(RELEASE, 0).len(), 4);
    assert!(network.client.is_done());
}

#[test]
fn without_a_lease_there_is_nothing_to_release() {
    let mut network = Network::new();
    assert!(network.client.release(network.now).is_empty());
    assert!(network.client.is_done());
    network.run_for(60 * SECOND);
    assert!(network.sent.is_empty());
}

fn address(network: &Network) -> Leased {
    network.client.holdings().unwrap().leases[0].leased
}

#[test]
fn an_address_in_use_is_declined_and_another_taken() {
    let mut network = Network::bound();
    let mut declined = Vec::new();
    for least in [2000, 4000, 8000] {
        let leased = address(&network);
        let begun = network.now;
        network.forget();
        let actions = network.client.decline(leased.address().unwrap(), network.now);
        network.carry_out(actions);
        let cause = Loss::Declined;
        assert_eq!(network.events, [Event::Lost { leased, cause }]);
        assert!(network.assigned.is_empty());
        network.run_for(30 * SECOND);
        assert_eq!(network.kinds(), [DECLINE, SOLICIT, REQUEST]);
        assert_eq!(
            body(&network.sent[0].1, 3).unwrap()[16..32],
            leased.address().unwrap().octets()
        );
        let pause = network.times(SOLICIT, begun)[0];
        assert!((least..=least + SECOND).contains(&pause), "{pause}");
        declined.push(leased);
        assert!(
            !declined.contains(&address(&network)),
            "the server keeps it from everyone"
        );
    }
}

#[test]
fn what_is_not_leased_is_not_declined() {
    let mut network = Network::bound();
    assert!(
        network
            .client
            .decline("2001:db8::1".parse().unwrap(), network.now)
            .is_empty()
    );
    network.run_for(SECOND);
    assert!(network.sent.is_empty());
}

#[test]
fn a_decline_that_nobody_answers_is_given_up() {
    let mut network = Network::bound();
    network.sites[0].listens = false;
    let leased = address(&network);
    let actions = network.client.decline(leased.address().unwrap(), network.now);
    network.carry_out(actions);
    network.run_for(60 * SECOND);
    assert_eq!(network.times(DECLINE, 0).len(), 4);
    assert_eq!(network.kinds(), [DECLINE, SOLICIT]);
}
