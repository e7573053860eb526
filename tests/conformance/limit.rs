//! Limits of one client, and of a link (section 23): row 72.

use crate::client::{Client, SERVER_PORT};
use crate::discard::assert_discarded;
use crate::relay::{Relay, here, wrap};
use crate::site::{POOL, PREFIX, Site, connect, link, new_duid, plain};
use crate::wire::{DECLINE, NO_ADDRS_AVAIL, RENEW, REQUEST, SOLICIT, ia_na, message};

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

#[test]
fn row_72_who_sends_too_often_behind_a_relay_is_told_from_others_there() {
    const SENT: u64 = 100;
    let site = Site::start(POOL, "client_rate = 1");
    let (relay, eager, patient) = (Relay::on(&site, SERVER_PORT), site.client(), site.client());
    let layers = [(0, here(), vec![])];
    for _ in 0..SENT {
        let solicit = message(SOLICIT, eager.xid(), &[eager.id(), ia_na(1, &[])]);
        relay.send(&wrap(&eager, &solicit, &layers));
    }
    let solicit = message(SOLICIT, patient.xid(), &[patient.id(), ia_na(1, &[])]);
    relay.send(&wrap(&patient, &solicit, &layers));
    // The eager one's answers come before the patient's.
    let answered = std::iter::from_fn(|| Some(relay.answer())).position(|(peer, _)| peer == patient.address);
    let counts = site.counts();
    assert_eq!(answered.map(|before| before as u64 + 1), Some(counts.answered));
    assert_eq!(counts.answered + counts.discarded["too-often"], SENT + 1);
    assert!(counts.answered < SENT / 2, "{counts:?}");
}

#[test]
fn row_72_a_link_is_answered_so_often_and_who_holds_a_lease_goes_on_as_do_other_links() {
    const SENT: u64 = 200;
    const SENDERS: u64 = 20;
    // Below the limit of each sender.
    let flooded = link("br0", PREFIX, POOL, "client_rate = 50\nlink_rate = 20");
    let other = link(
        "br1",
        "fd40:1:2:3",
        "fd40:1:2:3::1:0/112",
        "client_rate = 50\nlink_rate = 20",
    );
    let site = Site::start_with(&format!("{flooded}{other}"));
    let elsewhere = site.client_on(&connect(&site.lab, &site.host, "elsewhere", "br1"), &new_duid());
    let holder = site.client();
    let leased = holder.lease(1);
    let strangers: Vec<_> = (0..SENDERS).map(|_| site.client()).collect();
    let before = site.counts();
    for stranger in &strangers {
        let solicit = |xid| message(SOLICIT, xid, &[stranger.id(), ia_na(1, &[])]);
        (0..SENT / SENDERS).for_each(|_| stranger.send(&solicit(stranger.xid())));
    }
    assert_eq!(holder.tell(RENEW, 1, leased).ia(1).leased().ip, leased);
    elsewhere.solicit(1, &[]).leased();
    // The counters are complete: what was sent before was read before.
    let counts = site.counts();
    let refused = counts.discarded["link-too-often"];
    assert_eq!(counts.answered - before.answered + refused, SENT + 2);
    assert_eq!(counts.discarded.len(), 1, "{counts:?}");
    assert!(refused > SENT / 2, "{counts:?}");
}
