//! Waits in a runtime's place for the kernel's lock on moving processes between control groups.
//!
//! Every fork on the machine takes that lock, too. Forks take it without a cost, so the first process that moves another
//! one waits until all processors have noticed (a grace period of RCU, 8 to 16 ms). One that does so shortly afterwards
//! does not wait. On a quiet machine the first is the runtime, and it waits for a third of its time. So this process waits
//! in its place, while the container is prepared: it moves itself to where it is.

mod own;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tracing::debug;

/// Takes the lock before a runtime needs it.
#[derive(Debug, Clone)]
pub struct Ahead(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The file with the members of the group that this process is in.
    members: PathBuf,
    /// Whether it waits for the lock.
    busy: AtomicBool,
}

impl Ahead {
    /// For the control groups of this machine. `None`, with a line in the log, where this process cannot move itself.
    pub fn new() -> Option<Self> {
        let found = own::members().and_then(|members| {
            // The mount may be there to read only, as it is for units with ProtectControlGroups.
            fs::OpenOptions::new().write(true).open(&members)?;
            Ok(members)
        });
        match found {
            Ok(members) => Some(Self::of(members)),
            Err(error) => {
                debug!(%error, "cannot write into the own control group: each start waits for the kernel");
                None
            }
        }
    }

    fn of(members: PathBuf) -> Self {
        Self(Arc::new(Inner {
            members,
            busy: AtomicBool::new(false),
        }))
    }

    /// Waits for the lock in the background, once for all who ask at the same time.
    pub fn wait(&self) {
        if self.0.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let inner = self.0.clone();
        let waiting = thread::Builder::new().name("ahead".to_owned()).spawn(move || {
            inner.take();
            inner.busy.store(false, Ordering::Release);
        });
        if let Err(error) = waiting {
            debug!(%error, "no thread to wait for the kernel ahead of a start");
            self.0.busy.store(false, Ordering::Release);
        }
    }
}

impl Inner {
    fn take(&self) {
        let taken: io::Result<()> = fs::write(&self.members, "0");
        if let Err(error) = taken {
            debug!(%error, "cannot wait for the kernel ahead of a start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_itself_to_where_it_is() {
        let members = std::env::temp_dir().join(format!("orchestrator-ahead-{}", std::process::id()));
        fs::write(&members, "1\n").unwrap();
        let ahead = Ahead::of(members.clone());
        ahead.wait();
        while ahead.0.busy.load(Ordering::Acquire) {
            thread::yield_now();
        }
        assert_eq!(fs::read_to_string(&members).unwrap(), "0");
        fs::remove_file(&members).unwrap();
        // A group that is gone is no fault of the start.
        ahead.wait();
        while ahead.0.busy.load(Ordering::Acquire) {
            thread::yield_now();
        }
    }
}
