//! A server makes the client ask again (RFC 9915, sections 16.11, 18.2.11 and 20.4).

use orchestrator_dhcp6::Reconfigure;
use orchestrator_dhcp6::client::{Client, Ignored, Wants};
use orchestrator_wire::{REBIND, RENEW};

use crate::network::*;

/// A client that its server may reconfigure.
fn bound() -> Network {
    let mut first = site(1);
    first.link.reconfigure = true;
    let mut network = Network::with(settings(Wants::Address), None, vec![first]);
    network.run_for(5 * SECOND);
    network.bound_once();
    network.forget();
    network
}

fn reconfigure(network: &Network, what: Reconfigure) -> Vec<u8> {
    let client = settings(Wants::Address).duid;
    network.sites[0].server.reconfigure(&client, what, network.now).unwrap()
}

#[test]
fn it_asks_at_once_and_heeds_no_repetition() {
    for (what, kind) in [(Reconfigure::Renew, RENEW), (Reconfigure::Rebind, REBIND)] {
        let mut network = bound();
        let message = reconfigure(&network, what);
        assert_eq!(network.client.take(&message, network.now), Ok(Vec::new()));
        network.run_for(0);
        assert_eq!(network.kinds(), [kind]);
        network.bound_once();
        network.run_for(5 * SECOND);
        assert_eq!(network.client.take(&message, network.now), Err(Ignored::NotSigned));
    }
}

#[test]
fn what_is_not_signed_by_its_server_is_not_heeded() {
    let mut network = bound();
    let message = reconfigure(&network, Reconfigure::Renew);
    for at in 0..message.len() {
        let mut forged = message.clone();
        forged[at] ^= 1;
        assert!(network.client.take(&forged, network.now).is_err(), "byte {at}");
    }
    let mut stranger = site(2);
    stranger.server = orchestrator_dhcp6::Server::new(network.sites[0].server.duid().clone(), [9; 16]);
    network.sites = vec![stranger];
    let forged = reconfigure(&network, Reconfigure::Renew);
    assert_eq!(network.client.take(&forged, network.now), Err(Ignored::NotSigned));
    assert_eq!(
        network.client.take(&message, network.now),
        Ok(Vec::new()),
        "what was forged changed nothing"
    );
}

#[test]
fn the_key_outlives_a_restart() {
    let mut network = bound();
    let remembered = network.client.holdings().cloned();
    assert!(remembered.as_ref().is_some_and(|held| held.reconfigure_key.is_some()));
    network.client = Client::new(settings(Wants::Address), [1; 16], remembered, network.now);
    network.run_for(5 * SECOND);
    network.forget();
    let message = reconfigure(&network, Reconfigure::Renew);
    assert_eq!(network.client.take(&message, network.now), Ok(Vec::new()));
}

#[test]
fn no_server_makes_it_chatter() {
    let mut network = bound();
    let mut heeded = 0;
    for _ in 0..100 {
        let message = reconfigure(&network, Reconfigure::Renew);
        heeded += usize::from(network.client.take(&message, network.now).is_ok());
        network.run_for(100);
    }
    assert_eq!(heeded, 10, "in ten seconds");
}

#[test]
fn without_being_asked_for_there_is_no_key() {
    let mut wanted = settings(Wants::Address);
    wanted.reconfigure = false;
    let mut first = site(1);
    first.link.reconfigure = true;
    let mut network = Network::with(wanted, None, vec![first]);
    network.run_for(5 * SECOND);
    assert_eq!(network.client.holdings().unwrap().reconfigure_key, None);
    let message = reconfigure(&network, Reconfigure::Renew);
    assert_eq!(network.client.take(&message, network.now), Err(Ignored::NotSigned));
}
