//! Ends the processes of a container; freezes them and lets them go on.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin_oci::protocol::{Fault, TargetRequest, Verb};
use rustix::process::Signal;
use tokio::time::timeout;

use super::entry::{Alive, Now};
use super::{Entry, Helper, blocking};
use crate::process;

/// The time between the polite signal and the last one.
const GRACE: Duration = Duration::from_secs(2);

/// How long a killed container may take to end.
const ENDING: Duration = Duration::from_secs(15);

/// How long freezing may take.
const FREEZING: Duration = Duration::from_secs(10);

impl Helper {
    /// Makes sure that a container does not run.
    pub(crate) async fn stop(&self, request: &TargetRequest) -> Result<(), Fault> {
        let _turn = self.turn(&request.container.key()).await;
        match self.of(request) {
            Some(entry) => self.end(&entry).await,
            None => Ok(()),
        }
    }

    /// Freezes a container.
    pub(crate) async fn pause(&self, request: &TargetRequest) -> Result<(), Fault> {
        let _turn = self.turn(&request.container.key()).await;
        let (entry, _) = self.running(request, Verb::Freeze)?;
        self.freeze(&entry).await
    }

    pub(super) async fn freeze(&self, entry: &Entry) -> Result<(), Fault> {
        let group = self.group(&entry.reference);
        blocking(Verb::Freeze, &entry.record().name, move || group.freeze(FREEZING)).await
    }

    /// Lets the processes of a container go on, when they are frozen.
    pub(super) fn thaw(&self, entry: &Entry) -> Result<(), Fault> {
        let group = self.group(&entry.reference);
        match group.is_frozen() {
            true => group
                .thaw()
                .map_err(|error| Fault::failed(Verb::Thaw, &entry.record().name, error)),
            false => Ok(()),
        }
    }

    /// Ends a container: politely, then by force. One that does not run is success.
    pub(super) async fn end(&self, entry: &Arc<Entry>) -> Result<(), Fault> {
        let Some(alive) = entry.alive() else {
            return Ok(());
        };
        let signal = stop_signal(&entry.record().image.config.stop_signal);
        // What is first in its process namespace is not ended by a signal that it does not handle: waiting is in vain.
        if alive.process.handles(signal) && self.send(entry, &alive, signal).is_ok() && self.ends(entry, GRACE).await {
            return Ok(());
        }
        self.kill(entry).await
    }

    /// Ends a container by force.
    pub(super) async fn kill(&self, entry: &Arc<Entry>) -> Result<(), Fault> {
        let Some(alive) = entry.alive() else {
            return Ok(());
        };
        self.send(entry, &alive, Signal::KILL)?;
        if self.ends(entry, ENDING).await {
            return Ok(());
        }
        let group = self.group(&entry.reference);
        blocking(Verb::Stop, &entry.record().name, move || group.kill()).await?;
        match self.ends(entry, ENDING).await {
            true => Ok(()),
            false => Err(Fault::Timeout {
                verb: Verb::Stop,
                seconds: (ENDING * 2).as_secs(),
            }),
        }
    }

    /// Sends a signal to the first process; what is frozen gets it when it goes on.
    pub(super) fn send(&self, entry: &Entry, alive: &Alive, signal: Signal) -> Result<(), Fault> {
        let sent = process::signal(&alive.handle, signal);
        sent.map_err(|error| Fault::failed(Verb::Stop, &entry.record().name, error))?;
        self.thaw(entry)
    }

    /// Waits until a container has ended. Whether it has.
    async fn ends(&self, entry: &Entry, limit: Duration) -> bool {
        let mut phases = entry.phases();
        let ended = phases.wait_for(|now| !matches!(now, Now::Running(_)));
        timeout(limit, ended).await.is_ok()
    }
}

/// The signal of this name; SIGTERM for a name that is empty or unknown.
fn stop_signal(name: &str) -> Signal {
    let name = name.strip_prefix("SIG").unwrap_or(name);
    match name {
        "HUP" | "1" => Signal::HUP,
        "INT" | "2" => Signal::INT,
        "QUIT" | "3" => Signal::QUIT,
        "KILL" | "9" => Signal::KILL,
        "USR1" | "10" => Signal::USR1,
        "USR2" | "12" => Signal::USR2,
        "WINCH" | "28" => Signal::WINCH,
        _ => Signal::TERM,
    }
}
