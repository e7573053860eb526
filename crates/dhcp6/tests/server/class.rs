//! Client classes: who is in them, and what that gives.

use std::net::Ipv6Addr;

use orchestrator_dhcp6::{Class, ClassId, Conditions, OptionSet, Pool};
use orchestrator_wire::*;

use crate::lab::{Lab, XID, address, client, prefix_pool, server_id};

fn class(name: &str, conditions: Conditions) -> Class {
    Class {
        name: name.into(),
        conditions,
        options: OptionSet::new(),
    }
}

fn lab_with(classes: Vec<Class>) -> Lab {
    let mut lab = Lab::new();
    lab.link.classes = classes;
    lab
}

/// The class in which a client with these options is, by what it is granted.
#[track_caller]
fn class_of(lab: &mut Lab, relay: &[Vec<u8>], options: &[Vec<u8>]) -> Option<String> {
    let message = message(
        REQUEST,
        XID,
        &[&[client(1), server_id(), ia_na(1, &[])], options].concat(),
    );
    let datagram = match relay.is_empty() {
        true => message,
        false => relayed(&[relay, &[option(RELAY_MESSAGE, &message)]].concat()),
    };
    let answer = lab.ask(&datagram).unwrap();
    answer.changes[0].class.as_deref().map(str::to_owned)
}

fn relayed(options: &[Vec<u8>]) -> Vec<u8> {
    relay_layer(0, address("2001:db8:0:1::1"), address("fe80::7"), options)
}

#[test]
fn each_condition_is_met_by_its_option() {
    let pattern = |text: &str| Some(text.parse().unwrap());
    let cases = [
        (
            Conditions {
                vendor_enterprise: Some(311),
                ..Default::default()
            },
            (vec![], vec![vendor_class(311, &[])]),
            (vec![], vec![vendor_class(312, &["311"])]),
        ),
        (
            Conditions {
                vendor_class: pattern("MSFT*"),
                ..Default::default()
            },
            (
                vec![],
                vec![vendor_class(1, &["x"]), vendor_class(311, &["y", "MSFT 5.0"])],
            ),
            (vec![], vec![vendor_class(311, &["msft 5.0"]), user_class(&["MSFT"])]),
        ),
        (
            Conditions {
                vendor_enterprise: Some(311),
                vendor_class: pattern("a"),
                ..Default::default()
            },
            (vec![], vec![vendor_class(311, &["a"])]),
            (vec![], vec![vendor_class(311, &["b"]), vendor_class(1, &["a"])]),
        ),
        (
            Conditions {
                user_class: pattern("iPXE"),
                ..Default::default()
            },
            (vec![], vec![user_class(&["x", "iPXE"])]),
            (vec![], vec![option(USER_CLASS, b"iPXE")]),
        ),
        (
            Conditions {
                architectures: vec![7, 9],
                ..Default::default()
            },
            (vec![], vec![option(CLIENT_ARCHITECTURE, &[0, 1, 0, 9])]),
            (vec![], vec![option(CLIENT_ARCHITECTURE, &[0, 1, 0])]),
        ),
        (
            Conditions {
                interface_id: pattern("0x0007"),
                ..Default::default()
            },
            (vec![option(INTERFACE_ID, &[0, 7])], vec![]),
            // Only a relay tells it.
            (vec![], vec![option(INTERFACE_ID, &[0, 7])]),
        ),
        (
            Conditions {
                subscriber_id: pattern("alice"),
                ..Default::default()
            },
            (vec![option(SUBSCRIBER_ID, b"alice")], vec![]),
            (vec![option(SUBSCRIBER_ID, b"alice2")], vec![]),
        ),
        (
            Conditions {
                remote_enterprise: Some(9),
                remote_id: pattern("port-*"),
                ..Default::default()
            },
            (vec![option(REMOTE_ID, b"\x00\x00\x00\x09port-7")], vec![]),
            (vec![option(REMOTE_ID, b"\x00\x00\x00\x08port-7")], vec![]),
        ),
        (
            Conditions {
                link_layer: Some(vec![2, 0, 0x5f]),
                ..Default::default()
            },
            (vec![option(LINK_LAYER_ADDRESS, &[0, 1, 2, 0, 0x5f, 1, 2, 3])], vec![]),
            (vec![option(LINK_LAYER_ADDRESS, &[0, 1, 2, 0, 0x5e, 1, 2, 3])], vec![]),
        ),
        (
            // As the DUID says.
            Conditions {
                link_layer: Some(vec![2, 0, 0x5e]),
                ..Default::default()
            },
            (vec![], vec![]),
            (vec![option(LINK_LAYER_ADDRESS, &[0, 1, 2, 0, 0x5f, 1, 2, 3])], vec![]),
        ),
    ];
    for (conditions, (relay, options), (other_relay, other_options)) in cases {
        let mut lab = lab_with(vec![class("it", conditions.clone())]);
        assert_eq!(
            class_of(&mut lab, &relay, &options).as_deref(),
            Some("it"),
            "{conditions:?}"
        );
        assert_eq!(class_of(&mut lab, &other_relay, &other_options), None, "{conditions:?}");
    }
}

#[test]
fn the_first_class_whose_conditions_are_all_met_is_the_clients() {
    let user = |text: &str| Conditions {
        user_class: Some(text.parse().unwrap()),
        ..Default::default()
    };
    let both = Conditions {
        architectures: vec![7],
        ..user("a")
    };
    let mut lab = lab_with(vec![
        class("both", both),
        class("a", user("a*")),
        class("b", user("ab")),
    ]);
    let option = |code, body: &[u8]| option(code, body);
    let user = |text: &str| user_class(&[text]);
    assert_eq!(
        class_of(&mut lab, &[], &[user("a"), option(CLIENT_ARCHITECTURE, &[0, 7])]).as_deref(),
        Some("both")
    );
    assert_eq!(class_of(&mut lab, &[], &[user("a")]).as_deref(), Some("a"));
    assert_eq!(class_of(&mut lab, &[], &[user("ab")]).as_deref(), Some("a"));
    assert_eq!(class_of(&mut lab, &[], &[user("c")]), None);
}

/// The relay nearest to the client that tells is believed.
#[test]
fn of_several_relays_the_nearest_counts() {
    let conditions = Conditions {
        interface_id: Some("near".parse().unwrap()),
        ..Default::default()
    };
    let lab = lab_with(vec![class("near", conditions)]);
    let request = message(REQUEST, XID, &[client(1), server_id(), ia_na(1, &[])]);
    let through = |near: &str, far: &str| {
        let inner = relayed(&[option(INTERFACE_ID, near.as_bytes()), option(RELAY_MESSAGE, &request)]);
        let outer = relayed(&[option(INTERFACE_ID, far.as_bytes()), option(RELAY_MESSAGE, &inner)]);
        lab.ask(&outer).unwrap().changes[0].class.is_some()
    };
    assert!(through("near", "far"));
    assert!(!through("far", "near"));
}

fn of_class() -> Vec<u8> {
    user_class(&["it"])
}

/// A link with a pool of four addresses for a class, and its own for all.
fn pooled() -> Lab {
    let conditions = Conditions {
        user_class: Some("it".parse().unwrap()),
        ..Default::default()
    };
    let mut lab = lab_with(vec![class("it", conditions)]);
    let pool = Pool::range(address("2001:db8:0:1::7:0"), address("2001:db8:0:1::7:3")).unwrap();
    lab.link.class_pools = vec![pool.for_class(ClassId(0))];
    lab
}

fn is_of_pool(leased: Ipv6Addr) -> bool {
    leased.segments()[6] == 7
}

fn leased(lab: &mut Lab, number: u8, hints: &[Ipv6Addr], more: &[Vec<u8>]) -> Ipv6Addr {
    let options = [&[client(number), server_id(), ia_na(1, hints)], more].concat();
    lab.say(REQUEST, &options).address()
}

#[test]
fn a_pool_of_a_class_is_for_its_clients_alone_and_first() {
    let mut lab = pooled();
    let hint = address("2001:db8:0:1::7:1");
    assert!(!is_of_pool(leased(&mut lab, 99, &[hint], &[])));
    for number in 1..=4 {
        assert!(is_of_pool(leased(&mut lab, number, &[], &[of_class()])), "{number}");
    }
    // When it is full they are given what all are given.
    assert!(!is_of_pool(leased(&mut lab, 5, &[], &[of_class()])));
}

#[test]
fn who_leaves_a_class_leaves_its_pool_at_renew() {
    let mut lab = pooled();
    let own = leased(&mut lab, 1, &[], &[of_class()]);
    let read = lab.say(RENEW, &[client(1), server_id(), ia_na(1, &[own]), of_class()]);
    assert_eq!(read.address(), own);
    let read = lab.say(RENEW, &[client(1), server_id(), ia_na(1, &[own])]);
    let (live, ended): (Vec<_>, Vec<_>) = read
        .only_ia()
        .addresses
        .into_iter()
        .partition(|address| address.valid > 0);
    assert!(!is_of_pool(live[0].ip));
    assert_eq!(ended, [Address::new(own, 0, 0)]);
}

#[test]
fn who_comes_into_a_class_keeps_its_address() {
    let mut lab = pooled();
    let own = leased(&mut lab, 1, &[], &[]);
    assert_eq!(leased(&mut lab, 1, &[], &[of_class()]), own);
}

#[test]
fn prefixes_of_a_class_are_for_its_clients_alone_and_first() {
    let mut lab = pooled();
    let of_class_alone = prefix_pool("2001:db8:7::/63", 64).for_class(ClassId(0));
    lab.link.delegation = vec![prefix_pool("2001:db8:1::/48", 64), of_class_alone];
    let mut granted = |number: u8, more: &[Vec<u8>]| {
        let options = [&[client(number), server_id(), ia_pd(1, &["2001:db8:7::/64"])], more].concat();
        lab.say(REQUEST, &options).prefix().starts_with("2001:db8:7:")
    };
    assert!(!granted(9, &[]));
    assert!(granted(1, &[of_class()]) && granted(2, &[of_class()]));
    assert!(!granted(3, &[of_class()]));
}

#[test]
fn a_class_is_told_its_own_options() {
    let mut lab = pooled();
    lab.link.options.set_dns_servers(&[address("2001:db8::53")]);
    lab.link.classes[0].options.set_dns_servers(&[address("2001:db8::54")]);
    for (kind, server) in [
        (SOLICIT, vec![]),
        (REQUEST, vec![server_id()]),
        (RENEW, vec![server_id()]),
        (REBIND, vec![]),
        (INFORMATION_REQUEST, vec![]),
    ] {
        let leases = if kind == INFORMATION_REQUEST {
            vec![]
        } else {
            vec![ia_na(1, &[])]
        };
        let mut told = |more: Vec<Vec<u8>>| {
            let options = [
                vec![client(1), option_request(&[DNS_SERVERS])],
                server.clone(),
                leases.clone(),
                more,
            ]
            .concat();
            lab.say(kind, &options).options.get(DNS_SERVERS).map(|body| body[15])
        };
        assert_eq!((told(vec![]), told(vec![of_class()])), (Some(0x53), Some(0x54)));
    }
}

/// A client that goes from class to class is remembered in twice as many bindings as it may have, and no more.
#[test]
fn who_goes_from_class_to_class_is_bounded() {
    let mut lab = pooled();
    lab.link.limits.bindings_per_client = 2;
    for class in [vec![of_class()], vec![], vec![of_class()]] {
        for iaid in 1..=5 {
            let request = [&[client(1), server_id(), ia_na(iaid, &[])], &class[..]].concat();
            let told = lab.say(REQUEST, &request).only_ia().addresses;
            for Address { ip: leased, .. } in told {
                lab.say(RELEASE, &[client(1), server_id(), ia_na(iaid, &[leased])]);
            }
        }
    }
    assert_eq!(lab.bindings.len(), 4);
}
