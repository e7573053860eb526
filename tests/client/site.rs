//! A host with a bridge and a server, and a machine on a cable.

use std::path::Path;
use std::time::Duration;

use orchestrator_lab::{Daemon, Lab, Link, Namespace, Settings, wait_for};
use serde_json::Value;

use crate::running::Running;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The link's own address.
pub(crate) const LINK: &str = "fd39:9706:2786:6333::1/64";
/// What is leased.
pub(crate) const POOL: &str = "fd39:9706:2786:6333::1:0/112";

/// A host with a bridge, and a machine with its `eth0` in it.
pub(crate) struct Site {
    pub(crate) machine: Namespace,
    pub(crate) host: Namespace,
    pub(crate) lab: Lab,
}

impl Site {
    pub(crate) fn new() -> Self {
        let lab = Lab::new().unwrap();
        let host = lab.namespace("host").unwrap();
        host.disable_dad().unwrap();
        host.bridge("br0", Some(LINK)).unwrap();
        let machine = connect(&lab, &host, "machine");
        Self { machine, host, lab }
    }

    /// Another machine on the bridge.
    pub(crate) fn connect(&self, name: &str) -> Namespace {
        connect(&self.lab, &self.host, name)
    }

    /// A daemon of ours that serves the bridge, with further lines for its link.
    pub(crate) fn daemon(&self, lines: &str) -> Daemon {
        let binary = Path::new(env!("CARGO_BIN_EXE_orchestrator"));
        let mut daemon = Daemon::start(&self.host, binary, |place| settings(place, lines)).unwrap();
        daemon.wait_until_ready(PATIENCE).unwrap();
        daemon
    }

    /// Starts the client with these arguments, and with what it kept when it ran before.
    pub(crate) fn client(&self, arguments: &[&str]) -> Running {
        Running::start(&self.machine, arguments)
    }
}

fn settings(place: &str, lines: &str) -> String {
    let link = Link::new("br0")
        .existing()
        .pool(POOL)
        .lines("router_advertisements = false");
    Settings::new(place).link(link.lines(lines)).text()
}

fn connect(lab: &Lab, host: &Namespace, name: &str) -> Namespace {
    let machine = lab.namespace(name).unwrap();
    machine
        .connect("eth0", host, &format!("p-{name}"), Some("br0"))
        .unwrap();
    // The kernel opens a port a moment after its cable is in; what is sent before is lost.
    wait_for("the bridge to forward", PATIENCE, || {
        let port = host.ip_json(&format!("-details link show p-{name}")).unwrap();
        (port[0]["linkinfo"]["info_slave_data"]["state"] == "forwarding").then_some(())
    });
    machine
}

/// The daemon's lease of an address or prefix, when it is active.
pub(crate) fn lease(daemon: &Daemon, leased: &str) -> Option<Value> {
    let leases = daemon.items("/v1/leases").unwrap();
    leases
        .into_iter()
        .find(|lease| lease["state"] == "active" && (lease["address"] == leased || lease["prefix"] == leased))
}
