//! A link with fewer addresses for instances than it has clients.

use std::path::Path;

use orchestrator_lab::{Daemon, Dhclient, Lab, wait_for};

use crate::site::{BINARY, PATIENCE, PREFIX, Plan, Site};

#[test]
fn who_finds_no_address_left_is_told_and_served_when_one_is_free() {
    let plan = Plan::default();
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    // The lowest address of the range is nobody's: this one has a single address to give.
    let settings = |place: &str| plan.settings(place).replace("::2:0/112", "::2:0/127");
    let daemon = Daemon::start(&host, Path::new(BINARY), settings).unwrap();
    let mut site = Site { lab, host, daemon };
    site.daemon.wait_until_ready(PATIENCE).unwrap();

    let machines = [site.machine("one"), site.machine("two")];
    let mut first = Dhclient::boot(&machines[0], "eth0").unwrap();
    let instance = site.wait_ready_for(first.address(PATIENCE).unwrap());
    assert_eq!(instance["address"], format!("{PREFIX}::2:1"));
    let mut second = Dhclient::boot(&machines[1], "eth0").unwrap();
    let leased = second.address(PATIENCE).unwrap();
    wait_for("the refusal to be told", PATIENCE, || {
        let events = site.daemon.items("/v1/events?limit=5000").ok()?;
        let refusal = events.into_iter().find(|event| event["kind"] == "refused")?;
        refusal["detail"].as_str()?.contains("no address left").then_some(())
    });
    assert_eq!(site.lease(leased).unwrap()["state"], "active", "leases go on");
    first.release().unwrap();
    let moved = site.wait_ready_for(leased);
    assert_eq!(moved["address"], instance["address"]);
}
