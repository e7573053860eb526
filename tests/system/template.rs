//! Templates that are made through the command line, and what their versions mean to instances.

use std::fs;

use orchestrator_lab::{Dhclient, TEST_IMAGE, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, text};

fn cli(site: &Site, arguments: &[&str]) -> (i32, String) {
    let output = site.daemon.cli(arguments).unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), said)
}

#[test]
fn a_link_names_a_template_that_is_made_later_and_instances_keep_their_version() {
    let plan = Plan {
        template: None,
        link: "instances = \"fd39:9706:2786:6333::2:0/112\"\ntemplate = \"web\"".to_owned(),
        ..Plan::default()
    };
    let mut site = Site::start_unready(&plan);
    let missing = wait_for("the condition of the template", PATIENCE, || {
        let (_, ready) = site.daemon.api("GET", "/v1/ready").ok()?;
        let conditions = ready["conditions"].as_array()?.clone();
        let is_said = |reason: &str| reason.contains("link br0 names");
        conditions
            .into_iter()
            .find(|condition| condition["name"] == "template web" && condition["reason"].as_str().is_some_and(is_said))
    });
    assert!(text(&missing, "reason").contains("link br0 names"), "{missing}");
    wait_for("the event of the missing template", PATIENCE, || {
        let events = site.daemon.items("/v1/events").ok()?;
        events.into_iter().find(|event| event["kind"] == "template-missing")
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    // Nobody waits for an instance.
    let leased = client.address(PATIENCE).unwrap();

    let ready = format!("ready.tcp={TEST_PORT}");
    let image = format!("image={TEST_IMAGE}");
    let create = ["template", "create", "web", &image, &ready, "memory=64MiB", "grace=1s"];
    assert_eq!(
        cli(&site, &create),
        (0, "template web, version 1: created\n".to_owned())
    );
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    assert_eq!(
        (&instance["template"], &instance["version"], &instance["outdated"]),
        (&"web".into(), &1.into(), &false.into())
    );

    let (code, said) = cli(&site, &["template", "set", "web", "pids=64"]);
    assert_eq!((code, said.as_str()), (0, "template web, version 2: in force\n"));
    let kept = site.wait_ready_for(leased);
    assert_eq!(
        (&kept["id"], &kept["version"], &kept["outdated"]),
        (&instance["id"], &1.into(), &true.into())
    );
    let (_, listed) = cli(&site, &["ls", "-o", "wide"]);
    assert!(listed.contains("web, version 1, outdated"), "{listed}");
    let (code, said) = cli(&site, &["template", "remove", "web"]);
    assert!(code == 1 && said.contains("link br0 names it"), "{said}");
    let (code, said) = cli(&site, &["template", "set", "web", "imag=x", "pids=0"]);
    assert!(
        code == 64 && said.contains("did you mean \"image\"?") && said.contains("pids: 0"),
        "{said}"
    );

    // The catalog is the same after a restart.
    site.daemon.stop().unwrap();
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let after = site.wait_ready_for(leased);
    assert_eq!((&after["id"], &after["outdated"]), (&instance["id"], &true.into()));
    // `check` finds it in the database, and misses one that nobody declares.
    let check = |site: &Site| {
        let file = site.daemon.place().join("settings.toml").display().to_string();
        cli(site, &["check", "--settings", &file])
    };
    let (_, said) = check(&site);
    assert!(!said.contains("no template") && said.contains(TEST_IMAGE), "{said}");
    let file = site.daemon.place().join("settings.toml");
    let written = fs::read_to_string(&file)
        .unwrap()
        .replace("template = \"web\"", "template = \"webb\"");
    fs::write(&file, written).unwrap();
    let (code, said) = check(&site);
    assert!(
        code == 64 && said.contains("link[0].template: there is no template \"webb\"; did you mean \"web\"?"),
        "{said}"
    );
    let (code, said) = cli(&site, &["reload"]);
    assert!(code == 64 && said.contains("no template \"webb\""), "{said}");
    let kinds: Vec<Value> = site.event_kinds().into_iter().map(Value::from).collect();
    assert!(
        kinds.contains(&"template-created".into()) && kinds.contains(&"template-changed".into()),
        "{kinds:?}"
    );
}
