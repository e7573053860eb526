//! Which addresses are given (sections 13.1 and 18.3.2): rows 28, 29, 37 and 38.

use std::net::Ipv6Addr;

use orchestrator_wire::{NO_ADDRS_AVAIL, REBIND, RELEASE, RENEW, REQUEST, SOLICIT, ia_na, ia_pd_hint};

use crate::client::Client;
use crate::prefix::DELEGATION;
use crate::site::{POOL, PREFIX, Site, link, new_duid, off_link, on_link, plain};

/// Interface identifiers that are reserved: the subnet-router's, IANA's block with Proxy Mobile IPv6 in it (RFC 5453),
/// and the 128 highest, in the two forms of RFC 2526.
const RESERVED: [&str; 10] = [
    "::",
    ":200:5eff:fe00:0",
    ":200:5eff:fe00:5212",
    ":200:5eff:fe00:5213",
    ":200:5eff:feff:ffff",
    ":fdff:ffff:ffff:ff80",
    ":fdff:ffff:ffff:fffe",
    ":fdff:ffff:ffff:ffff",
    ":ffff:ffff:ffff:ff80",
    ":ffff:ffff:ffff:ffff",
];

#[test]
fn row_28_reserved_interface_identifiers_are_not_given_to_who_asks_for_them() {
    // Each pool holds some of them, and a neighbour that may be asked for.
    for (pool, neighbour) in [
        (":200:5e00::/88", ":200:5eff:ff00:0"),
        (":fdff::/80", ":fdff:ffff:ffff:ff7f"),
        (":ffff::/80", ":ffff:ffff:ffff:ff7f"),
    ] {
        let site = Site::start(&format!("{PREFIX}{pool}"), "");
        let asker = site.client();
        assert_eq!(
            asker.solicit(1, &[on_link(neighbour)]).leased().ip,
            on_link(neighbour),
            "a hint is followed"
        );
        for (iaid, reserved) in (2..).zip(RESERVED) {
            let reserved = on_link(reserved);
            assert_ne!(asker.solicit(iaid, &[reserved]).leased().ip, reserved);
            assert_ne!(asker.request(iaid, &[reserved]).leased().ip, reserved);
        }
    }
}

#[test]
fn row_28_reserved_interface_identifiers_are_not_given_when_nothing_else_is_left() {
    // 256 addresses, the upper half reserved.
    let site = Site::start(&format!("{PREFIX}:fdff:ffff:ffff:ff00/120"), "");
    let mut leased = Vec::new();
    for _ in 0..8 {
        let client = site.client();
        let ias: Vec<_> = (0..16).map(|iaid| ia_na(iaid, &[])).collect();
        leased.extend(client.ask_server(REQUEST, &ias).ias().iter().map(|ia| ia.leased().ip));
    }
    leased.sort();
    let first = on_link(":fdff:ffff:ffff:ff00").to_bits();
    let expected: Vec<_> = (0..128).map(|offset| Ipv6Addr::from_bits(first + offset)).collect();
    assert_eq!(leased, expected);
    assert_no_address(&site);
}

#[test]
fn row_28_reserved_interface_identifiers_are_passed_over_by_who_counts_up() {
    // The pool begins with the block of IANA.
    let site = Site::start(&format!("{PREFIX}:200:5eff:fe00:0/103"), "allocation = \"sequential\"");
    let leased = [(); 3].map(|()| site.client().lease(1));
    let expected = [":200:5eff:ff00:0", ":200:5eff:ff00:1", ":200:5eff:ff00:2"];
    assert_eq!(leased, expected.map(on_link));
}

#[test]
fn row_29_addresses_cannot_be_predicted() {
    let offers = |site: &Site, duids: &[Vec<u8>]| -> Vec<Ipv6Addr> {
        duids
            .iter()
            .map(|duid| site.client_with(duid).solicit(1, &[]).leased().ip)
            .collect()
    };
    let pool = format!("{PREFIX}:8000::/65");
    let duids: Vec<_> = (0..8).map(|_| new_duid()).collect();
    let (one, other) = (
        offers(&Site::start(&pool, ""), &duids),
        offers(&Site::start(&pool, ""), &duids),
    );
    // Clients whose DUIDs follow one another are nowhere near one another.
    for pair in one.windows(2) {
        assert!(pair[0].to_bits().abs_diff(pair[1].to_bits()) > 1 << 32, "{one:?}");
    }
    // Who knows what one server gave knows nothing of another.
    assert!(
        one.iter().zip(&other).all(|(one, other)| one != other),
        "{one:?} {other:?}"
    );
}

#[test]
fn row_29_addresses_and_prefixes_follow_one_another_when_that_is_set() {
    let site = Site::start(POOL, &format!("allocation = \"sequential\"\n{DELEGATION}"));
    let ias = [ia_na(1, &[]), ia_pd_hint(2, None)];
    let lease = |client: &Client| {
        let answer = client.ask_server(REQUEST, &ias);
        (answer.ia(1).leased().ip, answer.ia_pd(2).delegated().text)
    };
    let clients: Vec<_> = (0..8).map(|_| site.client()).collect();
    for (number, client) in clients.iter().enumerate() {
        let address = on_link(&format!("::1:{number:x}"));
        let subnet = if number == 0 {
            String::new()
        } else {
            format!("{number:x}:")
        };
        assert_eq!(lease(client), (address, format!("fd39:9706:2787:{subnet}:/64")));
    }
    // What was given back is kept for who had it, as long as there are others.
    let first = on_link("::1:0");
    clients[0].tell(RELEASE, 1, first);
    assert_eq!(site.client().lease(1), on_link("::1:8"));
    assert_eq!(clients[0].lease(1), first);
    // Set anew, who comes next is found by the hash, and nobody loses what it has.
    site.reload_with(&link("br0", PREFIX, POOL, DELEGATION));
    assert_eq!(
        clients[1].tell(RENEW, 1, on_link("::1:1")).ia(1).leased().ip,
        on_link("::1:1")
    );
    let next: Vec<_> = (0..4).map(|_| site.client().lease(1)).collect();
    assert_ne!(
        next,
        (9..13)
            .map(|number| on_link(&format!("::1:{number:x}")))
            .collect::<Vec<_>>()
    );
}

#[test]
fn row_37_an_empty_pool_is_told_inside_the_identity_association() {
    // Four addresses.
    let site = Site::start(&format!("{PREFIX}::1:0/126"), "");
    let clients: Vec<_> = (0..4).map(|_| site.client()).collect();
    let leased: Vec<_> = clients.iter().map(|client| client.lease(1)).collect();
    assert_no_address(&site);
    // Who has one keeps it, and one that is given back serves the next.
    for (client, leased) in clients.iter().zip(&leased) {
        assert_eq!(client.lease(1), *leased);
    }
    clients[2].tell(RELEASE, 1, leased[2]);
    assert_eq!(site.client().lease(1), leased[2]);
    assert_no_address(&site);
}

#[test]
fn row_37_who_gets_nothing_is_counted_by_what_it_was_told() {
    let site = Site::start(&format!("{PREFIX}::1:1/128"), "");
    let counted = |status: &str| {
        let text = site.daemon.ask("GET", "/metrics").unwrap().text();
        let name = format!("orchestrator_dhcp6_refusals_total{{status=\"{status}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |count| count.parse::<u32>().unwrap())
    };
    let all = || ["no-addrs-avail", "no-prefix-avail", "no-binding", "not-on-link"].map(counted);
    site.client().lease(1);
    assert_eq!(all(), [0; 4]);
    let late = site.client();
    late.ask(SOLICIT, &[ia_na(1, &[]), ia_na(2, &[]), ia_pd_hint(1, None)]);
    assert_eq!(all(), [2, 1, 0, 0]);
    late.ask_server(REQUEST, &[ia_na(1, &[off_link()])]);
    late.ask(REBIND, &[ia_na(1, &[])]);
    assert_eq!(all(), [2, 1, 1, 1]);
}

#[test]
fn row_38_the_address_of_another_client_is_not_given_to_who_asks_for_it() {
    let site = plain();
    let (owner, thief) = (site.client(), site.client());
    let owned = owner.lease(1);
    assert_ne!(thief.solicit(1, &[owned]).leased().ip, owned);
    let got = thief.request(1, &[owned]).leased().ip;
    assert_ne!(got, owned);
    assert!(site.holds(&owner, owned) && site.holds(&thief, got));
    // Who has one and asks for another's keeps its own.
    assert_eq!(owner.request(1, &[got]).leased().ip, owned);
    assert!(site.holds(&thief, got));
}

/// A client that comes now is given nothing, and told so where it should be.
#[track_caller]
fn assert_no_address(site: &Site) {
    let late = site.client();
    for kind in [SOLICIT, REQUEST] {
        let server = if kind == REQUEST { late.server_id() } else { Vec::new() };
        let answer = late.ask(kind, &[server, ia_na(1, &[])]);
        let ia = answer.ia(1);
        assert_eq!((ia.status, ia.addresses), (Some(NO_ADDRS_AVAIL), Vec::new()));
        assert!(matches!(answer.options.status(), None | Some(0)), "{answer:?}");
    }
    assert!(site.leases_of(&late).is_empty());
}
