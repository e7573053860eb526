//! An engine that goes away, and containers that somebody else touches.

use orchestrator_lab::{Dhclient, Engine, Lab, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, address, text};

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
    site.host
        .ip(&format!("link delete or{}", text(&instance, "id")))
        .unwrap();
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
