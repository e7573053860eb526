//! A lease is extended, by its server and by another, and ends where nobody extends it.

use std::time::Duration;

use orchestrator_lab::wait_for;
use time::OffsetDateTime;

use crate::running::{leased, moment};
use crate::site::{PATIENCE, Site};

#[test]
fn it_is_renewed_again_and_again() {
    let site = Site::new();
    let _daemon = site.daemon("preferred_lifetime = \"4s\"\nvalid_lifetime = \"20s\"");
    let mut client = site.client(&[]);
    let granted = client.event("granted");
    let address = client.ready();
    let mut until = moment(&granted["leases"][0]["valid_until"]);
    for _ in 0..3 {
        let renewed = client.event("renewed");
        assert_eq!(leased(&renewed), address.to_string());
        let extended = moment(&renewed["leases"][0]["valid_until"]);
        assert!(extended > until);
        until = extended;
        let shown = site.machine.ip_json("-6 address show dev eth0 scope global").unwrap();
        assert!(
            shown[0]["addr_info"][0]["valid_life_time"].as_u64().unwrap() > 10,
            "{shown}"
        );
    }
    assert_eq!(client.stop(), Some(0));
}

#[test]
fn any_server_is_asked_when_its_own_is_silent() {
    let site = Site::new();
    let mut daemon = site.daemon("preferred_lifetime = \"5s\"\nvalid_lifetime = \"2m\"");
    let mut client = site.client(&[]);
    let granted = client.event("granted");
    client.ready();
    daemon.stop().unwrap();
    // It may have been renewed meanwhile.
    let rebind = moment(&client.last_bound()["rebind_at"]);
    wait_for("T2", PATIENCE, || {
        (OffsetDateTime::now_utc() > rebind + Duration::from_millis(100)).then_some(())
    });
    daemon.resume().unwrap();
    assert_eq!(leased(&client.event("rebound")), leased(&granted));
    client.event("renewed");
    assert_eq!(client.stop(), Some(0));
}

#[test]
fn its_server_has_it_ask_again() {
    let site = Site::new();
    let daemon = site.daemon("reconfigure = true");
    let mut client = site.client(&["--reconfigure"]);
    let granted = client.event("granted");
    let address = client.ready();
    let id = daemon.items("/v1/clients").unwrap()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (message, event) in [("renew", "renewed"), ("rebind", "rebound")] {
        // Of two within a second only the first is heeded; the server asks again.
        let told = daemon.cli(&["reconfigure", &id, "--message", message]).unwrap();
        assert!(told.status.success(), "{told:?}");
        let extended = client.event(event);
        assert_eq!(leased(&extended), address.to_string());
        assert!(
            moment(&extended["time"]) < moment(&granted["renew_at"]),
            "it would have asked anyway"
        );
    }
    assert_eq!(client.stop(), Some(0));
}

#[test]
fn it_ends_when_nobody_extends_it() {
    let site = Site::new();
    let mut daemon = site.daemon("preferred_lifetime = \"4s\"\nvalid_lifetime = \"8s\"");
    let mut client = site.client(&[]);
    let granted = client.event("granted");
    client.ready();
    daemon.stop().unwrap();
    let lost = client.event("lost");
    assert_eq!(
        (&lost["leased"], &lost["cause"]),
        (&granted["leases"][0]["leased"], &"expired".into())
    );
    let end = moment(&granted["leases"][0]["valid_until"]);
    assert!(moment(&lost["time"]) >= end, "{lost}");
    assert!(client.addresses().is_empty());
    daemon.resume().unwrap();
    assert_eq!(
        leased(&client.event("granted")),
        leased(&granted),
        "the server knows it"
    );
    client.ready();
    assert_eq!(client.stop(), Some(0));
}

/// The kernel keeps the promise that the client made to the server.
#[test]
fn it_ends_without_the_client_too() {
    let site = Site::new();
    let _daemon = site.daemon("preferred_lifetime = \"2s\"\nvalid_lifetime = \"4s\"");
    let mut client = site.client(&["--once"]);
    client.event("granted");
    assert_eq!(client.wait(), Some(0));
    wait_for("the address to end", PATIENCE, || {
        client.addresses().is_empty().then_some(())
    });
}
