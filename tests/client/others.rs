//! The same with servers that others wrote.

use orchestrator_lab::{Dnsmasq, Program, wait_for};
use serde_json::json;

use crate::running::leased;
use crate::site::{PATIENCE, Site};

/// Kea on the site's bridge.
fn kea(site: &Site) -> Program {
    let place = site.lab.place("kea").unwrap();
    let settings = json!({ "Dhcp6": {
        "interfaces-config": { "interfaces": ["br0"] },
        "lease-database": { "type": "memfile", "persist": true, "name": place.join("leases.csv"), "lfc-interval": 0 },
        "renew-timer": 2, "rebind-timer": 8, "preferred-lifetime": 20, "valid-lifetime": 40,
        "server-id": { "type": "LL", "persist": false },
        "option-data": [{ "name": "dns-servers", "data": "fd39::53" }],
        "subnet6": [{
            "id": 1, "subnet": "fd39:9706:2786:6333::/64", "interface": "br0",
            "pools": [{ "pool": "fd39:9706:2786:6333::1:0/112" }],
            "pd-pools": [{ "prefix": "fd39:9706:2787::", "prefix-len": 48, "delegated-len": 64 }],
        }],
        "loggers": [{ "name": "kea-dhcp6", "severity": "INFO", "output_options": [{ "output": "stderr" }] }],
    }});
    let file = place.join("kea.json");
    std::fs::write(&file, settings.to_string()).unwrap();
    let mut command = site.host.command("kea-dhcp6");
    command.env("KEA_LOCKFILE_DIR", &place).env("KEA_PIDFILE_DIR", &place);
    command.arg("-c").arg(&file);
    let mut kea = Program::start(command, &place.join("kea.log")).unwrap();
    kea.poll("Kea to listen", PATIENCE, || site.host.has_udp(547).then_some(()))
        .unwrap();
    kea
}

#[test]
fn kea_grants_renews_and_takes_back() {
    let site = Site::new();
    let kea = kea(&site);
    let mut client = site.client(&["--prefix"]);
    let granted = client.event("granted");
    assert_eq!(granted["dns_servers"][0], "fd39::53");
    assert_eq!(granted["leases"].as_array().unwrap().len(), 2);
    let address = client.ready();
    let renewed = client.event("renewed");
    assert_eq!(renewed["leases"].as_array().unwrap().len(), 2);
    assert_eq!(client.addresses(), [address]);
    assert_eq!(client.stop(), Some(0));
    client.event("released");
    wait_for("Kea to have it back", PATIENCE, || {
        kea.log().contains("DHCP6_RELEASE_NA ").then_some(())
    });
}

#[test]
fn dnsmasq_grants_confirms_and_takes_back() {
    let site = Site::new();
    let mut dnsmasq = Dnsmasq::start(
        &site.host,
        &[
            "--interface=br0",
            "--dhcp-range=fd39:9706:2786:6333::1:0,fd39:9706:2786:6333::1:ffff,64,2m",
            "--dhcp-option=option6:dns-server,[fd39::53]",
            "--log-dhcp",
        ],
    )
    .unwrap();
    let mut client = site.client(&[]);
    let granted = client.event("granted");
    assert_eq!(granted["dns_servers"][0], "fd39::53");
    let address = client.ready();
    site.host.ip("link set p-machine down").unwrap();
    client.event("link-down");
    site.host.ip("link set p-machine up").unwrap();
    assert_eq!(leased(&client.event("confirmed")), leased(&granted));
    assert_eq!(client.ready(), address);
    assert_eq!(client.stop(), Some(0));
    client.event("released");
    let log = dnsmasq.program().log();
    assert!(log.contains("DHCPRELEASE"), "{log}");
    let mut informed = site.client(&["--stateless", "--once"]);
    assert_eq!(informed.event("informed")["dns_servers"][0], "fd39::53");
    assert_eq!(informed.wait(), Some(0));
}
