//! A site with a client that attacks, its two instances, and those whom it attacks.
//!
//! ```text
//!             ┌ mallory: a client ─── user: an instance, processes of a user without capabilities
//!   br0 ──────┤                  └─── root: an instance that may use raw sockets and change its interface
//!             └ alice: a client ───── hers: her instance
//!   br1 ───── bob: a client ───────── his: his instance
//!   host ──── world: a machine that is on no link
//! ```

use std::fs;
use std::net::{Ipv6Addr, TcpListener, UdpSocket};
use std::path::PathBuf;

use nix::sys::signal::Signal;
use orchestrator_lab::{Daemon, Dhclient, Engine, Lab, Link, Namespace, PREFIX, Settings, TEST_PORT, wait_for};
use serde_json::{Value, json};

use super::image::{self, AS_ROOT, AS_USER, ATTACKER, PYTHON, SOURCE};
use super::tap::Tap;
use crate::site::{BINARY, PATIENCE, Site, first_process, text};
use orchestrator_wire::packet::{self, Ends, Mac, group_mac};

/// The prefix of the second link.
pub(super) const OTHER: &str = "fd3a:9706:2786:6333";
/// The address of the metadata service.
pub(super) const METADATA: &str = "fd00:6d65:7461::1";

/// Somebody who sends or receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The client that attacks.
    Mallory,
    /// A process of a user in its first instance.
    User,
    /// Root in its second instance.
    Root,
    /// Another client of the link.
    Alice,
    /// Her instance.
    Hers,
    /// A client of another link.
    Bob,
    /// His instance.
    His,
    /// The host, at its first bridge.
    Host,
    /// A machine beyond the host.
    World,
}

/// What a site differs in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Whether there is a second link, with Bob on it.
    pub(super) two_bridges: bool,
    /// Lines of each link besides `isolation`.
    pub(super) lines: &'static str,
    /// Whether all that instances send goes by the host: so it is where a link has a front door.
    pub(super) front_door: bool,
    /// `net.bridge.bridge-nf-call-ip6tables`.
    pub(super) bridges_call: &'static str,
}

/// Somebody's place: interface, addresses, and what arrives there.
pub(super) struct Party {
    pub(super) mac: Mac,
    pub(super) address: Ipv6Addr,
    pub(super) link_local: Ipv6Addr,
    pub(super) tap: Tap,
    network: PathBuf,
    /// The container, where it is one.
    container: Option<String>,
}

/// Everything.
pub(super) struct Stage {
    pub(super) site: Site,
    pub(super) shape: Shape,
    parties: Vec<(Who, Party)>,
    /// A socket of the host that no rule of the operator closes.
    pub(super) service: UdpSocket,
    attacker: PathBuf,
    _listeners: Vec<TcpListener>,
    _clients: Vec<Dhclient>,
}

fn settings(shape: Shape, isolation: bool, place: &str) -> String {
    let lines = |prefix: &str| {
        let door = match shape.front_door && isolation {
            true => format!("front_door = \"{prefix}::d0\"\n"),
            false => String::new(),
        };
        format!(
            "isolation = {isolation}\ndns = false\ndns_servers = [\"{prefix}::1\"]\n{door}{}\n",
            shape.lines
        )
    };
    let ready = format!("ready = {{ tcp = {TEST_PORT}, within = \"60s\" }}\ngrace = \"1s\"");
    let mut first = Link::new("br0").lines(&lines(PREFIX));
    first = first.template(&format!("image = \"{AS_USER}\"\n{ready}"));
    // Each client has both.
    let first = first.lines("template = [\"default\", \"root\"]");
    let root = format!(
        "[template.root]\nengine = \"docker\"\nimage = \"{AS_ROOT}\"\nmemory = \"64MiB\"\n\
         capabilities = [\"NET_RAW\", \"NET_ADMIN\"]\n{ready}"
    );
    let settings = Settings::new(place).engine(&Engine::shared().url()).spool().link(first);
    let settings = match shape.two_bridges {
        true => settings.link(
            Link::with_prefix("br1", OTHER)
                .lines(&lines(OTHER))
                .lines(&format!("instances = \"{OTHER}::2:0/112\"\ntemplate = \"default\"")),
        ),
        false => settings,
    };
    settings.with(&root).text()
}

impl Stage {
    /// Starts everything, with the rules, and waits until all instances are ready.
    pub(super) fn start(shape: Shape) -> Self {
        image::import();
        let lab = Lab::new().unwrap();
        let host = lab.namespace("host").unwrap();
        host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
        for (calls, value) in [("ip6tables", shape.bridges_call), ("iptables", "0"), ("arptables", "0")] {
            // What frames of other protocols hold is no packet that the kernel would pass on.
            host.sysctl(&format!("net.bridge.bridge-nf-call-{calls}"), value)
                .unwrap();
        }
        let mut daemon = Daemon::start(&host, BINARY.as_ref(), |place| settings(shape, true, place)).unwrap();
        daemon.wait_until_ready(PATIENCE).unwrap();
        let site = Site { lab, host, daemon };
        let attacker = site.lab.directory().join("attacker.py");
        fs::write(&attacker, SOURCE).unwrap();
        let mut names = vec![(Who::Mallory, "mallory", "br0"), (Who::Alice, "alice", "br0")];
        if shape.two_bridges {
            names.push((Who::Bob, "bob", "br1"));
        }
        let machines: Vec<(Who, Namespace)> = names
            .iter()
            .map(|(who, name, bridge)| (*who, machine(&site, name, bridge)))
            .collect();
        let mut clients: Vec<(Who, &Namespace, Dhclient)> = machines
            .iter()
            .map(|(who, machine)| (*who, machine, Dhclient::boot(machine, "eth0").unwrap()))
            .collect();
        let mut parties = Vec::new();
        for (who, machine, client) in &mut clients {
            let leased = client.address(PATIENCE).unwrap();
            parties.push((*who, Party::of_machine(machine, "eth0", leased)));
            for (who, template) in instances_of(*who) {
                parties.push((*who, Party::of_instance(&site, leased, template)));
            }
        }
        let world = world(&site);
        parties.push((
            Who::World,
            Party::of_machine(&world, "eth0", "fd77::2".parse().unwrap()),
        ));
        let address: Ipv6Addr = format!("{PREFIX}::1").parse().unwrap();
        parties.push((Who::Host, Party::of_machine(&site.host, "br0", address)));
        let listen = |machine: &Namespace, port: u16| machine.within(|| TcpListener::bind(("::", port)).unwrap());
        let mut listeners: Vec<TcpListener> = machines.iter().map(|(_, machine)| listen(machine, 22)).collect();
        listeners.extend([listen(&site.host, 22), listen(&site.host, 5432), listen(&world, 443)]);
        let service = site.host.within(|| UdpSocket::bind("[::]:53").unwrap());
        service.set_nonblocking(true).unwrap();
        let clients = clients.into_iter().map(|(_, _, client)| client).collect();
        Self {
            site,
            shape,
            parties,
            service,
            attacker,
            _listeners: listeners,
            _clients: clients,
        }
    }

    /// Has the daemon take the rules away.
    pub(super) fn without_rules(&mut self) {
        let place = self.site.daemon.place().to_owned();
        fs::write(
            place.join("settings.toml"),
            settings(self.shape, false, &place.display().to_string()),
        )
        .unwrap();
        self.site.daemon.program().signal(Signal::SIGHUP).unwrap();
        wait_for("the rules to be gone", PATIENCE, || {
            let tables = self.site.host.run("nft", &["list", "tables"]).ok()?;
            let chains = self.site.host.run("nft", &["list", "chains", "bridge"]).ok()?;
            (!tables.contains("inet orchestrator-") && !chains.contains("from_instance")).then_some(())
        });
    }

    /// Opens the ports of instances, as those of a bridge are by themselves. The daemon, which would close them again, stands
    /// still from now on.
    pub(super) fn with_open_ports(&mut self) {
        self.site.daemon.program().freeze().unwrap();
        let ports = self
            .site
            .host
            .run("ip", &["-o", "link", "show", "type", "veth"])
            .unwrap();
        let names = ports
            .lines()
            .filter_map(|line| line.split(": ").nth(1)?.split('@').next());
        for port in names.filter(|name| name.starts_with("or")) {
            let open = ["locked", "off", "learning", "on", "flood", "on", "bcast_flood", "on"];
            let words = [&["link", "set", port, "type", "bridge_slave"][..], &open].concat();
            self.site.host.run("ip", &words).unwrap();
        }
    }

    pub(super) fn party(&self, who: Who) -> &Party {
        let found = self.parties.iter().find(|(one, _)| *one == who);
        &found.unwrap_or_else(|| panic!("no {who:?} here")).1
    }

    pub(super) fn has(&self, who: Who) -> bool {
        self.parties.iter().any(|(one, _)| *one == who)
    }

    /// Runs the attacker's program as somebody. Returns its last line.
    pub(super) fn attack(&self, who: Who, arguments: &[&str]) -> String {
        let python = [PYTHON, "-I", "-S"];
        let party = self.party(who);
        match &party.container {
            Some(container) => exec(container, &[&python[..], &[ATTACKER], arguments].concat()),
            None => {
                let network = format!("--net={}", party.network.display());
                let script = self.attacker.display().to_string();
                let words = [&[&network[..]], &python[..], &[&script[..]], arguments].concat();
                let output = self.site.lab.command("nsenter").args(words).output().unwrap();
                last_line(&[output.stdout, output.stderr].concat())
            }
        }
    }

    /// Runs `ip` as somebody who may.
    pub(super) fn ip(&self, who: Who, arguments: &str) {
        let party = self.party(who);
        let words: Vec<&str> = ["ip"].into_iter().chain(arguments.split(' ')).collect();
        match &party.container {
            // Busybox has no neighbours. A container that may change its interface may change them as well.
            Some(container) if !arguments.contains("neigh") => assert_eq!(exec(container, &words), "", "{words:?}"),
            _ => {
                let network = format!("--net={}", party.network.display());
                let output = self
                    .site
                    .lab
                    .command("nsenter")
                    .arg(network)
                    .args(&words)
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{words:?}: {output:?}");
            }
        }
    }

    /// Bridges learn again where everybody is: who spoke with another's link-layer address has changed that.
    fn relearn(&self) {
        let group: Ipv6Addr = "ff02::16".parse().unwrap();
        for (who, party) in &self.parties {
            if matches!(who, Who::Host | Who::World) {
                continue;
            }
            let ends = Ends {
                from_mac: party.mac,
                to_mac: group_mac(group),
                from: party.link_local,
                to: group,
            };
            let report = [&[0, 0, 0, 1, 4, 0, 0, 0][..], &group.octets()].concat();
            party.tap.send(&packet::icmp(ends, 143, 1, &report));
        }
    }

    /// Forgets what has arrived anywhere.
    pub(super) fn clear(&self) {
        self.relearn();
        self.parties.iter().for_each(|(_, party)| party.tap.clear());
        while self.service.recv(&mut [0; 2048]).is_ok() {}
    }
}

impl Party {
    fn of_machine(machine: &Namespace, interface: &str, address: Ipv6Addr) -> Self {
        let shown = machine.ip_json(&format!("link show dev {interface}")).unwrap();
        let mac = mac(&text(&shown[0], "address"));
        Self {
            mac,
            address,
            link_local: link_local(mac),
            tap: Tap::on(machine.path(), interface),
            network: machine.path().to_owned(),
            container: None,
        }
    }

    /// The instance of a client, made from this template.
    fn of_instance(site: &Site, leased: Ipv6Addr, template: &str) -> Self {
        let instance = wait_for(&format!("the instance {template} of {leased}"), PATIENCE, || {
            let client = site.lease(leased)?["client"].clone();
            let mut ready = site.in_phase("ready").into_iter();
            ready.find(|one| one["client"] == client && one["slot"] == template)
        });
        let network = PathBuf::from(format!("/proc/{}/ns/net", first_process(&instance)));
        let mac = mac(&text(&instance["attachments"][0], "mac"));
        Self {
            mac,
            address: crate::site::address(&instance),
            link_local: link_local(mac),
            tap: Tap::on(&network, "eth1"),
            network,
            container: Some(text(&instance, "reference")),
        }
    }
}

/// Whom a client has as instances, with their templates.
fn instances_of(who: Who) -> &'static [(Who, &'static str)] {
    match who {
        Who::Mallory => &[(Who::User, "default"), (Who::Root, "root")],
        Who::Alice => &[(Who::Hers, "default")],
        Who::Bob => &[(Who::His, "default")],
        _ => &[],
    }
}

fn machine(site: &Site, name: &str, bridge: &str) -> Namespace {
    let machine = site.lab.namespace(name).unwrap();
    machine.disable_dad().unwrap();
    machine
        .connect("eth0", &site.host, &format!("p-{name}"), Some(bridge))
        .unwrap();
    machine
}

fn world(site: &Site) -> Namespace {
    let world = site.lab.namespace("world").unwrap();
    world.disable_dad().unwrap();
    world.connect("eth0", &site.host, "w0", None).unwrap();
    site.host.ip("address add fd77::1/64 dev w0 nodad").unwrap();
    world.ip("address add fd77::2/64 dev eth0 nodad").unwrap();
    world.ip("route add default via fd77::1").unwrap();
    world
}

/// Runs a command in a container as its own user, with its own capabilities and system calls. Returns its last line.
fn exec(container: &str, words: &[&str]) -> String {
    let engine = Engine::shared();
    let what = json!({ "AttachStdout": true, "AttachStderr": true, "Tty": true, "Cmd": words });
    let made = engine
        .api("POST", &format!("/containers/{container}/exec"), Some(&what))
        .unwrap();
    let id = text(&made.json().unwrap(), "Id");
    let started = engine.api(
        "POST",
        &format!("/exec/{id}/start"),
        Some(&json!({ "Detach": false, "Tty": true })),
    );
    last_line(&started.unwrap().body)
}

fn last_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    said.lines().last().unwrap_or_default().trim().to_owned()
}

fn mac(text: &str) -> Mac {
    let octets: Vec<u8> = text
        .split(':')
        .map(|octet| u8::from_str_radix(octet, 16).unwrap())
        .collect();
    octets.try_into().unwrap()
}

/// The link-local address that a kernel forms of a link-layer address (RFC 4291, appendix A).
fn link_local([a, b, c, d, e, f]: Mac) -> Ipv6Addr {
    let groups = [[a ^ 2, b], [c, 0xff], [0xfe, d], [e, f]].map(u16::from_be_bytes);
    Ipv6Addr::new(0xfe80, 0, 0, 0, groups[0], groups[1], groups[2], groups[3])
}

/// The packets that the rules have counted for a cause, or for one of several (`a|b`), in both tables.
pub(super) fn counted(host: &Namespace, cause: &str) -> u64 {
    counters(host)
        .into_iter()
        .filter(|(name, _)| cause.split('|').any(|one| name == &format!("c_{one}")))
        .map(|(_, packets)| packets)
        .sum()
}

/// The packets that the rules have counted, by cause and table.
pub(super) fn counters(host: &Namespace) -> Vec<(String, u64)> {
    let listed = host.run("nft", &["-j", "list", "counters"]).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let counters = listed["nftables"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one.get("counter"));
    let ours = counters.filter(|one| text(one, "table").starts_with("orchestrator-"));
    ours.map(|one| (text(one, "name"), one["packets"].as_u64().unwrap()))
        .collect()
}

/// How long a connection may take that is dropped.
pub(super) const BRIEF: &str = "0.4";
/// How long one may take that is not.
pub(super) const LONG: &str = "5";
