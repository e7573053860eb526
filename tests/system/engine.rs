//! An engine that goes away, and containers that somebody else touches.

use orchestrator_lab::{Dhclient, Engine, Lab, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, address, host_end, text};

fn own_engine() -> Engine {
    let engine = Engine::start(&Lab::new().unwrap().namespace("engine").unwrap()).unwrap();
    engine.import_test_image().unwrap();
    engine
}

#[test]
fn a_restarted_engine_gets_its_instances_running_and_wired_again() {
    let engine = own_engine();
    let mut site = Site::start(&Plan::on(&engine));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    engine.restart().unwrap();
    // A restart stops the containers: each is started again, in a new network namespace.
    wait_for("the instance to be disturbed and ready again", PATIENCE, || {
        let ready = site
            .event_kinds()
            .iter()
            .filter(|kind| *kind == "instance-ready")
            .count();
        (ready >= 2).then_some(())
    });
    let after = &site.wait_ready(1)[0];
    assert_eq!(after["id"], before["id"]);
    assert_eq!(machine.get(address(after), TEST_PORT, "/").unwrap().status, 200);
    site.daemon.wait_until_ready(PATIENCE).unwrap();
}

#[test]
fn a_client_that_comes_while_the_engine_is_down_is_served_when_it_is_back() {
    let engine = own_engine();
    engine.stop().unwrap();
    let site = Site::start_unready(&Plan::on(&engine));
    let machine = wait_for("the bridge", PATIENCE, || {
        site.host.ip("link show br0").ok().map(|_| site.machine("client"))
    });
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    let waiting = wait_for("the instance to say why it waits", PATIENCE, || {
        site.in_phase("pending")
            .into_iter()
            .find(|instance| instance["reason"].is_string())
    });
    assert!(text(&waiting, "reason").contains("does not answer"), "{waiting}");
    let (status, ready) = site.daemon.api("GET", "/v1/ready").unwrap();
    assert_eq!(status, 503);
    assert!(
        ready["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["name"] == "engine docker" && c["ok"] == false)
    );
    engine.resume().unwrap();
    assert_eq!(site.wait_ready(1)[0]["id"], waiting["id"]);
}

#[test]
fn a_container_removed_by_hand_is_made_again() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let path = format!("/containers/{}?force=1", text(&before, "reference"));
    assert_eq!(Engine::shared().api("DELETE", &path, None).unwrap().status, 204);
    let after = wait_for("another container", PATIENCE, || {
        site.in_phase("ready")
            .into_iter()
            .find(|instance| instance["reference"] != before["reference"])
    });
    assert_eq!((&after["id"], &after["address"]), (&before["id"], &before["address"]));
    assert_eq!(machine.get(address(&after), TEST_PORT, "/").unwrap().status, 200);
    assert!(site.event_kinds().contains(&"instance-disturbed".to_owned()));
}

#[test]
fn a_container_restarted_by_hand_is_wired_again() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let path = format!("/containers/{}/restart?t=1", text(&before, "reference"));
    assert_eq!(Engine::shared().api("POST", &path, None).unwrap().status, 204);
    wait_for("the client to reach it again", PATIENCE, || {
        machine
            .get(address(&before), TEST_PORT, "/")
            .ok()
            .filter(|page| page.status == 200)
    });
    assert_eq!(site.wait_ready(1)[0]["reference"], before["reference"]);
}

#[test]
fn an_attachment_removed_by_hand_is_made_again() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    site.host.ip(&format!("link delete {}", host_end(&instance))).unwrap();
    wait_for("the client to reach it again", PATIENCE, || {
        machine
            .get(address(&instance), TEST_PORT, "/")
            .ok()
            .filter(|page| page.status == 200)
    });
    assert_eq!(site.wait_ready(1)[0]["reference"], instance["reference"]);
}

#[test]
fn a_missing_image_is_said_and_does_no_harm() {
    let plan = Plan::default();
    let mut site = Site::start_unready(&plan);
    site.daemon.stop().unwrap();
    let settings = site.daemon.place().join("settings.toml");
    let text_before = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(
        &settings,
        text_before.replace("orchestrator/test", "orchestrator/nowhere"),
    )
    .unwrap();
    site.daemon.resume().unwrap();
    let machine = wait_for("the bridge", PATIENCE, || {
        site.host.ip("link show br0").ok().map(|_| site.machine("client"))
    });
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = wait_for("the reason", PATIENCE, || {
        site.in_phase("pending")
            .into_iter()
            .find(|instance| instance["reason"] != Value::Null)
    });
    let reason = text(&instance, "reason");
    assert!(
        reason.contains("orchestrator/nowhere") && reason.contains("build or pull"),
        "{reason}"
    );
    assert_eq!(site.lease(leased).unwrap()["state"], "active", "leases go on");
    client.release().unwrap();
    site.wait_none();
}

#[test]
fn an_engine_that_hangs_is_not_ready_until_it_answers_again() {
    let engine = own_engine();
    let mut site = Site::start(&Plan::on(&engine));
    engine.freeze().unwrap();
    let reason = wait_for("the daemon to see that the engine hangs", PATIENCE, || {
        let (status, ready) = site.daemon.api("GET", "/v1/ready").ok()?;
        let conditions = ready["conditions"].as_array()?.clone();
        let docker = conditions.into_iter().find(|c| c["name"] == "engine docker")?;
        (status == 503 && docker["ok"] == false).then(|| text(&docker, "reason"))
    });
    assert!(reason.contains("does not answer"), "{reason}");
    engine.thaw().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
}

#[test]
fn what_was_committed_from_an_instance_outlives_it_and_a_renamed_one_is_adopted() {
    let engine = own_engine();
    let mut site = Site::start(&Plan::on(&engine));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let reference = text(&before, "reference");
    let by_hand = |method: &str, path: &str, body: Option<&Value>| {
        let answer = engine.api(method, path, body).unwrap();
        assert!(matches!(answer.status, 200..300), "{method} {path}: {}", answer.text());
    };
    by_hand(
        "POST",
        &format!("/commit?container={reference}&repo=snapshot&tag=latest"),
        None,
    );
    let copy = serde_json::json!({ "Image": "snapshot", "HostConfig": { "NetworkMode": "none" } });
    by_hand("POST", "/containers/create?name=copy", Some(&copy));
    by_hand("POST", "/containers/copy/start", None);
    by_hand("POST", &format!("/containers/{reference}/rename?name=mine"), None);

    // A start looks at everything that bears the mark.
    site.daemon.stop().unwrap();
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let after = &site.wait_ready(1)[0];
    assert_eq!(
        (&after["id"], &after["reference"]),
        (&before["id"], &before["reference"])
    );
    assert_eq!(machine.get(address(after), TEST_PORT, "/").unwrap().status, 200);
    assert!(!site.event_kinds().contains(&"instance-disturbed".to_owned()));

    client.release().unwrap();
    site.wait_none();
    let names: Vec<String> = engine
        .containers()
        .unwrap()
        .iter()
        .map(|container| container["Names"][0].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["/copy"]);
}
