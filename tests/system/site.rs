//! A site: a host with the daemon and an engine, a bridge, and clients on cables.

use std::fs::File;
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use orchestrator_lab::{Daemon, Engine, Lab, Link, Namespace, Settings, TEST_PORT, wait_for};
use serde_json::Value;

/// The link's prefix, but for its last groups.
pub(crate) use orchestrator_lab::PREFIX;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_orchestrator");
/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// What differs from test to test.
pub(crate) struct Plan {
    /// URL of the engine.
    pub(crate) engine: String,
    /// URL of the database; a SQLite file in the daemon's directory when none is given.
    pub(crate) store: Option<String>,
    /// `listener` or `dnsmasq`.
    pub(crate) source: &'static str,
    /// Lines for `[[link]]`.
    pub(crate) link: String,
    /// Lines for `[template.default]`; without any the link has no template.
    pub(crate) template: Option<String>,
    /// Its `ready` table; without one an instance is ready when it is wired.
    pub(crate) ready: Option<String>,
}

impl Default for Plan {
    fn default() -> Self {
        Self::on(Engine::shared())
    }
}

impl Plan {
    /// A link that makes its own bridge, with instances on this engine.
    pub(crate) fn on(engine: &Engine) -> Self {
        Self {
            engine: engine.url(),
            store: None,
            source: "listener",
            link: String::new(),
            template: Some("grace = \"1s\"".to_owned()),
            ready: Some(format!("{{ tcp = {TEST_PORT}, within = \"30s\" }}")),
        }
    }

    /// The settings of a daemon that keeps its state in `place`.
    pub(crate) fn settings(&self, place: &str) -> String {
        self.pieces(place).text()
    }

    /// The same, to be changed further.
    pub(crate) fn pieces(&self, place: &str) -> Settings {
        let settings = Settings::new(place).engine(&self.engine).spool().link(self.link());
        match &self.store {
            Some(url) => settings.store(url),
            None => settings,
        }
    }

    /// The link, to be changed further.
    pub(crate) fn link(&self) -> Link {
        let mut link = Link::new("br0");
        if self.source != "listener" {
            link = link.source(self.source);
        }
        link = link.lines(&self.link);
        let Some(lines) = &self.template else { return link };
        let ready = self.ready.as_ref().map(|table| format!("ready = {table}\n"));
        link.template(&(ready.unwrap_or_default() + lines))
    }
}

/// A host with the daemon on it.
pub(crate) struct Site {
    /// Where everything is.
    pub(crate) lab: Lab,
    /// The host's network.
    pub(crate) host: Namespace,
    /// The daemon.
    pub(crate) daemon: Daemon,
}

impl Site {
    /// Starts the daemon and waits until it is ready.
    pub(crate) fn start(plan: &Plan) -> Self {
        let mut site = Self::start_unready(plan);
        site.daemon.wait_until_ready(PATIENCE).unwrap();
        site
    }

    /// Starts the daemon and does not wait for what it waits for.
    pub(crate) fn start_unready(plan: &Plan) -> Self {
        let lab = Lab::new().unwrap();
        let host = lab.namespace("host").unwrap();
        let daemon = Daemon::start(&host, Path::new(BINARY), |place| plan.settings(place)).unwrap();
        Self { lab, host, daemon }
    }

    /// [`Site::start`], with the database in a directory of its own, called `state`.
    pub(crate) fn start_in(plan: &Plan, state: &str) -> Self {
        let lab = Lab::new().unwrap();
        let host = lab.namespace("host").unwrap();
        let settings = |place: &str| {
            let url = format!("sqlite://{place}/{state}/orchestrator.db");
            plan.pieces(place).store(&url).text()
        };
        let mut daemon = Daemon::start(&host, Path::new(BINARY), settings).unwrap();
        daemon.wait_until_ready(PATIENCE).unwrap();
        Self { lab, host, daemon }
    }

    /// A client's machine with its cable in the bridge; it has not booted yet.
    pub(crate) fn machine(&self, name: &str) -> Namespace {
        let machine = self.lab.namespace(name).unwrap();
        machine.disable_dad().unwrap();
        machine
            .connect("eth0", &self.host, &format!("p-{name}"), Some("br0"))
            .unwrap();
        machine
    }

    /// The live instances.
    pub(crate) fn instances(&self) -> Vec<Value> {
        self.daemon.items("/v1/instances").unwrap()
    }

    /// The instances of a phase.
    pub(crate) fn in_phase(&self, phase: &str) -> Vec<Value> {
        self.instances()
            .into_iter()
            .filter(|instance| instance["phase"] == phase)
            .collect()
    }

    /// Waits until as many instances are ready, and no other is live.
    pub(crate) fn wait_ready(&self, count: usize) -> Vec<Value> {
        wait_for(
            &format!("{count} ready instances: {:#?}", self.instances()),
            PATIENCE,
            || {
                let live = self.instances();
                (live.len() == count && live.iter().all(|instance| instance["phase"] == "ready")).then_some(live)
            },
        )
    }

    /// Waits until a client has its instance ready.
    pub(crate) fn wait_ready_for(&self, leased: Ipv6Addr) -> Value {
        wait_for(&format!("the instance of {leased}"), PATIENCE, || {
            let leases = self.daemon.items("/v1/leases").ok()?;
            let lease = leases
                .into_iter()
                .find(|lease| lease["address"] == leased.to_string())?;
            self.in_phase("ready")
                .into_iter()
                .find(|instance| instance["client"] == lease["client"])
        })
    }

    /// Waits until no instance is live.
    pub(crate) fn wait_none(&self) {
        wait_for("the last instance to go", PATIENCE, || {
            self.instances().is_empty().then_some(())
        });
    }

    /// The lease of an address.
    pub(crate) fn lease(&self, address: Ipv6Addr) -> Option<Value> {
        let leases = self.daemon.items("/v1/leases").unwrap();
        leases.into_iter().find(|lease| lease["address"] == address.to_string())
    }

    /// Kinds of all events of clients, instances and links, the first first. When a version of a template is pinned to its
    /// image, and so that event, is another matter.
    pub(crate) fn event_kinds(&self) -> Vec<String> {
        let events = self.daemon.items("/v1/events?limit=5000").unwrap();
        events
            .iter()
            .filter(|event| event["kind"] != "image-pinned")
            .map(|event| event["kind"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Names of the host ends on the host, with the instance each belongs to.
    pub(crate) fn host_ends(&self) -> Vec<String> {
        let links = self.host.ip_json("link show type veth").unwrap();
        let names = links
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|link| link["ifname"].as_str());
        names.filter(|name| name.starts_with("or")).map(str::to_owned).collect()
    }

    /// The containers of this site on the engine.
    pub(crate) fn containers(&self, engine: &Engine) -> Vec<Value> {
        let ids: Vec<String> = self
            .all_instances()
            .iter()
            .map(|instance| text(instance, "id"))
            .collect();
        let containers = engine.containers().unwrap();
        let ours = |container: &Value| {
            container["Labels"]["orchestrator.instance"]
                .as_str()
                .is_some_and(|id| ids.iter().any(|known| known == id))
        };
        containers.into_iter().filter(ours).collect()
    }

    /// Whether a connection from one instance to an address is answered.
    pub(crate) fn reaches(&self, from: &Value, to: Ipv6Addr) -> bool {
        let namespace = File::open(format!("/proc/{}/ns/net", first_process(from))).unwrap();
        let connect = move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            TcpStream::connect_timeout(&SocketAddr::from((to, TEST_PORT)), Duration::from_secs(3)).is_ok()
        };
        // A thread that enters a namespace ends there.
        thread::spawn(connect).join().unwrap()
    }

    /// All instances there ever were.
    pub(crate) fn all_instances(&self) -> Vec<Value> {
        self.daemon.items("/v1/instances?all=true&limit=5000").unwrap()
    }
}

/// Waits until a machine can send from its link-local address: the kernel needs a moment to make it usable, also where it
/// looks for no duplicate.
pub(crate) fn wait_link_local(machine: &Namespace) {
    wait_for("a link-local address that can be used", PATIENCE, || {
        let addresses = machine.ip("-6 address show dev eth0 scope link").ok()?;
        (addresses.contains("fe80::") && !addresses.contains("tentative")).then_some(())
    });
}

/// A text field of a JSON object.
pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {value}"))
        .to_owned()
}

/// Name of the host end of an instance's first attachment.
pub(crate) fn host_end(instance: &Value) -> String {
    format!("or{}", text(&instance["attachments"][0], "id"))
}

/// The page that a machine gets at a front door once its instance is behind it. For a moment after the instance is ready, the
/// daemon's own page is there, which leads on by itself.
pub(crate) fn at_the_door(machine: &Namespace, door: Ipv6Addr) -> String {
    wait_for("the instance behind the front door", PATIENCE, || {
        let page = machine.get(door, TEST_PORT, "/").unwrap().text();
        (page != "Your machine is ready. You are taken there.\n").then_some(page)
    })
}

/// The address of an instance.
pub(crate) fn address(instance: &Value) -> Ipv6Addr {
    text(instance, "address").parse().unwrap()
}

/// The first process of an instance on the shared engine, as this machine numbers it.
pub(crate) fn first_process(instance: &Value) -> i64 {
    let path = format!("/containers/{}/json", text(instance, "reference"));
    let inspected = Engine::shared().api("GET", &path, None).unwrap().json().unwrap();
    inspected["State"]["Pid"].as_i64().unwrap()
}

/// What `ip` says within the network of an instance on the shared engine.
pub(crate) fn ip_inside(site: &Site, instance: &Value, arguments: &str) -> String {
    let network = format!("--net=/proc/{}/ns/net", first_process(instance));
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    site.host
        .run("nsenter", &[&[network.as_str(), "ip"], arguments.as_slice()].concat())
        .unwrap()
}
