//! The only task that writes.
//!
//! It takes all queued writes, runs them in one transaction, commits, and answers all callers. So callers that come at
//! the same time share one commit (group commit), and their lease changes are recorded as one group. If the transaction
//! fails for a reason other than the database, each write is tried again in a transaction of its own, so that a bad one
//! fails alone. If the database is unreachable, all waiting writes are answered so at once; the next one connects
//! again.
//!
//! ```text
//!            first write              write                    committed
//!   no session ─────────▶ connected ─────────▶ in transaction ───────────▶ connected
//!       ▲                     │                      │  failed: rolled back, each write alone
//!       └─────────────────────┴──────────────────────┘
//!              away, or slower than the limit: the session is dropped, all are answered
//! ```

mod job;
mod pace;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

pub(super) use job::Write;
use job::{Group, Job};
use pace::Pace;
pub(super) use queue::Queue;

use super::StoreError;
use super::batch::Batch;
use super::checkpoint::Log;
use super::connection::Session;
use super::guard::Guard;
use super::leader::Lead;
use super::record::record_all;
use super::url::Target;
use orchestrator_model::{Event, LeaseChange};

/// The approximate number of changes in a transaction. Further ones wait for the next.
const GROUP: usize = 512;

/// The time limit for the statements and the commit of one transaction.
const TRANSACTION_LIMIT: Duration = Duration::from_secs(4);

/// The task's own state.
pub(super) struct Writer {
    target: Target,
    session: Option<Session>,
    lead: Lead,
    guard: Arc<Guard>,
    /// The id of the timeline's last event, if it is known. Nobody else adds events.
    last_event: Option<i64>,
    pace: Pace,
    log: Log,
    queued: mpsc::Receiver<Job>,
    committed: broadcast::Sender<Event>,
}

impl Writer {
    /// A writer that begins with the session that was used for the migrations.
    pub(super) fn new(
        target: Target,
        session: Session,
        lead: Lead,
        guard: Arc<Guard>,
        log: Log,
        committed: broadcast::Sender<Event>,
    ) -> (Self, Queue) {
        let (queue, queued) = Queue::new();
        (
            Self {
                target,
                session: Some(session),
                lead,
                guard,
                last_event: None,
                pace: Pace::new(Instant::now()),
                log,
                queued,
                committed,
            },
            queue,
        )
    }

    /// Writes until every handle of the store is dropped or `stop` is cancelled. Jobs that are queued by then are
    /// written.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let first = tokio::select! {
                first = self.queued.recv() => first,
                () = stop.cancelled(), if !self.queued.is_closed() => {
                    self.queued.close();
                    continue;
                }
            };
            let Some(first) = first else { break };
            let mut group = Group::of(first);
            self.take(&mut group);
            self.gather(&mut group).await;
            self.pace.begin(group.changes, Instant::now());
            group.jobs.retain(|job| !job.is_abandoned());
            self.write_all(group.jobs).await;
        }
        match self.session {
            // SQLite would remove the log by its name, which may be that of another database by now.
            Some(session) if self.guard.check_files().is_err() => std::mem::forget(session),
            Some(session) => {
                self.guard.forget_log();
                session.close().await;
            }
            None => {}
        }
    }

    /// Takes the queued jobs.
    fn take(&mut self, group: &mut Group) {
        while group.changes < GROUP
            && let Ok(job) = self.queued.try_recv()
        {
            group.add(job);
        }
    }

    /// Waits for more jobs while many come.
    async fn gather(&mut self, group: &mut Group) {
        let since = Instant::now();
        while group.changes < GROUP {
            let until = self.pace.until(group.changes, since);
            if until <= Instant::now() {
                return;
            }
            let Ok(Some(job)) = timeout_at(until, self.queued.recv()).await else {
                return;
            };
            group.add(job);
            self.take(group);
        }
    }

    async fn write_all(&mut self, mut jobs: Vec<Job>) {
        match self.attempt(&mut jobs).await {
            Ok(()) => jobs.into_iter().for_each(Job::answer),
            Err(error) if error.concerns_all() || jobs.len() == 1 => fail_all(jobs, &error),
            Err(error) => {
                tracing::warn!(%error, writes = jobs.len(), "a shared transaction failed; each write gets its own");
                self.write_each(jobs).await;
            }
        }
    }

    async fn write_each(&mut self, jobs: Vec<Job>) {
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            let mut alone = vec![job];
            match self.attempt(&mut alone).await {
                Ok(()) => alone.into_iter().for_each(Job::answer),
                Err(error) => {
                    fail_all(alone, &error);
                    if error.concerns_all() {
                        return fail_all(jobs, &error);
                    }
                }
            }
        }
    }

    /// Runs `jobs` in one transaction. If it fails, nothing of it is kept.
    async fn attempt(&mut self, jobs: &mut [Job]) -> Result<(), StoreError> {
        if jobs.is_empty() {
            return Ok(());
        }
        self.guard.check_to_write()?;
        let mut session = self.connected().await?;
        let known = self.last_event.take();
        let outcome =
            match tokio::time::timeout(TRANSACTION_LIMIT, transact(&mut session, &self.lead, jobs, known)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(StoreError::slow("commit", TRANSACTION_LIMIT)),
            };
        let outcome = match outcome {
            Err(fault) => Err(self.lead.explain(fault, &self.target, &self.guard).await),
            done => done,
        };
        // The state of a session that failed half-way is unknown. It is dropped with its transaction.
        let is_sound = match &outcome {
            Ok(_) => true,
            Err(fault) => session.rolls_back() && !fault.is_away() && !fault.is_deposed(),
        };
        if !is_sound {
            self.guard.forget_log();
        }
        self.session = is_sound.then_some(session);
        if let Err(fault) = &outcome {
            self.guard.note(fault);
        }
        let (events, last_event) = outcome?;
        self.last_event = last_event;
        // A commit into a file that is no longer at its path is not durable.
        self.guard.learn_log();
        self.guard.check_files()?;
        self.log.grew(jobs.iter().map(Job::size).sum());
        for event in events {
            // Without a subscriber nothing is lost: the event is in its table.
            let _ = self.committed.send(event);
        }
        Ok(())
    }
}

impl Writer {
    /// The session, or a new one to the same database.
    async fn connected(&mut self) -> Result<Session, StoreError> {
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        let mut session = Session::connect(&self.target).await?;
        self.guard.check_session(&mut session).await?;
        Ok(session)
    }
}

async fn transact(
    session: &mut Session,
    lead: &Lead,
    jobs: &mut [Job],
    last_event: Option<i64>,
) -> Result<(Vec<Event>, Option<i64>), StoreError> {
    let mut batch = Batch::new(session, Some(lead), last_event).await?;
    let callers: Vec<&[LeaseChange]> = jobs.iter().filter_map(Job::changes).collect();
    let mut recorded = record_all(&mut batch, &callers).await?.into_iter();
    for job in jobs {
        match job {
            Job::Leases(leases) => leases.done = recorded.next(),
            Job::Other(ticket) => ticket.apply(&mut batch).await?,
        }
    }
    let last_event = batch.last_event();
    Ok((batch.commit().await?, last_event))
}

fn fail_all(jobs: impl IntoIterator<Item = Job>, error: &StoreError) {
    jobs.into_iter().for_each(|job| job.fail(error.clone()));
}
