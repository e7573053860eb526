//! Messages that are not well formed (sections 16 and 21): rows 19, 20 and 71.

use orchestrator_wire::{
    CLIENT_ID, ELAPSED_TIME, IA_ADDRESS, IA_NA, IA_PD, OPTION_REQUEST, RAPID_COMMIT, REQUEST, SERVER_ID, SOLICIT,
    STATUS, cut_head, ia_na, ia_na_timed, message, option, option_claiming,
};

use crate::discard::assert_discarded;
use crate::site::plain;

#[test]
fn row_19_unknown_options_are_ignored() {
    let site = plain();
    let client = site.client();
    let unknown = [option(9999, b"whatever"), option(65_535, &[]), option(9999, b"again")];
    let nested = ia_na_timed(1, (0, 0), &[option(4711, b"inside")]);
    let answer = client.ask(SOLICIT, &[&unknown[..], &[nested]].concat());
    answer.ia(1).leased();
    assert!(!answer.options.codes().iter().any(|code| *code >= 9999), "{answer:?}");
}

#[test]
fn row_20_malformed_options_are_discarded_whole() {
    let site = plain();
    let client = site.client();
    let leased = client.lease(1);
    let valid = [client.id(), client.server_id(), ia_na(1, &[leased])];
    let spoilt: [(&str, Vec<u8>); 14] = [
        ("an option cut off in its head", cut_head(99)),
        ("an option longer than the message", option_claiming(99, 200, &[1])),
        ("an IA_NA shorter than its fixed part", option(IA_NA, &[0; 11])),
        ("an IA_PD shorter than its fixed part", option(IA_PD, &[0; 11])),
        (
            "an option longer than its IA",
            ia_na_timed(2, (0, 0), &[option_claiming(99, 200, &[1])]),
        ),
        (
            "an address shorter than it is",
            ia_na_timed(2, (0, 0), &[option(IA_ADDRESS, &[0; 23])]),
        ),
        (
            "an option request with half a code",
            option(OPTION_REQUEST, &[0, 23, 0]),
        ),
        ("an elapsed time of one byte", option(ELAPSED_TIME, &[0])),
        ("a status without a code", option(STATUS, &[0])),
        ("rapid commit with a body", option(RAPID_COMMIT, &[0])),
        ("two client identifiers", client.id()),
        ("two server identifiers", client.server_id()),
        ("an IAID twice", ia_na(1, &[])),
        (
            "two elapsed times",
            [option(ELAPSED_TIME, &[0; 2]), option(ELAPSED_TIME, &[0; 2])].concat(),
        ),
    ];
    for (what, options) in spoilt {
        println!("{what}");
        let options = [&valid[..], &[options]].concat();
        assert_discarded(&site, &client, "malformed", &message(REQUEST, client.xid(), &options));
    }
    for length in 0..4 {
        println!("{length} bytes");
        assert_discarded(&site, &client, "malformed", &[SOLICIT, 0xff, 0xff, 0xff][..length]);
    }
    for code in [CLIENT_ID, SERVER_ID] {
        println!("identifier {code} without a DUID");
        let bytes = message(REQUEST, client.xid(), &[option(code, &[]), ia_na(1, &[leased])]);
        assert_discarded(&site, &client, "malformed", &bytes);
    }
    client.ask(REQUEST, &valid[1..]).ia(1).leased();
}

#[test]
fn row_71_elapsed_time_decides_nothing() {
    let site = plain();
    let client = site.client();
    let mut offered = Vec::new();
    for elapsed in [0, 1, 100, 0xfffe, 0xffff_u16] {
        let elapsed = option(ELAPSED_TIME, &elapsed.to_be_bytes());
        let offer = client.ask(SOLICIT, &[elapsed, ia_na(1, &[])]).ia(1);
        offered.push(offer.leased());
    }
    offered.dedup();
    assert_eq!(offered.len(), 1, "{offered:?}");
}
