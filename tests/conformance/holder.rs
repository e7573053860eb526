//! Who may end, extend or take over a lease: the machine that holds it, or another one once that one is gone.
//!
//! Two machines at ports of their own speak in the name of one client.

use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_lab::{Namespace, wait_for};
use orchestrator_wire::{
    ADVERTISE, CONFIRM, DECLINE, Ia, Message, NO_ADDRS_AVAIL, NO_BINDING, NOT_ON_LINK, RAPID_COMMIT, REBIND, RELEASE,
    RENEW, REPLY, REQUEST, SOLICIT, SUCCESS, ia_na, message, option,
};
use serde_json::Value;

use crate::client::{Client, SERVER_PORT};
use crate::relay::{Relay, here};
use crate::site::{PATIENCE, POOL, Site, hex, new_duid};

/// The time after which a client repeats its first message (section 7.6).
const RETRANSMISSION: Duration = Duration::from_secs(1);

/// Sends a message once, and returns the answer that comes before it would be repeated.
fn ask_once(client: &Client, bytes: &[u8]) -> Option<Message> {
    client.socket.set_read_timeout(Some(RETRANSMISSION)).unwrap();
    client.send(bytes);
    let mut answer = [0; 4096];
    let received = client.socket.recv(&mut answer).ok();
    client.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    received.map(|length| client.read(&answer[..length]))
}

/// Sends a message again and again until it is answered, as clients do.
pub(crate) fn insist(client: &Client, kind: u8, ias: &[Vec<u8>]) -> Message {
    let bytes = client.about(kind, ias);
    wait_for("the server to answer", PATIENCE, || ask_once(client, &bytes))
}

fn metric(site: &Site, line: &str) -> u64 {
    let text = site.daemon.ask("GET", "/metrics").unwrap().text();
    let found = text.lines().find_map(|own| own.strip_prefix(line));
    found.map_or(0, |value| value.trim().parse().unwrap())
}

fn probes(site: &Site, outcome: &str) -> u64 {
    metric(
        site,
        &format!("orchestrator_dhcp6_holder_probes_total{{outcome=\"{outcome}\"}}"),
    )
}

fn discards(site: &Site, reason: &str) -> u64 {
    site.counts().discarded.get(reason).copied().unwrap_or(0)
}

/// The first event of a kind in the timeline of a client.
fn event(site: &Site, client: &Client, kind: &str) -> Value {
    let duid = hex(&client.duid);
    wait_for(&format!("an event {kind}"), PATIENCE, || {
        let clients = site.daemon.items("/v1/clients?limit=1000").unwrap();
        let id = clients.into_iter().find(|own| own["duid"] == duid.as_str())?["id"].clone();
        let events = site.daemon.items("/v1/events?after=0&limit=1000").unwrap();
        events
            .into_iter()
            .find(|event| event["kind"] == kind && event["client"] == id)
    })
}

/// A client, and a stranger on another machine that has overheard its DUID.
fn client_and_stranger(site: &Site) -> (Client, Client, Namespace) {
    let duid = new_duid();
    let client = site.client_with(&duid);
    let elsewhere = site.connect("elsewhere");
    let stranger = site.client_on(&elsewhere, &duid);
    (client, stranger, elsewhere)
}

/// Gives a machine the client's link-local address besides its own, and a socket at it. Answers may go to either machine.
fn impersonate(elsewhere: &Namespace, client: &Client) -> Client {
    elsewhere
        .ip(&format!("address add {}/64 dev eth0 nodad", client.address))
        .unwrap();
    Client::at(elsewhere, client.address, client.duid.clone())
}

/// Sends messages that nobody answers, and waits until they are discarded for this reason.
fn assert_refused(site: &Site, stranger: &Client, reason: &str, messages: &[Vec<u8>]) {
    let before = discards(site, reason);
    messages.iter().for_each(|bytes| stranger.send(bytes));
    let count = messages.len() as u64;
    wait_for(&format!("{count} messages to be discarded: {reason}"), PATIENCE, || {
        (discards(site, reason) == before + count).then_some(())
    });
}

#[test]
fn nobody_releases_or_declines_in_another_s_name() {
    let mut site = Site::start(POOL, "");
    let (client, stranger, _elsewhere) = client_and_stranger(&site);
    let leased = client.lease(1);
    let ends = [RELEASE, DECLINE].map(|kind| stranger.about(kind, &[ia_na(1, &[leased])]));
    assert_refused(&site, &stranger, "not-from-holder", &ends);
    assert!(site.holds(&client, leased));
    // Sixteen Declines once locked a client out for a day.
    let declines: Vec<_> = (0..16)
        .map(|_| stranger.about(DECLINE, &[ia_na(1, &[leased])]))
        .collect();
    assert_refused(&site, &stranger, "not-from-holder", &declines);
    assert_eq!(client.tell(RENEW, 1, leased).ia(1).leased().ip, leased);
    let told = event(&site, &client, "message-refused");
    let detail = told["detail"].as_str().unwrap();
    for part in [stranger.address, client.address] {
        assert!(detail.contains(&part.to_string()), "{part} in {detail}");
    }
    assert!(site.daemon.log().contains("only its holder can end it"));
    // The place is recorded with the lease.
    site.daemon.stop().unwrap();
    site.resume();
    assert_refused(
        &site,
        &stranger,
        "not-from-holder",
        &[stranger.about(RELEASE, &[ia_na(1, &[leased])])],
    );
    client.tell(RELEASE, 1, leased);
    assert_eq!(site.leases_of(&client), [(leased, "released".to_owned())]);
}

#[test]
fn the_client_s_own_address_at_another_port_does_not_release_its_lease() {
    let site = Site::start(POOL, "");
    let (client, _, elsewhere) = client_and_stranger(&site);
    let leased = client.lease(1);
    let ends = [RELEASE, DECLINE].map(|kind| client.about(kind, &[ia_na(1, &[leased])]));
    let stranger = impersonate(&elsewhere, &client);
    assert_refused(&site, &stranger, "not-from-holder", &ends);
    assert!(site.holds(&client, leased));
}

#[test]
fn a_holder_that_answers_keeps_its_lease() {
    let site = Site::start(POOL, "rapid_commit = true");
    let (client, stranger, _elsewhere) = client_and_stranger(&site);
    let leased = client.lease(1);
    let status = |ia: Ia| ia.status.map(|status| (status, ia.addresses.is_empty()));
    for (kind, expected) in [(REQUEST, NO_ADDRS_AVAIL), (RENEW, NO_BINDING), (REBIND, NO_BINDING)] {
        let refused = insist(&stranger, kind, &[ia_na(1, &[leased])]);
        assert_eq!(status(refused.ia(1)), Some((expected, true)), "{kind}");
    }
    let refused = insist(&stranger, CONFIRM, &[ia_na(1, &[leased])]);
    assert_eq!(refused.options.status(), Some(NOT_ON_LINK));
    let rapid = [stranger.id(), option(RAPID_COMMIT, &[]), ia_na(1, &[leased])];
    let offered = ask_once(&stranger, &message(SOLICIT, stranger.xid(), &rapid)).unwrap();
    assert_eq!(offered.kind, ADVERTISE, "nothing is granted");
    assert!(site.holds(&client, leased));
    assert!(probes(&site, "there") > 0 && probes(&site, "gone") == 0);
    assert_eq!(client.tell(RENEW, 1, leased).ia(1).leased().ip, leased);
    let told = event(&site, &client, "cloned-duid");
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains(&client.address.to_string()), "{detail}");
}

#[test]
fn a_client_that_has_moved_takes_its_lease_along() {
    for kind in [REQUEST, RENEW, REBIND, CONFIRM] {
        let site = Site::start(POOL, "");
        let (client, moved, _elsewhere) = client_and_stranger(&site);
        let leased = client.lease(1);
        site.machine.ip("link set eth0 down").unwrap();
        let bytes = moved.about(kind, &[ia_na(1, &[leased])]);
        assert!(
            ask_once(&moved, &bytes).is_none(),
            "{kind}: the old place is asked first"
        );
        let answer = wait_for("the server to answer", PATIENCE, || ask_once(&moved, &bytes));
        match kind {
            CONFIRM => assert_eq!(answer.options.status(), Some(SUCCESS)),
            _ => assert_eq!(answer.ia(1).leased().ip, leased, "{kind}"),
        }
        assert_eq!((probes(&site, "gone"), probes(&site, "there")), (1, 0));
        let granted_to = site.lease(leased).unwrap()["granted_to"].clone();
        assert_eq!(granted_to["link_local"], moved.address.to_string(), "{granted_to}");
        let told = event(&site, &moved, "client-moved");
        assert!(
            told["detail"].as_str().unwrap().contains(&client.address.to_string()),
            "{told}"
        );
        // It is the holder now.
        moved.tell(RELEASE, 1, leased);
        assert_eq!(site.leases_of(&moved), [(leased, "released".to_owned())]);
    }
}

/// What clients do that come back to a network: Solicit, and a Request at once.
#[test]
fn a_client_that_begins_anew_elsewhere_has_its_lease_within_a_retransmission_or_two() {
    let site = Site::start(POOL, "");
    let (client, moved, _elsewhere) = client_and_stranger(&site);
    let leased = client.lease(1);
    site.machine.ip("link set eth0 down").unwrap();
    let offered = moved.solicit(1, &[]).leased().ip;
    assert_eq!(offered, leased);
    let answer = insist(&moved, REQUEST, &[ia_na(1, &[offered])]);
    assert_eq!((answer.kind, answer.ia(1).leased().ip), (REPLY, leased));
    assert_eq!(metric(&site, "orchestrator_dhcp6_moves_total"), 1);
}

#[test]
fn a_client_that_is_plugged_in_elsewhere_is_served_at_once() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let leased = client.lease(1);
    let shown = site.machine.ip_json("link show dev eth0").unwrap();
    let mac = shown[0]["address"].as_str().unwrap().to_owned();
    site.machine.ip("link set eth0 down").unwrap();
    let elsewhere = site.connect("elsewhere");
    elsewhere.ip(&format!("link set eth0 address {mac}")).unwrap();
    let plugged = impersonate(&elsewhere, &client);
    let answer = insist(&plugged, RENEW, &[ia_na(1, &[leased])]);
    assert_eq!(answer.ia(1).leased().ip, leased);
    assert_eq!(discards(&site, "holder-asked"), 0);
    assert_eq!(site.lease(leased).unwrap()["granted_to"]["port"], "p-elsewhere");
}

#[test]
fn without_learnt_ports_the_link_local_address_alone_decides() {
    let site = Site::start(POOL, "learn_ports = false");
    let (client, stranger, elsewhere) = client_and_stranger(&site);
    let leased = client.lease(1);
    let end = stranger.about(RELEASE, &[ia_na(1, &[leased])]);
    assert_refused(&site, &stranger, "not-from-holder", &[end]);
    assert!(site.holds(&client, leased));
    site.machine.ip("link set eth0 down").unwrap();
    let same_address = impersonate(&elsewhere, &client);
    same_address.send(&client.about(RELEASE, &[ia_na(1, &[leased])]));
    wait_for("the release", PATIENCE, || (!site.holds(&client, leased)).then_some(()));
}

#[test]
fn a_relayed_lease_is_ended_through_its_relay_only() {
    let site = Site::start(POOL, "");
    let elsewhere = site.connect("elsewhere");
    let (own, other) = (Relay::on(&site, SERVER_PORT), Relay::at(&site, &elsewhere, SERVER_PORT));
    let client = site.client();
    let layers = [(0, here(), vec![])];
    let options = [client.server_id(), ia_na(1, &[])];
    let leased: Ipv6Addr = own.ask(&client, REQUEST, &options, &layers).ia(1).leased().ip;
    let granted_to = site.lease(leased).unwrap()["granted_to"].clone();
    assert_eq!(granted_to["relay"], own.address.to_string(), "{granted_to}");
    let before = discards(&site, "not-from-holder");
    let release = client.about(RELEASE, &[ia_na(1, &[leased])]);
    other.send(&crate::relay::wrap(&client, &release, &layers));
    client.send(&release);
    wait_for("both to be discarded", PATIENCE, || {
        (discards(&site, "not-from-holder") == before + 2).then_some(())
    });
    assert!(site.holds(&client, leased));
    let options = [client.server_id(), ia_na(1, &[leased])];
    own.ask(&client, RELEASE, &options, &layers);
    assert_eq!(site.leases_of(&client), [(leased, "released".to_owned())]);
}

#[test]
fn a_relay_agent_on_a_bridge_is_trusted_only_by_setting() {
    let untrusted = format!(
        "[source.listener]\nrelays = []\n{}",
        crate::site::link("br0", crate::site::PREFIX, POOL, "")
    );
    let site = Site::start_with(&untrusted);
    let (relay, client) = (Relay::on(&site, SERVER_PORT), site.client());
    let request = message(REQUEST, client.xid(), &[client.id(), client.server_id(), ia_na(1, &[])]);
    for link in [here(), crate::relay::NOWHERE] {
        let before = discards(&site, "untrusted-relay");
        relay.send(&crate::relay::wrap(&client, &request, &[(0, link, vec![])]));
        wait_for("it to be discarded", PATIENCE, || {
            (discards(&site, "untrusted-relay") == before + 1).then_some(())
        });
    }
    assert!(site.leases_of(&client).is_empty());
}
