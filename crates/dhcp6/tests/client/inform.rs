//! Configuration without a lease (RFC 9915, section 18.2.6).

use std::time::Duration;

use orchestrator_dhcp6::client::{Event, Wants};
use orchestrator_wire::INFORMATION_REQUEST;

use crate::network::*;

fn informed(refresh: Option<Duration>) -> (Network, i64) {
    let mut first = site(1);
    if let Some(refresh) = refresh {
        first.link.options.set_information_refresh(refresh);
    }
    let mut network = Network::with(settings(Wants::Configuration), None, vec![first]);
    network.run_for(SECOND);
    assert_eq!(network.kinds(), [INFORMATION_REQUEST]);
    let [
        Event::Informed {
            configuration, until, ..
        },
    ] = &network.events[..]
    else {
        panic!("{:?}", network.events)
    };
    assert_eq!(configuration.dns_servers, [DNS_SERVER]);
    let refresh = until - network.times(INFORMATION_REQUEST, 0)[0];
    (network, refresh)
}

#[test]
fn it_is_asked_for_again() {
    assert_eq!(informed(None).1, 86_400 * SECOND);
    let (mut network, refresh) = informed(Some(Duration::from_secs(900)));
    assert_eq!(refresh, 900 * SECOND);
    network.run_for(4 * 901 * SECOND);
    assert_eq!(network.events.len(), 5);
    assert!(network.leased().is_empty() && network.assigned.is_empty());
}

#[test]
fn there_is_nothing_to_release() {
    let (mut network, _) = informed(None);
    assert!(network.client.release(network.now).is_empty() && network.client.is_done());
}
