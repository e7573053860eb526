//! By which bridge port, and from which addresses, the client of a lease speaks.

use orchestrator_lab::{Dhclient, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site};

/// The leases as `orchestrator ls leases -o json` shows them.
fn leases(site: &Site) -> Vec<Value> {
    let output = site.daemon.cli(&["ls", "leases", "-o", "json"]).unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn lease_only(link: &str) -> Plan {
    Plan {
        template: None,
        link: link.to_owned(),
        ..Plan::default()
    }
}

#[test]
fn a_lease_shows_the_port_and_the_addresses_of_the_client_that_it_was_granted_to() {
    let site = Site::start(&lease_only(""));
    wait_for("the kernel to log ports", PATIENCE, || {
        let tasks = site.daemon.items("/v1/tasks").ok()?;
        let task = tasks.into_iter().find(|task| task["name"] == "client ports")?;
        (task["last_result"] == "ok").then_some(())
    });
    let machines = ["one", "two"].map(|name| site.machine(name));
    for (machine, port) in machines.iter().zip(["p-one", "p-two"]) {
        let mut client = Dhclient::boot(machine, "eth0").unwrap();
        let leased = client.address(PATIENCE).unwrap();
        let all = leases(&site);
        let lease = all.iter().find(|lease| lease["address"] == leased.to_string()).unwrap();
        let shown = &machine.ip_json("-6 address show dev eth0 scope link").unwrap()[0]["addr_info"];
        let link_local = shown.as_array().unwrap().iter().find_map(|info| info["local"].as_str());
        let link = machine.ip_json("link show dev eth0").unwrap();
        let expected = (Some(port), link[0]["address"].as_str(), link_local);
        let granted_to = &lease["granted_to"];
        let found = ["port", "link_layer", "link_local"].map(|key| granted_to[key].as_str());
        assert_eq!((found[0], found[1], found[2]), expected, "{lease}");
    }
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    assert!(
        metrics.contains("orchestrator_dhcp6_origins_total{outcome=\"known\"} 2"),
        "{metrics}"
    );
}

#[test]
fn a_link_that_does_not_learn_ports_grants_leases_without() {
    let site = Site::start(&lease_only("learn_ports = false"));
    let machine = site.machine("one");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let all = leases(&site);
    let lease = all.iter().find(|lease| lease["address"] == leased.to_string()).unwrap();
    assert_eq!(
        (&lease["granted_to"]["port"], &lease["granted_to"]["link_layer"]),
        (&Value::Null, &Value::Null)
    );
    assert!(lease["granted_to"]["link_local"].is_string(), "{lease}");
}
