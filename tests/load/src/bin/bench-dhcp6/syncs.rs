//! How often a process tells the kernel to sync a file to disk: strace counts.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use orchestrator_lab::Program;

use crate::stage::Stage;

/// How long it may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);

/// Watches a process with its threads, and the children that it begins from now on. Ends when dropped.
pub(crate) struct Syncs {
    _tracer: Program,
    calls: PathBuf,
}

impl Syncs {
    pub(crate) fn watch(stage: &Stage, process: u32) -> Result<Self> {
        let place = stage.lab.place("strace")?;
        let calls = place.join("calls");
        let mut command = stage.lab.command("strace");
        command.args([
            "--follow-forks",
            "--trace=fsync,fdatasync,sync_file_range,msync",
            "--signal=none",
        ]);
        command
            .arg("--output")
            .arg(&calls)
            .arg("--attach")
            .arg(process.to_string());
        let mut tracer = Program::start(command, &place.join("strace.log"))?;
        let log = place.join("strace.log");
        let attached = || {
            fs::read_to_string(&log)
                .is_ok_and(|text| text.contains("attached"))
                .then_some(())
        };
        tracer.poll("strace to attach itself", PATIENCE, attached)?;
        Ok(Self { _tracer: tracer, calls })
    }

    /// How many there were so far.
    pub(crate) fn count(&self) -> Result<usize> {
        let calls = fs::read_to_string(&self.calls).context("strace wrote nothing")?;
        Ok(calls.lines().filter(|line| !line.contains("resumed>")).count())
    }
}
