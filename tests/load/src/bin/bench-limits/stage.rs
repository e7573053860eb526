//! A daemon that runs containers by runc, a machine for each honest client, and one for the attacker.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use ipnet::Ipv6Net;
use orchestrator_lab::{Daemon, Lab, Link, Namespace, Oci, PREFIX, Settings, TEST_PORT, oci_program};
use serde_json::Value;

/// Honest clients.
pub(crate) const HONEST: u32 = 20;

/// How long anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// The prefix that all addresses of clients are in.
pub(crate) fn pool() -> Result<Ipv6Net> {
    Ok(format!("{PREFIX}::/64").parse()?)
}

/// A machine with its interface.
pub(crate) struct Machine {
    pub(crate) namespace: Namespace,
    /// The index of its interface `eth0`.
    pub(crate) interface: u32,
}

/// Everything that is measured.
pub(crate) struct Stage {
    pub(crate) honest: Vec<Machine>,
    pub(crate) attacker: Machine,
    pub(crate) daemon: Daemon,
    // Removed last.
    _oci: Oci,
    _lab: Lab,
}

impl Stage {
    /// Starts everything, and waits until the daemon is ready.
    pub(crate) fn start(binary: &Path) -> Result<Self> {
        let lab = Lab::new()?;
        let host = lab.namespace("host")?;
        let oci = Oci::start(&lab, &oci_program(binary)?)?;
        oci.import_test_image()?;
        let section = oci.section("");
        let settings = |place: &str| {
            let template = format!(
                "engine = \"oci\"\nmemory = \"128MiB\"\ncpus = 0.5\npids = 128\n\
                 ready = {{ tcp = {TEST_PORT}, within = \"60s\" }}\ngrace = \"0s\""
            );
            let link = Link::new("br0")
                .lines("isolation = true\nclient_rate = 0")
                .template(&template);
            let limits = "[limits]\nclient_creations = \"none\"\npids = \"none\"";
            Settings::new(place).with(limits).with(&section).link(link).text()
        };
        let mut daemon = Daemon::start(&host, binary, settings)?;
        daemon.wait_until_ready(LIMIT)?;
        let machine = |name: &str, port: &str| -> Result<Machine> {
            let namespace = lab.namespace(name)?;
            namespace.disable_dad()?;
            namespace.connect("eth0", &host, port, Some("br0"))?;
            let interface = namespace.within(|| nix::net::if_::if_nametoindex("eth0"))?;
            Ok(Machine { namespace, interface })
        };
        let honest = (0..HONEST).map(|number| machine(&format!("honest{number}"), &format!("honest{number}")));
        Ok(Self {
            honest: honest.collect::<Result<_>>()?,
            attacker: machine("attacker", "attacker")?,
            daemon,
            _oci: oci,
            _lab: lab,
        })
    }

    /// The live instances with this beginning of their client's DUID.
    pub(crate) fn instances(&self, duid: &str) -> Result<Vec<Value>> {
        self.daemon.items(&format!("/v1/instances?limit=5000&name={duid}"))
    }

    /// How many instances the attacker has.
    pub(crate) fn attackers(&self) -> Result<usize> {
        let all = self.daemon.items("/v1/instances?limit=5000")?;
        let is_honest = |one: &&Value| {
            one["duid"]
                .as_str()
                .is_some_and(|duid| duid.starts_with(crate::honest::DUIDS))
        };
        Ok(all.len() - all.iter().filter(is_honest).count())
    }

    /// How many instances wait.
    pub(crate) fn waiting(&self) -> Result<u64> {
        let (_, limits) = self.daemon.api("GET", "/v1/limits")?;
        limits["waiting"]["used"].as_u64().context("no length of the queue")
    }
}
