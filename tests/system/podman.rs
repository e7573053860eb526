//! Podman as the engine: the network of an instance is made and wired before its first instruction.

use std::fs;
use std::os::unix::fs::MetadataExt;

use orchestrator_lab::{Daemon, Dhclient, Engine, Lab, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{BINARY, PATIENCE, Plan, Site, address, text};

/// A site whose engine is Podman, on the same machine.
fn site(engine: &Engine) -> Site {
    let plan = Plan::on(engine);
    let settings = |place: &str| {
        let text = plan.settings(place);
        text.replace("[engine.docker]", "[engine.docker]\nkind = \"podman\"")
    };
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let mut daemon = Daemon::start_beside(engine, &host, BINARY.as_ref(), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    Site { lab, host, daemon }
}

/// The number of the first process of the only container that runs, and which network namespace it is in.
fn process(engine: &Engine, instance: &Value) -> Option<(u64, u64)> {
    let name = format!("orchestrator-{}", text(instance, "id"));
    let inspected = engine.api("GET", &format!("/containers/{name}/json"), None).ok()?;
    let pid = inspected.json().ok()?["State"]["Pid"].as_u64().filter(|pid| *pid > 0)?;
    let namespace = fs::metadata(format!("/proc/{pid}/ns/net")).ok()?;
    Some((pid, namespace.ino()))
}

#[test]
fn a_client_gets_an_instance_on_podman_whose_network_outlives_its_process() {
    let engine = Engine::shared_podman();
    let site = site(engine);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    machine.tcp(address(&instance), TEST_PORT, PATIENCE).unwrap();

    // It is started again in the namespace that it had, and nothing is wired again.
    let (pid, namespace) = process(engine, &instance).unwrap();
    let name = format!("orchestrator-{}", text(&instance, "id"));
    let killed = engine
        .api("POST", &format!("/containers/{name}/kill?signal=KILL"), None)
        .unwrap();
    assert_eq!(killed.status, 204, "{}", killed.text());
    let again = wait_for("another process", PATIENCE, || {
        process(engine, &instance).filter(|(other, _)| *other != pid)
    });
    assert_eq!(again.1, namespace);
    assert_eq!(site.wait_ready_for(leased)["id"], instance["id"]);
    machine.tcp(address(&instance), TEST_PORT, PATIENCE).unwrap();

    client.release().unwrap();
    site.wait_none();
    assert!(site.host_ends().is_empty());
    assert_eq!(engine.containers().unwrap(), Vec::<Value>::new());
}

#[test]
fn a_daemon_that_was_killed_finds_its_instance_on_podman_again() {
    let engine = &Engine::start_podman(&Lab::new().unwrap().namespace("podman").unwrap()).unwrap();
    engine.import_test_image().unwrap();
    let mut site = site(engine);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let before = process(engine, &instance).unwrap();
    site.daemon.kill9();
    site.daemon.resume().unwrap();
    assert_eq!(site.wait_ready_for(leased)["id"], instance["id"]);
    assert_eq!(process(engine, &instance).unwrap(), before);
    client.release().unwrap();
    site.wait_none();
    assert_eq!(engine.containers().unwrap(), Vec::<Value>::new());
}
