//! Limits of one client (section 23): row 72.

use crate::client::Client;
use crate::discard::assert_discarded;
use crate::site::{POOL, Site, plain};
use crate::wire::{DECLINE, NO_ADDRS_AVAIL, REQUEST, SOLICIT, ia_na, message};

/// How many bindings one client may have on a link, and associations in a message.
const MOST: u32 = 16;

#[test]
fn row_72_a_client_has_so_many_leases_and_no_more() {
    let site = plain();
    let client = site.client();
    let ias: Vec<_> = (0..MOST).map(|iaid| ia_na(iaid, &[])).collect();
    let answer = client.ask_server(REQUEST, &ias);
    let leased: Vec<_> = (0..MOST).map(|iaid| answer.ia(iaid).leased().ip).collect();
    assert_eq!(client.request(MOST, &[]).status, Some(NO_ADDRS_AVAIL));
    assert_eq!(site.leases_of(&client).len(), leased.len());
    // What it has goes on, and others are served.
    assert_eq!(client.request(0, &[]).leased().ip, leased[0]);
    site.client().lease(1);
}

#[test]
fn row_72_a_message_has_so_many_associations_and_no_more() {
    let site = plain();
    let client = site.client();
    let ias: Vec<_> = (0..=MOST).map(|iaid| ia_na(iaid, &[])).collect();
    let bytes = message(SOLICIT, client.xid(), &[&[client.id()], &ias[..]].concat());
    assert_discarded(&site, &client, "too-many-associations", &bytes);
}

#[test]
fn row_72_a_client_that_declines_everything_cannot_empty_the_pool() {
    let site = plain();
    let client = site.client();
    for _ in 0..MOST {
        let leased = client.request(1, &[]).leased().ip;
        client.tell(DECLINE, 1, leased);
    }
    assert_eq!(client.request(1, &[]).status, Some(NO_ADDRS_AVAIL));
    let declined = site
        .leases_of(&client)
        .into_iter()
        .filter(|(_, state)| state == "declined")
        .count();
    assert_eq!(declined, MOST as usize);
    site.client().lease(1);
}

#[test]
fn row_72_who_sends_too_often_is_not_answered_and_others_are() {
    const SENT: u64 = 200;
    let site = Site::start(POOL, "client_rate = 1");
    let (eager, patient) = (site.client(), site.client());
    let solicit = |client: &Client| client.send(&message(SOLICIT, client.xid(), &[client.id(), ia_na(1, &[])]));
    (0..SENT).for_each(|_| solicit(&eager));
    patient.solicit(1, &[]).leased();
    // The counters are complete: what was sent before was read before.
    let counts = site.counts();
    let refused = counts.discarded["too-often"];
    assert_eq!(counts.answered + refused, SENT + 1);
    assert!(
        counts.answered >= 3,
        "two at once and the other client's, at least: {counts:?}"
    );
    assert!(refused > SENT / 2, "{counts:?}");
}
