//! The queue of writes, from the callers' side.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::job::{Job, Leases, Ticket, Write};
use crate::StoreError;
use crate::record::Recorded;
use orchestrator_model::LeaseChange;

/// The number of queued writes. Further callers wait for a place.
const QUEUE: usize = 1024;

/// How long a caller waits for the answer to its write, including the time in the queue.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The callers' side of the queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue(mpsc::Sender<Job>);

impl Queue {
    /// A queue, and the receiver of its jobs.
    pub(super) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (queue, queued) = mpsc::channel(QUEUE);
        (Self(queue), queued)
    }

    /// Queues a write, and waits for its commit.
    ///
    /// A caller that stops waiting does not know whether the write was made.
    pub(crate) async fn write<W: Write>(&self, write: W) -> Result<W::Output, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Other(Box::new(Ticket {
            write,
            done: None,
            reply,
        }));
        self.wait(W::DOING, job, answer).await
    }

    /// Queues lease changes, and waits for their commit. A caller that stops waiting does not know whether they were
    /// made.
    pub(crate) async fn record(&self, changes: Vec<LeaseChange>) -> Result<Vec<Recorded>, StoreError> {
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
