//! Input of strangers: whatever the bytes, no panic, and no change of a binding that is not the sender's.

use proptest::prelude::*;

use orchestrator_dhcp6::Inbound;
use orchestrator_wire::*;

use crate::lab::{Lab, XID, address, client, client_source, prefix_pool, server_id};

/// A link with three clients, of which the third is the stranger.
fn lab() -> Lab {
    let mut lab = Lab::with_pool("2001:db8:0:1::1:0/122");
    lab.link.rapid_commit = true;
    lab.link.delegation = vec![
        prefix_pool("2001:db8:1::/58", 60),
        prefix_pool("2001:db8:1:40::/58", 64),
    ];
    for client in 1..=3 {
        lab.lease(client);
        lab.delegate(client, &[]);
    }
    lab
}

/// Sends what a stranger made up; says whether it was answered.
fn survives(lab: &Lab, datagram: &[u8]) -> bool {
    let inbound = Inbound {
        datagram,
        source: client_source(),
        multicast: true,
    };
    let Ok(answer) = lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now) else {
        return false;
    };
    let mut sender = None;
    for (code, body) in options(&datagram[4..]) {
        if code == CLIENT_ID {
            sender = Some(body);
        }
    }
    for change in &answer.changes {
        assert_eq!(Some(change.after.duid.as_bytes()), sender);
        assert!(lab.may_lease(change.after.leased));
        let before = lab.bindings.at(change.after.leased);
        assert_eq!(change.before.as_ref(), before);
        assert!(before.is_none_or(|before| !before.is_taken(lab.now) || before.duid == change.after.duid));
    }
    let read = Message::parse(&answer.datagram);
    assert_eq!(read.xid, datagram[1..4]);
    read.ias();
    read.ias_pd();
    assert!(answer.datagram.len() < 65_527);
    true
}

/// Options that strangers could send: bodies that are right, nearly right, and invented.
fn some_option() -> impl Strategy<Value = Vec<u8>> {
    let address = prop_oneof![
        (0u16..70).prop_map(|low| address(&format!("2001:db8:0:1::1:{low:x}"))),
        any::<u128>().prop_map(std::net::Ipv6Addr::from),
    ];
    let prefix = prop_oneof![
        (0u16..70, 48u8..66).prop_map(|(low, length)| format!("2001:db8:1:{low:x}::/{length}")),
        (any::<u128>(), any::<u8>())
            .prop_map(|(address, length)| format!("{}/{length}", std::net::Ipv6Addr::from(address))),
    ];
    prop_oneof![
        4 => (1u8..6).prop_map(client),
        3 => Just(server_id()),
        6 => (0u32..4, prop::collection::vec(address, 0..5)).prop_map(|(iaid, addresses)| ia_na(iaid, &addresses)),
        1 => Just(option(RAPID_COMMIT, &[])),
        1 => prop::collection::vec(any::<u16>(), 0..8).prop_map(|codes| option_request(&codes)),
        3 => (0u32..3, prop::collection::vec(prefix, 0..3)).prop_map(|(iaid, prefixes)| {
            ia_pd(iaid, &prefixes.iter().map(String::as_str).collect::<Vec<_>>())
        }),
        1 => (0u16..150, prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(code, body)| option(code, &body)),
    ]
}

fn some_message() -> impl Strategy<Value = Vec<u8>> {
    (1u8..14, prop::collection::vec(some_option(), 0..7)).prop_map(|(kind, options)| message(kind, XID, &options))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes(datagram in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&lab(), &datagram);
    }

    #[test]
    fn messages_made_up_of_options(datagram in some_message()) {
        survives(&lab(), &datagram);
    }

    #[test]
    fn messages_with_bytes_changed(datagram in some_message(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        let mut datagram = datagram;
        for (at, byte) in changes {
            let at = at.index(datagram.len());
            datagram[at] = byte;
        }
        let lab = lab();
        survives(&lab, &datagram);
        survives(&lab, &datagram[..cut.index(datagram.len())]);
    }
}

/// A message as a relay agent, or somebody who pretends to be one, would forward it.
fn relayed(inner: &[u8], layers: &[(bool, Vec<Vec<u8>>)]) -> Vec<u8> {
    layers.iter().fold(inner.to_vec(), |inner, (named, options)| {
        let link = if *named {
            address("2001:db8:0:1::9")
        } else {
            address("::")
        };
        relay_forw(0, link, [0xfe; 16].into(), options, &inner)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn relayed_messages_with_bytes_changed(
        inner in some_message(),
        layers in prop::collection::vec((any::<bool>(), prop::collection::vec(some_option(), 0..3)), 1..5),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let (lab, mut datagram) = (lab(), relayed(&inner, &layers));
        for (at, byte) in changes {
            let at = at.index(datagram.len());
            datagram[at] = byte;
        }
        let inbound = Inbound { datagram: &datagram, source: client_source(), multicast: false };
        let _ = inbound.link_address();
        if let Ok(answer) = lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now) {
            prop_assert_eq!(answer.datagram[0] == RELAY_REPL, datagram[0] == RELAY_FORW);
            for change in &answer.changes {
                let before = lab.bindings.at(change.after.leased);
                prop_assert!(before.is_none_or(|before| !before.is_taken(lab.now) || before.duid == change.after.duid));
            }
        }
    }
}

#[test]
fn made_up_messages_reach_the_server_often_enough() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let (lab, mut runner) = (lab(), TestRunner::deterministic());
    let answered = (0..1000)
        .filter(|_| survives(&lab, &some_message().new_tree(&mut runner).unwrap().current()))
        .count();
    assert!(
        answered > 50,
        "{answered} of 1000 were answered: the property tests next to nothing"
    );
}

#[test]
fn four_thousand_nested_options() {
    let nested = (0..4096).fold(Vec::new(), |inner: Vec<u8>, _| {
        let body = [&[0; 12][..], &inner].concat();
        if body.len() > 60_000 {
            inner
        } else {
            option(IA_NA, &body)
        }
    });
    let mut lab = lab();
    assert_eq!(lab.refused(SOLICIT, &[client(3), nested]), "malformed");
    let shallow = (0..4).fold(Vec::new(), |inner: Vec<u8>, _| {
        option(IA_NA, &[&[0; 12][..], &inner].concat())
    });
    lab.say(SOLICIT, &[client(3), shallow]);
}

#[test]
fn datagrams_of_64_kib() {
    for filler in [
        option(99, &[0; 65_000]),
        option(99, &[]).repeat(16_000),
        client(9).repeat(4000),
        vec![0xff; 65_531],
    ] {
        assert_eq!(lab().refused(SOLICIT, &[client(3), ia_na(1, &[]), filler]), "malformed");
    }
}
