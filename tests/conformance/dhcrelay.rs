//! A real client behind a real relay, dhcrelay of ISC.
//!
//! ```text
//!   client ── eth1 ▸ relay ▸ eth0 ──▶ br0 (the daemon)
//! ```

use std::net::{Ipv6Addr, TcpListener};

use orchestrator_lab::{Dhclient, Namespace, Program, wait_for};

use crate::client::SERVER_PORT;
use crate::prefix::DELEGATION;
use crate::site::{PATIENCE, POOL, PREFIX, Site};

/// Where the client answers.
const PORT: u16 = 8080;

/// A machine with `dhcrelay` between its `eth1` and the bridge; it serves the link whose address `eth1` has.
fn relay(site: &Site, options: &[&str]) -> (Namespace, Namespace, Program) {
    let (relay, client) = (site.connect("relay"), site.lab.namespace("client").unwrap());
    client.disable_dad().unwrap();
    client.connect("eth0", &relay, "eth1", None).unwrap();
    relay.ip(&format!("address add {PREFIX}::3/64 dev eth0 nodad")).unwrap();
    relay
        .ip(&format!("address add {PREFIX}::4/128 dev eth1 nodad"))
        .unwrap();
    let mut command = relay.command("dhcrelay");
    command
        .args(["-6", "-d", "--no-pid", "-l", "eth1", "-u", "eth0"])
        .args(options);
    let mut program = Program::start(command, &site.lab.directory().join("dhcrelay.log")).unwrap();
    program
        .poll("the relay to listen", PATIENCE, || {
            relay.has_udp(SERVER_PORT).then_some(())
        })
        .unwrap();
    (relay, client, program)
}

#[test]
fn a_client_behind_isc_dhcp_relay_is_leased_an_address_of_its_link() {
    // With an interface-id of the relay's, and without.
    for options in [&["-I"][..], &[]] {
        let site = Site::start(POOL, "");
        let (_relay, machine, _program) = relay(&site, options);
        let mut client = Dhclient::boot(&machine, "eth0").unwrap();
        let leased = client.address(PATIENCE).unwrap();
        assert!(leased.to_string().starts_with(PREFIX), "{leased}");
        assert_eq!(site.lease(leased).unwrap()["state"], "active");
        client.release().unwrap();
        wait_for("the release", PATIENCE, || {
            (site.lease(leased)?["state"] == "released").then_some(())
        });
    }
}

/// The link-local address of an interface.
fn link_local(namespace: &Namespace, interface: &str) -> String {
    let shown = namespace
        .ip_json(&format!("-6 address show dev {interface} scope link"))
        .unwrap();
    let addresses = shown
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|shown| shown["addr_info"].as_array());
    let mut locals = addresses.flatten().filter_map(|address| address["local"].as_str());
    locals.next().unwrap().to_owned()
}

#[test]
fn a_prefix_of_a_client_behind_isc_dhcp_relay_is_routed_through_the_relay() {
    let site = Site::start(POOL, DELEGATION);
    let (relay, machine, _program) = relay(&site, &["-I"]);
    let mut client = Dhclient::boot_for_prefix(&machine, "eth0").unwrap();
    let own: Ipv6Addr = client.address_in_prefix(PATIENCE).unwrap();
    let route = wait_for("the route", PATIENCE, || {
        let routes = site.host.ip_json("-6 route show proto 111").unwrap();
        let mut routes = routes.as_array()?.iter();
        routes.find(|route| route["gateway"].is_string()).cloned()
    });
    // The address that it speaks from, which is on the link.
    assert_eq!(route["gateway"], format!("{PREFIX}::3"));
    // The relay's own part (RFC 8987), which ISC's leaves to its operator.
    relay.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let (prefix, hop) = (route["dst"].as_str().unwrap(), link_local(&machine, "eth0"));
    relay.ip(&format!("-6 route add {prefix} via {hop} dev eth1")).unwrap();
    let router = link_local(&relay, "eth1");
    machine
        .ip(&format!("-6 route add default via {router} dev eth0"))
        .unwrap();
    let listener = machine.within(|| TcpListener::bind((own, PORT)).unwrap());
    site.host.tcp(own, PORT, PATIENCE).unwrap();
    drop(listener);
}
