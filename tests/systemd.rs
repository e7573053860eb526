//! The systemd units: as systemd reads them, and whether the privileges that they leave are enough.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::Group;
use orchestrator_lab::{Daemon, Dhclient, Engine, Lab, Link, Program, Settings, TEST_PORT, wait_for};

const BINARY: &str = env!("CARGO_BIN_EXE_orchestrator");
const HELPER: &str = env!("CARGO_BIN_EXE_orchestrator-netns");

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The unit of the daemon and that of its helper, each with the number of lines that run its program.
const UNITS: [(&str, usize); 2] = [("orchestrator", 2), ("orchestrator-netns", 1)];

/// A unit, with a program that is on this machine in place of the one that is installed.
fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("systemd/{name}.service"));
    let text = fs::read_to_string(path).unwrap();
    let (_, lines) = UNITS.into_iter().find(|(unit, _)| *unit == name).unwrap();
    let program = match name {
        "orchestrator" => BINARY,
        _ => HELPER,
    };
    let installed = format!("=/usr/local/bin/{name} ");
    assert_eq!(text.matches(&installed).count(), lines, "ExecStart and ExecReload");
    text.replace(&installed, &format!("={program} "))
}

/// The value of a key of a unit.
fn value(name: &str, key: &str) -> String {
    let unit = unit(name);
    let value = |line: &str| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_owned());
    unit.lines().find_map(value).unwrap_or_else(|| panic!("{key}"))
}

/// The capabilities that a unit leaves, as setpriv names them: `-all,+net_admin,…`.
fn bounding_set(name: &str) -> String {
    let names = value(name, "CapabilityBoundingSet");
    let names = names
        .split(' ')
        .map(|name| format!("+{}", name.strip_prefix("CAP_").unwrap().to_lowercase()));
    std::iter::once("-all".to_owned())
        .chain(names)
        .collect::<Vec<_>>()
        .join(",")
}

/// The command that becomes a program with the capabilities of a unit.
fn confined(name: &str) -> String {
    let program = match name {
        "orchestrator" => BINARY,
        _ => HELPER,
    };
    let set = bounding_set(name);
    format!("setpriv --bounding-set={set} --inh-caps=-all --no-new-privs {program}")
}

/// Writes a script into a directory of the lab.
fn script(lab: &Lab, name: &str, text: &str) -> PathBuf {
    let path = lab.place(name).unwrap().join("orchestrator");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn systemd_accepts_the_units() {
    for (name, _) in UNITS {
        let directory = std::env::temp_dir().join(format!("{name}-systemd-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let path = directory.join(format!("{name}.service"));
        fs::write(&path, unit(name)).unwrap();
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
}

/// The helper's unit must share the machine's mounts, or nobody sees what it mounts.
#[test]
fn the_unit_of_the_helper_has_no_mounts_of_its_own() {
    let unit = unit("orchestrator-netns");
    let keys = unit
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='));
    let keys: Vec<&str> = keys.map(|(key, _)| key).collect();
    for own in [
        "ProtectSystem",
        "ProtectHome",
        "PrivateTmp",
        "PrivateDevices",
        "PrivateMounts",
        "ProtectKernelTunables",
        "ProtectKernelModules",
        "ProtectKernelLogs",
        "ProtectControlGroups",
        "ProtectProc",
        "ReadWritePaths",
        "StateDirectory",
        "DynamicUser",
    ] {
        assert!(!keys.contains(&own), "{own} gives the unit mounts of its own");
    }
    assert!(
        keys.contains(&"RuntimeDirectoryPreserve"),
        "namespaces outlive a restart"
    );
}

#[test]
fn the_privileges_of_the_unit_are_enough_for_an_instance() {
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let confined = script(&lab, "confined", &format!("exec {} \"$@\"", confined("orchestrator")));
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

/// The daemon's mounts are its own and show it the namespaces read-only, as `ProtectSystem=strict` does; the helper has
/// the engine's.
#[test]
fn the_privileges_of_both_units_are_enough_for_an_instance_in_a_prepared_namespace() {
    const DIRECTORY: &str = "/run/orchestrator-netns";
    let engine = Engine::shared_podman();
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let beside = |program: &str| engine.command_beside(Path::new(program));
    let helper = script(
        &lab,
        "helper",
        &format!("exec {} {DIRECTORY}", confined("orchestrator-netns")),
    );
    let start = || {
        let mut helper = Program::start(
            engine.command_beside(&helper),
            &lab.place("helper").unwrap().join("log"),
        )
        .unwrap();
        helper
            .poll("the helper's socket", PATIENCE, || {
                let found = beside("test")
                    .args(["-S", &format!("{DIRECTORY}/socket")])
                    .status()
                    .ok()?;
                found.success().then_some(())
            })
            .unwrap();
        helper
    };
    let mut running = start();
    let read_only = format!("mount -o remount,bind,ro {DIRECTORY}");
    let inner = format!("{read_only} && exec {} \"$@\"", confined("orchestrator"));
    let text = format!("exec unshare --mount --propagation slave sh -c '{inner}' sh \"$@\"");
    let daemon = script(&lab, "confined", &text);
    let mut daemon = Daemon::start_beside(engine, &host, &daemon, |place| {
        let ready = format!("ready = {{ tcp = {TEST_PORT}, within = \"30s\" }}\ngrace = \"0s\"");
        let settings = Settings::new(place).engine(&engine.url());
        let text = settings.link(Link::new("br0").template(&ready)).text();
        text.replace("[engine.docker]", "[engine.docker]\nkind = \"podman\"")
    })
    .unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    let machine = lab.namespace("client").unwrap();
    machine.disable_dad().unwrap();
    machine.connect("eth0", &host, "port0", Some("br0")).unwrap();
    machine.ip("link set eth0 address 02:00:00:00:00:01").unwrap();
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    let only = |daemon: &Daemon| daemon.items("/v1/instances").ok()?.into_iter().next();
    let ready = |daemon: &Daemon| {
        wait_for("the instance to be ready", PATIENCE, || {
            only(daemon).filter(|only| only["phase"] == "ready")
        })
    };
    let instance = ready(&daemon);
    let id = instance["id"].as_str().unwrap();
    let files = || {
        let output = beside("find").args([DIRECTORY, "-type", "f"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(files().trim_end().ends_with(id), "{}", files());

    // Neither keeps a namespace: both are killed, and the instance runs on in its own.
    running.kill9();
    daemon.kill9();
    running = start();
    daemon.resume().unwrap();
    assert_eq!(ready(&daemon)["id"], instance["id"]);
    assert!(files().trim_end().ends_with(id), "{}", files());
    let path = format!("/v1/instances/{id}");
    assert_eq!(daemon.api("DELETE", &path).unwrap().0, 202);
    wait_for("the instance to go", PATIENCE, || only(&daemon).is_none().then_some(()));
    assert_eq!(files(), "", "its namespace went with it");
    assert!(running.is_running(), "{}", running.log());
}

/// The helper mounts nothing but what two ids name, for root alone, and says why it does not.
#[test]
fn the_helper_takes_two_ids_and_no_path() {
    let lab = Lab::new().unwrap();
    let place = lab.place("netns").unwrap().join("d");
    let mut command = lab.command("unshare");
    command
        .args(["--mount", "--propagation", "private", HELPER])
        .arg(&place);
    let mut helper = Program::start(command, &lab.place("netns").unwrap().join("log")).unwrap();
    let socket = place.join("socket");
    helper
        .poll("the helper's socket", PATIENCE, || socket.exists().then_some(()))
        .unwrap();
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);
    let ask = |request: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        // A request that is too long is not read to its end, and resets the connection.
        let read = stream.read_to_string(&mut answer);
        assert!(read.is_ok() || request.len() > 64, "{read:?}");
        answer
    };
    let good = "0123456789ab";
    for _ in 0..2 {
        assert_eq!(ask(&format!("make {good} {good}\n")), "ok\n");
    }
    for _ in 0..2 {
        assert_eq!(ask(&format!("remove {good} {good}\n")), "ok\n");
    }
    assert!(!place.join(good).exists());
    for bad in [
        "\n",
        "make ../.. etc\n",
        "mount /etc /mnt\n",
        &format!("make {good} {good}"),
        &"x".repeat(4096),
    ] {
        let answer = ask(bad);
        assert!(answer != "ok\n", "{bad:?}: {answer:?}");
    }
    // Where a link stands in the place of the file, nothing is mounted.
    fs::create_dir(place.join(good)).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", place.join(good).join(good)).unwrap();
    let answer = ask(&format!("make {good} {good}\n"));
    assert!(answer.starts_with("cannot make"), "{answer}");
    assert!(helper.is_running(), "{}", helper.log());
}

#[test]
fn a_reload_of_the_unit_fails_when_the_settings_are_wrong() {
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let settings = |place: &str| Settings::new(place).text();
    let mut daemon = Daemon::start(&host, Path::new(BINARY), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    let place = daemon.place().display().to_string();
    let command = value("orchestrator", "ExecReload");
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
