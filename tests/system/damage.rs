//! A database that is damaged while the daemon uses it, and before it starts.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Stdio;

use orchestrator_lab::{Dhclient, wait_for};

use crate::site::{BINARY, PATIENCE, Plan, Site, host_end, text};

/// Overwrites the pages of the database's file from the `first` on.
fn damage(file: &Path, first: u64) {
    let length = fs::metadata(file).unwrap().len();
    let garbage = vec![0x5a; usize::try_from(length - first * 4096).unwrap()];
    fs::OpenOptions::new()
        .write(true)
        .open(file)
        .unwrap()
        .write_all_at(&garbage, first * 4096)
        .unwrap();
}

#[test]
fn a_damaged_database_is_told_of_by_check_and_by_the_daemon_with_its_remedy() {
    let mut site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    site.wait_ready_for(client.address(PATIENCE).unwrap());
    site.daemon.stop().unwrap();
    let place = site.daemon.place().to_owned();
    damage(&place.join("orchestrator.db"), 3);

    let settings = place.join("settings.toml");
    let mut check = site.host.command(BINARY);
    let checked = check.arg("check").arg("--settings").arg(&settings).output().unwrap();
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{said}");
    let line = said.lines().find(|line| line.starts_with("database")).unwrap();
    assert!(
        line.contains("damaged") && line.contains("orchestrator restore"),
        "{line}"
    );

    // The daemon either ends at once and says why, or begins and says why it confirms nothing.
    let mut serve = site.host.command(BINARY);
    serve.arg("serve").arg("--settings").arg(&settings);
    let mut serve = serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let ended = wait_for("the daemon to end, or to say that it is not ready", PATIENCE, || {
        if serve.try_wait().unwrap().is_some() {
            return Some(true);
        }
        let (status, ready) = site.daemon.api("GET", "/v1/ready").ok()?;
        let conditions = ready["conditions"].as_array()?;
        let database = conditions.iter().find(|condition| condition["name"] == "database")?;
        let reason = database["reason"].as_str()?;
        (status == 503 && reason.contains("damaged") && reason.contains("orchestrator restore")).then_some(false)
    });
    if !ended {
        serve.kill().unwrap();
    }
    let log = String::from_utf8(serve.wait_with_output().unwrap().stderr).unwrap();
    assert!(log.contains("damaged") && log.contains("orchestrator restore"), "{log}");
}

#[test]
fn a_database_that_is_damaged_while_the_daemon_uses_it_confirms_no_lease() {
    let mut site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    // All is brought into the file, so that a start reads it from there.
    site.daemon.stop().unwrap();
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let place = site.daemon.place().to_owned();
    damage(&place.join("orchestrator.db"), 1);
    // Pages are read when they are needed: for the next client, for one.
    let late = site.machine("late");
    let mut late = Dhclient::boot(&late, "eth0").unwrap();
    wait_for("the daemon not to be ready", PATIENCE, || {
        let (status, ready) = site.daemon.api("GET", "/v1/ready").ok()?;
        let conditions = ready["conditions"].as_array()?;
        let database = conditions.iter().find(|condition| condition["name"] == "database")?;
        (status == 503 && text(database, "reason").contains("orchestrator restore")).then_some(())
    });
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    assert!(
        metrics.contains("orchestrator_store_failures_total{code=\"store-damaged\"}"),
        "{metrics}"
    );
    assert!(!late.leases().unwrap().contains("iaaddr"), "no lease is confirmed");
    late.kill9();
    // What runs goes on.
    assert!(site.host_ends().contains(&host_end(&instance)));
}
