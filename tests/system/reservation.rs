//! Reservations: a real client moves to what is reserved for it, and its instance stays.

use std::net::Ipv6Addr;

use orchestrator_lab::{Dhclient, wait_for};
use serde_json::json;

use crate::site::{PATIENCE, PREFIX, Plan, Site, text};

#[test]
fn a_client_moves_to_what_is_reserved_for_it_and_keeps_its_instance() {
    let site = Site::start(&Plan {
        link: "preferred_lifetime = \"6s\"\nvalid_lifetime = \"60s\"".to_owned(),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let kept: Ipv6Addr = format!("{PREFIX}::7:7").parse().unwrap();
    let duid = text(&site.lease(leased).unwrap(), "duid");
    let what = json!({"link": "br0", "duid": duid, "address": kept});
    assert_eq!(site.daemon.send("POST", "/v1/reservations", &what).unwrap().0, 201);
    let program = client.program();
    let moved = || {
        let own = machine.addresses("eth0").ok()?;
        let has = |address| own.iter().any(|own| own.ip == address);
        (has(kept) && !has(leased)).then_some(())
    };
    program
        .poll("the reserved address in place of the other", PATIENCE, moved)
        .unwrap();
    wait_for("the lease before to be over", PATIENCE, || {
        (site.lease(leased)?["state"] == "released").then_some(())
    });
    let now = site.wait_ready_for(kept);
    assert_eq!(text(&now, "id"), text(&instance, "id"));
    client.release().unwrap();
}
