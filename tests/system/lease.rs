//! From a lease to an instance, with real clients.

use std::collections::HashSet;
use std::thread;

use orchestrator_lab::{Dhclient, Dhcpcd, Engine, Postgres, TEST_PORT, wait_for};

use crate::site::{PATIENCE, PREFIX, Plan, Site, address, host_end, text};

/// The client reaches its own instance, and the instance is what the template says.
fn one_client(plan: &Plan) {
    let site = Site::start(plan);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    assert!(leased.to_string().starts_with(PREFIX), "{leased}");

    let instance = site.wait_ready_for(leased);
    assert_eq!(instance["link"], "br0");
    assert_eq!(instance["reason"], serde_json::Value::Null);
    let page = machine.get(address(&instance), TEST_PORT, "/").unwrap();
    assert_eq!(page.status, 200);

    assert_eq!(site.lease(leased).unwrap()["state"], "active");
    assert_eq!(site.host_ends(), [host_end(&instance)]);
    let kinds = site.event_kinds();
    assert_eq!(kinds, ["lease-granted", "instance-wanted", "instance-ready"]);
}

#[test]
fn a_client_with_dhclient_gets_its_own_instance() {
    one_client(&Plan::default());
}

#[test]
fn postgresql_is_the_same_with_another_url() {
    one_client(&Plan {
        store: Some(Postgres::shared().database().unwrap()),
        ..Plan::default()
    });
}

#[test]
fn a_client_with_dhcpcd_gets_its_own_instance() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    // It asks only after a router advertisement with the managed flag, and uses Rapid Commit.
    let mut client = Dhcpcd::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    assert_eq!(machine.get(address(&instance), TEST_PORT, "/").unwrap().status, 200);
}

#[test]
fn ten_clients_at_once_get_ten_instances() {
    let site = Site::start(&Plan::default());
    let machines: Vec<_> = (0..10).map(|n| site.machine(&format!("c{n}"))).collect();
    let clients: Vec<_> = thread::scope(|scope| {
        let booting: Vec<_> = machines
            .iter()
            .map(|machine| scope.spawn(|| Dhclient::boot(machine, "eth0").unwrap()))
            .collect();
        booting.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let mut leased = Vec::new();
    for mut client in clients {
        let address = client.address(PATIENCE).unwrap();
        assert!(!leased.contains(&address), "two clients hold one address");
        leased.push(address);
        // Each client stays up until the end.
        std::mem::forget(client);
    }
    let instances = site.wait_ready(10);
    let addresses: HashSet<_> = instances.iter().map(address).collect();
    let owners: HashSet<_> = instances.iter().map(|instance| text(instance, "client")).collect();
    assert_eq!((addresses.len(), owners.len()), (10, 10));
    for (machine, leased) in machines.iter().zip(leased) {
        let own = address(&site.wait_ready_for(leased));
        assert_eq!(machine.get(own, TEST_PORT, "/").unwrap().status, 200);
    }
}

#[test]
fn a_released_lease_ends_the_instance_and_the_client_gets_the_same_address_again() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let first = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(first);
    client.release().unwrap();
    site.wait_none();
    assert_eq!(site.lease(first).unwrap()["state"], "released");
    assert!(site.host_ends().is_empty());
    assert!(site.containers(Engine::shared()).is_empty());

    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    assert_eq!(client.address(PATIENCE).unwrap(), first);
    let again = site.wait_ready_for(first);
    assert_ne!(again["id"], instance["id"], "the old instance is gone for good");
    assert_eq!(
        again["address"], instance["address"],
        "the client finds its new one where the old one was"
    );
}

#[test]
fn a_client_that_comes_back_within_the_grace_keeps_its_instance() {
    let site = Site::start(&Plan {
        template: Some("grace = \"10m\"".to_owned()),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let before = site.wait_ready_for(leased);
    client.release().unwrap();
    wait_for("the grace", PATIENCE, || {
        (site.in_phase("ending").len() == 1).then_some(())
    });
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    let after = site.wait_ready_for(leased);
    assert_eq!(
        (&after["id"], &after["reference"]),
        (&before["id"], &before["reference"])
    );
}

#[test]
fn after_a_restart_of_the_daemon_everything_is_as_it_was() {
    let mut site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let before = site.wait_ready_for(leased);

    site.daemon.stop().unwrap();
    let page = machine.get(address(&before), TEST_PORT, "/").unwrap();
    assert_eq!(page.status, 200, "instances go on without the daemon");
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();

    // The same client boots again: same address, same instance.
    client.kill9();
    machine.ip("address flush dev eth0 scope global").unwrap();
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    assert_eq!(client.address(PATIENCE).unwrap(), leased);
    let after = site.wait_ready_for(leased);
    assert_eq!(
        (&after["id"], &after["reference"]),
        (&before["id"], &before["reference"])
    );
}

#[test]
fn a_link_without_a_template_only_serves_leases() {
    let plan = Plan {
        engine: "unix:///nonexistent/docker.sock".to_owned(),
        template: None,
        ..Plan::default()
    };
    let site = Site::start(&plan);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    assert_eq!(site.lease(leased).unwrap()["state"], "active");
    assert!(site.instances().is_empty());
}

#[test]
fn instances_cannot_reach_one_another_unless_their_template_says_so() {
    for (isolated, reached) in [(true, false), (false, true)] {
        let lines = format!("grace = \"1s\"\nisolated = {isolated}");
        // On a link with isolation they are kept apart whatever the template says.
        let site = Site::start(&Plan {
            link: "isolation = false".to_owned(),
            template: Some(lines),
            ..Plan::default()
        });
        for name in ["one", "two"] {
            let machine = site.machine(name);
            let mut client = Dhclient::boot(&machine, "eth0").unwrap();
            client.address(PATIENCE).unwrap();
            std::mem::forget(client);
        }
        let instances = site.wait_ready(2);
        let ports = site.host.ip_json("-details link show type veth").unwrap();
        let isolations: Vec<bool> = ports
            .as_array()
            .unwrap()
            .iter()
            .filter(|port| port["ifname"].as_str().unwrap().starts_with("or"))
            .map(|port| port["linkinfo"]["info_slave_data"]["isolated"].as_bool().unwrap())
            .collect();
        assert_eq!(isolations, [isolated, isolated]);
        let (from, to) = (&instances[0], address(&instances[1]));
        assert_eq!(site.reaches(from, to), reached, "isolated = {isolated}");
    }
}
