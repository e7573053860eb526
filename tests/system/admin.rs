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
fn releasing_through_an_instance_that_is_gone_leaves_the_client_what_it_has_now() {
    let site = Site::start(&Plan {
        link: RENEWS_SOON.to_owned(),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let gone = text(&site.wait_ready_for(leased), "id");
    assert_eq!(site.daemon.cli(&["rm", &gone]).unwrap().status.code(), Some(0));
    let present = wait_for("another instance", PATIENCE, || {
        let ready = site.in_phase("ready").into_iter();
        ready.map(|instance| text(&instance, "id")).find(|id| *id != gone)
    });

    let path = format!("/v1/instances/{gone}?release=true");
    let (status, problem) = site.daemon.api("DELETE", &path).unwrap();
    assert_eq!(
        (status, problem["code"].as_str()),
        (409, Some("instance-gone")),
        "{problem}"
    );
    assert_eq!(problem["candidates"], serde_json::json!([present]));
    let refused = site.daemon.cli(&["rm", "--release", &gone]).unwrap();
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains(&present), "{complaint}");
    // Without --release there is nothing to refuse, and nothing to do.
    let (status, answer) = site.daemon.api("DELETE", &format!("/v1/instances/{gone}")).unwrap();
    assert_eq!((status, answer["phase"].as_str()), (200, Some("removed")), "{answer}");
    let again = site.daemon.cli(&["rm", &gone]).unwrap();
    let said = String::from_utf8(again.stdout).unwrap();
    assert!(again.status.success() && said.contains("gone already"), "{said}");

    assert_eq!(site.lease(leased).unwrap()["state"], "active");
    assert_eq!(site.wait_ready(1)[0]["id"], present.as_str());
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
