//! Another router behind a client's port, on a link with the isolation that links have unless they say otherwise.

use std::net::{Ipv6Addr, SocketAddrV6};

use nix::net::if_::if_nametoindex;
use orchestrator_lab::wait_for;
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

use crate::doctor::{doctor, has};
use crate::site::{PATIENCE, Plan, Site, text, wait_link_local};

/// A router advertisement with a lifetime of half an hour (RFC 4861, section 4.2). The kernel fills in the checksum.
const ADVERTISEMENT: [u8; 16] = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn a_router_behind_a_clients_port_is_dropped_and_told_of_with_its_port() {
    let mut site = Site::start(&Plan::default());
    let rogue = site.machine("rogue");
    wait_link_local(&rogue);
    let open = || {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
        (socket, if_nametoindex("eth0").unwrap())
    };
    let (socket, interface) = rogue.within(open);
    socket.set_multicast_hops_v6(255).unwrap();
    let all: Ipv6Addr = "ff02::1".parse().unwrap();
    // Nobody asks for a lease meanwhile. Of one that was heard before the rules were in force, the port is not known.
    wait_for("the timeline to tell of it with its port", PATIENCE, || {
        socket
            .send_to(&ADVERTISEMENT, &SocketAddrV6::new(all, 0, 0, interface).into())
            .unwrap();
        let events = site.daemon.items("/v1/events?after=0&limit=1000").unwrap();
        let mut of_kind = events.iter().filter(|event| event["kind"] == "other-router");
        let detail = |event: &Value| event["detail"].as_str().unwrap().to_owned();
        of_kind
            .any(|event| detail(event).contains("at the bridge port p-rogue"))
            .then_some(())
    });
    assert!(site.daemon.log().contains("another router, fe80::"));
    let dropped = site.host.run("nft", &["list", "counters"]).unwrap();
    let counter = dropped.split("counter c_router_advertisement {").nth(1).unwrap();
    assert!(!counter.trim_start().starts_with("packets 0 "), "{dropped}");
    let settings = site.daemon.place().join("settings.toml").display().to_string();
    let checked = site.daemon.cli(&["check", "--settings", &settings]).unwrap();
    let checked = String::from_utf8(checked.stdout).unwrap();
    let line = checked
        .lines()
        .find(|line| line.starts_with("other routers on br0"))
        .unwrap();
    assert!(line.contains("wrong") && line.contains("p-rogue"), "{checked}");
    for is_running in [true, false] {
        let (_, found) = doctor(&site.daemon, &[]);
        let what = text(&has(&found, "other-router"), "what");
        assert!(
            what.contains("br0") && what.contains("p-rogue"),
            "{is_running}: {found:#}"
        );
        site.daemon.kill9();
    }
}
