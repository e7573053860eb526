//! One engine with a daemon before it, and a machine for its clients.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use orchestrator_lab::http::Events;
use orchestrator_lab::{Daemon, Engine, Lab, Link, Namespace, Oci, Settings, TEST_PORT, oci_program};
use serde_json::Value;

use crate::kind::Kind;

/// How long anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// All clients are behind one port, which alone would get a part of the machine. What is measured is the engine.
const LIMITS: &str = "[limits]\nport_share = 1\nmemory = \"none\"\ncpus = \"none\"\npids = \"none\"";

/// As many new clients as come.
const LINK: &str = "client_rate = 0\nlink_rate = 0\nlimits = { identities = \"none\", creations = \"none\" }";

/// An engine of the lab.
pub(crate) enum Running {
    /// Docker or Podman, by the API that both speak.
    Api(Engine),
    /// The helper.
    Helper(Oci),
}

/// One engine with all that is around it.
pub(crate) struct Stage {
    pub(crate) engine: Running,
    pub(crate) daemon: Daemon,
    /// The machine of all clients.
    pub(crate) machine: Namespace,
    /// The index of its interface.
    pub(crate) interface: u32,
    pub(crate) lab: Lab,
    /// What happens. Questions again and again would cost the daemon the time that it has for instances.
    events: Mutex<Events>,
}

impl Stage {
    /// Starts everything, and waits until the daemon is ready.
    pub(crate) fn start(kind: Kind, binary: &Path) -> Result<Self> {
        let lab = Lab::new()?;
        let host = lab.namespace("host")?;
        let engine = match kind {
            Kind::Docker => Running::Api(Engine::start(&lab.namespace("engine")?)?),
            Kind::Podman => Running::Api(Engine::start_podman(&lab.namespace("engine")?)?),
            Kind::Oci => Running::Helper(Oci::start(&lab, &oci_program(binary)?)?),
        };
        let section = match &engine {
            Running::Api(engine) => {
                engine.import_test_image()?;
                format!("[engine.{kind}]\nhost = \"{}\"", engine.url())
            }
            Running::Helper(oci) => {
                oci.import_test_image()?;
                oci.section("")
            }
        };
        let settings = |place: &str| {
            let template = format!(
                "engine = \"{kind}\"\nmemory = \"128MiB\"\ncpus = 0.5\npids = 128\n\
                 ready = {{ tcp = {TEST_PORT}, within = \"60s\" }}\ngrace = \"0s\""
            );
            let link = Link::new("br0").lines(LINK).template(&template);
            Settings::new(place).with(LIMITS).with(&section).link(link).text()
        };
        let mut daemon = match &engine {
            // It must see the network namespaces that the daemon makes.
            Running::Api(engine) if kind == Kind::Podman => Daemon::start_beside(engine, &host, binary, settings)?,
            _ => Daemon::start(&host, binary, settings)?,
        };
        daemon.wait_until_ready(LIMIT)?;
        let machine = lab.namespace("clients")?;
        machine.disable_dad()?;
        machine.connect("eth0", &host, "port0", Some("br0"))?;
        let events = Mutex::new(daemon.events(0, LIMIT)?);
        let interface = machine.within(|| nix::net::if_::if_nametoindex("eth0"))?;
        Ok(Self {
            engine,
            daemon,
            machine,
            interface,
            lab,
            events,
        })
    }

    /// The next event of this kind. Those before it are passed over.
    pub(crate) fn next(&self, kind: &str) -> Result<Value> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let event = events.next().context("the stream of events ended")??;
            if event["kind"] == kind {
                return Ok(event);
            }
        }
    }
}
