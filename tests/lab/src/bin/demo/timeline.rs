//! The daemon's events, as they arrive.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use orchestrator_lab::Daemon;
use serde_json::Value;

/// How long there may be no event at all. The demo is over long before.
const QUIET: Duration = Duration::from_secs(24 * 60 * 60);

/// Something the daemon told.
pub(crate) struct Event {
    /// When it arrived here.
    pub(crate) at: Instant,
    /// What it says.
    fields: Value,
}

impl Event {
    /// One of its fields as text; empty where it has none.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields[field].as_str().unwrap_or_default()
    }

    pub(crate) fn kind(&self) -> &str {
        self.text("kind")
    }

    /// What happened, and to what.
    pub(crate) fn in_words(&self) -> (String, String) {
        let what = match self.kind() {
            "lease-granted" => "lease is granted",
            "lease-released" => "lease is released",
            "instance-wanted" => "instance is wanted",
            "instance-ready" => "container runs, is wired, answers",
            "instance-ending" => "instance is ending: its grace begins",
            "instance-removed" => "container and wiring are removed",
            other => other,
        };
        let details = ["address", "instance", "detail"].map(|field| self.text(field));
        let detail = details.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        (what.to_owned(), detail.to_owned())
    }
}

/// The daemon's stream of events.
pub(crate) struct Timeline {
    events: Receiver<Event>,
}

impl Timeline {
    /// Follows the daemon's events from the first.
    pub(crate) fn follow(daemon: &Daemon) -> Result<Self> {
        let stream = daemon.events(0, QUIET)?;
        let (sender, events) = channel();
        thread::spawn(move || {
            for fields in stream.map_while(Result::ok) {
                let event = Event {
                    at: Instant::now(),
                    fields,
                };
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        Ok(Self { events })
    }

    /// The events that arrived since the last look.
    pub(crate) fn arrived(&self) -> Result<Vec<Event>> {
        let mut new = Vec::new();
        loop {
            match self.events.try_recv() {
                Ok(event) => new.push(event),
                Err(TryRecvError::Empty) => return Ok(new),
                Err(TryRecvError::Disconnected) => bail!("the daemon's stream of events ended"),
            }
        }
    }
}
