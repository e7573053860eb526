//! The systemd unit: as systemd reads it, and whether the privileges that it leaves are enough.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::unistd::Group;
use orchestrator_lab::{Daemon, Dhclient, Engine, Lab, Link, Settings, TEST_PORT, wait_for};

const BINARY: &str = env!("CARGO_BIN_EXE_orchestrator");

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The unit, with a program that is on this machine in place of the one that is installed.
fn unit() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/orchestrator.service");
    let text = fs::read_to_string(path).unwrap();
    let installed = "=/usr/local/bin/orchestrator ";
    assert_eq!(text.matches(installed).count(), 2, "ExecStart and ExecReload");
    text.replace(installed, &format!("={BINARY} "))
}

/// The value of a key of the unit.
fn value(key: &str) -> String {
    let unit = unit();
    let value = |line: &str| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_owned());
    unit.lines().find_map(value).unwrap_or_else(|| panic!("{key}"))
}

/// The capabilities that the unit leaves, as setpriv names them: `-all,+net_admin,…`.
fn bounding_set() -> String {
    let names = value("CapabilityBoundingSet");
    let names = names
        .split(' ')
        .map(|name| format!("+{}", name.strip_prefix("CAP_").unwrap().to_lowercase()));
    std::iter::once("-all".to_owned())
        .chain(names)
        .collect::<Vec<_>>()
        .join(",")
}

#[test]
fn systemd_accepts_the_unit() {
    let directory = std::env::temp_dir().join(format!("orchestrator-systemd-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let path = directory.join("orchestrator.service");
    fs::write(&path, unit()).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&path)
        .output();
    fs::remove_dir_all(&directory).unwrap();
    let output = output.expect("systemd-analyze runs; the package systemd has it");
    let said = String::from_utf8_lossy(&output.stderr);
    // It also reads units of the machine, which are none of ours.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("orchestrator")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn the_privileges_of_the_unit_are_enough_for_an_instance() {
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let confined = lab.place("confined").unwrap().join("orchestrator");
    let script = format!(
        "#!/bin/sh\nexec setpriv --bounding-set={} --inh-caps=-all --no-new-privs {BINARY} \"$@\"\n",
        bounding_set()
    );
    fs::write(&confined, script).unwrap();
    fs::set_permissions(&confined, Permissions::from_mode(0o755)).unwrap();
    let engine = Engine::shared().url();
    let mut daemon = Daemon::start(&host, &confined, |place| {
        let ready = format!("ready = {{ tcp = {TEST_PORT}, within = \"30s\" }}\ngrace = \"0s\"");
        let settings = Settings::new(place).api("group = \"games\"").engine(&engine);
        settings.link(Link::new("br0").template(&ready)).text()
    })
    .unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    let games = Group::from_name("games").unwrap().expect("Debian has it");
    assert_eq!(
        fs::metadata(daemon.place().join("api.sock")).unwrap().gid(),
        games.gid.as_raw()
    );

    let machine = lab.namespace("client").unwrap();
    machine.disable_dad().unwrap();
    machine.connect("eth0", &host, "port0", Some("br0")).unwrap();
    // dhclient makes its IAID of the last four bytes, and cannot read its own lease where all of them are printable
    // and one is a quote or a backslash: a random address would do that one time in six hundred.
    machine.ip("link set eth0 address 02:00:00:00:00:01").unwrap();
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    let only = || daemon.items("/v1/instances").ok()?.into_iter().next();
    let instance = wait_for("the instance to be ready", PATIENCE, || {
        only().filter(|only| only["phase"] == "ready")
    });
    // Taking down needs privileges, too.
    let path = format!("/v1/instances/{}", instance["id"].as_str().unwrap());
    assert_eq!(daemon.api("DELETE", &path).unwrap().0, 202);
    wait_for("the instance to go", PATIENCE, || only().is_none().then_some(()));
}

#[test]
fn a_reload_of_the_unit_fails_when_the_settings_are_wrong() {
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let settings = |place: &str| Settings::new(place).text();
    let mut daemon = Daemon::start(&host, Path::new(BINARY), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    let place = daemon.place().display().to_string();
    let command = value("ExecReload");
    let reload = || {
        let mut words = command.split(' ');
        let output = Command::new(words.next().unwrap())
            .args(words)
            .env("ORCHESTRATOR_API", format!("unix:{place}/api.sock"))
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(reload(), (true, String::new()));
    fs::write(
        daemon.place().join("settings.toml"),
        settings(&place) + "[log]\nlevel = \"loud\"",
    )
    .unwrap();
    let (success, said) = reload();
    assert!(!success && said.starts_with("log.level: "), "{said}");
}
