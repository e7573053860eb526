//! Delegated prefixes: row 56, those of rows 33 to 53 that speak of them, RFC 8168, RFC 6603 and RFC 9663.

use std::collections::BTreeSet;
use std::time::Duration;

use orchestrator_dhcp6::{Bindings, Leased, Verb};

use crate::lab::{HOUR, Lab, address, other_server_id, prefix_pool, server_id};
use crate::wire::*;

/// A /48 of /64s.
fn lab() -> Lab {
    Lab::delegating(&[("2001:db8:1::/48", 64)])
}

fn prefix(text: &str) -> Leased {
    text.parse().unwrap()
}

#[test]
fn row_56_a_prefix_is_offered_and_granted() {
    let mut lab = lab();
    let offer = lab.say(SOLICIT, &[client(1), ia_pd(1, &[])]);
    let ia = offer.ia_pd();
    assert_eq!((offer.kind, ia.iaid, ia.t1, ia.t2), (ADVERTISE, 1, 1800, 2880));
    assert_eq!((ia.prefixes[0].preferred, ia.prefixes[0].valid), (3600, 7200));
    assert!(lab.changes.is_empty());
    let granted = lab.delegate(1, &[]);
    assert_eq!(granted, offer.prefix());
    let change = &lab.changes[0];
    assert_eq!((change.verb, change.after.leased), (Verb::Grant, prefix(&granted)));
    assert_eq!(change.next_hop, Some(address("fe80::2")));
    assert!(lab.link.delegating(granted.parse().unwrap()).is_some());
}

#[test]
fn row_33_rapid_commit_grants_a_prefix() {
    let mut lab = lab();
    lab.link.rapid_commit = true;
    let read = lab.say(SOLICIT, &[client(1), ia_pd(1, &[]), option(RAPID_COMMIT, &[])]);
    assert_eq!(
        (read.kind, lab.changes[0].after.leased),
        (REPLY, prefix(&read.prefix()))
    );
}

#[test]
fn row_30_addresses_and_prefixes_together_have_the_same_times() {
    let mut lab = lab();
    let leased = lab.lease(1);
    let read = lab.say(
        REQUEST,
        &[
            client(1),
            server_id(),
            ia_pd(1, &[]),
            ia(1, &[leased]),
            ia_pd(2, &[]),
            ia(2, &[]),
        ],
    );
    let times: BTreeSet<_> = read.ias().iter().map(|ia| (ia.t1, ia.t2)).collect();
    let prefix_times: BTreeSet<_> = read.ias_pd().iter().map(|ia| (ia.t1, ia.t2)).collect();
    assert_eq!((times, prefix_times), ([(1800, 2880)].into(), [(1800, 2880)].into()));
    let iaids = |ias: Vec<u32>| assert_eq!(ias, [1, 2], "in the order of the message");
    iaids(read.ias().iter().map(|ia| ia.iaid).collect());
    iaids(read.ias_pd().iter().map(|ia| ia.iaid).collect());
    assert_ne!(read.ias_pd()[0].prefixes[0].prefix, read.ias_pd()[1].prefixes[0].prefix);
    assert_eq!(lab.changes.len(), 4);
}

#[test]
fn row_30_one_lease_that_is_not_extended_sets_the_times_of_all() {
    let mut lab = Lab::delegating(&[("2001:db8:1::/64", 64)]);
    let (held, leased) = (lab.delegate(1, &[]), lab.lease(1));
    lab.link.delegation = vec![prefix_pool("2001:db8:2::/64", 64)];
    lab.delegate(2, &[]);
    lab.now += HOUR * 3 / 2;
    let read = lab.say(RENEW, &[client(1), server_id(), ia(1, &[leased]), ia_pd(1, &[&held])]);
    // Half an hour is left of the prefix.
    assert_eq!(
        (read.ia().t1, read.ia().t2, read.ia().addresses[0].2),
        (1800, 1800, 7200)
    );
    assert_eq!((read.ia_pd().t1, read.ia_pd().t2), (1800, 1800));
    assert_eq!(
        (read.ia_pd().prefixes[0].preferred, read.ia_pd().prefixes[0].valid),
        (0, 1800)
    );
}

#[test]
fn iaids_of_addresses_and_prefixes_are_numbered_apart() {
    let mut lab = lab();
    let (leased, granted) = (lab.lease(1), lab.delegate(1, &[]));
    lab.say(RELEASE, &[client(1), server_id(), ia(1, &[leased])]);
    assert_eq!(lab.changes.len(), 1);
    let binding = lab.bindings.by_prefix(granted.parse().unwrap()).unwrap();
    assert!(binding.is_held(lab.now));
}

#[test]
fn row_35_the_same_prefix_again_and_again() {
    let mut lab = lab();
    let granted = lab.delegate(1, &[]);
    lab.delegate(2, &[]);
    assert_eq!(lab.delegate(1, &[]), granted);
    lab.say(RELEASE, &[client(1), server_id(), ia_pd(1, &[&granted])]);
    lab.delegate(3, &[]);
    assert_eq!(lab.delegate(1, &[]), granted);
    lab.now += 3 * HOUR;
    assert_eq!(lab.delegate(1, &[]), granted);
    // A lost database.
    lab.bindings = Bindings::new();
    assert_eq!(lab.delegate(1, &[]), granted);
}

#[test]
fn row_37_no_prefix_is_left() {
    let mut lab = Lab::delegating(&[("2001:db8:1::/63", 64)]);
    let granted = BTreeSet::from([lab.delegate(1, &[]), lab.delegate(2, &[])]);
    assert_eq!(granted.len(), 2);
    for (kind, server) in [(SOLICIT, Vec::new()), (REQUEST, server_id()), (RENEW, server_id())] {
        let read = lab.say(kind, &[client(3), server, ia_pd(7, &[]), ia(1, &[])]);
        let refused = read.ia_pd();
        assert_eq!(
            (refused.iaid, refused.prefixes.len(), refused.status),
            (7, 0, Some(NO_PREFIX_AVAIL))
        );
        read.address();
    }
}

#[test]
fn row_37_what_was_given_back_longest_ago_is_reused_first() {
    let mut lab = Lab::delegating(&[("2001:db8:1::/63", 64)]);
    let (one, two) = (lab.delegate(1, &[]), lab.delegate(2, &[]));
    lab.say(RELEASE, &[client(2), server_id(), ia_pd(1, &[&two])]);
    lab.now += 1;
    lab.say(RELEASE, &[client(1), server_id(), ia_pd(1, &[&one])]);
    assert_eq!(lab.delegate(3, &[]), two);
    assert_eq!(lab.delegate(4, &[]), one);
}

#[test]
fn row_38_anothers_prefix_is_not_delegated() {
    let mut lab = lab();
    let foreign = lab.delegate(1, &[]);
    assert_ne!(lab.delegate(2, &[&foreign]), foreign);
}

#[test]
fn a_free_prefix_that_is_named_is_delegated() {
    let mut lab = lab();
    let wanted = "2001:db8:1:7::/64";
    assert_eq!(lab.delegate(1, &[wanted]), wanted);
    // One that is none of the pool's is a hint at its length.
    for hint in [
        "2001:db8:2:7::/64",
        "2001:db8:1:8::/63",
        "2001:db8:1:8::/65",
        "ff00::/8",
    ] {
        let granted = lab.delegate(2, &[hint]);
        assert!(lab.link.delegating(granted.parse().unwrap()).is_some(), "{hint}");
    }
}

#[test]
fn rfc_8168_the_length_that_suits_is_delegated() {
    let pools = [
        ("2001:db8:1::/48", 64),
        ("2001:db8:2::/48", 56),
        ("2001:db8:3::/48", 60),
    ];
    for (number, (hint, length)) in [
        ("::/64", 64),
        ("::/60", 60),
        ("::/56", 56),
        // More room, as near as can be.
        ("::/62", 60),
        ("::/59", 56),
        // There is none with more.
        ("::/48", 56),
        // A client cannot ask for less than it could use (RFC 9663, section 8).
        ("::/80", 64),
        // No hint: the first pool.
        ("::/0", 64),
        // The length counts when the prefix is none of ours.
        ("2001:db8:9::/60", 60),
    ]
    .into_iter()
    .enumerate()
    {
        let mut lab = Lab::delegating(&pools);
        let granted = lab.delegate(number as u8, &[hint]);
        assert!(granted.ends_with(&format!("/{length}")), "{hint}: {granted}");
    }
}

#[test]
fn rfc_8168_what_suits_less_is_delegated_when_the_best_is_gone() {
    let mut lab = Lab::delegating(&[("2001:db8:1::/63", 64), ("2001:db8:2::/60", 60)]);
    assert!(lab.delegate(1, &["::/60"]).ends_with("/60"));
    assert!(lab.delegate(2, &["::/60"]).ends_with("/64"));
    assert!(lab.delegate(3, &[]).ends_with("/64"));
    assert_eq!(
        lab.say(SOLICIT, &[client(4), ia_pd(1, &["::/60"])]).ia_pd().status,
        Some(NO_PREFIX_AVAIL)
    );
}

#[test]
fn rfc_8168_a_renew_with_another_length_keeps_the_prefix() {
    let mut lab = Lab::delegating(&[("2001:db8:1::/48", 64), ("2001:db8:2::/48", 56)]);
    let granted = lab.delegate(1, &["::/64"]);
    for (kind, server) in [(RENEW, server_id()), (REBIND, Vec::new())] {
        let read = lab.say(kind, &[client(1), server.clone(), ia_pd(1, &["::/56", &granted])]);
        assert_eq!((read.prefix(), lab.changes[0].verb), (granted.clone(), Verb::Renew));
    }
    // Where it begins anew it gets what it asks for, and the other ends.
    let moved = lab.delegate(1, &["::/56"]);
    assert!(moved.ends_with("/56"));
    assert_eq!(
        lab.changes.iter().map(|change| change.verb).collect::<Vec<_>>(),
        [Verb::Release, Verb::Grant]
    );
    let before = lab.bindings.by_prefix(granted.parse().unwrap()).unwrap();
    assert!(!before.is_held(lab.now));
    // And without a hint it keeps that.
    assert_eq!(lab.delegate(1, &[]), moved);
}

#[test]
fn rfc_6603_the_excluded_part_is_told_to_those_who_ask() {
    let mut lab = Lab::delegating(&[]);
    lab.link.delegation = vec![prefix_pool("2001:db8:1::/48", 56).with_excluded(64, 0xff).unwrap()];
    let excluded = |read: Read| read.ia_pd().prefixes[0].excluded.clone();
    let asked = lab.say(SOLICIT, &[client(1), ia_pd(1, &[]), oro(&[PD_EXCLUDE])]);
    assert_eq!(excluded(asked), Some(vec![64, 0xff]));
    let granted = lab.delegate(1, &[]);
    let unasked = lab.say(RENEW, &[client(1), server_id(), ia_pd(1, &[&granted])]);
    assert_eq!(excluded(unasked), None);
    let asked = lab.say(
        RENEW,
        &[client(1), server_id(), ia_pd(1, &[&granted]), oro(&[23, PD_EXCLUDE])],
    );
    assert_eq!(excluded(asked), Some(vec![64, 0xff]));
}

#[test]
fn row_40_confirm_of_prefixes_alone_is_not_answered() {
    let mut lab = lab();
    let granted = lab.delegate(1, &[]);
    assert_eq!(
        lab.refused(CONFIRM, &[client(1), ia_pd(1, &[&granted])]),
        "nothing-to-confirm"
    );
    // And does not speak against addresses.
    let leased = lab.lease(1);
    let read = lab.say(CONFIRM, &[client(1), ia(1, &[leased]), ia_pd(1, &["2001:db8:9::/64"])]);
    assert_eq!(read.status(), Some(0));
}

#[test]
fn row_42_renew_extends_a_prefix() {
    let mut lab = lab();
    let granted = lab.delegate(1, &[]);
    lab.now += HOUR;
    let read = lab.say(RENEW, &[client(1), server_id(), ia_pd(1, &[&granted])]);
    assert_eq!((read.prefix(), read.ia_pd().iaid), (granted, 1));
    assert_eq!(
        (lab.changes[0].verb, lab.changes[0].after.valid_until),
        (Verb::Renew, lab.now + 2 * HOUR)
    );
    assert_eq!(lab.changes[0].next_hop, Some(address("fe80::2")));
}

#[test]
fn row_43_renew_of_an_unknown_prefix_makes_a_lease_of_it() {
    let mut lab = lab();
    let wanted = "2001:db8:1:7::/64";
    let read = lab.say(RENEW, &[client(1), server_id(), ia_pd(1, &[wanted])]);
    assert_eq!((read.prefix().as_str(), lab.changes[0].verb), (wanted, Verb::Grant));
}

#[test]
fn row_44_a_prefix_of_elsewhere_ends_at_renew() {
    let mut lab = lab();
    let granted = lab.delegate(1, &[]);
    let elsewhere = "2001:db8:9::/64";
    let read = lab.say(RENEW, &[client(1), server_id(), ia_pd(1, &[elsewhere, &granted])]);
    let told: Vec<_> = read.ia_pd().prefixes;
    let told: Vec<_> = told.iter().map(|told| (told.prefix.as_str(), told.valid)).collect();
    assert_eq!(told, [(granted.as_str(), 7200), (elsewhere, 0)]);
}

#[test]
fn row_46_rebind_extends_a_prefix() {
    let mut lab = lab();
    let granted = lab.delegate(1, &[]);
    lab.now += HOUR;
    let read = lab.say(REBIND, &[client(1), ia_pd(1, &[&granted])]);
    assert_eq!(
        (read.prefix(), lab.changes[0].after.valid_until),
        (granted, lab.now + 2 * HOUR)
    );
}

#[test]
fn row_47_48_rebind_of_what_is_not_known() {
    let mut lab = lab();
    let elsewhere = lab.say(REBIND, &[client(1), ia_pd(1, &["2001:db8:9::/64"])]).ia_pd();
    assert_eq!((elsewhere.prefixes[0].valid, elsewhere.status), (0, None));
    let ours = [client(1), ia_pd(1, &["2001:db8:1:7::/64"])];
    assert_eq!(lab.say(REBIND, &ours).ia_pd().status, Some(NO_BINDING));
    assert!(lab.changes.is_empty());
    lab.link.rapid_commit = true;
    assert_eq!(
        (lab.say(REBIND, &ours).prefix().as_str(), lab.changes[0].verb),
        ("2001:db8:1:7::/64", Verb::Grant)
    );
}

#[test]
fn row_49_forged_prefixes_never_become_the_clients() {
    let mut lab = lab();
    let (own, foreign) = (lab.delegate(1, &[]), lab.delegate(2, &[]));
    for (kind, server) in [(REBIND, Vec::new()), (RENEW, server_id())] {
        let read = lab.say(kind, &[client(1), server, ia_pd(1, &[&foreign, &own])]);
        let told: Vec<_> = read.ia_pd().prefixes;
        let told: Vec<_> = told.iter().map(|told| (told.prefix.as_str(), told.valid)).collect();
        assert_eq!(told, [(own.as_str(), 7200), (foreign.as_str(), 0)]);
        let binding = lab.bindings.by_prefix(foreign.parse().unwrap()).unwrap();
        assert_eq!(
            (binding.duid.as_bytes(), binding.is_held(lab.now)),
            (&duid(2)[..], true)
        );
    }
}

#[test]
fn row_51_to_53_release() {
    let mut lab = lab();
    let (own, foreign) = (lab.delegate(1, &[]), lab.delegate(2, &[]));
    let release = [client(1), server_id(), ia_pd(1, &[&foreign, &own, &own]), ia_pd(2, &[])];
    let read = lab.say(RELEASE, &release);
    assert_eq!(read.status(), Some(0));
    let unknown = read.ia_pd();
    assert_eq!((unknown.iaid, unknown.status), (2, Some(NO_BINDING)));
    assert_eq!((lab.changes.len(), lab.changes[0].after.leased), (1, prefix(&own)));
    assert_eq!(lab.say(RELEASE, &release).ias_pd().len(), 2);
    assert!(lab.changes.is_empty());
    // Part of a prefix, or more than it, is not the prefix.
    let wider = foreign.replace("/64", "/60");
    lab.say(RELEASE, &[client(2), server_id(), ia_pd(1, &[&wider])]);
    assert!(lab.changes.is_empty());
    let other = lab.refused(RELEASE, &[client(2), other_server_id(), ia_pd(1, &[&foreign])]);
    assert_eq!(other, "other-server");
}

#[test]
fn row_54_prefixes_are_not_declined() {
    let mut lab = lab();
    let granted = lab.delegate(1, &[]);
    let read = lab.say(DECLINE, &[client(1), server_id(), ia_pd(1, &[&granted])]);
    assert_eq!((read.status(), read.ias_pd().len(), lab.changes.len()), (Some(0), 0, 0));
}

#[test]
fn row_72_prefixes_of_a_client_are_limited() {
    let mut lab = lab();
    lab.link.limits.prefixes_per_client = 2;
    let ias: Vec<_> = (1..=3).map(|iaid| ia_pd(iaid, &[])).collect();
    let read = lab.say(REQUEST, &[&[client(1), server_id()][..], &ias].concat());
    let refused = read
        .ias_pd()
        .iter()
        .filter(|ia| ia.status == Some(NO_PREFIX_AVAIL))
        .count();
    assert_eq!((refused, lab.bindings.len()), (1, 2));
    lab.delegate(2, &[]);
    // Addresses are counted by themselves.
    lab.lease(1);
}

#[test]
fn row_72_prefixes_of_a_link_are_limited() {
    let mut lab = lab();
    lab.link.limits.bindings = 2;
    let one = lab.delegate(1, &[]);
    lab.delegate(2, &[]);
    assert_eq!(
        lab.say(SOLICIT, &[client(3), ia_pd(1, &[])]).ia_pd().status,
        Some(NO_PREFIX_AVAIL)
    );
    lab.say(RELEASE, &[client(1), server_id(), ia_pd(1, &[&one])]);
    assert_eq!(lab.delegate(3, &[]), one);
}

#[test]
fn a_prefix_that_overlaps_the_link_is_not_delegated() {
    let mut lab = Lab::delegating(&[("2001:db8::/63", 64)]);
    assert_eq!(lab.delegate(1, &["2001:db8:0:1::/64"]), "2001:db8::/64");
    assert_eq!(
        lab.say(SOLICIT, &[client(2), ia_pd(1, &[])]).ia_pd().status,
        Some(NO_PREFIX_AVAIL)
    );
}

#[test]
fn prefixes_of_another_length_are_kept_clear_of_what_is_held() {
    let mut lab = Lab::delegating(&[("2001:db8:1::/60", 64)]);
    let held = lab.delegate(1, &["2001:db8:1:5::/64"]);
    lab.link.delegation = vec![prefix_pool("2001:db8:1::/60", 62)];
    let granted: BTreeSet<_> = (2..=4)
        .map(|client| lab.delegate(client, &["2001:db8:1:4::/62"]))
        .collect();
    assert_eq!(
        granted,
        ["2001:db8:1::/62", "2001:db8:1:8::/62", "2001:db8:1:c::/62"]
            .map(str::to_owned)
            .into()
    );
    // It cannot be extended, and there is no other.
    let left = lab.say(RENEW, &[client(1), server_id(), ia_pd(1, &[&held])]).ia_pd();
    assert_eq!((left.prefixes[0].prefix.as_str(), left.status), (held.as_str(), None));
    // Once it has run out its place is free.
    lab.now += 3 * HOUR;
    assert_eq!(lab.delegate(5, &["2001:db8:1:4::/62"]), "2001:db8:1:4::/62");
}

#[test]
fn a_prefix_that_left_the_pool_is_exchanged_at_renew() {
    let mut lab = lab();
    let granted = lab.delegate(1, &[]);
    lab.link.delegation = vec![prefix_pool("2001:db8:2::/48", 64)];
    let told = lab
        .say(RENEW, &[client(1), server_id(), ia_pd(1, &[&granted])])
        .ia_pd()
        .prefixes;
    assert!(lab.link.delegating(told[0].prefix.parse().unwrap()).is_some());
    assert_eq!(
        (told[1].prefix.as_str(), told[1].valid, told.len()),
        (granted.as_str(), 0, 2)
    );
    assert_eq!(
        lab.changes.iter().map(|change| change.verb).collect::<Vec<_>>(),
        [Verb::Release, Verb::Grant]
    );
}

#[test]
fn prefixes_are_not_predictable() {
    let mut lab = lab();
    let granted: Vec<_> = (1..=20).map(|client| prefix(&lab.delegate(client, &[]))).collect();
    let in_order = granted.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((3..17).contains(&in_order), "{granted:?}");
}

#[test]
fn the_last_prefix_of_a_pool_is_found() {
    let mut lab = Lab::delegating(&[("2001:db8:1::/56", 64)]);
    let granted: BTreeSet<_> = (0..=255u8).map(|client| lab.delegate(client, &[])).collect();
    assert_eq!(granted.len(), 256);
}

#[test]
fn an_admin_releases_a_prefix() {
    let mut lab = lab();
    lab.link.valid = Duration::from_secs(600);
    let granted = prefix(&lab.delegate(1, &[]));
    let change = lab.bindings.release(granted, lab.now).unwrap();
    lab.bindings.apply(&change);
    assert_eq!(lab.bindings.release(granted, lab.now), None);
    lab.bindings.undo(&change);
    assert!(lab.bindings.at(granted).unwrap().is_held(lab.now));
}
