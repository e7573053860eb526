//! Queued writes, and their callers.

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::StoreError;
use crate::batch::Batch;
use crate::record::Recorded;
use orchestrator_model::LeaseChange;

/// A write.
///
/// It may be applied more than once, each time in a new transaction. It returns a
/// [refusal](StoreError::is_refusal) only before it has written anything.
pub(crate) trait Write: Send + Sync + 'static {
    /// The result for the caller.
    type Output: Send + 'static;

    /// The operation, for errors.
    const DOING: &'static str;

    /// Whether [`apply`](Self::apply) runs the deferred statements itself. Its first statement must then be one that
    /// sends them along (`fetch_rows!` with at least one key), and it must call [`Batch::settle`] before it uses
    /// [`Batch::tx`] after an `execute_rows!`. If `false`, they run before `apply`.
    const BEGINS: bool = false;

    /// Writes it.
    fn apply(&self, batch: &mut Batch<'_>) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

/// A queued write with its caller.
pub(super) enum Job {
    /// Lease changes. They are recorded together with those of other jobs in the group.
    Leases(Leases),
    /// Any other write.
    Other(Box<dyn AnyTicket>),
}

/// The writes of one transaction.
pub(super) struct Group {
    pub(super) jobs: Vec<Job>,
    pub(super) changes: usize,
}

impl Group {
    pub(super) fn of(job: Job) -> Self {
        Self {
            changes: job.size(),
            jobs: vec![job],
        }
    }

    pub(super) fn add(&mut self, job: Job) {
        self.changes += job.size();
        self.jobs.push(job);
    }
}

/// Lease changes, with the caller that waits for them.
pub(super) struct Leases {
    pub(super) changes: Vec<LeaseChange>,
    pub(super) done: Option<Vec<Recorded>>,
    pub(super) reply: oneshot::Sender<Result<Vec<Recorded>, StoreError>>,
}

impl Leases {
    pub(super) const DOING: &'static str = "record leases";
}

impl Job {
    /// Whether the caller has stopped waiting.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Leases(leases) => leases.reply.is_closed(),
            Self::Other(ticket) => ticket.is_abandoned(),
        }
    }

    /// The approximate number of changes.
    pub(super) fn size(&self) -> usize {
        self.changes().map_or(1, <[LeaseChange]>::len)
    }

    pub(super) fn changes(&self) -> Option<&[LeaseChange]> {
        match self {
            Self::Leases(leases) => Some(&leases.changes),
            Self::Other(_) => None,
        }
    }

    /// Sends the stored answer to the caller, if it still waits.
    pub(super) fn answer(self) {
        match self {
            Self::Leases(leases) => {
                let done = leases.done.ok_or_else(|| StoreError::closed(Leases::DOING));
                let _ = leases.reply.send(done);
            }
            Self::Other(ticket) => ticket.answer(),
        }
    }

    /// Reports the error to the caller: nothing was written.
    pub(super) fn fail(self, error: StoreError) {
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

/// A write, with the caller that waits for it.
pub(super) struct Ticket<W: Write> {
    pub(super) write: W,
    pub(super) done: Option<Result<W::Output, StoreError>>,
    pub(super) reply: oneshot::Sender<Result<W::Output, StoreError>>,
}

/// A [`Ticket`] for any kind of write.
#[async_trait]
pub(super) trait AnyTicket: Send {
    /// Whether the caller has stopped waiting.
    fn is_abandoned(&self) -> bool;

    /// Applies the write, and stores the answer. An error invalidates the transaction.
    async fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), StoreError>;

    /// Sends the stored answer to the caller.
    fn answer(self: Box<Self>);

    /// Reports the error to the caller: nothing was written.
    fn fail(self: Box<Self>, error: StoreError);
}

#[async_trait]
impl<W: Write> AnyTicket for Ticket<W> {
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    async fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        if !W::BEGINS {
            batch.settle().await?;
        }
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
