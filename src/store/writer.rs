//! The one task that writes.
//!
//! It takes what has queued, runs it in one transaction, commits, and answers all: callers who come together share
//! one commit (group commit), and what they tell of leases is recorded as one group. When the transaction fails for a
//! reason of its own making, each write is tried again in a transaction of its own, so that a bad one fails alone.
//! When the database is away, every write that waits is answered so at once; the next one connects anew.
//!
//! ```text
//!            first write              write                    committed
//!   no session ─────────▶ connected ─────────▶ in transaction ───────────▶ connected
//!       ▲                     │                      │  failed: rolled back, each write alone
//!       └─────────────────────┴──────────────────────┘
//!              away, or slower than the limit: the session is dropped, all are answered
//! ```

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::StoreError;
use super::batch::Batch;
use super::checkpoint::Log;
use super::connection::Session;
use super::record::{Recorded, record_all};
use super::url::Target;
use crate::model::{Event, LeaseChange};

/// Changes that share a transaction, about: what is more waits for the next.
const GROUP: usize = 512;

/// Writes that may wait to be taken up; who comes later waits for a place.
const QUEUE: usize = 1024;

/// Transactions begin no more often than this: who comes in between shares the next.
///
/// One that comes alone does not wait.
const PERIOD: Duration = Duration::from_millis(3);

/// Who was answered at the same time comes back within this time of one another.
const HERD: Duration = Duration::from_millis(1);

/// How long the statements and the commit of one transaction may take together.
const TRANSACTION_LIMIT: Duration = Duration::from_secs(4);

/// How long a caller waits for the answer to its write, the queue included.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// One thing to be written.
///
/// It may be applied more than once, each time in a new transaction. It returns a
/// [refusal](StoreError::is_refusal) only before it has written anything.
pub(super) trait Write: Send + Sync + 'static {
    /// What the caller is told.
    type Output: Send + 'static;

    /// What is being done, for errors.
    const DOING: &'static str;

    /// Writes it.
    fn apply(&self, batch: &mut Batch<'_>) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

/// The callers' end of the queue.
#[derive(Debug, Clone)]
pub(super) struct Queue(mpsc::Sender<Job>);

impl Queue {
    /// Has something written, and waits for its commit.
    ///
    /// A caller that stops waiting does not know whether it was.
    pub(super) async fn write<W: Write>(&self, write: W) -> Result<W::Output, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Other(Box::new(Ticket {
            write,
            done: None,
            reply,
        }));
        self.wait(W::DOING, job, answer).await
    }

    /// Has lease changes recorded, and waits for their commit; with the same doubt for who stops waiting.
    pub(super) async fn record(&self, changes: Vec<LeaseChange>) -> Result<Vec<Recorded>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Leases(Leases {
            changes,
            done: None,
            reply,
        });
        self.wait(Leases::DOING, job, answer).await
    }

    async fn wait<T>(
        &self,
        doing: &'static str,
        job: Job,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let written = async {
            self.0.send(job).await.map_err(|_| StoreError::closed(doing))?;
            answer.await.map_err(|_| StoreError::closed(doing))?
        };
        match tokio::time::timeout(ANSWER_LIMIT, written).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::slow(doing, ANSWER_LIMIT)),
        }
    }
}

/// What waits to be written, with the caller who waits for it.
enum Job {
    /// Recorded together with all others that are taken up with it.
    Leases(Leases),
    /// Written by itself.
    Other(Box<dyn AnyTicket>),
}

/// What is written in one transaction.
struct Group {
    jobs: Vec<Job>,
    changes: usize,
}

impl Group {
    fn of(job: Job) -> Self {
        Self {
            changes: job.size(),
            jobs: vec![job],
        }
    }

    fn add(&mut self, job: Job) {
        self.changes += job.size();
        self.jobs.push(job);
    }
}

/// Lease changes with the caller who waits for them.
struct Leases {
    changes: Vec<LeaseChange>,
    done: Option<Vec<Recorded>>,
    reply: oneshot::Sender<Result<Vec<Recorded>, StoreError>>,
}

impl Leases {
    const DOING: &'static str = "record leases";
}

impl Job {
    /// Whether its caller has stopped waiting.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Leases(leases) => leases.reply.is_closed(),
            Self::Other(ticket) => ticket.is_abandoned(),
        }
    }

    /// How many changes it makes, about.
    fn size(&self) -> usize {
        self.changes().map_or(1, <[LeaseChange]>::len)
    }

    fn changes(&self) -> Option<&[LeaseChange]> {
        match self {
            Self::Leases(leases) => Some(&leases.changes),
            Self::Other(_) => None,
        }
    }

    /// Gives the caller the kept answer. One that has gone needs none.
    fn answer(self) {
        match self {
            Self::Leases(leases) => {
                let done = leases.done.ok_or_else(|| StoreError::closed(Leases::DOING));
                let _ = leases.reply.send(done);
            }
            Self::Other(ticket) => ticket.answer(),
        }
    }

    /// Tells the caller that it was not written.
    fn fail(self, error: StoreError) {
        match self {
            Self::Leases(leases) => {
                let _ = leases.reply.send(Err(error));
            }
            Self::Other(ticket) => ticket.fail(error),
        }
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// A write with the caller who waits for it.
struct Ticket<W: Write> {
    write: W,
    done: Option<Result<W::Output, StoreError>>,
    reply: oneshot::Sender<Result<W::Output, StoreError>>,
}

/// A [`Ticket`] of any kind of write.
#[async_trait]
trait AnyTicket: Send {
    /// Whether its caller has stopped waiting.
    fn is_abandoned(&self) -> bool;

    /// Writes it, and keeps the answer. An error spoils the transaction.
    async fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), StoreError>;

    /// Gives the caller the kept answer.
    fn answer(self: Box<Self>);

    /// Tells the caller that it was not written.
    fn fail(self: Box<Self>, error: StoreError);
}

#[async_trait]
impl<W: Write> AnyTicket for Ticket<W> {
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    async fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let done = self.write.apply(batch).await;
        match done {
            Err(error) if !error.is_refusal() => Err(error),
            done => {
                self.done = Some(done);
                Ok(())
            }
        }
    }

    fn answer(self: Box<Self>) {
        let done = self.done.unwrap_or_else(|| Err(StoreError::closed(W::DOING)));
        // A caller that has gone needs no answer.
        let _ = self.reply.send(done);
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

/// The task's own state.
pub(super) struct Writer {
    target: Target,
    session: Option<Session>,
    /// The last event of the timeline, where that is known. Nobody else adds to it.
    last_event: Option<i64>,
    /// How many changes the last transaction made, about.
    last: usize,
    log: Log,
    queued: mpsc::Receiver<Job>,
    committed: broadcast::Sender<Event>,
}

impl Writer {
    /// A writer that starts on a session that was just used to migrate.
    pub(super) fn new(
        target: Target,
        session: Session,
        log: Log,
        committed: broadcast::Sender<Event>,
    ) -> (Self, Queue) {
        let (queue, queued) = mpsc::channel(QUEUE);
        (
            Self {
                target,
                session: Some(session),
                last_event: None,
                last: 0,
                log,
                queued,
                committed,
            },
            Queue(queue),
        )
    }

    /// Writes until every handle of the store is gone or `stop` is cancelled; what had queued by then is written.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut begun = None;
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
            self.gather(&mut group, begun).await;
            begun = Some(Instant::now());
            group.jobs.retain(|job| !job.is_abandoned());
            self.write_all(group.jobs).await;
        }
        if let Some(session) = self.session {
            session.close().await;
        }
    }

    /// Takes up what has queued.
    fn take(&mut self, group: &mut Group) {
        while group.changes < GROUP
            && let Ok(job) = self.queued.try_recv()
        {
            group.add(job);
        }
    }

    /// Waits for more to write when the last transaction began just now, and for some of a herd that was answered
    /// together and comes back together: a commit costs as much for many as for one.
    async fn gather(&mut self, group: &mut Group, begun: Option<Instant>) {
        let Some(begun) = begun else { return };
        let half = self.last / 2;
        let now = Instant::now();
        let mut until = begun + PERIOD;
        if group.changes < half {
            until = until.max(now + HERD);
        }
        if until <= now {
            return;
        }
        let late = tokio::time::sleep_until(until);
        tokio::pin!(late);
        while group.changes < GROUP {
            tokio::select! {
                () = &mut late => break,
                Some(job) = self.queued.recv() => group.add(job),
                else => break,
            }
            self.take(group);
        }
    }

    async fn write_all(&mut self, mut jobs: Vec<Job>) {
        match self.attempt(&mut jobs).await {
            Ok(()) => jobs.into_iter().for_each(Job::answer),
            Err(error) if error.is_away() || jobs.len() == 1 => fail_all(jobs, &error),
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
                    if error.is_away() {
                        return fail_all(jobs, &error);
                    }
                }
            }
        }
    }

    /// Runs `jobs` in one transaction. Nothing of it is kept when it fails.
    async fn attempt(&mut self, jobs: &mut [Job]) -> Result<(), StoreError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::connect(&self.target).await?,
        };
        let known = self.last_event.take();
        let outcome = match tokio::time::timeout(TRANSACTION_LIMIT, transact(&mut session, jobs, known)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::slow("commit", TRANSACTION_LIMIT)),
        };
        // A session that went away half-way is in no state that is known: it is dropped with its transaction.
        let is_sound = match &outcome {
            Ok(_) => true,
            Err(fault) => session.rolls_back() && !fault.is_away(),
        };
        self.session = is_sound.then_some(session);
        let (events, last_event) = outcome?;
        self.last_event = last_event;
        self.last = jobs.iter().map(Job::size).sum();
        self.log.grew(self.last);
        for event in events {
            // Nobody listening is no fault: the event is in its table.
            let _ = self.committed.send(event);
        }
        Ok(())
    }
}

async fn transact(
    session: &mut Session,
    jobs: &mut [Job],
    last_event: Option<i64>,
) -> Result<(Vec<Event>, Option<i64>), StoreError> {
    let mut batch = Batch::new(session, last_event).await?;
    let callers: Vec<&[LeaseChange]> = jobs.iter().filter_map(Job::changes).collect();
    let mut recorded = record_all(&mut batch, &callers).await?.into_iter();
    for job in jobs {
        match job {
            Job::Leases(leases) => leases.done = recorded.next(),
            Job::Other(ticket) => {
                batch.settle().await?;
                ticket.apply(&mut batch).await?;
            }
        }
    }
    let last_event = batch.last_event();
    Ok((batch.commit().await?, last_event))
}

fn fail_all(jobs: impl IntoIterator<Item = Job>, error: &StoreError) {
    jobs.into_iter().for_each(|job| job.fail(error.clone()));
}
