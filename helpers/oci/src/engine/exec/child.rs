//! The process of a command: it is a child of the helper, and is reaped whatever becomes of the request, as soon as the
//! runtime has written its number.
//!
//! Its container's other processes do not end before (pid_namespaces(7)), so that one that nobody reaps would hold up the
//! removal of its container.

use std::io;
use std::os::fd::OwnedFd;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitid, waitpid};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Files;
use crate::process::{end_tree, ended, open, reap};
use crate::runc;

/// A command that was started.
pub(super) struct Child(Option<OwnedFd>);

/// What became of a start.
pub(super) enum Started {
    /// The command runs, or has ended meanwhile.
    Runs(Child),
    /// The runtime ended with this exit code instead; `None` if nobody knows it.
    Not(Option<i64>),
    /// The runtime has not ended in time. It is ended, with everything that it has started.
    Late,
}

impl Child {
    /// Waits for its end. The exit code; 255 if nobody knows it.
    pub(super) async fn ended(mut self) -> i64 {
        match self.0.take() {
            Some(handle) => reaped(handle).await,
            None => 255,
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            tokio::spawn(reaped(handle));
        }
    }
}

async fn reaped(handle: OwnedFd) -> i64 {
    match ended(handle).await {
        Ok(handle) => reap(&handle).unwrap_or(255),
        Err(_) => 255,
    }
}

/// Waits until the runtime has started the command and has ended, at most this long. The files stay until nobody needs them.
///
/// # Errors
///
/// When the process of the runtime or the command cannot be followed. Then the command is killed, if its number is known.
pub(super) async fn started(runtime: process::Child, within: Duration, files: &Arc<Files>) -> io::Result<Started> {
    let handle = match open(runtime.id()) {
        Ok(handle) => handle,
        Err(error) => {
            // Without a descriptor for it, nobody can wait for it.
            end_runtime(runtime.id(), files);
            return Err(error);
        }
    };
    let mut ending = tokio::spawn(ended(handle));
    let Ok(ended) = timeout(within, &mut ending).await else {
        ending.abort();
        end_runtime(runtime.id(), files);
        return Ok(Started::Late);
    };
    let handle = match ended.map_err(io::Error::other).flatten() {
        Ok(handle) => handle,
        Err(error) => {
            end_runtime(runtime.id(), files);
            return Err(error);
        }
    };
    match reap(handle) {
        Some(0) => {
            let pid = runc::read_pid(&files.files.pid)?;
            open(pid)
                .map(|handle| Started::Runs(Child(Some(handle))))
                .inspect_err(|_| {
                    let files = files.clone();
                    spawn_blocking(move || end(&files));
                })
        }
        code => {
            // It may have failed after it started the command.
            let files = files.clone();
            drop(spawn_blocking(move || end(&files)));
            Ok(Started::Not(code))
        }
    }
}

/// Ends a runtime that nobody waits for, with everything that it has started: the caller has its failure already. Nobody waits
/// for the thread, which has the files until all is reaped.
fn end_runtime(runtime: u32, files: &Arc<Files>) {
    let files = files.clone();
    drop(spawn_blocking(move || {
        end_tree(runtime);
        // It may have started the command and ended before.
        end(&files);
    }));
}

/// Kills and reaps the command whose number the runtime wrote, if it is a child of the helper: a runtime that failed may have
/// reaped it. It needs no descriptor but to read the number, and waits until the kernel has ended the process.
fn end(files: &Files) {
    let pid = runc::read_pid(&files.files.pid).ok();
    let pid = pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let Some(pid) = pid else { return };
    let looks = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if waitid(WaitId::Pid(pid), looks).is_err() {
        return;
    }
    // A child that was not reaped keeps its number. One that has ended already is no error.
    let _ = kill_process(pid, Signal::KILL);
    let _ = waitpid(Some(pid), WaitOptions::empty());
}
