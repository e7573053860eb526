//! The daemon's events, as they arrive.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
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

    /// The next event, if one comes within `limit`.
    pub(crate) fn next(&self, limit: Duration) -> Result<Option<Event>> {
        match self.events.recv_timeout(limit) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the daemon's stream of events ended"),
        }
    }
}
