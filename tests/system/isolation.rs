//! Isolation in the whole: real clients, real instances, the daemon's own rules in the kernel.

use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_lab::{Dhclient, Namespace, TEST_PORT};

use crate::site::{PATIENCE, PREFIX, Plan, Site, address, at_the_door};

/// How long a connection may take that is dropped.
const LIMIT: Duration = Duration::from_secs(3);

fn plan(link: &str, template: &str) -> Plan {
    Plan {
        link: format!("isolation = true\n{link}"),
        template: Some(format!("grace = \"1s\"\n{template}")),
        ..Plan::default()
    }
}

fn reaches(machine: &Namespace, address: Ipv6Addr) -> bool {
    machine.tcp(address, TEST_PORT, LIMIT).is_ok()
}

/// Two clients that hold leases, and the addresses of their instances.
fn two_clients(site: &Site) -> ([Namespace; 2], [Dhclient; 2], [Ipv6Addr; 2]) {
    let machines = ["one", "two"].map(|name| site.machine(name));
    let mut clients = machines
        .each_ref()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap());
    let leased: [Ipv6Addr; 2] = clients.each_mut().map(|client| client.address(PATIENCE).unwrap());
    let instances = leased.map(|leased| address(&site.wait_ready_for(leased)));
    (machines, clients, instances)
}

#[test]
fn a_client_reaches_its_own_instance_and_no_other() {
    let mut site = Site::start(&plan("", ""));
    let (machines, _clients, instances) = two_clients(&site);
    for own in 0..2 {
        assert!(
            reaches(&machines[own], instances[own]),
            "client {own} and its own instance"
        );
        assert!(
            !reaches(&machines[own], instances[1 - own]),
            "client {own} and the other one's instance"
        );
    }
    // A stopped daemon leaves the rules.
    site.daemon.kill9();
    assert!(reaches(&machines[0], instances[0]));
    assert!(!reaches(&machines[0], instances[1]));
}

#[test]
fn without_isolation_a_client_reaches_every_instance() {
    let site = Site::start(&Plan {
        link: "isolation = false".to_owned(),
        ..Plan::default()
    });
    let (machines, _clients, instances) = two_clients(&site);
    assert!(reaches(&machines[0], instances[1]) && reaches(&machines[1], instances[0]));
}

#[test]
fn an_open_port_is_reached_by_other_clients() {
    let site = Site::start(&plan("", &format!("open = [\"tcp/{TEST_PORT}\"]")));
    let (machines, _clients, instances) = two_clients(&site);
    for own in 0..2 {
        assert!(reaches(&machines[own], instances[own]));
        assert!(reaches(&machines[own], instances[1 - own]));
    }
}

#[test]
fn each_client_finds_its_own_instance_at_the_front_door() {
    let site = Site::start(&plan(&format!("front_door = \"{PREFIX}::d0\""), ""));
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let (machines, _clients, instances) = two_clients(&site);
    let door: Ipv6Addr = format!("{PREFIX}::d0").parse().unwrap();
    for (machine, instance) in machines.iter().zip(instances) {
        assert!(reaches(machine, instance));
        assert_eq!(at_the_door(machine, door), "an instance\n");
    }
}

#[test]
fn the_policy_says_who_reaches_whom_why_and_what_was_dropped() {
    let site = Site::start(&plan("", ""));
    let (machines, _clients, instances) = two_clients(&site);
    let ready = site.in_phase("ready");
    let of = |at: Ipv6Addr| ready.iter().find(|one| address(one) == at).unwrap();
    let [own, other] = instances.map(|at| of(at)["id"].as_str().unwrap().to_owned());
    let client = of(instances[0])["client"].as_str().unwrap().to_owned();
    let said = |arguments: &[&str]| {
        let output = site.daemon.cli(&[&["policy"], arguments].concat()).unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let allowed = said(&[&client, "--to", &own, "--ports", "tcp/80"]);
    assert!(allowed.contains("allowed: its own instance"), "{allowed}");
    let dropped = said(&[&client, "--to", &instances[1].to_string()]);
    assert!(
        dropped.contains("dropped (counted as pair)") && dropped.contains(&other),
        "{dropped}"
    );
    // What it says is so, and is counted. Nobody tells a client the link-layer address of a stranger's instance.
    let mac = of(instances[1])["attachments"][0]["mac"].as_str().unwrap();
    machines[0]
        .ip(&format!("neighbor replace {} lladdr {mac} dev eth0", instances[1]))
        .unwrap();
    assert!(reaches(&machines[0], instances[0]) && !reaches(&machines[0], instances[1]));
    let policy = site
        .daemon
        .ask("GET", &format!("/v1/clients/{client}/policy"))
        .unwrap()
        .json()
        .unwrap();
    let count = |cause: &str| {
        let drops = policy["drops"].as_array().unwrap();
        let drop = drops.iter().find(|drop| drop["cause"] == cause);
        drop.map_or(0, |drop| drop["packets"].as_u64().unwrap())
    };
    assert!(count("pair") >= 1, "{policy:#}");
    let bindings = policy["bindings"].as_array().unwrap();
    let learnt: Vec<&str> = bindings.iter().filter_map(|one| one["learnt"].as_str()).collect();
    assert_eq!(learnt, ["lease", "link-local"], "{policy:#}");
    assert!(bindings.iter().all(|one| one["state"] == "in-force"), "{policy:#}");
    let shown = said(&[&own]);
    assert!(shown.contains(&format!("its own client {client}")), "{shown}");
    assert!(
        shown.contains("everybody else") && shown.contains("no rule allows it"),
        "{shown}"
    );
}
