//! Options of answers (section 21): rows 3, 57 to 60, 67 and 68; and those that relay agents supply (RFC 6422).

mod configured;
mod supplied;

use orchestrator_wire::{
    CLIENT_ID, CONFIRM, DECLINE, DNS_SERVERS, DOMAIN_SEARCH, IA_NA, IA_TA, INFORMATION_REQUEST, PREFERENCE, REBIND,
    RELEASE, RENEW, REQUEST, SERVER_ID, SERVER_UNICAST, SOLICIT, STATUS, ia_na, option, option_request,
};

use crate::client::Client;
use crate::site::{LINK, off_link, plain};

#[test]
fn row_57_ia_ta_is_ignored_and_ia_na_is_served() {
    let site = plain();
    let client = site.client();
    let ias = [option(IA_TA, &[0, 0, 0, 1]), ia_na(1, &[])];
    for (kind, server) in [
        (SOLICIT, Vec::new()),
        (REQUEST, client.server_id()),
        (RENEW, client.server_id()),
    ] {
        let answer = client.ask(kind, &[&[server], &ias[..]].concat());
        assert!(answer.options.get(IA_TA).is_none(), "{answer:?}");
        answer.ia(1).leased();
    }
}

#[test]
fn row_58_options_come_only_to_who_asks_for_them() {
    let site = plain();
    let client = site.client();
    let servers = [LINK, "fd00::53"]
        .map(|server| server.parse::<std::net::Ipv6Addr>().unwrap().octets())
        .concat();
    let domains = b"\x07example\x03org\x00\x03lan\x07example\x03org\x00";
    let own = [CLIENT_ID, SERVER_ID, IA_NA];
    for kind in [SOLICIT, REQUEST, RENEW, REBIND, INFORMATION_REQUEST] {
        let server = if matches!(kind, REQUEST | RENEW) {
            client.server_id()
        } else {
            Vec::new()
        };
        let ia = if kind == INFORMATION_REQUEST {
            Vec::new()
        } else {
            ia_na(1, &[])
        };
        let ask = |wanted: Vec<u8>| client.ask(kind, &[server.clone(), ia.clone(), wanted]).options;

        let codes = ask(Vec::new()).codes();
        let is_own = |code: &u16| own.contains(code) || (kind == SOLICIT && *code == PREFERENCE);
        assert!(codes.iter().all(is_own), "{codes:?} to {kind}");
        let one = ask(option_request(&[DOMAIN_SEARCH]));
        assert_eq!(
            (one.get(DOMAIN_SEARCH), one.get(DNS_SERVERS)),
            (Some(&domains[..]), None)
        );
        let both = ask(option_request(&[DNS_SERVERS, DOMAIN_SEARCH]));
        assert_eq!(
            (both.get(DOMAIN_SEARCH), both.get(DNS_SERVERS)),
            (Some(&domains[..]), Some(&servers[..]))
        );
    }
}

/// The client checks each answer for both of them; here they are all provoked.
#[test]
fn row_59_and_60_no_server_unicast_no_use_multicast_and_texts_are_utf_8() {
    let site = plain();
    let client = site.client();
    let leased = client.lease(1);
    let (mut statuses, mut answers) = (0, Vec::new());
    for kind in [
        SOLICIT,
        REQUEST,
        RENEW,
        REBIND,
        CONFIRM,
        RELEASE,
        DECLINE,
        INFORMATION_REQUEST,
    ] {
        let server = if matches!(kind, REQUEST | RENEW | RELEASE | DECLINE) {
            client.server_id()
        } else {
            Vec::new()
        };
        for address in [leased, off_link()] {
            let ias = if kind == INFORMATION_REQUEST {
                Vec::new()
            } else {
                [ia_na(1, &[address]), ia_na(9, &[])].concat()
            };
            answers.push(client.ask(kind, &[server.clone(), ias, Client::everything()]));
        }
    }
    for answer in answers {
        statuses += answer.options.all(STATUS).count() + answer.ias().iter().filter(|ia| ia.status.is_some()).count();
        assert!(!answer.options.codes().contains(&SERVER_UNICAST), "{answer:?}");
    }
    assert!(statuses >= 6, "{statuses} statuses were seen");
}
