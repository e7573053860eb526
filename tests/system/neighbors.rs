//! Hosts that make their own addresses and ask nobody: seen on the bridge.

use std::net::Ipv6Addr;

use orchestrator_lab::{Dhclient, Namespace, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, PREFIX, Plan, Site, address, text};

/// Hosts form addresses in the link's prefix, and are looked for.
const LINES: &str = "neighbors = true\nneighbor_lifetime = \"10s\"\n\
     advertisement = { prefix = [{ prefix = \"fd39:9706:2786:6333::/64\", autonomous = true }] }";

fn lease_only() -> Plan {
    Plan {
        engine: "unix:///nonexistent/docker.sock".to_owned(),
        link: LINES.to_owned(),
        template: None,
        ..Plan::default()
    }
}

/// A host with nothing but its kernel: its duplicate address detection is all that it sends.
fn host(site: &Site, name: &str) -> Namespace {
    let host = site.lab.namespace(name).unwrap();
    host.connect("eth0", &site.host, &format!("p-{name}"), Some("br0"))
        .unwrap();
    host
}

/// The address that a host made itself.
fn own_address(host: &Namespace) -> Ipv6Addr {
    wait_for("an address that the host made", PATIENCE, || {
        let addresses = host.addresses("eth0").unwrap();
        addresses
            .iter()
            .map(|address| address.ip)
            .find(|ip| ip.to_string().starts_with(PREFIX))
    })
}

/// Waits until an address has a lease in this state.
fn wait_lease(site: &Site, address: Ipv6Addr, state: &str) -> Value {
    wait_for(&format!("a lease of {address} that is {state}"), PATIENCE, || {
        site.lease(address).filter(|lease| lease["state"] == state)
    })
}

fn counted(site: &Site, outcome: &str) -> u64 {
    let text = site.daemon.ask("GET", "/metrics").unwrap().text();
    let name = format!("orchestrator_neighbors_total{{outcome=\"{outcome}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&name));
    value.map_or(0, |value| value.parse().unwrap())
}

#[test]
fn a_host_with_slaac_alone_gets_an_instance_until_it_is_gone() {
    let site = Site::start(&Plan {
        link: LINES.to_owned(),
        ..Plan::default()
    });
    let host = host(&site, "guest");
    let own = own_address(&host);
    let instance = site.wait_ready_for(own);
    assert_eq!(host.get(address(&instance), TEST_PORT, "/").unwrap().status, 200);
    assert_eq!(site.lease(own).unwrap()["source"], "neighbor");

    host.ip("link set eth0 down").unwrap();
    wait_lease(&site, own, "expired");
    site.wait_none();
}

#[test]
fn a_silent_host_is_seen_and_goes_on_being_seen_over_a_restart_of_the_daemon() {
    let mut site = Site::start(&lease_only());
    let host = host(&site, "guest");
    let own = own_address(&host);
    let first = wait_lease(&site, own, "active");
    let renewed = |than: &Value| {
        wait_for("the lease to be renewed", PATIENCE, || {
            site.lease(own)
                .filter(|lease| lease["valid_until"] != than["valid_until"])
        })
    };
    let second = renewed(&first);
    assert_eq!(
        (&second["state"], &second["granted"]),
        (&first["state"], &first["granted"])
    );

    site.daemon.kill9();
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let before = site.lease(own).unwrap();
    let after = wait_for("the lease to be renewed", PATIENCE, || {
        site.lease(own)
            .filter(|lease| lease["state"] == "active" && lease["valid_until"] != before["valid_until"])
    });
    assert_eq!(after["client"], first["client"]);
}

#[test]
fn all_addresses_of_a_host_are_one_clients() {
    let site = Site::start(&lease_only());
    let host = host(&site, "guest");
    let own = own_address(&host);
    let other: Ipv6Addr = format!("{PREFIX}:a:b:c:d").parse().unwrap();
    host.ip(&format!("address add {other}/64 dev eth0")).unwrap();
    let clients: Vec<String> = [own, other]
        .into_iter()
        .map(|address| text(&wait_lease(&site, address, "active"), "client"))
        .collect();
    assert_eq!(clients[0], clients[1]);
}

#[test]
fn a_host_that_leases_by_dhcpv6_is_no_second_client() {
    let site = Site::start(&lease_only());
    let machine = site.lab.namespace("client").unwrap();
    // It makes no address before it has a lease.
    machine.sysctl("net.ipv6.conf.default.autoconf", "0").unwrap();
    machine.connect("eth0", &site.host, "p-client", Some("br0")).unwrap();
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let before = counted(&site, "leased");
    // It takes another address, made by itself, and everyone hears of it.
    let own: Ipv6Addr = format!("{PREFIX}:1:2:3:4").parse().unwrap();
    machine.ip(&format!("address add {own}/64 dev eth0")).unwrap();
    wait_for("the host to be seen and left alone", PATIENCE, || {
        (counted(&site, "leased") > before).then_some(())
    });
    let leases = site.daemon.items("/v1/leases").unwrap();
    let held: Vec<_> = leases.iter().map(|lease| text(lease, "address")).collect();
    assert_eq!(held, [leased.to_string()]);
}

#[test]
fn a_host_that_is_seen_first_and_leases_then_is_one_client_again() {
    let site = Site::start(&lease_only());
    let guest = host(&site, "guest");
    let own = own_address(&guest);
    wait_lease(&site, own, "active");
    let mut client = Dhclient::boot(&guest, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    wait_lease(&site, own, "expired");
    wait_lease(&site, leased, "active");
}

#[test]
fn what_nobody_answers_for_is_not_believed() {
    let site = Site::start(&lease_only());
    let liar = host(&site, "liar");
    own_address(&liar);
    // It tells of addresses that it does not have: the packets go out, and nobody answers for them.
    let claimed: Vec<Ipv6Addr> = (0..200)
        .map(|n| format!("{PREFIX}:dead::{n:x}").parse().unwrap())
        .collect();
    liar.within(|| claim(&claimed));
    wait_for("more claims than are looked at", PATIENCE, || {
        (counted(&site, "too-many-hints") > 0).then_some(())
    });
    // It leaves room for others: a host that comes now is seen.
    let honest = host(&site, "honest");
    wait_lease(&site, own_address(&honest), "active");
    assert!(claimed.iter().all(|address| site.lease(*address).is_none()));
}

/// Sends unsolicited neighbor advertisements of these addresses from `eth0`.
fn claim(addresses: &[Ipv6Addr]) {
    let index = nix::net::if_::if_nametoindex("eth0").unwrap();
    let icmpv6 = Some(socket2::Protocol::ICMPV6);
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::RAW, icmpv6).unwrap();
    socket.set_multicast_hops_v6(255).unwrap();
    socket.set_multicast_if_v6(index).unwrap();
    let everyone = std::net::SocketAddrV6::new("ff02::1".parse().unwrap(), 0, 0, index);
    for address in addresses {
        let message = [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &address.octets()].concat();
        socket.send_to(&message, &everyone.into()).unwrap();
    }
}
