//! A client on a cable of its own, from its first Solicit to the page of its own container.

use std::net::Ipv6Addr;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orchestrator_lab::show::Terminal;
use orchestrator_lab::{Dhclient, Namespace, Wire, poll};
use orchestrator_wire::RELEASE;
use serde_json::Value;

use crate::sightings::{Booted, watch};
use crate::stage::{BRIDGE, Stage};

/// How long a page or a removal may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to look away.
const GLANCE: Duration = Duration::from_millis(5);

/// A client that has its container.
pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) namespace: Namespace,
    dhclient: Dhclient,
    wire: Wire,
    address: Ipv6Addr,
    /// Its instance, as the daemon's API shows it.
    instance: Value,
}

impl Guest {
    /// Boots a client, and shows what happens until its page is open.
    pub(crate) fn boot(stage: &mut Stage, name: &str, terminal: &Terminal) -> Result<Self> {
        let namespace = stage.host.lab().namespace(name)?;
        namespace.connect("eth0", &stage.host, name, Some(BRIDGE))?;
        let wire = Wire::tap(&namespace)?;
        terminal.say(&format!(
            "dhclient starts in a namespace that has one interface: a cable to {BRIDGE}."
        ));
        let mut dhclient = Dhclient::boot_with(&namespace, "eth0", &format!("send fqdn.fqdn \"{name}\";"))?;
        let Booted {
            begun,
            address,
            instance,
        } = watch(stage, &namespace, &mut dhclient, &wire, terminal)?;

        let (status, instance) = stage.daemon.api("GET", &format!("/v1/instances/{instance}"))?;
        ensure!(
            status == 200,
            "the daemon does not show the instance: status {status}, {instance}"
        );
        let place = instance["address"]
            .as_str()
            .context("the instance has no address")?
            .to_owned();
        let page = format!("http://[{place}]/instance.txt");
        let curl = [
            "--silent",
            "--show-error",
            "--fail",
            "--globoff",
            "--max-time",
            "5",
            &page,
        ];
        // The route to its link comes with a router advertisement, maybe after the address.
        let text = poll(&page, PATIENCE, || namespace.run("curl", &curl).ok())?;
        terminal.happened(begun.elapsed(), "client opened a page of its own", &page);
        terminal.quote(&text);
        ensure!(
            text.contains(&place),
            "the page at {page} is not that of {name}'s instance"
        );
        Ok(Self {
            name: name.to_owned(),
            namespace,
            dhclient,
            wire,
            address,
            instance,
        })
    }

    /// One of the fields of its instance.
    pub(crate) fn instance(&self, field: &str) -> &str {
        self.instance[field].as_str().unwrap_or_default()
    }

    /// The client gives its address back; shows what happens until its container is gone.
    pub(crate) fn leave(&mut self, stage: &Stage, terminal: &Terminal) -> Result<()> {
        terminal.say("dhclient gives the address back (Release). The lease is the lifetime:");
        self.dhclient.release()?;
        let release = self.wire.first(RELEASE).context("the client sent no Release")?;
        let begun = release.at;
        terminal.happened(Duration::ZERO, "client leaves", "Release");
        loop {
            let mut events = stage.timeline.arrived()?;
            events.retain(|event| event.text("client") == self.instance("client"));
            for event in &events {
                let (what, detail) = event.in_words();
                terminal.happened(event.at.saturating_duration_since(begun), &what, &detail);
            }
            if events.iter().any(|event| event.kind() == "instance-removed") {
                break;
            }
            ensure!(
                begun.elapsed() < PATIENCE,
                "the instance of {} is still there",
                self.name
            );
            thread::sleep(GLANCE);
        }
        let containers = stage.engine.containers()?;
        let left = containers
            .iter()
            .any(|container| container.reference == self.instance("reference"));
        ensure!(!left, "the container of {} is still on the engine", self.name);
        Ok(())
    }
}

/// Makes sure that two clients have two containers, and shows them as the engine has them.
pub(crate) fn compare(stage: &Stage, first: &Guest, second: &Guest, terminal: &Terminal) -> Result<()> {
    for field in ["id", "address", "reference", "client"] {
        let (one, other) = (first.instance(field), second.instance(field));
        ensure!(!one.is_empty() && one != other, "both clients have {field} {one:?}");
    }
    terminal.title("Two clients, two containers");
    let containers = stage.engine.containers()?;
    for guest in [first, second] {
        let container = containers
            .iter()
            .find(|container| container.reference == guest.instance("reference"));
        let container = container.with_context(|| format!("the engine has no container of {}", guest.name))?;
        let short: String = guest.instance("reference").chars().take(12).collect();
        let state = &container.status;
        let (name, address, at) = (&guest.name, guest.address, guest.instance("address"));
        terminal.say(&format!("  {name:<7} {address}  →  {at}  container {short}, {state}"));
    }
    Ok(())
}
