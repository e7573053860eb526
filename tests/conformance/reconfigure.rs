//! Reconfigure (section 18.3.11) and its key (section 20.4): rows 69 and 70.

use std::io::ErrorKind;

use orchestrator_wire::{
    AUTHENTICATION, CLIENT_ID, INFORMATION_REQUEST, INTERFACE_ID, Message, REBIND, RECONFIGURE, RECONFIGURE_ACCEPT,
    RECONFIGURE_MESSAGE, RELAY_REPL, RELEASE, RENEW, REQUEST, Relayed, SERVER_ID, SOLICIT, hmac_md5, ia_na, message,
    option,
};

use crate::client::{Client, SERVER_PORT, receive};
use crate::relay::{Layer, NOWHERE, Relay, here};
use crate::site::{POOL, PREFIX, Site, hex, link};

/// The value in an authentication option is the key, or it is a signature.
const KEY: u8 = 1;
const DIGEST: u8 = 2;

/// An authentication option of the reconfigure key protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authentication {
    number: u64,
    what: u8,
    value: [u8; 16],
}

pub(crate) fn accept() -> Vec<u8> {
    option(RECONFIGURE_ACCEPT, &[])
}

/// The authentication in a message: protocol 3, algorithm 1, replay detection 0, 128 bits.
pub(crate) fn authentication(message: &Message) -> Option<Authentication> {
    let body = message.options.get(AUTHENTICATION)?;
    assert_eq!((body.len(), &body[..3]), (28, &[3, 1, 0][..]), "{message:?}");
    Some(Authentication {
        number: u64::from_be_bytes(body[3..11].try_into().unwrap()),
        what: body[11],
        value: body[12..].try_into().unwrap(),
    })
}

/// Leases an address and accepts to be reconfigured; the key that it is given.
fn lease(client: &Client) -> Authentication {
    let answer = client.ask_server(REQUEST, &[ia_na(1, &[]), accept()]);
    answer.ia(1).leased();
    assert_eq!(answer.options.get(RECONFIGURE_ACCEPT), Some(&[][..]));
    let key = authentication(&answer).unwrap();
    assert_eq!(key.what, KEY);
    key
}

/// Renews the lease; such a Reply tells no key.
fn renew(client: &Client) {
    let answer = client.ask_server(RENEW, &[ia_na(1, &[]), accept()]);
    answer.ia(1).leased();
    assert_eq!(answer.options.get(RECONFIGURE_ACCEPT), Some(&[][..]));
    assert_eq!(authentication(&answer), None);
}

/// The API's name for a client.
fn id(site: &Site, client: &Client) -> String {
    let clients = site.daemon.items("/v1/clients?limit=1000").unwrap();
    let own = clients.iter().find(|known| known["duid"] == hex(&client.duid).as_str());
    own.unwrap()["id"].as_str().unwrap().to_owned()
}

/// Asks the API to reconfigure a client: the status, and the code of a problem.
pub(crate) fn ask(site: &Site, client: &Client, query: &str) -> (u16, Option<String>) {
    let path = format!("/v1/clients/{}/reconfigure{query}", id(site, client));
    let (status, body) = site.daemon.api("POST", &path).unwrap();
    (status, body["code"].as_str().map(str::to_owned))
}

/// Checks a Reconfigure as a client does that holds this key: what it is to send, and the number against replay.
pub(crate) fn check(client: &Client, server: &[u8], key: &Authentication, bytes: &[u8]) -> (u8, u64) {
    let message = Message::parse(bytes);
    assert_eq!((message.kind, message.xid), (RECONFIGURE, [0; 3]));
    let mut codes = message.options.codes();
    codes.sort();
    assert_eq!(codes, [CLIENT_ID, SERVER_ID, AUTHENTICATION, RECONFIGURE_MESSAGE]);
    assert_eq!(message.options.get(CLIENT_ID), Some(&client.duid[..]));
    assert_eq!(option(SERVER_ID, message.options.get(SERVER_ID).unwrap()), server);
    let signed = authentication(&message).unwrap();
    assert_eq!(signed.what, DIGEST);
    let mut bytes = bytes.to_vec();
    let at = bytes.windows(16).position(|window| window == signed.value).unwrap();
    bytes[at..at + 16].fill(0);
    assert_eq!(hmac_md5(&key.value, &bytes), signed.value);
    assert!(signed.number > key.number, "{signed:?} after {key:?}");
    let [what] = message.options.get(RECONFIGURE_MESSAGE).unwrap() else {
        panic!("one byte in {message:?}")
    };
    (*what, signed.number)
}

/// The next Reconfigure that comes, by unicast: the socket of the client hears nothing else.
fn reconfigured(client: &Client, key: &Authentication) -> (u8, u64) {
    let (bytes, from) = receive(&client.socket);
    assert_eq!(from.port(), SERVER_PORT);
    check(client, &client.server_id(), key, &bytes)
}

/// How often a Reconfigure has come to this outcome.
fn count(site: &Site, outcome: &str) -> u64 {
    let text = site.daemon.ask("GET", "/metrics").unwrap().text();
    let name = format!("orchestrator_dhcp6_reconfigures_total{{outcome=\"{outcome}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |value| value.parse().unwrap())
}

#[test]
fn row_69_who_accepts_it_is_reconfigured_again_and_again_until_it_asks() {
    let site = Site::start(POOL, "");
    let [client, other] = [site.client(), site.client()];
    let [key, others] = [lease(&client), lease(&other)];
    assert_eq!(ask(&site, &client, ""), (202, None));
    let (first, second) = (reconfigured(&client, &key), reconfigured(&client, &key));
    assert_eq!((first.0, second.0), (RENEW, RENEW));
    assert!(first.1 < second.1, "{first:?}, {second:?}");
    renew(&client);
    assert_eq!((count(&site, "begun"), count(&site, "answered")), (1, 1));
    // While another one is told for the third time, the first would have been, too.
    assert_eq!(ask(&site, &other, ""), (202, None));
    (0..3).for_each(|_| assert_eq!(reconfigured(&other, &others).0, RENEW));
    client.socket.set_nonblocking(true).unwrap();
    let heard = client.socket.recv(&mut [0; 512]);
    assert_eq!(heard.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn row_69_each_message_that_a_client_can_be_asked_for_and_by_the_command_line() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let key = lease(&client);
    for (message, kind) in [
        ("rebind", REBIND),
        ("information-request", INFORMATION_REQUEST),
        ("renew", RENEW),
    ] {
        let told = site
            .daemon
            .cli(&["reconfigure", &id(&site, &client)[..8], "--message", message])
            .unwrap();
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(
            told.status.success() && text.contains(&client.address.to_string()),
            "{text}"
        );
        assert_eq!(reconfigured(&client, &key).0, kind);
        let answered = count(&site, "answered");
        match kind {
            REBIND => client.ask(kind, &[ia_na(1, &[]), accept()]),
            RENEW => client.ask_server(kind, &[ia_na(1, &[]), accept()]),
            _ => client.ask(kind, &[accept()]),
        };
        assert_eq!(count(&site, "answered"), answered + 1, "{message}");
    }
}

#[test]
fn row_69_nobody_else_is_reconfigured() {
    let site = Site::start(POOL, "");
    let (client, plain) = (site.client(), site.client());
    lease(&client);
    plain.lease(1);
    let refused = |code: &str| (409, Some(code.to_owned()));
    assert_eq!(ask(&site, &plain, ""), refused("not-accepted"));
    // The last message counts.
    client.ask_server(RENEW, &[ia_na(1, &[])]);
    assert_eq!(ask(&site, &client, ""), refused("not-accepted"));
    renew(&client);
    let leased = client.request(1, &[]).leased().ip;
    renew(&client);
    client.tell(RELEASE, 1, leased);
    assert_eq!(ask(&site, &client, ""), refused("not-heard"));
    let key = lease(&client);
    assert_eq!(
        ask(&site, &client, "?message=solicit"),
        (400, Some("bad-parameter".to_owned()))
    );
    site.reload_with(&link("br0", PREFIX, POOL, "reconfigure = false"));
    assert_eq!(ask(&site, &client, ""), refused("not-accepted"));
    let answer = client.ask_server(REQUEST, &[ia_na(1, &[]), accept()]);
    assert_eq!(
        (answer.options.get(RECONFIGURE_ACCEPT), authentication(&answer)),
        (None, None)
    );
    // Nothing was sent: what comes first is what is asked for in the end.
    site.reload_with(&link("br0", PREFIX, POOL, ""));
    assert_eq!(lease(&client).value, key.value);
    assert_eq!(ask(&site, &client, "?message=rebind"), (202, None));
    assert_eq!(reconfigured(&client, &key).0, REBIND);
}

#[test]
fn row_69_behind_relays_it_goes_the_way_that_the_client_came() {
    let site = Site::start(POOL, "");
    let relay = Relay::on(&site, SERVER_PORT);
    let client = site.client();
    let layers: [Layer; 2] = [
        (0, here(), vec![option(INTERFACE_ID, b"port 7")]),
        (1, NOWHERE, vec![option(INTERFACE_ID, b"rack 2")]),
    ];
    let options = [client.server_id(), ia_na(1, &[]), accept()];
    let answer = relay.ask(&client, REQUEST, &options, &layers);
    let key = authentication(&answer).unwrap();
    assert_eq!(ask(&site, &client, ""), (202, None));
    let mut bytes = relay.receive();
    for (hops, link, _) in layers.iter().rev() {
        let layer = Relayed::parse(&bytes);
        assert_eq!((layer.kind, layer.hops, layer.link), (RELAY_REPL, *hops, *link));
        let port: &[u8] = if *hops == 0 { b"port 7" } else { b"rack 2" };
        assert_eq!(layer.options.get(INTERFACE_ID), Some(port));
        if *hops == 0 {
            assert_eq!(layer.peer, client.address);
        }
        bytes = layer.inner;
    }
    assert_eq!(check(&client, &client.server_id(), &key, &bytes).0, RENEW);
    relay.ask(&client, RENEW, &options, &layers);
    assert_eq!(count(&site, "answered"), 1);
}

#[test]
fn row_70_the_key_comes_in_a_reply_only_and_is_each_clients_own() {
    let site = Site::start(POOL, "");
    let [client, other] = [site.client(), site.client()];
    let advertise = client.ask(SOLICIT, &[ia_na(1, &[]), accept()]);
    assert_eq!(advertise.options.get(RECONFIGURE_ACCEPT), Some(&[][..]));
    assert_eq!(authentication(&advertise), None);
    let key = lease(&client);
    renew(&client);
    let informed = authentication(&client.ask(INFORMATION_REQUEST, &[accept()])).unwrap();
    assert_eq!((informed.what, informed.value), (KEY, key.value));
    assert_ne!(lease(&other).value, key.value);
}

#[test]
fn row_70_after_a_restart_the_key_is_the_same_and_the_number_goes_on() {
    let mut site = Site::start(POOL, "");
    let client = site.client();
    let key = lease(&client);
    let mut last = key.number;
    for kill in [false, true] {
        assert_eq!(ask(&site, &client, ""), (202, None));
        let (_, number) = reconfigured(&client, &key);
        assert!(number > last);
        last = number;
        if kill {
            site.daemon.kill9();
        } else {
            site.daemon.stop().unwrap();
        }
        site.resume();
        // Where the client is, it has to tell.
        assert_eq!(ask(&site, &client, ""), (409, Some("not-heard".to_owned())));
        // Whether it was given the key is not known any more: it is given the same once more, and once only.
        let again = client.ask_server(RENEW, &[ia_na(1, &[]), accept()]);
        assert_eq!(authentication(&again).map(|again| again.value), Some(key.value));
        renew(&client);
        assert_eq!(ask(&site, &client, ""), (202, None));
        let (_, number) = reconfigured(&client, &key);
        assert!(number > last, "{number} after {last}");
        last = number;
        renew(&client);
    }
}

#[test]
fn a_client_that_accepts_it_from_a_later_message_on_is_given_the_key_with_that() {
    let site = Site::start(POOL, "");
    for kind in [REBIND, RENEW] {
        let client = site.client();
        let leased = client.lease(1);
        assert_eq!(ask(&site, &client, ""), (409, Some("not-accepted".to_owned())));
        let options = [client.id(), ia_na(1, &[leased]), accept()];
        let server = (kind == RENEW).then(|| client.server_id());
        let bytes = message(kind, client.xid(), &[&options[..], server.as_slice()].concat());
        let say = || {
            client.send(&bytes);
            let (answer, _) = receive(&client.socket);
            client.read(&answer)
        };
        let key = authentication(&say()).expect("a key comes with the first Reply to a client that accepts it");
        assert_eq!(key.what, KEY);
        // The Reply was lost, and the client sends the same message again.
        assert_eq!(authentication(&say()).map(|again| again.value), Some(key.value));
        renew(&client);
        assert_eq!(ask(&site, &client, ""), (202, None));
        assert_eq!(reconfigured(&client, &key).0, RENEW);
    }
}

/// Of what it gave before a restart the server knows nothing: it gives the same key once more.
#[test]
fn a_key_that_may_have_been_given_before_a_restart_is_given_again() {
    let mut site = Site::start(POOL, "");
    let client = site.client();
    let leased = client.lease(1);
    site.daemon.stop().unwrap();
    site.resume();
    let answer = client.ask(REBIND, &[ia_na(1, &[leased]), accept()]);
    let key = authentication(&answer).unwrap();
    assert_eq!(ask(&site, &client, ""), (202, None));
    assert_eq!(reconfigured(&client, &key).0, RENEW);
}
