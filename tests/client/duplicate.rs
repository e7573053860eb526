//! An address that someone else has is declined, and another is got.

use orchestrator_lab::wait_for;

use crate::running::{leased, state};
use crate::site::{PATIENCE, Site, lease};

#[test]
fn it_is_declined() {
    let site = Site::new();
    // With isolation, nobody is sent a stranger's word that a client's address is his.
    let daemon = site.daemon("isolation = false");
    let mut client = site.client(&[]);
    let address = client.ready();
    assert_eq!(client.stop(), Some(0));
    // Someone takes the address that the server will offer again.
    let stranger = site.connect("stranger");
    stranger
        .ip(&format!("address add {address}/64 dev eth0 nodad"))
        .unwrap();
    let mut client = site.client(&[]);
    assert_eq!(leased(&client.event("granted")), address.to_string());
    assert_eq!(client.event("duplicate")["address"], address.to_string());
    assert_eq!(client.event("lost")["cause"], "declined");
    let other = leased(&client.event("granted"));
    assert_ne!(other, address.to_string());
    assert_eq!(client.ready().to_string(), other);
    assert_eq!(client.addresses(), [other.parse::<std::net::Ipv6Addr>().unwrap()]);
    assert!(lease(&daemon, &address.to_string()).is_none() && lease(&daemon, &other).is_some());
    assert_eq!(client.stop(), Some(0));
}

/// Nobody checks, so nobody tells when the check is over.
#[test]
fn without_a_check_it_is_ready_at_once() {
    let site = Site::new();
    let _daemon = site.daemon("");
    for interface in ["all", "eth0"] {
        let key = format!("net.ipv6.conf.{interface}.accept_dad");
        site.machine.sysctl(&key, "0").unwrap();
    }
    let mut client = site.client(&["--once"]);
    let address = client.ready();
    assert_eq!(client.wait(), Some(0));
    assert_eq!(client.addresses(), [address]);
}

/// A link that comes back is no stranger: what the kernel took away with it is asked for again, not declined.
#[test]
fn a_cable_that_is_pulled_during_the_check_declines_nothing() {
    let site = Site::new();
    let _daemon = site.daemon("");
    let mut client = site.client(&[]);
    client.event("granted");
    site.machine.ip("link set eth0 down").unwrap();
    client.event("link-down");
    wait_for("the addresses to go", PATIENCE, || {
        client.addresses().is_empty().then_some(())
    });
    site.machine.ip("link set eth0 up").unwrap();
    let confirmed = leased(&client.event("confirmed"));
    assert_eq!(client.ready().to_string(), confirmed);
    assert!(state(&site.machine).join("eth0.lease").exists());
    assert_eq!(client.stop(), Some(0));
}
