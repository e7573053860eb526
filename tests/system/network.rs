//! Instances with a second interface, on a network.

use std::fs;
use std::net::Ipv6Addr;

use orchestrator_lab::{Dhclient, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, ip_inside, text};

const ADDRESS: &str = "fd50::1/64";

fn plan() -> Plan {
    Plan {
        template: Some("grace = \"1s\"\nnetworks = [\"storage\"]".to_owned()),
        ..Plan::default()
    }
}

fn network(lines: &str) -> String {
    format!(
        "[[network]]\nname = \"storage\"\naddress = \"{ADDRESS}\"\ninstances = \"fd50::1:0/112\"\nmtu = 1400\n{lines}\n"
    )
}

/// Puts settings in force that have this network.
fn declare(site: &Site, plan: &Plan, network: &str) {
    let place = site.daemon.place();
    let text = plan.pieces(&place.display().to_string()).with(network).text();
    fs::write(place.join("settings.toml"), text).unwrap();
    let reloaded = site.daemon.cli(&["reload"]).unwrap();
    assert!(reloaded.status.success(), "{reloaded:?}");
}

/// The address of an instance on the network.
fn second(instance: &Value) -> Ipv6Addr {
    assert_eq!(instance["attachments"][1]["network"], "storage", "{instance}");
    text(&instance["attachments"][1], "address").parse().unwrap()
}

fn bridge(site: &Site) -> Option<Value> {
    let bridges = site.host.ip_json("link show type bridge").unwrap();
    let mut bridges = bridges.as_array().unwrap().iter();
    bridges.find(|bridge| bridge["ifname"] == "storage").cloned()
}

#[test]
fn instances_reach_one_another_on_a_network_and_keep_it_over_a_restart() {
    let plan = plan();
    let lease_only = Plan {
        template: None,
        ..Plan::default()
    };
    let mut site = Site::start(&lease_only);
    declare(&site, &plan, &network(""));
    let machines = ["a", "b"].map(|name| site.machine(name));
    let mut clients = machines
        .each_ref()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap());
    let leased = clients.each_mut().map(|client| client.address(PATIENCE).unwrap());
    let [one, other] = leased.map(|leased| site.wait_ready_for(leased));
    let link_address = |instance: &Value| text(instance, "address").parse::<Ipv6Addr>().unwrap();

    let inside = ip_inside(&site, &one, "-6 address show dev eth2");
    assert!(inside.contains(&format!("{}/64", second(&one))), "{inside}");
    assert!(ip_inside(&site, &one, "link show dev eth2").contains("mtu 1400"));
    // The way out is that of the link.
    let routes = ip_inside(&site, &one, "-6 route show default");
    assert!(routes.contains("dev eth1") && !routes.contains("eth2"), "{routes}");
    assert!(site.reaches(&one, second(&other)), "{one} {other}");
    assert!(!site.reaches(&one, link_address(&other)), "isolated on the link");

    site.daemon.stop().unwrap();
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let [before, after] = [&one, &site.wait_ready_for(leased[0])];
    assert_eq!(before["id"], after["id"]);
    assert_eq!(before["attachments"], after["attachments"]);
    assert!(site.reaches(&one, second(&other)));

    // What somebody does to the bridge is mended.
    site.host.ip("address del fd50::1/64 dev storage").unwrap();
    wait_for("the address of the network's bridge", PATIENCE, || {
        let addresses = site.host.ip("-6 address show dev storage").unwrap();
        addresses.contains(ADDRESS).then_some(())
    });

    // The bridge goes with the last instance on it, not with the network.
    declare(&site, &Plan::default(), "");
    assert!(bridge(&site).is_some());
    assert!(site.reaches(&one, second(&other)));
    for instance in [&one, &other] {
        let removed = site.daemon.cli(&["rm", &text(instance, "id")]).unwrap();
        assert!(removed.status.success(), "{removed:?}");
    }
    wait_for("the bridge to go", PATIENCE, || bridge(&site).is_none().then_some(()));
}

#[test]
fn instances_on_an_isolated_network_reach_only_the_host() {
    let lease_only = Plan {
        template: None,
        ..Plan::default()
    };
    let site = Site::start(&lease_only);
    declare(&site, &plan(), &network("isolated = true"));
    let machines = ["a", "b"].map(|name| site.machine(name));
    let mut clients = machines
        .each_ref()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap());
    let leased = clients.each_mut().map(|client| client.address(PATIENCE).unwrap());
    let [one, other] = leased.map(|leased| site.wait_ready_for(leased));
    assert!(!site.reaches(&one, second(&other)), "{one} {other}");
    let limit = std::time::Duration::from_secs(5);
    assert!(site.host.tcp(second(&one), orchestrator_lab::TEST_PORT, limit).is_ok());
}
