//! Information-request (section 18.3.6): row 50.

use orchestrator_wire::{CLIENT_ID, DNS_SERVERS, INFORMATION_REQUEST, option_request};

use crate::site::plain;

#[test]
fn row_50_information_request_without_client_id_is_answered_without_one() {
    let site = plain();
    let client = site.client();
    let answer = client.ask_as_is(INFORMATION_REQUEST, &[option_request(&[DNS_SERVERS])]);
    assert_eq!(answer.options.get(CLIENT_ID), None);
    assert!(answer.options.get(DNS_SERVERS).is_some());
    assert!(answer.ias().is_empty());
}
