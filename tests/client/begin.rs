//! A lease is got, told of, given back; left and found again.

use nix::sys::signal::Signal;
use orchestrator_lab::wait_for;

use crate::running::{Running, addresses, leased, run, state};
use crate::site::{PATIENCE, Site, lease};

#[test]
fn a_lease_is_got_and_given_back() {
    let site = Site::new();
    let daemon = site.daemon("dns_servers = [\"fd39::53\"]\ndomain_search = [\"lan.example\"]");
    let mut client = site.client(&["--hostname", "box"]);
    let granted = client.event("granted");
    assert_eq!(granted["dns_servers"][0], "fd39::53");
    assert_eq!(granted["domain_search"][0], "lan.example");
    let address = client.ready();
    assert_eq!(leased(&granted), address.to_string());
    assert_eq!(client.addresses(), [address]);
    assert!(lease(&daemon, &address.to_string()).is_some());
    assert_eq!(daemon.items("/v1/clients").unwrap()[0]["hostname"], "box");
    let shown = site.machine.ip_json("-6 address show dev eth0 scope global").unwrap();
    let valid = shown[0]["addr_info"][0]["valid_life_time"].as_u64().unwrap();
    assert!((6000..=7200).contains(&valid), "{valid}");
    assert_eq!(client.stop(), Some(0), "{}", client.log());
    client.event("released");
    assert!(client.addresses().is_empty());
    assert!(lease(&daemon, &address.to_string()).is_none());
    assert!(!state(&site.machine).join("eth0.lease").exists());
}

#[test]
fn once_it_is_left_and_then_confirmed() {
    let site = Site::new();
    let daemon = site.daemon("");
    let mut first = site.client(&["--once", "--rapid-commit"]);
    let granted = first.event("granted");
    let address = first.ready();
    assert_eq!(first.wait(), Some(0));
    assert_eq!(first.addresses(), [address]);
    assert!(lease(&daemon, &address.to_string()).is_some());
    let mut second = site.client(&["--keep"]);
    let confirmed = second.event("confirmed");
    assert_eq!(confirmed["leases"], granted["leases"]);
    assert_eq!(second.ready(), address);
    second.signal(Signal::SIGINT);
    assert_eq!(second.wait(), Some(0));
    assert_eq!(second.addresses(), [address], "it is kept");
    assert!(lease(&daemon, &address.to_string()).is_some());
}

#[test]
fn it_waits_for_its_interface_and_asks_again_when_that_comes_back() {
    let site = Site::new();
    let _daemon = site.daemon("");
    site.host.ip("link set p-machine down").unwrap();
    let mut client = site.client(&[]);
    wait_for("the client to listen", PATIENCE, || {
        site.machine.has_udp(546).then_some(())
    });
    site.host.ip("link set p-machine up").unwrap();
    client.event("link-up");
    let address = client.ready();
    site.host.ip("link set p-machine down").unwrap();
    client.event("link-down");
    site.host.ip("link set p-machine up").unwrap();
    client.event("link-up");
    assert_eq!(leased(&client.event("confirmed")), address.to_string());
    assert_eq!(client.ready(), address);
    assert_eq!(client.stop(), Some(0));
}

#[test]
fn a_client_is_who_it_was() {
    let site = Site::new();
    let daemon = site.daemon("");
    let duid = || std::fs::read_to_string(state(&site.machine).join("duid")).unwrap();
    let mut addresses = Vec::new();
    let mut duids = Vec::new();
    for arguments in [
        &["--duid", "uuid"][..],
        &[],
        &["--duid", "uuid"],
        &["--duid", "ll"],
        &["--duid", "00:02:00:00:ab:11:07"],
    ] {
        let mut client = site.client(arguments);
        addresses.push(client.ready());
        duids.push(duid());
        let recorded = lease(&daemon, &addresses.last().unwrap().to_string()).unwrap();
        let known = daemon.items("/v1/clients").unwrap();
        let known = known.iter().find(|client| client["id"] == recorded["client"]).unwrap();
        assert_eq!(known["duid"], duid().trim());
        assert_eq!(client.stop(), Some(0));
    }
    assert_eq!(addresses[..3], [addresses[0]; 3], "the same DUID, the same address");
    assert_eq!(duids[..3], [&duids[0]; 3].map(Clone::clone));
    assert!(duids[0].starts_with("00:04:") && duids[3].starts_with("00:03:00:01:"));
    assert_eq!(duids[4], "00:02:00:00:ab:11:07\n");
}

#[test]
fn two_privileges_are_enough() {
    let site = Site::new();
    let _daemon = site.daemon("");
    let kept = "-all,+net_admin,+net_bind_service";
    let setpriv = ["setpriv", "--inh-caps", kept, "--bounding-set", kept];
    let mut client = Running::start_by(&site.machine, &setpriv, &[]);
    let address = client.ready();
    assert_eq!(client.addresses(), [address]);
    assert_eq!(client.stop(), Some(0), "{}", client.log());
    assert!(client.addresses().is_empty());
}

#[test]
fn what_cannot_be_is_told() {
    let site = Site::new();
    let place = state(&site.machine);
    let place = place.to_str().unwrap();
    let (code, told) = run(&site.machine, &["-i", "eth7", "--state", place]);
    assert_eq!(code, Some(1));
    assert!(told.contains("eth7"), "{told}");
    let (code, told) = run(&site.machine, &["-i", "eth0", "--state", place, "--timeout", "1"]);
    assert_eq!(code, Some(5), "{told}");
    assert!(told.contains("within 1 s"), "{told}");
    assert_eq!(
        run(&site.machine, &["-i", "eth0", "--stateless", "--prefix"]).0,
        Some(2)
    );
    let (code, told) = run(&site.machine, &["-i", "eth0", "--state", "/proc/nowhere"]);
    assert_eq!(code, Some(1));
    assert!(told.contains("/proc/nowhere") && told.contains("--state"), "{told}");
    assert!(addresses(&site.machine).is_empty());
}
