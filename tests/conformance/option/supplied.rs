//! Options that relay agents supply for clients (RFC 6422).

use orchestrator_wire::{
    DNS_SERVERS, ERP_LOCAL_DOMAIN_NAME, INFORMATION_REQUEST, INTERFACE_ID, Options, POSIX_TIMEZONE, REBIND,
    RELAY_SUPPLIED, RENEW, REQUEST, SOLICIT, ia_na, message, option, option_request,
};

use crate::client::SERVER_PORT;
use crate::discard::assert_discarded;
use crate::relay::{Layer, NOWHERE, Relay, here, wrap};
use crate::site::{POOL, PREFIX, Site, link, plain};

/// A layer of a relay that supplies these.
fn supplying(options: &[Vec<u8>]) -> Layer {
    (0, here(), vec![option(RELAY_SUPPLIED, &options.concat())])
}

/// What a new client is told in the answers to messages of all kinds through these relays, when it asks for these.
fn told(site: &Site, codes: &[u16], layers: &[Layer]) -> Vec<Options> {
    let (relay, client) = (Relay::on(site, SERVER_PORT), site.client());
    let kinds = [SOLICIT, REQUEST, RENEW, REBIND, INFORMATION_REQUEST];
    let ask = |kind: u8| {
        let named = matches!(kind, REQUEST | RENEW);
        let server = if named { client.server_id() } else { Vec::new() };
        let leases = kind != INFORMATION_REQUEST;
        let ia = if leases { ia_na(1, &[]) } else { Vec::new() };
        relay
            .ask(&client, kind, &[server, ia, option_request(codes)], layers)
            .options
    };
    kinds.map(ask).to_vec()
}

#[test]
fn rfc_6422_what_a_relay_supplies_goes_to_who_asks_for_it() {
    let site = plain();
    let name = |text: &[u8]| option(ERP_LOCAL_DOMAIN_NAME, text);
    let supplied = [
        name(b"\x03erp\x00"),
        option(POSIX_TIMEZONE, b"UTC"),
        option(INTERFACE_ID, b"x"),
    ];
    let all = [ERP_LOCAL_DOMAIN_NAME, POSIX_TIMEZONE, INTERFACE_ID, RELAY_SUPPLIED];
    for options in told(&site, &all, &[supplying(&supplied)]) {
        assert_eq!(options.get(ERP_LOCAL_DOMAIN_NAME), Some(&b"\x03erp\x00"[..]));
        assert!(all[1..].iter().all(|code| options.get(*code).is_none()), "{options:?}");
    }
    for options in told(&site, &[POSIX_TIMEZONE], &[supplying(&supplied)]) {
        assert!(all.iter().all(|code| options.get(*code).is_none()), "{options:?}");
    }
    // Of several relays the one nearest to the client is believed, of those that supply any.
    for (layers, expected) in [
        (
            vec![supplying(&[name(b"\x01a\x00")]), supplying(&[name(b"\x01b\x00")])],
            b"\x01a\x00",
        ),
        (vec![supplying(&[]), supplying(&[name(b"\x01b\x00")])], b"\x01b\x00"),
        (
            vec![(0, NOWHERE, vec![]), supplying(&[name(b"\x01b\x00")])],
            b"\x01b\x00",
        ),
    ] {
        for options in told(&site, &[ERP_LOCAL_DOMAIN_NAME], &layers) {
            assert_eq!(options.get(ERP_LOCAL_DOMAIN_NAME), Some(&expected[..]));
        }
    }
}

#[test]
fn rfc_6422_the_servers_own_options_go_before_a_relays_and_it_says_which_these_may_supply() {
    let listener = |options: &str| format!("[source.listener]\nrelays = [\"br0\"]\nrelay_options = {options}\n");
    // Without the daemon's own DNS server, which would go before a relay's.
    let local = |lines: &str| link("br0", PREFIX, POOL, &format!("dns = false\n{lines}"));
    let site = Site::start_with(&(listener("[23, 41]") + &local("dns_servers = [\"fd00::53\"]")));
    let supplied = [DNS_SERVERS, POSIX_TIMEZONE, ERP_LOCAL_DOMAIN_NAME].map(|code| option(code, &[7; 16]));
    let codes = [DNS_SERVERS, POSIX_TIMEZONE, ERP_LOCAL_DOMAIN_NAME];
    let own = "fd00::53".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let all = |layers: &[Layer]| told(&site, &codes, layers).into_iter();
    for options in all(&[supplying(&supplied)]) {
        assert_eq!(
            codes.map(|code| options.get(code)),
            [Some(&own[..]), Some(&[7; 16]), None]
        );
    }
    // Set anew, with the next message.
    site.reload_with(&(listener("[23]") + &local("")));
    for options in all(&[supplying(&supplied)]) {
        assert_eq!(codes.map(|code| options.get(code)), [Some(&[7; 16][..]), None, None]);
    }
    site.reload_with(&(listener("[]") + &local("")));
    for options in all(&[supplying(&supplied)]) {
        assert_eq!(codes.map(|code| options.get(code)), [None; 3]);
    }
}

#[test]
fn rfc_6422_malformed_supplies_are_discarded_with_their_message() {
    let site = plain();
    let client = site.client();
    let inner = message(SOLICIT, client.xid(), &[client.id(), ia_na(1, &[])]);
    let twice = [option(RELAY_SUPPLIED, &[]), option(RELAY_SUPPLIED, &[])];
    for options in [
        vec![option(RELAY_SUPPLIED, &[0, 65, 0])],
        vec![option(RELAY_SUPPLIED, &[0, 65, 0, 2, 1])],
        vec![option(RELAY_SUPPLIED, &option(ERP_LOCAL_DOMAIN_NAME, &[]).repeat(300))],
        twice.to_vec(),
    ] {
        assert_discarded(
            &site,
            &client,
            "malformed",
            &wrap(&client, &inner, &[(0, here(), options)]),
        );
    }
}
