//! Tables of others beside ours: Docker's, and such as firewalld has. And somebody who flushes all of them.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use orchestrator_lab::{Dhclient, Engine, Namespace, TEST_PORT, wait_for};

use crate::site::{PATIENCE, Plan, Site, address};

/// How long a connection may take that is dropped.
const BRIEF: Duration = Duration::from_secs(1);

/// What firewalld 1.3 makes, as far as forwarding goes: chains of its own in a table of its own.
const FIREWALLD: &str = "table inet firewalld {
  chain filter_INPUT { type filter hook input priority 10; policy accept;
    ct state { established, related } accept
    iifname \"lo\" accept
    ct state invalid drop
    jump filter_INPUT_ZONES
  }
  chain filter_FORWARD { type filter hook forward priority 10; policy accept;
    ct state { established, related } accept
    ct state invalid drop
    jump filter_FORWARD_ZONES
  }
  chain filter_INPUT_ZONES {
    iifname \"br0\" accept
  }
  chain filter_FORWARD_ZONES {
    iifname \"br0\" accept
  }
}
";

/// Two clients, each with an instance.
struct Two {
    machines: [Namespace; 2],
    instances: [Ipv6Addr; 2],
    _clients: [Dhclient; 2],
}

fn start() -> (Site, Two) {
    let site = Site::start(&Plan {
        link: "isolation = true".to_owned(),
        ..Plan::default()
    });
    let machines = ["one", "two"].map(|name| site.machine(name));
    let mut clients = machines
        .each_ref()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap());
    let leased = clients.each_mut().map(|client| client.address(PATIENCE).unwrap());
    let instances = leased.map(|leased| address(&site.wait_ready_for(leased)));
    let two = Two {
        machines,
        instances,
        _clients: clients,
    };
    (site, two)
}

impl Two {
    fn reaches_own(&self) -> bool {
        self.machines[0].tcp(self.instances[0], TEST_PORT, BRIEF).is_ok()
    }

    fn reaches_other(&self) -> bool {
        self.machines[0].tcp(self.instances[1], TEST_PORT, BRIEF).is_ok()
    }
}

fn let_bridges_call(site: &Site, value: &str) {
    site.host.sysctl("net.bridge.bridge-nf-call-ip6tables", value).unwrap();
}

#[test]
fn a_firewall_with_tables_of_its_own_changes_nothing() {
    let (site, two) = start();
    let rules = site.lab.directory().join("firewalld.nft");
    std::fs::write(&rules, FIREWALLD).unwrap();
    site.host.run("nft", &["-f", rules.to_str().unwrap()]).unwrap();
    for value in ["0", "1"] {
        let_bridges_call(&site, value);
        assert!(two.reaches_own(), "bridge-nf-call-ip6tables = {value}");
        assert!(!two.reaches_other(), "bridge-nf-call-ip6tables = {value}");
    }
    let listed = site.host.run("nft", &["list", "table", "inet", "firewalld"]).unwrap();
    assert!(listed.contains("filter_FORWARD_ZONES"), "{listed}");
}

/// Docker drops what is forwarded, also between ports of a bridge where bridges call its rules. An operator accepts his
/// bridges before that.
#[test]
fn docker_beside_changes_nothing_once_its_rules_accept_the_bridge() {
    let (site, two) = start();
    site.host.bridge("docker0", None).unwrap();
    site.host.ip("address add 172.31.255.1/24 dev docker0").unwrap();
    let arguments = [
        "--bridge=docker0",
        "--iptables=true",
        "--ip6tables=true",
        "--experimental",
    ];
    let docker = Engine::start_with(&site.host, &arguments).unwrap();
    let ip6tables = |arguments: &str| {
        let words: Vec<&str> = arguments.split(' ').collect();
        site.host.run("ip6tables", &words).unwrap()
    };
    ip6tables("-P FORWARD DROP");
    let rules = ip6tables("-S");
    assert!(rules.contains("DOCKER"), "Docker has its rules: {rules}");
    let_bridges_call(&site, "0");
    assert!(
        two.reaches_own() && !two.reaches_other(),
        "bridges do not call Docker's rules"
    );
    let_bridges_call(&site, "1");
    assert!(!two.reaches_own(), "Docker drops what bridges forward");
    ip6tables("-I FORWARD -i br0 -o br0 -j ACCEPT");
    assert!(
        two.reaches_own() && !two.reaches_other(),
        "the operator accepts his bridge"
    );
    drop(docker);
}

/// Sends octets to the instance and reads them back, until it is to stop. Returns how often.
fn echo(mut stream: TcpStream, rounds: &AtomicU64, stop: &AtomicBool) -> u64 {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut room = [0; 64];
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(&room).unwrap();
        stream.read_exact(&mut room).unwrap();
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    rounds.load(Ordering::Relaxed)
}

#[test]
fn rules_that_somebody_flushes_come_back_while_traffic_flows() {
    let (site, two) = start();
    // The instance connects to its client, which echoes: a connection of its own that lives through everything.
    let listener = two.machines[0].within(|| TcpListener::bind("[::]:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let (stop, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let own = two.machines[0]
            .addresses("eth0")
            .unwrap()
            .into_iter()
            .find(|one| one.ip.to_string().starts_with(crate::site::PREFIX))
            .unwrap()
            .ip;
        let _echoes = scope.spawn(|| {
            let (mut from, _) = listener.accept().unwrap();
            let mut room = [0; 64];
            while from.read_exact(&mut room).is_ok() && from.write_all(&room).is_ok() {}
        });
        // From the other client's machine: clients of a link may speak with each other.
        let stream = two.machines[1].tcp(own, port, PATIENCE).unwrap();
        let flowing = scope.spawn(|| echo(stream, &rounds, &stop));
        for _ in 0..3 {
            let before = rounds.load(Ordering::Relaxed);
            site.host.run("nft", &["flush", "ruleset"]).unwrap();
            wait_for("the rules to be back", PATIENCE, || {
                let listed = site.host.run("nft", &["list", "ruleset"]).ok()?;
                (listed.contains("from_instance") && listed.contains("table inet orchestrator-")).then_some(())
            });
            wait_for("traffic to go on", PATIENCE, || {
                (rounds.load(Ordering::Relaxed) > before + 10).then_some(())
            });
            wait_for("the rules to hold", PATIENCE, || (!two.reaches_other()).then_some(()));
            assert!(two.reaches_own());
        }
        stop.store(true, Ordering::Relaxed);
        assert!(flowing.join().unwrap() > 30);
    });
}
