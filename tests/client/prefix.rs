//! Prefixes, and configuration without a lease.

use orchestrator_lab::wait_for;

use crate::running::leased;
use crate::site::{PATIENCE, Site, lease};

const DELEGATION: &str = "[[link.delegation]]\npool = \"fd39:9706:2787::/48\"\nlength = 62";

#[test]
fn a_prefix_alone_is_routed_here() {
    let site = Site::new();
    let daemon = site.daemon(DELEGATION);
    let mut client = site.client(&["--prefix", "62", "--no-address"]);
    let prefix = leased(&client.event("granted"));
    assert!(prefix.ends_with("/62"), "{prefix}");
    assert!(lease(&daemon, &prefix).is_some());
    assert!(client.addresses().is_empty());
    wait_for("the route to the client", PATIENCE, || {
        let routes = site.host.ip_json(&format!("-6 route show {prefix}")).unwrap();
        routes[0]["gateway"].is_string().then_some(())
    });
    assert_eq!(client.stop(), Some(0));
    client.event("released");
    assert!(lease(&daemon, &prefix).is_none());
}

#[test]
fn a_prefix_beside_an_address_is_rebound_after_a_restart() {
    let site = Site::new();
    let _daemon = site.daemon(DELEGATION);
    let mut first = site.client(&["--prefix", "--once"]);
    let granted = first.event("granted");
    assert_eq!(granted["leases"].as_array().unwrap().len(), 2);
    assert_eq!(first.wait(), Some(0));
    let mut second = site.client(&["--prefix"]);
    let rebound = second.event("rebound");
    for lease in granted["leases"].as_array().unwrap() {
        let same = |other: &&serde_json::Value| other["leased"] == lease["leased"];
        assert!(rebound["leases"].as_array().unwrap().iter().any(|other| same(&other)));
    }
    second.ready();
    assert_eq!(second.stop(), Some(0));
}

#[test]
fn configuration_needs_no_lease() {
    let site = Site::new();
    let daemon = site.daemon("dns_servers = [\"fd39::53\"]");
    let mut client = site.client(&["--stateless", "--once"]);
    let informed = client.event("informed");
    assert_eq!(informed["dns_servers"][0], "fd39::53");
    assert_eq!(client.wait(), Some(0));
    assert!(client.addresses().is_empty());
    assert!(daemon.items("/v1/leases").unwrap().is_empty());
}
