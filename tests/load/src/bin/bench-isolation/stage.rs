//! Hosts without the rules, with them, and with a front door: a daemon, a client, and the client's instance on each.

use std::net::Ipv6Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use orchestrator_lab::{Daemon, Dhclient, Engine, Lab, Link, Namespace, Settings, TEST_PORT, poll};

use crate::traffic::Ends;
use crate::within::Network;

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// The address at which every client reaches its own instance: `::d0` of the lab's prefix.
pub(crate) const FRONT_DOOR: Ipv6Addr = Ipv6Addr::new(0xfd39, 0x9706, 0x2786, 0x6333, 0, 0, 0, 0xd0);

/// Whether a host has the rules, and a front door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rules {
    Without,
    With,
    /// With the rules and a front door: answers of instances come back through the host.
    Door,
}

impl Rules {
    /// The settings of the link.
    fn lines(self) -> String {
        match self {
            Self::Without => "isolation = false".to_owned(),
            Self::With => "isolation = true".to_owned(),
            Self::Door => format!("isolation = true\nfront_door = \"{FRONT_DOOR}\""),
        }
    }
}

/// An engine for all hosts.
pub(crate) fn engine(lab: &Lab) -> Result<Engine> {
    let engine = Engine::start(&lab.namespace("engine")?)?;
    engine.import_test_image()?;
    Ok(engine)
}

/// A host with one client, whose instance is ready.
pub(crate) struct Site {
    /// The address of the instance.
    pub(crate) instance: Ipv6Addr,
    inside: Network,
    client: Network,
    host: Namespace,
    _dhclient: Dhclient,
    _daemon: Daemon,
    // Removed last.
    _lab: Lab,
}

impl Site {
    /// Starts everything, and waits until the instance is ready.
    pub(crate) fn start(engine: &Engine, binary: &Path, rules: Rules) -> Result<Self> {
        let lab = Lab::new()?;
        let host = lab.namespace("host")?;
        host.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        let lines = rules.lines();
        let template = format!("grace = \"0s\"\nready = {{ tcp = {TEST_PORT}, within = \"60s\" }}");
        let link = Link::new("br0").lines(&lines).template(&template);
        let settings = |place: &str| Settings::new(place).engine(&engine.url()).link(link).text();
        let mut daemon = Daemon::start(&host, binary, settings)?;
        daemon.wait_until_ready(LIMIT)?;
        let machine = lab.namespace("client")?;
        machine.disable_dad()?;
        machine.connect("eth0", &host, "p-client", Some("br0"))?;
        let mut dhclient = Dhclient::boot(&machine, "eth0")?;
        dhclient.address(LIMIT)?;
        let (reference, instance) = poll("the instance", LIMIT, || {
            let ready = daemon.items("/v1/instances").ok()?.pop()?;
            let address = ready["address"].as_str()?.parse().ok()?;
            (ready["phase"] == "ready").then_some((ready["reference"].as_str()?.to_owned(), address))
        })?;
        // The way to the link comes with a router advertisement.
        machine.tcp(instance, TEST_PORT, LIMIT)?;
        let path = format!("/containers/{reference}/json");
        let pid = engine.api("GET", &path, None)?.json()?["State"]["Pid"].as_u64();
        let pid = pid.context("the instance has no process")?;
        Ok(Self {
            instance,
            inside: Network::open(Path::new(&format!("/proc/{pid}/ns/net")), 1)?,
            client: Network::open(machine.path(), 0)?,
            host,
            _dhclient: dhclient,
            _daemon: daemon,
            _lab: lab,
        })
    }

    /// Whether bridged frames pass the rules for routed packets, too.
    pub(crate) fn let_bridges_call(&self, calls: bool) -> Result<()> {
        let value = if calls { "1" } else { "0" };
        self.host.sysctl("net.bridge.bridge-nf-call-ip6tables", value)
    }

    /// The client and its instance, by an address at which the client reaches it.
    pub(crate) fn ends(&self, address: Ipv6Addr) -> Ends<'_> {
        Ends {
            client: &self.client,
            instance: &self.inside,
            address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_door_is_on_the_link() {
        assert_eq!(FRONT_DOOR.to_string(), format!("{}::d0", orchestrator_lab::PREFIX));
    }
}
