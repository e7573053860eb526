//! One container, as the helper has it in memory.

use std::os::fd::OwnedFd;
use std::sync::{Arc, PoisonError, RwLock};

use orchestrator_plugin::{ContainerName, InstanceId};
use orchestrator_plugin_oci::protocol::Target;
use tokio::sync::{Semaphore, watch};

use crate::process::Process;
use crate::state::{Directory, Record};

/// One container.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its reference: the name of its directory, and the runtime's id for it.
    pub(crate) reference: String,
    /// Its directory.
    pub(crate) directory: Directory,
    /// Its commands that may be started yet.
    pub(super) commands: Arc<Semaphore>,
    record: RwLock<Arc<Record>>,
    phase: watch::Sender<Now>,
}

/// What a container does now.
#[derive(Debug, Clone)]
pub(crate) enum Now {
    /// It never ran.
    Created,
    /// It runs.
    Running(Arc<Alive>),
    /// It has ended.
    Exited {
        /// The exit code.
        code: i64,
    },
}

/// A container that runs.
#[derive(Debug)]
pub(crate) struct Alive {
    /// Its first process.
    pub(crate) process: Process,
    /// A handle on that.
    pub(crate) handle: OwnedFd,
}

impl Entry {
    /// `commands` is how many may run in it at once.
    pub(crate) fn new(directory: Directory, record: Record, now: Now, commands: usize) -> Arc<Self> {
        Arc::new(Self {
            commands: Arc::new(Semaphore::new(commands)),
            reference: directory.reference(),
            directory,
            record: RwLock::new(Arc::new(record)),
            phase: watch::Sender::new(now),
        })
    }

    /// What it is.
    pub(crate) fn record(&self) -> Arc<Record> {
        self.record.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_record(&self, record: Record) {
        *self.record.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(record);
    }

    /// What it does now.
    pub(crate) fn now(&self) -> Now {
        self.phase.borrow().clone()
    }

    /// What it does from now on.
    pub(crate) fn phases(&self) -> watch::Receiver<Now> {
        self.phase.subscribe()
    }

    pub(super) fn set_now(&self, now: Now) {
        self.phase.send_replace(now);
    }

    /// Its process, while it runs.
    pub(crate) fn alive(&self) -> Option<Arc<Alive>> {
        match &*self.phase.borrow() {
            Now::Running(alive) => Some(alive.clone()),
            Now::Created | Now::Exited { .. } => None,
        }
    }

    /// The container as callers name it. One without a mark is named after nobody.
    pub(crate) fn target(&self) -> Target {
        let record = self.record();
        let owner = record.owner.as_ref();
        Target {
            instance: owner.map_or(InstanceId::from_bytes([0; 6]), |owner| owner.instance),
            name: owner.map_or(ContainerName::MAIN, |owner| owner.container.clone()),
            reference: Some(self.reference.clone()),
        }
    }
}
