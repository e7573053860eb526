//! Random histories of several clients: what holds after every message.

use std::collections::BTreeMap;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{Binding, Bindings, Inbound, Leased, PrefixPool, Verb};
use orchestrator_wire::*;
use proptest::prelude::*;

use crate::lab::{Lab, XID, address, client, client_source, prefix_pool, server_id};

#[derive(Debug, Clone)]
struct Step {
    kind: u8,
    client: u8,
    /// IAIDs, each with the addresses named in it as offsets into the pool.
    ias: Vec<(u32, Vec<u8>)>,
    /// IAIDs of prefixes, each with the prefixes named in it: subnet of the pool, and length.
    prefix_ias: Vec<(u32, Vec<(u8, u8)>)>,
    /// Lengths of the prefixes that are delegated from the two pools from now on.
    lengths: Option<(u8, u8)>,
    rapid: bool,
    /// Milliseconds that pass before.
    passes: i64,
    /// Whether the commit of its changes fails.
    lost: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        2 => Just(SOLICIT), 5 => Just(REQUEST), 2 => Just(RENEW), 2 => Just(REBIND), 2 => Just(RELEASE), 1 => Just(DECLINE)
    ];
    let ias = prop::collection::btree_map(0u32..3, prop::collection::vec(0u8..18, 0..3), 0..3);
    let passes = prop_oneof![6 => 0i64..10_000, 1 => 0i64..10_000_000, 1 => Just(100_000_000)];
    let named = prop::collection::vec((0u8..18, 59u8..66), 0..3);
    let prefix_ias = prop::collection::btree_map(0u32..3, named, 0..3);
    let lengths = prop::option::weighted(0.05, (60u8..=64, 61u8..=64));
    let message = (kind, 0u8..6, any::<bool>());
    (message, ias, prefix_ias, lengths, passes, prop::bool::weighted(0.1)).prop_map(
        |((kind, client, rapid), ias, prefix_ias, lengths, passes, lost)| Step {
            kind,
            client,
            ias: ias.into_iter().collect(),
            prefix_ias: prefix_ias.into_iter().collect(),
            lengths,
            rapid,
            passes,
            lost,
        },
    )
}

/// Two pools beside each other: 2001:db8:1::/60 and 2001:db8:1:10::/61.
fn pools((one, other): (u8, u8)) -> Vec<PrefixPool> {
    vec![
        prefix_pool("2001:db8:1::/60", one),
        prefix_pool("2001:db8:1:10::/61", other),
    ]
}

fn datagram(step: &Step) -> Vec<u8> {
    let named = |offset: &u8| address(&format!("2001:db8:0:1::1:{offset:x}"));
    let mut options = vec![client(step.client)];
    if !matches!(step.kind, SOLICIT | REBIND) {
        options.push(server_id());
    }
    if step.rapid {
        options.push(option(RAPID_COMMIT, &[]));
    }
    for (iaid, offsets) in &step.ias {
        options.push(ia_na(*iaid, &offsets.iter().map(named).collect::<Vec<_>>()));
    }
    for (iaid, named) in &step.prefix_ias {
        let named: Vec<String> = named
            .iter()
            .map(|(subnet, length)| format!("2001:db8:1:{subnet:x}::/{length}"))
            .collect();
        options.push(ia_pd(*iaid, &named.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    message(step.kind, XID, &options)
}

fn snapshot(bindings: &Bindings) -> BTreeMap<Leased, Binding> {
    bindings
        .iter()
        .map(|binding| (binding.leased, binding.clone()))
        .collect()
}

/// No two prefixes that are held have an address in common.
fn check_apart(bindings: &Bindings, now: i64) {
    let held: Vec<Ipv6Net> = bindings
        .iter()
        .filter(|binding| binding.is_held(now))
        .filter_map(|binding| binding.leased.prefix())
        .collect();
    for (index, prefix) in held.iter().enumerate() {
        for other in &held[..index] {
            assert!(
                !prefix.contains(other) && !other.contains(prefix),
                "{prefix} and {other}"
            );
        }
    }
}

/// The index finds exactly what it contains.
fn check_index(bindings: &Bindings, now: i64) {
    let all = snapshot(bindings);
    assert_eq!(all.len(), bindings.len());
    for binding in all.values() {
        assert_eq!(bindings.at(binding.leased), Some(binding));
        assert!(bindings.of_client(&binding.duid).any(|own| own == binding));
        if binding.is_held(now) {
            let of_association = match binding.leased {
                Leased::Address(_) => bindings.by_client(&binding.duid, binding.iaid),
                Leased::Prefix(_) => bindings.prefix_by_client(&binding.duid, binding.iaid),
            };
            assert_eq!(
                of_association,
                Some(binding),
                "an association has one address or prefix"
            );
        }
    }
}

fn take(lab: &mut Lab, step: &Step) {
    lab.now += step.passes;
    if let Some(lengths) = step.lengths {
        lab.link.delegation = pools(lengths);
    }
    let datagram = datagram(step);
    let inbound = Inbound {
        datagram: &datagram,
        source: client_source(),
        multicast: true,
    };
    let answer = lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now).unwrap();
    assert_eq!(
        lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now).unwrap(),
        answer,
        "it is a function"
    );
    let before = snapshot(&lab.bindings);
    for change in &answer.changes {
        let held = lab.bindings.at(change.after.leased);
        assert_eq!(change.before.as_ref(), held);
        assert!(held.is_none_or(|held| !held.is_taken(lab.now) || held.duid == change.after.duid));
        assert!(matches!(change.verb, Verb::Release | Verb::Decline) || lab.may_lease(change.after.leased));
        assert_eq!(
            change.verb == Verb::Renew,
            matches!(change.verb, Verb::Renew | Verb::Grant)
                && held.is_some_and(|held| held.leased == change.after.leased && held.is_held(lab.now))
        );
        lab.bindings.apply(change);
        check_index(&lab.bindings, lab.now);
    }
    let after = snapshot(&lab.bindings);
    answer.changes.iter().rev().for_each(|change| lab.bindings.undo(change));
    assert_eq!(snapshot(&lab.bindings), before, "undone is as if it had not been");
    check_index(&lab.bindings, lab.now);
    if step.lost {
        return;
    }
    answer.changes.iter().for_each(|change| lab.bindings.apply(change));
    assert_eq!(snapshot(&lab.bindings), after);
    check_apart(&lab.bindings, lab.now);
    let read = Message::parse(&answer.datagram);
    check_answer(lab, step, &read);
    check_prefixes(lab, step, &read);
}

/// The leases in a client's answers are those that are bound.
fn check_answer(lab: &Lab, step: &Step, read: &Message) {
    for ia in read.ias() {
        let living: Vec<_> = ia.addresses.iter().filter(|lease| lease.valid > 0).collect();
        assert!(living.len() <= 1);
        for Address { ip: leased, valid, .. } in living {
            assert!(lab.link.is_assignable(*leased));
            if read.kind == REPLY {
                let binding = lab.bindings.by_address(*leased).unwrap();
                assert_eq!(
                    (binding.duid.as_bytes(), binding.iaid.0),
                    (&duid(step.client)[..], ia.iaid)
                );
                assert_eq!(binding.valid_until, lab.now + i64::from(*valid) * 1000);
            }
        }
    }
}

/// The prefixes in a client's answers are those that are bound.
fn check_prefixes(lab: &Lab, step: &Step, read: &Message) {
    for ia in read.ias_pd() {
        let living: Vec<_> = ia.prefixes.iter().filter(|lease| lease.valid > 0).collect();
        assert!(living.len() <= 1);
        for told in living {
            let binding = lab.bindings.by_prefix(told.text.parse().unwrap());
            if read.kind == REPLY {
                let binding = binding.unwrap();
                assert_eq!(
                    (binding.duid.as_bytes(), binding.iaid.0),
                    (&duid(step.client)[..], ia.iaid)
                );
                // What is left of a lease is told in whole seconds.
                let until = lab.now + i64::from(told.valid) * 1000;
                assert!((until..until + 1000).contains(&binding.valid_until));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn histories(steps in prop::collection::vec(step(), 1..60), rapid in any::<bool>()) {
        let mut lab = Lab::with_pool("2001:db8:0:1::1:0/124");
        lab.link.rapid_commit = rapid;
        lab.link.limits.bindings_per_client = 4;
        lab.link.limits.prefixes_per_client = 3;
        lab.link.delegation = pools((62, 64));
        for step in &steps {
            take(&mut lab, step);
        }
    }
}
