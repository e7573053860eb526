//! Addresses that hosts made themselves and tell of (RFC 9686).

use std::net::Ipv6Addr;

use orchestrator_wire::{
    ADDR_REG_ENABLE, ADDR_REG_INFORM, ADDR_REG_REPLY, INFORMATION_REQUEST, Message, SERVER_ID, ia_address, ia_na,
    message, option, option_request, relay_forw,
};

use crate::client::{ALL_AGENTS, Client, SERVER_PORT, receive};
use crate::relay::Relay;
use crate::site::{POOL, PREFIX, Site, link, new_duid, off_link, on_link};

/// A host with an address that it made itself.
fn host(site: &Site, address: Ipv6Addr) -> Client {
    site.machine
        .ip(&format!("address add {address}/64 dev eth0 nodad"))
        .unwrap();
    Client::at(&site.machine, address, new_duid())
}

/// Tells of an address, and checks the answer byte by byte.
fn register(host: &Client, address: Ipv6Addr, preferred: u32, valid: u32) {
    let (xid, told) = (host.xid(), ia_address(address, preferred, valid));
    host.send(&message(ADDR_REG_INFORM, xid, &[host.id(), told.clone()]));
    // The socket is bound to the address: the answer went there.
    let (bytes, from) = receive(&host.socket);
    assert_eq!(from.port(), SERVER_PORT);
    let answer = Message::parse(&bytes);
    assert_eq!((answer.kind, answer.xid), (ADDR_REG_REPLY, xid));
    assert!(bytes.windows(told.len()).any(|window| window == told), "{answer:?}");
}

/// The bytes are discarded for this reason, and nothing is recorded.
#[track_caller]
fn assert_discarded(site: &Site, host: &Client, reason: &str, options: &[Vec<u8>]) {
    let (mut counts, leases) = (site.counts(), site.leases());
    let witness = site.client();
    host.send(&message(ADDR_REG_INFORM, host.xid(), options));
    witness.ask(INFORMATION_REQUEST, &[]);
    counts.answered += 1;
    *counts.discarded.entry(reason.to_owned()).or_default() += 1;
    assert_eq!(site.counts(), counts);
    assert_eq!(site.leases(), leases);
}

#[test]
fn rfc_9686_a_registered_address_is_recorded_until_it_is_taken_back() {
    let mut site = Site::start(POOL, "");
    let address = on_link(":5e:10ff:fe00:7");
    let host = host(&site, address);
    register(&host, address, 1800, 3600);
    let lease = site.lease(address).unwrap();
    assert_eq!(
        (&lease["state"], &lease["source"]),
        (&"active".into(), &"registration".into())
    );
    let before = lease["valid_until"].clone();

    // What was answered is durable, and is told again after a restart.
    site.daemon.kill9();
    site.resume();
    assert_eq!(site.lease(address).unwrap()["valid_until"], before);
    register(&host, address, 3600, 7200);
    let lease = site.lease(address).unwrap();
    assert_ne!(lease["valid_until"], before);
    assert_eq!(site.leases().len(), 1);

    // Another host cannot take it back; its own can.
    let other = Client::at_same(&host, new_duid());
    register(&other, address, 0, 0);
    assert_eq!(site.lease(address).unwrap()["state"], "active");
    register(&host, address, 0, 0);
    assert_eq!(site.lease(address).unwrap()["state"], "expired");
}

#[test]
fn rfc_9686_registrations_leave_the_pools_leases_alone() {
    let site = Site::start(POOL, "");
    let holder = site.client();
    let leased = holder.lease(0);
    let host = host(&site, leased);
    assert_discarded(
        &site,
        &host,
        "not-registrable",
        &[host.id(), ia_address(leased, 60, 60)],
    );
    // A registration is no lease of its host: a Renew does not find it.
    let own = on_link(":5e:10ff:fe00:8");
    site.machine
        .ip(&format!("address add {own}/64 dev eth0 nodad"))
        .unwrap();
    let duid = new_duid();
    register(&Client::at(&site.machine, own, duid.clone()), own, 60, 60);
    let client = site.client_with(&duid);
    assert_ne!(client.request(0, &[own]).leased().ip, own);
    assert!(site.holds(&client, own), "and is left alone by what the host leases");
}

#[test]
fn rfc_9686_a_relay_tells_where_a_registration_comes_from() {
    let site = Site::start(POOL, "");
    let (own, other) = (on_link(":5e:10ff:fe00:c"), on_link(":5e:10ff:fe00:d"));
    let relay = Relay::on(&site, SERVER_PORT);
    let host = site.client();
    let told = |address| {
        let inform = message(ADDR_REG_INFORM, host.xid(), &[host.id(), ia_address(address, 60, 60)]);
        relay_forw(0, on_link("::1"), own, &[], &inform)
    };
    relay.send(&told(other));
    relay.send(&told(own));
    let (peer, answer) = relay.answer();
    assert_eq!((peer, answer[0]), (own, ADDR_REG_REPLY));
    assert_eq!(site.counts().discarded["not-the-source"], 1);
    let registered: Vec<_> = site.leases_of(&host).into_iter().map(|(address, _)| address).collect();
    assert_eq!(registered, [own]);
}

#[test]
fn rfc_9686_what_is_malformed_or_not_the_hosts_own_is_discarded() {
    let site = Site::start(POOL, "");
    let address = on_link(":5e:10ff:fe00:9");
    let host = host(&site, address);
    let told = || ia_address(address, 60, 60);
    let server = site.client().server_id();
    assert_discarded(&site, &host, "no-client-id", &[told()]);
    assert_discarded(&site, &host, "server-id", &[host.id(), told(), server]);
    assert_discarded(
        &site,
        &host,
        "server-id",
        &[host.id(), told(), option(SERVER_ID, &new_duid())],
    );
    assert_discarded(&site, &host, "not-one-address", &[host.id()]);
    assert_discarded(&site, &host, "not-one-address", &[host.id(), told(), told()]);
    assert_discarded(&site, &host, "not-one-address", &[host.id(), ia_na(1, &[address])]);
    assert_discarded(&site, &host, "options-asked", &[host.id(), told(), option_request(&[])]);
    let other = ia_address(on_link(":5e:10ff:fe00:a"), 60, 60);
    assert_discarded(&site, &host, "not-the-source", &[host.id(), other]);
    let link_local = site.client();
    assert_discarded(&site, &link_local, "not-the-source", &[host.id(), told()]);

    let stranger = self::host(&site, off_link());
    let told = ia_address(off_link(), 60, 60);
    assert_discarded(&site, &stranger, "not-registrable", &[stranger.id(), told]);
    // Not sent to the servers' group.
    let counted = site.counts().discarded.get("unicast").copied().unwrap_or_default();
    let unicast = message(ADDR_REG_INFORM, host.xid(), &[host.id(), ia_address(address, 60, 60)]);
    host.send_to(&unicast, on_link("::1"));
    host.send_to(&unicast, ALL_AGENTS);
    receive(&host.socket);
    assert_eq!(site.counts().discarded["unicast"], counted + 1);
}

#[test]
fn rfc_9686_who_asks_is_told_whether_addresses_are_registered() {
    for (lines, told) in [("", true), ("registration = false", false)] {
        let site = Site::start_with(&link("br0", PREFIX, POOL, lines));
        let client = site.client();
        let answer = client.ask(INFORMATION_REQUEST, &[option_request(&[ADDR_REG_ENABLE])]);
        assert_eq!(answer.options.get(ADDR_REG_ENABLE), told.then_some(&[][..]));
        let answer = client.ask(INFORMATION_REQUEST, &[option_request(&[])]);
        assert_eq!(answer.options.get(ADDR_REG_ENABLE), None);
        if !told {
            let address = on_link(":5e:10ff:fe00:b");
            let host = host(&site, address);
            assert_discarded(
                &site,
                &host,
                "not-registering",
                &[host.id(), ia_address(address, 60, 60)],
            );
        }
    }
}
