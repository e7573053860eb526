//! `orchestrator doctor` on the running system: each fault is made for real, found, and mended where that is safe.

use std::process::Command;

use orchestrator_lab::{Daemon, Dhclient, Engine, Lab, Namespace, wait_for};
use serde_json::{Value, json};

use crate::site::{BINARY, PATIENCE, Plan, Site, host_end, text};

/// Runs the doctor of a daemon, and returns its exit code and its findings.
pub(crate) fn doctor(daemon: &Daemon, arguments: &[&str]) -> (i32, Value) {
    let settings = daemon.place().join("settings.toml");
    let mut all = vec!["doctor", "-o", "json", "--settings", settings.to_str().unwrap()];
    all.extend(arguments);
    let output = daemon.cli(&all).unwrap();
    let found = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), found)
}

/// The finding of this code, if there is one.
fn finding(found: &Value, code: &str) -> Option<Value> {
    let all = found["findings"].as_array().unwrap();
    all.iter().find(|one| one["code"] == code).cloned()
}

#[track_caller]
pub(crate) fn has(found: &Value, code: &str) -> Value {
    finding(found, code).unwrap_or_else(|| panic!("no {code} in {found:#}"))
}

#[track_caller]
fn lacks(found: &Value, code: &str) {
    assert_eq!(finding(found, code), None, "{found:#}");
}

fn state(found: &Value, area: &str) -> String {
    let areas = found["areas"].as_array().unwrap();
    text(areas.iter().find(|one| one["area"] == area).unwrap(), "state")
}

/// A site whose clients get prefixes, so that the machine has to forward.
fn delegating() -> Plan {
    Plan {
        link: "[[link.delegation]]\npool = \"fd40:7::/48\"\nlength = 64\n".to_owned(),
        template: None,
        ..Plan::default()
    }
}

#[test]
fn forwarding_that_is_off_is_found_and_mended() {
    let site = Site::start(&delegating());
    site.host.sysctl("net.ipv6.conf.all.forwarding", "0").unwrap();
    let (code, found) = doctor(&site.daemon, &[]);
    assert_eq!(code, 1, "{found:#}");
    assert_eq!(has(&found, "forwarding-off")["fixable"], true);
    let (_, mended) = doctor(&site.daemon, &["--fix"]);
    lacks(&mended, "forwarding-off");
    let done = mended["done"][0]["what"].as_str().unwrap();
    assert!(done.contains("net.ipv6.conf.all.forwarding=1"), "{mended:#}");
    let (_, again) = doctor(&site.daemon, &["--fix"]);
    assert_eq!(again["done"], json!([]), "nothing is left to be done");
    assert_eq!(state(&again, "forwarding"), "healthy");
}

#[test]
fn a_healthy_site_has_no_errors() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    site.wait_ready_for(client.address(PATIENCE).unwrap());
    let (code, found) = doctor(&site.daemon, &[]);
    assert_eq!(found["daemon"], "running");
    let errors: Vec<&Value> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["severity"] == "error")
        .collect();
    assert_eq!((code, errors), (0, Vec::new()), "{found:#}");
    for area in [
        "daemon",
        "forwarding",
        "links",
        "kernel",
        "engines",
        "images",
        "database",
        "rules",
        "strays",
        "lost",
    ] {
        assert_eq!(state(&found, area), "healthy", "{area}: {found:#}");
    }
}

#[test]
fn a_bridge_of_somebody_else_on_which_any_router_is_followed_is_found() {
    let plan = Plan {
        engine: "unix:///nonexistent/docker.sock".to_owned(),
        template: None,
        ..Plan::default()
    };
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    host.bridge("br0", None).unwrap();
    let daemon = Daemon::start(&host, BINARY.as_ref(), |place| plan.settings(place)).unwrap();
    let mut site = Site { lab, host, daemon };
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    for (key, value, is_found) in [
        ("forwarding", "0", true),
        ("forwarding", "1", false),
        ("accept_ra", "2", true),
    ] {
        site.host.sysctl(&format!("net.ipv6.conf.br0.{key}"), value).unwrap();
        let (_, found) = doctor(&site.daemon, &[]);
        assert_eq!(
            finding(&found, "router-accepted").is_some(),
            is_found,
            "{key}={value}: {found:#}"
        );
    }
}

#[test]
fn an_interface_that_nobody_knows_is_found_and_removed() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    // Another one with the mark of this site, whose instance was never recorded.
    let alias = site
        .host
        .ip_json(&format!("link show {}", host_end(&instance)))
        .unwrap();
    let group = text(&alias[0], "group");
    let alias = text(&alias[0], "ifalias").replace(&text(&instance, "id"), "0ddba110ddba");
    site.host
        .ip("link add or0ddba110ddba type veth peer name stray")
        .unwrap();
    site.host
        .ip(&format!("link set or0ddba110ddba group {group} alias {alias}"))
        .unwrap();
    let (_, found) = doctor(&site.daemon, &[]);
    assert!(
        text(&has(&found, "stray-interface"), "what").contains("or0ddba110ddba"),
        "{found:#}"
    );
    let (_, mended) = doctor(&site.daemon, &["--fix"]);
    lacks(&mended, "stray-interface");
    assert!(site.host.ip("link show or0ddba110ddba").is_err(), "it is still there");
    assert!(
        site.host.ip(&format!("link show {}", host_end(&instance))).is_ok(),
        "the instance's own is gone"
    );
}

/// A site on an engine of its own, with one client that has its instance.
fn on_own_engine() -> (Engine, Site, Namespace, Dhclient, Value) {
    let engine = Engine::start(&Lab::new().unwrap().namespace("engine").unwrap()).unwrap();
    engine.import_test_image().unwrap();
    let site = Site::start(&Plan::on(&engine));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    (engine, site, machine, client, instance)
}

#[test]
fn a_container_that_nobody_knows_is_found_and_removed() {
    let (engine, site, _machine, _client, instance) = on_own_engine();
    let path = format!("/containers/{}/json", text(&instance, "reference"));
    let inspected = engine.api("GET", &path, None).unwrap().json().unwrap();
    let mut labels = inspected["Config"]["Labels"].clone();
    labels["orchestrator.instance"] = json!("0ddba110ddba");
    let body =
        json!({ "Image": inspected["Config"]["Image"], "Labels": labels, "HostConfig": { "NetworkMode": "none" } });
    let made = engine
        .api("POST", "/containers/create", Some(&body))
        .unwrap()
        .json()
        .unwrap();
    let (_, found) = doctor(&site.daemon, &[]);
    assert!(
        text(&has(&found, "stray-container"), "what").contains("0ddba110ddba"),
        "{found:#}"
    );
    let (_, mended) = doctor(&site.daemon, &["--fix"]);
    lacks(&mended, "stray-container");
    let gone = engine
        .api("GET", &format!("/containers/{}/json", text(&made, "Id")), None)
        .unwrap();
    assert_eq!(gone.status, 404);
    assert_eq!(site.in_phase("ready").len(), 1, "the instance that is known stays");
}

#[test]
fn an_engine_that_is_stopped_is_found_and_its_instances_are_not_called_lost() {
    let (engine, site, _machine, _client, _instance) = on_own_engine();
    engine.kill9().unwrap();
    let (code, found) = doctor(&site.daemon, &[]);
    assert_eq!(code, 1);
    has(&found, "engine-away");
    lacks(&found, "instance-lost");
    lacks(&found, "image-missing");
    engine.resume().unwrap();
    let healthy = wait_for("the engine to be found", PATIENCE, || {
        let (_, found) = doctor(&site.daemon, &[]);
        finding(&found, "engine-away").is_none().then_some(found)
    });
    assert_eq!(state(&healthy, "images"), "healthy");
}

#[test]
fn an_image_that_is_gone_is_found() {
    let engine = Engine::start(&Lab::new().unwrap().namespace("engine").unwrap()).unwrap();
    let site = Site::start_unready(&Plan::on(&engine));
    let found = wait_for("the daemon to have its database", PATIENCE, || {
        let (_, found) = doctor(&site.daemon, &[]);
        (found["daemon"] == "running").then_some(found)
    });
    assert!(
        text(&has(&found, "image-missing"), "mend").contains("orchestrator image"),
        "{found:#}"
    );
}

#[test]
fn without_a_daemon_the_machine_is_examined_and_mended_all_the_same() {
    let mut site = Site::start(&delegating());
    site.host.sysctl("net.ipv6.conf.all.forwarding", "0").unwrap();
    site.daemon.kill9();
    let (code, found) = doctor(&site.daemon, &[]);
    assert_eq!((code, text(&found, "daemon").as_str()), (1, "stopped"));
    has(&found, "daemon-stopped");
    has(&found, "forwarding-off");
    lacks(&found, "database-away");
    assert_eq!(state(&found, "lost"), "unknown", "only the daemon knows");
    let (_, mended) = doctor(&site.daemon, &["--fix"]);
    lacks(&mended, "forwarding-off");
    has(&mended, "daemon-stopped");
}

/// The name of the tables of the site's packet filter.
fn tables(site: &Site) -> String {
    let listed = site.host.run("nft", &["list", "tables"]).unwrap();
    let mut names = listed
        .split_whitespace()
        .filter(|word| word.starts_with("orchestrator-"));
    // The other table only logs the ports of clients.
    let name = names.find(|name| !name.contains("origins"));
    name.unwrap_or_else(|| panic!("no tables of ours: {listed}")).to_owned()
}

#[test]
fn rules_that_are_missing_are_found_while_the_daemon_is_stopped() {
    let mut site = Site::start(&Plan {
        link: "isolation = true\n".to_owned(),
        ..Plan::default()
    });
    wait_for("the rules to be loaded", PATIENCE, || {
        let (_, found) = doctor(&site.daemon, &[]);
        (state(&found, "rules") == "healthy").then_some(())
    });
    let table = tables(&site);
    site.daemon.kill9();
    lacks(&doctor(&site.daemon, &[]).1, "rules-missing");
    site.host.run("nft", &["delete", "table", "bridge", &table]).unwrap();
    let found = has(&doctor(&site.daemon, &[]).1, "rules-missing");
    assert!(text(&found, "means").contains("br0"), "{found:#}");
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    wait_for("the rules to be loaded again", PATIENCE, || {
        let (_, found) = doctor(&site.daemon, &[]);
        (state(&found, "rules") == "healthy").then_some(())
    });
}

#[test]
fn dockers_chain_is_found_where_it_drops_what_is_routed() {
    let site = Site::start(&delegating());
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    lacks(&doctor(&site.daemon, &[]).1, "forward-chain-drops");
    site.host.run("nft", &["add", "table", "ip6", "filter"]).unwrap();
    let chain = "{ type filter hook forward priority 0; policy drop; }";
    site.host
        .run("nft", &["add", "chain", "ip6", "filter", "FORWARD", chain])
        .unwrap();
    let (code, found) = doctor(&site.daemon, &[]);
    assert_eq!(code, 1);
    let of_docker = has(&found, "forward-chain-drops");
    assert!(
        text(&of_docker, "mend").contains("ip6tables -I FORWARD -i br0 -j ACCEPT"),
        "{of_docker:#}"
    );
    // What an operator does about it is enough.
    site.host
        .run(
            "nft",
            &["insert", "rule", "ip6", "filter", "FORWARD", "iifname", "br0", "accept"],
        )
        .unwrap();
    lacks(&doctor(&site.daemon, &[]).1, "forward-chain-drops");
}

#[test]
fn dockers_chain_is_found_where_bridged_packets_pass_it() {
    let site = Site::start(&Plan::default());
    site.host.sysctl("net.ipv6.conf.all.forwarding", "0").unwrap();
    site.host.run("nft", &["add", "table", "ip6", "filter"]).unwrap();
    let chain = "{ type filter hook forward priority 0; policy drop; }";
    site.host
        .run("nft", &["add", "chain", "ip6", "filter", "FORWARD", chain])
        .unwrap();
    for (setting, is_found) in [("1", true), ("0", false)] {
        site.host
            .sysctl("net.bridge.bridge-nf-call-ip6tables", setting)
            .unwrap();
        let (_, found) = doctor(&site.daemon, &[]);
        assert_eq!(
            finding(&found, "forward-chain-drops").is_some(),
            is_found,
            "{setting}: {found:#}"
        );
    }
}

/// A small file system, which goes with this.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("doctor-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.to_str().unwrap();
        Self::run("mount", &["-t", "tmpfs", "-o", "size=8m", "tmpfs", path]);
        Self(directory)
    }

    fn run(program: &str, arguments: &[&str]) {
        let status = Command::new(program).args(arguments).status().unwrap();
        assert!(status.success(), "{program} {arguments:?}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A daemon whose database is on a small file system of its own.
struct OnSmallDisk {
    daemon: Daemon,
    _lab: Lab,
    directory: std::path::PathBuf,
    _disk: SmallDisk,
}

impl OnSmallDisk {
    fn start(name: &str) -> Self {
        let lab = Lab::new().unwrap();
        let host = lab.namespace("host").unwrap();
        let plan = delegating();
        let disk = SmallDisk::mount(name);
        let directory = disk.0.clone();
        let url = format!("sqlite://{}/orchestrator.db", directory.display());
        let binary = std::path::Path::new(crate::site::BINARY);
        let mut daemon = Daemon::start(&host, binary, |place| plan.pieces(place).store(&url).text()).unwrap();
        daemon.wait_until_ready(PATIENCE).unwrap();
        Self {
            daemon,
            _lab: lab,
            directory,
            _disk: disk,
        }
    }
}

#[test]
fn a_database_on_a_full_disk_is_found() {
    let small = OnSmallDisk::start("full");
    lacks(&doctor(&small.daemon, &[]).1, "disk-full");
    // As much as there is room for.
    let filled = std::fs::write(small.directory.join("filler"), vec![0; 16 << 20]);
    assert!(filled.is_err(), "the disk took more than it has");
    let (code, found) = doctor(&small.daemon, &[]);
    assert_eq!(code, 1);
    assert!(
        text(&has(&found, "disk-full"), "what").contains("the database"),
        "{found:#}"
    );
}

#[test]
fn a_database_that_cannot_be_written_is_found_while_the_daemon_waits_for_it() {
    let mut small = OnSmallDisk::start("frozen");
    small.daemon.kill9();
    SmallDisk::run("mount", &["-o", "remount,ro", small.directory.to_str().unwrap()]);
    small.daemon.resume().unwrap();
    let (code, found) = doctor(&small.daemon, &[]);
    assert_eq!((code, text(&found, "daemon").as_str()), (1, "starting"), "{found:#}");
    has(&found, "database-away");
    assert!(
        text(&has(&found, "disk-read-only"), "what").contains("the database"),
        "{found:#}"
    );
    SmallDisk::run("mount", &["-o", "remount,rw", small.directory.to_str().unwrap()]);
    small.daemon.wait_until_ready(PATIENCE).unwrap();
    let (_, mended) = doctor(&small.daemon, &[]);
    assert_eq!(state(&mended, "database"), "healthy", "{mended:#}");
}
