//! Real clients, against a server that is known to be right.

use std::time::Duration;

use orchestrator_lab::{Address, Dhclient, Dhcpcd, Dnsmasq, Lab, Namespace, Wire, wait_for};
use orchestrator_wire::{REPLY, SOLICIT};

const LIMIT: Duration = Duration::from_secs(60);

/// A host with a bridge and dnsmasq on it, that hands out the addresses from fd00:1::1:0 to fd00:1::1:ffff.
fn host(lab: &Lab) -> (Namespace, Dnsmasq) {
    let host = lab.namespace("host").unwrap();
    host.bridge("br0", Some("fd00:1::1/64")).unwrap();
    let range = "--dhcp-range=fd00:1::1:0,fd00:1::1:ffff,64,10m";
    let dnsmasq = Dnsmasq::start(&host, &["--interface=br0", "--enable-ra", "--log-dhcp", range]).unwrap();
    (host, dnsmasq)
}

fn client(lab: &Lab, host: &Namespace, name: &str) -> Namespace {
    let client = lab.namespace(name).unwrap();
    client.connect("eth0", host, name, Some("br0")).unwrap();
    client
}

/// Waits until dnsmasq has written a line with `text` in it.
fn wait_for_line(dnsmasq: &mut Dnsmasq, text: &str) {
    wait_for(&format!("{text} in dnsmasq's log"), LIMIT, || {
        dnsmasq.program().log().contains(text).then_some(())
    });
}

#[test]
fn dhclient_gets_a_lease_and_gives_it_back() {
    let lab = Lab::new().unwrap();
    let (host, mut dnsmasq) = host(&lab);
    let namespace = client(&lab, &host, "client");
    let wire = Wire::tap(&namespace).unwrap();
    let mut dhclient = Dhclient::boot(&namespace, "eth0").unwrap();
    let address = dhclient.address(LIMIT).unwrap();
    assert!(wire.first(SOLICIT).unwrap().at < wire.first(REPLY).unwrap().at);
    wait_for_line(&mut dnsmasq, &format!("DHCPREPLY(br0) {address}"));
    dhclient.reboot().unwrap();
    wait_for_line(&mut dnsmasq, "DHCPCONFIRM(br0)");
    assert_eq!(dhclient.address(LIMIT).unwrap(), address);
    dhclient.release().unwrap();
    wait_for_line(&mut dnsmasq, "DHCPRELEASE(br0)");
    assert!(!namespace.addresses("eth0").unwrap().iter().any(Address::is_leased));
}

#[test]
fn dhcpcd_gets_a_lease_and_gives_it_back() {
    let lab = Lab::new().unwrap();
    let (host, mut dnsmasq) = host(&lab);
    let namespace = client(&lab, &host, "client");
    let mut dhcpcd = Dhcpcd::boot(&namespace, "eth0").unwrap();
    let address = dhcpcd.address(LIMIT).unwrap();
    wait_for_line(&mut dnsmasq, &format!("DHCPREPLY(br0) {address}"));
    dhcpcd.release().unwrap();
    wait_for_line(&mut dnsmasq, "DHCPRELEASE(br0)");
    assert!(!namespace.addresses("eth0").unwrap().iter().any(Address::is_leased));
}

#[test]
fn each_interface_is_a_client_of_its_own_and_stays_the_same() {
    let lab = Lab::new().unwrap();
    let (host, mut dnsmasq) = host(&lab);
    let names = ["one", "two", "three", "four"];
    let namespaces = names.map(|name| client(&lab, &host, name));
    let [one, two, three, four] = &namespaces;
    let addresses = || {
        let mut first = (
            Dhclient::boot(one, "eth0").unwrap(),
            Dhclient::boot(two, "eth0").unwrap(),
        );
        let mut second = (
            Dhcpcd::boot(three, "eth0").unwrap(),
            Dhcpcd::boot(four, "eth0").unwrap(),
        );
        let addresses = [
            first.0.address(LIMIT),
            first.1.address(LIMIT),
            second.0.address(LIMIT),
            second.1.address(LIMIT),
        ];
        addresses.map(Result::unwrap)
    };
    let before = addresses();
    dnsmasq.restart().unwrap();
    assert_eq!(addresses(), before);
    let mut unique = before.to_vec();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 4, "{before:?}");
}
