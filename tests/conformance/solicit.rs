//! Solicit and Advertise (sections 18.3.1 and 18.3.9): rows 1, 3 and 33.

use orchestrator_wire::{ADVERTISE, PREFERENCE, RAPID_COMMIT, REPLY, SOLICIT, ia_na, message, option, option_request};

use crate::site::{plain, rapid};

#[test]
fn row_01_solicit_is_answered_by_advertise_with_its_transaction_id() {
    let site = plain();
    let client = site.client();
    for xid in [[0, 0, 0], [0xff, 0xff, 0xff], [0x12, 0x34, 0x56]] {
        client.send(&message(SOLICIT, xid, &[client.id(), ia_na(7, &[])]));
        let answer = client.receive();
        assert_eq!((answer.kind, answer.xid), (ADVERTISE, xid));
        answer.ia(7).leased();
    }
    assert!(site.leases_of(&client).is_empty(), "an offer is no lease");
}

#[test]
fn row_03_preference_is_255_unless_another_is_configured() {
    let site = plain();
    let answer = site
        .client()
        .ask(SOLICIT, &[ia_na(1, &[]), option_request(&[PREFERENCE])]);
    assert_eq!(answer.options.get(PREFERENCE), Some(&[255][..]), "{answer:?}");
}

#[test]
fn row_33_rapid_commit_is_answered_by_a_reply_whose_lease_is_durable() {
    let mut site = rapid();
    let client = site.client();
    let answer = client.ask(SOLICIT, &[option(RAPID_COMMIT, &[]), ia_na(1, &[])]);
    assert_eq!((answer.kind, answer.options.get(RAPID_COMMIT)), (REPLY, Some(&[][..])));
    let leased = answer.ia(1).leased().ip;
    // What was not durable before the reply is lost now.
    site.daemon.kill9();
    site.resume();
    assert_eq!(site.leases_of(&client), [(leased, "active".to_owned())]);
}

#[test]
fn row_33_without_rapid_commit_in_the_solicit_there_is_no_reply() {
    let site = rapid();
    let client = site.client();
    let answer = client.ask(SOLICIT, &[ia_na(1, &[])]);
    assert_eq!((answer.kind, answer.options.get(RAPID_COMMIT)), (ADVERTISE, None));
    assert!(site.leases_of(&client).is_empty());
}

#[test]
fn row_33_rapid_commit_is_ignored_unless_it_is_configured() {
    let site = plain();
    let client = site.client();
    let answer = client.ask(SOLICIT, &[option(RAPID_COMMIT, &[]), ia_na(1, &[])]);
    assert_eq!((answer.kind, answer.options.get(RAPID_COMMIT)), (ADVERTISE, None));
    assert!(site.leases_of(&client).is_empty());
}
