//! What is seen while a client boots: on its wire, in the daemon's timeline, on its interface.

use std::net::Ipv6Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use orchestrator_lab::show::Terminal;
use orchestrator_lab::{Dhclient, Message, Namespace, Wire};
use orchestrator_wire::SOLICIT;

use crate::stage::Stage;
use crate::timeline::Event;

/// How long all of it may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to look away.
const GLANCE: Duration = Duration::from_millis(5);

/// One thing that was seen.
struct Sighting {
    at: Instant,
    what: String,
    detail: String,
}

/// A booted client.
pub(crate) struct Booted {
    /// When its first Solicit was on the wire.
    pub(crate) begun: Instant,
    /// The address it leased, usable now.
    pub(crate) address: Ipv6Addr,
    /// The id of its instance, which answers.
    pub(crate) instance: String,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    begun: Option<Instant>,
    /// How many messages on the wire were shown.
    messages: usize,
    /// Who the client is to the daemon.
    client: Option<String>,
    address: Option<Ipv6Addr>,
    instance: Option<String>,
}

/// Shows what happens until the client's address is usable and its instance answers.
pub(crate) fn watch(
    stage: &mut Stage,
    namespace: &Namespace,
    dhclient: &mut Dhclient,
    wire: &Wire,
    terminal: &Terminal,
) -> Result<Booted> {
    let patient = Instant::now();
    let mut seen = Seen::default();
    loop {
        let mut sightings = seen.on_the_wire(&wire.messages());
        for event in stage.timeline.arrived()? {
            sightings.extend(seen.in_the_timeline(&event));
        }
        sightings.extend(seen.on_the_interface(namespace)?);
        sightings.sort_by_key(|sighting| sighting.at);
        for sighting in sightings {
            let after = sighting.at.saturating_duration_since(seen.begun.unwrap_or(sighting.at));
            terminal.happened(after, &sighting.what, &sighting.detail);
        }
        if let Seen {
            begun: Some(begun),
            address: Some(address),
            instance: Some(ref instance),
            ..
        } = seen
        {
            return Ok(Booted {
                begun,
                address,
                instance: instance.clone(),
            });
        }
        let program = dhclient.program();
        ensure!(program.is_running(), "the client ended; it says:\n{}", program.log());
        ensure!(
            patient.elapsed() < PATIENCE,
            "nothing more happened; the client says:\n{}",
            program.log()
        );
        ensure!(stage.daemon.program().is_running(), "the daemon ended");
        thread::sleep(GLANCE);
    }
}

impl Seen {
    /// What the client sent and received since the last look.
    fn on_the_wire(&mut self, messages: &[Message]) -> Vec<Sighting> {
        let new = &messages[self.messages..];
        self.messages = messages.len();
        if self.begun.is_none() {
            self.begun = new
                .iter()
                .find(|message| message.kind == SOLICIT)
                .map(|message| message.at);
        }
        let told = |message: &Message| {
            let (what, detail) = match message.kind {
                1 => ("client asks for an address", "Solicit"),
                2 => ("daemon offers one", "Advertise"),
                3 => ("client has waited for more offers", "Request"),
                7 => ("daemon confirms", "Reply"),
                _ => return None,
            };
            Some(Sighting {
                at: message.at,
                what: what.to_owned(),
                detail: detail.to_owned(),
            })
        };
        new.iter().filter_map(told).collect()
    }

    /// An event if it is this client's. One client boots at a time, so the next lease is its own.
    fn in_the_timeline(&mut self, event: &Event) -> Option<Sighting> {
        let begun = self.begun?;
        if self.client.is_none() && event.kind() == "lease-granted" && event.at > begun {
            self.client = Some(event.text("client").to_owned());
        }
        if self.client.as_deref() != Some(event.text("client")) {
            return None;
        }
        if event.kind() == "instance-ready" {
            self.instance = Some(event.text("instance").to_owned());
        }
        let (what, detail) = event.in_words();
        Some(Sighting {
            at: event.at,
            what,
            detail,
        })
    }

    /// The leased address, once it can be used.
    fn on_the_interface(&mut self, namespace: &Namespace) -> Result<Option<Sighting>> {
        if self.address.is_some() {
            return Ok(None);
        }
        let addresses = namespace.addresses("eth0")?;
        self.address = addresses
            .iter()
            .find(|address| address.is_leased() && address.usable)
            .map(|address| address.ip);
        let what = "client may use its address".to_owned();
        let detail = "duplicate address detection is over".to_owned();
        Ok(self.address.map(|_| Sighting {
            at: Instant::now(),
            what,
            detail,
        }))
    }
}
