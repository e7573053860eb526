//! Configuration: rows 50, 58, 67 and 68.

use orchestrator_wire::*;
use std::time::Duration;

use crate::lab::{Lab, address, client, server_id};

fn configured() -> Lab {
    let mut lab = Lab::new();
    let options = &mut lab.link.options;
    options.set_dns_servers(&[address("2001:db8::53"), address("2001:db8::54")]);
    options.set_domain_search(&["lan.example".parse().unwrap(), "example".parse().unwrap()]);
    options.set_information_refresh(Duration::from_secs(5));
    options.set_solicit_max_rt(Duration::from_secs(5));
    options.set_information_max_rt(Duration::from_secs(500_000));
    lab
}

#[test]
fn row_50_information_request_without_a_client() {
    let read = configured().say(INFORMATION_REQUEST, &[option_request(&[DNS_SERVERS])]);
    assert_eq!(
        (read.kind, read.options.get(CLIENT_ID), read.status()),
        (REPLY, None, None)
    );
    let servers = [address("2001:db8::53").octets(), address("2001:db8::54").octets()].concat();
    assert_eq!(read.options.get(DNS_SERVERS), Some(&servers[..]));
    assert_eq!(
        configured()
            .say(INFORMATION_REQUEST, &[client(1)])
            .options
            .get(CLIENT_ID),
        Some(&duid(1)[..])
    );
}

#[test]
fn row_58_only_what_is_asked_for() {
    let mut lab = configured();
    for (kind, server) in [
        (SOLICIT, Vec::new()),
        (REQUEST, server_id()),
        (RENEW, server_id()),
        (REBIND, Vec::new()),
    ] {
        let mut answered = |asked: &[u16]| {
            let read = lab.say(kind, &[client(1), server.clone(), ia_na(1, &[]), option_request(asked)]);
            read.options
                .iter()
                .map(|option| option.0)
                .filter(|code| *code > 14)
                .collect::<Vec<_>>()
        };
        assert_eq!(answered(&[]), []);
        assert_eq!(answered(&[DOMAIN_SEARCH]), [DOMAIN_SEARCH]);
        assert_eq!(
            answered(&[DNS_SERVERS, DOMAIN_SEARCH, 82, 83, 999, 12, 32]),
            [DNS_SERVERS, DOMAIN_SEARCH, 82, 83]
        );
    }
    let read = lab.say(SOLICIT, &[client(1), option_request(&[DOMAIN_SEARCH])]);
    assert_eq!(
        read.options.get(DOMAIN_SEARCH),
        Some(&b"\x03lan\x07example\x00\x07example\x00"[..])
    );
    // Not configured is not sent, asked for or not.
    assert_eq!(
        Lab::new()
            .say(
                INFORMATION_REQUEST,
                &[option_request(&[DNS_SERVERS, DOMAIN_SEARCH, 32, 82, 83])]
            )
            .options
            .len(),
        1
    );
}

#[test]
fn row_67_refresh_time_only_for_information_requests() {
    let mut lab = configured();
    let read = lab.say(INFORMATION_REQUEST, &[option_request(&[32])]);
    assert_eq!(number(read.options.get(32).unwrap()), 600);
    assert_eq!(
        lab.say(REQUEST, &[client(1), server_id(), ia_na(1, &[]), option_request(&[32])])
            .options
            .get(32),
        None
    );
}

#[test]
fn row_68_longest_pauses_are_kept_in_bounds() {
    let read = configured().say(INFORMATION_REQUEST, &[option_request(&[82, 83])]);
    assert_eq!(
        (
            number(read.options.get(82).unwrap()),
            number(read.options.get(83).unwrap())
        ),
        (60, 86_400)
    );
}

#[test]
fn an_answer_that_fits_no_datagram_is_not_sent() {
    let mut lab = configured();
    lab.link.options.set_dns_servers(&vec![address("2001:db8::53"); 5000]);
    assert_eq!(
        lab.refused(INFORMATION_REQUEST, &[option_request(&[DNS_SERVERS])]),
        "answer-too-long"
    );
    assert_eq!(
        lab.say(INFORMATION_REQUEST, &[option_request(&[DOMAIN_SEARCH])]).kind,
        REPLY
    );
}
