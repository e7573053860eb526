//! Honest programs on links with isolation: all that they do passes, and nothing of it is counted as forbidden.

use std::fs::File;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use orchestrator_lab::{Dhclient, Dhcpcd, Namespace, TEST_PORT, wait_for};
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

use super::stage::{METADATA, counters};
use crate::site::{PATIENCE, PREFIX, Plan, Site, address, first_process};

/// Where clients answer.
const PORT: u16 = 8080;
/// How long a connection may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) fn plan(link: &str, more: &str) -> Plan {
    Plan {
        link: format!("isolation = true\n{link}"),
        template: Some(format!("grace = \"1s\"\n{more}")),
        ..Plan::default()
    }
}

/// Whose packets were counted as forbidden: the sets of each cause that have elements.
fn senders(site: &Site) -> String {
    let listed = site.host.run("nft", &["list", "ruleset"]).unwrap_or_default();
    let mut found = Vec::new();
    let mut set = "";
    for line in listed.lines().map(str::trim) {
        set = line.strip_prefix("set ").unwrap_or(set);
        let is_of_cause = ["p_", "m_", "r_"].iter().any(|begin| set.starts_with(begin));
        if is_of_cause && line.contains("counter packets") {
            found.push(format!("{set} {line}"));
        }
    }
    found.join("\n")
}

/// Nothing was counted for any cause.
#[track_caller]
pub(super) fn nothing_is_counted(site: &Site) {
    let counted: Vec<_> = counters(&site.host)
        .into_iter()
        .filter(|(_, packets)| *packets > 0)
        .collect();
    assert!(
        counted.is_empty(),
        "honest, and counted: {counted:?}\n{}",
        senders(site)
    );
}

/// A client's machine as people have it, with duplicate address detection.
fn machine(site: &Site, name: &str) -> Namespace {
    let machine = site.lab.namespace(name).unwrap();
    machine
        .connect("eth0", &site.host, &format!("p-{name}"), Some("br0"))
        .unwrap();
    machine
}

/// Connects from one of several addresses, once the machine knows a way.
fn connect_from(machine: &Namespace, source: Ipv6Addr, to: Ipv6Addr) -> std::io::Result<()> {
    machine.once_routed(PATIENCE, || {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        socket.connect_timeout(&SocketAddr::from((to, TEST_PORT)).into(), LIMIT)
    })
}

/// Whether an instance reaches a socket.
fn reaches(instance: &Value, to: Ipv6Addr, port: u16) -> bool {
    let network = File::open(format!("/proc/{}/ns/net", first_process(instance))).unwrap();
    let connect = move || {
        setns(network, CloneFlags::CLONE_NEWNET).unwrap();
        TcpStream::connect_timeout(&SocketAddr::from((to, port)), LIMIT).is_ok()
    };
    std::thread::spawn(connect).join().unwrap()
}

/// A client and its instance reach each other, and the instance its metadata.
#[track_caller]
pub(super) fn speak(site: &Site, machine: &Namespace, own: Ipv6Addr, instance: &Value) {
    if let Err(fault) = connect_from(machine, own, address(instance)) {
        panic!("{own} to its instance: {fault}: {}", senders(site));
    }
    let listener = machine.within(|| TcpListener::bind((own, PORT)).unwrap());
    assert!(reaches(instance, own, PORT), "the instance to {own}");
    drop(listener);
    assert!(
        reaches(instance, METADATA.parse().unwrap(), 80),
        "the instance to its metadata"
    );
}

#[test]
fn nothing_of_dhclient_and_dhcpcd_is_dropped() {
    let site = Site::start(&plan("", ""));
    let [one, two] = ["dhclient", "dhcpcd"].map(|name| machine(&site, name));
    let mut dhclient = Dhclient::boot(&one, "eth0").unwrap();
    let mut dhcpcd = Dhcpcd::boot(&two, "eth0").unwrap();
    let leased = [dhclient.address(PATIENCE).unwrap(), dhcpcd.address(PATIENCE).unwrap()];
    for (machine, own) in [&one, &two].into_iter().zip(leased) {
        speak(&site, machine, own, &site.wait_ready_for(own));
    }
    // Clients of a link speak with each other, and with the host.
    let listener = two.within(|| TcpListener::bind((leased[1], PORT)).unwrap());
    one.tcp(leased[1], PORT, LIMIT).unwrap();
    drop(listener);
    let listener = site.host.within(|| TcpListener::bind(("::", PORT)).unwrap());
    one.tcp(format!("{PREFIX}::1").parse().unwrap(), PORT, LIMIT).unwrap();
    drop(listener);
    // One that boots anew with the lease it remembers, and both farewells.
    dhclient.reboot().unwrap();
    assert_eq!(dhclient.address(PATIENCE).unwrap(), leased[0]);
    speak(&site, &one, leased[0], &site.wait_ready_for(leased[0]));
    dhclient.release().unwrap();
    dhcpcd.release().unwrap();
    site.wait_none();
    nothing_is_counted(&site);
}

/// As Android does: a prefix and no address, several addresses within it, and machines behind it.
#[test]
fn nothing_of_a_client_with_a_prefix_and_machines_behind_it_is_dropped() {
    let pool = "fd39:9706:2787::/48";
    let site = Site::start(&plan("", &format!("[[link.delegation]]\npool = \"{pool}\"")));
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let phone = machine(&site, "phone");
    let mut client = Dhclient::boot_for_prefix(&phone, "eth0").unwrap();
    let first = client.address_in_prefix(PATIENCE).unwrap();
    let instance = site.wait_ready(1).remove(0);
    // The host's route to the prefix follows the commit.
    wait_for("the route to the prefix", PATIENCE, || {
        let routes = site.host.ip("-6 route show proto 111").ok()?;
        routes.contains(" via ").then_some(())
    });
    let [second, third, behind] = [2, 3, 0x100].map(|last| {
        let mut groups = first.segments();
        groups[7] = last;
        Ipv6Addr::from(groups)
    });
    for own in [second, third] {
        phone.ip(&format!("-6 address add {own}/128 dev lo nodad")).unwrap();
    }
    for own in [first, second, third] {
        speak(&site, &phone, own, &instance);
    }
    let tethered = site.lab.namespace("tethered").unwrap();
    tethered.disable_dad().unwrap();
    phone.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    tethered.connect("eth0", &phone, "wlan0", None).unwrap();
    phone.ip("-6 address add fe80::1/64 dev wlan0 nodad").unwrap();
    phone.ip(&format!("-6 route add {behind}/128 dev wlan0")).unwrap();
    tethered
        .ip(&format!("-6 address add {behind}/128 dev eth0 nodad"))
        .unwrap();
    tethered.ip("-6 route add default via fe80::1 dev eth0").unwrap();
    speak(&site, &tethered, behind, &instance);
    nothing_is_counted(&site);
}

/// Hosts that form addresses themselves, stable and temporary ones (RFC 8981).
#[test]
fn nothing_of_a_host_with_temporary_addresses_is_dropped() {
    let lines = format!(
        "neighbors = true\nadvertisement = {{ prefix = [{{ prefix = \"{PREFIX}::/64\", autonomous = true }}] }}"
    );
    let site = Site::start(&plan(&lines, ""));
    let host = site.lab.namespace("guest").unwrap();
    host.sysctl("net.ipv6.conf.default.use_tempaddr", "2").unwrap();
    host.connect("eth0", &site.host, "p-guest", Some("br0")).unwrap();
    let own: Vec<Ipv6Addr> = wait_for("a stable and a temporary address", PATIENCE, || {
        let found: Vec<_> = host
            .addresses("eth0")
            .ok()?
            .into_iter()
            .filter(|one| one.usable)
            .collect();
        (found.len() == 2).then(|| found.into_iter().map(|one| one.ip).collect())
    });
    for own in &own {
        speak(&site, &host, *own, &site.wait_ready_for(*own));
    }
    nothing_is_counted(&site);
}
