//! Clients that ask for a prefix and for no address, as Android does: the prefix is routed to them for as long as they
//! hold it, and they get their instance.

use std::io::Read;
use std::net::{Ipv6Addr, TcpListener};
use std::thread;

use orchestrator_lab::{Dhclient, Dhcpcd, Namespace, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, address, text};

const POOL: &str = "fd39:9706:2787::/48";
/// The routing protocol that marks the daemon's routes.
const PROTOCOL: &str = "111";
/// The port on which the client answers.
const PORT: u16 = 8080;

/// A link that delegates.
fn plan(link: &str) -> Plan {
    Plan {
        link: link.to_owned(),
        template: Some(format!("grace = \"1s\"\n[[link.delegation]]\npool = \"{POOL}\"")),
        ..Plan::default()
    }
}

/// The daemon's routes, as iproute2 tells: what they lead to, and through whom.
fn routes(host: &Namespace) -> Vec<(String, Option<String>)> {
    let routes = host.ip_json(&format!("-6 route show proto {PROTOCOL}")).unwrap();
    let read = |route: &Value| (text(route, "dst"), route["gateway"].as_str().map(str::to_owned));
    let mut routes: Vec<_> = routes.as_array().unwrap().iter().map(read).collect();
    routes.sort();
    routes
}

/// The one route to a prefix, once there is one; the pool's is always there.
fn wait_routed(host: &Namespace) -> (String, String) {
    wait_for("a routed prefix", PATIENCE, || {
        let (routed, pools): (Vec<_>, Vec<_>) = routes(host).into_iter().partition(|route| route.1.is_some());
        assert_eq!(pools, [(POOL.to_owned(), None)]);
        match &routed[..] {
            [(prefix, Some(gateway))] => Some((prefix.clone(), gateway.clone())),
            _ => None,
        }
    })
}

fn wait_unrouted(host: &Namespace) {
    wait_for("the route to be withdrawn", PATIENCE, || {
        (routes(host) == [(POOL.to_owned(), None)]).then_some(())
    });
}

/// The lease of a prefix.
fn lease(site: &Site, prefix: &str) -> Option<Value> {
    let leases = site.daemon.items("/v1/leases").unwrap();
    leases.into_iter().find(|lease| lease["prefix"] == prefix)
}

/// The client's own link-local address.
fn link_local(machine: &Namespace) -> String {
    let interfaces = machine.ip_json("-6 address show dev eth0 scope link").unwrap();
    // Of addresses that it was not asked for, iproute2 shows empty objects.
    let addresses = interfaces
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|interface| interface["addr_info"].as_array());
    let shown = addresses.flatten().find(|address| address["scope"] == "link");
    text(shown.unwrap(), "local")
}

/// A machine beyond the host, with a route to everything through it.
fn outside(site: &Site) -> Namespace {
    let outside = site.lab.namespace("outside").unwrap();
    outside.disable_dad().unwrap();
    outside.connect("eth0", &site.host, "out", None).unwrap();
    site.host.ip("address add fd77::1/64 dev out nodad").unwrap();
    outside.ip("address add fd77::2/64 dev eth0 nodad").unwrap();
    outside.ip("route add default via fd77::1").unwrap();
    outside
}

/// Whether a connection from elsewhere to the client is answered.
fn answers(machine: &Namespace, from: &Namespace, address: Ipv6Addr) -> bool {
    let listener = machine.within(|| TcpListener::bind((address, PORT)).unwrap());
    let served = thread::spawn(move || listener.accept().map(drop));
    let answered = from.tcp(address, PORT, PATIENCE).is_ok_and(|mut stream| {
        let mut nothing = [0];
        stream.read(&mut nothing).is_ok()
    });
    if answered {
        served.join().unwrap().unwrap();
    }
    answered
}

#[test]
fn a_client_with_a_prefix_alone_is_routed_and_gets_its_instance() {
    let site = Site::start(&plan(""));
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let (machine, outside) = (site.machine("client"), outside(&site));
    assert_eq!(routes(&site.host), [(POOL.to_owned(), None)]);

    let mut client = Dhclient::boot_for_prefix(&machine, "eth0").unwrap();
    let own = client.address_in_prefix(PATIENCE).unwrap();
    let (prefix, gateway) = wait_routed(&site.host);
    assert_eq!(
        (&own.to_string(), gateway),
        (&prefix.replace("::/64", "::1"), link_local(&machine))
    );
    assert!(answers(&machine, &outside, own));

    let held = lease(&site, &prefix).unwrap();
    assert_eq!(
        (&held["state"], &held["address"]),
        (&Value::from("active"), &Value::Null)
    );
    assert_eq!(held["next_hop"], link_local(&machine));
    let instance = site.wait_ready(1).remove(0);
    assert_eq!(instance["client"], held["client"]);
    assert_eq!(machine.get(address(&instance), TEST_PORT, "/").unwrap().status, 200);
    let shown = site.daemon.cli(&["show", &text(&held, "client")]).unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout);
    assert!(
        shown.contains(&prefix) && shown.contains(&text(&instance, "id")),
        "{shown}"
    );
    assert_eq!(
        site.event_kinds(),
        ["lease-granted", "instance-wanted", "instance-ready"]
    );

    client.release().unwrap();
    wait_unrouted(&site.host);
    site.wait_none();
    assert_eq!(lease(&site, &prefix).unwrap()["state"], "released");
    // The same prefix again.
    let mut client = Dhclient::boot_for_prefix(&machine, "eth0").unwrap();
    client.address_in_prefix(PATIENCE).unwrap();
    assert_eq!(wait_routed(&site.host).0, prefix);
}

/// dhcpcd asks for an address and a prefix when a router advertisement tells it to, and puts the prefix on another
/// interface.
#[test]
fn a_client_with_dhcpcd_has_its_network_routed() {
    let site = Site::start(&plan(""));
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let (machine, outside) = (site.machine("client"), outside(&site));
    let network = site.lab.namespace("network").unwrap();
    network.connect("eth0", &machine, "lan0", None).unwrap();
    let lines = "nodev\ninterface lan0\nnoipv6rs\ninterface eth0\nia_na 2\nia_pd 1/::/64 lan0/0/64";
    let mut client = Dhcpcd::boot_with(&machine, &["eth0", "lan0"], lines).unwrap();
    let own = client.program().poll("an address of the prefix", PATIENCE, || {
        let addresses = machine.addresses("lan0").ok()?;
        addresses
            .iter()
            .find(|address| address.usable)
            .map(|address| address.ip)
    });
    let own = own.unwrap();
    let (prefix, gateway) = wait_routed(&site.host);
    assert_eq!(gateway, link_local(&machine));
    assert!(
        own.to_string().starts_with(prefix.trim_end_matches(":/64")),
        "{own} of {prefix}"
    );
    assert!(answers(&machine, &outside, own));
    site.wait_ready(1);
    client.release().unwrap();
    wait_unrouted(&site.host);
}

#[test]
fn the_route_ends_with_a_lease_that_nobody_renews() {
    let site = Site::start(&plan("preferred_lifetime = \"4s\"\nvalid_lifetime = \"6s\""));
    let machine = site.machine("client");
    let mut client = Dhclient::boot_for_prefix(&machine, "eth0").unwrap();
    client.address_in_prefix(PATIENCE).unwrap();
    let (prefix, _) = wait_routed(&site.host);
    site.wait_ready(1);
    client.kill9();
    wait_unrouted(&site.host);
    site.wait_none();
    assert_eq!(lease(&site, &prefix).unwrap()["state"], "expired");
}

#[test]
fn an_admin_who_releases_ends_the_route() {
    let site = Site::start(&plan(""));
    let machine = site.machine("client");
    let mut client = Dhclient::boot_for_prefix(&machine, "eth0").unwrap();
    client.address_in_prefix(PATIENCE).unwrap();
    wait_routed(&site.host);
    let instance = site.wait_ready(1).remove(0);
    let path = format!("/v1/instances/{}?release=true", text(&instance, "id"));
    assert_eq!(site.daemon.api("DELETE", &path).unwrap().0, 202);
    wait_unrouted(&site.host);
}

#[test]
fn a_daemon_that_was_killed_sets_the_routes_right_and_leaves_those_of_others() {
    let mut site = Site::start(&plan(""));
    let machine = site.machine("client");
    let mut client = Dhclient::boot_for_prefix(&machine, "eth0").unwrap();
    client.address_in_prefix(PATIENCE).unwrap();
    let (prefix, gateway) = wait_routed(&site.host);
    let metric = site.host.ip_json(&format!("-6 route show {prefix}")).unwrap()[0]["metric"].clone();

    site.daemon.kill9();
    assert_eq!(wait_routed(&site.host).0, prefix, "routes outlive the daemon");
    site.host.ip(&format!("-6 route delete {prefix}")).unwrap();
    // What a lease wanted that has ended since; what somebody else routes, also by the same number.
    let stale = format!("fd39:9706:2787:dead::/64 via fe80::dead dev br0 proto {PROTOCOL}");
    site.host.ip(&format!("-6 route add {stale} metric {metric}")).unwrap();
    let foreign = ["fd39:9706:2787:beef::/64", "fd39:9706:2787:cafe::/64"];
    site.host
        .ip(&format!("-6 route add {} via fe80::1 dev br0", foreign[0]))
        .unwrap();
    let other_site = format!("{} via fe80::1 dev br0 proto {PROTOCOL} metric 7", foreign[1]);
    site.host.ip(&format!("-6 route add {other_site}")).unwrap();

    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let expected = [
        (POOL.to_owned(), None),
        (prefix.clone(), Some(gateway)),
        (foreign[1].to_owned(), Some("fe80::1".to_owned())),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    wait_for("the routes to be set right", PATIENCE, || {
        (routes(&site.host) == expected).then_some(())
    });
    let left = site.host.ip_json(&format!("-6 route show {}", foreign[0])).unwrap();
    assert_eq!(left.as_array().unwrap().len(), 1);
}

#[test]
fn a_bridge_that_was_replaced_gets_its_routes_again() {
    let site = Site::start(&plan(""));
    let machine = site.machine("client");
    let mut client = Dhclient::boot_for_prefix(&machine, "eth0").unwrap();
    client.address_in_prefix(PATIENCE).unwrap();
    let routed = wait_routed(&site.host);
    site.host.ip("link delete br0").unwrap();
    assert_eq!(wait_routed(&site.host), routed);
}
