//! How many commands there may be at once, and how long each may take to start.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use orchestrator_plugin_oci::protocol::{Fault, Verb};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::Entry;

/// The limits of commands.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct CommandLimits {
    /// Seconds that the runtime may take to start a command in a container.
    #[arg(long, hide = true, default_value_t = 30)]
    starting: u64,
    /// Commands that may run in one container at once.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..))]
    commands_each: u16,
    /// Commands that may run in all containers together at once. At most 480: the runtime of each may hold up a thread while
    /// it is ended, and the helper has 512 such threads.
    #[arg(long, default_value_t = 384, value_parser = clap::value_parser!(u16).range(1..=480))]
    commands: u16,
}

/// The commands that may be started yet.
#[derive(Debug)]
pub(crate) struct Bound {
    limits: CommandLimits,
    all: Arc<Semaphore>,
}

/// A place among the commands. It is free again once this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    _each: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Bound {
    pub(crate) fn new(limits: CommandLimits) -> Self {
        let all = Arc::new(Semaphore::new(usize::from(limits.commands)));
        Self { limits, all }
    }

    /// How long the runtime may take to start a command.
    pub(super) fn starting(&self) -> Duration {
        Duration::from_secs(self.limits.starting)
    }

    /// How many commands may run in a container at once.
    pub(in crate::engine) fn each(&self) -> usize {
        usize::from(self.limits.commands_each)
    }

    /// Takes a place for a command in this container.
    ///
    /// # Errors
    ///
    /// [`Fault::Busy`] when as many run as are allowed.
    pub(super) fn permit(&self, entry: &Entry) -> Result<Arc<Permit>, Fault> {
        let busy = |reason: String| Fault::busy(Verb::Run, entry.record().name.clone(), reason);
        let each = entry.commands.clone().try_acquire_owned();
        let all = self.all.clone().try_acquire_owned();
        Ok(Arc::new(Permit {
            _each: each.map_err(|_| busy(format!("{} commands run in it", self.limits.commands_each)))?,
            _all: all.map_err(|_| busy(format!("{} commands run on this host", self.limits.commands)))?,
        }))
    }
}
