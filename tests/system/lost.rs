//! The database goes away under the daemon, or a new one is in its place: nothing that runs is taken away for it.

use std::fs;

use orchestrator_lab::{Dhclient, Engine, Lab, Postgres, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, address, host_end, text};

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

/// An engine of a test's own, so that every container on it is accounted for.
fn engine() -> Engine {
    let engine = Engine::start(&Lab::new().unwrap().namespace("engine").unwrap()).unwrap();
    engine.import_test_image().unwrap();
    engine
}

/// The ids of the containers that run on an engine, sorted.
fn running(engine: &Engine) -> Vec<String> {
    let containers = engine.containers().unwrap();
    let running = containers.iter().filter(|container| container["State"] == "running");
    let mut ids: Vec<String> = running.map(|container| text(container, "Id")).collect();
    ids.sort();
    ids
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

/// With two clients and their instances: the database is lost as `lose` does it, and the daemon begins with a new one.
fn kept_and_adopted(store: Option<String>, lose: impl FnOnce(&mut Site)) {
    let engine = engine();
    let mut site = Site::start(&Plan {
        store,
        // A client that comes back only confirms its address. It asks for a lease when it renews.
        link: "preferred_lifetime = \"20s\"\nvalid_lifetime = \"10m\"".to_owned(),
        ..Plan::on(&engine)
    });
    let machines = ["back", "gone"].map(|name| site.machine(name));
    let mut clients = machines
        .each_ref()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap());
    let leased = clients.each_mut().map(|client| client.address(PATIENCE).unwrap());
    let before = leased.map(|leased| site.wait_ready_for(leased));
    let containers = running(&engine);
    assert_eq!(containers.len(), 2);
    let [back, gone] = &before;

    clients.iter_mut().for_each(Dhclient::kill9);
    lose(&mut site);
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    // Both are there, belong to nobody who is known, and are told of.
    wait_for("both to be listed", PATIENCE, || {
        (site.daemon.items("/v1/orphans").ok()?.len() == 2).then_some(())
    });
    assert_eq!(site.instances(), [] as [Value; 0]);
    assert_eq!(running(&engine), containers, "nothing was removed");
    let told = condition(&site, "orphans").unwrap();
    assert!(told["ok"] == false && told["needed"] == false, "{told}");
    assert!(text(&told, "reason").contains("rm --orphans"), "{told}");

    // The client that comes back has its lease and its instance again.
    let [client, _] = &mut clients;
    client.reboot().unwrap();
    assert_eq!(client.address(PATIENCE).unwrap(), leased[0]);
    let adopted = site.wait_ready_for(leased[0]);
    assert_eq!(
        (&adopted["id"], &adopted["reference"], address(&adopted)),
        (&back["id"], &back["reference"], address(back))
    );
    assert!(site.event_kinds().contains(&"instance-adopted".to_owned()));
    assert_eq!(running(&engine), containers);

    // Nobody else gets the address of the one that is left, and it goes when an operator says so.
    let orphans = site.daemon.items("/v1/orphans").unwrap();
    assert_eq!(orphans.len(), 1, "{orphans:?}");
    assert_eq!(
        (&orphans[0]["id"], &orphans[0]["address"]),
        (&gone["id"], &gone["address"])
    );
    let listed = site.daemon.cli(&["ls", "orphans"]).unwrap();
    assert!(String::from_utf8(listed.stdout).unwrap().contains(&text(gone, "id")));
    let removed = site.daemon.cli(&["rm", "--orphans"]).unwrap();
    assert!(removed.status.success(), "{removed:?}");
    wait_for("the orphan to go", PATIENCE, || {
        (running(&engine) == [text(back, "reference")]).then_some(())
    });
    wait_for("the condition to go", PATIENCE, || {
        condition(&site, "orphans").is_none().then_some(())
    });
    assert_eq!(site.host_ends(), [host_end(back)]);
    assert!(site.daemon.items("/v1/orphans").unwrap().is_empty());
}

#[test]
fn instances_of_a_deleted_database_are_kept_and_adopted_when_their_clients_come_back() {
    kept_and_adopted(None, |site| {
        remove_database(site);
        wait_lost(site);
        site.daemon.stop().unwrap();
        site.daemon.resume().unwrap();
    });
}

#[test]
fn instances_of_a_postgresql_database_that_was_made_anew_are_kept_and_adopted() {
    let postgres = Postgres::shared();
    let url = postgres.database().unwrap();
    let database = url.clone();
    kept_and_adopted(Some(url), move |site| {
        postgres.recreate(&database).unwrap();
        // Between the two it is away.
        wait_for("the daemon to notice that it is another database", PATIENCE, || {
            wait_lost(site).contains("another database").then_some(())
        });
        site.daemon.kill9();
        site.daemon.resume().unwrap();
    });
}
