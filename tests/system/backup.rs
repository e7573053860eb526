//! A backup that is taken beside the daemon, and restored on another machine.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use orchestrator_lab::{Dhclient, Engine, Lab, Namespace, Postgres, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{BINARY, PATIENCE, Plan, Site, address, text};

impl Site {
    /// Runs a verb on this machine with the daemon's settings.
    fn on_the_machine(&self, verb: &str, arguments: &[&str]) -> Output {
        let settings = self.daemon.place().join("settings.toml").display().to_string();
        let all = [&[verb, "--settings", &settings][..], arguments].concat();
        self.daemon.cli(&all).unwrap()
    }

    fn backup_file(&self) -> PathBuf {
        self.daemon.place().join("backup.jsonl")
    }
}

/// What went well, as text.
#[track_caller]
fn said(output: &Output) -> String {
    let [said, complained] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{said}{complained}");
    said
}

/// What went wrong, as text.
#[track_caller]
fn complained(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn engine() -> Engine {
    let engine = Engine::start(&Lab::new().unwrap().namespace("engine").unwrap()).unwrap();
    engine.import_test_image().unwrap();
    engine
}

/// Plugs the cable of a client's machine into the bridge of another site.
fn move_cable(port: &str, from: &Namespace, to: &Namespace) {
    from.ip(&format!("link set {port} netns {}", to.path().display()))
        .unwrap();
    to.ip(&format!("link set {port} master br0 up")).unwrap();
}

/// Two clients of one machine are served by another one after a restore, each with its address and its instance.
fn clients_move_with_the_backup(from: Option<String>, to: Option<String>) {
    let (first_engine, second_engine) = (engine(), engine());
    let plan = |engine: &Engine, store| Plan {
        store,
        ..Plan::on(engine)
    };
    let mut first = Site::start(&plan(&first_engine, from));
    let machines = ["one", "two"].map(|name| first.machine(name));
    let mut clients = machines
        .each_ref()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap());
    let before: Vec<(_, Value)> = clients
        .iter_mut()
        .map(|client| client.address(PATIENCE).unwrap())
        .map(|leased| (leased, first.wait_ready_for(leased)))
        .collect();
    let file = first.backup_file();
    let told = said(&first.on_the_machine("backup", &[file.to_str().unwrap()]));
    assert!(told.contains("2 clients, 2 leases, 2 instances"), "{told}");
    assert!(told.contains("settings.toml (the settings)"), "{told}");
    let checked = said(&first.on_the_machine("restore", &["--check", file.to_str().unwrap()]));
    assert!(checked.starts_with("whole; it holds 2 clients"), "{checked}");
    let refused = complained(&first.on_the_machine("restore", &["--force", file.to_str().unwrap()]));
    assert!(refused.contains("stop the daemon first"), "{refused}");

    // The other machine has had a daemon of its own, which was another server.
    let mut second = Site::start(&plan(&second_engine, to));
    second.daemon.stop().unwrap();
    // What is sealed opens with the key that is kept apart from the backup.
    let refused = complained(&second.on_the_machine("restore", &[file.to_str().unwrap()]));
    assert!(refused.contains("put the key file in place"), "{refused}");
    let [from, to] = [&first, &second].map(|site| site.daemon.place().join("orchestrator.key"));
    fs::copy(from, to).unwrap();
    let refused = complained(&second.on_the_machine("restore", &[file.to_str().unwrap()]));
    assert!(refused.contains("--force"), "{refused}");
    said(&second.on_the_machine("restore", &["--force", file.to_str().unwrap()]));
    first.daemon.stop().unwrap();
    second.daemon.resume().unwrap();
    second.daemon.wait_until_ready(PATIENCE).unwrap();

    for (name, (machine, (client, (leased, instance)))) in ["one", "two"]
        .iter()
        .zip(machines.iter().zip(clients.iter_mut().zip(&before)))
    {
        move_cable(&format!("p-{name}"), &first.host, &second.host);
        client.reboot().unwrap();
        assert_eq!(
            client.address(PATIENCE).unwrap(),
            *leased,
            "the client keeps its address"
        );
        // What the backup says of it is not so here until the daemon has looked.
        let after = wait_for("the instance to run here", PATIENCE, || {
            Some(second.wait_ready_for(*leased)).filter(|after| after["reference"] != instance["reference"])
        });
        assert_eq!(
            after["id"], instance["id"],
            "and its instance, which runs on the other machine now"
        );
        assert_eq!(after["address"], instance["address"]);
        assert_ne!(
            after["reference"], instance["reference"],
            "which runs on the other machine now"
        );
        assert_eq!(machine.get(address(&after), TEST_PORT, "/").unwrap().status, 200);
    }
    assert_eq!(second.containers(&second_engine).len(), 2);
}

#[test]
fn clients_keep_address_and_instance_on_another_machine() {
    clients_move_with_the_backup(None, None);
}

#[test]
fn a_backup_of_postgres_is_restored_into_sqlite() {
    let postgres = Postgres::start(&Lab::new().unwrap()).unwrap();
    let url = postgres.database().unwrap();
    clients_move_with_the_backup(Some(url), None);
}

#[test]
fn a_backup_of_sqlite_is_restored_into_postgres() {
    let postgres = Postgres::start(&Lab::new().unwrap()).unwrap();
    let url = postgres.database().unwrap();
    clients_move_with_the_backup(None, Some(url));
}

#[test]
fn what_is_killed_half_way_leaves_the_old_backup_and_the_old_database() {
    let mut site = Site::start(&Plan {
        template: None,
        ..Plan::default()
    });
    let machine = site.machine("client");
    let leased = Dhclient::boot(&machine, "eth0").unwrap().address(PATIENCE).unwrap();
    let file = site.backup_file();
    said(&site.on_the_machine("backup", &[file.to_str().unwrap()]));
    let old = fs::read(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Its output ends in a pipe that nobody reads, so that it is killed in the middle.
    site.daemon.stop().unwrap();
    let settings = site.daemon.place().join("settings.toml");
    let mut command = site.host.command(BINARY);
    command
        .arg("restore")
        .arg("--force")
        .arg("--settings")
        .arg(&settings)
        .arg("-");
    let mut restore = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut half = restore.stdin.take().unwrap();
    half.write_all(&old[..old.len() / 2]).unwrap();
    wait_for("the restore to have begun", PATIENCE, || {
        let locked = fs::File::open(site.daemon.place().join("orchestrator.identity")).ok()?;
        matches!(locked.try_lock(), Err(fs::TryLockError::WouldBlock)).then_some(())
    });
    restore.kill().unwrap();
    restore.wait().unwrap();
    drop(half);
    assert_eq!(fs::read(&file).unwrap(), old);
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    assert_eq!(site.lease(leased).unwrap()["state"], "active");
    let left = said(&site.on_the_machine("backup", &["-o", "json", file.to_str().unwrap()]));
    let left: Value = serde_json::from_str(&left).unwrap();
    assert_eq!(left["rows"]["leases"], 1);
    assert_eq!(text(&left, "file"), file.display().to_string());
}
