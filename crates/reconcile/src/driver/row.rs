//! The row of a task on the list of statuses.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::{Failure, Registration};
use orchestrator_runtime::tasks::{OwnedTask, Tasks};

/// A bounded number of rows for tasks that are shown only while they fail. A cheap handle: all clones share the rows.
#[derive(Debug, Clone)]
pub struct FailingRows {
    free: Arc<Semaphore>,
}

impl FailingRows {
    /// At most so many rows at once. A task that fails beyond them is shown once one of them is free.
    pub fn at_most(count: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count)),
        }
    }
}

/// The row of a task.
pub(super) enum Row {
    /// It is there for as long as the task.
    Always(OwnedTask),
    /// It is there while the task fails.
    WhileFailing(WhileFailing),
}

/// Makes and removes the row of a task that is shown only while it fails.
pub(super) struct WhileFailing {
    tasks: Tasks,
    kind: &'static str,
    name: String,
    purpose: &'static str,
    rows: FailingRows,
    shown: Mutex<Option<Shown>>,
}

/// A row that is shown.
struct Shown {
    name: String,
    row: OwnedTask,
    _place: OwnedSemaphorePermit,
}

impl Row {
    /// The row that a registration asks for.
    pub(super) fn of(registration: &Registration, tasks: &Tasks) -> Self {
        let (name, purpose) = (registration.name.clone(), registration.purpose);
        match &registration.shown_while_failing {
            None => Self::Always(tasks.own(name, purpose)),
            Some(rows) => Self::WhileFailing(WhileFailing {
                tasks: tasks.clone(),
                kind: registration.kind,
                name,
                purpose,
                rows: rows.clone(),
                shown: Mutex::new(None),
            }),
        }
    }

    /// A run begins.
    pub(super) fn begin(&self) {
        self.with(OwnedTask::begin);
    }

    /// Nothing is wrong any more with what the run serves.
    pub(super) fn settle(&self) {
        match self {
            Self::Always(row) => row.settle(),
            Self::WhileFailing(hidden) => *hidden.lock() = None,
        }
    }

    /// The run goes on, and what it serves fails.
    pub(super) fn fail(&self, reason: &str, next_try: Instant) {
        self.with(|row| row.fail(reason.to_owned(), next_try));
    }

    pub(super) fn set_detail(&self, detail: String) {
        self.with(|row| row.set_detail(Some(detail)));
    }

    /// The run has succeeded, and the next one is due then.
    pub(super) fn succeeded(&self, due: Option<Instant>) {
        match self {
            Self::Always(row) => row.end(Ok(()), due),
            Self::WhileFailing(hidden) => *hidden.lock() = None,
        }
    }

    /// The run has failed, and the next one is due then.
    pub(super) fn failed(&self, failure: &Failure, due: Instant) {
        if let Self::WhileFailing(hidden) = self {
            hidden.show(failure);
        }
        self.with(|row| {
            row.end(Err(failure.to_string()), Some(due));
            if let Some(recorded) = failure.recorded {
                row.count_failures(recorded.failures);
            }
        });
    }

    /// Does something with the row, if there is one now.
    fn with(&self, change: impl FnOnce(&OwnedTask)) {
        match self {
            Self::Always(row) => change(row),
            Self::WhileFailing(hidden) => {
                if let Some(shown) = hidden.lock().as_ref() {
                    change(&shown.row);
                }
            }
        }
    }
}

impl WhileFailing {
    /// Makes the row, unless it is there under the same name, or none is free.
    fn show(&self, failure: &Failure) {
        let name = match &failure.subject {
            Some(subject) => format!("{} {subject}", self.kind),
            None => self.name.clone(),
        };
        let mut shown = self.lock();
        if shown.as_ref().is_some_and(|shown| shown.name == name) {
            return;
        }
        *shown = None;
        let Ok(place) = self.rows.free.clone().try_acquire_owned() else {
            return;
        };
        let row = self.tasks.own(name.clone(), self.purpose);
        row.begin();
        *shown = Some(Shown {
            name,
            row,
            _place: place,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Shown>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
