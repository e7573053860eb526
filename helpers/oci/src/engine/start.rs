//! Starts a container by starting its shim, and notices its end.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin_oci::protocol::{Fault, FoundAnswer, Verb};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::entry::{Alive, Now};
use super::{Entry, Helper};
use crate::process::{self, Process};
use crate::shim::Report;
use crate::state::{Phase, read_json, write_json};

/// How long a container may take from the start of its shim to that of its first process.
const STARTING: Duration = Duration::from_secs(60);

/// How long what a killed shim left may take to end.
pub(super) const ENDING: Duration = Duration::from_secs(10);

/// The longest report of a shim in bytes.
const LONGEST: u64 = 1 << 20;

/// A shim that was started.
struct Shim {
    handle: OwnedFd,
    report: Receiver,
}

impl Helper {
    /// Starts a container that does not run. A network of its own is made first for who wants to wire it early, and its
    /// path is sent.
    pub(super) async fn start(
        &self,
        entry: &Arc<Entry>,
        early: Option<oneshot::Sender<PathBuf>>,
    ) -> Result<FoundAnswer, Fault> {
        let name = entry.record().name.clone();
        let Shim { handle, report } = self.start_shim(entry, early.is_some())?;
        let report = match timeout(STARTING, read(report, early)).await {
            Ok(report) => report,
            Err(_) => {
                let _ = process::signal(&handle, rustix::process::Signal::KILL);
                Err(Fault::Timeout {
                    verb: Verb::Start,
                    seconds: STARTING.as_secs(),
                })
            }
        };
        let started = match report {
            Ok(Concluded::Started(process)) => process,
            Ok(Concluded::Fault(fault)) | Err(fault) => {
                // It tidies up before it ends.
                if let Ok(handle) = process::ended(handle).await {
                    process::reap(&handle);
                }
                return Err(named(fault, &name));
            }
        };
        match started.open() {
            Some(alive) => {
                self.set_running(entry, started, alive);
                self.supervise(entry.clone(), handle);
            }
            // It has ended already, and its shim, too.
            None => self.after_shim(entry, handle).await,
        }
        Ok(self.found(entry))
    }

    fn start_shim(&self, entry: &Entry, early: bool) -> Result<Shim, Fault> {
        let failed = |error: io::Error| {
            Fault::failed(
                Verb::Start,
                &entry.record().name,
                format!("cannot start its shim: {error}"),
            )
        };
        let mut command = Command::new(&self.0.program);
        command
            .arg("shim")
            .arg(entry.directory.path())
            .args(self.0.common.arguments());
        match self.netns(entry)? {
            Some(netns) => drop(command.arg("--netns").arg(netns)),
            None if early => drop(command.arg("--early-network")),
            None => {}
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        Ok(Shim {
            handle: process::open(child.id()).map_err(failed)?,
            report: Receiver::from_owned_fd(stdout.into()).map_err(failed)?,
        })
    }

    pub(super) fn set_running(&self, entry: &Entry, process: Process, handle: OwnedFd) {
        entry.set_now(Now::Running(Arc::new(Alive { process, handle })));
        self.report(entry);
    }

    /// Waits for the end of a shim in the background, and records what became of its container.
    pub(super) fn supervise(&self, entry: Arc<Entry>, shim: OwnedFd) {
        let helper = self.clone();
        tokio::spawn(async move { helper.after_shim(&entry, shim).await });
    }

    async fn after_shim(&self, entry: &Arc<Entry>, shim: OwnedFd) {
        match process::ended(shim).await {
            Ok(shim) => drop(process::reap(&shim)),
            Err(error) => warn!(container = entry.record().name, %error, "cannot wait for a shim"),
        }
        let (helper, of_task) = (self.clone(), entry.clone());
        let settled = tokio::task::spawn_blocking(move || helper.settle(&of_task)).await;
        let code = match settled.map_err(io::Error::other).and_then(|settled| settled) {
            Ok(code) => code,
            Err(error) => {
                warn!(container = entry.record().name, %error, "cannot record how a container ended");
                137
            }
        };
        debug!(container = entry.record().name, code, "a container has ended");
        entry.set_now(Now::Exited { code });
        self.report(entry);
    }

    /// The exit code of a container whose shim has ended. When that was killed, its container is ended, too.
    pub(super) fn settle(&self, entry: &Entry) -> io::Result<i64> {
        if let Some(Phase::Exited { code, .. }) = read_json(&entry.directory.state())? {
            return Ok(code);
        }
        warn!(
            container = entry.record().name,
            "its shim was killed: ending the container"
        );
        let group = self.group(&entry.reference);
        group.kill()?;
        if let Some(alive) = entry.alive() {
            process::signal(&alive.handle, rustix::process::Signal::KILL)?;
            // An orphan of a shim becomes a child of ours.
            let mut ended = [rustix::event::PollFd::new(&alive.handle, rustix::event::PollFlags::IN)];
            let limit = rustix::event::Timespec::try_from(ENDING).ok();
            let _ = rustix::event::poll(&mut ended, limit.as_ref());
            process::reap(&alive.handle);
        }
        group.remove(ENDING)?;
        write_json(&entry.directory.state(), &Phase::lost())?;
        Ok(137)
    }
}

/// How a start went.
enum Concluded {
    Started(Process),
    Fault(Fault),
}

/// Reads what a shim reports, to the end. The path of a network namespace is sent on at once.
async fn read(report: Receiver, mut early: Option<oneshot::Sender<PathBuf>>) -> Result<Concluded, Fault> {
    let unclear = |reason: String| Fault::failed(Verb::Start, "", reason);
    let mut lines = BufReader::new(report.take(LONGEST)).lines();
    loop {
        let line = lines.next_line().await.map_err(|error| unclear(error.to_string()))?;
        let line = line.ok_or_else(|| unclear("its shim ended before it said how the start went".to_owned()))?;
        match serde_json::from_str(&line) {
            Ok(Report::Namespace(path)) => {
                if let Some(early) = early.take() {
                    // Nobody may wait for it any more.
                    let _ = early.send(path);
                }
            }
            Ok(Report::Started(process)) => return Ok(Concluded::Started(process)),
            Ok(Report::Fault(fault)) => return Ok(Concluded::Fault(fault)),
            Err(error) => return Err(unclear(format!("its shim reports nonsense: {error}"))),
        }
    }
}

/// The fault, about the container of this name.
fn named(fault: Fault, name: &str) -> Fault {
    match fault {
        Fault::Failed { verb, reason, .. } => Fault::failed(verb, name, reason),
        Fault::Refused { verb, reason, .. } => Fault::refused(verb, name, reason),
        other => other,
    }
}
