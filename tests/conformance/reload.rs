//! Settings that change while clients are served.

use std::collections::HashSet;
use std::fs;
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use orchestrator_lab::{Link, wait_for};
use orchestrator_wire::{
    CLIENT_ID, CONFIRM, DNS_SERVERS, Ia, Message, NOT_ON_LINK, REBIND, RENEW, REQUEST, SUCCESS, ia_na, message, option,
    option_request,
};

use crate::client::Client;
use crate::site::{PATIENCE, POOL, PREFIX, Site, connect, link, on_link};

/// A pool beside the usual one.
const OTHER_POOL: &str = "fd39:9706:2786:6333::3:0/112";

/// Sockets of the host at the servers' port.
fn listeners(site: &Site) -> usize {
    let table = site
        .host
        .within(|| fs::read_to_string("/proc/thread-self/net/udp6").unwrap());
    let local = table.lines().filter_map(|line| line.split_whitespace().nth(1));
    local.filter(|local| local.ends_with(":0223")).count()
}

fn is_in(address: Ipv6Addr, identifier: &str) -> bool {
    let prefix: Ipv6Addr = on_link(identifier);
    address.octets()[..14] == prefix.octets()[..14]
}

#[test]
fn what_is_set_anew_holds_from_the_next_message_on_and_bindings_are_kept() {
    let mut site = Site::start(POOL, "");
    let pid = site.pid();
    let client = site.client();
    let leased = client.lease(1);
    let lines = "preferred_lifetime = \"10m\"\nvalid_lifetime = \"20m\"\ndns_servers = [\"fd00::77\"]";
    let keys = site.reload_with(&link("br0", PREFIX, POOL, lines));
    for key in [
        "link.br0.preferred_lifetime",
        "link.br0.valid_lifetime",
        "link.br0.dns_servers",
    ] {
        assert!(keys.iter().any(|told| told == key), "{keys:?}");
    }
    let answer = client.ask_server(RENEW, &[ia_na(1, &[leased]), option_request(&[DNS_SERVERS])]);
    let renewed = answer.ia(1).leased();
    assert_eq!((renewed.ip, renewed.preferred, renewed.valid), (leased, 600, 1200));
    let server: Ipv6Addr = "fd00::77".parse().unwrap();
    assert_eq!(answer.options.get(DNS_SERVERS), Some(&server.octets()[..]));
    assert_eq!(site.leases_of(&client), [(leased, "active".to_owned())]);
    assert_eq!(site.pid(), pid, "it is the same process");
}

#[test]
fn a_client_outside_of_the_pool_is_given_another_address_when_it_renews_or_rebinds() {
    let site = Site::start(POOL, "");
    for (kind, pool, identifier) in [(RENEW, OTHER_POOL, "::3:0"), (REBIND, POOL, "::1:0")] {
        let client = site.client();
        let leased = client.lease(1);
        assert_eq!(site.reload_with(&link("br0", PREFIX, pool, "")), ["link.br0.pool"]);
        // Until it asks, it holds what it was promised.
        assert!(site.holds(&client, leased));
        let server = if kind == RENEW { client.server_id() } else { Vec::new() };
        let ia = client.ask(kind, &[server, ia_na(1, &[leased])]).ia(1);
        let ended: Vec<_> = ia.addresses.iter().filter(|address| address.valid == 0).collect();
        assert_eq!(
            ended.iter().map(|address| address.ip).collect::<Vec<_>>(),
            [leased],
            "{ia:?}"
        );
        let [given] = ia
            .addresses
            .iter()
            .filter(|address| address.valid > 0)
            .collect::<Vec<_>>()[..]
        else {
            panic!("{ia:?}")
        };
        assert!(is_in(given.ip, identifier), "{ia:?}");
        assert!(site.holds(&client, given.ip) && !site.holds(&client, leased));
    }
}

#[test]
fn a_link_that_comes_is_served_and_one_that_goes_is_not_and_its_leases_run_out() {
    let site = Site::start(POOL, "");
    let first = link("br0", PREFIX, POOL, "");
    let second = link("br1", "fd40:1:2:3", "fd40:1:2:3::1:0/112", "");
    assert_eq!(site.reload_with(&format!("{first}{second}")), ["link.br1"]);
    let ready = || (site.daemon.api("GET", "/v1/ready").unwrap().0 == 200).then_some(());
    wait_for("the link that came", PATIENCE, ready);
    let machine = connect(&site.lab, &site.host, "second", "br1");
    let client = site.client_on(&machine, &crate::site::new_duid());
    let leased = client.lease(1);
    assert_eq!(listeners(&site), 2);
    assert!(leased.to_string().starts_with("fd40:1:2:3::1:"), "{leased}");

    assert_eq!(site.reload_with(&first), ["link.br1"]);
    wait_for("the link to be left", PATIENCE, || {
        let conditions = site.daemon.api("GET", "/v1/ready").unwrap().1.to_string();
        (!conditions.contains("br1")).then_some(())
    });
    assert_eq!(listeners(&site), 1, "its socket is closed");
    assert!(site.holds(&client, leased), "what was promised is kept");
    site.client().lease(1);

    // It comes back to the leases that it left.
    site.reload_with(&format!("{second}{first}"));
    wait_for("the link that came back", PATIENCE, ready);
    assert_eq!(client.tell(RENEW, 1, leased).ia(1).leased().ip, leased);
}

#[test]
fn a_link_with_another_prefix_renumbers_its_clients() {
    const OTHER: &str = "fd41:1:2:3";
    let site = Site::start(POOL, "dns = false");
    let (one, other) = (site.client(), site.client());
    let leased = [one.lease(1), other.lease(1)];
    let keys = site.reload_with(&link("br0", OTHER, &format!("{OTHER}::1:0/112"), "dns = false"));
    assert_eq!(keys, ["link.br0.address", "link.br0.pool"]);
    let renewed = one.tell(RENEW, 1, leased[0]).ia(1);
    let lifetimes = |ia: &Ia, of: Ipv6Addr| ia.addresses.iter().find(|address| address.ip == of).map(|it| it.valid);
    assert_eq!(lifetimes(&renewed, leased[0]), Some(0), "{renewed:?}");
    let given = renewed.addresses.iter().find(|address| address.valid > 0).unwrap().ip;
    assert!(given.to_string().starts_with(&format!("{OTHER}::1:")), "{renewed:?}");
    // Whether the address still fits is what a client asks that was elsewhere.
    let status = |address| other.ask(CONFIRM, &[ia_na(1, &[address])]).options.status();
    assert_eq!((status(leased[1]), status(given)), (Some(NOT_ON_LINK), Some(SUCCESS)));
    wait_for("the bridge to have the new address, too", PATIENCE, || {
        let shown = site.host.ip_json("-6 address show dev br0").unwrap().to_string();
        [PREFIX, OTHER]
            .iter()
            .all(|prefix| shown.contains(&format!("\"{prefix}::1\"")))
            .then_some(())
    });
}

#[test]
fn a_link_whose_leases_come_from_elsewhere_is_listened_on_no_more() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let leased = client.lease(1);
    let elsewhere = Link::new("br0").source("dnsmasq").pool(POOL).text();
    let keys = site.reload_with(&elsewhere);
    assert!(keys.contains(&"link.br0.source".to_owned()), "{keys:?}");
    wait_for("the socket to be closed", PATIENCE, || {
        (listeners(&site) == 0).then_some(())
    });
    assert!(site.holds(&client, leased));
    site.reload_with(&link("br0", PREFIX, POOL, ""));
    wait_for("the socket to be open", PATIENCE, || {
        (listeners(&site) == 1).then_some(())
    });
    assert_eq!(client.tell(RENEW, 1, leased).ia(1).leased().ip, leased);
}

#[test]
fn of_two_reloads_one_after_the_other_the_last_counts() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let leased = client.lease(1);
    for hours in [3, 4, 5, 6] {
        site.reload_with(&link("br0", PREFIX, POOL, &format!("valid_lifetime = \"{hours}h\"")));
    }
    assert_eq!(client.tell(RENEW, 1, leased).ia(1).leased().valid, 6 * 3600);
}

#[test]
fn settings_that_are_wrong_change_nothing() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let leased = client.lease(1);
    site.write(&link(
        "br0",
        PREFIX,
        POOL,
        "valid_lifetime = \"8h\"\ncolour = \"blue\"\ndns_servers = [\"here\"]",
    ));
    let (status, problem) = site.daemon.api("POST", "/v1/settings/reload").unwrap();
    assert_eq!(
        (status, problem["code"].as_str()),
        (422, Some("settings-wrong")),
        "{problem}"
    );
    assert_eq!(problem["faults"].as_array().unwrap().len(), 2, "{problem}");
    assert_eq!(client.tell(RENEW, 1, leased).ia(1).leased().valid, 7200);
}

/// Sends Requests of many clients, some at once, until it is told to end; how many, each of which was answered.
fn press(stranger: Client, until: &AtomicBool) -> u32 {
    const AT_ONCE: u32 = 32;
    let server = stranger.server_id();
    let mut sent = 0;
    while !until.load(Ordering::Acquire) {
        let mut open: HashSet<_> = (sent..sent + AT_ONCE)
            .map(|number| {
                let duid = [&[0, 4, 0xf0, 0x0d][..], &number.to_be_bytes()].concat();
                let xid = stranger.xid();
                let options = [option(CLIENT_ID, &duid), server.clone(), ia_na(number, &[])];
                stranger.send(&message(REQUEST, xid, &options));
                xid
            })
            .collect();
        while !open.is_empty() {
            let answer = Message::parse(&crate::client::receive(&stranger.socket).0);
            assert!(open.remove(&answer.xid), "answered twice, or not asked for");
            answer.ias().pop().expect("an association").leased();
        }
        sent += AT_ONCE;
    }
    sent
}

#[test]
fn no_message_is_lost_while_settings_change() {
    const RELOADS: u32 = 40;
    // New clients come all the time, and as fast as they can.
    const ALL_ADMITTED: &str = "limits = { identities = \"none\" }";
    let site = Site::start(POOL, ALL_ADMITTED);
    let stranger = site.client();
    stranger.server_id();
    let done = AtomicBool::new(false);
    let before = site.counts().answered;
    let sent = thread::scope(|scope| {
        let pressing = scope.spawn(|| press(stranger, &done));
        let other = link("br1", "fd40:1:2:3", "fd40:1:2:3::1:0/112", "");
        for round in 0..RELOADS {
            // Lifetimes, the pool, and another link that comes and goes.
            let pool = if round % 4 < 2 { POOL } else { OTHER_POOL };
            let lines = format!("valid_lifetime = \"{}h\"\n{ALL_ADMITTED}", 2 + round % 7);
            let mine = link("br0", PREFIX, pool, &lines);
            site.reload_with(&if round % 3 == 0 { mine + &other } else { mine });
        }
        done.store(true, Ordering::Release);
        pressing.join().unwrap()
    });
    let counts = site.counts();
    let dropped: u64 = counts.discarded.values().sum();
    // Each message is either answered or counted with the reason why not, and here there is none.
    assert_eq!((counts.answered - before, dropped), (u64::from(sent), 0), "{counts:?}");
    assert!(sent > RELOADS, "{sent} is no load");
}
