//! Taking everything away: what the daemon made goes, what others made stays.

use std::net::Ipv6Addr;
use std::process::Output;
use std::time::Duration;

use orchestrator_lab::{Dhclient, Engine, Lab, Namespace, TEST_IMAGE, TEST_PORT};
use serde_json::{Value, json};

use crate::site::{PATIENCE, PREFIX, Plan, Site, address};

/// How long a connection may take that is dropped.
const LIMIT: Duration = Duration::from_secs(3);

impl Site {
    /// Runs `teardown` with the daemon's settings. Nobody can be asked.
    fn teardown(&self, arguments: &[&str]) -> Output {
        let settings = self.daemon.place().join("settings.toml").display().to_string();
        let all = [&["teardown", "--settings", &settings][..], arguments].concat();
        self.daemon.cli(&all).unwrap()
    }

    fn tables(&self) -> String {
        self.host.run("nft", &["list", "tables"]).unwrap()
    }

    fn has(&self, interface: &str) -> bool {
        self.host.ip(&format!("link show dev {interface}")).is_ok()
    }
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let [said, complained] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert_eq!(output.status.code(), Some(code), "{said}{complained}");
    said + &complained
}

/// The ids of all containers of an engine that some daemon made.
fn marked(engine: &Engine) -> Vec<Value> {
    let all = engine.containers().unwrap();
    all.into_iter()
        .filter(|one| one["Labels"]["orchestrator.instance"].is_string())
        .collect()
}

/// A container that no daemon made.
fn container_of_others(engine: &Engine) -> String {
    let wanted = json!({ "Image": TEST_IMAGE });
    let made = engine
        .api("POST", "/containers/create?name=others", Some(&wanted))
        .unwrap();
    made.json().unwrap()["Id"].as_str().unwrap().to_owned()
}

fn reaches(machine: &Namespace, address: Ipv6Addr) -> bool {
    machine.tcp(address, TEST_PORT, LIMIT).is_ok()
}

#[test]
fn all_that_bears_the_mark_goes_and_what_others_made_stays() {
    // An engine of its own: others would see their containers go.
    let engine = Engine::start(&Lab::new().unwrap().namespace("engine").unwrap()).unwrap();
    engine.import_test_image().unwrap();
    let link = format!("isolation = true\nfront_door = \"{PREFIX}::d0\"");
    let mut site = Site::start(&Plan {
        link,
        ..Plan::on(&engine)
    });
    // With a front door, this machine routes what instances answer.
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let machines = ["one", "two"].map(|name| site.machine(name));
    let mut clients = machines
        .each_ref()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap());
    let leased: [Ipv6Addr; 2] = clients.each_mut().map(|client| client.address(PATIENCE).unwrap());
    let instances = leased.map(|leased| address(&site.wait_ready_for(leased)));
    let others = container_of_others(&engine);
    site.host.run("nft", &["add", "table", "inet", "others"]).unwrap();
    site.host.ip("link add others0 type veth peer name others1").unwrap();
    site.host
        .ip("route add unreachable fd99::/64 proto 111 metric 7")
        .unwrap();

    // Beside a running daemon nothing is removed.
    let refused = said(&site.teardown(&["--yes"]), 1);
    assert!(
        refused.contains("nothing was removed") && refused.contains("systemctl stop"),
        "{refused}"
    );

    site.daemon.kill9();
    assert!(reaches(&machines[0], instances[0]), "what was allowed stays allowed");
    assert!(!reaches(&machines[0], instances[1]), "and the rest closed");

    let listed = said(&site.teardown(&["--dry-run"]), 0);
    for (what, count) in [
        ("container ", 2),
        ("interface or", 2),
        ("tables of the packet filter", 1),
        ("bridge br0", 1),
    ] {
        let lines = listed
            .lines()
            .filter(|line| line.starts_with(what) && line.contains("would go"));
        assert_eq!(lines.count(), count, "{what}: {listed}");
    }
    assert!(
        listed.contains(&format!("address {PREFIX}::d0 of bridge br0")),
        "{listed}"
    );
    let unasked = said(&site.teardown(&[]), 1);
    assert!(unasked.contains("--yes"), "{unasked}");
    assert_eq!(
        (marked(&engine).len(), site.host_ends().len()),
        (2, 2),
        "nothing is removed unasked"
    );
    assert!(site.tables().contains("orchestrator-"));

    // The cables of the clients are in the bridge, which is kept for them.
    let kept = said(&site.teardown(&["--yes"]), 1);
    assert!(kept.contains("bridge br0 has 2 ports that are not ours"), "{kept}");
    assert_eq!(marked(&engine), Vec::<Value>::new());
    assert_eq!(site.host_ends(), Vec::<String>::new());
    assert!(!site.tables().contains("orchestrator-"), "{}", site.tables());
    assert!(
        !site
            .host
            .ip("-6 address show")
            .unwrap()
            .contains(&format!("{PREFIX}::d0/")),
        "the front door"
    );
    assert!(site.has("br0"));

    let last = said(&site.teardown(&["--yes", "--used-bridges"]), 0);
    assert!(last.contains("bridge br0") && last.contains("removed"), "{last}");
    assert!(!site.has("br0"));
    assert_eq!(
        said(&site.teardown(&["--yes"]), 0).trim(),
        "nothing bears the mark of this site"
    );

    // What others made.
    assert!(site.tables().contains("table inet others"), "{}", site.tables());
    assert!(
        ["others0", "others1", "p-one", "p-two"]
            .iter()
            .all(|interface| site.has(interface))
    );
    assert!(site.host.ip("-6 route show").unwrap().contains("fd99::/64"));
    let containers = engine.containers().unwrap();
    assert!(
        containers.iter().any(|one| one["Id"] == others.as_str()),
        "{containers:#?}"
    );

    // The database stays: the daemon makes everything again.
    site.daemon.resume().unwrap();
    let again = leased.map(|leased| address(&site.wait_ready_for(leased)));
    assert_eq!(again, instances);
}

#[test]
fn volumes_go_only_where_that_is_asked_for() {
    let mut site = Site::start(&Plan {
        template: Some("grace = \"1s\"\n[[template.default.volume]]\nname = \"data\"\ntarget = \"/data\"".to_owned()),
        ready: None,
        ..Plan::default()
    });
    let machine = site.machine("one");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    site.wait_ready_for(client.address(PATIENCE).unwrap());
    let volumes = site.daemon.items("/v1/volumes").unwrap();
    assert_eq!(volumes.len(), 1, "{volumes:#?}");
    site.daemon.kill9();
    let kept = said(&site.teardown(&["--yes", "--used-bridges"]), 0);
    assert!(!kept.contains("volume "), "{kept}");
    let gone = said(&site.teardown(&["--yes", "--volumes"]), 0);
    let id = volumes[0]["id"].as_str().unwrap();
    assert!(
        gone.contains(&format!("volume {id}")) && gone.contains("removed"),
        "{gone}"
    );
    assert_eq!(
        said(&site.teardown(&["--yes", "--volumes"]), 0).trim(),
        "nothing bears the mark of this site"
    );
}
