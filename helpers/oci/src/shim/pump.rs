//! Copies what a container writes into its log.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::log::{Source, Writer};

/// How long is waited for output after the first process has ended. Its children end with it, so that there is hardly any.
const LINGERING: Duration = Duration::from_secs(1);

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Returns when the process has ended and all its output is in the log.
///
/// # Errors
///
/// The last time that the log could not be written. The container is never held up by its log: what does not go in is
/// dropped.
pub(super) fn pump(stdout: &OwnedFd, stderr: &OwnedFd, process: &OwnedFd, log: &mut Writer) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut open = [(Source::Stdout, Some(stdout)), (Source::Stderr, Some(stderr))];
    let (mut deadline, mut fault) = (None::<Instant>, Ok(()));
    loop {
        if deadline.is_some() && open.iter().all(|(_, pipe)| pipe.is_none()) {
            return fault;
        }
        let Some(readable) = wait(&open, process, &mut deadline)? else {
            return fault;
        };
        for ((source, pipe), is_ready) in open.iter_mut().zip(readable) {
            let (Some(from), true) = (*pipe, is_ready) else {
                continue;
            };
            match rustix::io::read(from, &mut buffer) {
                Ok(length @ 1..) => {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    fault = log.record(now, *source, &buffer[..length]).and(fault);
                }
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Ok(_) | Err(_) => *pipe = None,
            }
        }
    }
}

type Open<'a> = [(Source, Option<&'a OwnedFd>); 2];

/// Waits for output or for the end of the process, which sets the deadline. Which of both can be read; `None` when the
/// deadline has come.
fn wait(open: &Open<'_>, process: &OwnedFd, deadline: &mut Option<Instant>) -> io::Result<Option<[bool; 2]>> {
    let mut handles = Vec::with_capacity(3);
    for (_, pipe) in open {
        handles.extend(pipe.map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)));
    }
    if deadline.is_none() {
        handles.push(PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN));
    }
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    let count = match poll(&mut handles, left.as_ref()) {
        Err(rustix::io::Errno::INTR) => return Ok(Some([false; 2])),
        count => count?,
    };
    let mut ready = handles.iter().map(|handle| !handle.revents().is_empty());
    let readable = open.map(|(_, pipe)| pipe.is_some() && ready.next().unwrap_or_default());
    if deadline.is_none() && ready.next().unwrap_or_default() {
        *deadline = Some(Instant::now() + LINGERING);
    }
    Ok((count > 0 || deadline.is_none()).then_some(readable))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use orchestrator_plugin_oci::protocol::LogBounds;

    use super::*;
    use crate::process;

    #[test]
    fn all_output_is_in_the_log_when_it_ends() {
        let place = std::env::temp_dir().join(format!("orchestrator-pump-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        let mut log = Writer::open(place.clone(), LogBounds::default()).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "echo out; echo err >&2"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap().into(), child.stderr.take().unwrap().into());
        let handle = process::open(child.id()).unwrap();
        // Ended before anything is read: both ends and the end of the process are seen at once.
        child.wait().unwrap();
        pump(&stdout, &stderr, &handle, &mut log).unwrap();
        let text = std::fs::read_to_string(place.join("0")).unwrap();
        std::fs::remove_dir_all(&place).unwrap();
        assert!(text.contains("o F out") && text.contains("e F err"), "{text}");
    }
}
