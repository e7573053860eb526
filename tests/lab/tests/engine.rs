//! An engine of the lab's own.

use std::time::Duration;

use anyhow::Result;
use orchestrator_lab::{Engine, Lab, TEST_IMAGE, TEST_PORT, wait_for};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);

/// Starts a container of the test image; its id comes back.
fn run(engine: &Engine, name: &str) -> Result<String> {
    let wanted = json!({ "Image": TEST_IMAGE, "Hostname": name, "HostConfig": { "Init": true } });
    let made = engine
        .api("POST", &format!("/containers/create?name={name}"), Some(&wanted))?
        .json()?;
    let id = made["Id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    assert_eq!(
        engine.api("POST", &format!("/containers/{id}/start"), None)?.status,
        204
    );
    Ok(id)
}

fn pid(engine: &Engine, id: &str) -> u64 {
    inspect(engine, id)["State"]["Pid"].as_u64().unwrap()
}

fn inspect(engine: &Engine, id: &str) -> Value {
    engine
        .api("GET", &format!("/containers/{id}/json"), None)
        .unwrap()
        .json()
        .unwrap()
}

#[test]
fn a_container_of_the_test_image_answers_over_a_cable() {
    let engine = Engine::shared();
    let id = run(engine, "answers").unwrap();
    let lab = Lab::new().unwrap();
    let client = lab.namespace("client").unwrap();
    client.disable_dad().unwrap();
    // The plugin wires by netlink; here `ip` does.
    client
        .ip(&format!(
            "link add eth0 type veth peer name eth1 netns {}",
            pid(engine, &id)
        ))
        .unwrap();
    let inside = format!("nsenter --target={} --net ip", pid(engine, &id));
    for arguments in ["address add fd00:1::2/64 dev eth1 nodad", "link set eth1 up"] {
        let status = lab
            .command("sh")
            .args(["-c", &format!("{inside} {arguments}")])
            .status()
            .unwrap();
        assert!(status.success());
    }
    client.ip("link set eth0 up").unwrap();
    client.ip("address add fd00:1::1/64 dev eth0 nodad").unwrap();
    let address = "fd00:1::2".parse().unwrap();
    let page = wait_for("the container's page", LIMIT, || {
        client.get(address, TEST_PORT, "/cgi-bin/hostname").ok()
    });
    assert_eq!((page.status, page.text().as_str()), (200, "answers\n"));
    assert_eq!(
        engine
            .api("DELETE", &format!("/containers/{id}?force=1"), None)
            .unwrap()
            .status,
        204
    );
}

#[test]
fn containers_outlive_a_killed_engine() {
    let lab = Lab::new().unwrap();
    let engine = Engine::start_with(&lab.namespace("engine").unwrap(), &["--live-restore"]).unwrap();
    engine.import_test_image().unwrap();
    let id = run(&engine, "stays").unwrap();
    let before = pid(&engine, &id);
    engine.kill9().unwrap();
    assert!(engine.containers().is_err());
    assert!(std::path::Path::new(&format!("/proc/{before}")).exists());
    engine.resume().unwrap();
    assert_eq!(pid(&engine, &id), before);
}

#[test]
fn an_engine_that_restarts_keeps_its_containers_and_stops_them() {
    let lab = Lab::new().unwrap();
    let engine = Engine::start(&lab.namespace("engine").unwrap()).unwrap();
    engine.import_test_image().unwrap();
    let id = run(&engine, "stops").unwrap();
    engine.restart().unwrap();
    assert_eq!(inspect(&engine, &id)["State"]["Running"], false);
    assert_eq!(engine.containers().unwrap().len(), 1);
}

#[test]
fn a_frozen_engine_answers_again_when_thawed() {
    let lab = Lab::new().unwrap();
    let engine = Engine::start(&lab.namespace("engine").unwrap()).unwrap();
    engine.freeze().unwrap();
    let limit = Duration::from_millis(200);
    assert!(orchestrator_lab::http::ask(engine.socket(), "GET", "/_ping", None, limit).is_err());
    engine.thaw().unwrap();
    assert_eq!(engine.api("GET", "/_ping", None).unwrap().status, 200);
}
