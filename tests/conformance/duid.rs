//! Identifiers of clients and of the server (section 11): rows 2, 22 and 23.

use orchestrator_wire::{
    CLIENT_ID, CONFIRM, DECLINE, INFORMATION_REQUEST, REBIND, RELEASE, RENEW, REQUEST, SERVER_ID, SOLICIT, ia_na,
    message, option,
};

use crate::discard::assert_discarded;
use crate::site::{new_duid, plain};

#[test]
fn row_02_every_answer_names_the_server_and_echoes_the_client() {
    let site = plain();
    let client = site.client();
    let leased = client.lease(1);
    let [_, _, _, _, server @ ..] = &client.server_id()[..] else {
        panic!("an option without a head")
    };
    for kind in [
        SOLICIT,
        CONFIRM,
        REBIND,
        INFORMATION_REQUEST,
        REQUEST,
        RENEW,
        RELEASE,
        DECLINE,
    ] {
        let named = matches!(kind, REQUEST | RENEW | RELEASE | DECLINE);
        let server_id = if named { client.server_id() } else { Vec::new() };
        let ia = if kind == INFORMATION_REQUEST {
            Vec::new()
        } else {
            ia_na(1, &[leased])
        };
        let answer = client.ask(kind, &[server_id, ia]);
        assert_eq!(answer.options.get(CLIENT_ID), Some(&client.duid[..]), "{answer:?}");
        assert_eq!(answer.options.get(SERVER_ID), Some(server), "{answer:?}");
    }
}

#[test]
fn row_22_a_duid_is_opaque() {
    let site = plain();
    let mut leased = Vec::new();
    let [.., a, b] = new_duid()[..] else {
        panic!("an empty DUID")
    };
    let longest = [&[0, 4][..], &[a, b], &[0x5a; 126]].concat();
    let duids: [&[u8]; 8] = [
        // Of the known types, and not as long as they should be.
        &[0, 1, a, b],
        &[0, 2, a, b],
        &[0, 3, a, b],
        &[0, 4, a, b],
        // Of types that nobody knows, of the least and the greatest length, and one a prefix of another.
        &[0xff, 0xff, a ^ b],
        &[0, 0, a, b, 0],
        &[0, 0, a, b, 0, 0],
        &longest,
    ];
    for duid in duids {
        let client = site.client_with(duid);
        leased.push(client.lease(1));
        assert_eq!(
            client.lease(1),
            leased[leased.len() - 1],
            "the same DUID is the same client"
        );
    }
    leased.sort();
    leased.dedup();
    assert_eq!(leased.len(), duids.len(), "each DUID is a client of its own");
}

#[test]
fn row_23_a_duid_longer_than_130_bytes_is_discarded() {
    let site = plain();
    let client = site.client();
    for length in [0, 1, 2, 131, 132, 1000] {
        let bytes = message(
            SOLICIT,
            client.xid(),
            &[option(CLIENT_ID, &vec![1; length]), ia_na(1, &[])],
        );
        assert_discarded(&site, &client, "malformed", &bytes);
    }
}
