//! The shim: one small process that holds one container.
//!
//! ```text
//!   lock ─▶ Starting ─▶ mount ─▶ files ─▶ config.json ─▶ runc run ─▶ Running ─▶ copy its output into the log …
//!                                                                                      │ its first process ends
//!                                                     lock ends with the shim ◀─ Exited ◀─ remove the control group
//! ```
//!
//! It is in a session and a mount namespace of its own, and nobody waits for it: neither the end of the helper nor of the
//! daemon touches it. Its container's first process is its child, so that it learns the exit code. The file system of the
//! container is mounted in its mount namespace only, so that no mount outlives it.
//!
//! A shim that is killed takes its container's output and exit code along; the helper ends the container then.
//! It starts nothing a second time: whoever wants the container to run again starts another shim.

mod lock;
mod namespace;
mod overlay;
mod prepare;
mod pump;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;
use nix::sys::signal::{SigSet, Signal as Blocked};
use orchestrator_plugin_oci::protocol::{Fault, Verb};
use rustix::process::{WaitId, WaitIdOptions};
use serde::{Deserialize, Serialize};

use crate::cgroup::{Group, Hierarchy};
use crate::log::Writer;
use crate::process::{self, Process};
use crate::runc::{self, Runc};
use crate::state::{Directory, Phase, Record, read_json, write_json};

use namespace::EarlyNamespace;

pub(crate) use lock::holder;
pub(crate) use overlay::with_mounted;

/// How long a control group may take to become empty.
const EMPTYING: Duration = Duration::from_secs(10);

/// What a shim needs to know besides its container. The helper passes it on.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// The runtime: runc, or another one with its arguments.
    #[arg(long, default_value = "runc")]
    pub(crate) runtime: PathBuf,
    /// The control group that those of the containers are in.
    #[arg(long, default_value = "/orchestrator")]
    pub(crate) cgroup: String,
    /// A static program that is the first process of every container and starts the container's own, like tini. Without
    /// it the container's own program is the first process.
    #[arg(long)]
    pub(crate) init: Option<PathBuf>,
}

impl Common {
    /// The same as arguments.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec!["--runtime".into(), self.runtime.clone().into()];
        all.extend(["--cgroup".into(), self.cgroup.clone().into()]);
        all.extend(self.init.iter().flat_map(|init| ["--init".into(), init.clone().into()]));
        all
    }

    /// The control group of a container.
    pub(crate) fn group(&self, hierarchy: Hierarchy, reference: &str) -> Group {
        Group::new(hierarchy, format!("{}/{reference}", self.cgroup.trim_end_matches('/')))
    }
}

/// Arguments of `orchestrator-oci shim`, which the helper starts.
#[derive(Debug, Clone, Args)]
pub(crate) struct ShimArguments {
    /// The directory of the container.
    pub(crate) directory: PathBuf,
    /// The network namespace that it joins.
    #[arg(long)]
    pub(crate) netns: Option<PathBuf>,
    /// Whether it makes the network namespace by itself, and reports it before the container starts.
    #[arg(long, conflicts_with = "netns")]
    pub(crate) early_network: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What a shim says to the helper, as a line of JSON on its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Report {
    /// The container will run in the network namespace at this path.
    Namespace(PathBuf),
    /// The container runs. The last line.
    Started(Process),
    /// It does not. The last line.
    Fault(Fault),
}

/// A container that a shim holds.
struct Held {
    directory: Directory,
    record: Record,
    arguments: ShimArguments,
    group: Group,
    hierarchy: Hierarchy,
    /// What it was before this start; `None` when it never ran.
    before: Option<Phase>,
    /// The network namespace that was made for it ahead of its start.
    namespace: Option<EarlyNamespace>,
}

/// Holds a container from its start to its end. Whether it was started.
pub(crate) fn hold(arguments: ShimArguments) -> bool {
    match start(arguments) {
        Ok((held, running)) => {
            conclude(&Report::Started(running.process.clone()));
            held.stay(running);
            true
        }
        Err(fault) => {
            conclude(&Report::Fault(fault));
            false
        }
    }
}

/// A container that runs.
struct Running {
    process: Process,
    /// A handle on the first process, which is a child of ours.
    handle: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    log: Writer,
    /// It is locked for as long as this is open.
    _lock: OwnedFd,
}

fn start(arguments: ShimArguments) -> Result<(Held, Running), Fault> {
    let directory = Directory::new(arguments.directory.clone());
    let subject = directory.reference();
    let failed = |reason: String| Fault::failed(Verb::Start, subject.clone(), reason);
    detach().map_err(|error| failed(format!("cannot leave the helper's session: {error}")))?;
    let lock = lock::take(&directory).map_err(|error| failed(error.to_string()))?;
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").map_err(|error| failed(error.to_string()))?;
    let hierarchy = Hierarchy::read(&mountinfo).map_err(&failed)?;
    let io = |error: io::Error| failed(error.to_string());
    let record = read_json(&directory.record())
        .map_err(io)?
        .ok_or_else(|| failed("it has no record".to_owned()))?;
    let before = read_json(&directory.state()).map_err(io)?;
    let namespace = match arguments.early_network {
        true => Some(EarlyNamespace::make().map_err(|error| failed(format!("cannot make its network: {error}")))?),
        false => None,
    };
    let held = Held {
        group: arguments.common.group(hierarchy.clone(), &subject),
        directory,
        record,
        arguments,
        hierarchy,
        before,
        namespace,
    };
    held.mark_starting().map_err(io)?;
    if let Some(namespace) = &held.namespace {
        report(&Report::Namespace(namespace.path()));
    }
    match held.bring_up(lock) {
        Ok(running) => Ok((held, running)),
        Err(fault) => {
            held.clear();
            if let Err(error) = held.restore() {
                eprintln!("orchestrator-oci: cannot record that {subject} was not started: {error}");
            }
            Err(fault)
        }
    }
}

/// Leaves everything that ends with the helper.
fn detach() -> io::Result<()> {
    // A group leader cannot; then it is one already.
    let _ = nix::unistd::setsid();
    std::env::set_current_dir("/")?;
    let polite = SigSet::from_iter([Blocked::SIGHUP, Blocked::SIGINT, Blocked::SIGTERM]);
    polite.thread_block()?;
    nix::sys::prctl::set_child_subreaper(true)?;
    overlay::leave_mounts()
}

impl Held {
    fn mark_starting(&self) -> io::Result<()> {
        let first = match &self.before {
            None => true,
            Some(Phase::Starting { first, .. }) => *first,
            Some(_) => false,
        };
        let shim = Process::of(std::process::id())?;
        write_json(&self.directory.state(), &Phase::Starting { shim, first })
    }

    /// Records that it is as it was before the start that failed.
    fn restore(&self) -> io::Result<()> {
        match &self.before {
            None | Some(Phase::Starting { first: true, .. }) => std::fs::remove_file(self.directory.state()),
            Some(Phase::Exited { code, guessed }) => {
                let (code, guessed) = (*code, *guessed);
                write_json(&self.directory.state(), &Phase::Exited { code, guessed })
            }
            Some(_) => write_json(&self.directory.state(), &Phase::lost()),
        }
    }

    fn is_first(&self) -> bool {
        matches!(self.before, None | Some(Phase::Starting { first: true, .. }))
    }

    fn bring_up(&self, lock: OwnedFd) -> Result<Running, Fault> {
        // What a killed shim left.
        self.clear();
        self.prepare()?;
        let io = |error: io::Error| Fault::failed(Verb::Start, &self.record.name, error);
        let log = Writer::open(self.directory.logs(), self.record.log).map_err(io)?;
        let (stdout, to_stdout) = pipe().map_err(io)?;
        let (stderr, to_stderr) = pipe().map_err(io)?;
        let runtime = Runc::new(self.arguments.common.runtime.clone());
        self.run(runtime.run(&self.directory), to_stdout, to_stderr)?;
        let pid = runc::read_pid(&runc::pid_of(&self.directory)).map_err(io)?;
        let handle = process::open(pid).map_err(io)?;
        let process = Process::of(pid).map_err(io)?;
        let shim = Process::of(std::process::id()).map_err(io)?;
        let phase = Phase::Running {
            shim,
            process: process.clone(),
        };
        write_json(&self.directory.state(), &phase).map_err(io)?;
        // They are in the container now.
        let _ = std::fs::remove_file(self.directory.files());
        Ok(Running {
            process,
            handle,
            stdout,
            stderr,
            log,
            _lock: lock,
        })
    }

    /// Has the runtime make and start the container.
    fn run(&self, mut command: Command, stdout: OwnedFd, stderr: OwnedFd) -> Result<(), Fault> {
        let log = runc::log_of(&self.directory);
        let _ = std::fs::remove_file(&log);
        let status = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).status();
        // The ends that the command holds would keep the pipes open.
        drop(command);
        let reason = match status {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => runc::last_error(&log).unwrap_or_else(|| format!("the runtime ended with {status}")),
            Err(error) => {
                let runtime = self.arguments.common.runtime.display();
                return Err(Fault::failed(
                    Verb::Start,
                    &self.record.name,
                    format!("cannot run {runtime}: {error}"),
                ));
            }
        };
        Err(match runc::is_about_program(&reason) {
            true => Fault::refused(Verb::Start, &self.record.name, reason),
            false => Fault::failed(Verb::Start, &self.record.name, reason),
        })
    }

    /// Copies what the container writes into its log until it ends, and records how it ended.
    fn stay(&self, mut running: Running) {
        if let Err(error) = pump::pump(&running.stdout, &running.stderr, &running.handle, &mut running.log) {
            eprintln!(
                "orchestrator-oci: the log of {} is not whole: {error}",
                self.record.name
            );
        }
        let code = wait(&running.handle);
        self.clear();
        let exited = Phase::Exited { code, guessed: false };
        if let Err(error) = write_json(&self.directory.state(), &exited) {
            eprintln!(
                "orchestrator-oci: cannot record how {} ended: {error}",
                self.record.name
            );
        }
    }

    /// Removes what the runtime made: processes, control groups and its own records.
    fn clear(&self) {
        let removed = self.group.remove(EMPTYING);
        let deleted = match std::fs::remove_dir_all(self.directory.runtime()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        for error in [removed.err(), deleted.err()].into_iter().flatten() {
            eprintln!("orchestrator-oci: something of {} is left: {error}", self.record.name);
        }
    }
}

/// Waits for the first process, and takes its exit code.
fn wait(handle: &OwnedFd) -> i64 {
    loop {
        match rustix::process::waitid(WaitId::PidFd(handle.as_fd()), WaitIdOptions::EXITED) {
            Ok(Some(status)) => {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                return i64::from(status.exit_status().or(signal).unwrap_or(255));
            }
            Ok(None) | Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {
                let mut ended = [rustix::event::PollFd::new(handle, rustix::event::PollFlags::IN)];
                let _ = rustix::event::poll(&mut ended, None);
            }
            Err(_) => return 255,
        }
    }
}

/// A pipe: the end to read, the end to write.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    Ok((read.into(), write.into()))
}

/// Says something to the helper, which may be gone.
fn report(report: &Report) {
    let Ok(mut line) = serde_json::to_vec(report) else {
        return;
    };
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
}

/// Says how the start went. A helper that is gone finds out by the state.
fn conclude(last: &Report) {
    report(last);
    // The helper reads to the end.
    if let Ok(null) = std::fs::File::open("/dev/null") {
        let _ = nix::unistd::dup2_stdout(null);
    }
}
