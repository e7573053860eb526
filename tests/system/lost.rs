//! The database goes away under the daemon, or a new one is in its place: nothing that runs is taken away for it.

use std::fs;

use orchestrator_lab::{Dhclient, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, text};

/// The condition of that name, as readiness shows it.
fn condition(site: &Site, name: &str) -> Option<Value> {
    let (_, ready) = site.daemon.api("GET", "/v1/ready").ok()?;
    let conditions = ready["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["name"] == name).cloned()
}

/// Waits until the daemon says of its database that it is lost; gives the reason.
fn wait_lost(site: &Site) -> String {
    wait_for("the daemon to notice", PATIENCE, || {
        let (status, _) = site.daemon.api("GET", "/v1/ready").ok()?;
        let condition = condition(site, "database")?;
        (status == 503 && condition["ok"] == false).then(|| text(&condition, "reason"))
    })
}

/// The value of a counter; 0 where it is not there.
fn counter(site: &Site, name: &str) -> u64 {
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    let line = metrics.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

fn remove_database(site: &Site) {
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(site.daemon.place().join(format!("orchestrator.db{suffix}"))).unwrap();
    }
}

/// Whether a lease is confirmed to nobody: a client asks, and what it is to get cannot be recorded.
fn assert_nobody_is_answered(site: &Site) {
    let machine = site.machine("late");
    let mut late = Dhclient::boot(&machine, "eth0").unwrap();
    wait_for("a commit to be refused", PATIENCE, || {
        (counter(site, "orchestrator_lease_commits_failed_total") > 0).then_some(())
    });
    assert!(late.program().is_running());
    assert!(!late.leases().unwrap().contains("iaaddr"), "{}", late.leases().unwrap());
}

#[test]
fn a_database_that_is_deleted_under_the_daemon_is_noticed_and_no_lease_is_confirmed() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    site.wait_ready_for(client.address(PATIENCE).unwrap());
    remove_database(&site);
    let reason = wait_lost(&site);
    for word in ["orchestrator.db", "deleted", "restore"] {
        assert!(reason.contains(word), "{word} is missing: {reason}");
    }
    assert_nobody_is_answered(&site);
    assert!(counter(&site, "orchestrator_store_failures_total{code=\"store-lost\"}") > 0);
    assert!(site.daemon.log().contains("store-lost"), "{}", site.daemon.log());
}

#[test]
fn a_database_whose_directory_was_moved_is_lost_until_it_is_moved_back() {
    let mut site = Site::start_in(&Plan::default(), "state");
    let state = site.daemon.place().join("state");
    let away = site.daemon.place().join("away");
    fs::rename(&state, &away).unwrap();
    wait_lost(&site);
    fs::rename(&away, &state).unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    site.wait_ready_for(client.address(PATIENCE).unwrap());
}
