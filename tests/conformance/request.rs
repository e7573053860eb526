//! Request (section 18.3.2): rows 34, 35 and 36.

use orchestrator_wire::{DNS_SERVERS, NOT_ON_LINK, REPLY, REQUEST, ia_na, message, option_request};

use crate::site::{off_link, plain};

#[test]
fn row_34_request_is_answered_by_a_reply_with_the_offered_address() {
    let site = plain();
    let client = site.client();
    let offered = client.solicit(1, &[]).leased().ip;
    let answer = client.ask_server(REQUEST, &[ia_na(1, &[offered])]);
    assert_eq!((answer.kind, answer.ia(1).leased().ip), (REPLY, offered));
    assert_eq!(site.leases_of(&client), [(offered, "active".to_owned())]);
    // Without an address in it, the same.
    let other = site.client();
    let offered = other.solicit(1, &[]).leased().ip;
    assert_eq!(other.request(1, &[]).leased().ip, offered);
}

#[test]
fn row_35_a_retransmitted_request_is_the_same_binding_in_an_answer_of_its_own() {
    let site = plain();
    let client = site.client();
    let offered = client.solicit(1, &[]).leased().ip;
    let options = [client.id(), client.server_id(), ia_na(1, &[offered])];
    let xid = client.xid();
    for _ in 0..3 {
        client.send(&message(REQUEST, xid, &options));
        let answer = client.receive();
        assert_eq!((answer.xid, answer.ia(1).leased().ip), (xid, offered));
        assert!(answer.options.get(DNS_SERVERS).is_none());
    }
    // The same transaction asks for more: an answer that was kept would not have it.
    client.send(&message(
        REQUEST,
        xid,
        &[&options[..], &[option_request(&[DNS_SERVERS])]].concat(),
    ));
    let answer = client.receive();
    assert_eq!((answer.xid, answer.ia(1).leased().ip), (xid, offered));
    assert!(answer.options.get(DNS_SERVERS).is_some());
    assert_eq!(site.leases_of(&client), [(offered, "active".to_owned())]);
}

#[test]
fn row_36_request_for_an_address_off_the_link_is_answered_by_not_on_link() {
    let site = plain();
    let client = site.client();
    let ias = [ia_na(1, &[off_link()]), ia_na(2, &[])];
    let answer = client.ask_server(REQUEST, &ias);
    let refused = answer.ia(1);
    assert_eq!((refused.status, refused.addresses), (Some(NOT_ON_LINK), Vec::new()));
    // The others are served.
    let leased = answer.ia(2).leased().ip;
    assert_eq!(site.leases_of(&client), [(leased, "active".to_owned())]);
}
