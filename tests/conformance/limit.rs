//! Limits of one client, and of a link (section 23): row 72.

use std::net::Ipv6Addr;

use orchestrator_lab::wait_for;
use orchestrator_wire::{DECLINE, NO_ADDRS_AVAIL, RENEW, REQUEST, SOLICIT, ia_na, message};
use serde_json::Value;

use crate::client::{Client, SERVER_PORT, receive};
use crate::discard::assert_discarded;
use crate::relay::{Relay, here, wrap};
use crate::site::{PATIENCE, POOL, PREFIX, Site, connect, link, new_duid, plain};

/// How many bindings one client may have on a link, and associations in a message.
const MOST: u32 = 16;

#[test]
fn row_72_a_client_has_so_many_leases_and_no_more() {
    let site = plain();
    let client = site.client();
    let ias: Vec<_> = (0..MOST).map(|iaid| ia_na(iaid, &[])).collect();
    let answer = client.ask_server(REQUEST, &ias);
    let leased: Vec<_> = (0..MOST).map(|iaid| answer.ia(iaid).leased().ip).collect();
    // What its message names is in use, and makes no room.
    assert_eq!(client.request(MOST, &leased).status, Some(NO_ADDRS_AVAIL));
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
    for _ in 0..MOST + 4 {
        let leased = client.request(1, &[]).leased().ip;
        client.tell(DECLINE, 1, leased);
    }
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
    flooded_link("learn_ports = false", "link-too-often");
}

#[test]
fn row_72_a_port_is_answered_so_often_and_who_holds_a_lease_goes_on_as_do_other_links() {
    // All strangers are behind one port.
    flooded_link("", "port-too-often");
}

/// Strangers flood a link that has these settings; so many are discarded for this reason that the others go on.
fn flooded_link(settings: &str, reason: &str) {
    const SENT: u64 = 200;
    const SENDERS: u64 = 20;
    // Below the limit of each sender.
    let flooded = link(
        "br0",
        PREFIX,
        POOL,
        &format!("client_rate = 50\nlink_rate = 20\n{settings}"),
    );
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
    let refused = counts.discarded[reason];
    assert_eq!(counts.answered - before.answered + refused, SENT + 2);
    assert_eq!(counts.discarded.len(), 1, "{counts:?}");
    assert!(refused > SENT / 2, "{counts:?}");
}

/// The events of a kind.
fn events(site: &Site, kind: &str) -> Vec<Value> {
    let mut events = site.daemon.items("/v1/events?after=0&limit=1000").unwrap();
    events.retain(|event| event["kind"] == kind);
    events
}

/// How often clients were at their limit, with this outcome.
fn at_limit(site: &Site, outcome: &str) -> u64 {
    let text = site.daemon.ask("GET", "/metrics").unwrap().text();
    let name = format!("orchestrator_dhcp6_client_limits_total{{outcome=\"{outcome}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |value| value.parse().unwrap())
}

/// Firmware that boots from the network makes up an IAID at each boot.
#[test]
fn a_client_with_a_new_iaid_at_each_boot_is_served_and_its_oldest_lease_makes_room() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let leased: Vec<_> = (0..=MOST).map(|iaid| client.lease(iaid)).collect();
    let of_state = |state: &str| -> Vec<Ipv6Addr> {
        let own = site.leases_of(&client).into_iter().filter(|(_, own)| own == state);
        own.map(|(address, _)| address).collect()
    };
    assert_eq!(of_state("released"), leased[..1], "the oldest one made room");
    assert_eq!(of_state("active").len(), MOST as usize);
    assert_eq!(at_limit(&site, "made-room"), 1);
    let event = wait_for("the timeline to say so", PATIENCE, || {
        events(&site, "client-limit").pop()
    });
    assert_eq!(event["address"], leased[0].to_string());
    assert!(event["detail"].as_str().unwrap().contains("16"), "{event}");
    let (_, own) = site
        .daemon
        .api("GET", &format!("/v1/clients/{}", event["client"].as_str().unwrap()))
        .unwrap();
    assert_eq!(own["duid"], crate::site::hex(&client.duid).as_str());
    // However often it boots, the number of its leases is bounded, and the last one stands.
    let last = (MOST + 1..3 * MOST).map(|iaid| client.lease(iaid)).last().unwrap();
    assert!(site.leases_of(&client).len() <= MOST as usize + 1);
    assert!(site.holds(&client, last));
}

/// What its message names is in use, and makes no room.
#[test]
fn a_client_at_its_limit_is_told_that_it_is_its_own() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let leased: Vec<_> = (0..MOST).map(|iaid| client.lease(iaid)).collect();
    let request = [client.id(), client.server_id(), ia_na(MOST, &leased)];
    for _ in 0..3 {
        client.send(&message(REQUEST, client.xid(), &request));
        let (bytes, _) = receive(&client.socket);
        assert_eq!(client.read(&bytes).ia(MOST).status, Some(NO_ADDRS_AVAIL));
        let words = String::from_utf8_lossy(&bytes);
        assert!(
            words.contains("this client") && !words.contains("left on this link"),
            "{words}"
        );
    }
    assert_eq!(at_limit(&site, "refused"), 3);
    let told = wait_for("the timeline to say so", PATIENCE, || {
        let told = events(&site, "client-limit");
        (!told.is_empty()).then_some(told)
    });
    assert_eq!(told.len(), 1, "once an hour: {told:?}");
}

/// Each declined address is in quarantine, and the client gets another one, however many there are.
#[test]
fn addresses_in_quarantine_do_not_lock_a_client_out() {
    let site = Site::start(POOL, "");
    let client = site.client();
    for _ in 0..MOST + 4 {
        let leased = client.request(1, &[]).leased().ip;
        client.tell(DECLINE, 1, leased);
    }
    client.request(1, &[]).leased();
    let quarantined = site.daemon.items("/v1/quarantine").unwrap();
    assert_eq!(quarantined.len(), MOST as usize, "the oldest ones have ended");
    assert_eq!(events(&site, "quarantine-lifted").len(), 4);
}
