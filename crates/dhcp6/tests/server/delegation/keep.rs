//! Keeping a prefix and giving it back: rows 40 to 54 for prefixes.

use orchestrator_dhcp6::Verb;
use orchestrator_wire::*;

use crate::lab::{HOUR, address, client, other_server_id, server_id};

use super::{lab, prefix};

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
    let read = lab.say(
        CONFIRM,
        &[client(1), ia_na(1, &[leased]), ia_pd(1, &["2001:db8:9::/64"])],
    );
    assert_eq!(read.status(), Some(0));
}

#[test]
fn row_42_renew_extends_a_prefix() {
    let mut lab = lab();
    let granted = lab.delegate(1, &[]);
    lab.now += HOUR;
    let read = lab.say(RENEW, &[client(1), server_id(), ia_pd(1, &[&granted])]);
    assert_eq!((read.prefix(), read.only_ia_pd().iaid), (granted, 1));
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
    let told: Vec<_> = read.only_ia_pd().prefixes;
    let told: Vec<_> = told.iter().map(|told| (told.text.as_str(), told.valid)).collect();
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
    let elsewhere = lab
        .say(REBIND, &[client(1), ia_pd(1, &["2001:db8:9::/64"])])
        .only_ia_pd();
    assert_eq!((elsewhere.prefixes[0].valid, elsewhere.status), (0, None));
    let ours = [client(1), ia_pd(1, &["2001:db8:1:7::/64"])];
    assert_eq!(lab.say(REBIND, &ours).only_ia_pd().status, Some(NO_BINDING));
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
        let told: Vec<_> = read.only_ia_pd().prefixes;
        let told: Vec<_> = told.iter().map(|told| (told.text.as_str(), told.valid)).collect();
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
    let unknown = read.only_ia_pd();
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
