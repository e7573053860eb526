//! A lease that nobody renews.

use orchestrator_lab::{Dhclient, Engine, wait_for};

use crate::site::{PATIENCE, Plan, Site};

const SHORT: &str = "preferred_lifetime = \"4s\"\nvalid_lifetime = \"6s\"";

#[test]
fn an_expired_lease_ends_the_instance() {
    let site = Site::start(&Plan {
        link: SHORT.to_owned(),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    site.wait_ready_for(leased);
    client.kill9();
    site.wait_none();
    assert_eq!(site.lease(leased).unwrap()["state"], "expired");
    assert!(site.host_ends().is_empty());
    assert!(site.containers(Engine::shared()).is_empty());
    assert!(site.event_kinds().contains(&"lease-expired".to_owned()));
}

#[test]
fn a_renewed_lease_keeps_the_instance() {
    let site = Site::start(&Plan {
        link: SHORT.to_owned(),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let end = |site: &Site| site.lease(leased).unwrap()["valid_until"].as_str().unwrap().to_owned();
    let first = end(&site);
    let mut renewed = first.clone();
    for _ in 0..3 {
        renewed = wait_for("a renewal", PATIENCE, || Some(end(&site)).filter(|now| *now > renewed));
    }
    assert_eq!(site.lease(leased).unwrap()["state"], "active");
    assert_eq!(site.wait_ready_for(leased)["id"], instance["id"]);
    assert!(!site.event_kinds().contains(&"lease-expired".to_owned()));
}
