//! Finds what an earlier helper left: containers that run, that ended meanwhile, that were being started or removed.

use std::fs;
use std::io;
use std::sync::atomic::Ordering;

use tracing::{info, warn};

use super::entry::{Alive, Now};
use super::remove::delete;
use super::{Entry, Helper};
use crate::process::{self, Process};
use crate::shim::holder;
use crate::state::{Directory, Phase, Record, read_json, write_json};

impl Helper {
    /// Reads all containers, adopts those that run, and ends those whose shim is gone.
    pub(super) fn recover(&self) -> io::Result<()> {
        let mut found = 0_usize;
        for entry in fs::read_dir(self.0.place.containers())? {
            let directory = Directory::new(entry?.path());
            match self.recover_one(&directory) {
                Ok(true) => found += 1,
                Ok(false) => {}
                // The others must not wait for it, and what it is can be looked at.
                Err(error) => {
                    warn!(directory = %directory.path().display(), %error, "a container cannot be read, and is left alone");
                }
            }
        }
        self.release_images();
        for entry in fs::read_dir(self.0.place.removing())? {
            let directory = Directory::new(entry?.path());
            self.group(&directory.reference()).remove(super::start::ENDING)?;
            delete(&directory);
        }
        info!(containers = found, "the containers of an earlier helper are adopted");
        Ok(())
    }

    /// Whether there is a container in the directory.
    fn recover_one(&self, directory: &Directory) -> io::Result<bool> {
        let Some(record) = read_json::<Record>(&directory.record())? else {
            // A helper was killed before it recorded it: nothing was made for it.
            delete(directory);
            return Ok(false);
        };
        self.0.newest.fetch_max(record.created, Ordering::Relaxed);
        let shim = self.living_shim(directory)?;
        let phase = read_json::<Phase>(&directory.state())?;
        let (now, shim) = match (phase, shim) {
            (Some(Phase::Running { process, .. }), Some(shim)) => match process.open() {
                Some(handle) => (Now::Running(Alive { process, handle }.into()), Some(shim)),
                // The shim is recording its end.
                None => (self.after_end(directory, shim)?, None),
            },
            (Some(Phase::Exited { .. }), Some(shim)) => (self.after_end(directory, shim)?, None),
            (Some(Phase::Exited { code, .. }), None) => (Now::Exited { code }, None),
            (None, None) => (Now::Created, None),
            // It was being started, and nobody would learn how that ended; or its shim is gone.
            (phase, shim) => (self.give_up(directory, phase, shim)?, None),
        };
        let entry = Entry::new(directory.clone(), record, now, self.0.commands.each());
        self.index().insert(entry.clone());
        if let Some(shim) = shim {
            self.supervise(entry, shim);
        }
        Ok(true)
    }

    /// A handle on the shim that holds a container.
    fn living_shim(&self, directory: &Directory) -> io::Result<Option<std::os::fd::OwnedFd>> {
        let Some(pid) = holder(directory)? else {
            return Ok(None);
        };
        let Some(shim) = Process::of(pid).ok().and_then(|shim| shim.open()) else {
            return Ok(None);
        };
        // While it still holds the lock, the handle is on the holder and on no later process of that number.
        Ok((holder(directory)? == Some(pid)).then_some(shim))
    }

    /// What becomes of a container whose shim is about to end.
    fn after_end(&self, directory: &Directory, shim: std::os::fd::OwnedFd) -> io::Result<Now> {
        wait(&shim);
        match read_json(&directory.state())? {
            Some(Phase::Exited { code, .. }) => Ok(Now::Exited { code }),
            phase => self.give_up(directory, phase, None),
        }
    }

    /// Ends what there is of a container that is not held as it should be.
    fn give_up(
        &self,
        directory: &Directory,
        phase: Option<Phase>,
        shim: Option<std::os::fd::OwnedFd>,
    ) -> io::Result<Now> {
        warn!(
            container = directory.reference(),
            "it was being started, or its shim is gone: ending what there is of it"
        );
        if let Some(shim) = shim {
            process::signal(&shim, rustix::process::Signal::KILL)?;
            wait(&shim);
        }
        if let Some(Phase::Running { process, .. }) = &phase
            && let Some(handle) = process.open()
        {
            process::signal(&handle, rustix::process::Signal::KILL)?;
        }
        self.group(&directory.reference()).remove(super::start::ENDING)?;
        match phase {
            None | Some(Phase::Starting { first: true, .. }) => {
                let _ = fs::remove_file(directory.state());
                Ok(Now::Created)
            }
            Some(_) => {
                write_json(&directory.state(), &Phase::lost())?;
                Ok(Now::Exited { code: 137 })
            }
        }
    }
}

/// Waits for a process that is ending.
fn wait(handle: &std::os::fd::OwnedFd) {
    let mut ended = [rustix::event::PollFd::new(handle, rustix::event::PollFlags::IN)];
    let limit = rustix::event::Timespec::try_from(super::start::ENDING).ok();
    let _ = rustix::event::poll(&mut ended, limit.as_ref());
}
