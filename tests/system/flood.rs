//! A client that sends without end.

use std::net::{SocketAddrV6, UdpSocket};

use orchestrator_lab::{Dhclient, Namespace, wait_for};
use orchestrator_wire::{ELAPSED_TIME, SOLICIT, client_id, duid_ll, ia_na, message, option};

use crate::site::{PATIENCE, Plan, Site, wait_link_local};

/// Sends this many Solicits, each of an invented client, from one address.
fn flood(machine: &Namespace, count: u32) {
    machine.within(|| {
        let index = nix::net::if_::if_nametoindex("eth0").unwrap();
        let socket = UdpSocket::bind("[::]:0").unwrap();
        let servers = SocketAddrV6::new("ff02::1:2".parse().unwrap(), 547, 0, index);
        for client in 0..count {
            let [a, b, c, d] = client.to_be_bytes();
            let duid = duid_ll([0x02, 0x5e, a, b, c, d]);
            let elapsed = option(ELAPSED_TIME, &[0; 2]);
            let solicit = message(SOLICIT, [b, c, d], &[client_id(&duid), elapsed, ia_na(client, &[])]);
            socket.send_to(&solicit, servers).unwrap();
        }
    });
}

/// The value of a counter, with its labels.
fn counter(site: &Site, name: &str) -> u32 {
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn who_sends_too_often_is_not_answered_and_everyone_else_is() {
    let site = Site::start(&Plan {
        template: None,
        ..Plan::default()
    });
    let noisy = site.machine("noisy");
    wait_link_local(&noisy);
    flood(&noisy, 2000);
    wait_for("the flood to be refused and counted", PATIENCE, || {
        (counter(&site, "orchestrator_dhcp6_discards_total{reason=\"too-often\"}") > 0).then_some(())
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    assert_eq!(site.lease(leased).unwrap()["state"], "active");
    assert_eq!(
        site.daemon.items("/v1/leases").unwrap().len(),
        1,
        "a Solicit takes no lease"
    );
}
