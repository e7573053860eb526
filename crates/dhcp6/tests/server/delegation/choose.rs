//! Which prefix: hints (RFC 8168), exclusion (RFC 6603), pools nearly and wholly full, pools that change.

use std::collections::BTreeSet;

use orchestrator_dhcp6::Verb;
use orchestrator_wire::*;

use crate::lab::{HOUR, Lab, client, prefix_pool, server_id};

use super::{lab, prefix};

#[test]
fn row_37_no_prefix_is_left() {
    let mut lab = Lab::delegating(&[("2001:db8:1::/63", 64)]);
    let granted = BTreeSet::from([lab.delegate(1, &[]), lab.delegate(2, &[])]);
    assert_eq!(granted.len(), 2);
    for (kind, server) in [(SOLICIT, Vec::new()), (REQUEST, server_id()), (RENEW, server_id())] {
        let read = lab.say(kind, &[client(3), server, ia_pd(7, &[]), ia_na(1, &[])]);
        let refused = read.only_ia_pd();
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
        lab.say(SOLICIT, &[client(4), ia_pd(1, &["::/60"])]).only_ia_pd().status,
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
    let excluded = |read: Message| read.only_ia_pd().prefixes[0].excluded.clone();
    let asked = lab.say(SOLICIT, &[client(1), ia_pd(1, &[]), option_request(&[PD_EXCLUDE])]);
    assert_eq!(excluded(asked), Some(vec![64, 0xff]));
    let granted = lab.delegate(1, &[]);
    let unasked = lab.say(RENEW, &[client(1), server_id(), ia_pd(1, &[&granted])]);
    assert_eq!(excluded(unasked), None);
    let asked = lab.say(
        RENEW,
        &[
            client(1),
            server_id(),
            ia_pd(1, &[&granted]),
            option_request(&[23, PD_EXCLUDE]),
        ],
    );
    assert_eq!(excluded(asked), Some(vec![64, 0xff]));
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
        lab.say(SOLICIT, &[client(3), ia_pd(1, &[])]).only_ia_pd().status,
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
        lab.say(SOLICIT, &[client(2), ia_pd(1, &[])]).only_ia_pd().status,
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
    let left = lab
        .say(RENEW, &[client(1), server_id(), ia_pd(1, &[&held])])
        .only_ia_pd();
    assert_eq!((left.prefixes[0].text.as_str(), left.status), (held.as_str(), None));
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
        .only_ia_pd()
        .prefixes;
    assert!(lab.link.delegating(told[0].text.parse().unwrap()).is_some());
    assert_eq!(
        (told[1].text.as_str(), told[1].valid, told.len()),
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
