//! Processes that are named so that their number cannot be mistaken for a later one's.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitpid};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;

use crate::ready::ready;

/// A process: its number, when it began, and on which boot of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// The number.
    pub(crate) pid: u32,
    /// Clock ticks from the boot to its start.
    start: u64,
    /// The boot.
    boot: String,
}

impl Process {
    /// The process of this number now.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        Ok(Self {
            pid,
            start: start_of(pid)?,
            boot: boot()?,
        })
    }

    /// A handle on it; `None` when it is gone, whoever has its number now.
    pub(crate) fn open(&self) -> Option<OwnedFd> {
        let handle = open(self.pid).ok()?;
        // What has the handle now keeps its number until it is reaped, so that this is asked of the same process.
        (Self::of(self.pid).ok()? == *self).then_some(handle)
    }

    /// Whether it handles this signal: what is first in its namespace is not ended by a signal that it does not handle.
    pub(crate) fn handles(&self, signal: Signal) -> bool {
        let Ok(status) = fs::read_to_string(format!("/proc/{}/status", self.pid)) else {
            return false;
        };
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or_default();
        let number = u32::try_from(signal.as_raw()).unwrap_or_default();
        number > 0 && mask >> (number - 1) & 1 == 1
    }
}

/// A handle on a process that cannot have been replaced: a child of this process.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    let number = number(pid).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::pidfd_open(number, PidfdFlags::NONBLOCK)?)
}

/// Sends a signal. A process that has ended is no error.
pub(crate) fn signal(handle: impl AsFd, signal: Signal) -> io::Result<()> {
    match rustix::process::pidfd_send_signal(handle, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until the process has ended.
pub(crate) async fn ended(handle: OwnedFd) -> io::Result<OwnedFd> {
    let waiting = ready(handle, Interest::READABLE)?;
    let _ = waiting.readable().await?;
    Ok(waiting.into_inner())
}

/// Takes the exit code of a child that has ended: 128 + signal when a signal ended it. `None` when it is no child of
/// this process or has not ended.
pub(crate) fn reap(handle: impl AsFd) -> Option<i64> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let status = rustix::process::waitid(WaitId::PidFd(handle.as_fd()), options).ok()??;
    let code = status.exit_status();
    Some(i64::from(code.or_else(|| Some(128 + status.terminating_signal()?))?))
}

/// Kills a child of this process and all processes below it, and reaps those that become its own. This process is a subreaper:
/// what is below a process that was killed becomes its child. Only what a command has started itself becomes a child of the
/// first process of its container instead, which reaps it. Waits until the kernel has ended all that it reaps.
///
/// Each is stopped before the processes below it are looked for, because a stopped process makes no other one.
pub(crate) fn end_tree(child: u32) {
    let mut tree = BTreeSet::from([child]);
    // Each comes behind its parent.
    let mut found = vec![child];
    let mut new = found.clone();
    while !new.is_empty() {
        // One that has ended stays in the list until it is reaped.
        new.iter().for_each(|pid| send(*pid, Signal::STOP));
        new = below(&tree);
        tree.extend(&new);
        found.extend(&new);
    }
    found.iter().for_each(|pid| send(*pid, Signal::KILL));
    // A process is ours to reap once those above it are dead.
    for pid in found {
        let Some(number) = number(pid) else { continue };
        while waitpid(Some(number), WaitOptions::empty()).is_err_and(|error| error == Errno::INTR) {}
    }
}

/// The processes whose parent is one of these, without these.
fn below(parents: &BTreeSet<u32>) -> Vec<u32> {
    let Ok(all) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| !parents.contains(pid) && parent_of(*pid).is_some_and(|parent| parents.contains(&parent)))
        .collect()
}

fn send(pid: u32, signal: Signal) {
    if let Some(number) = number(pid) {
        // One that has ended is no error.
        let _ = kill_process(number, signal);
    }
}

fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// The fourth field of `/proc/PID/stat`.
fn parent_of(pid: u32) -> Option<u32> {
    field(pid, 1).ok()?.parse().ok()
}

/// The 22nd field of `/proc/PID/stat`.
fn start_of(pid: u32) -> io::Result<u64> {
    field(pid, 19)?.parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// A field of `/proc/PID/stat`, counted from 0 behind the name in parentheses, which may hold anything.
fn field(pid: u32, number: usize) -> io::Result<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let field = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(number));
    field
        .map(str::to_owned)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn boot() -> io::Result<String> {
    static BOOT: OnceLock<String> = OnceLock::new();
    if let Some(boot) = BOOT.get() {
        return Ok(boot.clone());
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    Ok(BOOT.get_or_init(|| boot).clone())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_known_and_its_successor_is_not_it() {
        let own = Process::of(std::process::id()).unwrap();
        assert!(own.open().is_some());
        let before = Process {
            start: own.start - 1,
            ..own.clone()
        };
        assert!(before.open().is_none(), "another one had the number before");
        let other = Process {
            boot: "another".to_owned(),
            ..own
        };
        assert!(other.open().is_none(), "the machine was booted since");
    }

    #[tokio::test]
    async fn a_child_that_ends_is_noticed_with_its_code() {
        for (program, code) in [("exit 7", 7), ("kill -KILL $$", 137)] {
            let mut child = Command::new("sh").args(["-c", program]).spawn().unwrap();
            let handle = open(child.id()).unwrap();
            let handle = ended(handle).await.unwrap();
            assert_eq!(reap(&handle), Some(code));
            assert_eq!(reap(&handle), None, "once");
            child.wait().unwrap_err();
        }
    }

    #[test]
    fn a_process_ends_with_all_that_is_below_it_and_nothing_else() {
        nix::sys::prctl::set_child_subreaper(true).unwrap();
        let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
        let program = "sleep 600 & sh -c 'sleep 600 & echo; sleep 600' & wait";
        let mut shell = Command::new("sh");
        let mut shell = shell.args(["-c", program]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = [0];
        shell.stdout.take().unwrap().read_exact(&mut line).unwrap();
        let children = below(&BTreeSet::from([shell.id()]));
        assert_eq!(children.len(), 2, "{children:?}");
        let below_them = below(&children.iter().copied().collect());
        assert!(!below_them.is_empty());
        end_tree(shell.id());
        for pid in children.into_iter().chain(below_them).chain([shell.id()]) {
            assert!(field(pid, 0).is_err(), "{pid} is there");
        }
        shell.wait().unwrap_err();
        assert!(bystander.try_wait().unwrap().is_none());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }
}
