//! What an admin does: list, show, destroy.

use orchestrator_lab::{Dhclient, wait_for};

use crate::site::{PATIENCE, Plan, Site, text};

const RENEWS_SOON: &str = "preferred_lifetime = \"8s\"\nvalid_lifetime = \"20s\"";

#[test]
fn a_destroyed_instance_comes_back_with_the_next_lease_event() {
    let site = Site::start(&Plan {
        link: RENEWS_SOON.to_owned(),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let first = site.wait_ready_for(leased);
    let (status, condemned) = site
        .daemon
        .api("DELETE", &format!("/v1/instances/{}", text(&first, "id")))
        .unwrap();
    assert_eq!(status, 202);
    assert_eq!(condemned["phase"], "removing");
    // The renewal at half the preferred lifetime is the next lease event.
    let second = wait_for("another instance", PATIENCE, || {
        site.in_phase("ready")
            .into_iter()
            .find(|instance| instance["id"] != first["id"])
    });
    assert_eq!(second["client"], first["client"]);
    let kinds = site.event_kinds();
    let at = |kind: &str| {
        kinds
            .iter()
            .position(|k| k == kind)
            .unwrap_or_else(|| panic!("no {kind} in {kinds:?}"))
    };
    assert!(at("instance-destroyed") < at("instance-removed"));
}

#[test]
fn destroying_with_release_frees_the_lease() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let path = format!("/v1/instances/{}?release=true", text(&instance, "id"));
    assert_eq!(site.daemon.api("DELETE", &path).unwrap().0, 202);
    site.wait_none();
    assert_eq!(site.lease(leased).unwrap()["state"], "released");
}

#[test]
fn the_command_line_lists_shows_and_removes() {
    let mut site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let id = text(&instance, "id");

    let run = |site: &Site, arguments: &[&str]| {
        let output = site.daemon.cli(arguments).unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), out, err)
    };
    let (code, table, _) = run(&site, &["ls"]);
    assert_eq!(code, 0);
    assert!(
        table.contains(&id) && table.contains("ready") && table.contains(&text(&instance, "address")),
        "{table}"
    );
    let (code, json, _) = run(&site, &["ls", "leases", "-o", "json"]);
    let leases: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, leases[0]["address"].as_str()),
        (0, Some(leased.to_string().as_str())),
        "{json}"
    );
    // Any beginning of an id that only one has is enough.
    let (code, shown, _) = run(&site, &["show", &id[..6]]);
    assert!(code == 0 && shown.contains(&text(&instance, "duid")), "{shown}");
    let (code, _, complaint) = run(&site, &["show", "ffffffffffff"]);
    assert_eq!(code, 3, "{complaint}");
    let (code, timeline, _) = run(&site, &["events"]);
    assert!(code == 0 && timeline.contains("instance-ready"), "{timeline}");
    assert_eq!(run(&site, &["rm", &id]).0, 0);
    site.wait_none();

    site.daemon.stop().unwrap();
    let (code, _, complaint) = run(&site, &["ls"]);
    assert_eq!(code, 4);
    assert!(complaint.contains("orchestrator serve"), "{complaint}");
}
