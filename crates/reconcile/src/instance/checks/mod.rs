//! Checks of instances that are ready, again and again, by the same probe that found them ready.
//!
//! ```text
//!             ready                    due                 failed                    as often as
//!   (none) ─────────▶ waiting ──────────────────▶ asked ───────────▶ its worker ──── the template ──▶ silent
//!                        ▲                          │                looks at it      says
//!                        └────────── answered ──────┘
//! ```
//!
//! - A check costs one connection, or one look into a network namespace, and neither engine nor store.
//! - A failed check wakes the worker of the slot, which looks at the container and its wiring and acts on what it
//!   sees. Nothing here acts on an instance.
//! - Checks are spread over time, and only so many are under way at once.
//! - What is known here is of this run alone; a new daemon begins to check what it adopts.

mod run;
mod schedule;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

pub(super) use run::{Outcome, Round};
pub(super) use schedule::{Check, Silence, Subject, Target};

use self::schedule::Schedule;
use orchestrator_model::InstanceId;

/// Everything that is checked, shared by workers, the pass and the task that checks.
#[derive(Default)]
pub(super) struct Checks {
    schedule: Mutex<Schedule>,
    /// Notified when something may be due earlier.
    changed: Notify,
}

impl Checks {
    /// The instance has just answered: it is checked from now on.
    pub(super) fn begin(&self, id: InstanceId, subject: Subject) {
        self.schedule().begin(id, subject, Instant::now());
        self.changed.notify_one();
    }

    /// The instance is not ready any more: it is checked no more until it is again.
    pub(super) fn pause(&self, id: InstanceId) {
        self.schedule().pause(id);
    }

    /// The instance is restarted: what its process before was seen to do is not expected of the next one.
    pub(super) fn renew(&self, id: InstanceId) {
        self.schedule().renew(id);
    }

    /// The instance is gone.
    pub(super) fn forget(&self, id: InstanceId) {
        self.schedule().forget(id);
    }

    /// Brings it in line with all that is live, and all that is ready with what is to be checked of it.
    pub(super) fn reconcile(&self, live: &HashSet<InstanceId>, ready: HashMap<InstanceId, Option<Subject>>) {
        self.schedule().reconcile(live, ready, Instant::now());
        self.changed.notify_one();
    }

    /// Whether the instance was ever seen to react to a connection, so that it is to do so again.
    pub(super) fn reacts(&self, id: InstanceId) -> bool {
        self.schedule().reacts(id)
    }

    /// Whether the instance ever answered what it is asked now, as far as this daemon knows.
    pub(super) fn answered(&self, id: InstanceId) -> bool {
        self.schedule().answered(id)
    }

    /// How the instance has failed to answer, when that was as often in a row as its template says.
    pub(super) fn mute(&self, id: InstanceId) -> Option<Silence> {
        self.schedule().mute(id)
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        // Nothing that holds the lock can panic half-way through a change.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
