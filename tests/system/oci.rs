//! Instances by runc, through the helper: without a daemon of somebody else.

use std::fs;
use std::os::unix::fs::MetadataExt;

use orchestrator_lab::{
    Daemon, Dhclient, Lab, Link, Oci, REGISTRY_PASSWORD, Registry, RegistryAuth, Settings, TEST_IMAGE, TEST_PORT,
    oci_program, wait_for,
};
use serde_json::{Value, json};

use crate::images::{login, succeeds};
use crate::site::{BINARY, PATIENCE, Site, address, text};

/// A site whose engine is a helper of its own. Its section of the settings has these lines, too.
pub(crate) fn site(lines: &str) -> (Oci, Site) {
    site_running(lines, "")
}

/// The same, whose template has further lines, too.
fn site_running(lines: &str, of_template: &str) -> (Oci, Site) {
    let lab = Lab::new().unwrap();
    let oci = Oci::start(&lab, &oci_program(BINARY.as_ref()).unwrap()).unwrap();
    oci.import_test_image().unwrap();
    let host = lab.namespace("host").unwrap();
    let settings = |place: &str| {
        let template = format!(
            "engine = \"oci\"\nready = {{ tcp = {TEST_PORT}, within = \"30s\" }}\ngrace = \"0s\"\n{of_template}"
        );
        let link = Link::new("br0").template(&template);
        Settings::new(place).with(&oci.section(lines)).link(link).text()
    };
    let mut daemon = Daemon::start(&host, BINARY.as_ref(), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    (oci, Site { lab, host, daemon })
}

/// All containers that the helper has.
fn containers(oci: &Oci) -> Vec<Value> {
    let listed = oci.ask("GET", "/v1/by-hand", None).unwrap();
    listed.as_array().unwrap().clone()
}

/// The process of the only container that runs, and which network namespace it is in.
fn process(oci: &Oci) -> Option<(u64, u64)> {
    let containers = containers(oci);
    let pid = containers.first()?["state"]["running"]["pid"].as_u64()?;
    let namespace = fs::metadata(format!("/proc/{pid}/ns/net")).ok()?;
    Some((pid, namespace.ino()))
}

#[test]
fn a_process_that_ends_at_once_is_told_of_by_its_exit_code() {
    let (_oci, site) = site_running("", "command = [\"sh\", \"-c\", \"echo no place; exit 4\"]");
    let machines: Vec<_> = (0..6).map(|number| site.machine(&format!("m{number}"))).collect();
    let mut clients: Vec<_> = machines
        .iter()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap())
        .collect();
    for client in &mut clients {
        client.address(PATIENCE).unwrap();
    }
    // Whether it ends before, while or after it is wired.
    wait_for("each to have failed twice", PATIENCE, || {
        let instances = site.instances();
        let failed = |instance: &Value| instance["attempts"].as_u64() >= Some(2);
        (instances.len() == 6 && instances.iter().all(failed)).then_some(())
    });
    let events = site.daemon.items("/v1/events?limit=1000").unwrap();
    let of = |kind: &str| {
        let of_kind = events.iter().filter(|event| event["kind"] == kind);
        of_kind.map(|event| text(event, "detail")).collect::<Vec<_>>()
    };
    let failures = of("instance-failed");
    assert!(
        failures.len() >= 6 && failures.iter().all(|detail| detail.contains("exit code 4")),
        "{failures:?}"
    );
    let outputs = of("instance-output");
    assert!(
        outputs.len() >= 6 && outputs.iter().all(|detail| detail == "no place"),
        "{outputs:?}"
    );
}

#[test]
fn a_client_gets_an_instance_by_runc_for_as_long_as_its_lease() {
    for (lines, keeps_namespace) in [("", false), ("prepared = true", true)] {
        let (oci, site) = site(lines);
        let machine = site.machine("client");
        let mut client = Dhclient::boot(&machine, "eth0").unwrap();
        let leased = client.address(PATIENCE).unwrap();
        let instance = site.wait_ready_for(leased);
        machine.tcp(address(&instance), TEST_PORT, PATIENCE).unwrap();

        // Somebody kills it: it is the same container again, with another process.
        let (pid, namespace) = process(&oci).unwrap();
        let reference = text(&containers(&oci)[0]["container"], "reference").to_owned();
        oci.ask("POST", &format!("/v1/by-hand/{reference}"), Some(&json!("kill")))
            .unwrap();
        let again = wait_for("another process", PATIENCE, || {
            process(&oci).filter(|(other, _)| *other != pid)
        });
        // The number of a namespace that ended may be that of the next one.
        assert!(again.1 == namespace || !keeps_namespace);
        let instance = site.wait_ready_for(leased);
        machine.tcp(address(&instance), TEST_PORT, PATIENCE).unwrap();
        assert_eq!(text(&containers(&oci)[0]["container"], "reference"), reference);

        client.release().unwrap();
        site.wait_none();
        assert!(site.host_ends().is_empty());
        assert_eq!(containers(&oci), Vec::<Value>::new());
        wait_for("all shims to end", PATIENCE, || {
            oci.shims().unwrap().is_empty().then_some(())
        });
    }
}

#[test]
fn an_image_is_fetched_from_a_registry_and_removed_when_nothing_uses_it() {
    let (oci, site) = site("");
    let registry = Registry::start(&site.host, RegistryAuth::Bearer).unwrap();
    let archive = oci.archive("web:1", "one").unwrap();
    let image = registry.publish(&archive, "web", "1", site.daemon.place()).unwrap();
    let refused = site.daemon.cli(&["image", "pull", &image]).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("registry login"),
        "the way out is named: {said}"
    );
    login(&site, registry.host(), REGISTRY_PASSWORD);
    let cli = |arguments: &[&str]| succeeds(&site.daemon.cli(arguments).unwrap());
    let pulled = cli(&["image", "pull", &image]);
    assert!(pulled.contains(&format!("{image}: there on engine oci")), "{pulled}");
    let listed = cli(&["image", "ls"]);
    let line = listed.lines().find(|line| line.contains(&image)).unwrap();
    assert!(line.contains("pulled"), "{listed}");
    let pruned = cli(&["image", "prune", "--keep", "0"]);
    assert!(pruned.contains(&image) && pruned.contains("removed"), "{pruned}");
    let listed = cli(&["image", "ls"]);
    assert!(!listed.contains(&image) && listed.contains(TEST_IMAGE), "{listed}");
    assert!(!site.daemon.log().contains(REGISTRY_PASSWORD) && !oci.log().contains(REGISTRY_PASSWORD));
}

#[test]
fn an_instance_outlives_helper_and_daemon() {
    let (oci, mut site) = site("");
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let before = process(&oci).unwrap();
    // Without the daemon, nobody would tell the client's machine the way to its link.
    machine.tcp(address(&instance), TEST_PORT, PATIENCE).unwrap();

    oci.kill9();
    site.daemon.kill9();
    machine.tcp(address(&instance), TEST_PORT, PATIENCE).unwrap();
    oci.resume().unwrap();
    site.daemon.resume().unwrap();
    assert_eq!(site.wait_ready_for(leased)["id"], instance["id"]);
    assert_eq!(process(&oci).unwrap(), before);
    machine.tcp(address(&instance), TEST_PORT, PATIENCE).unwrap();

    client.release().unwrap();
    site.wait_none();
    assert_eq!(containers(&oci), Vec::<Value>::new());
}
