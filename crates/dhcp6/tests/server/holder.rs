//! Who may end, extend or take over a lease: the place that holds it, or another one after that one has become empty.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddrV6};

use orchestrator_dhcp6::{
    Answer, Binding, Discard, Elsewhere, Inbound, Knowledge, Leased, LinkLayerSource, Place, Verb,
};
use orchestrator_wire::*;
use proptest::prelude::*;

use crate::lab::{Lab, XID, address, client, server_id};

/// What the caller of the server observed of a frame.
struct Observed(LinkLayerSource);

impl Knowledge for Observed {
    fn link_layer_source(&self) -> LinkLayerSource {
        self.0
    }
}

const MAC: LinkLayerSource = LinkLayerSource::Known([2, 0, 0, 0, 0, 0xa]);
const OTHER_MAC: LinkLayerSource = LinkLayerSource::Known([2, 0, 0, 0, 0, 0xb]);
use LinkLayerSource::{Missed, NotObserved};

fn source(text: &str) -> SocketAddrV6 {
    SocketAddrV6::new(address(text), 546, 0, 7)
}

fn ask(lab: &Lab, from: &str, frame: LinkLayerSource, datagram: &[u8]) -> Result<Answer, Discard> {
    let inbound = Inbound {
        datagram,
        source: source(from),
        multicast: true,
    };
    lab.server
        .handle_knowing(&lab.link, &lab.bindings, &inbound, lab.now, &Observed(frame))
}

/// Sends a message of client 1 about these associations, and makes the changes of the answer.
fn send(lab: &mut Lab, from: &str, frame: LinkLayerSource, kind: u8, ias: &[Vec<u8>]) -> Result<Message, Discard> {
    let names_server = !matches!(kind, SOLICIT | REBIND | CONFIRM);
    let server = names_server.then(server_id);
    let options = [&[client(1)][..], server.as_slice(), ias].concat();
    let answer = ask(lab, from, frame, &message(kind, XID, &options))?;
    answer.changes.iter().for_each(|change| lab.bindings.apply(change));
    lab.changes = answer.changes;
    Ok(Message::parse(&answer.datagram))
}

/// A lease of client 1 at fe80::a.
fn leased(lab: &mut Lab, frame: LinkLayerSource) -> Ipv6Addr {
    let reply = send(lab, "fe80::a", frame, REQUEST, &[ia_na(1, &[])]);
    reply.unwrap().address()
}

fn place(link_local: &str, frame: LinkLayerSource) -> Place {
    Place {
        link_local: Some(address(link_local)),
        link_layer: frame.link_layer(),
        relay: None,
    }
}

#[test]
fn release_and_decline_count_only_from_the_place_that_holds_the_lease() {
    for kind in [RELEASE, DECLINE] {
        for (from, frame, refused) in [
            ("fe80::b", MAC, Some("not-from-holder")),
            ("fe80::a", OTHER_MAC, Some("not-from-holder")),
            ("fe80::b", OTHER_MAC, Some("not-from-holder")),
            ("fe80::a", Missed, Some("sender-not-observed")),
            // Where link-layer addresses are not observed any more, the link-local address alone counts.
            ("fe80::b", NotObserved, Some("not-from-holder")),
            ("fe80::a", NotObserved, None),
            ("fe80::a", MAC, None),
        ] {
            let mut lab = Lab::new();
            let own = leased(&mut lab, MAC);
            let read = send(&mut lab, from, frame, kind, &[ia_na(1, &[own])]);
            assert_eq!(
                read.err().map(|discard| discard.word()),
                refused,
                "{kind} {from} {frame:?}"
            );
            let is_held = lab.bindings.by_address(own).unwrap().is_held(lab.now);
            assert_eq!(is_held, refused.is_some(), "{kind} {from} {frame:?}");
        }
    }
}

#[test]
fn a_lease_whose_frame_was_not_observed_is_held_by_the_link_local_address() {
    for (from, frame, ends) in [
        ("fe80::a", OTHER_MAC, true),
        ("fe80::a", Missed, true),
        ("fe80::b", MAC, false),
    ] {
        let mut lab = Lab::new();
        let own = leased(&mut lab, NotObserved);
        let read = send(&mut lab, from, frame, RELEASE, &[ia_na(1, &[own])]);
        assert_eq!(read.is_ok(), ends, "{from} {frame:?}");
    }
}

#[test]
fn a_lease_of_which_no_place_is_recorded_counts_from_everywhere() {
    let mut lab = Lab::new();
    let own = leased(&mut lab, MAC);
    let binding = lab.bindings.by_address(own).unwrap().clone();
    let place = Place::default();
    lab.bindings.load(Binding { place, ..binding });
    send(&mut lab, "fe80::b", OTHER_MAC, RENEW, &[ia_na(1, &[own])]).unwrap();
    let read = send(&mut lab, "fe80::a", MAC, RELEASE, &[ia_na(1, &[own])]);
    assert!(
        matches!(read, Err(Discard::NotFromHolder { .. })),
        "the Renew recorded one"
    );
}

#[test]
fn a_client_may_release_from_the_address_that_it_releases() {
    for (frame, refused) in [
        (MAC, None),
        (NotObserved, None),
        (OTHER_MAC, Some("not-from-holder")),
        (Missed, Some("sender-not-observed")),
    ] {
        let mut lab = Lab::new();
        let own = leased(&mut lab, MAC);
        let from = own.to_string();
        let read = send(&mut lab, &from, frame, RELEASE, &[ia_na(1, &[own])]);
        assert_eq!(read.err().map(|discard| discard.word()), refused, "{frame:?}");
    }
    // Any other address of the link proves nothing.
    let mut lab = Lab::new();
    let own = leased(&mut lab, NotObserved);
    let read = send(&mut lab, "2001:db8:0:1::77", NotObserved, RELEASE, &[ia_na(1, &[own])]);
    assert!(matches!(read, Err(Discard::NotFromHolder { .. })), "{read:?}");
}

#[test]
fn a_message_that_ends_one_lease_from_elsewhere_ends_none() {
    let mut lab = Lab::new();
    let here = leased(&mut lab, MAC);
    let there = send(&mut lab, "fe80::b", OTHER_MAC, REQUEST, &[ia_na(2, &[])])
        .unwrap()
        .address();
    let both = [ia_na(2, &[there]), ia_na(1, &[here])];
    let read = send(&mut lab, "fe80::b", OTHER_MAC, RELEASE, &both);
    assert!(matches!(read, Err(Discard::NotFromHolder { .. })), "{read:?}");
    for own in [here, there] {
        assert!(lab.bindings.by_address(own).unwrap().is_held(lab.now));
    }
}

/// The kinds that ask for a lease that the client has.
const ASKING: [u8; 4] = [REQUEST, RENEW, REBIND, CONFIRM];

#[test]
fn a_lease_is_not_granted_elsewhere_before_its_holder_was_asked() {
    for kind in ASKING {
        let mut lab = Lab::new();
        lab.link.rapid_commit = true;
        let own = leased(&mut lab, MAC);
        let before = lab.bindings.by_address(own).unwrap().clone();
        let read = send(&mut lab, "fe80::b", OTHER_MAC, kind, &[ia_na(1, &[own])]);
        let Err(Discard::HolderAsked { holder, .. }) = read else {
            panic!("{kind}: {read:?}");
        };
        assert_eq!(holder, place("fe80::a", MAC));
        assert_eq!(lab.bindings.by_address(own), Some(&before));
        // The holder itself is served meanwhile.
        assert!(lab.bindings.ask(holder, lab.now));
        let renewed = send(&mut lab, "fe80::a", MAC, RENEW, &[ia_na(1, &[own])]).unwrap();
        assert_eq!(renewed.address(), own);
    }
}

#[test]
fn a_client_whose_former_place_is_empty_takes_its_lease_along() {
    for kind in ASKING {
        let mut lab = Lab::new();
        let own = leased(&mut lab, MAC);
        let until = lab.bindings.by_address(own).unwrap().valid_until;
        lab.bindings.ask(place("fe80::a", MAC), lab.now);
        lab.now += 800;
        lab.bindings.settle(place("fe80::a", MAC), false, lab.now);
        lab.now += 9_200;
        let read = send(&mut lab, "fe80::b", OTHER_MAC, kind, &[ia_na(1, &[own])]).unwrap();
        let moved = lab.bindings.by_address(own).unwrap();
        assert_eq!(moved.place, place("fe80::b", OTHER_MAC), "{kind}");
        match kind {
            CONFIRM => assert_eq!((read.status(), moved.valid_until), (Some(0), until)),
            _ => assert_eq!(read.address(), own, "{kind}"),
        }
        assert_eq!(lab.changes[0].verb, Verb::Renew);
        // The former place has nothing to say any more.
        let read = send(&mut lab, "fe80::a", MAC, RELEASE, &[ia_na(1, &[own])]);
        assert!(matches!(read, Err(Discard::NotFromHolder { .. })), "{kind}: {read:?}");
    }
}

#[test]
fn a_stranger_does_not_get_the_lease_of_a_holder_that_answers() {
    for (kind, status) in [(REQUEST, NO_ADDRS_AVAIL), (RENEW, NO_BINDING), (REBIND, NO_BINDING)] {
        let mut lab = Lab::new();
        lab.link.rapid_commit = true;
        let own = leased(&mut lab, MAC);
        let before = lab.bindings.by_address(own).unwrap().clone();
        let holder = place("fe80::a", MAC);
        lab.bindings.ask(holder, lab.now);
        lab.bindings.settle(holder, true, lab.now);
        let read = send(&mut lab, "fe80::b", OTHER_MAC, kind, &[ia_na(1, &[own])]).unwrap();
        assert_eq!(read.only_ia().status, Some(status), "{kind}");
        assert!(read.only_ia().addresses.is_empty() && lab.changes.is_empty(), "{kind}");
        assert_eq!(lab.bindings.by_address(own), Some(&before));
        // The same link-local address with another link-layer address is another place as well.
        let read = send(&mut lab, "fe80::a", OTHER_MAC, kind, &[ia_na(1, &[own])]).unwrap();
        assert_eq!(read.only_ia().status, Some(status), "{kind}");
        // After a while the holder is asked again: it may have left.
        lab.now += 10_000;
        let read = send(&mut lab, "fe80::b", OTHER_MAC, kind, &[ia_na(1, &[own])]);
        assert!(matches!(read, Err(Discard::HolderAsked { .. })), "{kind}: {read:?}");
        assert!(lab.bindings.ask(holder, lab.now));
    }
    let mut lab = Lab::new();
    let own = leased(&mut lab, MAC);
    lab.bindings.ask(place("fe80::a", MAC), lab.now);
    lab.bindings.settle(place("fe80::a", MAC), true, lab.now);
    let read = send(&mut lab, "fe80::b", OTHER_MAC, CONFIRM, &[ia_na(1, &[own])]).unwrap();
    assert_eq!(read.status(), Some(NOT_ON_LINK), "it begins anew");
}

#[test]
fn a_solicit_from_elsewhere_is_answered_at_once_and_promises_nothing() {
    let mut lab = Lab::new();
    lab.link.rapid_commit = true;
    let own = leased(&mut lab, MAC);
    let solicit = message(SOLICIT, XID, &[client(1), option(RAPID_COMMIT, &[]), ia_na(1, &[])]);
    let answer = ask(&lab, "fe80::b", OTHER_MAC, &solicit).unwrap();
    let holder = place("fe80::a", MAC);
    assert_eq!(answer.elsewhere, Some(Elsewhere::ToAsk(holder)));
    assert!(answer.changes.is_empty());
    let read = Message::parse(&answer.datagram);
    assert_eq!((read.kind, read.address()), (ADVERTISE, own));
    lab.bindings.ask(holder, lab.now);
    lab.bindings.settle(holder, true, lab.now);
    let answer = ask(&lab, "fe80::b", OTHER_MAC, &solicit).unwrap();
    assert_eq!(answer.elsewhere, Some(Elsewhere::Held(holder)));
    assert_eq!(Message::parse(&answer.datagram).only_ia().status, Some(NO_ADDRS_AVAIL));
    lab.now += 10_000;
    lab.bindings.ask(holder, lab.now);
    lab.bindings.settle(holder, false, lab.now);
    let answer = ask(&lab, "fe80::b", OTHER_MAC, &solicit).unwrap();
    assert_eq!((answer.elsewhere, answer.changes.len()), (None, 1));
    assert_eq!(Message::parse(&answer.datagram).kind, REPLY);
}

#[test]
fn what_is_not_asked_for_from_elsewhere_is_granted_beside_what_is() {
    let mut lab = Lab::new();
    let own = leased(&mut lab, MAC);
    let holder = place("fe80::a", MAC);
    lab.bindings.ask(holder, lab.now);
    lab.bindings.settle(holder, true, lab.now);
    let read = send(
        &mut lab,
        "fe80::b",
        OTHER_MAC,
        REQUEST,
        &[ia_na(1, &[own]), ia_na(2, &[])],
    )
    .unwrap();
    let of = |iaid| read.ias().into_iter().find(|ia| ia.iaid == iaid).unwrap();
    assert_eq!(of(1).status, Some(NO_ADDRS_AVAIL));
    assert_ne!(of(2).leased().ip, own);
}

#[test]
fn a_stranger_with_a_clients_duid_neither_locks_it_out_nor_ends_its_lease() {
    let mut lab = Lab::new();
    let own = leased(&mut lab, MAC);
    for iaid in 100..200 {
        lab.now += 1;
        let reply = send(&mut lab, "fe80::b", OTHER_MAC, REQUEST, &[ia_na(iaid, &[])]).unwrap();
        let leased = reply.only_ia().leased().ip;
        if iaid % 2 == 0 {
            send(&mut lab, "fe80::b", OTHER_MAC, DECLINE, &[ia_na(iaid, &[leased])]).unwrap();
        }
    }
    assert!(lab.bindings.by_address(own).unwrap().is_held(lab.now));
    assert_eq!(
        send(&mut lab, "fe80::a", MAC, RENEW, &[ia_na(1, &[own])])
            .unwrap()
            .address(),
        own
    );
    let second = send(&mut lab, "fe80::a", MAC, REQUEST, &[ia_na(2, &[])]).unwrap();
    assert_eq!(second.only_ia().status, None);
    let held = lab.bindings.iter().filter(|own| own.is_held(lab.now)).count();
    assert!(held <= 2 + lab.link.limits.bindings_per_client, "{held}");
}

/// Sends a Request, Renew or Release of client 1 through a relay agent.
fn relay(lab: &mut Lab, agent: &str, peer: &str, kind: u8, ias: &[Vec<u8>]) -> Result<Message, Discard> {
    let options = [&[client(1), server_id()][..], ias].concat();
    let inner = message(kind, XID, &options);
    let datagram = relay_forw(0, address("2001:db8:0:1::1"), address(peer), &[], &inner);
    let answer = ask(lab, agent, OTHER_MAC, &datagram)?;
    answer.changes.iter().for_each(|change| lab.bindings.apply(change));
    Ok(Message::parse(&Relayed::parse(&answer.datagram).inner))
}

#[test]
fn a_relayed_client_is_known_by_its_relay_agent_and_its_peer_address() {
    let mut lab = Lab::new();
    let own = relay(&mut lab, "2001:db8:9::1", "fe80::a", REQUEST, &[ia_na(1, &[])])
        .unwrap()
        .address();
    let ias = [ia_na(1, &[own])];
    for (agent, peer) in [("2001:db8:9::2", "fe80::a"), ("2001:db8:9::1", "fe80::b")] {
        let read = relay(&mut lab, agent, peer, RELEASE, &ias);
        assert!(
            matches!(read, Err(Discard::NotFromHolder { .. })),
            "{agent} {peer}: {read:?}"
        );
        let read = relay(&mut lab, agent, peer, RENEW, &ias);
        assert!(
            matches!(read, Err(Discard::HolderAsked { .. })),
            "{agent} {peer}: {read:?}"
        );
    }
    let read = send(&mut lab, "fe80::a", MAC, RELEASE, &ias);
    assert!(matches!(read, Err(Discard::NotFromHolder { .. })), "{read:?}");
    assert_eq!(
        relay(&mut lab, "2001:db8:9::1", "fe80::a", RENEW, &ias)
            .unwrap()
            .address(),
        own
    );
    relay(&mut lab, "2001:db8:9::1", "fe80::a", RELEASE, &ias).unwrap();
    assert!(!lab.bindings.by_address(own).unwrap().is_held(lab.now));
}

#[derive(Debug, Clone)]
struct Step {
    kind: u8,
    place: usize,
    iaid: u32,
    /// Whether the message names an address that the association has.
    names: bool,
    frame_missed: bool,
    passes: i64,
    /// The result of asking each place, if it is asked before the message.
    asked: Option<(usize, bool)>,
}

const PLACES: [(&str, LinkLayerSource); 3] = [("fe80::a", MAC), ("fe80::b", OTHER_MAC), ("fe80::a", OTHER_MAC)];

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec![SOLICIT, REQUEST, RENEW, REBIND, CONFIRM, RELEASE, DECLINE]);
    let asked = prop::option::weighted(0.3, (0..PLACES.len(), any::<bool>()));
    let message = (kind, 0..PLACES.len(), 1u32..4, any::<bool>(), prop::bool::weighted(0.2));
    (message, 0i64..20_000, asked).prop_map(|((kind, place, iaid, names, frame_missed), passes, asked)| Step {
        kind,
        place,
        iaid,
        names,
        frame_missed,
        passes,
        asked,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever three machines say in one client's name, a lease is ended, extended or taken by no message from
    /// elsewhere, unless its holder was asked and did not answer.
    #[test]
    fn no_lease_changes_by_a_message_from_elsewhere(steps in prop::collection::vec(step(), 1..60)) {
        let mut lab = Lab::with_pool("2001:db8:0:1::1:0/120");
        lab.link.rapid_commit = true;
        lab.link.limits.bindings_per_client = 3;
        let mut empty: BTreeMap<usize, i64> = BTreeMap::new();
        for step in &steps {
            lab.now += step.passes;
            if let Some((asked, is_there)) = step.asked {
                let (link_local, frame) = PLACES[asked];
                lab.bindings.ask(place(link_local, frame), lab.now);
                lab.bindings.settle(place(link_local, frame), is_there, lab.now);
                empty.remove(&asked);
                if !is_there {
                    empty.insert(asked, lab.now);
                }
            }
            let held: BTreeMap<Leased, Binding> = lab
                .bindings
                .iter()
                .filter(|own| own.is_held(lab.now))
                .map(|own| (own.leased, own.clone()))
                .collect();
            let named = held.values().find(|own| own.iaid.0 == step.iaid && step.names);
            let named: Vec<Ipv6Addr> = named.and_then(|own| own.leased.address()).into_iter().collect();
            let (from, frame) = PLACES[step.place];
            let frame = if step.frame_missed { Missed } else { frame };
            let said = place(from, frame);
            if send(&mut lab, from, frame, step.kind, &[ia_na(step.iaid, &named)]).is_err() {
                continue;
            }
            for change in &lab.changes {
                let Some(before) = held.get(&change.after.leased).filter(|own| own.place.is_elsewhere(&said)) else {
                    continue;
                };
                let holder = PLACES.iter().position(|(from, frame)| place(from, *frame) == before.place);
                let was_empty = holder.and_then(|holder| empty.get(&holder)).is_some_and(|at| lab.now - at < 15_000);
                prop_assert!(was_empty, "{step:?} changed {before:?} to {change:?}");
                prop_assert!(change.verb == Verb::Renew, "{step:?} ended {before:?}");
            }
        }
    }
}
