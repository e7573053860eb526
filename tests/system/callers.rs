//! Who asked for what: the timeline names the caller.

use orchestrator_lab::Dhclient;
use serde_json::{Value, json};

use crate::site::{PATIENCE, Plan, Site, text};

/// Who asked for each event of this kind.
fn by(site: &Site, kind: &str) -> Vec<Value> {
    let mut events = site.daemon.items("/v1/events?limit=500").unwrap();
    events.retain(|event| event["kind"] == kind);
    events.into_iter().map(|event| event["by"].clone()).collect()
}

#[test]
fn what_somebody_asked_for_is_recorded_with_who_it_was() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let id = text(&instance, "id");
    let what = json!({"link": "br0", "duid": "00:02:01", "address": "fd39:9706:2786:6333::7:7"});
    let (status, made) = site.daemon.send("POST", "/v1/reservations", &what).unwrap();
    assert_eq!(status, 201, "{made}");
    let reservation = format!("/v1/reservations/{}", text(&made, "id"));
    for (method, path, status) in [
        ("DELETE", reservation.as_str(), 200),
        ("POST", "/v1/settings/reload", 200),
        ("DELETE", &format!("/v1/instances/{id}?release=true"), 202),
    ] {
        assert_eq!(site.daemon.api(method, path).unwrap().0, status, "{method} {path}");
    }
    for kind in [
        "reserved",
        "unreserved",
        "settings-reloaded",
        "instance-destroyed",
        "release-requested",
    ] {
        assert_eq!(by(&site, kind), [json!("user root")], "{kind}");
    }
    // What nobody asked for has nobody's name.
    assert_eq!(by(&site, "lease-granted"), [Value::Null]);
    let shown = site.daemon.cli(&["events", "-n", "500"]).unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown
            .lines()
            .any(|line| line.contains("instance-destroyed") && line.ends_with("by user root")),
        "{shown}"
    );
    client.release().ok();
}
