//! Checks of services with a real engine, by connecting and by a command, and services with an instance for each client.

use std::collections::BTreeSet;
use std::fs;

use orchestrator_lab::{Dhclient, Namespace, wait_for};
use serde_json::Value;

use crate::balancer::deploy;
use crate::dns::{asked, records};
use crate::oci::site;
use crate::services::{line, serving_of};
use crate::site::{PATIENCE, Site};

/// A service with two instances that run a web server beside a process that stays, and are checked like this.
fn checked(site: &Site, health: &str) -> String {
    let path = site.daemon.place().join("web.toml");
    let keys = format!(
        "name = \"web\"\ninstances = 2\nnetwork = \"br0\"\nengine = \"oci\"\nimage = \"orchestrator/test\"\n\
         command = [\"sh\", \"-c\", \"httpd -p [::]:80 -h /www; while sleep 1; do :; done\"]\n\
         ports = {{ http = 80 }}\nhealth = {{ {health}, every = \"500ms\", failures = 2, successes = 1 }}\n\
         strategy = {{ drain = \"1s\", within = \"30s\" }}\n"
    );
    fs::write(&path, keys).unwrap();
    path.display().to_string()
}

/// Where clients are led by the name of a service.
fn named(machine: &Namespace, service: &str) -> BTreeSet<String> {
    let name = format!("{service}.service.home.arpa");
    let answer = asked(machine, &[&name, "AAAA"]).unwrap_or_default();
    records(&answer).into_iter().collect()
}

/// The endpoints that serve are these addresses, and the name leads to them alone.
fn are_led(site: &Site, machine: &Namespace, service: &str, count: usize) -> BTreeSet<(String, String)> {
    wait_for(&format!("{count} of {service} by name"), PATIENCE, || {
        let serving = serving_of(site, service);
        let addresses: BTreeSet<String> = serving.iter().map(|(_, address)| address.clone()).collect();
        (serving.len() == count && named(machine, service) == addresses).then_some(serving)
    })
}

#[test]
fn an_instance_whose_checks_fail_is_led_to_by_nobody_and_is_replaced() {
    let (_oci, site) = site("");
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    for (health, harm, found) in [
        ("tcp = \"http\"", "busybox killall httpd", "refuses connections"),
        ("exec = [\"sh\", \"-c\", \"[ ! -e /tmp/ill ]\"]", ": > /tmp/ill", "exit"),
    ] {
        deploy(&site, &checked(&site, health));
        let before = are_led(&site, &machine, "web", 2);
        let (ill, address) = before.first().unwrap();
        let (out, err, code) = line(&site, &["exec", ill, "--", "sh", "-c", harm]);
        assert_eq!(code, 0, "{out}{err}");
        wait_for("the name to lead elsewhere", PATIENCE, || {
            (!named(&machine, "web").contains(address)).then_some(())
        });
        let events = site.daemon.items("/v1/events").unwrap();
        let failing = events.iter().find(|event| {
            let detail = event["detail"].as_str().unwrap_or_default();
            event["instance"] == ill.as_str() && event["kind"] == "health-changed" && detail.contains("is failing")
        });
        let detail = failing.unwrap()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(found), "{health}: {detail}");
        let after = wait_for("another instance", PATIENCE, || {
            let after = are_led(&site, &machine, "web", 2);
            (after.iter().all(|(id, _)| id != ill)).then_some(after)
        });
        assert_eq!(
            after.intersection(&before).count(),
            1,
            "the healthy one stays: {health}"
        );
        let (_, err, code) = line(&site, &["undeploy", "web"]);
        assert_eq!(code, 0, "{err}");
    }
}

#[test]
fn each_client_with_a_lease_has_an_instance_of_the_service_that_ends_with_the_lease() {
    let (_oci, site) = site("");
    let path = site.daemon.place().join("own.toml");
    let keys = "name = \"own\"\ninstances = \"per-client\"\nlink = \"br0\"\nengine = \"oci\"\nimage = \"orchestrator/test\"\n\
                ports = { http = 80 }\nready = { tcp = 80, within = \"30s\" }\ngrace = \"0s\"\n";
    fs::write(&path, keys).unwrap();
    deploy(&site, &path.display().to_string());
    let boot = |name: &str| {
        let machine = site.machine(name);
        let mut client = Dhclient::boot(&machine, "eth0").unwrap();
        client.address(PATIENCE).unwrap();
        (machine, client)
    };
    let (one, mut client_one) = boot("one");
    let first = are_led(&site, &one, "own", 1);
    let (two, _client_two) = boot("two");
    let both = are_led(&site, &two, "own", 2);
    assert!(both.is_superset(&first));
    let instances = site.daemon.items("/v1/instances").unwrap();
    let of_service = |instance: &&Value| instance["slot"].as_str().is_some_and(|slot| slot != "default");
    let owners: BTreeSet<String> = instances
        .iter()
        .filter(of_service)
        .map(|one| one["owner"].to_string())
        .collect();
    assert_eq!(
        (owners.len(), instances.len()),
        (2, 4),
        "one of the template and one of the service each: {instances:?}"
    );
    for (_, address) in &first {
        assert_eq!(one.get(address.parse().unwrap(), 80, "/").unwrap().status, 200);
    }
    client_one.release().unwrap();
    let left = are_led(&site, &two, "own", 1);
    assert_eq!(
        left.intersection(&first).count(),
        0,
        "the one of the released lease is gone"
    );
}
