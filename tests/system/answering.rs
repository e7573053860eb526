//! Instances that stop answering after they were ready.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orchestrator_lab::{Dhclient, Engine, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, address, first_process, ip_inside, text};

/// The processes of an instance but for the engine's own init.
fn processes(instance: &Value) -> Vec<Pid> {
    let path = format!("/containers/{}/top?ps_args=-eo%20pid", text(instance, "reference"));
    let listed = Engine::shared().api("GET", &path, None).unwrap().json().unwrap();
    let init = first_process(instance);
    let ids = listed["Processes"].as_array().unwrap().iter();
    let ids = ids.map(|row| row[0].as_str().unwrap().trim().parse::<i32>().unwrap());
    ids.filter(|id| i64::from(*id) != init).map(Pid::from_raw).collect()
}

/// The events of a kind, as their details.
fn details(site: &Site, kind: &str) -> Vec<String> {
    let events = site.daemon.items("/v1/events?limit=5000").unwrap();
    let of_kind = events.iter().filter(|event| event["kind"] == kind);
    of_kind.map(|event| text(event, "detail")).collect()
}

#[test]
fn an_instance_whose_process_is_stopped_is_seen_and_restarted() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let stopped = processes(&before);
    assert!(!stopped.is_empty());
    for process in stopped {
        kill(process, Signal::SIGSTOP).unwrap();
    }
    wait_for("the instance to be no longer ready, with the reason", PATIENCE, || {
        let instance = site.instances().into_iter().next()?;
        (instance["phase"] != "ready" && instance["reason"].is_string()).then_some(())
    });
    assert!(details(&site, "instance-disturbed")[0].contains("stopped answering"));
    let after = &site.wait_ready(1)[0];
    assert_eq!(
        (&after["id"], &after["reference"]),
        (&before["id"], &before["reference"])
    );
    assert_eq!(machine.get(address(after), TEST_PORT, "/").unwrap().status, 200);
    assert!(!details(&site, "instance-restarted").is_empty());
}

#[test]
fn an_address_that_is_removed_inside_is_given_back_without_a_restart() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let process = first_process(&before);
    ip_inside(&site, &before, "address flush dev eth1 scope global");
    wait_for("the disturbance to be told", PATIENCE, || {
        let told = details(&site, "instance-disturbed");
        told.iter().any(|detail| detail.contains("its address")).then_some(())
    });
    let after = &site.wait_ready(1)[0];
    assert_eq!(machine.get(address(after), TEST_PORT, "/").unwrap().status, 200);
    assert_eq!(first_process(after), process, "it was wired again and not restarted");
}

#[test]
fn the_wiring_of_an_instance_that_nobody_probes_is_looked_at_too() {
    let site = Site::start(&Plan {
        ready: None,
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    ip_inside(&site, &before, "link set eth1 down");
    wait_for("the disturbance to be told", PATIENCE, || {
        let told = details(&site, "instance-disturbed");
        told.iter().any(|detail| detail.contains("is down")).then_some(())
    });
    let after = &site.wait_ready(1)[0];
    wait_for("the client to reach it again", PATIENCE, || {
        let page = machine.get(address(after), TEST_PORT, "/").ok()?;
        (page.status == 200).then_some(())
    });
}
