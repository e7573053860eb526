//! Messages that are not answered (section 16): rows 4 to 18.

use orchestrator_lab::wait_for;
use orchestrator_wire::{
    ADVERTISE, CONFIRM, DECLINE, INFORMATION_REQUEST, REBIND, RECONFIGURE, RELAY_REPL, RELEASE, RENEW, REPLY, REQUEST,
    SERVER_ID, SOLICIT, ia_na, ia_pd_hint, message, option, relay_forw,
};

use crate::client::Client;
use crate::site::{PATIENCE, POOL, Site, plain};

/// The bytes are discarded for this reason: that is counted, nothing answers them, no lease changes, and the next
/// message on the same socket is served.
#[track_caller]
pub(crate) fn assert_discarded(site: &Site, client: &Client, reason: &str, bytes: &[u8]) {
    let (mut counts, leases) = (site.counts(), site.leases());
    client.send(bytes);
    // Whatever came before the answer to this would be noticed.
    client.solicit(1, &[]).leased();
    counts.answered += 1;
    *counts.discarded.entry(reason.to_owned()).or_default() += 1;
    assert_eq!(site.counts(), counts);
    assert_eq!(site.leases(), leases);
}

/// How a message is spoiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoiled {
    NoClient,
    NoServer,
    OtherServer,
    /// With the server's identifier, where none belongs.
    Server,
}

/// A message about the client's own lease is discarded when it is spoiled, and served when it is not.
#[track_caller]
fn assert_wants_identifiers(kind: u8, cases: &[(Spoiled, &str)]) {
    let site = plain();
    let client = site.client();
    let leased = client.lease(1);
    let names_server = matches!(kind, REQUEST | RENEW | RELEASE | DECLINE);
    for (spoiled, reason) in cases {
        let id = if *spoiled == Spoiled::NoClient {
            Vec::new()
        } else {
            client.id()
        };
        let server = match spoiled {
            Spoiled::NoServer => Vec::new(),
            Spoiled::OtherServer => other_server(),
            Spoiled::Server => client.server_id(),
            Spoiled::NoClient if names_server => client.server_id(),
            Spoiled::NoClient => Vec::new(),
        };
        let bytes = message(kind, client.xid(), &[id, server, ia_na(1, &[leased])]);
        assert_discarded(&site, &client, reason, &bytes);
    }
    let server = if names_server { client.server_id() } else { Vec::new() };
    client.ask(kind, &[server, ia_na(1, &[leased])]);
}

/// The identifier of a server that is not there.
fn other_server() -> Vec<u8> {
    option(SERVER_ID, &[0, 3, 0, 1, 2, 0, 0x5e, 0x10, 0, 0x99])
}

const NAMES_ONE_SERVER: [(Spoiled, &str); 3] = [
    (Spoiled::NoServer, "no-server-id"),
    (Spoiled::OtherServer, "other-server"),
    (Spoiled::NoClient, "no-client-id"),
];
const NAMES_NO_SERVER: [(Spoiled, &str); 2] = [(Spoiled::Server, "server-id"), (Spoiled::NoClient, "no-client-id")];

#[test]
fn row_04_solicit_without_client_id_is_discarded() {
    assert_wants_identifiers(SOLICIT, &NAMES_NO_SERVER[1..]);
}

#[test]
fn row_05_solicit_with_server_id_is_discarded() {
    assert_wants_identifiers(SOLICIT, &NAMES_NO_SERVER[..1]);
}

#[test]
fn row_06_request_without_server_id_is_discarded() {
    assert_wants_identifiers(REQUEST, &NAMES_ONE_SERVER[..1]);
}

#[test]
fn row_07_request_for_another_server_is_discarded() {
    assert_wants_identifiers(REQUEST, &NAMES_ONE_SERVER[1..2]);
}

#[test]
fn row_08_request_without_client_id_is_discarded() {
    assert_wants_identifiers(REQUEST, &NAMES_ONE_SERVER[2..]);
}

#[test]
fn row_09_confirm_without_client_id_or_with_server_id_is_discarded() {
    assert_wants_identifiers(CONFIRM, &NAMES_NO_SERVER);
}

#[test]
fn row_10_renew_without_client_id_or_for_another_server_is_discarded() {
    assert_wants_identifiers(RENEW, &NAMES_ONE_SERVER);
}

#[test]
fn row_11_rebind_without_client_id_or_with_server_id_is_discarded() {
    assert_wants_identifiers(REBIND, &NAMES_NO_SERVER);
}

#[test]
fn row_12_decline_without_client_id_or_for_another_server_is_discarded() {
    assert_wants_identifiers(DECLINE, &NAMES_ONE_SERVER);
}

#[test]
fn row_13_release_without_client_id_or_for_another_server_is_discarded() {
    assert_wants_identifiers(RELEASE, &NAMES_ONE_SERVER);
}

#[test]
fn row_14_information_request_for_another_server_is_discarded() {
    let site = plain();
    let client = site.client();
    let bytes = message(INFORMATION_REQUEST, client.xid(), &[client.id(), other_server()]);
    assert_discarded(&site, &client, "other-server", &bytes);
    client.ask_server(INFORMATION_REQUEST, &[]);
}

#[test]
fn row_15_information_request_with_ia_na_is_discarded() {
    let site = plain();
    let client = site.client();
    let bytes = message(INFORMATION_REQUEST, client.xid(), &[client.id(), ia_na(1, &[])]);
    assert_discarded(&site, &client, "leases-asked", &bytes);
}

#[test]
fn row_16_information_request_with_ia_pd_is_discarded() {
    let site = plain();
    let client = site.client();
    let bytes = message(INFORMATION_REQUEST, client.xid(), &[client.id(), ia_pd_hint(1, None)]);
    assert_discarded(&site, &client, "leases-asked", &bytes);
}

#[test]
fn row_17_messages_of_servers_are_discarded() {
    let site = plain();
    let client = site.client();
    for kind in [ADVERTISE, REPLY, RECONFIGURE] {
        let bytes = message(kind, client.xid(), &[client.id(), client.server_id(), ia_na(1, &[])]);
        assert_discarded(&site, &client, "not-for-servers", &bytes);
    }
    let inner = message(REPLY, client.xid(), &[client.id(), client.server_id()]);
    let mut bytes = relay_forw(0, "::".parse().unwrap(), client.address, &[], &inner);
    bytes[0] = RELAY_REPL;
    // A server's message has no layout that is known here: its addresses may as well be read as options.
    let before: u64 = site.counts().discarded.values().sum();
    client.send(&bytes);
    client.solicit(1, &[]).leased();
    assert_eq!(site.counts().discarded.values().sum::<u64>(), before + 1);
}

#[test]
fn row_18_unknown_message_types_are_discarded() {
    let site = plain();
    let client = site.client();
    for kind in [0, 14, 35, 38, 200, 255] {
        let bytes = message(kind, client.xid(), &[client.id(), ia_na(1, &[])]);
        assert_discarded(&site, &client, "not-for-servers", &bytes);
    }
}

#[test]
fn the_first_discard_of_each_reason_is_in_the_log_and_the_others_are_counted() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let without_client = |client: &Client| message(SOLICIT, client.xid(), &[ia_na(1, &[])]);
    let lines = |word: &str| {
        let log = site.daemon.log();
        let discards = log.lines().filter(|line| line.contains("discarded"));
        discards.filter(|line| line.contains(word)).count()
    };
    for _ in 0..20 {
        assert_discarded(&site, &client, "no-client-id", &without_client(&client));
    }
    let of_server = message(ADVERTISE, client.xid(), &[]);
    assert_discarded(&site, &client, "not-for-servers", &of_server);
    wait_for("the lines in the log", PATIENCE, || {
        (lines("solicit without a client identifier") >= 1 && lines("messages of type 2") >= 1).then_some(())
    });
    // A minute may end in between on a busy machine.
    let log = site.daemon.log();
    assert!(lines("solicit without a client identifier") <= 3, "{log}");
    let line = log.lines().find(|line| line.contains("without a client identifier"));
    let line = line.unwrap();
    assert!(
        line.contains("INFO") && line.contains(&client.address.to_string()),
        "{line}"
    );
}
