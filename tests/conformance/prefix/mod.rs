//! Prefix delegation (sections 13.2 and 18.3; RFC 8168, RFC 6603, RFC 9663): row 56, and what other rows want of prefixes.

mod keep;
mod reload;
pub(crate) mod route;

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use orchestrator_wire::{
    IaPd, NO_BINDING, NO_PREFIX_AVAIL, PD_EXCLUDE, RAPID_COMMIT, REBIND, RELEASE, RENEW, REPLY, REQUEST, SOLICIT,
    SUCCESS, ia_na, ia_pd, ia_pd_hint, option, option_request,
};
use serde_json::Value;

use crate::client::{Client, SERVER_PORT};
use crate::relay::{Layer, NOWHERE, Relay, here};
use crate::site::{POOL, Site, hex, new_duid, plain};

/// Two pools that no test fills: the first of prefixes of 64 bits, the second of 56 of which a part is excluded.
pub(crate) const DELEGATION: &str = "[[link.delegation]]\npool = \"fd39:9706:2787::/48\"\n\
    [[link.delegation]]\npool = \"fd39:9706:2788::/48\"\nlength = 56\nexclude = \"0:0:0:ff::/64\"";
/// What the prefixes of the first pool begin with.
const FIRST: &str = "fd39:9706:2787:";
/// What those of the second begin with.
const SECOND: &str = "fd39:9706:2788:";
/// A prefix of no pool.
const ELSEWHERE: &str = "2001:db8:99::/64";

/// The site that tests share which need prefixes, one test at a time.
fn delegating() -> MutexGuard<'static, Site> {
    static SITE: OnceLock<Mutex<Site>> = OnceLock::new();
    let start = || Mutex::new(Site::start(POOL, DELEGATION));
    // A test that failed says nothing about the site.
    SITE.get_or_init(start).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Solicits and requests a prefix for an identity association, with these hints.
fn delegate(client: &Client, iaid: u32, hints: &[&str]) -> String {
    let offered = client.ask(SOLICIT, &[ia_pd(iaid, hints)]).ia_pd(iaid).delegated();
    let granted = request(client, iaid, &[&offered.text]).delegated();
    assert_eq!(granted, offered);
    granted.text
}

fn request(client: &Client, iaid: u32, prefixes: &[&str]) -> IaPd {
    client.ask_server(REQUEST, &[ia_pd(iaid, prefixes)]).ia_pd(iaid)
}

/// The leases of a client's prefixes: prefix and state, in order.
fn leases_of(site: &Site, client: &Client) -> Vec<(String, String)> {
    let text = |lease: &Value, field: &str| lease[field].as_str().map(str::to_owned);
    let own = site
        .leases()
        .into_iter()
        .filter(|lease| lease["duid"] == hex(&client.duid).as_str());
    let mut own: Vec<_> = own
        .filter_map(|lease| text(&lease, "prefix").zip(text(&lease, "state")))
        .collect();
    own.sort();
    own
}

fn holds(site: &Site, client: &Client, prefix: &str) -> bool {
    leases_of(site, client).contains(&(prefix.to_owned(), "active".to_owned()))
}

#[test]
fn row_56_without_prefixes_ia_pd_is_told_so_and_ia_na_is_served() {
    let site = plain();
    let client = site.client();
    let ias = [ia_pd_hint(1, Some(56)), ia_na(1, &[]), ia_pd_hint(2, None)];
    let none = |status| [(1, Some(status)), (2, Some(status))];
    let offer = client.ask(SOLICIT, &ias);
    assert_eq!(offer.refused_prefixes(), none(NO_PREFIX_AVAIL));
    offer.ia(1).leased();
    let reply = client.ask_server(REQUEST, &ias);
    assert_eq!(reply.refused_prefixes(), none(NO_PREFIX_AVAIL));
    reply.ia(1).leased();
    assert_eq!(client.ask_server(RENEW, &ias).refused_prefixes(), none(NO_PREFIX_AVAIL));
    assert_eq!(client.ask(REBIND, &ias).refused_prefixes(), none(NO_BINDING));
    let reply = client.ask_server(RELEASE, &ias);
    assert_eq!(
        (reply.options.status(), reply.refused_prefixes()),
        (Some(SUCCESS), none(NO_BINDING).to_vec())
    );
}

#[test]
fn row_56_a_prefix_is_offered_and_delegated() {
    let site = delegating();
    let client = site.client();
    let offer = client.ask(SOLICIT, &[ia_pd_hint(7, None)]).ia_pd(7);
    assert_eq!((offer.t1, offer.t2, offer.status), (1800, 2880, None));
    let offered = offer.delegated();
    assert_eq!((offered.preferred, offered.valid), (3600, 7200));
    assert!(
        offered.text.starts_with(FIRST) && offered.text.ends_with("/64"),
        "{offered:?}"
    );
    assert_eq!(leases_of(&site, &client), []);
    assert_eq!(request(&client, 7, &[&offered.text]), offer);
    assert!(holds(&site, &client, &offered.text));
}

#[test]
fn row_56_the_same_prefix_again_and_no_other_client_has_it() {
    let site = delegating();
    let client = site.client();
    let granted = delegate(&client, 1, &[]);
    assert_eq!(delegate(&client, 1, &[]), granted);
    client.ask_server(RELEASE, &[ia_pd(1, &[&granted])]);
    let others: BTreeSet<_> = (0..20).map(|_| delegate(&site.client(), 1, &[])).collect();
    assert!(others.len() == 20 && !others.contains(&granted));
    assert_eq!(delegate(&client, 1, &[]), granted);
    assert_ne!(delegate(&client, 2, &[]), granted);
}

#[test]
fn row_56_hints_at_a_length_are_followed_as_rfc_8168_and_rfc_9663_say() {
    let site = delegating();
    for (hint, pool, length) in [
        ("::/64", FIRST, "/64"),
        ("::/56", SECOND, "/56"),
        // More room than asked for comes before less.
        ("::/60", SECOND, "/56"),
        ("::/48", SECOND, "/56"),
        // No prefix is longer than 64 bits.
        ("::/80", FIRST, "/64"),
        ("::/128", FIRST, "/64"),
        ("::/0", FIRST, "/64"),
        // The length counts when the prefix cannot be had.
        ("2001:db8:99::/56", SECOND, "/56"),
    ] {
        let granted = delegate(&site.client(), 1, &[hint]);
        assert!(
            granted.starts_with(pool) && granted.ends_with(length),
            "{hint}: {granted}"
        );
    }
    // A length that no prefix has says nothing.
    delegate(&site.client(), 1, &["::/255"]);
    // One that is free is given to who names it.
    let wanted = format!("{FIRST}abcd::/64");
    assert_eq!(delegate(&site.client(), 1, &[&wanted]), wanted);
}

#[test]
fn row_56_a_renew_with_another_length_keeps_the_prefix() {
    let site = delegating();
    let client = site.client();
    let granted = delegate(&client, 1, &["::/64"]);
    for kind in [RENEW, REBIND] {
        let ia = ia_pd(1, &["::/56", &granted]);
        let answer = if kind == RENEW {
            client.ask_server(kind, &[ia])
        } else {
            client.ask(kind, &[ia])
        };
        assert_eq!(answer.ia_pd(1).delegated().text, granted);
    }
    // A client that begins anew gets what it asks for, in place of what it had.
    let moved = delegate(&client, 1, &["::/56"]);
    let mut expected = [(granted, "released".to_owned()), (moved, "active".to_owned())];
    expected.sort();
    assert_eq!(leases_of(&site, &client), expected);
}

#[test]
fn row_56_the_excluded_part_is_told_to_those_who_ask() {
    let site = delegating();
    let client = site.client();
    let ask = |options: &[Vec<u8>]| client.ask(SOLICIT, options).ia_pd(1).delegated().excluded;
    assert_eq!(
        ask(&[ia_pd_hint(1, Some(56)), option_request(&[PD_EXCLUDE])]),
        Some(vec![64, 0xff])
    );
    assert_eq!(ask(&[ia_pd_hint(1, Some(56))]), None);
    assert_eq!(ask(&[ia_pd_hint(1, Some(64)), option_request(&[PD_EXCLUDE])]), None);
}

#[test]
fn row_30_addresses_and_prefixes_are_renewed_together() {
    let site = delegating();
    let client = site.client();
    let ias = [
        ia_pd_hint(1, None),
        ia_na(1, &[]),
        ia_pd_hint(2, Some(56)),
        ia_na(2, &[]),
    ];
    // That all have the same T1 and T2 is checked in every answer.
    let reply = client.ask_server(REQUEST, &ias);
    let prefixes = [1, 2].map(|iaid| reply.ia_pd(iaid).delegated().text);
    let addresses = [1, 2].map(|iaid| reply.ia(iaid).leased().ip);
    assert_ne!(prefixes[0], prefixes[1]);
    let renewal = client.ask_server(
        RENEW,
        &[
            ia_na(1, &[addresses[0]]),
            ia_pd(1, &[&prefixes[0]]),
            ia_na(2, &[addresses[1]]),
            ia_pd(2, &[&prefixes[1]]),
        ],
    );
    assert_eq!([1, 2].map(|iaid| renewal.ia_pd(iaid).delegated().text), prefixes);
    assert_eq!([1, 2].map(|iaid| renewal.ia(iaid).leased().ip), addresses);
    // Associations of the two types are numbered apart.
    client.tell(RELEASE, 1, addresses[0]);
    assert!(holds(&site, &client, &prefixes[0]));
}

#[test]
fn row_33_rapid_commit_delegates_at_once() {
    let site = Site::start(POOL, &format!("rapid_commit = true\n{DELEGATION}"));
    let client = site.client();
    let reply = client.ask(SOLICIT, &[ia_pd_hint(1, None), option(RAPID_COMMIT, &[])]);
    assert_eq!((reply.kind, reply.options.get(RAPID_COMMIT)), (REPLY, Some(&[][..])));
    assert!(holds(&site, &client, &reply.ia_pd(1).delegated().text));
}

#[test]
fn row_37_an_exhausted_pool_has_no_prefix_and_goes_on_when_one_is_given_back() {
    let site = Site::start(POOL, "[[link.delegation]]\npool = \"fd39:9706:2787::/63\"");
    let clients = [site.client(), site.client()];
    let granted = clients.each_ref().map(|client| delegate(client, 1, &[]));
    assert_eq!(
        BTreeSet::from(granted.clone()),
        ["fd39:9706:2787::/64", "fd39:9706:2787:1::/64"]
            .map(str::to_owned)
            .into()
    );
    let late = site.client();
    for answer in [
        late.ask(SOLICIT, &[ia_pd_hint(1, None), ia_na(1, &[])]),
        late.ask_server(REQUEST, &[ia_pd(1, &[&granted[0]]), ia_na(1, &[])]),
        late.ask_server(RENEW, &[ia_pd_hint(1, None), ia_na(1, &[])]),
    ] {
        assert_eq!(answer.refused_prefixes(), [(1, Some(NO_PREFIX_AVAIL))]);
        answer.ia(1).leased();
    }
    clients[0].ask_server(RELEASE, &[ia_pd(1, &[&granted[0]])]);
    assert_eq!(delegate(&late, 1, &[]), granted[0]);
}

#[test]
fn row_38_anothers_prefix_is_not_delegated() {
    let site = delegating();
    let (owner, client) = (site.client(), site.client());
    let foreign = delegate(&owner, 1, &[]);
    assert_ne!(delegate(&client, 1, &[&foreign]), foreign);
    assert!(holds(&site, &owner, &foreign));
}

#[test]
fn row_72_a_client_has_few_prefixes_however_many_it_asks_for() {
    let site = delegating();
    let client = site.client();
    let ias: Vec<_> = (1..=6).map(|iaid| ia_pd_hint(iaid, None)).collect();
    let granted = client.ask_server(REQUEST, &ias).ias_pd();
    let refused = granted.iter().filter(|ia| ia.status == Some(NO_PREFIX_AVAIL)).count();
    assert_eq!((refused, leases_of(&site, &client).len()), (2, 4));
    client.lease(1);
}

#[test]
fn a_prefix_is_the_same_after_a_crash() {
    let mut site = Site::start(POOL, DELEGATION);
    let duids = [new_duid(), new_duid()];
    let client = site.client_with(&duids[0]);
    let granted = delegate(&client, 1, &["::/56"]);
    let offered = site
        .client_with(&duids[1])
        .ask(SOLICIT, &[ia_pd_hint(1, None)])
        .ia_pd(1)
        .delegated();
    site.daemon.kill9();
    site.resume();
    let renewed = client.ask_server(RENEW, &[ia_pd_hint(1, None)]).ia_pd(1).delegated();
    assert_eq!(renewed.text, granted);
    // One that was only offered is not remembered, and is the same all the same.
    let again = site
        .client_with(&duids[1])
        .ask(SOLICIT, &[ia_pd_hint(1, None)])
        .ia_pd(1)
        .delegated();
    assert_eq!(again, offered);
}

#[test]
fn the_router_towards_a_prefix_is_the_client_or_the_relay_that_has_it_behind() {
    let site = delegating();
    let relay = Relay::on(&site, SERVER_PORT);
    let router = |client: &Client| {
        let duid = hex(&client.duid);
        let lease = site
            .leases()
            .into_iter()
            .find(|lease| lease["duid"] == duid.as_str())
            .unwrap();
        lease["next_hop"].as_str().map(|hop| hop.parse::<Ipv6Addr>().unwrap())
    };
    let direct = site.client();
    delegate(&direct, 1, &[]);
    assert_eq!(router(&direct), Some(direct.address));
    let through = |layers: &[Layer]| {
        let client = site.client();
        let options = [client.server_id(), ia_pd_hint(1, None)];
        relay.ask(&client, REQUEST, &options, layers).ia_pd(1).delegated();
        (router(&client), client.address)
    };
    // A relay on a switch: the client is on the link itself (RFC 6221).
    let (router, client) = through(&[(0, NOWHERE, vec![])]);
    assert_eq!(router, Some(client));
    // A router of its own: it knows the way on (RFC 8987).
    let (router, client) = through(&[(0, here(), vec![])]);
    assert_eq!(router, Some(relay.address));
    assert_ne!(router, Some(client));
}
