//! Clients that send what they should not (sections 16 and 21): what the server does not read is no reason to leave
//! them without an answer, and what it does read must be right.

use std::net::Ipv6Addr;

use orchestrator_wire::{
    AUTHENTICATION, CONFIRM, DNS_SERVERS, DOMAIN_SEARCH, IA_PD, IA_PREFIX, IA_TA, INFORMATION_REFRESH_TIME,
    INFORMATION_REQUEST, INTERFACE_ID, PD_EXCLUDE, PREFERENCE, REBIND, RECONFIGURE_MESSAGE, RELEASE, RENEW, REQUEST,
    Relayed, SERVER_UNICAST, SOL_MAX_RT, SOLICIT, SUCCESS, USER_CLASS, VENDOR_CLASS, VENDOR_OPTIONS, association,
    ia_na, ia_na_timed, ia_pd, message, option,
};

use crate::client::Client;
use crate::discard::assert_discarded;
use crate::relay::{Relay, here, wrap};
use crate::site::{LINK, POOL, PREFIX, Site, link, plain};

/// Solicits with these options beside one association; the client is offered an address.
#[track_caller]
fn assert_offered(client: &Client, what: &str, options: &[Vec<u8>]) {
    println!("{what}");
    let xid = client.xid();
    client.send(&message(
        SOLICIT,
        xid,
        &[&[client.id(), ia_na(1, &[])][..], options].concat(),
    ));
    let answer = client.receive();
    assert_eq!(answer.xid, xid, "{what}: an answer to something else came before");
    answer.ia(1).leased();
}

#[test]
fn row_06_zeros_after_the_last_option_are_passed_over() {
    let site = plain();
    for length in 1..=3 {
        let client = site.client();
        let leased = client.lease(1);
        for kind in [SOLICIT, REQUEST, CONFIRM, RENEW, REBIND, INFORMATION_REQUEST, RELEASE] {
            println!("message {kind} with {length} zeros");
            let bytes = [client.about(kind, &[ia_na(1, &[leased])]), vec![0; length]].concat();
            client.send(&bytes);
            assert_eq!(client.receive().xid, bytes[1..4]);
        }
        assert_eq!(site.leases_of(&client), [(leased, "released".to_owned())]);
    }
    // What is left of an option that was cut off is no padding.
    let client = site.client();
    let solicit = message(SOLICIT, client.xid(), &[client.id(), ia_na(1, &[])]);
    for tail in [&[0, 1][..], &[0, 99, 0], &[0, 0, 0, 1], &[1]] {
        assert_discarded(&site, &client, "malformed", &[&solicit[..], tail].concat());
    }
}

#[test]
fn row_06_zeros_at_the_end_of_an_association_or_of_a_relays_layer_are_passed_over() {
    let site = plain();
    let client = site.client();
    for length in 1..=3 {
        let padded = ia_na_timed(2, (0, 0), &[vec![0; length]]);
        assert_offered(&client, "an association that ends with zeros", &[padded]);
    }
    let relay = Relay::on(&site, 547);
    let solicit = message(SOLICIT, client.xid(), &[client.id(), ia_na(1, &[])]);
    for length in 1..=3 {
        let layer = wrap(&client, &solicit, &[(0, here(), vec![option(INTERFACE_ID, b"7")])]);
        relay.send(&[layer, vec![0; length]].concat());
        let answer = Relayed::parse(&relay.receive());
        assert_eq!(answer.options.get(INTERFACE_ID), Some(&b"7"[..]));
        client.read(&answer.inner).ia(1).leased();
    }
}

#[test]
fn row_06_options_that_nobody_reads_may_have_any_length_and_come_twice() {
    let site = plain();
    let client = site.client();
    for (code, length) in [
        (VENDOR_OPTIONS, 3),
        (VENDOR_OPTIONS, 0),
        (VENDOR_CLASS, 3),
        (DNS_SERVERS, 15),
        (INFORMATION_REFRESH_TIME, 3),
        (SOL_MAX_RT, 2),
        (PREFERENCE, 0),
        (RECONFIGURE_MESSAGE, 0),
        (AUTHENTICATION, 10),
        (SERVER_UNICAST, 4),
        (IA_TA, 3),
    ] {
        let odd = option(code, &vec![7; length]);
        assert_offered(&client, &format!("option {code} of {length} bytes"), &[odd]);
    }
    for (code, body) in [
        (USER_CLASS, &b"\0\x05phone"[..]),
        (DNS_SERVERS, &[1; 16]),
        (DOMAIN_SEARCH, b"\x03lan\0"),
        (PREFERENCE, &[1]),
        (AUTHENTICATION, &[0; 11]),
        (INTERFACE_ID, b"a client's own"),
    ] {
        let once = option(code, body);
        assert_offered(&client, &format!("option {code} twice"), &[once.clone(), once]);
    }
    let inside = option(VENDOR_OPTIONS, b"\0\0\0\x09\0\x01\0\x09cut");
    assert_offered(&client, "vendor options that are cut off inside", &[inside]);
}

#[test]
fn row_06_a_user_class_that_came_twice_is_discarded_where_a_class_reads_it() {
    let class = "[[class]]\nname = \"phones\"\nmatch = { user_class = \"phone\" }\ndns_servers = [\"fd00::2\"]\n";
    let site = Site::start_with(&format!("{class}{}", link("br0", PREFIX, POOL, "")));
    let client = site.client();
    let once = option(USER_CLASS, b"\0\x05phone");
    assert_offered(&client, "the user class once", std::slice::from_ref(&once));
    let options = [client.id(), ia_na(1, &[]), once.clone(), once];
    let twice = message(SOLICIT, client.xid(), &options);
    assert_discarded(&site, &client, "malformed", &twice);
}

/// A desktop system was captured that renews one association in two options of the same IAID.
#[test]
fn an_association_that_is_renewed_in_two_options_is_renewed() {
    let site = plain();
    let client = site.client();
    let leased = client.lease(1);
    let gone: Ipv6Addr = format!("{PREFIX}::4:4").parse().unwrap();
    for kind in [RENEW, REBIND] {
        let bytes = client.about(kind, &[ia_na(1, &[leased]), ia_na(1, &[leased, gone])]);
        client.send(&bytes);
        let answer = client.receive();
        assert_eq!(answer.xid, bytes[1..4]);
        assert_eq!(answer.ias().len(), 1, "{answer:?}");
        assert_eq!(answer.ia(1).leased().ip, leased);
        assert_eq!(answer.ia(1).ended(), [gone], "also what only the second names");
    }
    assert!(site.holds(&client, leased));
    let confirmed = client.ask(CONFIRM, &[ia_na(1, &[leased]), ia_na(1, &[leased])]);
    assert_eq!(confirmed.options.status(), Some(SUCCESS));
    let bytes = client.about(RELEASE, &[ia_na(1, &[]), ia_na(1, &[leased])]);
    client.send(&bytes);
    assert_eq!(client.receive().options.status(), Some(SUCCESS));
    assert_eq!(site.leases_of(&client), [(leased, "released".to_owned())]);
    // Who asks for something new has to say which of both it wants.
    let server = client.server_id();
    for (kind, server) in [(SOLICIT, Vec::new()), (REQUEST, server)] {
        let options = [client.id(), server, ia_na(1, &[]), ia_na(1, &[])];
        let twice = message(kind, client.xid(), &options);
        assert_discarded(&site, &client, "malformed", &twice);
    }
}

/// Game consoles were captured that take a server's identifier only when its type is one of RFC 3315's.
#[test]
fn the_identifier_of_the_server_has_a_type_that_old_clients_know() {
    let site = plain();
    let identifier = site.client().server_id();
    let kind = u16::from_be_bytes([identifier[4], identifier[5]]);
    assert!((1..=3).contains(&kind), "{identifier:02x?}");
}

/// A client was captured that repeats the option of an excluded prefix without its body (RFC 6603).
#[test]
fn a_request_for_a_prefix_with_an_empty_exclusion_in_it_is_answered() {
    let lines = "[[link.delegation]]\npool = \"fd39:9706:2787::/48\"\n";
    let site = Site::start(POOL, lines);
    let client = site.client();
    let offered = client.ask(SOLICIT, &[ia_pd(1, &[])]).ia_pd(1).delegated();
    let (ip, length) = (offered.ip, offered.length);
    let named = [&[0; 8][..], &[length], &ip.octets(), &option(PD_EXCLUDE, &[])].concat();
    let answer = client.ask_server(REQUEST, &[association(IA_PD, 1, &[option(IA_PREFIX, &named)])]);
    assert_eq!(answer.ia_pd(1).delegated().text, offered.text);
}

/// An association whose address was never filled in names none.
#[test]
fn a_request_that_names_no_address_by_the_unspecified_one_is_answered_with_a_lease() {
    let site = plain();
    let client = site.client();
    let leased = client.request(1, &["::".parse().unwrap()]).leased().ip;
    assert!(site.holds(&client, leased));
    assert_ne!(leased.to_string(), LINK);
    client
        .ask(SOLICIT, &[ia_na(2, &[Ipv6Addr::UNSPECIFIED])])
        .ia(2)
        .leased();
}
