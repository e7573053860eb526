//! Router advertisements, as a Linux kernel takes them and as rdisc6 reads them.

use std::fs;

use nix::sys::signal::Signal;
use orchestrator_lab::{Namespace, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, PREFIX, Plan, Site};

const LINES: &str = "dns_servers = [\"fd00::53\"]
domain_search = [\"lan.example\"]
[link.advertisement]
preference = \"high\"
mtu = 1400
hop_limit = 63
reachable_time = \"45s\"
retransmission_time = \"2s\"
nat64_prefix = \"64:ff9b::/96\"
[[link.advertisement.prefix]]
prefix = \"fd39:9706:2786:6333::/64\"
autonomous = true
[[link.advertisement.prefix]]
prefix = \"fd41::/64\"
autonomous = true
valid_lifetime = \"10m\"
preferred_lifetime = \"5m\"";

fn start() -> Site {
    Site::start(&Plan {
        engine: "unix:///nonexistent/docker.sock".to_owned(),
        link: LINES.to_owned(),
        template: None,
        ..Plan::default()
    })
}

/// The routes of a machine that it has from advertisements.
fn routes(machine: &Namespace, destination: &str) -> Vec<Value> {
    let routes = machine
        .ip_json(&format!("-6 route show {destination} proto ra"))
        .unwrap();
    routes.as_array().unwrap().clone()
}

/// What the machine's kernel has set of itself on `eth0`.
fn setting(machine: &Namespace, name: &str) -> String {
    let path = format!("/proc/sys/net/ipv6/{name}");
    machine.within(|| fs::read_to_string(path)).unwrap().trim().to_owned()
}

#[test]
fn a_kernel_takes_all_of_it_keeps_the_router_over_a_restart_and_loses_it_when_the_daemon_stops_for_good() {
    let mut site = start();
    let machine = site.machine("client");
    let route = wait_for("the default route", PATIENCE, || routes(&machine, "default").pop());
    assert_eq!(route["pref"], "high");
    assert!(route["gateway"].as_str().unwrap().starts_with("fe80::"), "{route}");
    for (name, value) in [
        ("conf/eth0/mtu", "1400"),
        ("conf/eth0/hop_limit", "63"),
        ("neigh/eth0/base_reachable_time_ms", "45000"),
        ("neigh/eth0/retrans_time_ms", "2000"),
    ] {
        assert_eq!(setting(&machine, name), value, "{name}");
    }
    let addresses = wait_for("addresses in both prefixes", PATIENCE, || {
        let addresses = machine.addresses("eth0").unwrap();
        (addresses.len() == 2).then_some(addresses)
    });
    for prefix in [PREFIX, "fd41:"] {
        let formed = addresses
            .iter()
            .filter(|address| address.ip.to_string().starts_with(prefix));
        assert_eq!(formed.count(), 1, "{addresses:?}");
    }
    let way = machine.ip_json(&format!("-6 route get {PREFIX}::1")).unwrap();
    assert_eq!(
        way[0]["gateway"],
        Value::Null,
        "who is on the link is a neighbour: {way}"
    );

    site.daemon.stop().unwrap();
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    assert_eq!(
        routes(&machine, "default").len(),
        1,
        "a restart leaves hosts their router"
    );

    site.daemon.program().signal(Signal::SIGQUIT).unwrap();
    assert!(site.daemon.program().wait(PATIENCE).unwrap().success());
    wait_for("the default route to go", PATIENCE, || {
        routes(&machine, "default").is_empty().then_some(())
    });
    assert_eq!(
        machine.addresses("eth0").unwrap().len(),
        2,
        "addresses are not the router's to take"
    );
}

#[test]
fn rdisc6_reads_what_is_set() {
    let site = start();
    let machine = site.machine("client");
    let seen = wait_for("rdisc6 to be answered", PATIENCE, || {
        machine.run("rdisc6", &["--single", "--numeric", "eth0"]).ok()
    });
    let lines: Vec<String> = seen
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for line in [
        "Hop limit : 63 ( 0x3f)",
        "Stateful address conf. : Yes",
        "Stateful other conf. : Yes",
        "Router preference : high",
        "Router lifetime : 1800 (0x00000708) seconds",
        "Reachable time : 45000 (0x0000afc8) milliseconds",
        "Retransmit time : 2000 (0x000007d0) milliseconds",
        "MTU : 1400 bytes (valid)",
        &format!("Prefix : {PREFIX}::/64"),
        "On-link : Yes",
        "Autonomous address conf.: Yes",
        "Valid time : 7200 (0x00001c20) seconds",
        "Pref. time : 3600 (0x00000e10) seconds",
        "Prefix : fd41::/64",
        "Valid time : 600 (0x00000258) seconds",
        "Recursive DNS server : fd00::53",
        "DNS server lifetime : 1800 (0x00000708) seconds",
        "DNS search list : lan.example",
        "DNS search list lifetime: 1800 (0x00000708) seconds",
    ] {
        assert!(lines.iter().any(|seen| seen == line), "{line:?} is not in\n{seen}");
    }
}
