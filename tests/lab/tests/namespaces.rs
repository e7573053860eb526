//! Namespaces, bridges and cables.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener};
use std::thread;
use std::time::Duration;

use orchestrator_lab::{Address, Lab};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn two_namespaces_meet_over_a_bridge() {
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let client = lab.namespace("client").unwrap();
    client.disable_dad().unwrap();
    host.bridge("br0", Some("fd00:1::1/64")).unwrap();
    client.connect("eth0", &host, "port0", Some("br0")).unwrap();
    client.ip("address add fd00:1::2/64 dev eth0 nodad").unwrap();
    let address = Address {
        ip: "fd00:1::2".parse().unwrap(),
        prefix: 64,
        usable: true,
    };
    assert_eq!(client.addresses("eth0").unwrap(), [address]);

    let listener = host.within(|| TcpListener::bind("[fd00:1::1]:7")).unwrap();
    let echo = thread::spawn(move || {
        let (mut stream, peer) = listener.accept().unwrap();
        stream.write_all(b"hello").unwrap();
        peer.ip()
    });
    let mut text = String::new();
    client
        .tcp("fd00:1::1".parse().unwrap(), 7, LIMIT)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "hello");
    assert_eq!(echo.join().unwrap(), "fd00:1::2".parse::<Ipv6Addr>().unwrap());
}

#[test]
fn the_machines_own_network_is_out_of_sight() {
    let lab = Lab::new().unwrap();
    let alone = lab.namespace("alone").unwrap();
    let links = alone.ip_json("link show").unwrap();
    let names: Vec<_> = links
        .as_array()
        .unwrap()
        .iter()
        .map(|link| link["ifname"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["lo"]);
}

#[test]
fn what_ip_says_is_in_the_error() {
    let lab = Lab::new().unwrap();
    let fault = lab.namespace("host").unwrap().ip("link set nothing up").unwrap_err();
    assert!(
        fault.to_string().contains("Cannot find device \"nothing\""),
        "{fault:#}"
    );
}
