//! The status of every task of the daemon: its state, the result of its last run, and its next run.
//!
//! A task is a reconciler that the driver runs. The driver keeps its row here, and the row ends with the task.
//! `GET /v1/tasks` and `orchestrator tasks` show the rows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use orchestrator_model::Timestamp;

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// A run is under way, and the one before it did not fail.
    Running,
    /// The last run succeeded, or there was none yet. The task waits for its next one.
    Waiting,
    /// The last run failed. The task waits for its next try, or the next try is under way.
    Failing,
}

impl TaskState {
    /// The word for it in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Failing => "failing",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The status of a task at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// The name of the task: `routes`, `link br0`.
    pub name: String,
    /// The purpose of the task, in one sentence.
    pub purpose: &'static str,
    /// The state of the task.
    pub state: TaskState,
    /// When the task entered this state.
    pub since: Timestamp,
    /// When the last run began; the present run counts, too.
    pub last_start: Option<Timestamp>,
    /// The duration of the last run that has ended.
    pub last_duration: Option<Duration>,
    /// The result of the last run that has ended, with the error and all its causes as text. `None` before the first.
    pub last_result: Option<Result<(), String>>,
    /// The number of failed runs in a row.
    pub failures: u32,
    /// When the next run begins at the latest. `None` during a run, and when the task only waits for a notification. A
    /// run that continues after a failure has the time of its next try here.
    pub next_try: Option<Timestamp>,
    /// Details on what the task works on now, if there are any.
    pub detail: Option<String>,
}

/// The list of all tasks. A cheap handle: all clones share one list.
#[derive(Clone, Default)]
pub struct Tasks {
    list: Arc<Mutex<List>>,
}

#[derive(Default)]
struct List {
    rows: BTreeMap<Key, Row>,
    /// The number of rows that were ever created.
    made: u64,
}

/// The key of a row. Rows are sorted by name. Two tasks with one name may exist for a moment.
type Key = (String, u64);

/// The row of a task. Its times are those of the monotonic clock, so that setting the wall clock does not change them.
struct Row {
    purpose: &'static str,
    /// When the present run began.
    running: Option<Instant>,
    last_start: Option<Instant>,
    last_duration: Option<Duration>,
    last_result: Option<Result<(), String>>,
    failures: u32,
    next_try: Option<Instant>,
    detail: Option<String>,
    /// When the task entered its state.
    since: Instant,
}

impl Row {
    fn state(&self) -> TaskState {
        match (self.failures, self.running) {
            (0, None) => TaskState::Waiting,
            (0, Some(_)) => TaskState::Running,
            (_, _) => TaskState::Failing,
        }
    }

    /// Makes a change, and records the time if the task's state changes.
    fn change(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.state();
        change(self);
        if self.state() != before {
            self.since = Instant::now();
        }
    }

    fn status(&self, name: &str, now: (Instant, Timestamp)) -> TaskStatus {
        let at = |moment: Instant| wall(moment, now);
        TaskStatus {
            name: name.to_owned(),
            purpose: self.purpose,
            state: self.state(),
            since: at(self.since),
            last_start: self.last_start.map(at),
            last_duration: self.last_duration,
            last_result: self.last_result.clone(),
            failures: self.failures,
            next_try: self.next_try.map(at),
            detail: self.detail.clone(),
        }
    }
}

/// Converts a moment into the time of the present wall clock.
fn wall(moment: Instant, (now, wall): (Instant, Timestamp)) -> Timestamp {
    match moment.checked_duration_since(now) {
        Some(ahead) => wall.plus(ahead),
        None => wall.minus(now.duration_since(moment)),
    }
}

impl Tasks {
    /// Puts a task on the list, until the returned value is dropped.
    pub fn own(&self, name: impl Into<String>, purpose: &'static str) -> OwnedTask {
        let mut list = self.lock();
        list.made += 1;
        let key = (name.into(), list.made);
        let row = Row {
            purpose,
            running: None,
            last_start: None,
            last_duration: None,
            last_result: None,
            failures: 0,
            next_try: None,
            detail: None,
            since: Instant::now(),
        };
        list.rows.insert(key.clone(), row);
        OwnedTask {
            tasks: self.clone(),
            key,
        }
    }

    /// The status of every task, by name.
    pub fn list(&self) -> Vec<TaskStatus> {
        let now = (Instant::now(), Timestamp::wall());
        let list = self.lock();
        list.rows.iter().map(|((name, _), row)| row.status(name, now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // Nothing that holds the lock can panic half-way through a change.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a task on the list and updates its status. When this is dropped, the task leaves the list.
#[must_use = "the task ends on the list when this is dropped"]
pub struct OwnedTask {
    tasks: Tasks,
    key: Key,
}

impl OwnedTask {
    /// Records the begin of a run.
    pub fn begin(&self) {
        self.change(|row| {
            let now = Instant::now();
            row.running = Some(now);
            row.last_start = Some(now);
            row.next_try = None;
        });
    }

    /// Records that a run that is under way works, so that earlier failures are over.
    ///
    /// Only a long run needs to record that; any other run does so by its end.
    pub fn settle(&self) {
        self.change(|row| {
            row.failures = 0;
            row.last_result = Some(Ok(()));
            row.next_try = None;
        });
    }

    /// The run that is under way goes on, and what it serves fails for this reason until it settles. It tries that
    /// again then.
    pub fn fail(&self, reason: String, next_try: Instant) {
        self.change(|row| {
            row.failures = row.failures.saturating_add(1);
            row.last_result = Some(Err(reason));
            row.next_try = Some(next_try);
        });
    }

    /// Sets the number of failed tries in a row, for a task that counts them itself. It is at least one.
    pub fn count_failures(&self, failures: u32) {
        self.change(|row| row.failures = failures.max(1));
    }

    /// Records the end of a run with its result, and when the next run begins at the latest.
    pub fn end(&self, result: Result<(), String>, next_try: Option<Instant>) {
        self.change(|row| {
            row.last_duration = row.running.take().map(|began| began.elapsed());
            row.failures = match &result {
                Ok(()) => 0,
                Err(_) => row.failures.saturating_add(1),
            };
            row.last_result = Some(result);
            row.next_try = next_try;
        });
    }

    /// Records details on what the task works on now.
    pub fn set_detail(&self, detail: Option<String>) {
        self.change(|row| row.detail = detail);
    }

    fn change(&self, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.tasks.lock().rows.get_mut(&self.key) {
            row.change(change);
        }
    }
}

impl Drop for OwnedTask {
    fn drop(&mut self) {
        self.tasks.lock().rows.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn only(tasks: &Tasks) -> TaskStatus {
        let mut all = tasks.list();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_fails_keeps_since_when_it_does_while_it_is_tried_again() {
        let tasks = Tasks::default();
        let task = tasks.own("routes", "keeps routes");
        assert_eq!(
            (only(&tasks).state, only(&tasks).last_result),
            (TaskState::Waiting, None)
        );
        task.begin();
        assert_eq!(only(&tasks).state, TaskState::Running);
        advance(SECOND).await;
        task.end(Err("no route: no bridge".to_owned()), Some(Instant::now() + SECOND));
        let failed = only(&tasks);
        assert_eq!((failed.state, failed.failures), (TaskState::Failing, 1));
        assert_eq!(failed.last_duration, Some(SECOND));
        assert_eq!(failed.last_result, Some(Err("no route: no bridge".to_owned())));
        let ahead = failed.next_try.unwrap().since(Timestamp::wall());
        assert!(ahead > Duration::from_millis(900) && ahead <= SECOND, "{ahead:?}");
        advance(60 * SECOND).await;
        task.begin();
        let tried = only(&tasks);
        assert_eq!(
            (tried.state, tried.failures, tried.next_try),
            (TaskState::Failing, 1, None)
        );
        assert!(
            Timestamp::wall().since(tried.since) >= 60 * SECOND,
            "since the first failure"
        );
        task.end(Ok(()), None);
        let good = only(&tasks);
        assert_eq!(
            (good.state, good.failures, good.last_result),
            (TaskState::Waiting, 0, Some(Ok(())))
        );
        drop(task);
        assert_eq!(tasks.list(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_without_end_is_running_once_it_has_settled() {
        let tasks = Tasks::default();
        let task = tasks.own("link br0", "serves the link");
        task.begin();
        task.end(Err("bridge br0 is missing".to_owned()), None);
        advance(SECOND).await;
        task.begin();
        assert_eq!(only(&tasks).state, TaskState::Failing);
        task.settle();
        let status = only(&tasks);
        assert_eq!((status.state, status.last_result), (TaskState::Running, Some(Ok(()))));
        assert!(Timestamp::wall().since(status.since) < SECOND, "since it settled");
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_goes_on_while_what_it_serves_fails_is_failing_until_it_settles() {
        let tasks = Tasks::default();
        let task = tasks.own("engine docker", "watches an engine");
        task.begin();
        task.settle();
        for _ in 0..2 {
            task.fail("it hangs".to_owned(), Instant::now() + SECOND);
        }
        let failing = only(&tasks);
        assert_eq!((failing.state, failing.failures), (TaskState::Failing, 2));
        assert_eq!(failing.last_result, Some(Err("it hangs".to_owned())));
        assert!(failing.next_try.is_some() && failing.last_duration.is_none());
        task.settle();
        let well = only(&tasks);
        assert_eq!(
            (well.state, well.failures, well.next_try),
            (TaskState::Running, 0, None)
        );
    }

    #[test]
    fn two_tasks_of_one_name_have_a_row_each() {
        let tasks = Tasks::default();
        let (old, new) = (tasks.own("link br0", "serves"), tasks.own("link br0", "serves"));
        old.end(Err("it ends".to_owned()), None);
        drop(old);
        assert_eq!(only(&tasks).last_result, None);
        drop(new);
        assert_eq!(tasks.list(), []);
    }
}
