//! An engine in the hands of people and programs that know nothing of us.

use orchestrator_lab::{Dhclient, Engine, Lab, Namespace, TEST_IMAGE, TEST_PORT, wait_for};
use serde_json::{Value, json};

use crate::site::{PATIENCE, Plan, Site, address, text};

/// A site on an engine of its own, with one client that has its instance.
struct Served {
    engine: Engine,
    site: Site,
    machine: Namespace,
    _client: Dhclient,
    before: Value,
}

impl Served {
    fn start(template: &str) -> Self {
        let engine = Engine::start(&Lab::new().unwrap().namespace("engine").unwrap()).unwrap();
        engine.import_test_image().unwrap();
        let site = Site::start(&Plan {
            template: Some(format!("grace = \"1s\"\n{template}")),
            ..Plan::on(&engine)
        });
        let machine = site.machine("client");
        let mut client = Dhclient::boot(&machine, "eth0").unwrap();
        let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
        Self {
            engine,
            site,
            machine,
            _client: client,
            before,
        }
    }

    /// Has the engine do something that the daemon did not ask for.
    #[track_caller]
    fn by_hand(&self, method: &str, path: &str, body: Option<&Value>) {
        let answer = self.engine.api(method, path, body).unwrap();
        assert!(matches!(answer.status, 200..300), "{method} {path}: {}", answer.text());
    }

    fn container(&self) -> String {
        text(&self.before, "reference")
    }

    /// Waits until the client reaches its instance, which is as it was recorded.
    fn wait_reached(&self) -> Value {
        wait_for("the instance to be reached", PATIENCE, || {
            let ready = self.site.in_phase("ready").into_iter().next()?;
            let answer = self.machine.get(address(&ready), TEST_PORT, "/").ok()?;
            (answer.status == 200).then_some(ready)
        })
    }

    fn wait_event(&self, kind: &str) {
        wait_for(kind, PATIENCE, || {
            self.site.event_kinds().iter().any(|found| found == kind).then_some(())
        });
    }
}

#[test]
fn a_prune_takes_no_instance_that_waits_to_be_tried_again() {
    let served = Served::start("");
    served.by_hand("POST", &format!("/containers/{}/kill", served.container()), None);
    served.by_hand("POST", "/containers/prune", None);
    served.wait_event("instance-disturbed");
    let after = served.wait_reached();
    assert_eq!(
        (&after["id"], &after["address"]),
        (&served.before["id"], &served.before["address"])
    );
}

#[test]
fn a_container_that_the_engine_restarts_by_itself_is_wired_again() {
    let served = Served::start("");
    let policy = json!({ "RestartPolicy": { "Name": "always" } });
    served.by_hand(
        "POST",
        &format!("/containers/{}/update", served.container()),
        Some(&policy),
    );
    let inspect = |what: &str| {
        let path = format!("/containers/{}/json", served.container());
        served.engine.api("GET", &path, None).unwrap().json().unwrap()["State"][what].clone()
    };
    let process = inspect("Pid").as_u64().unwrap();
    // By a signal from outside, so that the engine does not take it for its operator's wish.
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(process).unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    served.wait_event("instance-disturbed");
    let after = served.wait_reached();
    assert_eq!(after["reference"], served.before["reference"]);
    assert_ne!(inspect("Pid").as_u64().unwrap(), process);
}

#[test]
fn a_paused_instance_is_seen_and_goes_on() {
    let served = Served::start("");
    served.by_hand("POST", &format!("/containers/{}/pause", served.container()), None);
    served.wait_event("instance-disturbed");
    let after = served.wait_reached();
    assert_eq!(after["reference"], served.before["reference"]);
}

#[test]
fn an_instance_is_made_again_from_its_image_when_the_name_of_that_is_gone() {
    let served = Served::start("");
    // The engine keeps an image that a container has, and takes its name away.
    served.by_hand("DELETE", &format!("/images/{TEST_IMAGE}?force=true"), None);
    served.by_hand(
        "DELETE",
        &format!("/containers/{}?force=true", served.container()),
        None,
    );
    let again = wait_for("another container", PATIENCE, || {
        let ready = served.site.in_phase("ready").into_iter();
        ready
            .into_iter()
            .find(|one| one["reference"] != served.before["reference"])
    });
    assert_eq!(again["id"], served.before["id"]);
    let after = served.wait_reached();
    assert_eq!(after["id"], served.before["id"]);
}

#[test]
fn an_updater_that_makes_the_container_anew_with_our_labels_does_no_harm() {
    let served = Served::start("");
    let path = format!("/containers/{}/json", served.container());
    let old = served.engine.api("GET", &path, None).unwrap().json().unwrap();
    let name = text(&old, "Name").trim_start_matches('/').to_owned();
    // As such programs do: stop, rename, make one of the same settings by the same name, start, remove the old one.
    served.by_hand("POST", &format!("/containers/{}/stop", served.container()), None);
    served.by_hand(
        "POST",
        &format!("/containers/{}/rename?name=old", served.container()),
        None,
    );
    let same = json!({
        "Image": old["Config"]["Image"], "Labels": old["Config"]["Labels"], "Env": old["Config"]["Env"],
        "HostConfig": old["HostConfig"],
    });
    let created = served
        .engine
        .api("POST", &format!("/containers/create?name={name}"), Some(&same))
        .unwrap();
    // The daemon may have been faster, and have made its own again by that name.
    assert!(matches!(created.status, 201 | 409), "{}", created.text());
    let copied = created.status == 201;
    if copied {
        served.by_hand("POST", &format!("/containers/{name}/start"), None);
    }
    let _ = served.engine.api("DELETE", "/containers/old?force=true", None);
    served.wait_event("instance-disturbed");
    if copied {
        // Its labels and its image are ours, its id is not: it is a stranger's, and never touched.
        let copy = text(&created.json().unwrap(), "Id");
        wait_for("the instance to say whose its name is", PATIENCE, || {
            served.site.instances().into_iter().find(|instance| {
                let reason = instance["reason"].as_str().unwrap_or_default();
                reason.contains("is not ours; remove or rename it")
            })
        });
        let found = served
            .engine
            .api("GET", &format!("/containers/{copy}/json"), None)
            .unwrap();
        assert_eq!(found.json().unwrap()["State"]["Running"], true, "it runs on");
        served.by_hand("DELETE", &format!("/containers/{copy}?force=true"), None);
    }
    served.wait_reached();
    // One container is left in the end, and it goes with its instance.
    let id = text(&served.before, "id");
    assert_eq!(
        served
            .site
            .daemon
            .api("DELETE", &format!("/v1/instances/{id}"))
            .unwrap()
            .0,
        202
    );
    served.site.wait_none();
    wait_for("no container to be left", PATIENCE, || {
        served.engine.containers().unwrap().is_empty().then_some(())
    });
}

#[test]
fn a_network_that_is_connected_by_hand_leaves_ours_as_it_is() {
    let served = Served::start("");
    let network = json!({ "Name": "by-hand", "Driver": "null" });
    let made = served.engine.api("POST", "/networks/create", Some(&network)).unwrap();
    // An engine without bridges of its own has no other network than this one to connect.
    let name = if made.status == 201 { "by-hand" } else { "host" };
    let body = json!({ "Container": served.container() });
    let connected = served
        .engine
        .api("POST", &format!("/networks/{name}/connect"), Some(&body))
        .unwrap();
    assert!(
        connected.status >= 400,
        "an instance has no network of the engine's: {}",
        connected.text()
    );
    let after = served.wait_reached();
    assert_eq!(after["reference"], served.before["reference"]);
}

#[test]
fn limits_that_are_changed_by_hand_disturb_nothing() {
    let served = Served::start("");
    let limits = json!({ "Memory": 33_554_432, "MemorySwap": 33_554_432 });
    served.by_hand(
        "POST",
        &format!("/containers/{}/update", served.container()),
        Some(&limits),
    );
    let after = served.wait_reached();
    assert_eq!(after["reference"], served.before["reference"]);
    assert!(!served.site.event_kinds().contains(&"instance-disturbed".to_owned()));
}
