//! Services that name the role of their host: they wait for it, say so, and go on when the settings give it to this machine.

use std::fs;
use std::io::Write;

use orchestrator_lab::wait_for;
use serde_json::Value;

use crate::balancer::{balancers, site};
use crate::services::{file, line, serving_of};
use crate::site::{PATIENCE, Site};

const REASON: &str = "no host has the role public";

/// The reason of the condition under which a service shows that it has no host.
fn waits(site: &Site, service: &str) -> Option<String> {
    let (_, ready) = site.daemon.api("GET", "/v1/ready").unwrap();
    let conditions = ready["conditions"].as_array().cloned().unwrap_or_default();
    let name = format!("placement {service}");
    let found = conditions
        .into_iter()
        .find(|condition| condition["name"] == name.as_str())?;
    found["reason"].as_str().map(str::to_owned)
}

fn slots(site: &Site) -> Vec<Value> {
    let (_, service) = site.daemon.api("GET", "/v1/services/web").unwrap();
    service["slots"].as_array().cloned().unwrap_or_default()
}

#[test]
fn services_wait_for_a_host_with_their_role_and_go_on_when_the_settings_give_it() {
    let (_oci, site) = site("count = 1\nrole = \"public\"");
    wait_for("the balancers to say why they wait", PATIENCE, || {
        waits(&site, "balancer").filter(|reason| reason.contains(REASON))
    });
    let placed = file(
        &site,
        "placement = { role = \"public\" }\nstrategy = { within = \"3s\" }",
    );
    let (out, err, code) = line(&site, &["deploy", &placed, "--plan"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(&format!("warning: its instances wait: {REASON}")), "{out}");
    let (out, err, code) = line(&site, &["deploy", &placed]);
    assert!(code != 0, "{out}{err}");
    assert!(err.contains(&format!("has no host after 3s: {REASON}")), "{err}");
    let shown = slots(&site);
    assert_eq!(shown.len(), 2);
    for slot in &shown {
        assert_eq!(
            (slot["detail"].as_str(), &slot["instance"]),
            (Some(REASON), &Value::Null)
        );
    }
    assert!(waits(&site, "web").unwrap().contains(REASON));
    let events = site.daemon.items("/v1/events").unwrap();
    let waiting = events.iter().filter(|event| event["kind"] == "instance-waiting");
    let waiting = waiting.filter(|event| event["service"] == "web").count();
    assert_eq!(waiting, 1, "once for the reason");

    let settings = site.daemon.place().join("settings.toml");
    let before = fs::read_to_string(&settings).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&settings).unwrap();
    file.write_all(b"\n[host]\nroles = [\"public\"]\n").unwrap();
    let (out, err, code) = line(&site, &["reload"]);
    assert_eq!(code, 0, "{out}{err}");
    let serving = wait_for("both instances to serve", PATIENCE, || {
        let serving = serving_of(&site, "web");
        (serving.len() == 2).then_some(serving)
    });
    balancers(&site, 1);
    assert_eq!((waits(&site, "web"), waits(&site, "balancer")), (None, None));
    assert!(slots(&site).iter().all(|slot| slot["detail"] == Value::Null));

    // A role that is taken away ends nothing.
    fs::write(&settings, before).unwrap();
    let (out, err, code) = line(&site, &["reload"]);
    assert_eq!(code, 0, "{out}{err}");
    let (out, err, code) = line(&site, &["deploy", &placed]);
    assert_eq!((code, serving_of(&site, "web")), (0, serving), "{out}{err}");
}
