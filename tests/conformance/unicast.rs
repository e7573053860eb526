//! Messages from a global address, and messages to an address of the server's own (sections 13.1 and 16).

use std::net::Ipv6Addr;

use orchestrator_wire::{
    CONFIRM, DECLINE, IA_NA, INFORMATION_REQUEST, REBIND, RELEASE, RENEW, REQUEST, SOLICIT, SUCCESS, ia_na, message,
    option,
};

use crate::client::Client;
use crate::link::bridge_address;
use crate::site::{LINK, PREFIX, Site, new_duid, plain};

/// A client that holds a lease, has the address on its interface and speaks from it.
fn settled(site: &Site) -> (Client, Ipv6Addr) {
    let client = site.client();
    let leased = client.lease(1);
    (speaking_from(site, leased, &client.duid), leased)
}

/// A client that speaks from this address.
fn speaking_from(site: &Site, address: Ipv6Addr, duid: &[u8]) -> Client {
    site.machine
        .ip(&format!("address replace {address}/64 dev eth0 nodad"))
        .unwrap();
    Client::at(&site.machine, address, duid.to_vec())
}

/// Sends a message about this address; it is discarded, and nothing changes.
#[track_caller]
fn assert_refused(site: &Site, client: &Client, kind: u8, leased: Ipv6Addr, to: Ipv6Addr) {
    let bytes = client.about(kind, &[ia_na(1, &[leased])]);
    let (mut counts, leases) = (site.counts(), site.leases());
    client.send_to(&bytes, to);
    // Whatever came before the answer to this would be noticed.
    client.solicit(1, &[]).leased();
    counts.answered += 1;
    *counts.discarded.entry("unicast".to_owned()).or_default() += 1;
    assert_eq!(site.counts(), counts, "{kind} to {to}");
    assert_eq!(site.leases(), leases);
}

#[test]
fn row_12_a_client_that_speaks_from_a_global_address_of_the_link_is_answered_there() {
    let site = plain();
    let (client, leased) = settled(&site);
    for kind in [SOLICIT, REQUEST, CONFIRM, RENEW, REBIND, INFORMATION_REQUEST] {
        let bytes = client.about(kind, &[ia_na(1, &[leased])]);
        client.send(&bytes);
        assert_eq!(client.receive().xid, bytes[1..4], "message {kind}");
    }
    assert_eq!(client.tell(RENEW, 1, leased).ia(1).leased().ip, leased);
    client.tell(RELEASE, 1, leased);
    assert_eq!(site.leases_of(&client), [(leased, "released".to_owned())]);
    // One that made its address itself asks for its first lease.
    let own: Ipv6Addr = format!("{PREFIX}:5054:ff:fe00:12").parse().unwrap();
    let newcomer = speaking_from(&site, own, &new_duid());
    assert!(newcomer.lease(1).to_string().starts_with(PREFIX));
}

#[test]
fn row_13_what_a_client_sends_by_unicast_from_its_leased_address_is_taken() {
    let site = plain();
    for to in [bridge_address(&site), LINK.parse().unwrap()] {
        let (client, leased) = settled(&site);
        for kind in [RENEW, REQUEST] {
            let bytes = client.about(kind, &[ia_na(1, &[leased])]);
            client.send_to(&bytes, to);
            let answer = client.receive();
            assert_eq!(answer.xid, bytes[1..4], "message {kind} to {to}");
            assert_eq!(answer.ia(1).leased().ip, leased);
        }
        client.send_to(&client.about(RELEASE, &[ia_na(1, &[leased])]), to);
        client.receive();
        assert_eq!(site.leases_of(&client), [(leased, "released".to_owned())]);
        // It has the address no more.
        assert_refused(&site, &client, RENEW, leased, to);
    }
}

#[test]
fn row_13_unicast_from_any_other_address_is_not_accepted() {
    let site = plain();
    let (owner, owned) = settled(&site);
    let (other, _) = settled(&site);
    let to = bridge_address(&site);
    // In the name of another, from the address of one's own; and about another's address, in one's own name.
    let forger = Client::at_same(&other, owner.duid.clone());
    let stranger = speaking_from(&site, format!("{PREFIX}::4:13").parse().unwrap(), &owner.duid);
    for client in [&forger, &stranger] {
        for kind in [RENEW, REBIND, REQUEST, RELEASE, DECLINE] {
            assert_refused(&site, client, kind, owned, to);
        }
    }
    let leases = site.leases();
    other.send_to(&other.about(RELEASE, &[ia_na(1, &[owned])]), to);
    other.receive();
    assert_eq!(site.leases(), leases);
    // What has no lease yet, or asks all servers, goes to all servers.
    for kind in [SOLICIT, CONFIRM, REBIND, INFORMATION_REQUEST] {
        assert_refused(&site, &owner, kind, owned, to);
    }
}

/// What busybox's `udhcpc6 -R` sends when it ends: to the server's link-local address, with the association as the server
/// gave it, lifetimes included.
#[test]
fn row_13_busyboxs_client_releases_its_lease() {
    let site = plain();
    let client = site.client();
    let granted = client.ask_server(REQUEST, &[ia_na(1, &[])]);
    let leased = granted.ia(1).leased().ip;
    let association = option(IA_NA, granted.options.get(IA_NA).unwrap());
    let speaking = speaking_from(&site, leased, &client.duid);
    let bytes = message(RELEASE, speaking.xid(), &[client.id(), client.server_id(), association]);
    speaking.send_to(&bytes, bridge_address(&site));
    assert_eq!(speaking.receive().options.status(), Some(SUCCESS));
    assert_eq!(site.leases_of(&client), [(leased, "released".to_owned())]);
}
