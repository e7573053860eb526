//! A site: a host with the daemon and a bridge, and a machine on a cable where the clients are.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use orchestrator_lab::{Daemon, Lab, Link, Namespace, Settings, wait_for};
use serde_json::Value;

use crate::client::Client;

/// The link's prefix, but for its last groups.
pub(crate) use orchestrator_lab::PREFIX;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The link's own address.
pub(crate) const LINK: &str = "fd39:9706:2786:6333::1";
/// A pool that no test fills.
pub(crate) const POOL: &str = "fd39:9706:2786:6333::1:0/112";

/// Clients of this process so far, for their DUIDs.
static CLIENTS: AtomicU32 = AtomicU32::new(0);

/// A host with the daemon on it, and a machine with clients.
pub(crate) struct Site {
    pub(crate) daemon: Daemon,
    /// The clients' machine; its `eth0` is in the bridge.
    pub(crate) machine: Namespace,
    pub(crate) host: Namespace,
    pub(crate) lab: Lab,
    addresses: AtomicU16,
}

/// What the server has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages answered, of all types together.
    pub(crate) answered: u64,
    /// Messages discarded, by reason.
    pub(crate) discarded: BTreeMap<String, u64>,
}

impl Site {
    /// A link with this pool, and without rapid commit unless the lines say so.
    pub(crate) fn start(pool: &str, lines: &str) -> Self {
        Self::start_with(&link("br0", PREFIX, pool, lines))
    }

    /// A daemon with these links; the machine's cable is in `br0`.
    pub(crate) fn start_with(links: &str) -> Self {
        Self::start_in(Lab::new().unwrap(), &[], links)
    }

    /// The same in a lab, with environment variables for the daemon.
    pub(crate) fn start_in(lab: Lab, environment: &[(&str, &str)], links: &str) -> Self {
        let host = lab.namespace("host").unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_orchestrator"));
        let mut daemon = Daemon::start_with(&host, binary, environment, |place| settings(place, links)).unwrap();
        daemon.wait_until_ready(PATIENCE).unwrap();
        let machine = connect(&lab, &host, "machine", "br0");
        Self {
            daemon,
            machine,
            host,
            lab,
            addresses: AtomicU16::new(0x100),
        }
    }

    /// Stops the daemon and starts it again with other links.
    pub(crate) fn restart_with(&mut self, links: &str) {
        self.daemon.stop().unwrap();
        self.write(links);
        self.resume();
    }

    /// Writes settings with other links; nobody reads them yet.
    pub(crate) fn write(&self, links: &str) {
        let place = self.daemon.place();
        std::fs::write(
            place.join("settings.toml"),
            settings(&place.display().to_string(), links),
        )
        .unwrap();
    }

    /// Has the daemon go over to other links while it runs; the keys that differ.
    pub(crate) fn reload_with(&self, links: &str) -> Vec<String> {
        self.write(links);
        let (status, told) = self.daemon.api("POST", "/v1/settings/reload").unwrap();
        assert_eq!(status, 200, "{told}");
        let changes = told["changes"].as_array().unwrap();
        changes
            .iter()
            .map(|change| change["key"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Starts the daemon again after it was stopped or killed.
    pub(crate) fn resume(&mut self) {
        self.daemon.resume().unwrap();
        self.daemon.wait_until_ready(PATIENCE).unwrap();
    }

    /// Another machine with its cable in `br0`.
    pub(crate) fn connect(&self, name: &str) -> Namespace {
        connect(&self.lab, &self.host, name, "br0")
    }

    /// A client that nobody has heard of.
    pub(crate) fn client(&self) -> Client {
        self.client_with(&new_duid())
    }

    /// A client with this DUID.
    pub(crate) fn client_with(&self, duid: &[u8]) -> Client {
        self.client_on(&self.machine, duid)
    }

    /// A client with this DUID on another machine.
    pub(crate) fn client_on(&self, machine: &Namespace, duid: &[u8]) -> Client {
        let number = self.addresses.fetch_add(1, Ordering::Relaxed);
        let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number);
        machine.ip(&format!("address add {address}/64 dev eth0 nodad")).unwrap();
        Client::at(machine, address, duid.to_vec())
    }

    /// All leases, of every state.
    pub(crate) fn leases(&self) -> Vec<Value> {
        let (mut leases, mut after) = (Vec::new(), String::new());
        loop {
            let (status, mut page) = self
                .daemon
                .api("GET", &format!("/v1/leases?limit=1000{after}"))
                .unwrap();
            assert_eq!(status, 200, "{page}");
            leases.append(page["items"].as_array_mut().unwrap());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return leases,
            }
        }
    }

    /// The leases of a client: address and state, in order.
    pub(crate) fn leases_of(&self, client: &Client) -> Vec<(Ipv6Addr, String)> {
        let duid = hex(&client.duid);
        let text = |lease: &Value, field: &str| lease[field].as_str().unwrap().to_owned();
        let own = self.leases().into_iter().filter(|lease| lease["duid"] == duid.as_str());
        let mut own: Vec<_> = own
            .map(|lease| (text(&lease, "address").parse().unwrap(), text(&lease, "state")))
            .collect();
        own.sort();
        own
    }

    /// The lease of an address.
    pub(crate) fn lease(&self, address: Ipv6Addr) -> Option<Value> {
        self.leases()
            .into_iter()
            .find(|lease| lease["address"] == address.to_string())
    }

    /// Whether this client holds this address.
    pub(crate) fn holds(&self, client: &Client, address: Ipv6Addr) -> bool {
        self.leases_of(client).contains(&(address, "active".to_owned()))
    }

    /// The daemon's process id.
    pub(crate) fn pid(&mut self) -> u32 {
        assert!(self.daemon.program().is_running(), "the daemon has ended");
        self.daemon.program().pid()
    }

    /// What the server has counted so far.
    pub(crate) fn counts(&self) -> Counts {
        let text = self.daemon.ask("GET", "/metrics").unwrap().text();
        let mut counts = Counts {
            answered: 0,
            discarded: BTreeMap::new(),
        };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let value = || value.parse::<u64>().unwrap();
            if name.starts_with("orchestrator_dhcp6_messages_total") {
                counts.answered += value();
            } else if let Some(labels) = name.strip_prefix("orchestrator_dhcp6_discards_total") {
                counts.discarded.insert(
                    labels.trim_matches(['{', '}']).replace("reason=", "").replace('"', ""),
                    value(),
                );
            }
        }
        counts
    }
}

/// The site that tests share which need no rapid commit, one test at a time.
pub(crate) fn plain() -> MutexGuard<'static, Site> {
    static SITE: OnceLock<Mutex<Site>> = OnceLock::new();
    let lines =
        format!("dns_servers = [\"{LINK}\", \"fd00::53\"]\ndomain_search = [\"example.org\", \"lan.example.org\"]");
    let start = || Mutex::new(Site::start(POOL, &lines));
    // A test that failed says nothing about the site.
    SITE.get_or_init(start).lock().unwrap_or_else(PoisonError::into_inner)
}

/// The site that tests share which need rapid commit, one test at a time.
pub(crate) fn rapid() -> MutexGuard<'static, Site> {
    static SITE: OnceLock<Mutex<Site>> = OnceLock::new();
    let start = || Mutex::new(Site::start(POOL, "rapid_commit = true"));
    SITE.get_or_init(start).lock().unwrap_or_else(PoisonError::into_inner)
}

/// The settings of a link: the lines, and what they leave out. Tests send more often than clients do.
pub(crate) fn link(bridge: &str, prefix: &str, pool: &str, lines: &str) -> String {
    Link::with_prefix(bridge, prefix)
        .pool(pool)
        .lines("rapid_commit = false\nclient_rate = 0\nlink_rate = 0\nrouter_advertisements = false\nisolation = false")
        .lines(lines)
        .text()
}

/// Relay agents on `br0` are trusted, unless the text says itself where they are, or dnsmasq answers there.
fn settings(place: &str, links: &str) -> String {
    let is_said = links.contains("[source.listener]") || links.contains("source = \"dnsmasq\"");
    let relays = match is_said {
        true => "",
        false => "[source.listener]\nrelays = [\"br0\"]\n",
    };
    Settings::new(place).with(&format!("{relays}{links}")).text()
}

/// A machine with its cable in a bridge of the host.
pub(crate) fn connect(lab: &Lab, host: &Namespace, name: &str, bridge: &str) -> Namespace {
    let machine = lab.namespace(name).unwrap();
    machine.disable_dad().unwrap();
    machine
        .connect("eth0", host, &format!("p-{name}"), Some(bridge))
        .unwrap();
    // The kernel opens a port a moment after its cable is in; what is sent before is lost.
    wait_for("the bridge to forward", PATIENCE, || {
        let port = host.ip_json(&format!("-details link show p-{name}")).unwrap();
        (port[0]["linkinfo"]["info_slave_data"]["state"] == "forwarding").then_some(())
    });
    machine
}

/// A DUID that nobody has: by enterprise number (RFC 9915, section 11.3).
pub(crate) fn new_duid() -> Vec<u8> {
    let number = CLIENTS.fetch_add(1, Ordering::Relaxed);
    [&[0, 2, 0, 0, 0xab, 0x11][..], &number.to_be_bytes()].concat()
}

/// Bytes as the API shows them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

/// An address of the link's prefix, by its last four groups.
pub(crate) fn on_link(identifier: &str) -> Ipv6Addr {
    format!("{PREFIX}{identifier}").parse().unwrap()
}

/// An address of another link.
pub(crate) fn off_link() -> Ipv6Addr {
    "2001:db8:99::1".parse().unwrap()
}
