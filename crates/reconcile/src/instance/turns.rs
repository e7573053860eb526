//! Turns: limits on work at the same time.
//!
//! Turns are counted for each engine of each host, and for each kind of work. So an engine that hangs delays no other
//! one, and removals never wait for provisioning. A turn is held only while the host works: an instance whose answer is
//! awaited holds none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_model::HostId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reads of the record at the same time. Each costs memory and a database reader.
const READS: usize = 256;

/// A kind of work on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Work {
    /// Containers are started and wired.
    Provision,
    /// Instances are observed.
    Observe,
    /// Instances are removed.
    Remove,
}

impl Work {
    /// How many pieces of this work an engine does at the same time.
    const fn turns(self) -> usize {
        match self {
            Self::Provision => 256,
            Self::Observe => 256,
            Self::Remove => 64,
        }
    }
}

/// An engine of a host.
type Place = (Option<HostId>, String);

/// The turns of all engines.
#[derive(Debug)]
pub(super) struct Turns {
    work: Mutex<HashMap<(Place, Work), Arc<Semaphore>>>,
    reads: Arc<Semaphore>,
}

/// Something that may be done now. The next one may when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    // `None` only if the semaphore were closed, which nobody does.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            work: Mutex::default(),
            reads: Arc::new(Semaphore::new(READS)),
        }
    }
}

impl Turns {
    /// Waits for a turn to work with an engine of a host.
    pub(super) async fn take(&self, host: Option<&HostId>, engine: &str, work: Work) -> Turn {
        let place = (host.cloned(), engine.to_owned());
        let semaphore = {
            // Nothing that holds the lock can panic half-way through a change.
            let mut all = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(work.turns()));
            all.entry((place, work)).or_insert_with(new).clone()
        };
        Turn {
            _permit: semaphore.acquire_owned().await.ok(),
        }
    }

    /// Waits for a turn to read the record.
    pub(super) async fn read(&self) -> Turn {
        Turn {
            _permit: self.reads.clone().acquire_owned().await.ok(),
        }
    }
}
