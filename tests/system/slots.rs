//! Several templates for one client: an instance of each, each in a slot of its own.

use std::collections::HashSet;

use orchestrator_lab::{Daemon, Dhclient, Lab, TEST_IMAGE, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{BINARY, PATIENCE, Plan, Site, address, host_end, text};

/// A site whose clients get instances of two templates.
fn site() -> Site {
    // Renewals come soon.
    let plan = Plan {
        link: "preferred_lifetime = \"10s\"\nvalid_lifetime = \"1m\"".to_owned(),
        ..Plan::default()
    };
    let settings = |place: &str| {
        let one = plan.settings(place);
        let two = one.replace("template = \"default\"", "template = [\"default\", \"shell\"]");
        format!("{two}[template.shell]\nimage = \"{TEST_IMAGE}\"\nmemory = \"64MiB\"\ngrace = \"1s\"\n")
    };
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let mut daemon = Daemon::start(&host, BINARY.as_ref(), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    Site { lab, host, daemon }
}

fn of_slot<'i>(instances: &'i [Value], slot: &str) -> &'i Value {
    let found = instances.iter().find(|instance| instance["slot"] == slot);
    found.unwrap_or_else(|| panic!("no {slot} among {instances:?}"))
}

#[test]
fn a_client_gets_an_instance_of_each_template_and_loses_all_with_its_lease() {
    let site = site();
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instances = site.wait_ready(2);
    let lease = site.lease(leased).unwrap();
    for (slot, template) in [("default", "default"), ("shell", "shell")] {
        let instance = of_slot(&instances, slot);
        assert_eq!(
            (&instance["template"], &instance["client"]),
            (&template.into(), &lease["client"])
        );
        assert_eq!(
            instance["owner"],
            serde_json::json!({"kind": "client", "name": lease["client"]})
        );
        machine.tcp(address(instance), TEST_PORT, PATIENCE).unwrap();
    }
    let addresses: HashSet<_> = instances.iter().map(address).collect();
    assert_eq!(addresses.len(), 2);
    let ends: HashSet<String> = site.host_ends().into_iter().collect();
    assert_eq!(ends, instances.iter().map(host_end).collect());

    // By its client's name both are meant, and people are told how to choose.
    let unclear = site.daemon.cli(&["rm", &leased.to_string()]).unwrap();
    let said = String::from_utf8(unclear.stderr).unwrap();
    assert!(
        !unclear.status.success() && said.contains("shell") && said.contains("default"),
        "{said}"
    );
    let shell = text(of_slot(&instances, "shell"), "id");
    assert!(site.daemon.cli(&["rm", &shell]).unwrap().status.success());
    // The next lease event fills the slot again, at the address that it had. The other slot is left alone.
    let again = wait_for("another shell", PATIENCE, || {
        let ready = site.in_phase("ready");
        let new = ready
            .iter()
            .any(|instance| instance["slot"] == "shell" && instance["id"] != shell.as_str());
        (new && ready.len() == 2).then_some(ready)
    });
    assert_eq!(
        of_slot(&again, "shell")["address"],
        of_slot(&instances, "shell")["address"]
    );
    assert_eq!(of_slot(&again, "default")["id"], of_slot(&instances, "default")["id"]);
    client.release().unwrap();
    site.wait_none();
    assert!(site.host_ends().is_empty());
    let kinds = site.event_kinds();
    assert_eq!(
        kinds.iter().filter(|kind| *kind == "instance-removed").count(),
        3,
        "{kinds:?}"
    );
}
