//! How a lease is got (RFC 9915, sections 18.2.1, 18.2.2 and 18.2.9).

use std::time::Duration;

use orchestrator_dhcp6::Pool;
use orchestrator_dhcp6::client::{Client, Event, How, Wants};
use orchestrator_wire::{REQUEST, SOLICIT};

use crate::network::*;

#[test]
fn four_messages() {
    let mut network = Network::new();
    network.run_for(5 * SECOND);
    assert_eq!(network.kinds(), [SOLICIT, REQUEST]);
    let bound = network.bound_once();
    assert_eq!(bound.how, How::Granted);
    assert_eq!(&bound.server, network.sites[0].server.duid());
    assert_eq!(bound.configuration.dns_servers, [DNS_SERVER]);
    assert_eq!(bound.configuration.domain_search, ["lan.example".parse().unwrap()]);
    let [lease] = bound.leases[..] else { panic!("{bound:?}") };
    assert_eq!(network.leased(), [lease.leased]);
    assert_eq!(network.assigned[&lease.leased], lease);
    let granted = network.times(REQUEST, 0)[0];
    assert_eq!(lease.valid_until, granted + 7200 * SECOND);
    assert_eq!(
        (bound.renew_at, bound.rebind_at),
        (granted + 1800 * SECOND, granted + 2880 * SECOND)
    );
}

#[test]
fn the_first_is_held_back_and_others_get_a_second_to_answer() {
    let mut network = Network::new();
    network.run_for(5 * SECOND);
    let (solicited, requested) = (network.times(SOLICIT, BEGIN), network.times(REQUEST, BEGIN));
    assert_eq!((solicited.len(), requested.len()), (1, 1));
    assert!((0..=SECOND).contains(&solicited[0]), "{solicited:?}");
    let pause = requested[0] - solicited[0];
    assert!((1001..=1100).contains(&pause), "{pause}");
    assert_eq!(body(&network.sent[0].1, 8), Some(&[0, 0][..]));
}

#[test]
fn a_preference_of_255_ends_the_wait() {
    let mut network = Network::new();
    network.sites[0].link.preference = Some(255);
    network.run_for(5 * SECOND);
    assert_eq!(network.times(SOLICIT, 0), network.times(REQUEST, 0));
}

#[test]
fn the_preferred_server_is_taken() {
    let mut sites = [1, 2, 3].map(site);
    sites[1].link.preference = Some(9);
    sites[2].link.preference = Some(8);
    let mut network = Network::with(settings(Wants::Address), None, sites.into());
    network.run_for(5 * SECOND);
    assert_eq!(&network.bound_once().server, network.sites[1].server.duid());
    let offered = network
        .events
        .iter()
        .filter(|event| matches!(event, Event::Offered { .. }));
    assert_eq!(offered.count(), 3);
}

#[test]
fn the_next_server_is_taken_when_the_first_is_silent() {
    let mut sites = [1, 2].map(site);
    sites[0].link.preference = Some(9);
    let mut network = Network::with(settings(Wants::Address), None, sites.into());
    network.run_for(1000);
    assert_eq!(network.kinds(), [SOLICIT]);
    network.sites[0].listens = false;
    network.run_for(300 * SECOND);
    assert_eq!(&network.bound_once().server, network.sites[1].server.duid());
    assert_eq!(
        network.times(REQUEST, 0).len(),
        11,
        "ten to the first, one to the second"
    );
}

#[test]
fn rapid_commit_takes_two_messages() {
    let mut wanted = settings(Wants::Address);
    wanted.rapid_commit = true;
    let mut first = site(1);
    first.link.rapid_commit = true;
    let mut network = Network::with(wanted, None, vec![first]);
    network.run_for(SECOND);
    assert_eq!(network.kinds(), [SOLICIT]);
    assert_eq!(network.leased(), [network.bound_once().leases[0].leased]);
}

#[test]
fn without_rapid_commit_no_lease_is_taken_at_once() {
    let mut network = Network::new();
    network.run_for(SECOND);
    let mut reply = network.answers[0].clone();
    reply[0] = 7;
    reply.extend([0, 14, 0, 0]);
    assert!(network.client.take(&reply, network.now).is_err());
}

#[test]
fn a_prefix_is_asked_for_by_its_length() {
    let wants = Wants::AddressAndPrefix(Some(62));
    let mut network = Network::with(settings(wants), None, vec![site(1)]);
    network.run_for(5 * SECOND);
    let leases = network.bound_once().leases;
    let prefix = leases.iter().find_map(|lease| lease.leased.prefix()).unwrap();
    assert_eq!((leases.len(), prefix.prefix_len()), (2, 62));
    let solicit = &network.sent[0].1;
    let asked = body(solicit, 25).unwrap();
    assert_eq!(asked[12..16], [0, 26, 0, 25]);
    assert_eq!((asked[24], &asked[25..41]), (62, &[0; 16][..]));
}

#[test]
fn the_name_is_told() {
    let mut wanted = settings(Wants::Address);
    wanted.hostname = "box.example".parse().ok();
    let mut network = Network::with(wanted, None, vec![site(1)]);
    network.run_for(SECOND);
    assert_eq!(body(&network.sent[0].1, 39), Some(&b"\x01\x03box\x07example\x00"[..]));
}

/// With nothing left to lease, a server may still tell how often to ask.
#[test]
fn a_server_tells_how_often_it_is_to_be_asked() {
    let mut network = Network::new();
    network.sites[0].link.pool = Pool::new("2001:db8:0:1::1/128".parse().unwrap());
    network.sites[0]
        .link
        .options
        .set_solicit_max_rt(Duration::from_secs(60));
    network.run_for(3600 * SECOND);
    let times = network.times(SOLICIT, 0);
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!((54 * SECOND..=66 * SECOND).contains(&longest), "{longest}");
    assert!(network.assigned.is_empty());
}

#[test]
fn pauses_grow_when_requests_are_refused() {
    let mut network = Network::new();
    network.sites[0].link.preference = Some(255);
    let offer = |network: &mut Network| network.sites[0].link.pool = site(1).link.pool;
    // Offers what it does not grant: the pool is taken away between the two.
    for _ in 0..4 {
        offer(&mut network);
        let solicited = network.times(SOLICIT, 0).len();
        while network.times(SOLICIT, 0).len() == solicited {
            network.now = network.client.next().unwrap();
            let actions = network.client.wake(network.now);
            network.carry_out(actions);
        }
        network.sites[0].link.pool = Pool::new("2001:db8:0:1::1/128".parse().unwrap());
        let actions = network.client.wake(network.now);
        network.carry_out(actions);
    }
    let times = network.times(SOLICIT, 0);
    let pauses: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses.len(), 3);
    for (pause, least) in pauses.iter().zip([2000, 4000, 8000]) {
        assert!((least..=least + SECOND).contains(pause), "{pauses:?}");
    }
    assert!(
        network
            .events
            .iter()
            .any(|event| matches!(event, Event::Refused { status, .. } if status.code == 2))
    );
}

#[test]
fn the_same_key_tells_the_same_history() {
    let history = |key| {
        let mut network = Network::new();
        network.client = Client::new(settings(Wants::Address), key, None, BEGIN);
        network.run_for(5 * SECOND);
        network.sent
    };
    assert_eq!(history([1; 16]), history([1; 16]));
    assert_ne!(history([1; 16]), history([2; 16]));
}
