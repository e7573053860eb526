//! A bridge that has no port left, or one.

use std::fmt::Write;
use std::fs;

use orchestrator_lab::{Dhclient, Engine, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, text};

/// The ports that the kernel gives a bridge.
const MOST_PORTS: usize = 1023;

/// Takes every port that the bridge has left, by the ends of pairs that stay down.
fn fill(site: &Site) {
    let taken = site.host.ip_json("link show master br0").unwrap();
    let left = MOST_PORTS - taken.as_array().unwrap().len();
    let mut batch = String::new();
    for number in 0..left.div_ceil(2) {
        writeln!(batch, "link add fill{number}a type veth peer name fill{number}b").unwrap();
    }
    for number in 0..left {
        let end = if number % 2 == 0 { "a" } else { "b" };
        writeln!(batch, "link set fill{}{end} master br0", number / 2).unwrap();
    }
    let file = site.daemon.place().join("ports");
    fs::write(&file, batch).unwrap();
    site.host.ip(&format!("-batch {}", file.display())).unwrap();
}

/// The condition about the bridge's ports, if there is one.
fn condition(site: &Site) -> Option<Value> {
    let (_, ready) = site.daemon.api("GET", "/v1/ready").unwrap();
    let conditions = ready["conditions"].as_array().unwrap().clone();
    conditions
        .into_iter()
        .find(|condition| condition["name"] == "ports of br0")
}

#[test]
fn an_instance_that_finds_no_port_left_does_not_run_and_says_so() {
    let mut site = Site::start(&Plan::default());
    let machines = [site.machine("one"), site.machine("two")];
    fill(&site);
    let mut clients: Vec<_> = machines
        .iter()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap())
        .collect();
    for client in &mut clients {
        let leased = client.address(PATIENCE).unwrap();
        assert_eq!(site.lease(leased).unwrap()["state"], "active", "leases go on");
    }
    let refused = wait_for("both to say why they wait", PATIENCE, || {
        let pending = site.in_phase("pending");
        let said = pending.iter().all(|instance| instance["reason"].is_string());
        (pending.len() == 2 && said).then_some(pending)
    });
    for instance in &refused {
        assert!(text(instance, "reason").contains("no port left"), "{instance}");
    }
    wait_for("no container to run", PATIENCE, || {
        let containers = site.containers(Engine::shared());
        containers
            .iter()
            .all(|container| container["State"] != "running")
            .then_some(())
    });
    let (status, _) = site.daemon.api("GET", "/v1/ready").unwrap();
    assert_eq!(status, 503);
    let condition_shown = condition(&site).unwrap();
    assert!(
        text(&condition_shown, "reason").contains("no port left"),
        "{condition_shown}"
    );
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    assert!(
        metrics.contains("orchestrator_provision_failures_total{code=\"bridge-full\"}"),
        "{metrics}"
    );

    // One port is enough for both of them: another bridge is joined with it.
    site.host.ip("link set fill0a nomaster").unwrap();
    site.wait_ready(2);
    let attached = site.host.ip_json("link show type veth").unwrap();
    let on_joined = attached.as_array().unwrap().iter().filter(|port| {
        let is_on = |name: &str| port["master"].as_str().is_some_and(|master| master.starts_with(name));
        port["ifname"].as_str().is_some_and(|name| name.starts_with("or")) && is_on("oj")
    });
    assert_eq!(on_joined.count(), 2, "{attached}");
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    assert!(condition(&site).is_none());
}

#[test]
fn an_instance_whose_bridge_is_gone_does_not_run_without_it_for_ever() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    // A name that is taken keeps the daemon from making the bridge again.
    site.host.ip("link delete br0").unwrap();
    wait_for("the name to be taken", PATIENCE, || {
        let _ = site.host.ip("link delete br0");
        site.host.ip("link add br0 type veth peer name other").ok()
    });
    let waiting = wait_for("the container to be stopped", PATIENCE, || {
        let stopped = site
            .containers(Engine::shared())
            .iter()
            .all(|c| c["State"] != "running");
        let waiting = site.in_phase("pending").into_iter().find(|i| i["reason"].is_string())?;
        (stopped && text(&waiting, "reason").contains("br0")).then_some(waiting)
    });
    assert_eq!(waiting["id"], before["id"]);
    site.host.ip("link delete br0").unwrap();
    let after = &site.wait_ready(1)[0];
    assert_eq!(
        (&after["id"], &after["reference"]),
        (&before["id"], &before["reference"])
    );
}
