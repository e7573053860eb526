//! Clients in one another's way: one DUID many times at once, and more clients than addresses.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use orchestrator_wire::{NO_ADDRS_AVAIL, REBIND, RELEASE, RENEW, REQUEST, SOLICIT, ia_na, message};

use crate::holder::insist;
use crate::site::{PATIENCE, POOL, PREFIX, Site, new_duid, plain};
use orchestrator_lab::wait_for;

#[test]
fn messages_of_one_duid_in_flight_at_once_make_one_lease() {
    let site = plain();
    let client = site.client();
    let (id, server) = (client.id(), client.server_id());
    let kinds = [
        REQUEST, SOLICIT, RENEW, REQUEST, REBIND, RELEASE, RENEW, SOLICIT, REQUEST, REQUEST,
    ];
    let sent: Vec<_> = kinds
        .iter()
        .cycle()
        .take(100)
        .map(|kind| (*kind, client.xid()))
        .collect();
    for (kind, xid) in &sent {
        let named = matches!(*kind, REQUEST | RENEW | RELEASE);
        let server = if named { server.clone() } else { Vec::new() };
        client.send(&message(*kind, *xid, &[id.clone(), server, ia_na(1, &[])]));
    }
    let (mut answered, mut addresses) = (HashSet::new(), HashSet::new());
    for _ in &sent {
        let answer = client.receive();
        assert!(answered.insert(answer.xid), "two answers to one message");
        addresses.extend(
            answer
                .ias()
                .iter()
                .flat_map(|ia| &ia.addresses)
                .map(|address| address.ip),
        );
    }
    assert_eq!(answered, sent.iter().map(|(_, xid)| *xid).collect());
    assert_eq!(addresses.len(), 1, "{addresses:?}");
    assert_eq!(
        site.leases_of(&client),
        addresses
            .into_iter()
            .map(|one| (one, "active".to_owned()))
            .collect::<Vec<_>>()
    );
}

#[test]
fn associations_of_one_duid_in_flight_at_once_get_an_address_each() {
    let site = plain();
    let client = site.client();
    let server = client.server_id();
    for iaid in 0..16 {
        client.send(&message(
            REQUEST,
            client.xid(),
            &[client.id(), server.clone(), ia_na(iaid, &[])],
        ));
    }
    let mut leased: Vec<Ipv6Addr> = (0..16).map(|_| client.receive().ias()[0].leased().ip).collect();
    leased.sort();
    leased.dedup();
    let held: Vec<_> = site
        .leases_of(&client)
        .into_iter()
        .map(|(address, _)| address)
        .collect();
    assert_eq!((leased.len(), held), (16, leased));
}

#[test]
fn more_clients_at_once_than_addresses_share_none() {
    // Eight addresses.
    let site = Site::start(&format!("{PREFIX}::1:0/125"), "");
    let clients: Vec<_> = (0..12).map(|_| site.client()).collect();
    let server = clients[0].server_id();
    for client in &clients {
        client.send(&message(
            REQUEST,
            client.xid(),
            &[client.id(), server.clone(), ia_na(1, &[])],
        ));
    }
    let ias: Vec<_> = clients.iter().map(|client| client.receive().ia(1)).collect();
    let (refused, served): (Vec<_>, Vec<_>) = ias.iter().partition(|ia| ia.status == Some(NO_ADDRS_AVAIL));
    let leased: HashSet<_> = served.iter().map(|ia| ia.leased().ip).collect();
    assert_eq!((refused.len(), leased.len()), (4, 8));
    assert_eq!(site.leases().len(), 8);
}

#[test]
fn in_a_full_pool_an_address_is_free_again_when_its_lease_has_ended() {
    let site = Site::start(
        &format!("{PREFIX}::1:1/128"),
        "preferred_lifetime = \"2s\"\nvalid_lifetime = \"4s\"",
    );
    let (first, second) = (site.client(), site.client());
    let only = first.lease(1);
    assert_eq!(second.solicit(1, &[]).status, Some(NO_ADDRS_AVAIL));
    let offered = wait_for("the lease to end", PATIENCE, || second.solicit(1, &[]).addresses.pop());
    assert_eq!(offered.ip, only);
    assert_eq!(second.request(1, &[only]).leased().ip, only);
    // It is too late for the first.
    assert_eq!(first.request(1, &[only]).status, Some(NO_ADDRS_AVAIL));
    assert!(site.holds(&second, only) && site.leases_of(&first).is_empty());
}

/// The rule for a cloned machine: a DUID is one client, whatever it is sent from, and its lease is at one place.
#[test]
fn one_duid_from_two_link_layer_addresses_is_one_client() {
    let site = Site::start(POOL, "");
    let duid = new_duid();
    let (original, clone) = (site.client_with(&duid), site.client_on(&site.connect("clone"), &duid));
    let leased = original.lease(1);
    let refused = insist(&clone, REQUEST, &[ia_na(1, &[leased])]).ia(1);
    assert_eq!(refused.status, Some(NO_ADDRS_AVAIL));
    assert_eq!(original.tell(RENEW, 1, leased).ia(1).leased().ip, leased);
    assert_eq!(site.leases_of(&original), [(leased, "active".to_owned())]);
    assert_eq!(site.daemon.items("/v1/clients").unwrap().len(), 1);
}
