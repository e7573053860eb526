//! What somebody else changes in the kernel of what the daemon set up there.
//!
//! The commands are those that administrators and network managers use: ifupdown and systemd-networkd flush addresses
//! and routes, or take an interface down and up, when they are restarted.

use std::fs;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use orchestrator_lab::{Daemon, Dhclient, Lab, Namespace, wait_for};
use serde_json::Value;

use crate::site::{BINARY, PATIENCE, PREFIX, Plan, Site, text};

const POOL: &str = "fd39:9706:2787::/48";

/// A link that only leases, with a client's cable in its bridge.
fn start(link: &str) -> (Site, Namespace) {
    let site = Site::start(&Plan {
        engine: "unix:///nonexistent/docker.sock".to_owned(),
        template: None,
        link: link.to_owned(),
        ..Plan::default()
    });
    let machine = site.machine("client");
    wait_for("the bridge to have its addresses", PATIENCE, || {
        (addresses(&site).len() == 2).then_some(())
    });
    // The daemon has seen them, too.
    thread::sleep(Duration::from_secs(2));
    (site, machine)
}

/// The bridge's addresses, as iproute2 tells.
fn addresses(site: &Site) -> Vec<String> {
    let told = site.host.ip_json("-6 address show dev br0").unwrap();
    let addresses = told
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|link| link["addr_info"].as_array());
    addresses
        .flatten()
        .filter_map(|one| one["local"].as_str())
        .map(str::to_owned)
        .collect()
}

/// The condition of this name, if there is one.
fn condition(site: &Site, name: &str) -> Option<Value> {
    let (_, ready) = site.daemon.api("GET", "/v1/ready").unwrap();
    let conditions = ready["conditions"].as_array()?.clone();
    conditions.into_iter().find(|condition| condition["name"] == name)
}

/// What is said of a condition that is not met.
fn reason(site: &Site, name: &str) -> Option<String> {
    Some(condition(site, name)?["reason"].as_str()?.to_owned())
}

/// Waits for a `link-disturbed` event of the link that says this.
fn wait_said(site: &Site, what: &str) {
    wait_for(&format!("an event with {what:?}"), PATIENCE, || {
        let events = site.daemon.items("/v1/events?link=br0&limit=5000").ok()?;
        let said = |event: &&Value| event["kind"] == "link-disturbed" && text(event, "detail").contains(what);
        events.iter().find(said).map(|_| ())
    });
}

fn counted(site: &Site, counter: &str) -> u64 {
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    let value = metrics.lines().find_map(|line| line.strip_prefix(counter));
    value.map_or(0, |count| count.trim().parse().unwrap())
}

fn lease_is_given(machine: &Namespace) -> Dhclient {
    let mut client = Dhclient::boot(machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    client
}

#[test]
fn a_bridge_that_went_down_and_up_has_its_address_again() {
    let (mut site, machine) = start("");
    let before = addresses(&site);
    site.host.ip("link set br0 down").unwrap();
    site.host.ip("link set br0 up").unwrap();
    wait_for("the addresses to be back", PATIENCE, || {
        (addresses(&site) == before).then_some(())
    });
    wait_said(&site, &format!("its address {PREFIX}::1/64 is gone"));
    assert!(
        site.daemon.log().contains("somebody changed bridge br0"),
        "the log tells of it"
    );
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    assert!(counted(&site, "orchestrator_link_repairs_total{what=\"address\"}") >= 1);
    lease_is_given(&machine);
    // One that stays down is brought up.
    site.host.ip("link set br0 down").unwrap();
    wait_said(&site, "it is down");
    wait_for("the addresses to be back", PATIENCE, || {
        (addresses(&site) == before).then_some(())
    });
}

#[test]
fn what_was_changed_about_a_bridge_of_ours_is_changed_back() {
    let (site, machine) = start("");
    let (before, mac) = (addresses(&site), link_layer(&site));
    let setting = |key: &str| {
        let path = format!("/proc/sys/net/ipv6/conf/br0/{key}");
        site.host
            .within(|| fs::read_to_string(&path))
            .unwrap()
            .trim()
            .to_owned()
    };
    // As ifupdown and systemd-networkd do before they configure an interface.
    site.host.ip("-6 address flush dev br0").unwrap();
    wait_said(&site, "its link-local address is gone");
    wait_for("the addresses to be back", PATIENCE, || {
        (addresses(&site) == before).then_some(())
    });
    site.host.ip("link set br0 address 02:00:00:00:77:77").unwrap();
    wait_for("the link-layer address to be back", PATIENCE, || {
        (link_layer(&site) == mac).then_some(())
    });
    site.host
        .ip("link set br0 type bridge stp_state 1 forward_delay 1500")
        .unwrap();
    wait_said(&site, "its option stp_state was changed");
    for (key, value) in [("accept_ra", "2"), ("disable_ipv6", "1")] {
        site.host.sysctl(&format!("net.ipv6.conf.br0.{key}"), value).unwrap();
        wait_for(key, PATIENCE, || (setting(key) == "0").then_some(()));
        wait_said(&site, key);
    }
    wait_for("the addresses to be back", PATIENCE, || {
        (addresses(&site) == before).then_some(())
    });
    lease_is_given(&machine);
}

fn link_layer(site: &Site) -> String {
    text(&site.host.ip_json("link show br0").unwrap()[0], "address")
}

#[test]
fn a_server_that_the_kernel_made_deaf_hears_again() {
    let (mut site, machine) = start("");
    // A port with so small an MTU does the same to a bridge whose own was never set.
    site.host.ip("link set br0 mtu 1000").unwrap();
    wait_for("the MTU to be named", PATIENCE, || {
        reason(&site, "link br0")
            .filter(|reason| reason.contains("MTU of 1000"))
            .map(|_| ())
    });
    assert_eq!(site.daemon.api("GET", "/v1/ready").unwrap().0, 503);
    site.host.ip("link set br0 mtu 1500").unwrap();
    wait_said(&site, "the kernel dropped its multicast group ff02::1:2");
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    lease_is_given(&machine);
}

/// Ends what runs beside when it is dropped.
struct Stopping<'s>(&'s AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_keeps_changing_the_bridge_is_named_and_costs_few_repairs() {
    let (site, _machine) = start("");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // Also when an assertion fails: the scope waits for its threads.
        let stopping = Stopping(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // It may be gone already.
                let _ = site.host.ip(&format!("-6 address del {PREFIX}::1/64 dev br0"));
            }
        });
        let named = wait_for("the other to be named", PATIENCE, || {
            reason(&site, "link br0").filter(|reason| reason.contains("something else manages br0 too"))
        });
        assert!(named.contains("systemd-networkd"), "{named}");
        let before = counted(&site, "orchestrator_link_repairs_total{what=\"address\"}");
        thread::sleep(Duration::from_secs(10));
        let after = counted(&site, "orchestrator_link_repairs_total{what=\"address\"}");
        assert!(
            after - before <= 6,
            "{} repairs while it waits longer each time",
            after - before
        );
        assert_eq!(site.daemon.api("GET", "/v1/ready").unwrap().0, 503);
        drop(stopping);
    });
    wait_for("the address to be back", PATIENCE, || {
        (addresses(&site).len() == 2).then_some(())
    });
}

#[test]
fn a_renamed_bridge_is_named_and_served_again_under_its_own_name() {
    let (mut site, machine) = start("");
    site.host.ip("link set br0 name br9").unwrap();
    wait_for("the new name to be told", PATIENCE, || {
        reason(&site, "link br0")
            .filter(|reason| reason.contains("was renamed to br9"))
            .map(|_| ())
    });
    assert!(
        site.host.ip("link show br0").is_err(),
        "no second bridge with the same address"
    );
    site.host.ip("link set br9 name br0").unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    wait_said(&site, "bridge br0 was removed");
    lease_is_given(&machine);
}

#[test]
fn the_links_address_on_another_interface_is_told_of() {
    let (site, _machine) = start("");
    let lost = site.lab.namespace("other").unwrap();
    lost.connect("eth0", &site.host, "eth9", None).unwrap();
    site.host
        .ip(&format!("address add {PREFIX}::1/64 dev eth9 nodad"))
        .unwrap();
    wait_said(&site, "interface eth9 has the link's address");
    assert!(condition(&site, "bridge br0").is_some_and(|condition| condition["ok"] == false));
    site.host.ip(&format!("address del {PREFIX}::1/64 dev eth9")).unwrap();
    wait_for("it to be over", PATIENCE, || {
        condition(&site, "bridge br0").is_none().then_some(())
    });
}

#[test]
fn a_port_whose_isolation_was_switched_off_is_isolated_again() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased: Ipv6Addr = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let host_end = site.host_ends().pop().unwrap();
    let isolated = || {
        let told = site.host.ip_json(&format!("-d link show {host_end}")).unwrap();
        told[0]["linkinfo"]["info_slave_data"]["isolated"] == true
    };
    assert!(isolated());
    site.host
        .ip(&format!("link set {host_end} type bridge_slave isolated off"))
        .unwrap();
    assert!(!isolated());
    wait_for("the port to be isolated again", PATIENCE, || isolated().then_some(()));
    wait_for("an event", PATIENCE, || {
        let events = site.daemon.items("/v1/events?limit=5000").ok()?;
        let said = |event: &&Value| {
            event["kind"] == "instance-disturbed" && text(event, "detail").contains("the isolation of its port")
        };
        events.iter().find(said).map(|_| ())
    });
    let again = site.wait_ready_for(leased);
    assert_eq!(again["id"], instance["id"], "it was not made anew");
    assert_eq!(site.host_ends(), [host_end]);
}

/// The routes with the daemon's protocol.
fn routes(site: &Site) -> Vec<String> {
    let told = site.host.ip_json("-6 route show proto 111").unwrap();
    let mut routes: Vec<String> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|route| text(route, "dst"))
        .collect();
    routes.sort();
    routes
}

/// A link that delegates, with a client that holds a prefix.
fn start_delegating() -> (Site, Dhclient, Vec<String>) {
    let (site, machine) = start(&format!("[[link.delegation]]\npool = \"{POOL}\""));
    let mut client = Dhclient::boot_for_prefix(&machine, "eth0").unwrap();
    client.address_in_prefix(PATIENCE).unwrap();
    let before = wait_for("a routed prefix", PATIENCE, || {
        Some(routes(&site)).filter(|routes| routes.len() == 2)
    });
    (site, client, before)
}

#[test]
fn routes_that_somebody_removed_are_made_again_and_told_of() {
    let (mut site, _client, before) = start_delegating();
    // As systemd-networkd does at its start, unless ManageForeignRoutes=no.
    site.host.ip("-6 route flush proto 111").unwrap();
    wait_for("the routes to be back", PATIENCE, || {
        (routes(&site) == before).then_some(())
    });
    wait_said(&site, "somebody removed the routes to");
    assert!(counted(&site, "orchestrator_routes_restored_total") >= 2);
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    // With the bridge they go, and come back with it.
    site.host.ip("link set br0 down").unwrap();
    wait_said(&site, "it is down");
    wait_for("the routes to be back", PATIENCE, || {
        (routes(&site) == before).then_some(())
    });
}

#[test]
fn forwarding_that_is_switched_off_is_told_of() {
    let (site, _client, _routes) = start_delegating();
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    wait_for("forwarding to be seen", PATIENCE, || {
        condition(&site, "forwarding")
            .filter(|condition| condition["ok"] == true)
            .map(|_| ())
    });
    site.host.sysctl("net.ipv6.conf.all.forwarding", "0").unwrap();
    let said = wait_for("forwarding to be missed", PATIENCE, || reason(&site, "forwarding"));
    assert!(said.contains("set net.ipv6.conf.all.forwarding=1"), "{said}");
    assert_eq!(site.daemon.api("GET", "/v1/ready").unwrap().0, 200, "leases go on");
}

#[test]
fn routes_of_a_site_that_is_gone_are_listed_and_removed_by_its_mark_alone() {
    let (mut site, _client, before) = start_delegating();
    let settings = site.daemon.place().join("settings.toml").display().to_string();
    let ask = |site: &Site, more: &[&str]| {
        let output = site
            .daemon
            .cli(&[&["routes", "--settings", &settings], more].concat())
            .unwrap();
        let [said, complained] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code().unwrap(), said, complained)
    };
    let listed = |site: &Site| -> Vec<Value> { serde_json::from_str(&ask(site, &["-o", "json"]).1).unwrap() };
    let own = listed(&site);
    assert_eq!((own.len(), &own[0]["owner"]), (1, &Value::from("running")), "{own:?}");
    let mark = own[0]["mark"].to_string();
    assert_eq!(
        ask(&site, &["--remove", &mark]).0,
        1,
        "a daemon that runs keeps its routes"
    );
    site.daemon.stop().unwrap();
    assert_eq!(listed(&site)[0]["owner"], "settings");
    assert_eq!(ask(&site, &["--remove", &mark]).0, 1, "it may be started again");
    assert_eq!(routes(&site), before);
    // Its database and its identity are lost: the next daemon is another one.
    for file in ["orchestrator.db", "orchestrator.identity"] {
        fs::remove_file(site.daemon.place().join(file)).unwrap();
    }
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    assert_eq!(listed(&site).len(), 2);
    let check = site.daemon.cli(&["check", "--settings", &settings]).unwrap();
    let said = String::from_utf8(check.stdout).unwrap();
    assert!(said.contains(&format!("orchestrator routes --remove {mark}")), "{said}");
    let (code, said, complained) = ask(&site, &["--remove", &mark]);
    assert_eq!((code, said.trim()), (0, "2 routes removed"), "{complained}");
    assert_eq!(routes(&site), [POOL], "the other daemon's own");
    assert_eq!(listed(&site).len(), 1);
}

#[test]
fn check_tells_of_another_server_a_router_and_forwarding_that_is_off() {
    // On a link with isolation the other server's messages reach nobody.
    let (site, other) = start(&format!("isolation = false\n[[link.delegation]]\npool = \"{POOL}\""));
    let settings = site.daemon.place().join("settings.toml").display().to_string();
    let check = || {
        let output = site
            .daemon
            .cli(&["check", "--settings", &settings, "-o", "json"])
            .unwrap();
        let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        move |name: &str| found.iter().find(|finding| finding["name"] == name).cloned()
    };
    let found = check();
    let alone = found("other DHCPv6 servers on br0").unwrap();
    assert_eq!(
        (&alone["ok"], &alone["detail"]),
        (&Value::from(true), &Value::from("none answers"))
    );
    let forwarding = found("forwarding").unwrap();
    assert!(
        text(&forwarding, "detail").contains("set net.ipv6.conf.all.forwarding=1"),
        "{forwarding}"
    );

    other
        .ip(&format!("address add {PREFIX}::99/64 dev eth0 nodad"))
        .unwrap();
    let _dnsmasq = orchestrator_lab::Dnsmasq::start(
        &other,
        &[
            "--interface=eth0",
            "--enable-ra",
            &format!("--dhcp-range={PREFIX}::5:0,{PREFIX}::5:ff,64,1h"),
        ],
    )
    .unwrap();
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let found = check();
    let rival = found("other DHCPv6 servers on br0").unwrap();
    assert!(
        rival["ok"] == false && text(&rival, "detail").contains("fe80::"),
        "{rival}"
    );
    let router = found("other routers on br0").unwrap();
    assert!(
        text(&router, "detail").contains("tells clients to use DHCPv6"),
        "{router}"
    );
    assert_eq!(found("forwarding").unwrap()["ok"], true);
}

#[test]
fn another_router_address_of_somebody_elses_bridge_is_told_to_hosts() {
    let plan = Plan {
        engine: "unix:///nonexistent/docker.sock".to_owned(),
        template: None,
        link: "router_advertisements = true".to_owned(),
        ..Plan::default()
    };
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    host.bridge("br0", None).unwrap();
    let daemon = Daemon::start(&host, Path::new(BINARY), |place| plan.settings(place)).unwrap();
    let mut site = Site { lab, host, daemon };
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let machine = site.machine("client");
    let routers = || {
        let told = machine.ip_json("-6 route show default").unwrap();
        let routes = told.as_array().unwrap().clone();
        routes.iter().map(|route| text(route, "gateway")).collect::<Vec<_>>()
    };
    let first = wait_for("a router", PATIENCE, || routers().pop());
    // A bridge takes the lowest link-layer address of its ports, as long as nobody gave it one.
    let mac = link_layer(&site);
    let other = site.lab.namespace("other").unwrap();
    other.ip("link add eth0 type veth peer name low").unwrap();
    other.ip("link set low address 02:00:00:00:00:01").unwrap();
    other.ip(&format!("link set low netns {}", site.host.name())).unwrap();
    other.ip("link set eth0 up").unwrap();
    site.host.ip("link set low master br0 up").unwrap();
    assert_ne!(link_layer(&site), mac);
    wait_said(&site, "has another link-layer address");
    // With that it gets another link-local address when it comes up again: another router, to hosts.
    site.host.ip("link set br0 down").unwrap();
    site.host.ip("link set br0 up").unwrap();
    wait_for("the new router", PATIENCE, || {
        routers().into_iter().find(|router| *router != first)
    });
    wait_said(&site, "the link-local address of bridge br0 changed");
    assert_ne!(link_layer(&site), mac, "it is not ours to change");
}

#[test]
fn a_relay_port_that_the_kernel_made_deaf_is_opened_anew() {
    let (mut site, _machine) = start("");
    let uplink = site.lab.namespace("uplink").unwrap();
    uplink.connect("eth0", &site.host, "eth9", None).unwrap();
    let settings = fs::read_to_string(site.daemon.place().join("settings.toml")).unwrap();
    let settings = settings.replace("[[link]]", "[source.listener]\nrelays = [\"eth9\"]\n[[link]]");
    fs::write(site.daemon.place().join("settings.toml"), settings).unwrap();
    assert!(site.daemon.cli(&["reload"]).unwrap().status.success());
    let joined = || {
        let table = site
            .host
            .within(|| fs::read_to_string("/proc/thread-self/net/igmp6"))
            .unwrap();
        table
            .lines()
            .any(|line| line.contains("eth9") && line.contains("ff020000000000000000000000010002"))
    };
    wait_for("the port to listen", PATIENCE, || joined().then_some(()));
    site.host.ip("link set eth9 mtu 1000").unwrap();
    assert!(!joined());
    site.host.ip("link set eth9 mtu 1500").unwrap();
    wait_for("the port to listen again", PATIENCE, || joined().then_some(()));
    site.daemon.wait_until_ready(PATIENCE).unwrap();
}
