//! Further networks of an instance: a second interface on a bridge without clients.

use orchestrator_lab::{Daemon, Dhclient, Lab};

use crate::site::{BINARY, PATIENCE, Plan, Site, ip_inside, text};

#[test]
fn an_instance_has_an_interface_on_each_network_of_its_template() {
    let plan = Plan {
        template: Some("grace = \"1s\"\nnetworks = [\"storage\"]".to_owned()),
        ..Plan::default()
    };
    let network = "[[network]]\nname = \"storage\"\nbridge = \"br-store\"\naddress = \"fd50::1/56\"\n\
                   instances = \"fd50::5:0/112\"\nisolated = true\n";
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    host.bridge("br-store", Some("fd50::1/56")).unwrap();
    let mut daemon = Daemon::start(&host, BINARY.as_ref(), |place| plan.settings(place) + network).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    let site = Site { lab, host, daemon };
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let storage = &instance["attachments"][1];
    assert_eq!(
        (&storage["network"], &storage["bridge"], &storage["interface"]),
        (&"storage".into(), &"br-store".into(), &"eth2".into())
    );
    let address = text(storage, "address");
    assert!(address.starts_with("fd50::5:"), "{address}");
    let inside = ip_inside(&site, &instance, "-6 address show dev eth2");
    assert!(inside.contains(&format!("{address}/56")), "{inside}");
    let routes = ip_inside(&site, &instance, "-6 route show default");
    assert!(routes.contains("dev eth1") && !routes.contains("eth2"), "{routes}");
    let host_end = format!("or{}", text(storage, "id"));
    let port = site.host.ip_json(&format!("-d link show {host_end}")).unwrap();
    assert_eq!(port[0]["master"], "br-store");
    assert_eq!(port[0]["linkinfo"]["info_slave_data"]["isolated"], true);

    // What is lost of the second interface is mended like what is lost of the first.
    site.host.ip(&format!("link delete {host_end}")).unwrap();
    orchestrator_lab::wait_for("the second interface to be back", PATIENCE, || {
        site.host_ends().contains(&host_end).then_some(())
    });
    assert_eq!(site.wait_ready_for(leased)["id"], instance["id"]);
    client.release().unwrap();
    site.wait_none();
    assert!(site.host_ends().is_empty());
}
