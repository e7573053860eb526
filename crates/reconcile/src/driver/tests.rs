use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use orchestrator_runtime::tasks::{TaskState, TaskStatus};
use orchestrator_settings::Settings;

const SECOND: Duration = Duration::from_secs(1);

/// A driver, with what a test does to it from outside.
struct Lab {
    driver: Driver,
    tasks: Tasks,
    settings: watch::Sender<Arc<Settings>>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Lab {
    fn new() -> Self {
        let (settings, current) = Current::new(empty_settings());
        let (tasks, stop, tracker) = (Tasks::default(), CancellationToken::new(), TaskTracker::new());
        let driver = Driver::new(Parts {
            settings: current,
            tasks: tasks.clone(),
            metrics: Metrics::default(),
            tracker: tracker.clone(),
            stop: stop.clone(),
        });
        Self {
            driver,
            tasks,
            settings,
            stop,
            tracker,
        }
    }

    fn only(&self) -> TaskStatus {
        let mut all = self.tasks.list();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

fn empty_settings() -> Arc<Settings> {
    Arc::new(orchestrator_settings::parse("", std::iter::empty()).unwrap())
}

/// What the runs of a reconciler come to, and when they began.
#[derive(Clone)]
struct Script {
    began: Instant,
    runs: Arc<Mutex<Vec<Duration>>>,
    /// Takes the number of the run, from 0.
    outcome: fn(usize) -> Result<Next, Failure>,
}

impl Script {
    fn new(outcome: fn(usize) -> Result<Next, Failure>) -> Self {
        Self {
            began: Instant::now(),
            runs: Arc::default(),
            outcome,
        }
    }

    /// The whole seconds after the beginning at which runs began.
    fn seconds(&self) -> Vec<u64> {
        self.runs.lock().unwrap().iter().map(Duration::as_secs).collect()
    }
}

#[async_trait]
impl Reconciler for Script {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let nth = {
            let mut runs = self.runs.lock().unwrap();
            runs.push(self.began.elapsed());
            runs.len() - 1
        };
        (self.outcome)(nth)
    }
}

fn failure() -> Failure {
    Failure::from("no bridge: br0 is missing".to_owned())
}

#[tokio::test(start_paused = true)]
async fn it_runs_at_once_by_period_when_activated_and_when_the_settings_change() {
    let lab = Lab::new();
    let script = Script::new(|_| Ok(Next::Wait));
    let registration = Registration::new("test", "is tested")
        .every(10 * SECOND)
        .following_settings();
    let handle = lab.driver.register(registration, script.clone());
    sleep(12 * SECOND).await;
    assert_eq!(script.seconds(), [0, 10]);
    handle.activate();
    sleep(SECOND).await;
    lab.settings.send_replace(empty_settings());
    sleep(12 * SECOND).await;
    assert_eq!(script.seconds(), [0, 10, 12, 13, 23]);
    let status = lab.only();
    assert_eq!((status.state, status.last_result), (TaskState::Waiting, Some(Ok(()))));
    assert!(status.next_try.is_some());
}

#[tokio::test(start_paused = true)]
async fn it_runs_when_it_asks_to_be_run() {
    let lab = Lab::new();
    let script = Script::new(|nth| match nth {
        0 => Ok(Next::At(Instant::now() + 3 * SECOND)),
        // Later than its period.
        1 => Ok(Next::At(Instant::now() + 30 * SECOND)),
        _ => Ok(Next::Over),
    });
    let registration = Registration::new("test", "is tested").every(10 * SECOND);
    let handle = lab.driver.register(registration, script.clone());
    handle.ended().await;
    assert_eq!(script.seconds(), [0, 3, 13]);
    assert_eq!(lab.tasks.list(), [], "its row ends with it");
}

#[tokio::test(start_paused = true)]
async fn after_failures_it_waits_longer_and_longer_until_it_succeeds() {
    let lab = Lab::new();
    let script = Script::new(|nth| match nth {
        0..5 | 6.. => Err(failure()),
        5 => Ok(Next::Wait),
    });
    let backoff = Backoff::new(SECOND, 4 * SECOND);
    let registration = Registration::new("test", "is tested")
        .every(10 * SECOND)
        .retrying(backoff);
    let _handle = lab.driver.register(registration, script.clone());
    sleep(12 * SECOND).await;
    let status = lab.only();
    assert_eq!((status.state, status.failures), (TaskState::Failing, 5));
    assert_eq!(status.last_result, Some(Err("no bridge: br0 is missing".to_owned())));
    assert!(status.next_try.is_some());
    sleep(16 * SECOND).await;
    // It succeeded at 15, and its next failure is a first one.
    assert_eq!(script.seconds(), [0, 1, 3, 7, 11, 15, 25, 26]);
}

/// Fails, and is notified at once.
struct Notified {
    script: Script,
    notifications: mpsc::Receiver<()>,
}

#[async_trait]
impl Reconciler for Notified {
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure> {
        self.script.reconcile(run).await
    }

    async fn notified(&mut self) {
        if self.notifications.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn notifications_end_a_pause_and_do_not_put_off_the_try_that_is_due() {
    let lab = Lab::new();
    let script = Script::new(|_| Err(failure()));
    let (notify, notifications) = mpsc::channel(8);
    let reconciler = Notified {
        script: script.clone(),
        notifications,
    };
    let backoff = Backoff::new(8 * SECOND, 100 * SECOND);
    let registration = Registration::new("test", "is tested").retrying(backoff);
    let _handle = lab.driver.register(registration, reconciler);
    sleep(SECOND).await;
    for _ in 0..3 {
        notify.send(()).await.unwrap();
        sleep(SECOND).await;
    }
    sleep(10 * SECOND).await;
    assert_eq!(script.seconds(), [0, 1, 2, 3, 8]);
}

/// Runs for as long as it has no permit, and counts how many runs there are at once.
#[derive(Clone)]
struct Slow {
    gate: Arc<Semaphore>,
    runs: Arc<AtomicU32>,
    under_way: Arc<AtomicU32>,
}

#[async_trait]
impl Reconciler for Slow {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        assert_eq!(
            self.under_way.fetch_add(1, Ordering::Relaxed),
            0,
            "it overlaps with itself"
        );
        self.gate.acquire().await.unwrap().forget();
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        Ok(Next::Wait)
    }
}

#[tokio::test(start_paused = true)]
async fn what_wakes_it_during_a_run_causes_one_more_run_and_no_overlap() {
    let lab = Lab::new();
    let slow = Slow {
        gate: Arc::new(Semaphore::new(0)),
        runs: Arc::default(),
        under_way: Arc::default(),
    };
    let registration = Registration::new("test", "is tested").following_settings();
    let handle = lab.driver.register(registration, slow.clone());
    sleep(SECOND).await;
    assert_eq!(lab.only().state, TaskState::Running);
    for _ in 0..5 {
        handle.activate();
    }
    slow.gate.add_permits(1);
    sleep(SECOND).await;
    assert_eq!(slow.runs.load(Ordering::Relaxed), 2);
    // Settings that change during a run are not missed either.
    lab.settings.send_replace(empty_settings());
    slow.gate.add_permits(8);
    sleep(SECOND).await;
    assert_eq!(slow.runs.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_is_dropped_at_its_next_await() {
    let lab = Lab::new();
    let slow = Slow {
        gate: Arc::new(Semaphore::new(0)),
        runs: Arc::default(),
        under_way: Arc::default(),
    };
    let handle = lab
        .driver
        .register(Registration::new("test", "is tested"), slow.clone());
    sleep(SECOND).await;
    handle.cancel();
    handle.ended().await;
    assert_eq!((lab.tasks.list(), slow.runs.load(Ordering::Relaxed)), (vec![], 1));
}

/// Serves until it is to stop, and says farewell.
struct Server {
    fails: u32,
    farewell: Arc<Notify>,
}

#[async_trait]
impl Reconciler for Server {
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure> {
        if self.fails > 0 {
            self.fails -= 1;
            return Err(failure());
        }
        run.settled();
        run.set_detail("3 clients");
        run.stop().cancelled().await;
        sleep(SECOND).await;
        self.farewell.notify_one();
        Ok(Next::Wait)
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_by_itself_is_let_to_say_farewell_when_the_driver_stops() {
    let lab = Lab::new();
    let farewell = Arc::new(Notify::new());
    let server = Server {
        fails: 2,
        farewell: farewell.clone(),
    };
    let registration = Registration::new("link", "serves clients")
        .about("br0")
        .ending_by_itself();
    lab.driver.register(registration, server);
    sleep(Duration::from_millis(1500)).await;
    let failing = lab.only();
    assert_eq!(
        (failing.name.as_str(), failing.state, failing.failures),
        ("link br0", TaskState::Failing, 2)
    );
    sleep(2 * SECOND).await;
    let serving = lab.only();
    assert_eq!(
        (serving.state, serving.failures, serving.next_try),
        (TaskState::Running, 0, None)
    );
    assert_eq!(serving.detail.as_deref(), Some("3 clients"));
    lab.stop.cancel();
    lab.tracker.close();
    lab.tracker.wait().await;
    farewell.notified().await;
    assert_eq!(lab.tasks.list(), []);
}

/// Watches something in silence, but for the runs that fail at once.
struct Watch {
    fails: u32,
}

#[async_trait]
impl Reconciler for Watch {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        if self.fails == 0 {
            sleep(100 * SECOND).await;
        }
        self.fails = self.fails.saturating_sub(1);
        Err(failure())
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_run_has_settled_when_it_goes_on_and_its_next_failure_is_a_first_one() {
    let lab = Lab::new();
    let registration = Registration::new("test", "watches").settling_after(SECOND);
    let _handle = lab.driver.register(registration, Watch { fails: 2 });
    sleep(3500 * SECOND / 1000).await;
    assert_eq!(
        (lab.only().state, lab.only().failures),
        (TaskState::Failing, 2),
        "it has not gone on for long"
    );
    sleep(SECOND).await;
    assert_eq!((lab.only().state, lab.only().failures), (TaskState::Running, 0));
    sleep(99 * SECOND).await;
    assert_eq!((lab.only().state, lab.only().failures), (TaskState::Failing, 1));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_panics_failed_and_is_tried_again() {
    let lab = Lab::new();
    let script = Script::new(|nth| match nth {
        0 => panic!("on purpose"),
        _ => Ok(Next::Wait),
    });
    let _handle = lab
        .driver
        .register(Registration::new("test", "is tested"), script.clone());
    sleep(Duration::from_millis(10)).await;
    let status = lab.only();
    assert_eq!(status.state, TaskState::Failing);
    let reason = status.last_result.unwrap().unwrap_err();
    assert!(reason.contains("it panicked"), "{reason}");
    sleep(2 * SECOND).await;
    assert_eq!((script.seconds(), lab.only().state), (vec![0, 1], TaskState::Waiting));
}

#[tokio::test(start_paused = true)]
async fn one_of_a_set_is_registered_once_and_again_only_when_it_has_ended() {
    let lab = Lab::new();
    let mut set = TaskSet::new();
    let register = || {
        let farewell = Arc::default();
        let registration = Registration::new("link", "serves clients").ending_by_itself();
        lab.driver.register(registration, Server { fails: 0, farewell })
    };
    let handle = set.ensure(&"br0", register).clone();
    set.ensure(&"br0", || panic!("it is there"));
    sleep(SECOND).await;
    handle.cancel();
    set.ensure(&"br0", || panic!("it still ends"));
    assert_eq!(set.ended().await, "br0");
    set.ensure(&"br0", register);
    sleep(SECOND).await;
    assert_eq!((lab.only().state, set.iter().count()), (TaskState::Running, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_recorded_says_itself_when_it_is_due_and_how_often_it_was() {
    let lab = Lab::new();
    let script = Script::new(|nth| match nth {
        0..3 => Err(failure().recorded(7, Instant::now() + 5 * SECOND)),
        _ => Ok(Next::Wait),
    });
    let registration = Registration::new("test", "is tested").retrying(Backoff::constant(SECOND));
    let _handle = lab.driver.register(registration, script.clone());
    sleep(12 * SECOND).await;
    assert_eq!((lab.only().state, lab.only().failures), (TaskState::Failing, 7));
    sleep(12 * SECOND).await;
    assert_eq!(script.seconds(), [0, 5, 10, 15]);
    assert_eq!(lab.only().failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_shown_while_it_fails_has_one_of_so_many_rows() {
    let lab = Lab::new();
    let rows = FailingRows::at_most(2);
    let register = |subject: &'static str, outcome| {
        let registration = Registration::new("test", "is tested")
            .about(subject)
            .retrying(Backoff::constant(10 * SECOND))
            .shown_while_failing(&rows);
        lab.driver.register(registration, Script::new(outcome))
    };
    let names = || {
        let tasks = lab.tasks.list().into_iter();
        tasks.map(|task| task.name).collect::<Vec<_>>()
    };
    let _well = register("well", |_| Ok(Next::Wait));
    let _mended = register("mended", |nth| if nth == 0 { Err(failure()) } else { Ok(Next::Wait) });
    sleep(SECOND).await;
    let gone = register("gone", |_| Err(failure().about("renamed")));
    sleep(SECOND).await;
    let _late = register("late", |_| Err(failure()));
    sleep(SECOND).await;
    assert_eq!(names(), ["test mended", "test renamed"], "no row is free for a third");
    let failing = lab.tasks.list().remove(1);
    assert_eq!((failing.state, failing.failures), (TaskState::Failing, 1));
    assert!(failing.next_try.is_some());
    sleep(10 * SECOND).await;
    assert_eq!(names(), ["test late", "test renamed"], "one that is mended makes room");
    gone.cancel();
    gone.ended().await;
    assert_eq!(names(), ["test late"]);
}

/// Serves all the time, and fails what it serves for a while.
struct Hanging;

#[async_trait]
impl Reconciler for Hanging {
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure> {
        run.settled();
        sleep(SECOND).await;
        run.fails("it hangs", 2 * SECOND);
        sleep(SECOND).await;
        run.settled();
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_is_failing_while_what_it_serves_fails() {
    let lab = Lab::new();
    let _handle = lab.driver.register(Registration::new("test", "is tested"), Hanging);
    sleep(SECOND * 3 / 2).await;
    let hangs = lab.only();
    assert_eq!(
        (hangs.state, hangs.last_result),
        (TaskState::Failing, Some(Err("it hangs".to_owned())))
    );
    assert!(hangs.next_try.is_some());
    sleep(SECOND).await;
    assert_eq!((lab.only().state, lab.only().next_try), (TaskState::Running, None));
}
