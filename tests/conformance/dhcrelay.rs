//! A real client behind a real relay, dhcrelay of ISC.
//!
//! ```text
//!   client ── eth1 ▸ relay ▸ eth0 ──▶ br0 (the daemon)
//! ```

use orchestrator_lab::{Dhclient, Namespace, Program, wait_for};

use crate::client::SERVER_PORT;
use crate::site::{PATIENCE, POOL, PREFIX, Site};

/// A machine with `dhcrelay` between its `eth1` and the bridge; it serves the link whose address `eth1` has.
fn relay(site: &Site, options: &[&str]) -> (Namespace, Namespace, Program) {
    let (relay, client) = (site.connect("relay"), site.lab.namespace("client").unwrap());
    client.disable_dad().unwrap();
    client.connect("eth0", &relay, "eth1", None).unwrap();
    relay.ip(&format!("address add {PREFIX}::3/64 dev eth0 nodad")).unwrap();
    relay
        .ip(&format!("address add {PREFIX}::4/128 dev eth1 nodad"))
        .unwrap();
    let mut command = relay.command("dhcrelay");
    command
        .args(["-6", "-d", "--no-pid", "-l", "eth1", "-u", "eth0"])
        .args(options);
    let mut program = Program::start(command, &site.lab.directory().join("dhcrelay.log")).unwrap();
    program
        .poll("the relay to listen", PATIENCE, || {
            relay.has_udp(SERVER_PORT).then_some(())
        })
        .unwrap();
    (relay, client, program)
}

#[test]
fn a_client_behind_isc_dhcp_relay_is_leased_an_address_of_its_link() {
    // With an interface-id of the relay's, and without.
    for options in [&["-I"][..], &[]] {
        let site = Site::start(POOL, "");
        let (_relay, machine, _program) = relay(&site, options);
        let mut client = Dhclient::boot(&machine, "eth0").unwrap();
        let leased = client.address(PATIENCE).unwrap();
        assert!(leased.to_string().starts_with(PREFIX), "{leased}");
        assert_eq!(site.lease(leased).unwrap()["state"], "active");
        client.release().unwrap();
        wait_for("the release", PATIENCE, || {
            (site.lease(leased)?["state"] == "released").then_some(())
        });
    }
}
