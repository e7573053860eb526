//! What is only not there yet does not stop the daemon.

use std::path::Path;

use orchestrator_lab::{Daemon, Dhclient, Lab, Postgres, wait_for};

use crate::site::{BINARY, PATIENCE, Plan, Site};

#[test]
fn a_bridge_that_comes_later_is_served_then() {
    let plan = Plan {
        template: None,
        ..Plan::default()
    };
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let settings = |place: &str| plan.settings(place).replace("create = true", "create = false");
    let daemon = Daemon::start(&host, Path::new(BINARY), settings).unwrap();
    let mut site = Site { lab, host, daemon };
    wait_for("the daemon to say what it waits for", PATIENCE, || {
        let (status, ready) = site.daemon.api("GET", "/v1/ready").ok()?;
        let conditions = ready["conditions"].as_array()?;
        let link = conditions.iter().find(|condition| condition["name"] == "link br0")?;
        (status == 503 && link["reason"].as_str()?.contains("br0 is missing")).then_some(())
    });
    site.host.bridge("br0", None).unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    lease_is_given(&site, "client");
}

#[test]
fn a_bridge_that_is_replaced_is_served_again() {
    let mut site = Site::start(&Plan {
        template: None,
        ..Plan::default()
    });
    lease_is_given(&site, "one");
    site.host.ip("link delete br0").unwrap();
    wait_for("the bridge to be made again", PATIENCE, || {
        site.host.ip("link show br0").ok()
    });
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    lease_is_given(&site, "two");
}

#[test]
fn a_database_that_starts_later_is_waited_for() {
    let mut postgres = Postgres::start(&Lab::new().unwrap()).unwrap();
    let url = postgres.database().unwrap();
    postgres.stop().unwrap();
    let mut site = Site::start_unready(&Plan {
        store: Some(url),
        template: None,
        ..Plan::default()
    });
    let (status, body) = site.daemon.api("GET", "/v1/instances").unwrap();
    assert_eq!((status, body["code"].as_str()), (503, Some("store-away")), "{body}");
    postgres.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    lease_is_given(&site, "client");
}

#[test]
fn no_reply_without_a_commit() {
    let mut postgres = Postgres::start(&Lab::new().unwrap()).unwrap();
    let url = postgres.database().unwrap();
    let mut site = Site::start(&Plan {
        store: Some(url),
        template: None,
        ..Plan::default()
    });
    postgres.stop().unwrap();
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    // The client asks, the daemon offers, and the commit fails: counted, and not answered.
    wait_for("a commit that failed", PATIENCE, || {
        let metrics = site.daemon.ask("GET", "/metrics").ok()?.text();
        let failed = metrics
            .lines()
            .find_map(|line| line.strip_prefix("orchestrator_lease_commits_failed_total "))?;
        (failed != "0").then_some(())
    });
    // What was not committed counts as no answer.
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    assert!(
        !metrics.contains("orchestrator_dhcp6_messages_total{type=\"request\"}"),
        "{metrics}"
    );
    assert!(
        metrics.contains("orchestrator_dhcp6_discards_total{reason=\"not-recorded\"}"),
        "{metrics}"
    );
    let leased = machine.addresses("eth0").unwrap();
    assert!(
        !leased.iter().any(orchestrator_lab::Address::is_leased),
        "no binding is durable, so none may be told"
    );
    postgres.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let leased = client.address(PATIENCE).unwrap();
    assert_eq!(site.lease(leased).unwrap()["state"], "active");
}

fn lease_is_given(site: &Site, name: &str) {
    let machine = site.machine(name);
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    assert_eq!(site.lease(leased).unwrap()["state"], "active");
}
