//! A client on a cable of its own, from its first Solicit to the page of its own container.

use std::net::Ipv6Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use orchestrator_lab::{Dhclient, Namespace, SOLICIT, Wire};
use serde_json::Value;

use crate::stage::{BRIDGE, Stage};
use crate::terminal::Terminal;
use crate::timeline::Event;

/// How long all of it may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait for an event before looking elsewhere.
const GLANCE: Duration = Duration::from_millis(5);

/// A client that has its container.
pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) namespace: Namespace,
    dhclient: Dhclient,
    address: Ipv6Addr,
    /// Its instance, as the daemon's API shows it.
    instance: Value,
}

/// What was seen of a client so far.
#[derive(Default)]
struct Sightings {
    solicit: Option<Instant>,
    /// Who it is to the daemon.
    client: Option<String>,
    address: Option<Ipv6Addr>,
    /// The instance that answers.
    ready: Option<String>,
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
        let mut dhclient = Dhclient::boot(&namespace, "eth0")?;
        let seen = watch(stage, &namespace, &mut dhclient, &wire, terminal)?;
        let (Some(begun), Some(address), Some(id)) = (seen.solicit, seen.address, seen.ready) else {
            bail!("{name} was seen to get only a part of it");
        };

        let (status, instance) = stage.daemon.api("GET", &format!("/v1/instances/{id}"))?;
        ensure!(status == 200, "the daemon does not show instance {id}: status {status}");
        let place = instance["address"]
            .as_str()
            .context("the instance has no address")?
            .to_owned();
        let page = format!("http://[{place}]/instance.txt");
        let text = namespace.run("busybox", &["wget", "-q", "-T", "5", "-O", "-", &page]);
        let text = text.with_context(|| format!("{name} cannot open {page}"))?;
        terminal.happened(begun.elapsed(), "client opened its page", &page);
        terminal.quote(&text);
        ensure!(
            text.contains(&place),
            "the page at {page} is not that of {name}'s instance"
        );
        Ok(Self {
            name: name.to_owned(),
            namespace,
            dhclient,
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
        let begun = Instant::now();
        self.dhclient.release()?;
        loop {
            ensure!(
                begun.elapsed() < PATIENCE,
                "the instance of {} is still there",
                self.name
            );
            let Some(event) = stage.timeline.next(GLANCE)? else {
                continue;
            };
            if event.text("client") != self.instance("client") {
                continue;
            }
            show(&event, begun, terminal);
            if event.kind() == "instance-removed" {
                break;
            }
        }
        let containers = stage.engine.containers()?;
        let left = containers
            .iter()
            .any(|container| container["Id"] == self.instance["reference"]);
        ensure!(!left, "the container of {} is still on the engine", self.name);
        Ok(())
    }
}

/// Shows what happens until the client's address is usable and its instance answers.
fn watch(
    stage: &mut Stage,
    namespace: &Namespace,
    dhclient: &mut Dhclient,
    wire: &Wire,
    terminal: &Terminal,
) -> Result<Sightings> {
    let begun = Instant::now();
    let mut seen = Sightings::default();
    while seen.address.is_none() || seen.ready.is_none() {
        ensure!(
            begun.elapsed() < PATIENCE,
            "nothing more happened; the client says:\n{}",
            dhclient.program().log()
        );
        ensure!(
            dhclient.program().is_running(),
            "the client ended; it says:\n{}",
            dhclient.program().log()
        );
        let Some(solicit) = seen.solicit else {
            seen.solicit = wire.first(SOLICIT).map(|message| message.at);
            if seen.solicit.is_some() {
                terminal.happened(Duration::ZERO, "client asks for an address", "Solicit on its wire");
            }
            thread::sleep(GLANCE);
            continue;
        };
        if let Some(event) = stage.timeline.next(GLANCE)? {
            seen.take_in(&event, solicit, terminal);
        }
        if seen.address.is_none() {
            let addresses = namespace.addresses("eth0")?;
            let usable = addresses.iter().find(|address| address.is_leased() && address.usable);
            if let Some(usable) = usable {
                seen.address = Some(usable.ip);
                terminal.happened(
                    solicit.elapsed(),
                    "client's address is its own",
                    "duplicate address detection is over",
                );
            }
        }
    }
    Ok(seen)
}

impl Sightings {
    /// Shows an event if it is this client's. One client boots at a time, so the next lease is its own.
    fn take_in(&mut self, event: &Event, solicit: Instant, terminal: &Terminal) {
        if self.client.is_none() && event.kind() == "lease-granted" && event.at > solicit {
            self.client = Some(event.text("client").to_owned());
        }
        if self.client.as_deref() != Some(event.text("client")) {
            return;
        }
        show(event, solicit, terminal);
        if event.kind() == "instance-ready" {
            self.ready = Some(event.text("instance").to_owned());
        }
    }
}

/// Shows an event in words.
fn show(event: &Event, begun: Instant, terminal: &Terminal) {
    let words = match event.kind() {
        "lease-granted" => "lease is granted and recorded",
        "lease-released" => "lease is released",
        "instance-wanted" => "instance is wanted",
        "instance-ready" => "container runs, is wired, answers",
        "instance-ending" => "instance is ending: its grace begins",
        "instance-removed" => "container and wiring are removed",
        other => other,
    };
    let detail = ["address", "instance", "detail"].map(|field| event.text(field));
    let detail = detail.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    terminal.happened(event.at.saturating_duration_since(begun), words, detail);
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
            .find(|container| container["Id"] == guest.instance["reference"]);
        let container = container.with_context(|| format!("the engine has no container of {}", guest.name))?;
        let short: String = guest.instance("reference").chars().take(12).collect();
        let state = container["Status"].as_str().unwrap_or_default();
        let (name, address, at) = (&guest.name, guest.address, guest.instance("address"));
        terminal.say(&format!("  {name:<7} {address}  →  {at}  container {short}, {state}"));
    }
    Ok(())
}
