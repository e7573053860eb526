//! Messages that servers should not send, and networks that lose messages.

use orchestrator_dhcp6::client::{Action, Event, Ignored, Wants};
use orchestrator_wire::{REQUEST, option, option_claiming};
use proptest::prelude::*;

use crate::network::*;

/// A client that has sent a message which nobody has answered yet, and an answer to it.
fn asking() -> (Network, Vec<u8>) {
    let mut network = Network::new();
    network.run_for(SECOND);
    let answer = network.answers[0].clone();
    (network, answer)
}

#[test]
fn what_is_not_meant_for_it_is_passed_over() {
    let (mut network, advertise) = asking();
    let judged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut datagram = advertise.clone();
        change(&mut datagram);
        network.client.clone().take(&datagram, network.now).map(drop)
    };
    let client = 4 + advertise.windows(4).position(|head| head == [0, 1, 0, 10]).unwrap();
    let iaid = advertise.windows(4).position(|bytes| bytes == [0, 0, 0, 7]).unwrap();
    assert_eq!(judged(&|_| {}), Ok(()));
    assert_eq!(judged(&|bytes| bytes[1] ^= 1), Err(Ignored::OtherTransaction));
    assert_eq!(judged(&|bytes| bytes[0] = 7), Err(Ignored::NotAwaited(7)));
    assert_eq!(judged(&|bytes| bytes[0] = 1), Err(Ignored::NotAwaited(1)));
    assert_eq!(judged(&|bytes| bytes[client] ^= 1), Err(Ignored::OtherClient));
    assert_eq!(judged(&|bytes| bytes.truncate(4)), Err(Ignored::OtherServer));
    assert!(matches!(
        judged(&|bytes| bytes.truncate(10)),
        Err(Ignored::Malformed(_))
    ));
    assert_eq!(judged(&|bytes| bytes[iaid] ^= 1), Err(Ignored::NothingOffered));
    network.run_for(5 * SECOND);
    let late = network.client.take(&advertise, network.now);
    assert_eq!(late, Err(Ignored::NotAwaited(2)));
}

#[test]
fn only_the_server_that_was_asked_may_answer() {
    let (mut network, mut reply) = asking();
    network.sites[0].listens = false;
    network.run_for(2 * SECOND);
    let request = network.sent.last().unwrap().1.clone();
    assert_eq!(request[0], REQUEST);
    reply[..4].copy_from_slice(&[&[7], &request[1..4]].concat());
    let server = network.sites[0].server.duid().as_bytes().to_vec();
    let at = reply.windows(server.len()).position(|bytes| bytes == server).unwrap();
    reply[at + 6] ^= 1;
    assert_eq!(network.client.take(&reply, network.now), Err(Ignored::OtherServer));
    reply[at + 6] ^= 1;
    assert!(network.client.take(&reply, network.now).is_ok());
}

/// Addresses that no host can have, lifetimes that contradict each other, and too many of all.
#[test]
fn what_no_host_can_have_is_not_taken() {
    for lease in ["::", "::1", "ff02::1", "fe80::1"] {
        let (mut network, mut advertise) = asking();
        let at = advertise.windows(4).position(|head| head == [0, 5, 0, 24]).unwrap();
        let octets = lease.parse::<std::net::Ipv6Addr>().unwrap().octets();
        advertise[at + 4..at + 20].copy_from_slice(&octets);
        assert_eq!(
            network.client.clone().take(&advertise, network.now),
            Err(Ignored::NothingOffered)
        );
        network.run_for(0);
    }
    let (network, mut advertise) = asking();
    let at = advertise.windows(4).position(|head| head == [0, 5, 0, 24]).unwrap();
    advertise[at + 20..at + 24].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(
        network.client.clone().take(&advertise, network.now),
        Err(Ignored::NothingOffered)
    );
}

/// Servers pad their messages, repeat options, or cut the last one off: what is read before that counts.
#[test]
fn what_is_not_read_may_be_anything() {
    let (network, advertise) = asking();
    let dns = option(23, &[0; 16]);
    let tails = [
        vec![0],
        vec![0, 0, 0],
        vec![0, 0, 0, 0, 0],
        option_claiming(99, 200, &[1]),
        [dns.clone(), dns].concat(),
        option(7, &[]),
        option(13, &[0]),
        option(14, &[1]),
        option(82, &[1]),
    ];
    for tail in tails {
        let mut client = network.client.clone();
        let taken = client.take(&[&advertise[..], &tail].concat(), network.now);
        assert!(
            matches!(&taken.as_deref(), Ok([Action::Tell(Event::Offered { .. })])),
            "{tail:?}: {taken:?}"
        );
    }
    // Whose message it is has to be sure.
    let other = option(1, &[0, 3, 0, 1, 2, 0, 0x5e, 0x10, 0, 9]);
    let doubtful = network.client.clone().take(&[advertise, other].concat(), network.now);
    assert_eq!(doubtful, Err(Ignored::Malformed(orchestrator_dhcp6::Fault::Twice(1))));
}

/// A client that was busy with another exchange gets another message first.
#[test]
fn what_expired_meanwhile_is_withdrawn_whatever_comes() {
    let mut network = Network::bound();
    let end = network.client.holdings().unwrap().leases[0].valid_until;
    let actions = network.client.take(&[7, 0, 0, 0], end).unwrap();
    network.carry_out(actions);
    assert!(network.assigned.is_empty() && network.client.holdings().is_none());
}

/// The client's leases are those that it reported, and none of them has ended.
fn check(network: &Network) {
    let held = network.client.holdings().map_or(&[][..], |held| &held.leases);
    assert!(held.len() <= 16);
    for lease in held {
        assert!(lease.valid_until > network.now || network.client.next().is_some_and(|next| next <= network.now));
    }
    for leased in network.assigned.keys() {
        assert!(
            held.iter().any(|lease| lease.leased == *leased),
            "{leased} was not withdrawn"
        );
    }
}

#[derive(Debug, Clone)]
enum Step {
    Pass(i64),
    Listen(usize, bool),
    Forget(usize),
    Reattach,
    Decline,
    /// The last answer comes again, with some bytes changed.
    Repeat(Vec<(prop::sample::Index, u8)>),
    /// An answer to the last message, with some bytes of it changed.
    Forge(u8, Vec<(prop::sample::Index, u8)>),
}

fn step() -> impl Strategy<Value = Step> {
    let changes = || prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    prop_oneof![
        4 => (0i64..10_000).prop_map(Step::Pass),
        3 => (0i64..5_000_000).prop_map(Step::Pass),
        2 => (0usize..2, any::<bool>()).prop_map(|(site, listens)| Step::Listen(site, listens)),
        1 => (0usize..2).prop_map(Step::Forget),
        1 => Just(Step::Reattach),
        1 => Just(Step::Decline),
        2 => changes().prop_map(Step::Repeat),
        3 => (prop_oneof![Just(2u8), Just(7)], changes()).prop_map(|(kind, changes)| Step::Forge(kind, changes)),
    ]
}

fn take(network: &mut Network, step: &Step) {
    match step {
        Step::Pass(milliseconds) => network.run_for(*milliseconds),
        Step::Listen(site, listens) => network.sites[*site].listens = *listens,
        Step::Forget(site) => network.sites[*site].bindings = orchestrator_dhcp6::Bindings::new(),
        Step::Reattach => network.client.reattach(network.now),
        Step::Decline => {
            let address = network.assigned.keys().find_map(|leased| leased.address());
            let actions = address.map(|address| network.client.decline(address, network.now));
            network.carry_out(actions.unwrap_or_default());
        }
        Step::Repeat(changes) => forge(network, None, changes),
        Step::Forge(kind, changes) => forge(network, Some(*kind), changes),
    }
}

fn forge(network: &mut Network, kind: Option<u8>, changes: &[(prop::sample::Index, u8)]) {
    let (Some(answer), Some((_, sent))) = (network.answers.last(), network.sent.last()) else {
        return;
    };
    let mut forged = answer.clone();
    if let Some(kind) = kind {
        forged[0] = kind;
        forged[1..4].copy_from_slice(&sent[1..4]);
    }
    for (at, byte) in changes {
        let at = at.index(forged.len());
        forged[at] = *byte;
    }
    if let Ok(actions) = network.client.take(&forged, network.now) {
        network.carry_out(actions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn histories(steps in prop::collection::vec(step(), 1..60), prefix in any::<bool>(), rapid in any::<bool>()) {
        let wants = if prefix { Wants::AddressAndPrefix(None) } else { Wants::Address };
        let mut wanted = settings(wants);
        wanted.rapid_commit = rapid;
        let mut sites = [1, 2].map(site);
        sites[0].link.rapid_commit = rapid;
        let mut network = Network::with(wanted, None, sites.into());
        for step in &steps {
            take(&mut network, step);
            check(&network);
        }
        // However often servers made it begin anew: no more than a few messages in any second.
        let times: Vec<i64> = network.sent.iter().map(|(when, _)| *when).collect();
        let declines = steps.iter().filter(|step| matches!(step, Step::Decline | Step::Reattach)).count();
        for window in times.windows(24 + 2 * declines) {
            prop_assert!(window[window.len() - 1] - window[0] > SECOND, "{times:?}");
        }
        // Once all is well, there is a lease.
        network.sites.iter_mut().for_each(|site| site.listens = true);
        network.run_for(4 * 3600 * SECOND);
        check(&network);
        prop_assert!(!network.assigned.is_empty(), "{:?}", network.events);
        let actions = network.client.release(network.now);
        network.carry_out(actions);
        network.run_for(60 * SECOND);
        prop_assert!(network.assigned.is_empty() && network.client.is_done());
    }

    /// Whatever stands behind what a client reads, it gets the same lease.
    #[test]
    fn a_tail_costs_no_lease(tail in prop::collection::vec(any::<u8>(), 0..4), cut in 0u8..200) {
        let (network, advertise) = asking();
        let past_the_end = [0, 99, 1, cut];
        for end in [&tail[..], &past_the_end] {
            let taken = network.client.clone().take(&[&advertise[..], end].concat(), network.now);
            prop_assert_eq!(taken, network.client.clone().take(&advertise, network.now));
        }
    }

    #[test]
    fn arbitrary_bytes(datagram in prop::collection::vec(any::<u8>(), 0..400)) {
        let (mut network, _) = asking();
        prop_assert!(network.client.take(&datagram, network.now).is_err());
    }
}
